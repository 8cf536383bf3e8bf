"""Half an hour of real work: `python -m benchmarks.soak --minutes 30 --rate R`, R being half of what benchmarks.scaling measured.

A broker with live topics, two workers on disks of their own with one state store, a publisher, a policy and a memory subscriber, and
benchmarks.soak_load. Worker `b` is restarted every few minutes, by SIGTERM and by SIGKILL in turn; all other processes live through the
run. Every 5 s a line of JSON goes to `--out`: memory of each process, disk, lag, what waits to be sent, and how long probe searches took
from action to changed memory. At the end: were all searches counted exactly once, does anything grow, and a plot. A run that was cut off
still has its samples: `--plot FILE`.

Windows, ids and topics live shorter than in production, so that within minutes as much goes as comes: WINDOW, SETTLE, HOUR, TOPIC below.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from benchmarks import soak_report
from benchmarks.applied import Applied
from benchmarks.processes import broker_pid, cost, start, stop
from benchmarks.soak_counts import Expected, differences
from benchmarks.soak_probe import Probe
from benchmarks.throughput import ends
from ops import broker
from schemas.topics import ACTIONS, IMPRESSIONS, OUTCOMES, TOPICS
from streams.admin import create_topics
from streams.clients import connect

PARTITIONS = 4
SAMPLE, RESTART = 5.0, 180.0  # s
WINDOW, SETTLE = 60_000, 20_000  # ms in place of 30 and 10 min
HOUR = 10_000  # ms in place of an hour by which ids are kept: they go after 250 s instead of 25 h
TOPIC = {"retention.ms": "240000", "segment.ms": "30000"}  # of inputs and outcomes, in place of days
COMPACTED = {"segment.ms": "30000", "max.compaction.lag.ms": "60000", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": "60000"}
BROKER = "log.retention.check.interval.ms=10000\nlog.segment.delete.delay.ms=5000\n"
SLOTS = ("a", "b")
INPUTS = (IMPRESSIONS.name, ACTIONS.name)


class Soak:
    """The processes of one run, under `folder`."""

    def __init__(self, folder: Path, out: Path, stack: ExitStack) -> None:
        self.folder, self.bootstrap = folder, _broker(folder / "kafka", stack)
        self._out, self._began = stack.enter_context(out.open("w")), time.time()
        self._applied, self._reader = Applied(keep=False), connect(KafkaConsumer, self.bootstrap)
        stack.callback(self._reader.close)
        self._logs: dict[str, Path] = {name: folder / f"{name}.log" for name in (*SLOTS, "load", "publisher")}
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._others: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(self.end)
        for slot in SLOTS:
            self.start_worker(slot)
        self._others["publisher"] = start(
            "benchmarks.publisher", [self.bootstrap, str(_made(folder / "publisher"))], self._logs["publisher"]
        )
        self.probe = stack.enter_context(Probe(self.bootstrap, folder / "spill"))

    def start_worker(self, slot: str) -> None:
        given = {
            "instance": f"soak-{slot}", "group": "soak", "state_store": str(_made(self.folder / "state")), "window": WINDOW,
            "settle": SETTLE, "hour": HOUR, "status": str(self.folder / f"{slot}.status"),
        }  # fmt: skip
        words = [self.bootstrap, str(_made(self.folder / f"disk-{slot}")), json.dumps(given)]
        self._workers[slot] = start("benchmarks.worker", words, self._logs[slot])

    def start_load(self, rate: float) -> None:
        self._others["load"] = start("benchmarks.soak_load", [self.bootstrap, str(rate)], self._logs["load"])

    def restart(self, slot: str, *, kill: bool) -> None:
        process = self._workers[slot]
        if kill:
            process.kill()
            process.wait()
        self.note(event=f"{'SIGKILL' if kill else 'SIGTERM'} of worker {slot}", took=0.0 if kill else stop(process))
        self.start_worker(slot)

    def check(self) -> None:
        """Raises SystemExit when a process ended that nobody ended."""
        for name, process in [*self._workers.items(), *self._others.items()]:
            if process.poll() is not None and not (name == "load" and process.returncode == 0):
                raise SystemExit(f"{name} ended with {process.returncode}:\n{self._logs[name].read_text(errors='replace')[-3_000:]}")

    def note(self, **line: object) -> None:
        print(json.dumps({"t": round(time.time() - self._began, 2)} | line), file=self._out, flush=True)

    def sample(self) -> int:
        """Write one down. The lag in records."""
        self._applied.look(*(self._logs[slot] for slot in SLOTS))
        lag = self._applied.behind(self._ends(), INPUTS)
        processes = {f"worker {slot}": process.pid for slot, process in self._workers.items()}
        processes |= {name: process.pid for name, process in self._others.items()} | {"subscribers": os.getpid()}
        processes |= {"broker": pid} if (pid := broker_pid(self.folder / "kafka")) else {}
        costs = {name: found for name, pid in processes.items() if (found := cost(pid)) is not None}
        told = [last for slot in SLOTS if (last := _last(self.folder / f"{slot}.status"))]
        self.note(
            memory={name: round(one.rss, 1) for name, one in costs.items()},
            cpu={name: round(one.cpu, 2) for name, one in costs.items()},
            disk={
                "partition files": _megabytes(*self.folder.glob("disk-*")),
                "state store": _megabytes(self.folder / "state"),
                "topics": _megabytes(self.folder / "kafka" / "data"),
                "publisher": _megabytes(self.folder / "publisher"),
            },
            lag=lag, latency=self.probe.taken(), sent=self.sent(), policy=self.probe.policy, waiting=sum(one["unsent"] for one in told),
            ids=sum(one["ids"] for one in told), open=sum(one["open"] for one in told),
            checkpoint=max((one["checkpoint_s"] for one in told), default=0.0),
        )  # fmt: skip
        return lag

    def _ends(self) -> dict[tuple[str, int], int]:
        found = self._reader.end_offsets([TopicPartition(topic, number) for topic in INPUTS for number in range(PARTITIONS)])
        return {(tp.topic, tp.partition): end for tp, end in found.items()}

    def sent(self) -> dict[str, float]:
        return _last(self._logs["load"]) or {}

    def end_load(self) -> dict[str, float]:
        if self._others["load"].poll() is None:
            stop(self._others["load"], patience=320)
        return self.sent()

    def end(self) -> None:
        """Stop workers and publisher as an operator would."""
        for process in (*self._workers.values(), *self._others.values()):
            stop(process)


def run(folder: Path, out: Path, *, minutes: float, rate: float, restart: float) -> list[str]:
    """What was not counted as it was sent; empty when all is exact."""
    with ExitStack() as stack:
        soak = Soak(folder, out, stack)
        soak.note(event="start", minutes=minutes, rate=rate)
        _until(lambda: soak.probe.answered, 120.0, soak, "the first probe was answered")
        soak.start_load(rate)
        end, restarted, kills = time.monotonic() + 60 * minutes, time.monotonic(), 0
        while time.monotonic() < end:
            began = time.monotonic()
            soak.check()
            soak.sample()
            if began - restarted > restart and end - began > restart / 2:
                restarted, kills = began, kills + 1
                soak.restart("b", kill=kills % 2 == 0)
            time.sleep(max(0.0, SAMPLE - (time.monotonic() - began)))
        probes = soak.probe.stop()
        sent = soak.end_load()
        soak.note(event="the load ended", sent=sent, probes=probes)
        _until(lambda: soak.sample() == 0, 300.0, soak, "everything was applied")
        closing = ends(soak.bootstrap, OUTCOMES.name, partitions=PARTITIONS)
        _rest(2 * (WINDOW + SETTLE) / 1_000, soak)  # ticks close what is open
        soak.note(event="all searches are over", outcomes=sum(closing.values()))
        soak.end()
        expected = Expected(searches=int(sent["searches"]) + probes, shown=int(sent["shown"]) + probes, acted=int(sent["acted"]) + probes)
        wrong = differences(sorted(folder.glob("disk-*/partition-*.duckdb")), PARTITIONS, expected)
        wrong += [f"{int(sent['failed'])} messages were refused by the broker"] if sent["failed"] else []
        soak.note(event="counted", wrong=wrong, expected=vars(expected))
    return wrong


def _until(done: Callable[[], bool], patience: float, soak: Soak, what: str) -> None:
    end = time.monotonic() + patience
    while not done():
        soak.check()
        if time.monotonic() > end:
            raise SystemExit(f"{patience:.0f} s went by and never was it true that {what}; see the logs in {soak.folder}")
        time.sleep(1.0)


def _rest(seconds: float, soak: Soak) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        soak.sample()
        time.sleep(SAMPLE)


def _broker(folder: Path, stack: ExitStack) -> str:
    _made(folder)
    stack.callback(broker.stop, folder)  # also when Ctrl-C comes while it starts
    bootstrap = broker.start(folder)
    if (conf := folder / "server.properties").exists():  # it looks for old segments every 5 min, which is a sixth of the run
        broker.stop(folder)
        conf.write_text(conf.read_text() + BROKER)
        bootstrap = broker.start(folder)
    create_topics(bootstrap, PARTITIONS)
    admin = connect(KafkaAdminClient, bootstrap)
    for topic in TOPICS:
        if topic.name in (*INPUTS, OUTCOMES.name) or topic.compact:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, COMPACTED if topic.compact else TOPIC)])
    admin.close()
    return bootstrap


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _last(path: Path) -> dict[str, float] | None:
    """The last whole line of a file of JSON lines."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4_096))
        lines = [line for line in file.read().rpartition(b"\n")[0].splitlines() if line.startswith(b"{")]
        return json.loads(lines[-1]) if lines else None
    return None


