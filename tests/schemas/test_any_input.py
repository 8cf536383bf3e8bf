"""Whatever stands at whatever place of a message: it is refused with the three parts, and nothing but InvalidMessage comes out."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode, decode_conclusion, decode_event, encode
from schemas.errors import InvalidMessage
from schemas.export import MESSAGES, json_schemas
from tests.schemas.refusing import refusal, shaped

GOLDEN = Path(__file__).parent.parent / "golden" / "schemas_v1"
SAMPLES = {name: (GOLDEN / f"{name}.json").read_bytes() for name in MESSAGES}
ACTION_FIELDS = ("action_id", "search_id", "ts", "kind", "entity_id", "name", "attributes", "position", "x")


def nodes(value: object, path: tuple = ()):
    """Every place in a JSON value, the root left out."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from nodes(child, (*path, key))


def changed(value: object, path: tuple, raw: str) -> bytes:
    """The JSON text of `value` with the JSON text `raw` put at `path`."""
    copy = json.loads(json.dumps(value))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "@@here@@"
    return json.dumps(copy).replace('"@@here@@"', raw).encode()


NEVER = ["NaN", "Infinity", "-Infinity", "1e309", "-1e309", "1e308", "1" + "0" * 400, "[[]]", '{"x": [[]]}', '"\\ud800"']
NOT_NEGATIVE = {
    "position",
    "rank",
    "ts",
    "time",
    "closed",
    "created",
    "created_at",
    "day",
    "hour",
    "page",
    "seq",
    "depth",
    "propensity",
    "p",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_no_place_of_any_message_takes_a_value_that_is_never_right(name):
    sample = json.loads(SAMPLES[name])
    for path in nodes(sample):
        bad = NEVER + (["-1", '"1"', "null", "true", "0.5"] if path[-1] in NOT_NEGATIVE and path[-1] not in ("propensity", "p") else [])
        for raw in bad:
            if raw == "null" and path[-1] in ("created_at", "position"):
                continue  # may be left out
            problems = refusal(decode, MESSAGES[name], changed(sample, path, raw))
            words = [str(part) for part in path if isinstance(part, str)]
            assert shaped(problems)
            assert "surrogate" in problems[0] or any(words[-1] in line.partition(": ")[0] for line in problems), (path, raw, problems)


def objects(schema: dict, part: dict, value: object, path: tuple = ()):
    """(path, required names) of every object in `value` that has a closed list of fields, found by walking the JSON Schema."""
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    for option in part.get("anyOf", part.get("oneOf", [])):
        if "$ref" in option and value is not None:
            target = schema["$defs"][option["$ref"].rpartition("/")[2]]
            if target["properties"].get("type", {}).get("const") in (None, value.get("type")):
                part = target
    if isinstance(value, dict) and "properties" in part:
        yield path, part.get("required", [])
        for key, child in value.items():
            yield from objects(schema, part["properties"][key], child, (*path, key))
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from objects(schema, part.get("additionalProperties", {}), child, (*path, key))
    elif isinstance(value, list):
        for key, child in enumerate(value):
            yield from objects(schema, part.get("items", {}), child, (*path, key))


@pytest.mark.parametrize("name", MESSAGES)
def test_missing_and_extra_fields_at_every_depth(name):
    sample, schema = json.loads(SAMPLES[name]), json_schemas()[name]
    found = list(objects(schema, schema, sample))
    assert found[0][0] == ()
    for path, required in found:
        for field in [*(name for name in required if path or name != "type"), "surprise"]:
            copy = json.loads(SAMPLES[name])
            place = copy
            for key in path:
                place = place[key]
            if field == "surprise":
                place[field], rule = 1, "is no field of this message, got 1; remove it, or put it in attributes"
            else:
                del place[field]
                rule = "is missing; add it"
            problems = refusal(decode, MESSAGES[name], json.dumps(copy).encode())
            assert any(re.fullmatch(rf"(.*\.)?{field}: {re.escape(rule)}", line) for line in problems), (path, field, problems)


def taken_or_refused(decoder, value: bytes) -> None:
    """Nothing but InvalidMessage comes out of a decoder, and what it takes can be written again."""
    try:
        message = decoder(value)
    except InvalidMessage as error:
        problems = error.problems
    else:
        assert decoder(encode(message)) == message
        return
    assert shaped(problems)


@given(st.binary(max_size=200))
def test_any_bytes(value):
    taken_or_refused(decode_event, value)
    taken_or_refused(decode_conclusion, value)


@given(st.sampled_from(["impression", "action", "suggest_impression", "suggest_accept"]), st.data())
def test_events_cut_flipped_and_stuffed(name, data):
    sample = SAMPLES[name]
    at = data.draw(st.integers(0, len(sample) - 1))
    end = data.draw(st.integers(at, min(len(sample), at + 8)))
    taken_or_refused(decode_event, sample[:at] + data.draw(st.binary(max_size=8)) + sample[end:])
    if sample[:at].strip() != sample.strip():
        assert shaped(refusal(decode_event, sample[:at]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(ACTION_FIELDS), json_values))
def test_actions_of_any_json(fields):
    taken_or_refused(decode_event, json.dumps({"type": "action"} | fields).encode())
