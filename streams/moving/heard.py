"""Epochs that the topics of rows have heard of: an owner's must be above them, whatever the clocks of its host and of others say."""

from collections.abc import Collection
from contextlib import closing
from threading import Event

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError

from schemas.errors import InvalidMessage
from streams.clients import Security, connect
from streams.moving.topics import ROWS
from streams.reading.sources import source_of
from streams.reading.stretch import read_stretch

LAST = 100  # records that are looked at: a former owner's late ones may be the very last
PATIENCE = 10.0  # s


def epochs(bootstrap: str, partitions: Collection[int], stop: Event | None = None, *, security: Security | None = None) -> dict[int, int]:
    """By partition, the highest epoch among the last rows that were sent of it; none where nothing was. Raises Unavailable, and KafkaError,
    also when `stop` is set meanwhile."""
    with closing(
        connect(KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, fetch_max_wait_ms=50, bootstrap_timeout_ms=2_000)
    ) as consumer:
        parts = [TopicPartition(topic.name, number) for topic in ROWS for number in partitions]
        parts = [part for part in parts if part.partition in (consumer.partitions_for_topic(part.topic) or ())]
        starts, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        heard: dict[int, int] = {}
        last = {part: max(starts[part], ends[part] - LAST) for part in parts}
        for _, records in read_stretch(consumer, last, ends, stop=lambda: stop is not None and stop.is_set(), patience=PATIENCE):
            for record in records:
                try:
                    source, epoch, _ = source_of(record.headers)
                except InvalidMessage:  # readers leave it aside too
                    continue
                heard[source] = max(heard.get(source, 0), epoch)
        if stop is not None and stop.is_set():
            raise KafkaTimeoutError(f"the last rows of partitions {sorted(partitions)} were not read to their end")
        return heard
