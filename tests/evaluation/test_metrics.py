"""Metrics by hand and against trec_eval; the bootstrap against arithmetic and normal theory."""

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from evaluation import metrics
from schemas.errors import InvalidSetting

RANKED = ["a", "b", "c", "d"]
GAINS = {"b": 1.0, "d": 0.5, "e": 0.1, "a": 0.0}


def test_known_answers():
    assert metrics.hit(RANKED, GAINS, k=1) == 0.0  # "a" is judged, with gain 0
    assert metrics.hit(RANKED, GAINS, k=2) == 1.0
    assert metrics.reciprocal_rank(RANKED, GAINS, k=1) == 0.0
    assert metrics.reciprocal_rank(RANKED, GAINS, k=10) == 0.5
    assert metrics.recall(RANKED, GAINS, k=3) == pytest.approx(1 / 3)  # b of b, d, e
    assert metrics.recall(RANKED, GAINS, k=4) == pytest.approx(2 / 3)
    # DCG = 1 / log2(3) + 0.5 / log2(5); ideal = 1 / log2(2) + 0.5 / log2(3) + 0.1 / log2(4)
    dcg, ideal = 1 / math.log2(3) + 0.5 / math.log2(5), 1 + 0.5 / math.log2(3) + 0.05
    assert metrics.ndcg(RANKED, GAINS, k=10) == pytest.approx(dcg / ideal)
    assert metrics.ndcg(RANKED, GAINS, k=2) == pytest.approx(1 / math.log2(3) / (1 + 0.5 / math.log2(3)))


@pytest.mark.parametrize("metric", [metrics.hit, metrics.reciprocal_rank, metrics.recall, metrics.ndcg])
def test_nothing_relevant_or_nothing_shown_is_zero(metric):
    assert metric(RANKED, {}, k=10) == metric(RANKED, {"b": 0.0}, k=10) == metric([], {"b": 1.0}, k=10) == 0.0


ENTITIES = [f"e{number:02}" for number in range(30)]


@given(
    ranked=st.permutations(ENTITIES).flatmap(lambda order: st.integers(1, 30).map(lambda size: order[:size])),
    gains=st.dictionaries(st.sampled_from([*ENTITIES, "absent"]), st.integers(0, 5), min_size=1),
    k=st.sampled_from([1, 3, 10, 20]),
)
def test_same_as_trec_eval(ranked, gains, k):
    names = {f"success_{k}", f"recall_{k}", f"ndcg_cut_{k}", "recip_rank"}
    judge = pytrec_eval.RelevanceEvaluator({"q": gains}, {"success.1,3,10,20", "recall.1,3,10,20", "ndcg_cut.1,3,10,20", "recip_rank"})
    scores = {entity: float(len(ranked) - place) for place, entity in enumerate(ranked)}
    whole = judge.evaluate({"q": scores})["q"]
    first = judge.evaluate({"q": {entity: scores[entity] for entity in ranked[:k]}})["q"]  # recip_rank has no cut-off of its own
    assert names <= whole.keys()
    assert metrics.hit(ranked, gains, k=k) == pytest.approx(whole[f"success_{k}"])
    assert metrics.recall(ranked, gains, k=k) == pytest.approx(whole[f"recall_{k}"])
    assert metrics.ndcg(ranked, gains, k=k) == pytest.approx(whole[f"ndcg_cut_{k}"])
    assert metrics.reciprocal_rank(ranked, gains, k=k) == pytest.approx(first["recip_rank"])


def test_bootstrap_is_paired():
    rng = np.random.default_rng(1)
    first = rng.random(500)
    both = np.stack([first, first + 0.25], axis=1)
    drawn = metrics.resample(both, np.ones_like(both), resamples=200)
    assert drawn.shape == (200, 2)
    assert metrics.interval(drawn[:, 1] - drawn[:, 0]) == pytest.approx((0.25, 0.25))
    low, high = metrics.interval(drawn[:, 0])
    assert high - low > 0.01


def test_bootstrap_agrees_with_normal_theory():
    values = np.random.default_rng(2).normal(3.0, 2.0, (4_000, 1))
    low, high = metrics.interval(metrics.resample(values, np.ones_like(values), resamples=2_000))
    half = 1.96 * values.std() / math.sqrt(4_000)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)  # the ends of 2,000 resamples vary by about 0.03 of `half`
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_units_are_drawn_whole():
    # 200 searches with two equal clicks each are 200 independent units, not 400: the width is that of 200.
    values = np.random.default_rng(3).integers(0, 2, (200, 1)).astype(float)
    single = metrics.resample(values, np.ones_like(values), resamples=300)
    double = metrics.resample(2 * values, np.full_like(values, 2.0), resamples=300)
    assert np.array_equal(single, double)


def test_bootstrap_repeats_and_depends_on_the_seed():
    values = np.random.default_rng(4).random((50, 2))
    one, same, other = (metrics.resample(values, np.ones_like(values), resamples=130, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_nothing_to_resample():
    empty = metrics.resample(np.zeros((0, 2)), np.zeros((0, 2)), resamples=10)
    assert empty.shape == (10, 2)
    assert metrics.interval(empty[:, 0]) is None
    no_counts = metrics.resample(np.zeros((5, 1)), np.zeros((5, 1)), resamples=10)
    assert metrics.interval(no_counts) is None


def test_shapes_that_differ_are_refused():
    with pytest.raises(InvalidSetting, match="same shape"):
        metrics.resample(np.zeros((3, 2)), np.zeros((3, 1)))
