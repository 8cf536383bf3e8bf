"""An event on its way to Kafka: checked, encoded, with its topic and key; and as a line of text while the broker is away."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from pydantic import BaseModel, ValidationError

from schemas.codec import MAX_BYTES, encode
from schemas.errors import InvalidMessage
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from schemas.explain import explain
from schemas.topics import ACTIONS, IMPRESSIONS

M = TypeVar("M", bound=BaseModel)


class Envelope(NamedTuple):
    """An event on its way. A `topic` of "" marks a line that was torn; `value` is what is left of it."""

    topic: str
    key: str
    value: bytes


def outgoing(event: Impression | Action | SuggestImpression | SuggestAccept) -> Envelope:
    """What was shown goes to search.impressions, what was done to search.actions, keyed by the search. Raises InvalidMessage."""
    topic = IMPRESSIONS.name if isinstance(event, Impression | SuggestImpression) else ACTIONS.name
    key = event.search_id if isinstance(event, Impression | Action) else event.suggest_id
    try:
        value = encode(event)
    except ValueError as error:  # an object that was built without validation
        raise InvalidMessage(
            f"not a {type(event).__name__}", [f"message: does not encode ({error!s:.200}); build it with validation"]
        ) from None
    if len(value) > MAX_BYTES:
        raise InvalidMessage(f"not a {type(event).__name__}", [f"message: has {len(value)} bytes, at most {MAX_BYTES}; send fewer results"])
    return Envelope(topic, key, value)


def checked(model: type[M], event: M | Mapping[str, Any]) -> M:
    """The event itself, or the event that plain data describes. Raises InvalidMessage with one line per problem."""
    if isinstance(event, model):
        return event
    try:
        return model.model_validate(event)
    except ValidationError as error:
        raise InvalidMessage(f"not a {model.__name__}", explain(error)) from None


def to_line(event: Envelope) -> bytes:
    """`CRC32 <tab> topic <tab> key as JSON <tab> value`; values are compact JSON, which holds no raw newline."""
    rest = b"%s\t%s\t%s" % (event.topic.encode(), json.dumps(event.key).encode(), event.value)
    return b"%08x\t%s\n" % (crc32(rest), rest)


def from_line(line: bytes) -> Envelope:
    """Inverse of `to_line`; a line with other bytes comes back with topic ""."""
    checksum, _, rest = line.rstrip(b"\n").partition(b"\t")
    if checksum != b"%08x" % crc32(rest) or rest.count(b"\t") < 2:
        return Envelope("", "", line)
    topic, key, value = rest.split(b"\t", 2)
    return Envelope(topic.decode(), json.loads(key), value)
