"""The topic `privacy.erasures`: who is to be erased, and who has done it. Read to its end before anything is applied."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kafka.errors import KafkaError

from schemas.codec import decode, encode
from schemas.erasures import Erased, Erasure
from schemas.errors import InvalidMessage, Unavailable
from schemas.topics import ERASURES
from streams.clients import DisposableProducer, Security, connect, unavailable
from streams.reading.follower import Follower, Incoming

PATIENCE = 60.0  # s for a broker that is just starting
SEND = 10_000  # ms


@dataclass
class Requests:
    """`until`: by keyed hash, the latest record time (ms) that is erased. `asked`: by keyed hash in hex, the last request. `done`: by
    (processor, keyed hash in hex) what it said last. `count` grows with each request. One thread writes, others read."""

    until: dict[int, int] = field(default_factory=dict)
    asked: dict[str, Erasure] = field(default_factory=dict)
    done: dict[tuple[str, str], Erased] = field(default_factory=dict)
    count: int = 0

    def take(self, records: Sequence[Incoming]) -> None:
        """Records in the order of their partitions. A message that is neither is passed over: it erases nobody."""
        for record in records:
            try:
                if (record.key or b"").startswith(b"done/"):
                    said = decode(Erased, record.value)
                    self.done[said.by, said.client] = said
                else:
                    asked = decode(Erasure, record.value)
                    client = int(asked.client, 16)
                    self.until[client] = max(asked.until, self.until.get(client, -1))
                    self.asked[asked.client] = asked
                    self.count += 1
            except InvalidMessage:
                continue


class RequestsFollower:
    """Requests as they come. Use as a context manager, which waits for all that there are. Raises Unavailable."""

    def __init__(self, bootstrap: str, *, security: Security | None = None) -> None:
        self.requests = Requests()
        self._bootstrap, self._security = bootstrap, security

    def __enter__(self) -> Requests:
        self._follower = Follower(self._bootstrap, ERASURES.name, handle=self.requests.take, security=self._security)
        if not self._follower.wait(PATIENCE):
            why = self._follower.progress().last_error or "no answer"
            self._follower.close()
            raise Unavailable(f"{ERASURES.name} cannot be read, and nothing may be counted before it is ({why})")
        return self.requests

    def __exit__(self, *_: object) -> None:
        self._follower.close()


def read_requests(bootstrap: str, *, security: Security | None = None) -> Requests:
    """All requests and answers there are now. Raises Unavailable."""
    with RequestsFollower(bootstrap, security=security) as requests:
        return requests


def place_requests(bootstrap: str, people: Mapping[int, int], *, key: str, security: Security | None = None) -> None:
    """Ask for erasures: keyed hash -> until (ms), hashed under the key with the mark `key`. Raises Unavailable unless the broker has them
    all."""
    messages = [Erasure(client=f"{client:016x}", until=until, key=key) for client, until in people.items()]
    send(bootstrap, {one.client: encode(one) for one in messages}, security=security)


def send(bootstrap: str, messages: Mapping[str, bytes], *, security: Security | None) -> None:
    producer = connect(
        DisposableProducer, bootstrap, security=security, enable_idempotence=False, acks="all", delivery_timeout_ms=SEND,
        request_timeout_ms=SEND // 2, max_block_ms=SEND // 2, bootstrap_timeout_ms=5_000, allow_auto_create_topics=False, linger_ms=20,
    )  # fmt: skip
    try:
        waiting = [producer.send(ERASURES.name, value, key.encode(), partition=0) for key, value in messages.items()]
        end = time.monotonic() + 2 * SEND / 1_000
        for one in waiting:
            one.get(timeout=max(0.1, end - time.monotonic()))
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None
    finally:
        producer.close(timeout=0.2)
