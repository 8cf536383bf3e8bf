"""What must come out: the embedded run of the same LOG; and what the output topics hold."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from learners.tallies import fold
from memory_index.counts import MemoryCounts, add
from schemas.rows import MemoryKey, TallyKey
from schemas.topics import MEMORY, OUTCOMES, QUARANTINE, SHARES
from streams.clients import connect
from streams.kernel.changes import INPUTS
from streams.kernel.join import RULES
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.reading.sources import Sources, source_of
from streams.replaying.recording import Line
from streams.replaying.replay import batches, interleaved, records_of, replay

MESSAGES, ROWS = (OUTCOMES.name, QUARANTINE.name), (MEMORY.name, SHARES.name)
MemoryRows = dict[tuple[int, MemoryKey], tuple[list[int], list[int]]]  # by source partition
TallyRows = dict[tuple[int, TallyKey], list[int]]


@dataclass
class Said:
    """Messages by id (a hash of their bytes), ids by key in order, rows by source partition."""

    messages: dict[str, dict[str, bytes]]
    by_key: dict[str, list[str]]
    memory: MemoryRows
    tallies: TallyRows

    @classmethod
    def nothing(cls) -> "Said":
        return cls({topic: {} for topic in MESSAGES}, defaultdict(list), {}, {})

    def message(self, topic: str, id_: str, value: bytes) -> bool:
        """Take a message; False when this id came before with other bytes."""
        mark = blake2b(value, digest_size=16).digest()
        if id_ in self.messages[topic]:
            return self.messages[topic][id_] == mark
        self.messages[topic][id_] = mark
        if topic == OUTCOMES.name:
            self.by_key[json.loads(value)["final_id"]].append(id_)
        return True

    def summed(self) -> "Said":
        """The same with rows added up over their sources: where a row stands is for whoever moves partitions to say."""
        memory: MemoryCounts = {}
        tallies: dict[TallyKey, list[int]] = {}
        for (_, key), (counts, clients) in self.memory.items():
            add(memory, key, counts, clients)
        for (_, tally), sums in self.tallies.items():
            tallies[tally] = [a + b for a, b in zip(tallies.get(tally, [0] * len(sums)), sums, strict=True)]
        every = -1
        return Said(
            self.messages, self.by_key, {(every, key): row for key, row in _rows(memory).items()},
            {(every, tally): sums for tally, sums in tallies.items()},
        )  # fmt: skip

    def lost(self, other: "Said") -> int:
        """How many messages of `other` this has not."""
        return sum(len(other.messages[topic].keys() - self.messages[topic].keys()) for topic in MESSAGES)

    def differences(self, other: "Said", *, ordered: bool = True) -> list[str]:
        """Where this differs from what `other` says; empty when nothing does. `ordered`: a final comes before what is amended to it."""
        out = []
        for topic in MESSAGES:
            mine, wanted = self.messages[topic], other.messages[topic]
            lost, extra = len(wanted.keys() - mine.keys()), len(mine.keys() - wanted.keys())
            changed = sum(mine[id_] != wanted[id_] for id_ in mine.keys() & wanted.keys())
            if lost or extra or changed:
                out.append(f"{topic}: {lost} lost, {extra} too many, {changed} with other bytes")
        first = 1 if ordered else 0
        if _by_key(self.by_key, first) != _by_key(other.by_key, first):
            out.append("lists of ids by key differ")
        for name, wrong, rows in (
            (MEMORY.name, _wrong(self.memory, other.memory), len(other.memory)),
            (SHARES.name, _wrong(_some(self.tallies), _some(other.tallies)), len(other.tallies)),
        ):
            if wrong:
                out.append(f"{name}: {wrong} of {rows} rows differ")
        return out


def _by_key(by_key: Mapping[str, Sequence[str]], first: int) -> dict[str, list[str]]:
    """The first ones in their order. Amendments come from two inputs, so their order among each other says nothing."""
    return {key: [*ids[:first], *sorted(ids[first:])] for key, ids in by_key.items()}


def _wrong(found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> int:
    return sum(found.get(key) != wanted.get(key) for key in found.keys() | wanted.keys())


def _some(tallies: TallyRows) -> TallyRows:
    """Rows with something in them, hours folded as far as their partition may have folded them already."""
    out: TallyRows = {}
    for source in {source for source, _ in tallies}:
        own = {key: np.array(sums, dtype=np.int64) for (at, key), sums in tallies.items() if at == source and any(sums)}
        newest = max((key[3] for key in own), default=0)
        out |= {(source, key): sums.tolist() for key, sums in fold(own, newest).items() if sums.any()}
    return out


@dataclass
class Expected:
    """What the embedded run of a LOG comes to: its digest, and everything it says, by partition."""

    digest: dict[str, str]
    said: Said

    @classmethod
    def of(cls, lines: Sequence[Line], partitions: int) -> "Expected":
        """Kernels in memory over the partitions of the broker. By the law, the four of the embedded loop come to the same digest."""
        kernels, shares, said = [Kernel(number, partitions, RULES) for number in range(partitions)], list[Share](), Said.nothing()
        for number, log in enumerate(records_of(lines, partitions, rules=RULES)):
            share = Share()
            for records in batches(interleaved(log, "even"), 1_000):
                changes = kernels[number].apply(records)
                share.add(changes)
                for out in changes.outgoing:
                    said.message(out.topic, out.key, out.value)
            shares.append(share)
            said.memory.update({(number, key): row for key, row in _rows(share.memory).items()})
            said.tallies.update({(number, key): sums.tolist() for key, sums in share.tallies.items()})
        digest = digest_state(shares, kernels)
        if replay(lines, partitions=4, batch=1_000, interleave="impressions-first", rules=RULES) != digest:
            raise SystemExit("the law does not hold on this LOG even without a broker: 4 and 8 partitions give two digests")
        return cls(digest, said)


def _rows(memory: MemoryCounts) -> dict[MemoryKey, tuple[list[int], list[int]]]:
    return {key: (list(counts), sorted(clients)) for key, (counts, clients) in memory.items()}


class Outputs:
    """Reads the four output topics, all partitions, from their start; `read` goes on to their ends of now."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._consumer: Any = connect(
            KafkaConsumer, bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=20, max_poll_records=5_000
        )
        self._parts = [TopicPartition(topic, number) for topic in (*MESSAGES, *ROWS) for number in range(partitions)]
        self._consumer.assign(self._parts)
        self._consumer.seek_to_beginning(*self._parts)
        self._sources = {topic: Sources() for topic in ROWS}
        self.said = Said.nothing()
        self.counts: Counter[str] = Counter()  # messages, repeats by id, late rows of former owners, messages that contradict themselves

    def read(self) -> Said:
        ends = self._consumer.end_offsets(self._parts)
        while any(self._consumer.position(part) < ends[part] for part in self._parts):
            for part, records in self._consumer.poll(timeout_ms=100).items():
                for record in records:
                    self._take(part.topic, part.partition, record)
        return self.said

    def _take(self, topic: str, partition: int, record: Any) -> None:
        source, epoch, seq = source_of(record.headers)
        self.counts["records"] += 1
        self.counts["contradictions"] += source != partition
        if topic in MESSAGES:
            id_ = record.key.decode()
            self.counts["repeats"] += id_ in self.said.messages[topic]
            self.counts["contradictions"] += not self.said.message(topic, id_, record.value)
        elif not self._sources[topic].accept(source, epoch, seq):
            self.counts["late"] += 1
        elif topic == MEMORY.name:
            query, segment, entity, day = json.loads(record.key)
            if (row := json.loads(record.value or b"null")) is None:
                self.said.memory.pop((source, (query, segment, entity, day)), None)
            else:
                self.said.memory[source, (query, segment, entity, day)] = ([*row["shown"], *row["acted"]], row.get("clients", []))
        else:
            kind, arm, context, hour = json.loads(record.key)
            self.said.tallies[source, (kind, arm, context, hour)] = json.loads(record.value)["sums"] if record.value else []

    def close(self) -> None:
        self._consumer.close()


def ends_of_inputs(bootstrap: str, topics: Mapping[str, str], partitions: int) -> dict[int, tuple[int, int]]:
    """By partition, the end offsets of impressions and actions."""
    consumer: Any = connect(KafkaConsumer, bootstrap)
    ends = consumer.end_offsets([TopicPartition(topics[name], number) for name in INPUTS for number in range(partitions)])
    consumer.close()
    by_topic = [{part.partition: end for part, end in ends.items() if part.topic == topics[name]} for name in INPUTS]
    return {number: (by_topic[0][number], by_topic[1][number]) for number in range(partitions)}
