"""Fusions: known answers worked by hand, and what must hold for any lists."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrievers.base import ordered
from retrievers.fusion import convex, equal_weight, normalised, rrf
from retrievers.union import union
from schemas.candidates import Candidate
from schemas.errors import InvalidSetting

LEXICAL = [Candidate("a", 9.0), Candidate("b", 6.0), Candidate("c", 3.0)]
MEMORY = [Candidate("c", 0.5), Candidate("d", 0.1)]
LISTS = {"lexical": LEXICAL, "memory": MEMORY}

one_list = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.001, 100.0)).map(lambda found: ordered(found.items(), 10))
any_lists = st.dictionaries(st.sampled_from(["lexical", "memory", "dense"]), one_list, min_size=1)


def approx(*pairs: tuple[str, float]) -> list[tuple[str, object]]:
    return [(name, pytest.approx(score, abs=1e-12)) for name, score in pairs]


def test_rrf() -> None:
    # a 1/61, b 1/62, c 1/63 + 1/61, d 1/62: b and d tie, id decides
    assert rrf(LISTS) == approx(("c", 1 / 63 + 1 / 61), ("a", 1 / 61), ("b", 1 / 62), ("d", 1 / 62))
    assert rrf(LISTS, k=1) == approx(("c", 1 / 4 + 1 / 2), ("a", 1 / 2), ("b", 1 / 3), ("d", 1 / 3))


def test_equal_weight() -> None:
    # lexical a 1, b 1/2, c 0; memory c 1, d 0; halves of them. d scores 0 and stays in the union.
    assert equal_weight(LISTS) == approx(("a", 0.5), ("c", 0.5), ("b", 0.25), ("d", 0.0))
    # a strategy that was asked and found nothing counts: thirds
    assert equal_weight({**LISTS, "dense": []}) == approx(("a", 1 / 3), ("c", 1 / 3), ("b", 1 / 6), ("d", 0.0))


def test_convex() -> None:
    assert convex(LISTS, {"lexical": 3.0, "memory": 1.0}) == approx(("a", 0.75), ("b", 0.375), ("c", 0.25), ("d", 0.0))
    assert convex(LISTS, {"memory": 2.0, "unused": 5.0}) == approx(("c", 1.0), ("a", 0.0), ("b", 0.0), ("d", 0.0))


def test_normalised_without_a_spread() -> None:
    assert normalised([Candidate("a", 0.3), Candidate("b", 0.3)]) == {"a": 1.0, "b": 1.0}
    assert normalised([Candidate("a", 7.0)]) == {"a": 1.0}
    assert normalised([]) == {}


def test_nothing_in_nothing_out() -> None:
    assert rrf({}) == equal_weight({}) == convex({}, {}) == rrf({"lexical": []}) == equal_weight({"lexical": []}) == []


@pytest.mark.parametrize("weights", [{}, {"lexical": 0.0}, {"lexical": -1.0, "memory": 2.0}, {"lexical": math.nan}, {"memory": math.inf}])
def test_bad_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting, match="give weights of at least 0, one of them above 0"):
        convex(LISTS, weights)


@given(any_lists)
def test_order_of_the_lists_does_not_matter(lists: dict[str, list[Candidate]]) -> None:
    turned = dict(reversed(lists.items()))
    for fuse in (rrf, equal_weight):
        fused = fuse(lists)
        assert fused == fuse(turned)
        assert {one.entity_id for one in fused} == {one.entity_id for found in lists.values() for one in found}
        assert all(0.0 <= one.score <= 1.0 for one in fused)
    assert list(union(lists).items()) == list(union(turned).items())


@given(any_lists)
def test_union_says_who_found_what(lists: dict[str, list[Candidate]]) -> None:
    said = {(one.strategy, one.rank, entity_id, one.score) for entity_id, sources in union(lists).items() for one in sources}
    assert said == {
        (name, rank + 1, found[rank].entity_id, found[rank].score) for name, found in lists.items() for rank in range(len(found))
    }


def test_union_known_answer() -> None:
    found = union(LISTS)
    assert list(found) == ["a", "b", "c", "d"]
    assert [(one.strategy, one.rank, one.score) for one in found["c"]] == [("lexical", 3, 3.0), ("memory", 1, 0.5)]