def _megabytes(*folders: Path) -> float:
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(OSError):  # renamed or deleted meanwhile
                total += path.stat().st_blocks * 512 if path.is_file() else 0  # Kafka's indexes are sparse
    return round(total / 2**20, 2)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=500.0, help="searches a second")
    parser.add_argument("--restart", type=float, default=RESTART, help="seconds between restarts of worker b")
    parser.add_argument("--out", type=Path, default=Path("var/soak.jsonl"), help="samples; the plot goes beside it, as .svg")
    parser.add_argument("--plot", type=Path, help="no run: report and plot of the samples in this file")
    parser.add_argument("--keep", type=Path, help="work in this new folder and keep it: logs, stores, topics")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    out, wrong = given.plot or given.out, []
    if given.plot is None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("")
        try:
            with tempfile.TemporaryDirectory() as temporary:
                folder = _made(given.keep) if given.keep else Path(temporary)
                wrong = run(folder, out, minutes=given.minutes, rate=given.rate, restart=given.restart)
        except KeyboardInterrupt:
            wrong = ["the run was cut off: nothing was counted"]
    report = soak_report.report(out)
    if not wrong and given.plot is None and not report.counted:
        wrong = ["nothing was counted"]
    if report.samples:
        out.with_suffix(".svg").write_text(soak_report.plot(report), "utf-8")
    print(report.as_json() if given.json else report.table(), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    with suppress(subprocess.TimeoutExpired):
        raise SystemExit(main())
