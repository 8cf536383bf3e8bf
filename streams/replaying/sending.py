"""A log with times of its own into Kafka: sorted, placed by our partition function, with ticks, into topics that keep senders' times."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.codec import decode_event
from schemas.errors import InvalidMessage, InvalidSetting, Unavailable
from schemas.events import Tick
from schemas.topics import IMPRESSIONS
from streams.admin import inputs_of
from streams.clients import DisposableProducer, Security, connect, told
from streams.kernel.changes import INPUT_OF, TOPIC_OF
from streams.kernel.join import RULES, Rules
from streams.producing.outgoing import outgoing
from streams.replaying.recording import Line
from streams.replaying.replay import Placed, placed

PATIENCE_MS = 120_000  # a broker that restarts is waited for; a send that takes longer has failed


def lines_of(stream: Iterable[bytes], *, refused: Callable[[int, str], None]) -> Iterator[Line]:
    """Plain events, one JSON object a line, with their own `ts` as time; `refused(number, why)` is told of lines that are no events."""
    for number, text in enumerate(stream, start=1):
        if not text.strip():
            continue
        try:
            event = decode_event(text)
            if isinstance(event, Tick):
                raise InvalidMessage("not an event", ["type: is tick; leave it out, time is kept by workers and by this command"])
            sent = outgoing(event)
        except InvalidMessage as error:
            refused(number, str(error))
            continue
        yield Line("impressions" if sent.topic == IMPRESSIONS.name else "actions", event.ts, sent.key, sent.value)


def send_log(
    bootstrap: str, lines: Iterable[Line], *, rules: Rules = RULES, security: Security | None = None,
    progress: Callable[[int], None] = lambda sent: None,
) -> int:  # fmt: skip
    """Send lines (in order of time) with their times and ticks; returns how many records the broker has, ticks included.

    The last ticks come one window and settle past the end, so that every search closes. Raises InvalidSetting when the topics do not keep
    times or hold later records already, Unavailable when the broker does not take all of it: then make the topics anew and send again.
    """
    partitions, kept = inputs_of(bootstrap, security=security)
    if kept != "CreateTime":
        raise InvalidSetting(f"the inputs at {bootstrap} have {kept}, a log needs its own times; `forage topics create --time CreateTime`")
    rest = iter(lines)
    if (first := next(rest, None)) is None:
        return 0
    try:
        _refuse_steps_back(bootstrap, partitions, first.time, security)
        return _send(bootstrap, placed(_ordered(chain([first], rest)), partitions, rules=rules), security=security, progress=progress)
    except KafkaError as error:
        raise Unavailable(f"{told(error, bootstrap, security=security)}; make the input topics anew, then send again") from None


def _ordered(lines: Iterable[Line]) -> Iterator[Line]:
    last = 0
    for line in lines:
        if line.time < last:
            raise InvalidSetting(f"time {line.time} of an event comes after {last}; sort the log by time and send all of it again")
        last = line.time
        yield line


def _refuse_steps_back(bootstrap: str, partitions: int, start: int, security: Security | None) -> None:
    parts = [TopicPartition(name, number) for name in INPUT_OF for number in range(partitions)]
    consumer = connect(KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, bootstrap_timeout_ms=5_000)
    try:
        later = consumer.offsets_for_times(dict.fromkeys(parts, start + 1))
    finally:
        consumer.close()
    if held := sorted(f"{part.topic}-{part.partition}" for part, found in later.items() if found is not None):
        raise InvalidSetting(
            f"{', '.join(held[:4])} hold records later than the log's first event ({start} ms), and time cannot step back; "
            "delete the input topics and the workers' folders, run `forage topics create --time CreateTime`, then send again"
        )


class _Fates:
    """What became of the records that were handed to the client."""

    def __init__(self) -> None:
        self.done, self.error = 0, ""
        self._changed = threading.Condition()

    def settle(self, error: BaseException | None) -> None:
        with self._changed:
            self.done += 1
            self.error = self.error or (repr(error) if error is not None else "")
            self._changed.notify_all()

    def wait(self, sent: int, seconds: float) -> bool:
        """Until all are settled, or one failed."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done >= sent or bool(self.error), seconds)


def _send(bootstrap: str, records: Iterable[Placed], *, security: Security | None, progress: Callable[[int], None]) -> int:
    producer: Any = connect(
        DisposableProducer, bootstrap, security=security, enable_idempotence=False, acks="all", max_in_flight_requests_per_connection=1,
        compression_type="gzip", linger_ms=20, batch_size=131_072, max_block_ms=PATIENCE_MS, delivery_timeout_ms=PATIENCE_MS,
        request_timeout_ms=10_000, bootstrap_timeout_ms=5_000, allow_auto_create_topics=False,
    )  # fmt: skip
    fates, sent = _Fates(), 0
    try:
        for one in records:
            key = one.key.encode() if one.key is not None else None
            future = producer.send(TOPIC_OF[one.topic], one.value, key, partition=one.partition, timestamp_ms=one.time)
            future.add_callback(lambda _: fates.settle(None))
            future.add_errback(fates.settle)
            sent += 1
            if fates.error:
                break
            progress(fates.done)
        while fates.done < sent and not fates.error:
            before = fates.done
            if not fates.wait(sent, PATIENCE_MS / 1000) and fates.done == before:
                break
            progress(fates.done)
    finally:
        producer.close(timeout=0.2)
    if fates.error or fates.done < sent:
        trouble = fates.error or f"no answer for {PATIENCE_MS // 1000} s"
        raise Unavailable(
            f"broker {bootstrap} took {fates.done} of {sent} records ({trouble}); make the input topics anew, then send again"
        )
    return sent
