"""The tuned mix: by hand, and against fusion and metrics that know nothing of it."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import ndcg
from evaluation.tuning import MixTuner, simplex
from retrievers.fusion import convex
from schemas.candidates import Candidate


def listed(*ids):
    return [Candidate(entity, float(len(ids) - at)) for at, entity in enumerate(ids)]


def test_simplex_counts_and_sums():
    assert len(simplex(4)) == 286  # C(13, 3)
    assert len(set(simplex(4))) == 286
    assert all(sum(mix) == 10 and min(mix) >= 0 for mix in simplex(4))
    assert simplex(1) == [(10,)]
    assert simplex(3) == sorted(simplex(3))


SCORES = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0.5, 1.0, 2.0, 7.0])), max_size=6, unique_by=lambda one: one[0])


@given(
    lists=st.fixed_dictionaries({"x": SCORES, "y": SCORES}),
    gains=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.5, 1.0])),
)
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_fusion_that_is_then_used(lists, gains):
    gains = gains | {"a": 1.0}
    found = {name: sorted([Candidate(*one) for one in some], key=lambda one: (-one.score, one.entity_id)) for name, some in lists.items()}
    mixes = simplex(2)
    scores = MixTuner(["x", "y"], [found], [gains]).scores(mixes)
    for mix, score in zip(mixes, scores[0], strict=True):
        order = [one.entity_id for one in convex(found, {"x": mix[0] / 10, "y": mix[1] / 10})]
        assert score == pytest.approx(ndcg(order, gains, k=10)) or _near_tie(found, mix)


def _near_tie(found, mix):
    """Two fused scores that differ by rounding alone may stand either way."""
    scores = [one.score for one in convex(found, {"x": mix[0] / 10, "y": mix[1] / 10})]
    return any(0 <= a - b < 1e-12 for a, b in pairwise(scores))


def test_only_seen_queries_are_tuned_on():
    lists = [{"x": listed("a", "b"), "y": listed("b", "a")}] * 2
    tuner = MixTuner(["y", "x"], lists, [{"a": 1.0}, {"b": 1.0}])
    assert tuner.best([0])["x"] == 0.5  # the first mix that puts a first: a tie goes to the smaller id
    assert tuner.best([1])["y"] > 0.5
    assert sum(tuner.best([0]).values()) == pytest.approx(1.0)


def test_many_strategies_are_climbed_and_never_worse_than_equal_weights():
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(7)]
    lists = [{name: listed(*rng.permutation(list("abcdefghijklmno"))[:12]) for name in names} for _ in range(12)]
    gains = [dict.fromkeys(rng.permutation(list("abcdefghijklmno"))[:3], 1.0) for _ in range(12)]
    tuner = MixTuner(names, lists, gains)
    best = tuner.best(range(12))
    mix = tuple(round(10 * best[name]) for name in names)
    quality = tuner.scores([mix]).mean()
    assert quality >= tuner.scores([(2, 2, 2, 1, 1, 1, 1)]).mean()
    near = [tuple(mix[at] - (at == a) + (at == b) for at in range(7)) for a, b in product(range(7), repeat=2) if a != b and mix[a]]
    assert quality >= tuner.scores(near).mean(axis=0).max() - 1e-12
