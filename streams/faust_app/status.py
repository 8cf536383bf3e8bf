"""What a stream worker did since it started, and how it stands: counted as it works, made into plain data about once a second."""

import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.faust_app.owner import Owner
from streams.kernel.changes import Input

REFRESH = 1.0  # s
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # s: upper ends for times of transactions
UNSENT = 200_000  # messages and rows: above, applying waits for the sender
SAMPLES = 1_000  # that one partition keeps of when its transactions were made


class Place(NamedTuple):
    """A partition of an input."""

    input: Input
    partition: int


class Times(NamedTuple):
    """How long things took: counts by upper end in `bounds` (s), the last one for all above; and the sum of all."""

    bounds: tuple[float, ...] = BUCKETS
    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    total: float = 0.0


@dataclass(frozen=True)
class PartitionStatus:
    """An owned partition. `next`: first offset of each input that is not applied; `watermark`: record time (ms) up to which both inputs
    were applied, 0 before the first; `unsent`: messages and rows to send; `waiting`: s since the oldest transaction that the broker has
    not acknowledged whole; `takeover`, `checkpoint`: s that opening it and the last checkpoint took; `checkpoint_age`: s since the last
    checkpoint, or since it was opened."""

    next: Mapping[Input, int]
    watermark: int = 0
    unsent: int = 0
    waiting: float = 0.0
    open_searches: int = 0
    known_ids: int = 0
    store_bytes: int = 0
    takeover: float = 0.0
    checkpoint: float = 0.0
    checkpoint_age: float = 0.0


@dataclass(frozen=True)
class Status:
    """A worker. What is counted only grows, over all partitions that it ever owned. `ends`: the broker's end offsets as of its last
    answer; `silent`: s since then; `stalled`: s for which something had work and did not move."""

    instance: str = ""
    counted: Mapping[str, int] = field(default_factory=dict)  # by kind, as streams.kernel names them
    records: Mapping[Input, int] = field(default_factory=dict)
    transactions: Times = field(default_factory=Times)
    sent: int = 0
    rounds: int = 0  # of sending, whether they succeeded or not
    rebalances: int = 0
    checkpoint_failures: int = 0
    partitions: Mapping[int, PartitionStatus] = field(default_factory=dict)
    ends: Mapping[Place, int] = field(default_factory=dict)
    silent: float = 0.0
    stalled: float = 0.0

    def lag(self) -> dict[Place, int]:
        """Records that are not applied, of each place whose end is known."""
        places = {Place(input_, number): at for number, one in self.partitions.items() for input_, at in one.next.items()}
        return {place: max(0, self.ends[place] - at) for place, at in places.items() if place in self.ends}

    @property
    def unsent(self) -> int:
        return sum(one.unsent for one in self.partitions.values())


class Meter:
    """Counts, on the event loop. Other threads may read `beats`, which grows with every step, and `busy`, which says what may take long."""

    def __init__(self, instance: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.beats, self.busy = 0, ""
        self._instance, self._clock = instance, clock
        self._counted: Counter[str] = Counter()
        self._records: Counter[Input] = Counter()
        self._transactions, self._seconds = [0] * (len(BUCKETS) + 1), 0.0
        self._sent = self._rounds = self._rebalances = self._failures = 0
        self._kept: dict[Owner, int] = {}
        self._waits: dict[Owner, deque[tuple[int, float]]] = {}  # -> transactions that are not acknowledged, and when they were seen
        self._takeover: dict[int, float] = {}
        self._checkpoints: dict[int, tuple[float, float]] = {}  # partition -> when the last one ended, and how long it took

    def applied(self, before: Mapping[Input, int], after: Mapping[Input, int], *, counted: Mapping[str, int], seconds: float) -> None:
        """A transaction was committed."""
        self.beats += 1
        self._counted.update(counted)
        for input_, at in after.items():
            self._records[input_] += at - before[input_]
        self._transactions[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def sent(self, owner: Owner, messages: int, *, kept: int) -> None:
        """A round of sending ended: `messages` were acknowledged, `kept` are tried again because the broker did not take them."""
        self.beats += 1
        self._rounds += 1
        self._sent += messages
        self._kept[owner] = kept

    def rebalanced(self) -> None:
        """Partitions were assigned."""
        self._rebalances += 1

    def opened(self, partition: int, seconds: float) -> None:
        """A partition is owned from now on; that took so long."""
        self.beats += 1
        self._takeover[partition], self._checkpoints[partition] = seconds, (self._clock(), 0.0)

    @contextmanager
    def long(self, what: str) -> Iterator[None]:
        """Work that may take long on a slow disk or line: nothing is expected to move meanwhile."""
        self.beats += 1
        before, self.busy = self.busy, what  # they nest: a checkpoint may fall into an opening
        try:
            yield
        finally:
            self.beats += 1
            self.busy = before

    def checkpointed(self, partition: int, seconds: float) -> None:
        """A checkpoint is safe."""
        self._checkpoints[partition] = self._clock(), seconds

    def checkpoint_failed(self) -> None:
        """The state store did not take a checkpoint."""
        self._failures += 1

    def status(self, owners: Mapping[int, Owner]) -> Status:
        """As of now."""
        now = self._clock()
        self.beats += 1
        self._kept = {owner: self._kept.get(owner, 0) for owner in owners.values()}
        self._waits = {owner: self._waits.get(owner, deque()) for owner in owners.values()}
        return Status(
            instance=self._instance, counted=dict(self._counted), records=dict(self._records),
            transactions=Times(counts=tuple(self._transactions), total=self._seconds),
            sent=self._sent, rounds=self._rounds, rebalances=self._rebalances, checkpoint_failures=self._failures,
            partitions={number: self._partition(owner, now) for number, owner in owners.items()},
        )  # fmt: skip

    def _partition(self, owner: Owner, now: float) -> PartitionStatus:
        number, kernel, path = owner.partition, owner.kernel, owner.store.path
        at, took = self._checkpoints.get(number, (now, 0.0))
        return PartitionStatus(
            next=dict(owner.next), watermark=kernel.clock.watermark, unsent=owner.unsent + self._kept[owner],
            waiting=waited(self._waits[owner], made=owner.store.seq, acknowledged=owner.acknowledged, now=now),
            open_searches=len(kernel.searches.open), known_ids=len(kernel.ids),
            store_bytes=sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}.wal")) if one.exists()),
            takeover=self._takeover.get(number, 0.0), checkpoint=took, checkpoint_age=max(0.0, now - at),
        )  # fmt: skip


def waited(seen: deque[tuple[int, float]], *, made: int, acknowledged: int, now: float) -> float:
    """Seconds since the first transaction after `acknowledged` was seen, 0.0 for none. `seen` is brought up to date: `made` are the
    transactions so far."""
    if made > (seen[-1][0] if seen else acknowledged) and len(seen) < SAMPLES:
        seen.append((made, now))
    while seen and seen[0][0] <= acknowledged:
        seen.popleft()
    return now - seen[0][1] if seen else 0.0
