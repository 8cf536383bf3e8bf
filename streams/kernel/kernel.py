"""The kernel of one input partition: records in, changes out. Pure: no wall clock, no I/O, no randomness.

Its state is a function of the set of accepted facts. Every choice below it (in time, known, too late) compares record times of facts,
never the order in which the two inputs happen to be read; within one input, a search's records keep the log's order.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from schemas.base import DAY_MS, HOUR_MS
from schemas.codec import decode_event
from schemas.errors import InvalidMessage
from schemas.events import Action, Event, Impression, SuggestAccept, SuggestImpression, Tick
from schemas.outcomes import Reason
from schemas.topics import ACTIONS, IMPRESSIONS
from streams.kernel.changes import INPUTS, Changes, Input, Record, SavedEvent, SavedId
from streams.kernel.conclude import Out, hashed_id
from streams.kernel.erased import ErasedPeople
from streams.kernel.join import Adder, Rules, person
from streams.kernel.packing import pack
from streams.kernel.search import Fact
from streams.kernel.searches import Searches
from streams.kernel.seen_ids import SeenIds
from streams.kernel.watermark import Clock
from streams.partitioning import partition as partition_of

AT_HAND = 1_000  # open searches whose pages are kept as objects, where they came as such: 100 KB each


class Kernel:
    """Joins pages and actions, counts them, and concludes searches, for one partition number of both inputs."""

    def __init__(self, partition: int, partitions: int, rules: Rules) -> None:
        self.partition, self.partitions, self.rules = partition, partitions, rules
        self.next: dict[Input, int] = dict.fromkeys(INPUTS, 0)
        self.clock, self.ids, self.searches = Clock(), SeenIds(), Searches(rules)
        self.erased: ErasedPeople | None = None  # an input like the records: what it says comes before them

    @classmethod
    def restore(
        cls, partition: int, partitions: int, rules: Rules, *, next_: Mapping[Input, int], times: Mapping[Input, int],
        ids: SeenIds, events: Iterable[SavedEvent],
    ) -> "Kernel":  # fmt: skip
        """The kernel that applied everything below `next_`: open searches and held actions follow from the saved facts."""
        kernel = cls(partition, partitions, rules)
        kernel.next.update(next_)
        kernel.clock, kernel.ids = Clock(times), ids
        forget = Changes()  # all this was said before
        kernel.searches.restore(list(events), kernel.clock.watermark, Out(forget, ids, partition))
        return kernel

    def apply(self, records: Sequence[Record]) -> Changes:
        """Apply records of both inputs, each input in offset order; records below `next` were applied before and are skipped."""
        changes = Changes()
        adder, out = Adder(changes, self.rules), Out(changes, self.ids, self.partition)
        for record in records:
            if record.offset < self.next[record.topic]:
                changes.counters["redelivered"] += 1
                continue
            self.next[record.topic] = record.offset + 1
            self._record(record, self.clock.advance(record.topic, record.time), adder, out)
        self.searches.pass_time(self.clock.watermark, out)
        self.ids.prune(self.clock.watermark)
        adder.finish()
        changes.next, changes.times = dict(self.next), dict(self.clock.times)
        return changes

    def _record(self, record: Record, time: int, adder: Adder, out: Out) -> None:
        topic, value, counters = record.topic, record.value or b"", out.changes.counters
        try:
            event = record.event or decode_event(record.value)
            _check_topic(event, topic)
        except InvalidMessage as error:
            return out.quarantine(topic, value, time, "invalid", str(error), key=record.key)
        if isinstance(event, Tick | SuggestImpression | SuggestAccept):
            counters[event.type] += 1
            return None
        if (right := partition_of(event.search_id, self.partitions)) != self.partition:
            return out.forward(topic, right, event.search_id, value, time)
        if self.erased is not None and self.erased.takes(event, time, self.searches, out):
            counters["erased"] += 1
            return None
        if abs(event.ts - time) > DAY_MS:
            rule = f"ts {event.ts} is more than 24 h from the record's time {time}; send events within a day, with ts in milliseconds UTC"
            return out.quarantine(topic, value, time, "ts_out_of_range", rule)
        if not self._counts_once(topic, event, value, time, out):
            return None
        if refusal := self._refusal(event, time, out):
            return out.quarantine(topic, value, time, *refusal)
        counters[topic] += 1
        kept = pack(value) if topic == "impressions" else value
        client = person(event, self.rules) if isinstance(event, Impression) else 0
        out.changes.events.append(SavedEvent(event.search_id, topic, time, kept, event.ts, client))
        at_hand = record.event if isinstance(record.event, Impression) and len(self.searches.open) < AT_HAND else None
        return self._join(event, Fact(time, kept, at_hand), adder, out)

    def _counts_once(self, topic: Input, event: Impression | Action, value: bytes, time: int, out: Out) -> bool:
        """Is this (search_id, page) or (search_id, action_id) new? The same id with other content is quarantined."""
        name = str(event.page) if isinstance(event, Impression) else event.action_id
        id_ = hashed_id(topic, event.search_id, name)
        content = int.from_bytes(blake2b(value, digest_size=8).digest(), "big") >> 1
        known = self.ids.contents(id_, time)
        if not known:
            out.remember(SavedId(event.ts // HOUR_MS, id_, content))
            return True
        out.changes.counters["duplicate"] += 1
        if content not in known:
            rule = f"id ({event.search_id}, {name}) came before with other content; the earlier one counts; give each event its own id"
            out.quarantine(topic, value, time, "conflict", rule)
        return False

    def _refusal(self, event: Impression | Action, time: int, out: Out) -> tuple[Reason, str] | None:
        """Reason and rule when a new event cannot join: it comes too late, or changes what its search decided."""
        if self.searches.too_late(event.search_id, time, out):
            return "too_late", self.searches.late_text(event.search_id)
        search = self.searches.alive(event.search_id, time)
        if search is not None and isinstance(event, Impression) and not search.counted.same_decision(event):
            return (
                "conflict",
                f"page {event.page} of search {event.search_id} has another decision than its first page; repeat it unchanged",
            )
        return None

    def _join(self, event: Event, fact: Fact, adder: Adder, out: Out) -> None:
        if isinstance(event, Impression):
            self.searches.page(event, fact, adder, out)
        elif isinstance(event, Action):
            self.searches.action(event, fact, adder, out)


def _check_topic(event: Event, topic: Input) -> None:
    if isinstance(event, Impression | SuggestImpression) and topic == "actions":
        raise InvalidMessage("wrong topic", [f"type: {event.type} is on {ACTIONS.name}; send it to {IMPRESSIONS.name}"])
    if isinstance(event, Action | SuggestAccept) and topic == "impressions":
        raise InvalidMessage("wrong topic", [f"type: {event.type} is on {IMPRESSIONS.name}; send it to {ACTIONS.name}"])
