"""What one folder has learned, without threads: events in, memory and policies out. One thread calls it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from learners.definition import Definition
from memory_index.reader import MemoryReader
from memory_index.snapshot import SCHEMA, base_of
from ops.definitions import models_of
from schemas.base import DAY_MS
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from schemas.outcomes import Amendment, Outcome
from schemas.snapshots import Content
from streams.embedded.driver import EmbeddedDriver
from streams.kernel.changes import Changes
from streams.kernel.join import Rules
from streams.publishing.concluding import concluded
from streams.publishing.outcomes_view import Fitter
from streams.publishing.publisher import Publisher

Event = Impression | Action | SuggestImpression | SuggestAccept
Told = Callable[[Outcome | Amendment], None]
RECALLED = 50  # conclusions of former runs at a time: some 30 ms, in which no event is written


class Learning:
    """The state of a folder in memory: `reader` and `publisher` hold all that was counted, in this run or before it.

    Conclusions of former runs come back a few at a time (`recall`), newest rules for the same facts: an hour of them takes longer to
    read than anybody wants to wait for a server. `told` hears every new one, and those of the last day.
    """

    def __init__(self, definition: Definition, reader: MemoryReader, *, folder: Path, rules: Rules, now: int, told: Told) -> None:
        self.publisher = Publisher(definition, models_of(definition.strategies))
        self.kinds: Counter[str] = Counter()  # events by what they came to, since this began
        self._reader, self._told, self._fitter = reader, told, Fitter()
        self._driver = EmbeddedDriver(rules, folder=folder, on_changes=[self._learn])
        self._settle, self._window, self._active = rules.settle, rules.window, now
        self._ticked, since = now, now - DAY_MS
        self._former: Iterator[Outcome | Amendment] = self._driver.conclusions(
            lambda final_id, time: time >= since or self.publisher.wants(final_id, time)
        )
        self._since, self._recalled = since, False
        try:
            self._begin(now)
        except BaseException:
            self.abandon()  # at once: driver and self hold each other, and whoever tries again finds the folder in use
            raise

    def record(self, events: Sequence[Event], now: int) -> None:
        """Events into the log at wall time `now` (ms): once this returns they are on disk."""
        if events:
            self._active = now
        for event in events:
            self._driver.emit(event, now)
        self._driver.log.commit()

    def step(self) -> int:
        """Apply what is in the log; returns the records applied."""
        return self._driver.step()

    def pass_time(self, now: int) -> None:
        """Searches settle although nothing more comes. Told only while one may be open, so that an idle log does not grow."""
        if self._ticked <= self._active + self._window + self._settle and now - self._ticked >= self._settle // 3:
            self._ticked = now
            self._driver.tick(now)

    def recall(self) -> None:
        """Some more of what former runs concluded."""
        if self._recalled:
            return
        some = list(islice(self._former, RECALLED))
        self.publisher.conclude(some)
        for one in some:
            if one.time >= self._since:
                self._told(one)
        self._recalled = len(some) < RECALLED

    def fit(self) -> None:
        """Take what was fitted, begin what is due: in a thread of its own, and not before everything was recalled."""
        if (fitted := self._fitter.result()) is not None:
            self.publisher.take(fitted)
        if self._recalled and self._fitter.ready and (fit := self.publisher.due()) is not None:
            self._fitter.start(fit)

    def refresh(self, definition: Definition, running: Content | None) -> Content | None:
        """The policy of this definition as of now, or None when nothing changed. Models go on from those of `running`."""
        if definition != self.publisher.definition:
            self.publisher.redefine(definition)
            for partition in range(self._driver.log.partitions):
                self.publisher.add(self._driver.share(partition).tallies)
            if running is not None:
                self.publisher.keep(running)
        return self.publisher.refresh(fit=False)

    @property
    def applied(self) -> dict[str, list[int]]:
        """By partition of the log, the last offsets (impressions, actions) that are in the sums, as manifests have it."""
        return {f"log/{one.partition}": [one.next["impressions"] - 1, one.next["actions"] - 1] for one in self._driver.kernels}

    @property
    def counted_up_to(self) -> int:
        """Record time (ms) of the newest record that was applied, 0 for none."""
        return max(max(one.clock.times.values()) for one in self._driver.kernels)

    def close(self) -> None:
        """An orderly end."""
        self._driver.close()

    def abandon(self) -> None:
        """Let go of the files after an error, whatever state they are in: what was not committed is not there."""
        with suppress(Exception):
            self._driver.abandon()

    def _begin(self, now: int) -> None:
        """The sums of former runs, and what is in the log and was not counted."""
        self._reader.replace(base_of(SCHEMA.empty_table()))
        for partition in range(self._driver.log.partitions):
            share = self._driver.share(partition)
            self._reader.add(partition, share.memory)
            self.publisher.add(share.tallies)
        self._driver.tick(now)
        self.step()

    def _learn(self, partition: int, changes: Changes) -> None:
        self._reader.add(partition, changes.memory)
        self.publisher.add(changes.tallies)
        self.kinds.update(changes.counters)
        for one in concluded(changes.outgoing, lambda *_: True, changes.concluded):
            self.publisher.conclude([one])
            self._told(one)
