"""The fit: an answer worked by hand, the loss differentiated by somebody else, and what must not matter."""

import os
import random
import subprocess
import sys
from hashlib import sha256
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from retrievers.xmr import fitting
from retrievers.xmr.features import features
from retrievers.xmr.fitting import Example, fit
from retrievers.xmr.softmax import SoftmaxModel
from schemas.base import DAY_MS

T0 = 20_000 * DAY_MS


def probabilities(arrays, query):
    labels, values = SoftmaxModel(arrays).scores(query)
    return dict(zip(labels, values.tolist(), strict=True))


def digest(arrays):
    return sha256(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays))).hexdigest()


def some(seed, count, *, queries=("halo", "halo 3", "halo reach", "gears of war", "gear", "chess"), entities="ABCDE"):
    draw = random.Random(seed)
    return [
        Example(T0 + draw.randrange(20 * DAY_MS), draw.choice(queries), draw.choice(entities), draw.choice([0.5, 1.0, 1.0, 4.0]))
        for _ in range(count)
    ]


def test_two_clicks_by_hand():
    """x of "a" has |x|^2 = 1 + 0.15^2 = 1.0225. The first click meets one label: nothing to learn. At the second p = (1/2, 1/2), so the
    weights become -x and x, the logits differ by 2.045. Second pass: p_B = 0.88545 where 1/2 is wanted: W_B = (1 - 0.3 * 0.38545) x."""
    found = probabilities(fit([Example(T0, "a", "A", 1.0), Example(T0, "a", "B", 1.0)]), "a")
    apart = 2.045 * (1 - 0.3 * (1 / (1 + exp(-2.045)) - 0.5))
    assert found == {"A": pytest.approx(1 / (1 + exp(apart)), abs=1e-6), "B": pytest.approx(1 / (1 + exp(-apart)), abs=1e-6)}


def test_the_newest_is_the_best_and_the_old_one_fades():
    one = [Example(T0, "a", "A", 1.0), Example(T0 + DAY_MS, "a", "B", 1.0)]
    assert probabilities(fit(one), "a")["B"] > 0.8
    back = probabilities(fit([*one, Example(T0 + 2 * DAY_MS, "a", "A", 1.0)]), "a")
    assert back["A"] > back["B"]


def test_a_smaller_weight_teaches_less():
    first = Example(T0, "a", "A", 1.0)
    weak, strong = (probabilities(fit([first, Example(T0, "a", "B", weight)]), "a")["B"] for weight in (0.25, 1.0))
    assert 0.5 < weak < strong


def test_like_queries_share_what_they_learned():
    seen = [Example(T0 + n, query, entity, 1.0) for n in range(5) for query, entity in (("gears of war", "G"), ("halo reach", "H"))]
    found = fit(seen)
    assert probabilities(found, "gear of wars")["G"] > 0.7
    assert probabilities(found, "hallo reech")["H"] > 0.7


def reference(examples):
    """Both passes with dense float64 vectors over terms, and gradients of the loss by central differences."""
    ordered = sorted(examples)
    every = sorted({feature for one in ordered for feature in features(one.query_key).ids.tolist()})
    labels = list(dict.fromkeys(one.entity_id for one in ordered))
    weights = np.zeros((len(labels), len(every)))

    def vector(key):
        ids, values = features(key)
        out = np.zeros(len(every))
        out[[every.index(feature) for feature in ids.tolist()]] = values
        return out

    def descend(key, target, known, size):
        x = vector(key)
        slope = np.zeros_like(weights)
        for label in range(known):
            for column in np.flatnonzero(x):
                loss = []
                for shift in (1e-5, -1e-5):
                    moved = weights.copy()
                    moved[label, column] += shift
                    loss.append(-float(target[:known] @ log_softmax((moved @ x)[:known])))
                slope[label, column] = (loss[0] - loss[1]) / 2e-5
        weights[:] -= size * slope

    seen = set()
    for one in ordered:
        seen.add(one.entity_id)
        descend(one.query_key, np.array([float(label == one.entity_id) for label in labels]), len(seen), 2.0 * min(1.0, one.weight))
    newest = {one.query_key: at for at, one in enumerate(ordered)}
    for key in sorted(newest, key=newest.__getitem__):
        target = np.zeros(len(labels))
        for one in ordered:
            if one.query_key == key:
                target[labels.index(one.entity_id)] += one.weight * 0.5 ** ((ordered[-1].time - one.time) / (7 * DAY_MS))
        descend(key, target / target.sum(), len(labels), 0.3 * min(1.0, target.sum()))
    return labels, lambda key: np.exp(log_softmax(np.where(np.abs(weights) >= 0.05, weights, 0.0) @ vector(key)))


@pytest.mark.parametrize("seed", range(3))
def test_equals_an_independent_dense_implementation(seed):
    examples = some(seed, 12)
    labels, expected = reference(examples)
    for key in sorted({one.query_key for one in examples}):
        found = probabilities(fit(examples), key)
        assert list(found) == labels
        assert list(found.values()) == pytest.approx(expected(key).tolist(), abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 1_000))
def test_the_order_of_examples_does_not_matter(order, seed):
    examples = some(seed, 40)
    mixed = list(examples)
    order.shuffle(mixed)
    assert digest(fit(mixed)) == digest(fit(examples))


def test_threads_and_the_seed_of_hashes_do_not_matter():
    code = (
        f"import sys; sys.path[:0] = {[str(path) for path in sys.path]!r}\n"
        "from tests.retrievers.test_xmr_fitting import digest, fit, some\n"
        "queries = [f'{a} {b}' for a in ('halo', 'gears of war', 'battlefield') for b in range(40)]\n"
        "print(digest(fit(some(1, 400, queries=queries, entities=[f'e{n}' for n in range(600)]))))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }  # fmt: skip
    assert len(found) == 1


def test_nothing_to_learn_from_is_no_model():
    assert fit([]) == {}
    assert fit([Example(T0, "halo", "A", 0.0)]) == {}


def test_arrays_may_be_published():
    arrays = fit(some(1, 50))
    assert {name: values.dtype.name for name, values in arrays.items()} == {
        "feature_ids": "int32", "starts": "int32", "columns": "int32", "weights": "float32", "labels": "uint8", "label_ends": "int32",
    }  # fmt: skip
    assert np.abs(arrays["weights"]).min() >= fitting.PRUNE


@pytest.mark.parametrize("bound", ["MAX_PRODUCTS", "MAX_CELLS"])
def test_beyond_its_bounds_it_keeps_the_entities_with_the_most_recent_reward(bound, monkeypatch):
    examples = [Example(T0, "halo", "A", 1.0)] * 3 + [Example(T0 + 70 * DAY_MS, "halo", entity, 1.0) for entity in "BCD"]
    cost = len(features("halo").ids) * (len(examples) if bound == "MAX_PRODUCTS" else 1)
    monkeypatch.setattr(fitting, bound, 3 * cost)
    assert probabilities(fit(examples), "halo").keys() == {"B", "C", "D"}
    monkeypatch.setattr(fitting, bound, 2 * cost)
    assert probabilities(fit(examples), "halo").keys() == {"B", "C"}, "a tie goes by id"
    monkeypatch.setattr(fitting, bound, 0)
    assert probabilities(fit(examples), "halo") == {"B": 1.0}
