"""One KafkaProducer, used so that it cannot die silently, and the fate of each event that was handed to it.

kafka-python's default (idempotent) producer never sends again once a batch ran out of time in an outage, and gives no error: so no
idempotence (workers count an id once anyway), one request in flight (a retry cannot overtake), and a client that is silent too long is
thrown away.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

from kafka.errors import AuthorizationError, BrokerResponseError, RetriableError, SaslAuthenticationFailedError

from streams.clients import DisposableProducer, Security, connect
from streams.partitioning import partition
from streams.producing.outgoing import Envelope

_DELIVERY_MS = 10_000
SILENT_AFTER = 2 * _DELIVERY_MS / 1000  # seconds; every send ends after delivery_timeout_ms, so one that did not hangs
_FOREVER = (BrokerResponseError, ValueError, TypeError)  # of these, what is not retriable: too large, invalid
_NOT_ITS_FAULT = (RetriableError, AuthorizationError, SaslAuthenticationFailedError)  # rights and passwords can be mended


class Attempt:
    """Events handed to the client together. `fates[i]` is None once acknowledged, an error that may pass, or a reason to refuse it."""

    def __init__(self, count: int):
        self.started = time.monotonic()
        self.fates: dict[int, Exception | None] = {}
        self._count = count
        self._lock = threading.Lock()
        self._all = threading.Event()

    def settle(self, index: int, error: Exception | None) -> None:
        """Called from the client's thread, once for each event."""
        with self._lock:
            self.fates[index] = error
            if len(self.fates) == self._count:
                self._all.set()

    def wait(self, seconds: float) -> bool:
        """Whether the fate of every event is known."""
        return self._all.wait(seconds)

    def result(self) -> dict[int, Exception | None]:
        """The fates known so far."""
        with self._lock:
            return dict(self.fates)


def is_final(error: Exception) -> bool:
    """Whether sending the same event again would fail again."""
    return isinstance(error, _FOREVER) and not isinstance(error, _NOT_ITS_FAULT)


class Delivery:
    """Connects when first used, and again after `discard`. All calls from one thread; none blocks longer than about
    3 s, or 8 s where three secured brokers are silent."""

    def __init__(self, bootstrap: str, security: Security | None):
        self._bootstrap, self._security = bootstrap, security
        self._client: Any = None

    def hand_over(self, events: Mapping[int, Envelope]) -> Attempt:
        """Give events to the client. Raises KafkaError or Unavailable when there is no broker to talk to."""
        if self._client is None:
            self._client = self._connect()
        attempt = Attempt(len(events))
        for index, event in events.items():
            if not event.topic:
                attempt.settle(index, ValueError("torn: the process stopped while this line was written"))
                continue
            try:
                where = partition(event.key, len(self._client.partitions_for(event.topic)))
                sent = self._client.send(event.topic, event.value, event.key.encode(), partition=where)
            except Exception as error:
                if not is_final(error):
                    raise
                attempt.settle(index, error)
                continue
            sent.add_callback(lambda _, index=index: attempt.settle(index, None))
            sent.add_errback(lambda error, index=index: attempt.settle(index, error))
        return attempt

    def discard(self) -> None:
        """Throw the client away: what it still holds may arrive or not."""
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=0.2)

    def _connect(self) -> Any:
        return connect(
            DisposableProducer,
            self._bootstrap,
            security=self._security,
            enable_idempotence=False,
            acks="all",
            max_in_flight_requests_per_connection=1,
            compression_type="gzip",
            linger_ms=5,
            batch_size=131_072,
            delivery_timeout_ms=_DELIVERY_MS,
            request_timeout_ms=_DELIVERY_MS // 2,
            max_block_ms=1_000,
            bootstrap_timeout_ms=2_000,
            allow_auto_create_topics=False,
        )
