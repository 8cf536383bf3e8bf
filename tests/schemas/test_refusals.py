"""Every kind of bad input is refused whole, and the refusal names the field, the rule and the remedy."""

import json

import pytest
from pydantic import ValidationError

from schemas.codec import MAX_BYTES, decode_conclusion, decode_event
from schemas.events import Action
from schemas.explain import explain
from tests.schemas.refusing import refusal, shaped

ACTION = {"type": "action", "action_id": "a", "search_id": "s", "ts": 5, "kind": "click", "entity_id": "e"}
PAGE = {"type": "impression", "search_id": "s", "ts": 5, "query": {"text": "halo"}, "results": [{"entity_id": "e", "position": 1}]}
DECISION = {"decision_id": "d", "content_id": "c", "seq": 1, "available": ["dense"], "arms": []}
PLAIN = "must be text of at most 1024 characters, true, false, null, or a number under 2^53 either way"


BYTES = {
    "null": (None, "message: is null; send one JSON object in UTF-8"),
    "empty": (b"", "message: is empty; send one JSON object in UTF-8"),
    "spaces": (b" \n ", "message: is empty; send one JSON object in UTF-8"),
    "bad UTF-8": (b'{"type":"tick\xff"}', "message: is not UTF-8 at byte 13; send one JSON object in UTF-8"),
    "UTF-16": ('{"type":"tick"}'.encode("utf-16"), "message: is not UTF-8 at byte 0; send one JSON object in UTF-8"),
    "byte order mark": (b'\xef\xbb\xbf{"type":"tick"}', "message: begins with a byte order mark; send UTF-8 without it"),
    "bad JSON": (b"{type:tick}", "message: is not JSON (at line 1 column 2); send one JSON object in UTF-8"),
    "cut off": (b'{"type":"tick"', "message: is cut off (at line 1 column 14); send one JSON object in UTF-8"),
    "two messages": (b'{"type":"tick"}{}', "message: goes on after its end (at line 1 column 16); send one JSON object in UTF-8"),
    "raw control character": (
        b'{"type":"ti\nck"}',
        "message: has a raw control character inside text (at line 2 column 0); escape it, as JSON asks",
    ),
    "JSON null": (b"null", "message: must be an object, got null; send a JSON object"),
    "list": (b"[]", "message: must be an object, got []; send a JSON object"),
    "NaN": (b"NaN", "message: must be an object, got nan; send a JSON object"),
    "10 MB": (
        b'{"type":"tick","x":"' + b"x" * 10_000_000 + b'"}',
        "message: has 10000022 bytes, at most 1000000; send less: fewer results, candidates or attributes",
    ),
    "deep nesting": (b'{"a":' * 5_000, "message: is nested too deeply (at line 1 column 1006); send it flat, as the schema shows"),
    "lone surrogate": (
        b'{"type":"\\ud800"}',
        "message: holds a broken \\u escape or half a character (a lone surrogate) (at line 1 column 16); send valid Unicode text",
    ),
    "huge number": (
        b'{"type":' + b"1" * 5_000 + b"}",
        "message: holds a number with thousands of digits (at line 1 column 4310); send numbers of ordinary size",
    ),
    "no type": (b"{}", "type: is missing; say what the message is: impression, action, ..."),
    "unknown type": (
        b'{"type":"clik"}',
        "type: must be one of 'impression', 'action', 'tick', 'suggest_impression', 'suggest_accept', got 'clik'; "
        "set type to what the message is",
    ),
}

