"""The input topics as the broker has them now: replayed through kernels in memory, which is what stopped workers must have come to, or
as the lines of a LOG, from which another cluster, or one with other partitions, can be filled."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from heapq import merge
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.codec import decode_event, encode
from schemas.errors import InvalidMessage
from schemas.events import Action, Impression
from streams.admin import inputs_of
from streams.clients import Security, connect, unavailable
from streams.erasing.requests import read_requests
from streams.kernel.changes import INPUT_OF, Record
from streams.kernel.erased import ErasedPeople, everything_of
from streams.kernel.join import RULES, Rules, person
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.reading.stretch import read_stretch
from streams.replaying.recording import Line
from streams.replaying.replay import Progress

_READING = {"enable_auto_commit": False, "bootstrap_timeout_ms": 5_000, "max_poll_records": 2_000}


def replay_topics(
    bootstrap: str, *, from_time: int | None = None, rules: Rules = RULES, security: Security | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, str]:  # fmt: skip
    """Digest by part of the state that both inputs amount to, from the earliest offsets or from the first records of `from_time` (ms) on,
    up to where they end now, without erased people. Workers that began there and applied all of it have the same. Raises Unavailable,
    NotFound."""
    partitions, _ = inputs_of(bootstrap, security=security)
    shares, kernels = [Share() for _ in range(partitions)], [Kernel(number, partitions, rules) for number in range(partitions)]
    erased = ErasedPeople(rules, everything_of(read_requests(bootstrap, security=security).until))
    for kernel in kernels:
        kernel.erased = erased
    try:
        with closing(connect(KafkaConsumer, bootstrap, security=security, **_READING)) as consumer:
            parts = [[TopicPartition(topic, number) for topic in INPUT_OF] for number in range(partitions)]
            flat = [part for some in parts for part in some]
            starts, ends = _starts(consumer, flat, from_time), consumer.end_offsets(flat)
            done, total = 0, sum(max(0, ends[part] - starts[part]) for part in flat)
            for number, both in enumerate(parts):
                kernels[number].next.update({INPUT_OF[part.topic]: starts[part] for part in both})
                for records in _records(consumer, both, starts, ends):
                    shares[number].add(kernels[number].apply(records))
                    progress(done := done + len(records), total)
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from error
    return digest_state(shares, kernels)


def recorded(
    bootstrap: str, *, from_time: int | None = None, rules: Rules = RULES, security: Security | None = None
) -> Iterator[Line]:  # fmt: skip
    """All impressions and actions there are now, of all partitions, in order of record time. Ticks are left out, a replay makes its own; so
    are searches of erased people, and what is no event. Raises Unavailable, NotFound."""
    partitions, _ = inputs_of(bootstrap, security=security)
    people = read_requests(bootstrap, security=security).until
    parts = [TopicPartition(topic, number) for topic in INPUT_OF for number in range(partitions)]
    try:
        with ExitStack() as opened:
            consumers = [
                opened.enter_context(closing(connect(KafkaConsumer, bootstrap, security=security, **_READING, fetch_max_bytes=2**21)))
                for _ in parts
            ]
            starts, ends = _starts(consumers[0], parts, from_time), consumers[0].end_offsets(parts)
            logs = [_lines(consumer, part, starts, ends) for consumer, part in zip(consumers, parts, strict=True)]
            lines = merge(*logs, key=lambda line: line.time)
            yield from _without(people, lines, rules) if people else lines
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from error


def _lines(consumer: Any, part: Any, starts: dict[Any, int], ends: dict[Any, int]) -> Iterator[Line]:
    time = 0
    for records in _records(consumer, [part], starts, ends):
        for record in records:
            time = max(time, record.time)
            try:
                event = decode_event(record.value)
            except InvalidMessage:
                continue
            if isinstance(event, Impression | Action):
                yield Line(record.topic, time, event.search_id, encode(event))


def _without(people: Mapping[int, int], lines: Iterable[Line], rules: Rules) -> Iterator[Line]:
    """Lines without the searches of people (keyed hash -> until). Actions that came before their page stay: nobody knows whose they are."""
    gone: set[str] = set()
    for line in lines:
        event = decode_event(line.value)
        if isinstance(event, Impression) and min(line.time, event.ts) <= people.get(person(event, rules), -1):
            gone.add(line.key)
        if line.key not in gone:
            yield line


def _starts(consumer: Any, parts: list[Any], from_time: int | None) -> dict[Any, int]:
    if from_time is None:
        return dict(consumer.beginning_offsets(parts))
    found, ends = consumer.offsets_for_times(dict.fromkeys(parts, from_time)), consumer.end_offsets(parts)
    return {part: found[part].offset if found.get(part) is not None else ends[part] for part in parts}


def _records(consumer: Any, parts: list[Any], starts: Mapping[Any, int], ends: Mapping[Any, int]) -> Iterator[list[Record]]:
    """Records of `parts` as they come, up to `ends`."""
    for part, fetched in read_stretch(consumer, {part: starts[part] for part in parts}, ends):
        yield [Record(INPUT_OF[part.topic], one.offset, one.timestamp, one.value, one.key or b"") for one in fetched]
