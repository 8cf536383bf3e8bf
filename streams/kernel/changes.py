"""What one batch of records does to a partition: everything that is committed together, as plain data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.events import Event
from schemas.outcomes import Outcome
from schemas.rows import MemoryKey, TallyKey
from schemas.topics import ACTIONS, IMPRESSIONS

Input = Literal["impressions", "actions"]
INPUTS: tuple[Input, Input] = ("impressions", "actions")
TOPIC_OF: dict[Input, str] = {"impressions": IMPRESSIONS.name, "actions": ACTIONS.name}
INPUT_OF: dict[str, Input] = {topic: input_ for input_, topic in TOPIC_OF.items()}


class Record(NamedTuple):
    """One record of an input partition as the log holds it. `time` is the log's timestamp in ms. `event` is what `value` says, where a
    process reads what it wrote itself: a page with its candidates takes longer to decode than to count."""

    topic: Input
    offset: int
    time: int
    value: bytes | None
    key: bytes = b""
    event: Event | None = None


class SavedEvent(NamedTuple):
    """An accepted event whose search may still change: its record time, and its bytes, packed if it is an impression. `ts` and, of
    impressions, the keyed hash of the client are what is needed of it before it is unpacked."""

    search_id: str
    topic: Input
    time: int
    value: bytes
    ts: int
    client: int


class SavedId(NamedTuple):
    """An id that counts once. `bucket` is the hour of its event's `ts`; `content` is 63 bits of its content, or t0 of a search."""

    bucket: int
    id: bytes
    content: int


class Outgoing(NamedTuple):
    """A message for an output topic; a value of None is a tombstone. `partition` is where it goes: the source partition, or the right
    one of a forward. `time` is the record time (ms) it belongs to, for topics that keep their senders' times."""

    topic: str
    partition: int
    key: str
    value: bytes | None
    time: int


@dataclass
class SetHash:
    """Count and sum (mod 2^128) of hashes of a set of ids: equal sets have equal sums, in any order, and shares add. What is taken away
    again adds as a set of negative count."""

    count: int = 0
    total: int = 0

    def add(self, id_hex: str) -> None:
        self.count, self.total = self.count + 1, (self.total + int(id_hex, 16)) % 2**128

    def take_away(self, id_hex: str) -> None:
        self.count, self.total = self.count - 1, (self.total - int(id_hex, 16)) % 2**128

    def merge(self, other: "SetHash") -> None:
        self.count, self.total = self.count + other.count, (self.total + other.total) % 2**128


@dataclass
class Changes:
    """The outcome of `Kernel.apply`: deltas that add, rows that append, messages that go out, and where the inputs stand."""

    memory: dict[MemoryKey, tuple[list[int], frozenset[int]]] = field(default_factory=dict)
    acted: set[MemoryKey] = field(default_factory=set)  # rows with a new action: these are published at once
    tallies: dict[TallyKey, NDArray[np.int64]] = field(default_factory=dict)
    events: list[SavedEvent] = field(default_factory=list)
    ids: list[SavedId] = field(default_factory=list)
    forgotten: dict[str, int] = field(default_factory=dict)  # searches of erased people: no event since then (record time) stays saved
    traces: set[int] = field(default_factory=set)  # erased people of whom events were saved until now
    outgoing: list[Outgoing] = field(default_factory=list)
    concluded: dict[str, Outcome] = field(default_factory=dict)  # of the finals in `outgoing`, those at hand as objects, by id
    sets: dict[str, SetHash] = field(default_factory=dict)  # final, amendment, quarantine reasons
    counters: Counter[str] = field(default_factory=Counter)
    next: Mapping[Input, int] = field(default_factory=dict)  # first offset that is not applied yet
    times: Mapping[Input, int] = field(default_factory=dict)  # record time of each input
