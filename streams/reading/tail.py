"""Following a topic: its records as they come, as plain data and as one line each."""

import json
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.errors import NotFound
from schemas.topics import TOPICS
from streams.clients import Security, connect, partitions_of, unavailable

WIDTH = 160  # columns of a line, so that one record stays one line on a wide terminal


class Seen(NamedTuple):
    """A record as it stands on its topic. `time` in ms."""

    topic: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def follow(bootstrap: str, topic: str, *, from_start: bool, security: Security | None = None) -> Generator[Seen, None, None]:
    """The records of a topic, for ever: those to come, or first all there are. Close the iterator to stop. Raises NotFound, Unavailable."""
    if topic not in {one.name for one in TOPICS}:
        raise NotFound(f"{topic} is none of our topics; choose one of {', '.join(one.name for one in TOPICS)}")
    try:
        consumer = connect(
            KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, auto_offset_reset="earliest", bootstrap_timeout_ms=5_000,
            allow_auto_create_topics=False,
        )  # fmt: skip
        with closing(consumer):
            parts = [TopicPartition(topic, number) for number in partitions_of(consumer, topic, bootstrap=bootstrap)]
            consumer.assign(parts)
            (consumer.seek_to_beginning if from_start else consumer.seek_to_end)(*parts)
            for part in parts:
                consumer.position(part)  # "the end" is the end as of now
            while True:
                for records in consumer.poll(timeout_ms=500).values():
                    for one in records:
                        yield Seen(topic, one.partition, one.offset, one.timestamp, one.key, one.value, list(one.headers))
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None


def plain(seen: Seen) -> dict[str, Any]:
    """The record as data for JSON; a value that is JSON comes parsed, other bytes as text."""
    try:
        value = None if seen.value is None else json.loads(seen.value)
    except ValueError:
        value = (seen.value or b"").decode(errors="replace")
    headers = {name: value.decode(errors="replace") for name, value in seen.headers}
    key = None if seen.key is None else seen.key.decode(errors="replace")
    return {**seen._asdict(), "key": key, "value": value, "headers": headers}


def line(seen: Seen) -> str:
    """One line: time, place, key, and the plain fields of the value."""
    shown = plain(seen)
    at = datetime.fromtimestamp(seen.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    value = shown["value"]
    if isinstance(value, dict):
        said = " ".join(
            f"{name}={_short(field)}"
            for name, field in value.items()
            if name != "schema_version" and field not in (None, "", {}, [], shown["key"])
        )
    else:
        said = "(deleted)" if value is None else str(value)
    text = f"{at} {seen.partition}@{seen.offset} {shown['key'] or '-'} {said}"
    text = "".join(letter if letter.isprintable() else "?" for letter in text)  # a message cannot rewrite the terminal
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _short(field: object) -> str:
    if isinstance(field, list):
        return f"[{len(field)}]"
    if isinstance(field, dict):
        text = field.get("text")
        return json.dumps(text, ensure_ascii=False) if text else f"{{{len(field)}}}"
    text = str(field)
    return text if len(text) <= 24 else text[:23] + "…"
