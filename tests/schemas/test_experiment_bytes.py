"""Messages of experiments: their bytes stay what they are, and messages without experiments have the bytes that they had before."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.codec import decode, decode_event, encode
from schemas.decisions import Decision
from schemas.errors import InvalidMessage
from schemas.events import Impression, Placement
from schemas.export import json_schemas

GOLDEN = Path(__file__).parent.parent / "golden"
SHARED = (GOLDEN / "schemas_v1_experiments" / "impression.json").read_bytes()
BEFORE = (GOLDEN / "schemas_v1" / "impression.json").read_bytes()


def test_a_shared_page_comes_out_as_it_went_in():
    message = decode(Impression, SHARED)
    assert encode(message) + b"\n" == SHARED
    assert decode_event(SHARED) == message
    Draft202012Validator(json_schemas()["impression"]).validate(json.loads(SHARED))
    assert (message.decision.trial.name, message.decision.trial.arm, message.decision.trial.p) == ("interleave_rrf", "both", 0.2)
    assert [one.placement.team for one in message.results] == ["", "b", "a"]
    assert {one.placement.mode for one in message.results} == {"team"}


def test_bytes_from_before_are_read_as_no_experiment_and_written_alike():
    message = decode(Impression, BEFORE)
    assert message.decision.trial is None
    assert message.decision.own
    assert {one.placement.team for one in message.results} == {""}
    assert encode(message) + b"\n" == BEFORE
    assert b"trial" not in encode(message)
    assert b"team" not in encode(message)
    assert encode(Placement(team="a")).endswith(b'"team":"a"}')


@pytest.mark.parametrize(("arm", "own"), [("a", True), ("b", False), ("both", False)])
def test_only_the_arm_that_runs_anyway_is_the_policys_own(arm, own):
    plain = json.loads(SHARED)["decision"] | {"trial": {"name": "t", "arm": arm, "p": 0.5}}
    assert decode(Decision, json.dumps(plain).encode()).own == own


@pytest.mark.parametrize(
    ("trial", "problem"),
    [
        ({"name": "t", "arm": "c", "p": 0.5}, r"\.arm"),
        ({"name": "t", "arm": "a", "p": 0.0}, r"\.p"),
        ({"name": "A test", "arm": "a", "p": 0.5}, r"\.name"),
        ({"name": "t", "arm": "a"}, r"\.p"),
        ("a", ""),
    ],
)
def test_what_is_no_trial_is_refused(trial, problem):
    plain = json.loads(SHARED)
    plain["decision"]["trial"] = trial
    with pytest.raises(InvalidMessage, match=rf"decision\.trial{problem}: "):
        decode(Impression, json.dumps(plain).encode())
