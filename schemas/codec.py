"""Bytes to messages and back. A message is accepted whole or refused whole, whatever it holds."""

from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.errors import InvalidMessage
from schemas.events import AnyEvent, Event
from schemas.explain import explain, explain_parser
from schemas.outcomes import Conclusion

MAX_BYTES = 1_000_000
MAX_CONCLUSION = 4_194_304  # a page of MAX_BYTES and what was done with it
_EVENT: TypeAdapter[Event] = TypeAdapter(AnyEvent)
_CONCLUSION: TypeAdapter[Any] = TypeAdapter(Conclusion)
M = TypeVar("M", bound=BaseModel)


class _Validator(Protocol):
    def validate_json(self, data: bytes, /) -> Any: ...


def encode(message: BaseModel) -> bytes:
    """Compact JSON in UTF-8, fields in the order of the schema, names of attributes in the order of their sender.

    `encode(decode(encode(m))) == encode(m)`: bytes that were written once never change on their way.
    """
    return message.__pydantic_serializer__.to_json(message)


def _decode(validator: _Validator, value: bytes | None, what: str, most: int = MAX_BYTES) -> Any:
    if value is None:
        raise InvalidMessage(what, ["message: is null; send one JSON object in UTF-8"])
    if len(value) > most:
        raise InvalidMessage(what, [f"message: has {len(value)} bytes, at most {most}; send less: fewer results, candidates or attributes"])
    try:
        return validator.validate_json(value)
    except ValidationError as error:
        bad_json = next((problem["msg"] for problem in error.errors(include_url=False) if problem["type"] == "json_invalid"), None)
        raise InvalidMessage(what, [explain_parser(bad_json, value)] if bad_json else explain(error)) from None
    except Exception as error:  # whatever a message does to a parser, it must not reach the transaction
        raise InvalidMessage(what, [f"message: {error!r:.200}; send one JSON object in UTF-8"]) from None


def decode_event(value: bytes | None) -> Event:
    """An impression, action, tick or suggestion event. Raises InvalidMessage."""
    event: Event = _decode(_EVENT.validator, value, "not an event")
    return event


def decode_conclusion(value: bytes | None) -> Any:
    """A final or an amendment. Raises InvalidMessage."""
    return _decode(_CONCLUSION.validator, value, "not a final or amendment", MAX_CONCLUSION)


def decode(model: type[M], value: bytes | None) -> M:
    """One message of a known type. Raises InvalidMessage."""
    message: M = _decode(model.__pydantic_validator__, value, f"not a {model.__name__}")
    return message
