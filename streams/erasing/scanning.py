"""The outcomes of one partition from Kafka, once from end to end."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.topics import OUTCOMES
from streams.clients import Security, connect, unavailable

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
            consumer.assign([part])
            end = consumer.end_offsets([part])[part]
            start = consumer.beginning_offsets([part])[part]
            consumer.seek_to_beginning(part)
            first = start > 0
            while consumer.position(part) < end and not stop():
                for record in consumer.poll(timeout_ms=500).get(part, ()):
                    if first:
                        began(record.timestamp)
                        first = False
                    if record.value is not None:
                        yield record.value
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None
