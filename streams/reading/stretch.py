"""A stretch of a topic, from offsets to offsets: what is there now, once."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kafka.errors import KafkaTimeoutError

PATIENCE = 30.0  # s in which nothing comes: then the broker is taken for gone


def read_stretch(
    consumer: Any, starts: Mapping[Any, int], ends: Mapping[Any, int], *, patience: float = PATIENCE,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Any, list[Any]]]:  # fmt: skip
    """(partition, records) as they come, of each partition of `starts` from there up to `ends`; each batch whole, none empty.

    Raises KafkaTimeoutError when nothing came for `patience` seconds. Ends early when `stop` says so.
    """
    consumer.assign(list(starts))
    for part, offset in starts.items():
        consumer.seek(part, offset)
    heard = time.monotonic()
    while any(consumer.position(part) < ends[part] for part in starts) and not stop():
        for part, fetched in (came := consumer.poll(timeout_ms=200)).items():
            if records := [one for one in fetched if one.offset < ends[part]]:
                yield part, records
        if came:
            heard = time.monotonic()  # only now: the caller may have taken its time
        elif time.monotonic() - heard > patience:
            raise KafkaTimeoutError(f"nothing came for {patience:.0f} s; is the broker still running?")
