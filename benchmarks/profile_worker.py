"""Where the time of one worker goes: `python -m benchmarks.profile_worker`, with py-spy, which samples the process from outside.

A sample of a thread that is not idle counts for the innermost frame of its stack that a stage below names; opening and closing of files,
imports and waiting are left out. `--native` samples C frames too (slower). `--stacks` keeps the collapsed stacks (flamegraph.pl,
speedscope.app). Garbage collection happens inside of whatever runs: it is measured by Python's own callbacks and told apart.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import throughput
from benchmarks.applied import Applied
from benchmarks.load import searches
from benchmarks.processes import children, cost
from ops import broker

SEARCHES = 12_000
RATE = 100  # samples a second
# Frames look like `function (file:line)`. A stack with any frame of OUTSIDE, or whose innermost frame WAITS, is left out; one with any
# frame of TIDY is that stage as a whole; else the innermost frame that fits a pattern of STAGES names the stage. Encoding belongs to
# whoever asked for it, further out.
OUTSIDE = re.compile(r"_find_and_load|_call_with_frames_removed|(close|_open|own|open) \(\S*(streams|memory_index)/")
WAITS = re.compile(r"(select|poll) \(\S*selectors\.py|wait \(\S*threading\.py|_worker \(\S*concurrent/futures/thread\.py")
TIDY = re.compile(r"(compact|checkpoint|forget|fold|tidy)\w* \(\S*(streams|memory_index)/")
ENCODE = re.compile(r"encode \(\S*schemas/codec\.py")
STAGES = {
    "send: batches, lz4": r"faust_app/sender\.py|message_accumulator\.py|lz4_encode",
    "fetch, decompress": r"aiokafka/consumer|aiokafka/record/\S*(default|memory)_records|aiokafka/codec|gzip\.py|_compression\.py",
    "decode, validate": r"decode\w* \(\S*(schemas|streams)/|schemas/(events|decisions|base|codec)\.py",
    "hash ids and contents": r"(_counts_once|hashed_id|digest|final_id|client_hash) \(",
    "pack and unpack pages": r"kernel/packing\.py",
    "finals, quarantine": r"kernel/conclude\.py",
    "join, credit, counts": r"streams/kernel/|learners/|schemas/|streams/partitioning\.py",
    "tables of a batch (Arrow)": r"(memory_table|tally_table) \(|(_table|commit) \(\S*partition_store\.py",
    "transaction (DuckDB)": r"(append|_views) \(\S*memory_index/store\.py",
    "rows read back (DuckDB)": r"(memory_rows|tally_rows|query) \(|as_counts|as_rows",
    "rows: which, encoded": r"faust_app/(owner|rows)\.py",
    "aiokafka": r"aiokafka/",
    "logs, reports, metrics": r"faust_app/(report|status|watchdog)\.py|logging/|ops/",
    "Faust": r"faust/|mode/|faust_app/",
    "asyncio, sockets": r"asyncio/|selectors\.py",
}
_STAGES = {stage: re.compile(pattern) for stage, pattern in STAGES.items()}


def stage(stack: Sequence[str]) -> str | None:
    """The stage of one stack, outermost frame first; None for one that is left out.

    >>> stage(["run (asyncio/runners.py:1)", "apply (streams/kernel/kernel.py:66)", "decode_event (schemas/codec.py:9)"])
    'decode, validate'
    """
    if WAITS.search(stack[-1]) or any(OUTSIDE.search(frame) for frame in stack):
        return None
    if any(TIDY.search(frame) for frame in stack):
        return "compaction, checkpoint"
    for frame in reversed(stack):
        if not ENCODE.search(frame):
            for name, pattern in _STAGES.items():
                if pattern.search(frame):
                    return name
    return "other"


def samples(lines: Iterable[str]) -> Counter[str]:
    """Samples by stage of collapsed stacks (`a;b;c COUNT`)."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        frames = [frame for frame in stack.split(";") if " (" in frame and not frame.startswith("thread (")]
        if frames and (name := stage(frames)) is not None:
            counts[name] += int(count)
    return counts


@dataclass(frozen=True)
class Sampled:
    """Collapsed stacks of a worker from its start to its end, CPU seconds from its first transaction until all was published, seconds in
    which it applied everything, and what it said of its garbage."""

    stacks: list[str]
    cpu: float
    applied_s: float
    garbage: str


def sampled(bootstrap: str, folder: Path, count: int, *, native: bool) -> Sampled:
    """A worker that applies and publishes `count` records, under py-spy."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise SystemExit("py-spy is not installed; run `make setup`, or install it with pip")
    stacks, log = folder / "stacks.txt", folder / "worker.log"
    command = [spy, "record", "--rate", str(RATE), "--format", "raw", "--output", str(stacks), "--threads"]
    command += ["--native"] if native else []
    command += ["--", sys.executable, "-m", "benchmarks.worker", bootstrap, str(folder / "data")]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    cpu = [0.0, 0.0]
    try:
        applied = Applied()
        while applied.look(log).records < count:
            if process.poll() is not None:
                raise SystemExit(f"the worker ended:\n{log.read_text(errors='replace')[-2_000:]}")
            cpu[0] = cpu[0] or (_cpu(process.pid) if applied.transactions else 0.0)
            time.sleep(0.1)
        throughput.quiet(bootstrap)
        cpu[1] = _cpu(process.pid)
    finally:
        for pid in children(process.pid):
            os.kill(pid, signal.SIGTERM)  # py-spy writes when what it watches has ended
        process.wait(60)
    times, garbage = applied.transactions, re.findall(r"garbage: .*", log.read_text(errors="replace"))
    took = max(one.at for one in times) - min(one.began for one in times)
    return Sampled(stacks.read_text().splitlines(), cpu[1] - cpu[0], took, garbage[-1] if garbage else "")


def _cpu(spy: int) -> float:
    return sum(found.cpu for pid in children(spy) if (found := cost(pid)) is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=SEARCHES)
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--stacks", type=Path, help="keep the collapsed stacks in this file")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bootstrap = broker.start(folder / "kafka")
        try:
            count = throughput.fill(bootstrap, list(searches(given.searches)))
            seen = sampled(bootstrap, folder, count, native=given.native)
        finally:
            broker.stop(folder / "kafka")
    if given.stacks:
        given.stacks.write_text("\n".join(seen.stacks))
    found, us = samples(seen.stacks), 1e6 * seen.cpu / given.searches
    shares = {name: count / found.total() for name, count in found.most_common()} | {"in all": 1.0}
    if given.json:
        figures = {name: {"percent": 100 * share, "cpu_us_per_search": us * share} for name, share in shares.items()}
        return print(json.dumps({"searches_per_s": given.searches / seen.applied_s, "stages": figures, "garbage": seen.garbage}, indent=1))
    print(f"{given.searches / seen.applied_s:,.0f} searches/s applied under the profiler; {seen.garbage}")
    print(f"{'':<28}{'%':>7}{'us of CPU a search':>20}")
    for name, share in shares.items():
        print(f"{name:<28}{100 * share:7.1f}{us * share:20.0f}")
    return None


if __name__ == "__main__":
    main()
