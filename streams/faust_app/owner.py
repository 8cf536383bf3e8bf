"""One owned partition: its store, its kernel, and what of it has still to be sent. It has no clock: `now` is wall ms, for sending only."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.codec import encode
from schemas.rows import MemoryKey, TallyKey, TallyRow
from schemas.topics import MEMORY, SHARES
from streams.faust_app.rows import memory_messages
from streams.kernel.changes import Changes, Input, Outgoing, Record
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.partition_store import PartitionStore

SHOWN_EVERY = 5_000  # ms: a row that was only shown is sent at most this often; a row with a new action at once
TALLIES_EVERY = 500  # ms: arms change with every batch; policies need them about this often
ROWS_AT_ONCE = 20_000  # rows read from the store for one round of sending
REST = 4  # reading rows back scans all memory of a partition: the owners of a thread then rest four times as long, so it has the rest

K = TypeVar("K")


class Dirty(Generic[K]):
    """Keys of rows that changed since they were sent: those due at once, and those that may wait, in the order in which they fall due."""

    def __init__(self) -> None:
        self._now: dict[K, int] = {}  # key -> the first transaction that it has to be sent for
        self._later: dict[K, tuple[int, int]] = {}  # key -> that transaction, and when it is due

    def add(self, key: K, seq: int, due: int | None) -> None:
        """The row changed in transaction `seq`; `due` in ms, None for at once. Calls come with `seq` and `due` ascending."""
        if due is None:
            waiting = self._later.pop(key, None)
            self._now[key] = min(self._now.get(key, seq), waiting[0] if waiting else seq)
        elif key not in self._now:
            self._later.setdefault(key, (seq, due))

    def pop(self, now: int, limit: int) -> list[K]:
        """At most `limit` keys that are due."""
        ready = list(islice(self._now, limit))
        for key in ready:
            del self._now[key]
        for key in list(islice(takewhile(lambda one: self._later[one][1] <= now, self._later), limit - len(ready))):
            del self._later[key]
            ready.append(key)
        return ready

    def hurry(self) -> None:
        """All of it is due now."""
        for key, (seq, _) in self._later.items():
            self._now[key] = min(seq, self._now.get(key, seq))
        self._later.clear()

    def oldest(self) -> int | None:
        """The first transaction that something still waits for."""
        first = [seq for seq, _ in islice(self._later.values(), 1)]
        return min([*self._now.values(), *first], default=None)

    def __len__(self) -> int:
        return len(self._now) + len(self._later)


class Owner:
    """Applies records in transactions and keeps the outbox. One thread; `partition` is that of both inputs and of all outputs."""

    def __init__(
        self, store: PartitionStore, rules: Rules, *, now: int, above: int = 0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Begins an epoch `above` that of every checkpoint; rows sent in the last minutes, by whomever, are queued to be sent again."""
        self.store, self.rules, self.partition = store, rules, store.partition
        store.begin_epoch(at_least=max(now, above + 1))  # wall ms: above an owner that kept its epoch on another disk
        self.kernel = store.kernel(rules)
        self._outbox: list[tuple[int, Outgoing]] = []
        self._memory: Dirty[MemoryKey] = Dirty()
        self._tallies: Dirty[TallyKey] = Dirty()
        self._unmarked: tuple[int, int] | None = None
        self._rows_from, self._looked, self._clock = 0, 0, clock  # wall ms
        self.closed = False
        self._taken_up_to = self._marked = store.last_sent()
        self.resend(now)

    @property
    def next(self) -> dict[Input, int]:
        return self.kernel.next

    @property
    def acknowledged(self) -> int:
        """The transaction up to which the broker has everything."""
        return self._marked

    @property
    def unsent(self) -> int:
        """Messages and rows that wait to be sent."""
        return len(self._outbox) + len(self._memory) + len(self._tallies)

    def apply(self, records: Sequence[Record], now: int) -> Changes:
        """One transaction. After any error the owner must be thrown away and opened again: the kernel is ahead of the store then."""
        first = not self.kernel.clock.times["impressions"] and min((r.time for r in records if r.topic == "impressions"), default=0)
        changes = self.kernel.apply(records)
        mark, self._unmarked = self._unmarked, None
        self.store.commit(changes, sent=mark, also=[("INSERT INTO began VALUES (?)", [first])] if first else [])
        seq = self.store.seq
        self._outbox.extend((seq, out) for out in changes.outgoing)
        for key in changes.memory:
            self._memory.add(key, seq, None if key in changes.acted else now + SHOWN_EVERY)
        for tally in changes.tallies:
            self._tallies.add(tally, seq, now + TALLIES_EVERY)
        return changes

    def change(self, step: Callable[[PartitionStore, Kernel], Sequence[Outgoing]]) -> None:
        """A transaction of another origin than records, between two batches; `step` returns the messages that it put into the outbox."""
        before = self.store.seq
        told = step(self.store, self.kernel)
        if self.store.seq > before:
            self._outbox.extend((self.store.seq, out) for out in told)
            self._queue(before)

    def resend(self, now: int) -> None:
        """Queue all rows of the last minutes again: a zombie's late send must not stay the newest under a compacted key. They go after
        rows with a new action, which somebody waits for.

        Other messages count by id, whoever sent them last: of these only what was not acknowledged is queued.
        """
        self._outbox = self.store.outbox(self._marked)
        self._queue(self.store.resend_from(now), shown=now, tallies=now)

    def republish(self, now: int) -> None:
        """Queue everything again: the topics of rows are new, nothing was ever sent there."""
        self._marked, self._unmarked = self.store.last_sent(), None
        self.resend(now)

    def take(self, now: int, *, sharing: int = 1) -> Iterator[Outgoing]:
        """What is due to be sent, in order; rows with their values as of now. Ends with `sent` once the broker has acknowledged it all.
        Nothing after `close`: a rebalance may come while another owner's messages are on their way. `sharing`: owners on this thread."""
        if self.closed:
            return
        if now < self._looked:  # the clock was set back: nothing waits for a time that is far off now
            self._rows_from = 0
            self._memory.hurry()
            self._tallies.hurry()
        self._looked = now
        outbox, self._outbox = self._outbox, []
        yield from (out for _, out in outbox)
        self._taken_up_to = self.store.seq
        if now >= self._rows_from and (memory := self._memory.pop(now, ROWS_AT_ONCE)):
            started = self._clock()
            written = dict(memory_messages(self.store.memory_rows(memory)))
            self._rows_from = now + int(1_000 * (self._clock() - started) * REST * sharing)
            yield from self._rows(MEMORY.name, memory, written, now)
        if tallies := self._tallies.pop(now, ROWS_AT_ONCE):
            sums = self.store.tally_rows(tallies)
            yield from self._rows(SHARES.name, tallies, {row_key(*key): _value(key, sums[key]) for key in sums if sums[key].any()}, now)

    def _rows(
        self, topic: str, keys: Sequence[MemoryKey | TallyKey], written: Mapping[str, bytes], now: int
    ) -> Iterator[Outgoing]:  # fmt: skip
        """Rows that are there, then a tombstone for each key without one: it was taken away, or folded into one of them."""
        for key, value in written.items():
            yield Outgoing(topic, self.partition, key, value, now)
        if len(written) < len(keys):
            for key in sorted({row_key(*key) for key in keys} - written.keys()):
                yield Outgoing(topic, self.partition, key, None, now)

    def source(self) -> bytes:
        """The header `src` of every message: partition, epoch, seq."""
        return b"%d:%d:%d" % (self.partition, self.store.epoch, self.store.seq)

    def sent(self, now: int) -> None:
        """All that `take` gave has been acknowledged: note up to which transaction nothing is left to send."""
        waiting = [self._memory.oldest(), self._tallies.oldest(), *(seq for seq, _ in self._outbox[:1])]
        mark = min([self._taken_up_to, *(seq - 1 for seq in waiting if seq is not None)])
        if mark > self._marked and not self.closed:
            self._marked, self._unmarked = mark, (mark, now)

    def mark(self) -> None:
        """Write down what was sent: the next transaction does it anyway, this is for when none comes."""
        if self._unmarked is not None:
            self.store.mark_sent(*self._unmarked)
            self._unmarked = None

    def compact(self, now: int) -> None:
        """Tidy the store. What it folded is sent like any other change."""
        self.mark()
        before = self.store.seq
        self.store.compact(self.rules, now)
        if self.store.seq > before:
            self._queue(before, shown=now + SHOWN_EVERY, tallies=now + TALLIES_EVERY)

    def _queue(self, after: int, *, shown: int | None = None, tallies: int | None = None) -> None:
        """Rows changed by transactions after `after` wait to be sent: until these times (ms), None for at once."""
        memory, sums = self.store.changed(after)
        for key in memory:
            self._memory.add(key, after + 1, shown)
        for tally in sums:
            self._tallies.add(tally, after + 1, tallies)

    def close(self) -> None:
        self.closed = True
        try:
            self.mark()
        finally:
            self.store.close()


def _value(key: TallyKey, sums: NDArray[np.int64]) -> bytes:
    kind, arm, context, hour = key
    row = TallyRow.model_construct(kind="arm" if kind == "arm" else "draw", arm=arm, context=context, hour=hour, sums=sums.tolist())
    return encode(row)


def row_key(*parts: str | int) -> str:
    """Key of a row on a compacted topic: a JSON array."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
