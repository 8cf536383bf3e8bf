"""The embedded driver: the same kernels as on Kafka, in one process, over an SQLite log."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from memory_index.outcome_log import OutcomeLog
from schemas.codec import encode
from schemas.events import Action, Event, Impression, SuggestAccept, SuggestImpression, Tick
from schemas.outcomes import Amendment, Outcome
from schemas.topics import OUTCOMES
from streams.embedded.log import MemoryLog, SqliteLog
from streams.kernel.changes import INPUT_OF, INPUTS, Changes, Input
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share
from streams.partition_store import PartitionStore
from streams.partitioning import partition
from streams.publishing.concluding import Wants, concluded

PARTITIONS = 4
BATCH = 1_000
TICK = 10 * 60_000  # ms of event time after which idle partitions are told that time has passed
LOGGED = 1_000  # conclusions in one file of the outcome log
_TICK, _TICK_BYTES = Tick(), encode(Tick())
Apply = Callable[[int, Changes], None]


class EmbeddedDriver:
    """`emit` appends to the log; `step` applies what is new and tells `on_changes(partition, changes)`.

    With a folder, log and stores are files and a new driver on the same folder goes on where the last one stopped;
    without, everything is in memory and `shares` holds the sums. Conclusions of a folder are kept for ever in its outcome log: first in
    the outboxes of the stores, then, `LOGGED` at a time, as Parquet files.
    """

    def __init__(self, rules: Rules, *, folder: Path | None = None, partitions: int = PARTITIONS, on_changes: Sequence[Apply] = ()) -> None:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log: SqliteLog | MemoryLog = SqliteLog(folder / "log.sqlite", partitions) if folder else MemoryLog(partitions)
        self.shares = [Share() for _ in range(partitions)]
        self._stores = [PartitionStore.open(folder / f"partition-{p}.duckdb", p, partitions) for p in range(partitions)] if folder else []
        self.kernels = [store.kernel(rules) for store in self._stores] or [Kernel(p, partitions, rules) for p in range(partitions)]
        self._outcomes = OutcomeLog(folder / "outcomes") if folder else None
        self._waiting = 0  # conclusions that are in the outboxes only
        self._on_changes = on_changes
        self._ticked = 0
        self._pending = {p for p in range(partitions) for topic in INPUTS if self.log.end(topic, p) > self.kernels[p].next[topic]}

    def emit(self, event: Impression | Action | SuggestImpression | SuggestAccept, time: int) -> None:
        """Append an event with log time `time` (ms); ticks go with it when time has passed."""
        if time - self._ticked >= TICK:
            self.tick(time)
        topic: Input = "impressions" if isinstance(event, Impression | SuggestImpression) else "actions"
        key = event.search_id if isinstance(event, Impression | Action) else event.suggest_id
        self._append(topic, partition(key, self.log.partitions), time, encode(event), event)

    def tick(self, time: int) -> None:
        """Tell every partition that time has passed."""
        self._ticked = time
        for p in range(self.log.partitions):
            for topic in INPUTS:
                self._append(topic, p, time, _TICK_BYTES, _TICK)

    def step(self, limit: int = BATCH) -> int:
        """Apply everything in the log, at most `limit` records of an input at a time; returns how many records were applied."""
        applied = 0
        self.log.commit()
        while self._pending:
            p = min(self._pending)
            kernel = self.kernels[p]
            records = [record for topic in INPUTS for record in self.log.read(topic, p, kernel.next[topic], limit)]
            self._pending.discard(p)
            if records:
                self._apply(p, kernel.apply(records))
                applied += len(records)
                self._pending.add(p)
        return applied

    def share(self, p: int) -> Share:
        """The sums of one partition."""
        return self._stores[p].share() if self._stores else self.shares[p]

    def conclusions(self, wants: Wants) -> Iterator[Outcome | Amendment]:
        """What a folder holds of former runs: every amendment, and the finals whose (id, time in ms) are wanted; ids may repeat."""
        # The outboxes first, whole: what waits there moves into files while this is read.
        waiting = [out for store in self._stores for _, out in store.outbox(store.last_sent())]
        yield from concluded(waiting, wants)
        if self._outcomes is not None:
            yield from self._outcomes.scan(wants)

    def close(self) -> None:
        self._keep_outcomes()
        self.log.close()
        for store in self._stores:
            store.close()

    def abandon(self) -> None:
        """Let go of the files after an error, without writing: a new driver on the folder goes on from what was committed."""
        self.log.abandon()
        for store in self._stores:
            store.close()

    def _apply(self, p: int, changes: Changes) -> None:
        for out in changes.outgoing:
            if out.topic in INPUT_OF:  # a forward: the record goes to its right partition, at the time of its new place
                assert out.value is not None
                self._append(INPUT_OF[out.topic], out.partition, out.time, out.value)
        if self._stores:
            self.log.commit()  # forwards are in the log before the store says that their originals were applied
            self._stores[p].commit(changes)
            self._waiting += sum(out.topic == OUTCOMES.name for out in changes.outgoing)
            if self._waiting >= LOGGED:
                self._keep_outcomes()
        else:
            self.shares[p].add(changes)
        for tell in self._on_changes:
            tell(p, changes)

    def _keep_outcomes(self) -> None:
        """Move what waits in the outboxes into the outcome log; what is written twice has the same id."""
        if self._outcomes is not None and self._stores:
            waiting = [store.outbox(store.last_sent()) for store in self._stores]
            self._outcomes.append(list(concluded((out for _, out in chain.from_iterable(waiting)), lambda *_: True)))
            for store, rows in zip(self._stores, waiting, strict=True):
                if rows:
                    store.mark_sent(rows[-1][0], self._ticked)
                    store.compact(self.kernels[store.partition].rules, self._ticked)
            self._waiting = 0

    def _append(self, topic: Input, p: int, time: int, value: bytes, event: Event | None = None) -> None:
        self.log.append(topic, p, time, value, event)
        self._pending.add(p)
