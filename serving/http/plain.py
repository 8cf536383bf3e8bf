"""Dataclasses and named tuples as JSON objects: their values, and the models that describe them in the OpenAPI document."""

from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, create_model


def plain(value: Any) -> Any:
    """A value with every dataclass and named tuple in it as a dict, and every tuple as a list."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(one) for name, one in zip(value._fields, value, strict=True)}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value


@cache
def model_of(kind: type) -> type[BaseModel]:
    """The model of a dataclass or named tuple, with the same name and fields."""
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)] if is_dataclass(kind) else list(kind._fields)  # type: ignore[attr-defined]
    definitions: dict[str, Any] = {name: (_described(hints[name]), ...) for name in names}
    return create_model(kind.__name__, __doc__=kind.__doc__, **definitions)


def _described(hint: Any) -> Any:
    """A type hint with every dataclass and named tuple in it replaced by its model."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is tuple and inside[1:] == (...,):
        return list[_described(inside[0])]  # type: ignore[misc]
    if origin in (Union, UnionType):
        return Union[tuple(_described(one) for one in inside)]  # noqa: UP007
    named = isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields"))
    return model_of(hint) if named else hint
