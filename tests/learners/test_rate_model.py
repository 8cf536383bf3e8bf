"""Newton's method against a general minimiser, and where the answer is known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from learners.ranking.rate_model import newton


def problem(seed, *, n=60, d=5):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([np.ones((n, 1)), rng.normal(size=(n, d - 1))], axis=1)
    examined = rng.gamma(1.0, 2.0, n)
    rewarded = examined * rng.random(n) ** 2
    return rows, examined, rewarded, {"start": rng.normal(size=d), "ridge": rng.uniform(0.1, 5.0, d)}


def loss(at, rows, examined, rewarded, *, start, ridge):
    z = rows @ at
    return float((examined * np.logaddexp(0.0, z) - rewarded * z).sum() + 0.5 * (ridge * (at - start) ** 2).sum())


def gradient(at, rows, examined, rewarded, *, start, ridge):
    return rows.T @ (examined / (1.0 + np.exp(-(rows @ at))) - rewarded) + ridge * (at - start)


@pytest.mark.parametrize("seed", range(12))
def test_it_ends_where_a_general_minimiser_ends(seed):
    rows, examined, rewarded, rest = problem(seed)
    ours = newton(rows, examined, rewarded, **rest)
    theirs = minimize(lambda at: loss(at, rows, examined, rewarded, **rest), rest["start"], method="BFGS", options={"gtol": 1e-8}).x
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert loss(ours, rows, examined, rewarded, **rest) <= loss(theirs, rows, examined, rewarded, **rest) + 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_the_gradient_is_zero_there_and_the_start_of_the_search_is_no_matter(seed):
    rows, examined, rewarded, rest = problem(seed)
    best = newton(rows, examined, rewarded, **rest)
    assert gradient(best, rows, examined, rewarded, **rest) == pytest.approx(np.zeros(len(best)), abs=1e-5)
    rng = np.random.default_rng(seed + 100)
    least = loss(best, rows, examined, rewarded, **rest)
    for step in rng.normal(size=(50, len(best))) * rng.choice([1e-2, 1.0, 30.0], (50, 1)):
        assert loss(best + step, rows, examined, rewarded, **rest) > least


def test_one_parameter_in_closed_form():
    """S of V rewarded and no ridge to speak of: the rate is S / V."""
    at = newton(np.ones((3, 1)), np.array([2.0, 5.0, 1.0]), np.array([1.0, 0.5, 0.5]), start=np.zeros(1), ridge=np.full(1, 1e-9))
    assert at == pytest.approx([np.log(2.0 / 6.0)], abs=1e-6)


def test_the_ridge_holds_a_parameter_at_its_start():
    """Half of all examinations rewarded, as the start says: nothing to learn. Without any rows, neither."""
    rows, start = np.array([[1.0, 2.0]]), np.array([0.5, -0.25])
    assert newton(rows, np.array([8.0]), np.array([4.0]), start=start, ridge=np.ones(2)) == pytest.approx(start)
    none = np.zeros(0)
    assert newton(np.zeros((0, 2)), none, none, start=start, ridge=np.ones(2)).tolist() == start.tolist()


def test_a_wild_start_and_separated_data_end_at_the_minimum_all_the_same():
    rows, examined, rewarded = np.array([[1.0, 0.0], [1.0, 50.0]]), np.array([1e4, 1e4]), np.array([0.0, 1e4])
    rest = {"start": np.array([30.0, -30.0]), "ridge": np.full(2, 1e-3)}
    at = newton(rows, examined, rewarded, **rest)
    assert gradient(at, rows, examined, rewarded, **rest) == pytest.approx(np.zeros(2), abs=1e-2)
