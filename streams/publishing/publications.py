"""The topic of policy snapshots as a reader at a desk sees it, and orders to the publisher."""

from collections.abc import Mapping, Sequence
from typing import Any

from kafka.errors import KafkaError

from learners.registry import find
from schemas.codec import decode, encode
from schemas.errors import InvalidMessage, NotFound, Unavailable
from schemas.snapshots import CURRENT, HISTORY, PART, Command, Content, Manifest, Part, join_parts
from schemas.topics import CONTROL, POLICY
from streams.admin import describe_topics
from streams.clients import DisposableProducer, Security, connect, told
from streams.reading.follower import Follower, Incoming
from streams.reading.policy_view import order

WAIT = 15.0  # s to read the whole topic or to place an order


class Publications:
    """Manifests in order of publication, with the parts that are still on the topic."""

    def __init__(self) -> None:
        self._manifests: dict[tuple[int, int], Manifest] = {}
        self._parts: dict[str, Part] = {}

    def take(self, records: Sequence[Incoming]) -> None:
        """Records in the order of the topic; what does not parse is left out."""
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            try:
                if key == CURRENT or key.startswith(HISTORY):
                    self._manifest(key, record.value)
                elif key.startswith(PART) and record.value is not None:
                    self._parts[key.removeprefix(PART)] = decode(Part, record.value)
                elif key.startswith(PART):
                    self._parts.pop(key.removeprefix(PART), None)
            except InvalidMessage:
                continue

    def _manifest(self, key: str, value: bytes | None) -> None:
        if value is not None:
            manifest = decode(Manifest, value)
            self._manifests[order(manifest)] = manifest
        else:  # forgotten by the publisher
            self._manifests = {at: one for at, one in self._manifests.items() if f"{HISTORY}{one.seq}" != key}

    def list(self) -> Sequence[Manifest]:
        """Oldest first."""
        return [self._manifests[at] for at in sorted(self._manifests)]

    def content(self, content_id: str) -> Content:
        """Raises NotFound, and CorruptFile when a part is missing or has other bytes."""
        return join_parts(self.find(content_id), self._parts)

    def find(self, which: int | str) -> Manifest:
        """The newest publication with this seq or this content_id (8 hex digits suffice). Raises NotFound."""
        return find(self.list(), which, where=POLICY.name)


def read_publications(bootstrap: str, *, security: Security | None = None, wait: float = WAIT) -> Publications:
    """All that stands on the topic now. Raises Unavailable, and NotFound when there is no such topic."""
    if not describe_topics(bootstrap, [POLICY.name], security=security):
        raise NotFound(f"topic {POLICY.name} does not exist at {bootstrap}; make it with `forage topics create`")
    read = Publications()
    follower = Follower(bootstrap, POLICY.name, handle=read.take, security=security)
    try:
        if not follower.wait(wait):
            trouble = follower.progress().last_error or "no answer"
            raise Unavailable(f"{POLICY.name} at {bootstrap} could not be read in {wait:.0f} s ({trouble}); is the broker running?")
    finally:
        follower.close()
    return read


def place_order(bootstrap: str, command: Command, *, security: Security | None = None) -> None:
    """Put an order to the publisher on the topic `control`; it acts within seconds. Raises Unavailable."""
    settings: Mapping[str, Any] = {"enable_idempotence": False, "acks": "all", "allow_auto_create_topics": False}
    try:
        producer = connect(
            DisposableProducer, bootstrap, security=security, bootstrap_timeout_ms=5_000, max_block_ms=5_000, delivery_timeout_ms=10_000,
            request_timeout_ms=5_000, **settings,
        )  # fmt: skip
        try:
            producer.send(CONTROL.name, encode(command), command.command_id.encode()).get(timeout=WAIT)
        finally:
            producer.close(timeout=0.2)
    except KafkaError as error:
        raise Unavailable(
            f"the order was not placed: {told(error, bootstrap, security=security)}; `forage topics check` looks at its topics"
        ) from None
