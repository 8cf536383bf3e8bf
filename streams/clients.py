"""kafka-python clients that leave nothing open, and that say what is wrong: threads and sockets of a client that found no broker, or that
cannot finish, are closed, and Kafka's errors come out with what to do about them."""

from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, SaslAuthenticationFailedError
from kafka.net.compat import KafkaNetClient

from schemas.errors import ForageError, NotAllowed, NotFound, Unavailable
from streams.diagnosis import trouble
from streams.security import Security, guarded

__all__ = ["RETRY", "DisposableProducer", "Security", "connect", "partitions_of", "retry_after", "told", "unavailable"]
RETRY, REFUSED = 0.3, 5.0  # s


def connect(client: Callable[..., Any], bootstrap: str, *, security: Security | None = None, **settings: Any) -> Any:
    """`client(**settings)`. kafka-python's constructors leave their sockets (consumers: a running thread) behind when no broker answers.

    Raises Unavailable (NotAllowed) with the reason, and InvalidSetting when certificates do not load.
    """
    found = trouble(bootstrap, security) if security else None
    if isinstance(found, NotAllowed):
        raise found  # known after one try: kafka-python would try a wrong password again and again, and name no reason
    networks: list[Any] = []

    def network(**config: Any) -> Any:
        networks.append(KafkaNetClient(**config))
        return networks[-1]

    try:
        # After an outage kafka-python would sleep up to 30 s before it connects again.
        return client(bootstrap_servers=bootstrap, kafka_client=network, reconnect_backoff_max_ms=500, **settings, **guarded(security))
    except BaseException as error:
        for one in networks:
            one.close()
        if isinstance(error, KafkaError):
            found = found or (None if security else trouble(bootstrap, security))
            raise (found or unavailable(bootstrap, error, security=security)) from None
        raise


def unavailable(bootstrap: str, error: KafkaError, *, security: Security | None = None) -> Unavailable:
    """An error of Kafka as one of ours: what the broker at `bootstrap` refused, why, and what to do."""
    if isinstance(error, SaslAuthenticationFailedError):
        user = (security or {}).get("sasl_plain_username", "")
        return NotAllowed(
            f"broker {bootstrap} does not let user {user!r} in: name or password is wrong, or not known for this SASL mechanism; correct "
            "sasl_plain_username and sasl_plain_password (FORAGE_SASL_USERNAME, FORAGE_SASL_PASSWORD)"
        )
    if isinstance(error, AuthorizationError):
        return NotAllowed(
            f"broker {bootstrap} does not allow this user that ({error!s:.200}); `forage topics acls` prints what each role needs"
        )
    return Unavailable(f"broker {bootstrap}: {error!r:.300}; is it running, is the address right?")


def retry_after(error: Exception) -> float:
    """Seconds until it may be tried again: rarely while the broker refuses us, lest it locks the user."""
    refused = isinstance(error, NotAllowed | AuthorizationError | SaslAuthenticationFailedError)
    return REFUSED if refused else RETRY


def told(error: Exception, bootstrap: str, *, security: Security | None = None) -> str:
    """Any error in one line, with what to do where that is known."""
    ours = unavailable(bootstrap, error, security=security) if isinstance(error, KafkaError) else error
    return str(ours) if isinstance(ours, ForageError) else repr(ours)


def partitions_of(consumer: Any, topic: str, *, bootstrap: str) -> list[int]:
    """The partition numbers of a topic. Raises NotFound: a broker tells who may not see a topic that there is none."""
    if found := consumer.partitions_for_topic(topic):
        return sorted(found)
    raise NotFound(
        f"topic {topic} does not exist at {bootstrap}, or this user may not see it; make it with `forage topics create`, or look at "
        "`forage topics acls`"
    )


class DisposableProducer(KafkaProducer):  # type: ignore[misc]  # kafka-python has no types
    """A KafkaProducer whose `close(timeout)` always closes: the original first flushes, and on a timeout stays open and goes on sending."""

    def flush(self, timeout: float | None = None) -> None:
        """Nothing: callers watch the fate of each record."""
