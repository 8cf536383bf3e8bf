"""Marginal credit, by hand."""

import pytest

from learners.credit import MAX_CREDIT, marginal_credit, shared_credit

FOUND = {"a": {"lex": 1}, "b": {"lex": 2, "mem": 1}, "c": {"mem": 3}, "nobody": {}}


@pytest.mark.parametrize(
    ("rewards", "credit"),
    [
        ({}, {}),
        ({"a": 256}, {"lex": 256}),
        ({"b": 256}, {}),
        ({"a": 256, "b": 1024, "c": 512}, {"lex": 256, "mem": 512}),
        ({"nobody": 256, "elsewhere": 256}, {}),
        ({"a": 0}, {}),
    ],
)
def test_only_the_only_finder_is_credited(rewards, credit):
    assert marginal_credit(FOUND, rewards) == credit


def test_credit_adds_over_entities_up_to_the_cap():
    found = {f"e{n}": {"lex": n + 1} for n in range(5)}
    rewards = dict.fromkeys(found, 1024)
    assert MAX_CREDIT == 16 * 256
    assert marginal_credit(found, rewards | {"e4": 0}) == {"lex": 4096}
    assert marginal_credit(found, rewards) == {"lex": 4096}
    assert marginal_credit(found, rewards | {"e3": 1023, "e4": 0}) == {"lex": 4095}


def test_shared_credit_pays_every_finder_evenly():
    found = {"a": {"lexical": 1}, "b": {"lexical": 2, "memory": 1, "dense": 9}, "c": {}}
    assert shared_credit(found, {"a": 256, "b": 256, "c": 256, "d": 256}) == {"lexical": 256 + 85, "memory": 85, "dense": 85}
    assert shared_credit({"a": {"x": 1}}, {"a": 100 * MAX_CREDIT}) == {"x": MAX_CREDIT}
    assert shared_credit({"a": {"x": 1}}, {"a": 0}) == {}
