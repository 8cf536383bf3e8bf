import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.selection.arm import Sums, fit_arms, no_sums
from learners.selection.thompson import Thompson, normal_cdf
from tests.learners.requests import request


def sums(rows, ys):
    x, y = np.array(rows, dtype=float), np.array(ys, dtype=float)
    return Sums(np.array([len(y)], dtype=float), np.array([y.sum()]), np.array([y @ y]), (y @ x)[None], (x.T @ x)[None])


def test_an_untried_arm_by_hand():
    fitted = fit_arms(no_sums(1, 2))
    assert fitted.mean.tolist() == [[0.5, 0.0]]  # 10 / 20 on the bias
    assert fitted.covariance.tolist() == [[[0.05, 0.0], [0.0, 0.05]]]
    assert fitted.sigma2.tolist() == [0.25]  # (0 + 20 * 0.25) / 20


def test_known_answer_with_weight_3_and_mean_2():
    # Bias only, credits 1 and 4: A = 3 + 2 = 5, b = 3 * 2 + 5 = 11, mean 2.2; residual (1 - 2.2)^2 + (4 - 2.2)^2 = 4.68.
    fitted = fit_arms(sums([[1.0], [1.0]], [1.0, 4.0]), weight=3.0, mean_credit=2.0)
    assert fitted.mean[0, 0] == pytest.approx(2.2)
    assert fitted.covariance[0, 0, 0] == pytest.approx(0.2)
    assert fitted.sigma2[0] == pytest.approx((4.68 + 3 * 0.25) / 5)


def test_noise_has_a_floor():
    assert fit_arms(sums([[1.0]] * 5000, [0.5] * 5000)).sigma2[0] == 0.01


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_equals_least_squares_on_pseudo_observations(seed, n):
    """Ridge as data: 20 pseudo-observations sqrt(20) e_i of 0, and of sqrt(20) / 2 on the bias."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=n)
    rows, ys = np.vstack([x, np.sqrt(20) * np.eye(3)]), np.concatenate([y, [np.sqrt(20) / 2, 0.0, 0.0]])
    expected = np.linalg.lstsq(rows, ys, rcond=None)[0]
    fitted = fit_arms(sums(x.reshape(n, 3), y))
    np.testing.assert_allclose(fitted.mean[0], expected, atol=1e-9)
    np.testing.assert_allclose(fitted.sigma2[0], max(0.01, (((y - x @ expected) ** 2).sum() + 5) / (n + 20)), rtol=1e-9)


def test_a_new_arm_starts_from_its_kind_and_its_kind_weighs_at_most_20():
    old = sums([[1.0]] * 1000, [0.0] * 1000)
    new = no_sums(1, 1)
    both = Sums(*(np.concatenate([a, b]) for a, b in zip(old, new, strict=True)))
    alone, of_a_kind = fit_arms(both, ["lexical", "dense"]), fit_arms(both, ["lexical", "lexical"])
    assert alone.mean[1, 0] == 0.5
    assert of_a_kind.mean[1, 0] == pytest.approx(10 / 40)  # 20 from the prior, 20 of the 1000 searches
    assert of_a_kind.mean[0, 0] == alone.mean[0, 0]  # an untried arm lends nothing
    assert of_a_kind.sigma2[1] == 0.25  # the noise is the arm's own


def test_arms_do_not_disturb_each_other():
    rng = np.random.default_rng(5)
    one, two = (sums(rng.normal(size=(9, 4)), rng.normal(size=9)) for _ in range(2))
    both = fit_arms(Sums(*(np.concatenate([a, b]) for a, b in zip(one, two, strict=True))), ["a", "b"])
    np.testing.assert_array_equal(both.mean[1], fit_arms(two).mean[0])


@pytest.mark.parametrize(("z", "p"), [(0.0, 0.5), (1.0, 0.8413447460685429), (-1.959963984540054, 0.025), (-6.0, 9.865876450376946e-10)])
def test_normal_cdf(z, p):
    assert normal_cdf([z])[0] == pytest.approx(p, rel=1e-12)


def test_thompson_is_the_share_of_sampled_weights_that_beat_the_cost():
    rng = np.random.default_rng(1)
    fitted = fit_arms(sums(rng.normal(size=(40, 3)), rng.normal(0.1, 0.5, size=40)))
    phi = np.array([[1.0, 0.5, -0.2]])
    p = Thompson(["a"], fitted, costs={"a": 0.13}, floor=0.001).probabilities(request(), ["a"], phi)[0]
    weights = rng.multivariate_normal(fitted.mean[0], fitted.sigma2[0] * fitted.covariance[0], size=100_000)
    assert p == pytest.approx((weights @ phi[0] > 0.13).mean(), abs=4 * 0.5 / 100_000**0.5)
    assert 0.05 < p < 0.95
