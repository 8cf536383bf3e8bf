"""kafka-python clients that leave nothing open: threads and sockets of a client that found no broker, or that cannot finish, are closed."""

from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.net.compat import KafkaNetClient

Security = Mapping[str, Any]  # security_protocol, ssl_* and sasl_* settings, passed to kafka-python as they are


def connect(client: Callable[..., Any], bootstrap: str, *, security: Security | None = None, **settings: Any) -> Any:
    """`client(**settings)`. kafka-python's constructors leave their sockets (consumers: a running thread) behind when no broker answers."""
    networks: list[Any] = []

    def network(**config: Any) -> Any:
        networks.append(KafkaNetClient(**config))
        return networks[-1]

    try:
        # After an outage kafka-python would sleep up to 30 s before it connects again.
        return client(bootstrap_servers=bootstrap, kafka_client=network, reconnect_backoff_max_ms=500, **settings, **(security or {}))
    except BaseException:
        for one in networks:
            one.close()
        raise


class DisposableProducer(KafkaProducer):  # type: ignore[misc]  # kafka-python has no types
    """A KafkaProducer whose `close(timeout)` always closes: the original first flushes, and on a timeout stays open and goes on sending."""

    def flush(self, timeout: float | None = None) -> None:
        """Nothing: callers watch the fate of each record."""
