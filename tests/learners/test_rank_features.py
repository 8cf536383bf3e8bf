"""What the rank model sees: by hand, what belongs to a version, and strategies that are hidden."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.definition import AlwaysSpec, ArmSpec, Definition
from learners.ranking.features import BY_STRATEGY, TREND, RankFeatures
from learners.ranking.union import unite
from schemas.base import MAX_FEATURE
from schemas.candidates import Candidate
from tests.learners.requests import definition

FEATURES = RankFeatures.of(definition("lexical_all", "dense", "memory", "memory_titles", always=["popular"]))
LISTS = {
    "dense": [],
    "lexical_all": [Candidate("x", 9.0), Candidate("y", 5.0), Candidate("z", 1.0)],
    "memory": [Candidate("m", 0.4), Candidate("x", 0.2)],
    "unheard_of": [Candidate("x", 7.0)],
}


def matrix(lists, trends=None):
    union = unite(lists)
    values = np.zeros((len(union.ids), len(TREND))) if trends is None else np.array([trends[name] for name in union.ids], dtype=float)
    grid = FEATURES.matrix(union, values)
    return {name: dict(zip(FEATURES.names, row, strict=True)) for name, row in zip(union.ids, grid.tolist(), strict=True)}


def strategy(row, name):
    return tuple(row[f"{name}.{column}"] for column in BY_STRATEGY)


def test_strategies_of_a_definition_but_those_of_the_kind_memory():
    assert FEATURES.strategies == ("dense", "lexical_all", "popular")
    assert FEATURES.names[:5] == ("dense.missed", "dense.found", "dense.rank", "dense.score", "dense.level")
    assert len(FEATURES.names) == 3 * 5 + 2
    assert RankFeatures.of(definition("dense", always=["memory"])).strategies == ("dense",)


def test_the_three_states_of_a_strategy_are_told_apart():
    rows = matrix(LISTS)
    assert [strategy(rows["x"], name) for name in ("dense", "lexical_all", "popular")] == [
        (256, 0, 0, 0, 0),  # asked, did not find it
        (0, 256, 256, 256, round(64 * log(9.0))),  # found it, at the top
        (0, 0, 0, 0, 0),  # not asked
    ]
    assert strategy(rows["y"], "lexical_all") == (0, 256, 128, 128, round(64 * log(5.0)))
    assert strategy(rows["z"], "lexical_all") == (0, 256, 85, 0, 0)  # the last of its list is still found
    assert strategy(rows["m"], "lexical_all") == strategy(rows["m"], "dense") == (256, 0, 0, 0, 0)


def test_scores_at_or_below_zero_have_no_level_and_nothing_leaves_the_grid():
    lists = {"dense": [Candidate("a", 1e300), Candidate("b", 0.0), Candidate("c", -5.0)], "popular": [Candidate("d", 1e-300)]}
    rows = matrix(lists, {"a": (1e300, 0.0), "b": (0.0, 1.0), "c": (0.0, 0.0), "d": (0.0, 0.0)})
    assert [rows[name]["dense.level"] for name in "abc"] == [MAX_FEATURE, 0, 0]
    assert rows["d"]["popular.level"] == -MAX_FEATURE
    assert (rows["a"]["trend_2"], rows["a"]["trend_7"]) == (MAX_FEATURE, 0)
    assert (rows["b"]["trend_2"], rows["b"]["trend_7"]) == (0, round(64 * log(2.0)))


def test_the_version_changes_with_the_strategies_and_with_nothing_else():
    version = FEATURES.version
    assert RankFeatures.of(definition("dense", "lexical_all", "popular", salt="other", floor=0.1)).version == version
    others = [
        RankFeatures.of(definition("lexical_all", "dense")).version,
        RankFeatures.of(definition("lexical_all", "dense", "fresh")).version,
        RankFeatures.of(definition("lexical_all", "dense", "popular", "fresh")).version,
        RankFeatures.of(Definition(arms=[ArmSpec.of("memory")], always=[AlwaysSpec(name="popular")])).version,
    ]
    assert len({version, *others}) == 5


scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(-10, 1e4), max_size=6).map(
    lambda found: [Candidate(*one) for one in sorted(found.items(), key=lambda one: (-one[1], one[0]))]
)


@given(
    st.dictionaries(st.sampled_from(["dense", "lexical_all", "popular", "memory"]), scores),
    st.sets(st.sampled_from(FEATURES.strategies)),
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(0, 50), st.floats(0, 50))),
)
def test_a_hidden_strategy_is_as_one_that_was_not_asked(lists, hidden, trends):
    """Candidates that only hidden strategies found are in no union without them: there, every one of the others missed."""
    union = unite(lists)
    recent = np.array([trends.get(name, (0.0, 0.0)) for name in union.ids]).reshape(len(union.ids), 2)
    rows = FEATURES.matrix(union, recent).astype(np.int16)
    keep = np.array([[name not in hidden for name in FEATURES.strategies]] * len(rows), dtype=bool).reshape(len(rows), 3)
    before, masked = rows.copy(), FEATURES.hidden(rows, keep)
    assert (rows == before).all(), "the rows that were given stay as they were"
    rest = unite({name: found for name, found in lists.items() if name not in hidden})
    at = [union.ids.index(name) for name in rest.ids]
    assert masked[at].tolist() == FEATURES.matrix(rest, recent[at]).tolist()
    found = {name for name, by in zip(union.ids, union.found(), strict=True) if {one for one, _, _ in by} - hidden - {"memory"}}
    assert {name for name, yes in zip(union.ids, FEATURES.found(masked), strict=True) if yes} == found


@given(st.dictionaries(st.sampled_from(["dense", "lexical_all", "popular"]), scores), st.booleans())
def test_fusion_is_the_weighted_mean_of_normed_scores_over_the_asked_lists(lists, weighted):
    weights = {"dense": 0.5, "lexical_all": 0.3} if weighted else None
    union = unite(lists)
    rows = FEATURES.matrix(union, np.zeros((len(union.ids), 2))) / 256.0
    share = [1.0 if weights is None else weights.get(name, 0.0) for name in union.strategies]
    fused = [sum(map(float.__mul__, row, share)) / (sum(share) or 1.0) for row in union.normed.tolist()]
    assert FEATURES.fusion(rows, weights) == pytest.approx(fused, abs=0.5 / 256 + 1e-9)


def test_fusion_by_hand():
    lists = {"dense": [], "lexical_all": [Candidate("a", 9.0), Candidate("b", 5.0), Candidate("c", 1.0)], "popular": [Candidate("b", 0.4)]}
    union = unite(lists)
    rows = FEATURES.matrix(union, np.zeros((3, 2))) / 256.0
    assert FEATURES.fusion(rows, None).tolist() == pytest.approx([1 / 3, 1.5 / 3, 0.0])  # dense failed: it was asked all the same
    assert FEATURES.fusion(rows, {"lexical_all": 0.6, "popular": 0.2, "dense": 0.2}).tolist() == pytest.approx([0.6, 0.3 + 0.2, 0.0])
    assert FEATURES.fusion(rows, {"dense": 1.0}).tolist() == [0.0, 0.0, 0.0]
    assert FEATURES.fusion(rows, {"xmr": 1.0}).tolist() == [0.0, 0.0, 0.0]  # weights of nobody who was asked