FIELDS = {
    "unknown version": (
        ACTION | {"schema_version": 2},
        "schema_version: must be 1, got 2; send 1; a newer version needs a newer forage here",
    ),
    "extra field": (ACTION | {"score": 1}, "score: is no field of this message, got 1; remove it, or put it in attributes"),
    "missing field": ({k: v for k, v in ACTION.items() if k != "ts"}, "ts: is missing; add it"),
    "missing id": (ACTION | {"action_id": ""}, "action_id: must have at least 1 character, got ''; fill it in, or leave the field out"),
    "negative position": (
        PAGE | {"results": [{"entity_id": "e", "position": -1}]},
        "results[0].position: must be at least 1, got -1; number the results 1, 2, 3 over all pages",
    ),
    "position from 0": (ACTION | {"position": 0}, "position: must be at least 1, got 0; number the results 1, 2, 3 over all pages"),
    "time as text": (
        ACTION | {"ts": "2024-06-01"},
        "ts: must be a whole number, got '2024-06-01'; send whole milliseconds since 1970-01-01 UTC",
    ),
    "time in seconds and parts": (
        ACTION | {"ts": 5.5},
        "ts: must be a whole number, got 5.5; send whole milliseconds since 1970-01-01 UTC",
    ),
    "time before 1970": (ACTION | {"ts": -1}, "ts: must be at least 0, got -1; send whole milliseconds since 1970-01-01 UTC"),
    "time in microseconds": (
        ACTION | {"ts": 1_717_243_200_000_000},
        "ts: must be under 281474976710656, got 1717243200000000; send whole milliseconds since 1970-01-01 UTC",
    ),
    "no time": (ACTION | {"ts": None}, "ts: must be a whole number, got null; send whole milliseconds since 1970-01-01 UTC"),
    "unknown kind": (
        ACTION | {"kind": "clik"},
        "kind: must be 'viewed', 'click', 'play', 'add_to_cart', 'purchase', 'like', 'dwell_10s', 'dwell_60s', 'dismiss' or 'other', "
        "got 'clik'; send one of these",
    ),
    "kind without entity": (
        {k: v for k, v in ACTION.items() if k != "entity_id"},
        "message: kind 'click' comes without entity_id; set it to what the action was done to",
    ),
    "other without name": (ACTION | {"kind": "other"}, "message: kind is 'other' without a name; set name to what happened"),
    "name without other": (ACTION | {"name": "n"}, "message: name goes with kind 'other' only; leave it out of 'click'"),
    "list in attributes": (
        ACTION | {"attributes": {"a": [1]}},
        f"attributes.a: {PLAIN}, got [1]; send one such value, or leave it out",
    ),
    "NaN in attributes": (
        ACTION | {"attributes": {"a": float("nan")}},
        f"attributes.a: {PLAIN}, got nan; send one such value, or leave it out",
    ),
    "rounded whole number": (
        ACTION | {"attributes": {"a": 2**53 + 1}},
        f"attributes.a: {PLAIN}, got 9007199254740993; send one such value, or leave it out",
    ),
    "long attribute name": (
        ACTION | {"attributes": {"x" * 129: 1}},
        f"attributes.'{'x' * 56}...: the name of an attribute must have at most 128 characters, got '{'x' * 56}...; shorten it",
    ),
    "many attributes": (
        ACTION | {"attributes": {str(i): i for i in range(65)}},
        "attributes: must have at most 64 items, got {'0': 0, '1': 1, '2': 2, '3': 3, '4': 4, '5': 5, '6': 6, ...; send fewer",
    ),
    "infinite score": (
        PAGE | {"results": [{"entity_id": "e", "position": 1, "score": float("inf")}]},
        "results[0].score: must be a finite number, got inf; send a finite number, or leave the field out",
    ),
    "1e308": (
        PAGE | {"results": [{"entity_id": "e", "position": 1, "score": 1e308}]},
        "results[0].score: must be at most 1e+12, got 1e+308; send a value inside the limits",
    ),
    "text as query": (PAGE | {"query": "halo"}, "query: must be an object, got 'halo'; send a JSON object"),
    "no list": (PAGE | {"results": {}}, "results: must be a list, got {}; send a JSON array"),
    "truth as number": (
        PAGE | {"context": {"holiday": 1}},
        "context.holiday: must be true or false, got 1; send true or false without quotes",
    ),
    "101 results": (
        PAGE | {"results": [{"entity_id": str(i), "position": i + 1} for i in range(101)]},
        "results: must have at most 100 items, got [{'entity_id': '0', 'position': 1}, {'entity_id': '1', 'p...; send fewer",
    ),
    "entity twice": (
        PAGE | {"results": [{"entity_id": "e", "position": 1}, {"entity_id": "e", "position": 2}]},
        "message: an entity stands twice in results; show each entity once a page",
    ),
    "position twice": (
        PAGE | {"results": [{"entity_id": "e", "position": 1}, {"entity_id": "f", "position": 1}]},
        "message: two results share a position; number them 1, 2, 3 over all pages",
    ),
    "unknown arm": (
        PAGE | {"decision": DECISION | {"arms": [{"name": "bm25", "asked": True, "propensity": 0.5}]}},
        "decision: ['bm25'] not in available; list every strategy that could have been asked",
    ),
    "arm twice": (
        PAGE | {"decision": DECISION | {"arms": [{"name": "dense", "asked": True, "propensity": 0.5}], "always": [{"name": "dense"}]}},
        "decision: each strategy stands once in arms or always; remove the repeated one",
    ),
    "propensity 0": (
        PAGE | {"decision": DECISION | {"arms": [{"name": "dense", "asked": False, "propensity": 0.0}]}},
        "decision.arms[0].propensity: must be over 0, got 0.0; send the probability with which it was asked, over 0 and at most 1",
    ),
    "name of an arm": (
        PAGE | {"decision": DECISION | {"available": ["My Arm"]}},
        "decision.available[0]: must match ^[a-z][a-z0-9_]*$, got 'My Arm'; use only the characters that the pattern allows",
    ),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_message(name):
    value, text = BYTES[name]
    assert refusal(decode_event, value) == [text]
    assert shaped([text])


@pytest.mark.parametrize("name", FIELDS)
def test_field_that_breaks_a_rule(name):
    value, text = FIELDS[name]
    assert refusal(decode_event, json.dumps(value).encode()) == [text]
    assert shaped([text])


def test_a_message_at_the_limit_of_size_is_read():
    page = json.dumps(PAGE | {"attributes": {str(i): "x" * 1024 for i in range(64)}}).encode()
    assert decode_event(page.ljust(MAX_BYTES)) == decode_event(page)
    assert "1000001 bytes" in refusal(decode_event, page.ljust(MAX_BYTES + 1))[0]


def test_all_problems_are_told_up_to_ten():
    results = [{"entity_id": "", "position": 0}] * 7
    problems = refusal(decode_event, json.dumps(PAGE | {"results": results}).encode())
    assert len(problems) == 11
    assert problems[-1] == "message: has 4 more problems; correct these first"


def test_problem_inside_an_amendment_names_the_field_and_not_the_union():
    amendment = {"type": "amendment", "amendment_id": "m", "final_id": "f", "time": 5, "event": ACTION | {"ts": -1}}
    ts = "event.ts: must be at least 0, got -1; send whole milliseconds since 1970-01-01 UTC"
    assert refusal(decode_conclusion, json.dumps(amendment).encode()) == [ts]
    amendment["event"] = {"type": "tick"}
    tag = "event.type: must be one of 'impression', 'action', got 'tick'; set type to what the message is"
    assert refusal(decode_conclusion, json.dumps(amendment).encode()) == [tag]
    assert refusal(decode_conclusion, b'{"type":"action"}') == [
        "type: must be one of 'final', 'amendment', got 'action'; set type to what the message is"
    ]


def test_values_that_only_python_can_hold():
    with pytest.raises(ValidationError) as caught:
        Action(action_id="\ud800", search_id="s", ts=10**5_000, kind="click", entity_id="e", attributes={"\udfff": 1})
    problems = explain(caught.value)
    assert problems[0] == "action_id: holds half a character (a lone surrogate), got '\\ud800'; send valid Unicode text"
    assert problems[1].startswith("ts: must be under 281474976710656, got a number of over 60 digits; ")
    assert shaped(problems)
