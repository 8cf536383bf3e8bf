"""The outcomes of one partition from Kafka, once from end to end."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.topics import OUTCOMES
from streams.clients import Security, connect, unavailable
from streams.reading.stretch import read_stretch

FETCH = 8 * 1024 * 1024  # bytes at a time


def scan(
    bootstrap: str, partition: int, *, began: Callable[[int], None], stop: Callable[[], bool] = lambda: False,
    security: Security | None = None,
) -> Iterator[bytes]:  # fmt: skip
    """The values of all conclusions of a partition, up to the end that the topic has when it is asked. `began(ms)` is called with the time
    of the first one if others before it are gone. Raises Unavailable."""
    part = TopicPartition(OUTCOMES.name, partition)
    try:
        consumer: Any = connect(
            KafkaConsumer, bootstrap, security=security, bootstrap_timeout_ms=5_000, enable_auto_commit=False, auto_offset_reset="earliest",
            allow_auto_create_topics=False, max_partition_fetch_bytes=FETCH, max_poll_records=5_000,
        )  # fmt: skip
        with closing(consumer):
            start, end = consumer.beginning_offsets([part])[part], consumer.end_offsets([part])[part]
            first = start > 0
            for _, records in read_stretch(consumer, {part: start}, {part: end}, stop=stop):
                if first:
                    began(records[0].timestamp)
                    first = False
                yield from (record.value for record in records if record.value is not None)
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None
