"""Where the time of one worker goes: `python -m benchmarks.profile_worker`, with py-spy, which samples the process from outside.

Each sample of each thread that is not idle counts for the innermost frame of its stack that a stage below names. `--native` samples C
frames too (slower). `--stacks` keeps the collapsed stacks (flamegraph.pl, speedscope.app).
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
from collections.abc import Iterable
from pathlib import Path

from benchmarks import throughput
from benchmarks.applied import Applied
from benchmarks.load import searches
from ops import broker

SEARCHES = 12_000
RATE = 200  # samples a second
# Stage -> what its frames look like (`function (file:line)`). A stack belongs to the first of WHOLE that any of its frames fits, else to
# the stage that its innermost fitting frame names.
WHOLE = {
    "start-up": r"_find_and_load|_call_with_frames_removed",
    "compaction, checkpoint": r"\(.*(partition_store\.py|owners\.py).*\)$",  # with the functions of TIDY
}
TIDY = re.compile(r"(compact|checkpoint|forget|fold)\w* \(\S*streams/")
STAGES = {
    "decode, validate": r"decode_event|(streams/|schemas/)codec\.py.*|schemas/(events|decisions|base|ids)\.py",
    "pack pages": r"kernel/packing\.py",
    "finals, quarantine: encode": r"kernel/conclude\.py",
    "join, credit, counts": r"streams/kernel/|learners/|schemas/|streams/partitioning\.py",
    "Arrow tables of a batch": r"(memory_table|tally_table) \(|_table \(\S*partition_store\.py|commit \(\S*partition_store\.py",
    "DuckDB transaction": r"(append|_views|checkpoint) \(\S*memory_index/store\.py",
    "outbox: rows read back": r"(memory_rows|tally_rows|query) \(\S*|as_counts|as_rows",
    "outbox: rows encoded": r"(take|row_key|resend) \(\S*owner\.py",
    "outbox: which rows are due": r"owner\.py",
    "send": r"faust_app/sender\.py|aiokafka/producer|aiokafka/record/\w*builder|lz4",
    "fetch, decompress": r"aiokafka/consumer|aiokafka/record|aiokafka/codec|gzip|_decompress|faust_app/consumer\.py",
    "aiokafka client": r"aiokafka/",
    "batches to records": r"_apply \(\S*worker\.py",
    "metrics, reports": r"faust_app/(report|status|watchdog)\.py|logging/",
    "Faust": r"faust/|mode/|faust_app/",
    "asyncio": r"asyncio/|selectors\.py",
}
_ENCODE = re.compile(r"encode \(\S*schemas/codec\.py")
_STAGES = {stage: re.compile(pattern) for stage, pattern in STAGES.items()}


def stage(stack: list[str]) -> str:
    """The stage of one stack, outermost frame first.

    >>> stage(["run (asyncio/runners.py:1)", "apply (streams/kernel/kernel.py:66)", "decode_event (schemas/codec.py:9)"])
    'decode, validate'
    """
    if any(re.search(WHOLE["start-up"], frame) for frame in stack):
        return "start-up"
    if any(TIDY.search(frame) for frame in stack):
        return "compaction, checkpoint"
    for frame in reversed(stack):
        if _ENCODE.search(frame):
            continue  # who encodes is further out
        for name, pattern in _STAGES.items():
            if pattern.search(frame):
                return name
    return "other"


def table(lines: Iterable[str]) -> dict[str, float]:
    """Percent of samples by stage, largest first, of collapsed stacks (`a;b;c COUNT`); start-up left out."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        if stack:
            counts[stage(stack.split(";"))] += int(count)
    counts.pop("start-up", None)
    return {name: 100 * count / counts.total() for name, count in counts.most_common()}


def sampled(bootstrap: str, folder: Path, count: int, *, native: bool) -> tuple[list[str], float]:
    """Collapsed stacks of a worker that applies and publishes `count` records, and the seconds that applying took."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        raise SystemExit("py-spy is not installed; run `make setup`, or install it with pip")
    stacks, log = folder / "stacks.txt", folder / "worker.log"
    command = [spy, "record", "--rate", str(RATE), "--format", "raw", "--output", str(stacks), "--threads", "--nonblocking"]
    command += ["--native"] if native else []
    command += ["--", sys.executable, "-m", "benchmarks.worker", bootstrap, str(folder / "data")]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        applied = Applied()
        while applied.look(log).records < count:
            if process.poll() is not None:
                raise SystemExit(f"the worker ended:\n{log.read_text(errors='replace')[-2_000:]}")
            time.sleep(0.5)
        throughput.quiet(bootstrap)
    finally:
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGTERM)  # py-spy writes when what it watches has ended
        process.wait(60)
    times = applied.transactions
    return stacks.read_text().splitlines(), max(one.at for one in times) - min(one.began for one in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=SEARCHES)
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--stacks", type=Path, help="keep the collapsed stacks here")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bootstrap = broker.start(folder / "kafka")
        try:
            count = throughput.fill(bootstrap, list(searches(given.searches)))
            lines, took = sampled(bootstrap, folder, count, native=given.native)
        finally:
            broker.stop(folder / "kafka")
    if given.stacks:
        given.stacks.write_text("\n".join(lines))
    shares = table(lines)
    if given.json:
        return print(json.dumps({"searches_per_s": given.searches / took, "percent": shares}, indent=1))
    print(f"{given.searches / took:,.0f} searches/s under the profiler; percent of samples of threads that were not idle")
    for name, share in shares.items():
        print(f"{name:<32}{share:6.1f} %")
    return None


if __name__ == "__main__":
    main()
