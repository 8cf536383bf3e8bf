"""Workers as processes that can be killed, stopped, frozen and started again, and what their logs say they applied."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from streams.kernel.join import RULES
from streams.kernel.share import digest_state
from streams.partition_store import PartitionStore

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
APPLIED = re.compile(rb"applied (\d+): \[(\d+), (\d+)\] to \[(\d+), (\d+)\] in -?[\d.]+ s at ([\d.]+)")
CLOCK = re.compile(rb"clock ahead by (-?\d+) s")  # of points.py
OWNED = re.compile(rb"partition (\d+) owned: epoch \d+, next \{'impressions': (\d+), 'actions': (\d+)\}")
MOST_STARTS = 100  # of one run: workers that do nothing but end are not started for ever


class Fleet:
    """Workers of one group by slot. `static`: slots are known to the broker by name. `apart`: each slot has a disk of its own, and all
    share a state store. `environment` is given to every worker, beside what this process has."""

    def __init__(
        self, bootstrap: str, folder: Path, *, group: str, static: bool = True, apart: bool = False, checkpoint_every: float = 4.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.bootstrap, self.folder, self.group, self.environment = bootstrap, folder, group, dict(environment or {})
        self._static, self._apart, self.state_store, self._checkpoint_every = static, apart, apart, checkpoint_every
        self.of_slot: dict[str, Mapping[str, str]] = {}  # environment of every process of a slot
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, Path] = {}
        self._disks: dict[str, str] = {}
        self._starts = 0
        self._expected: set[str] = set()
        self.ended: list[tuple[str, int]] = []  # slots that ended by themselves when that was expected, and their codes
        self.unexpected: list[str] = []  # processes that ended though nobody ended them
        self.stops: list[float] = []  # seconds from SIGTERM to the end

    @property
    def slots(self) -> list[str]:
        return list(self._running)

    def owns(self, slot: str) -> bool:
        """Has the slot's present process ever owned a partition?"""
        return OWNED.search(self.log(slot)) is not None

    def applies(self, slot: str) -> bool:
        """Has it applied anything?"""
        return APPLIED.search(self.log(slot)) is not None

    def start(self, slot: str, *, disk: str = "", environment: Mapping[str, str] | None = None) -> None:
        """`disk`: name of the folder, when it is not the slot's last one. `environment`: for this process, not for those after it."""
        self._starts += 1
        self._disks[slot] = disk = disk or self._disks.get(slot) or (f"disk-{slot}" if self._apart else "disk")
        config = {
            "bootstrap": self.bootstrap, "group": self.group, "instance": f"{self.group}-{slot}" if self._static else None,
            "folder": str(self.folder / disk), "state_store": str(self.folder / "state") if self.state_store else None,
            "checkpoint_every": self._checkpoint_every,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        self._logs[slot] = self.folder / f"worker-{slot}-{self._starts:02d}.log"
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with self._logs[slot].open("wb") as log:
            self._running[slot] = subprocess.Popen(
                [sys.executable, str(HERE / "worker.py"), json.dumps(config)], stdout=log, stderr=log, start_new_session=True,
                env={**inherited, "PYTHONPATH": str(ROOT), **self.environment, **self.of_slot.get(slot, {}), **(environment or {})},
            )  # fmt: skip

    def log(self, slot: str) -> bytes:
        """What the slot's last process has written."""
        return self._logs[slot].read_bytes()

    def pid(self, slot: str) -> int:
        return self._running[slot].pid

    def resident(self, slot: str) -> int:
        """Its memory in RAM, kB."""
        status = Path(f"/proc/{self.pid(slot)}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def limit_memory(self, slot: str) -> None:
        """From now on it gets no more address space than it has."""
        size = int(Path(f"/proc/{self.pid(slot)}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(self.pid(slot), resource.RLIMIT_AS, (size, size))

    def expect_end(self, slot: str) -> None:
        """Its present process will end by itself: then it is started again as any other, and noted in `ended`."""
        self._expected.add(slot)

    def wait_end(self, slot: str, seconds: float) -> int | None:
        """Let the slot's process end by itself, and leave it so. The code it ended with; None when it still runs."""
        try:
            code = self._running[slot].wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        del self._running[slot]
        self.ended.append((slot, code))
        return code

    def kill(self, slot: str) -> None:
        process = self._running.pop(slot)
        process.kill()
        process.wait()

    def stop(self, slot: str) -> None:
        """SIGTERM; a code other than 0, or more than 15 s, is unexpected."""
        process, began = self._running.pop(slot), time.monotonic()
        process.terminate()
        try:
            code = process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.stops.append(time.monotonic() - began)
        if code:
            self.unexpected.append(f"{slot} ended with {code} at SIGTERM")

    def freeze(self, slot: str) -> None:
        self._running[slot].send_signal(signal.SIGSTOP)

    def thaw(self, slot: str) -> None:
        self._running[slot].send_signal(signal.SIGCONT)

    def look_after(self) -> None:
        """What a service manager does: start again whatever ended."""
        for slot, process in list(self._running.items()):
            if (code := process.poll()) is not None:
                if slot in self._expected:
                    self._expected.remove(slot)
                    self.ended.append((slot, code))
                else:
                    self.unexpected.append(f"{slot} ended with {code}")
                if self._starts < MOST_STARTS:
                    self.start(slot)

    def stop_all(self) -> None:
        for slot in self.slots:
            self.stop(slot)

    def end(self) -> None:
        """Whatever happened: leave no process behind."""
        for slot in self.slots:
            self.kill(slot)

    def logged(self, text: bytes) -> int:
        """How many lines of all logs hold `text`."""
        return sum(path.read_bytes().count(text) for path in self.folder.glob("worker-*.log"))

    def kept(self) -> int:
        """Of how many partitions the state store has a checkpoint."""
        return len({path.parent for path in self.folder.glob("state/partition-*/*.json")})

    def left(self, partitions: int) -> tuple[dict[str, str], list[str]]:
        """After all have stopped: digest of the state, and the partitions of which something was never acknowledged by the broker.

        A partition that was on several disks is read where it was applied furthest, and owned last.
        """
        with ExitStack() as opened:
            newest: dict[int, PartitionStore] = {}
            for path in sorted(self.folder.glob("disk*/partition-*.duckdb")):
                number = int(path.stem.rpartition("-")[2])
                store = opened.enter_context(PartitionStore.open(path, number, partitions))
                if number not in newest or _age(store) > _age(newest[number]):
                    newest[number] = store
            stores = [newest[number] for number in sorted(newest)]
            state = digest_state([store.share() for store in stores], [store.kernel(RULES) for store in stores])
            return state, [line for store in stores for line in _unsent(store)]


def _age(store: PartitionStore) -> tuple[int, int]:
    return sum(store.next_offsets().values()), store.epoch


def _unsent(store: PartitionStore) -> list[str]:
    after = store.last_sent()
    memory, tallies = store.changed(after)
    counts = {"messages": len(store.outbox(after)), "memory rows": len(memory), "tallies": len(tallies)}
    return [f"partition {store.partition}: {count} {name} unacknowledged" for name, count in counts.items() if count]


class Applied:
    """What the workers' logs say, read on from where it was read to before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._ahead: dict[Path, float] = {}  # s, of the clock of the process that writes this log
        self.next: dict[int, tuple[int, int]] = {}  # by partition, of impressions and actions
        self.times: list[float] = []  # wall seconds of each transaction

    @property
    def last(self) -> float:
        """Wall seconds of the last transaction."""
        return max(self.times, default=0.0)

    def look(self) -> "Applied":
        for path in self._folder.glob("worker-*.log"):
            with path.open("rb") as log:
                log.seek(self._read.get(path, 0))
                whole = log.read().rpartition(b"\n")[0]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                if found := CLOCK.match(line):
                    self._ahead[path] = float(found[1])
                elif found := APPLIED.search(line):
                    self._reached(found[1], found.groups()[3:5])
                    self.times.append(float(found[6]) - self._ahead.get(path, 0.0))
            for number, *ends in OWNED.findall(whole):
                self._reached(number, ends)
        return self

    def _reached(self, number: bytes, ends: Sequence[bytes]) -> None:
        old, new = self.next.get(int(number), (0, 0)), (int(ends[0]), int(ends[1]))
        self.next[int(number)] = max(old, new, key=sum)

    def longest_pause(self) -> float:
        """Longest time (s) between two transactions, whoever made them."""
        times = sorted(self.times)
        return max((after - before for before, after in pairwise(times)), default=0.0)
