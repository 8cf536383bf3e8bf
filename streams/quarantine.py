"""The messages that did not count, as `search.quarantine` holds them: all of them, newest of a reason, one by its id."""

import base64
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.codec import decode
from schemas.errors import InvalidMessage, InvalidSetting, NotFound
from schemas.outcomes import Quarantined, Reason
from schemas.topics import QUARANTINE
from streams.clients import Security, connect, partitions_of, unavailable
from streams.reading.stretch import read_stretch

_CUT = re.compile(r"\(only the first \d+ of \d+ bytes are kept\)$")  # how the kernel ends the error of a cut message


@dataclass(frozen=True)
class Held:
    """A quarantined message: `at` is when it was written to the topic, `time` its record time (ms), `value` its bytes on `topic`."""

    id: str
    at: int
    time: int
    reason: Reason
    topic: str
    error: str
    value: bytes

    @property
    def cut(self) -> bool:
        """Is only the beginning of the original kept?"""
        return _CUT.search(self.error) is not None

    @property
    def short(self) -> str:
        """The error without what the message held: bodies are people's data."""
        return self.error.partition(", got ")[0]


@dataclass
class Summary:
    """Messages by reason, and the newest of them, newest first."""

    counts: Counter[str]
    newest: list[Held]


def read_quarantine(bootstrap: str, *, since: int = 0, security: Security | None = None) -> Iterator[Held]:
    """Every quarantined message that the topic holds now, each once, from those written at `since` (ms) on; by partition, oldest first.

    Raises NotFound, Unavailable.
    """
    try:
        consumer = connect(
            KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, auto_offset_reset="earliest", bootstrap_timeout_ms=5_000,
            allow_auto_create_topics=False, fetch_max_wait_ms=100,
        )  # fmt: skip
        with closing(consumer):
            seen: set[str] = set()
            for one in _to_its_end(consumer, bootstrap, since):
                if (held := _held(one.value, one.timestamp)) and held.id not in seen:
                    seen.add(held.id)
                    yield held
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None


def _to_its_end(consumer: Any, bootstrap: str, since: int) -> Iterator[Any]:
    parts = [TopicPartition(QUARANTINE.name, number) for number in partitions_of(consumer, QUARANTINE.name, bootstrap=bootstrap)]
    starts, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    for part, found in (consumer.offsets_for_times(dict.fromkeys(parts, since)) if since else {}).items():
        starts[part] = found.offset if found else ends[part]
    for _, records in read_stretch(consumer, starts, ends):
        yield from records


def _held(value: bytes | None, at: int) -> Held | None:
    """None for what is no message of ours: workers alone write here, so nobody waits for it."""
    try:
        said = decode(Quarantined, value)
        original = base64.b64decode(said.value, validate=True)
    except (InvalidMessage, ValueError):
        return None
    return Held(said.quarantine_id, at, said.time, said.reason, said.topic, said.error, original)


def summarize(messages: Iterable[Held], *, limit: int, reason: Reason | None = None) -> Summary:
    """Counts by reason, and the `limit` newest of one reason (default: of all)."""
    counts: Counter[str] = Counter()

    def counted() -> Iterator[Held]:
        for held in messages:
            counts[held.reason] += 1
            if reason in (None, held.reason):
                yield held

    rest = counted()
    newest = nlargest(limit, rest, key=lambda one: (one.at, one.id))
    deque(rest, maxlen=0)  # with limit 0 nothing was read yet
    return Summary(counts, newest)


def find(messages: Iterable[Held], prefixes: Sequence[str]) -> list[Held]:
    """The message of each id or unique beginning of one, in that order. Raises NotFound, InvalidSetting."""
    matching = [held for held in messages if any(held.id.startswith(prefix) for prefix in prefixes)]
    out = []
    for prefix in prefixes:
        fits = [held for held in matching if held.id.startswith(prefix)]
        if not fits:
            raise NotFound(f"no quarantined message begins with {prefix}; `forage quarantine list` shows those that are kept (14 days)")
        if len(fits) > 1:
            raise InvalidSetting(f"{len(fits)} ids begin with {prefix}: {', '.join(one.id[:16] for one in fits[:4])}; give more of it")
        out += fits
    return out
