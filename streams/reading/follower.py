"""Reads a whole topic from its start (or from given offsets) and then for ever, in a thread of its own, over any outage."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from streams.clients import Security, connect, partitions_of, retry_after, told

log = logging.getLogger(__name__)

ASK_EVERY = 1.0  # seconds between questions for the ends of the partitions: how silence of the broker is told from silence of the topic
_ANSWER_MS = 3_000


class Incoming(NamedTuple):
    """A record as it came."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Progress:
    """How far a follower is. `lag`: records not yet read as of the last answer; `silent`: seconds since the broker last answered."""

    lag: int
    silent: float
    last_error: str


class Follower:
    """Calls `handle` with records in the order of each partition. There is no group and no commit: a new follower begins at `start`.

    Partitions without an offset in `start` begin at the first record of time `since` (wall ms), if that is given.

    What `handle` raises is taken for a passing trouble: the same records come again. Offsets belong to the topic with `topic_id` (that of
    `start`, if given): one of another id was made anew, which `anew` is told; then it is read from its start.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        handle: Callable[[Sequence[Incoming]], None],
        start: Mapping[int, int] | None = None,
        topic_id: str = "",
        since: int | None = None,
        anew: Callable[[], None] = lambda: None,
        security: Security | None = None,
    ):
        self.topic_id = topic_id  # of the topic that is read; empty until the broker has told it
        self._anew, self._since = anew, since
        self._bootstrap, self._topic, self._security = bootstrap, topic, security
        self._handle = handle
        self._next = dict(start or {})
        self._goal: dict[int, int] | None = None  # the ends at the first answer
        self._heard = time.monotonic()
        self._lag = 0
        self._last_error = ""
        self._caught_up, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"forage-{topic}", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait until all that was on the topic when the broker first answered is handled. False when `timeout` seconds were not enough."""
        return self._caught_up.wait(timeout)

    def progress(self) -> Progress:
        """How far it is now."""
        return Progress(self._lag, time.monotonic() - self._heard, self._last_error)

    def positions(self) -> dict[int, int]:
        """By partition, the offset of the next record to handle. Call it from `handle`, or when nothing comes."""
        return dict(self._next)

    def close(self) -> None:
        """Stop the thread; what was read stays with the caller."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except Exception as error:
                text = told(error, self._bootstrap, security=self._security)
                if not self._last_error:
                    log.warning("topic %s cannot be read now, what was read stays in use: %s", self._topic, text)
                self._last_error = text
                self._stop.wait(retry_after(error))

    def _follow(self) -> None:
        consumer = connect(
            KafkaConsumer,
            self._bootstrap,
            security=self._security,
            bootstrap_timeout_ms=2_000,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metadata_max_age_ms=10_000,
            max_poll_records=2_000,
        )
        try:
            partitions = partitions_of(consumer, self._topic, bootstrap=self._bootstrap)
            self._meet(self._id(consumer))
            self._read(consumer, [TopicPartition(self._topic, number) for number in partitions])
        finally:
            consumer.close()

    def _meet(self, topic_id: str) -> None:
        if self.topic_id and topic_id != self.topic_id:
            log.warning("topic %s was made anew (id %s, now %s); it is read from its start", self._topic, self.topic_id, topic_id)
            self._next = {}
            self._anew()
        self.topic_id = topic_id

    def _id(self, consumer: Any) -> str:
        return str(consumer._cluster.topic_id(self._topic) or self.topic_id)  # kafka-python has no public way to it

    def _read(self, consumer: Any, parts: list[Any]) -> None:
        """Until told to stop, or until the topic has other partitions or was made anew."""
        consumer.assign(parts)
        ends = {} if self._since is None else consumer.end_offsets(parts, timeout_ms=_ANSWER_MS)  # asked first: what comes meanwhile is new
        begin = {} if self._since is None else consumer.offsets_for_times(dict.fromkeys(parts, self._since))
        for part in parts:
            if part.partition in self._next:
                consumer.seek(part, self._next[part.partition])
            elif begin.get(part) is not None:
                consumer.seek(part, begin[part].offset)
            elif self._since is not None:  # nothing is so new
                consumer.seek(part, ends[part])
            else:
                consumer.seek_to_beginning(part)
        ask_at = 0.0
        while not self._stop.is_set():
            for part, records in consumer.poll(timeout_ms=100).items():
                self._handle([Incoming(part.partition, one.offset, one.key, one.value, one.headers) for one in records])
                self._next[part.partition] = records[-1].offset + 1
            if time.monotonic() >= ask_at:
                self._ask(consumer, parts)
                ask_at = time.monotonic() + (ASK_EVERY if self._caught_up.is_set() else 0.05)
                if len(consumer.partitions_for_topic(self._topic) or parts) != len(parts) or self._id(consumer) != self.topic_id:
                    return

    def _ask(self, consumer: Any, parts: list[Any]) -> None:
        ends = {part.partition: end for part, end in consumer.end_offsets(parts, timeout_ms=_ANSWER_MS).items()}
        at = {part.partition: consumer.position(part, timeout_ms=_ANSWER_MS) for part in parts}
        if self._last_error:
            log.warning("topic %s is read again", self._topic)
        self._heard, self._last_error = time.monotonic(), ""
        self._lag = sum(max(ends[number] - at[number], 0) for number in ends)
        self._goal = self._goal or ends
        if all(at.get(number, 0) >= end for number, end in self._goal.items()):
            self._caught_up.set()
