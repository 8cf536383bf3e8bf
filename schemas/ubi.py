"""User Behavior Insights 1.3 (https://o19s.github.io/ubi/schema/1.3.0/) and our messages, one for the other, both ways without loss.

A UBI query is an impression, a UBI event an action; `schemas.events` has the table of names. What a message has no field for travels in
`attributes`: members of `query_attributes` and `event_attributes` under their own names, anything else under its JSON pointer (RFC 6901),
lists and objects as JSON text in parts `0:POINTER`, `1:POINTER`. So `ubi_query(impression_of(q)) == q` and `ubi_event(action_of(e)) == e`
on everything, times in any notation and numbers as ids included. What UBI has no field for goes the other way as `forage` among the
attributes.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from schemas.codec import decode
from schemas.errors import InvalidMessage
from schemas.events import ACTION_KINDS, Action, Impression
from schemas.ids import digest

Plain = dict[str, Any]
Path = tuple[str, ...]
M = TypeVar("M", Impression, Action)
QUERY, EVENT, OURS = "query_attributes", "event_attributes", "forage"
KINDS = {"impression": "viewed", "click_through": "click", "watch": "play"}  # UBI's common actions that we name otherwise
_NAMES = {"viewed": "impression"}
_LEVELS = {(QUERY,), (EVENT,), (EVENT, "object"), (EVENT, "position"), (EVENT, "position", "xy")}  # objects that UBI describes
_EPOCH, _MILLI = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_PART = re.compile(r"(\d+):(/.*)", re.DOTALL)
_TEXT, _LABEL, _SHOWN, _QUERY_TEXT = 1024, 128, 100, 512  # what messages have room for


def impression_of(query: Mapping[str, Any]) -> Impression:
    """The impression of a UBI query. Raises InvalidMessage: without query_id, user_query or timestamp, or with more than has room."""
    missing = [f"{name}: is missing or null; send it" for name in ("query_id", "user_query", "timestamp") if query.get(name) is None]
    if missing:
        raise InvalidMessage("not a UBI query", missing)
    hits = query.get("query_response_hit_ids")
    shown = list(dict.fromkeys(str(hit) for hit in hits))[:_SHOWN] if isinstance(hits, list) else []
    message: Plain = {
        "search_id": str(query["query_id"]),
        "ts": millis(query["timestamp"]),
        "query": {"text": str(query["user_query"])[:_QUERY_TEXT]},
        "results": [{"entity_id": entity, "position": at} for at, entity in enumerate(shown, 1)],
    }
    for name in ("application", "client_id"):
        if query.get(name):
            message[name] = str(query[name])
    return _message(Impression, message, dict(query), QUERY)


def ubi_query(impression: Impression) -> Plain:
    """The UBI query of an impression."""
    plain = _query(impression)
    ours = impression.model_dump(mode="json", exclude_defaults=True, exclude={"search_id", "ts", "application", "client_id", "attributes"})
    ours["query"].pop("text", None)
    if all(set(one) == {"entity_id", "position"} and one["position"] == at for at, one in enumerate(ours["results"], 1)):
        del ours["results"]
    if ours := {name: value for name, value in ours.items() if value != {}}:
        plain[QUERY] = {OURS: ours}
    return _extended(plain, impression.attributes, QUERY)


def action_of(event: Mapping[str, Any]) -> Action:
    """The action of a UBI event; its id, where it has none of ours, is a hash of the event. Raises InvalidMessage: without query_id,
    action_name or timestamp, or with more than has room."""
    missing = [f"{name}: is missing or null; send it" for name in ("query_id", "action_name", "timestamp") if event.get(name) is None]
    if missing:
        raise InvalidMessage("not a UBI event", missing)
    entity, ordinal = _within(event, EVENT, "object", "object_id"), _within(event, EVENT, "position", "ordinal")
    name = str(event["action_name"])
    kind = KINDS.get(name, name)
    known = kind in ACTION_KINDS and kind != "other" and entity not in (None, "")
    message: Plain = {
        "action_id": digest("ubi", json.dumps(event, sort_keys=True)),
        "search_id": str(event["query_id"]),
        "ts": millis(event["timestamp"]),
        "kind": kind if known else "other",
    }
    if not known:
        message["name"] = name
    if entity not in (None, ""):
        message["entity_id"] = str(entity)
    if isinstance(ordinal, int) and 1 <= ordinal <= 100_000:
        message["position"] = ordinal
    if event.get("session_id"):
        message["session_id"] = str(event["session_id"])
    return _message(Action, message, dict(event), EVENT)


def ubi_event(action: Action) -> Plain:
    """The UBI event of an action."""
    plain = _extended(_event(action), action.attributes, EVENT)
    if action.action_id != digest("ubi", json.dumps(plain, sort_keys=True)):
        plain[EVENT] = (plain.get(EVENT) or {}) | {OURS: {"action_id": action.action_id}}
    return plain


def millis(timestamp: object) -> int:
    """Milliseconds of an ISO 8601 time (without a zone: UTC), or of a number that is milliseconds. Raises InvalidMessage."""
    if isinstance(timestamp, int) and not isinstance(timestamp, bool):
        return timestamp
    try:
        found = datetime.fromisoformat(str(timestamp))
        return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH) // _MILLI
    except (ValueError, OverflowError):
        raise InvalidMessage("not a UBI time", [f"timestamp: {timestamp!r} is not ISO 8601; send 2025-01-31T12:00:00.000Z"]) from None


def _query(impression: Impression) -> Plain:
    """The fields that both have."""
    plain: Plain = {"query_id": impression.search_id, "user_query": impression.query.text, "timestamp": _iso(impression.ts)}
    if impression.application:
        plain["application"] = impression.application
    if impression.client_id is not None:
        plain["client_id"] = impression.client_id
    if impression.results:
        plain["query_response_hit_ids"] = [one.entity_id for one in impression.results]
    return plain


def _event(action: Action) -> Plain:
    name = action.name if action.kind == "other" else _NAMES.get(action.kind, action.kind)
    plain: Plain = {"action_name": name, "query_id": action.search_id, "timestamp": _iso(action.ts)}
    if action.session_id is not None:
        plain["session_id"] = action.session_id
    about: Plain = {}
    if action.entity_id is not None:
        about["object"] = {"object_id": action.entity_id}
    if action.position is not None:
        about["position"] = {"ordinal": action.position}
    return plain | ({EVENT: about} if about else {})


def _message(model: type[M], message: Plain, original: Plain, base: str) -> M:
    """The message with all of the original that it does not say by itself in its attributes."""
    held = original.get(base)
    if isinstance(held, dict) and isinstance(held.get(OURS), dict):
        message |= {name: value for name, value in held[OURS].items() if name != "query"}
        if "query" in held[OURS]:  # what is no object is left for `decode` to refuse
            ours = held[OURS]["query"]
            message["query"] = message["query"] | ours if isinstance(ours, dict) else ours
        original = original | {base: {name: value for name, value in held.items() if name != OURS}}
        if not original[base]:
            del original[base]
    made = decode(model, json.dumps(message).encode())
    said = _leaves(_query(made) if isinstance(made, Impression) else _event(made))
    attributes: Plain = {}
    for path, value in _leaves(original).items():
        if path not in said or json.dumps(said[path]) != json.dumps(value):
            _keep(attributes, path, value, base)
    return decode(model, json.dumps(message | {"attributes": attributes}).encode()) if attributes else made


def _leaves(plain: Mapping[str, Any], path: Path = ()) -> dict[Path, Any]:
    """Values by path; objects that UBI describes are opened."""
    out: dict[Path, Any] = {}
    for name, value in plain.items():
        at = (*path, name)
        if at in _LEVELS and isinstance(value, dict) and value:
            out |= _leaves(value, at)
        else:
            out[at] = value
    return out


def _keep(attributes: Plain, path: Path, value: object, base: str) -> None:
    pointer = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
    plain_name = path[:-1] == (base,) and len(path[-1]) <= _LABEL and not path[-1].startswith("/") and not _PART.fullmatch(path[-1])
    if _scalar(value):
        attributes[path[-1] if plain_name else pointer] = value
        return
    text = json.dumps(value)
    for number, start in enumerate(range(0, len(text), _TEXT)):
        attributes[f"{number}:{pointer}"] = text[start : start + _TEXT]


def _scalar(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _TEXT
    return value is None or (isinstance(value, bool | int | float) and abs(value) < 2**53)


def _extended(plain: Plain, attributes: Mapping[str, Any], base: str) -> Plain:
    """The UBI record with what the attributes hold put in its place."""
    parts: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for name, value in attributes.items():
        if found := _PART.fullmatch(name):
            parts[found[2]][int(found[1])] = value
        elif name.startswith("/"):
            _put(plain, name, value)
        else:
            plain.setdefault(base, {})[name] = value
    for pointer, texts in parts.items():
        _put(plain, pointer, json.loads("".join(texts[number] for number in sorted(texts))))
    return plain


def _put(plain: Plain, pointer: str, value: object) -> None:
    *path, last = [name.replace("~1", "/").replace("~0", "~") for name in pointer[1:].split("/")]
    for name in path:
        plain = plain.setdefault(name, {})
    plain[last] = value


def _within(plain: Mapping[str, Any], *path: str) -> Any:
    at: Any = plain
    for name in path:
        at = at.get(name) if isinstance(at, Mapping) else None
    return at


def _iso(ts: int) -> str:
    """2025-01-31T12:00:00.000Z"""
    return (_EPOCH + ts * _MILLI).isoformat(timespec="milliseconds").replace("+00:00", "Z")
