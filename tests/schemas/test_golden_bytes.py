"""Bytes of released versions stay readable, and come out of today's code as they went in. These files are never written again."""

import json
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from schemas.codec import decode, decode_conclusion, decode_event, encode
from schemas.events import ACTION_KINDS, ActionKind
from schemas.export import MESSAGES, json_schemas
from schemas.outcomes import REASONS, Reason
from schemas.snapshots import join_parts

GOLDEN = Path(__file__).parent.parent / "golden" / "schemas_v1"
FILES = {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.json"))}


def test_there_is_one_file_for_each_message():
    assert FILES.keys() == MESSAGES.keys()


@pytest.mark.parametrize("name", FILES)
def test_golden_bytes_come_out_as_they_went_in(name):
    message = decode(MESSAGES[name], FILES[name])
    assert encode(message) + b"\n" == FILES[name]
    Draft202012Validator(json_schemas()[name]).validate(json.loads(FILES[name]))


@pytest.mark.parametrize("name", FILES)
def test_golden_bytes_fill_every_field(name):
    """A file that leaves fields at their defaults would not notice when a name or a form changes."""
    message = decode(MESSAGES[name], FILES[name])
    fields = [(field, info) for field, info in type(message).model_fields.items() if field not in ("schema_version", "type")]
    assert [field for field, info in fields if not info.is_required() and getattr(message, field) == info.default] == []


def test_unions_read_the_golden_bytes_of_their_members():
    for name in ("impression", "action", "tick", "suggest_impression", "suggest_accept"):
        assert decode_event(FILES[name]) == decode(MESSAGES[name], FILES[name])
    for name in ("final", "amendment"):
        assert decode_conclusion(FILES[name]) == decode(MESSAGES[name], FILES[name])


def test_the_golden_snapshot_holds_its_arrays():
    content = join_parts(
        decode(MESSAGES["manifest"], FILES["manifest"]), {part.sha256: part for part in [decode(MESSAGES["part"], FILES["part"])]}
    )
    assert content.definition == {"salt": "s1", "arms": [["dense", "embedding", 0.04]], "name": "é"}
    assert {name: (one.dtype, one.shape) for name, one in content.arrays.items()} == {
        "mean": ("<f8", (2,)), "A": ("<f4", (2, 2)), "empty": ("<i4", (0, 3)), "mask": ("|u1", (3,)),
    }  # fmt: skip
    assert content.arrays["mean"].data.hex() == "000000000000e03f" + "000000000000f0bf"  # 0.5, -1.0 little-endian
    assert content.arrays["A"].data.hex() == "0000803f" + "0000803e" * 2 + "00000040"  # 1, 0.25, 0.25, 2
    assert content.content_id == "bb98c06944f109835b8fbc27f8b9679c2dd06e75bc28269f4dc823e9a676004c"


def test_closed_vocabularies_in_code_and_in_types_are_the_same():
    assert get_args(ActionKind) == ACTION_KINDS  # the order is the layout of memory rows
    assert get_args(Reason) == REASONS


MINIMAL = {
    "impression": {"type": "impression", "search_id": "s", "ts": 1, "query": {}, "results": []},
    "action": {"type": "action", "action_id": "a", "search_id": "s", "ts": 1, "kind": "click", "entity_id": "e"},
    "tick": {"type": "tick"},
    "suggest_impression": {"type": "suggest_impression", "suggest_id": "g", "ts": 1, "prefix": "a", "suggestions": []},
    "entity": {"entity_id": "e"},
    "command": {"command_id": "k", "action": "unpin", "ts": 1},
}


@pytest.mark.parametrize("name", MINIMAL)
def test_the_shortest_message_of_a_version_1_producer_is_enough(name):
    message = decode(MESSAGES[name], json.dumps(MINIMAL[name]).encode())
    assert MINIMAL[name].keys() <= json.loads(encode(message)).keys()
