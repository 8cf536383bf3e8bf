"""Bayesian linear regression of an arm's marginal credit on its features, from sums alone.

    A = 20 I + sum_w phi phi'      b = 20 m on the bias + sum_w y phi      mean = A^-1 b      covariance = sigma^2 A^-1
    m = (sum_w y + 20 * 0.5) / (n + 20)      sigma^2 = max(0.01, (residual sum + 20 * 0.25) / (n + 20))

So an arm nobody has tried is expected to earn 0.5 a search, give or take much; what a context is expected to earn starts from what the
arm earns anywhere (empirical Bayes: with m = 0.5 for ever, an arm that never earns was asked in thousands of searches). It fails where
credit is not near linear in phi; sigma^2 then stays large and the arm goes on being asked.
Bishop, Pattern Recognition and Machine Learning, 3.3.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

RIDGE = 20.0  # the prior weighs as much as 20 searches
PRIOR_CREDIT = 0.5
PRIOR_VARIANCE = 0.25
MIN_VARIANCE = 0.01
OWN_WEIGHT = 20.0  # searches after which the prior mean is half the arm's own
KIND_WEIGHT = 20.0  # what other arms of the kind have seen counts as at most 20 searches


class Sums(NamedTuple):
    """Weighted sums of K arms in real units: n, y, yy of shape (K,), xy (K, d), xx (K, d, d). The bias is feature 0."""

    n: Reals
    y: Reals
    yy: Reals
    xy: Reals
    xx: Reals


@dataclass(frozen=True, slots=True)
class Posteriors:
    """K arms: mean (K, d), covariance A^-1 without the noise (K, d, d), sigma2 and n (K,)."""

    mean: Reals
    covariance: Reals
    sigma2: Reals
    n: Reals


def pooled_by_kind(sums: Sums, kinds: list[str]) -> tuple[Reals, Reals]:
    """(xx, xy) that each arm inherits from the *other* arms of its kind, scaled to at most KIND_WEIGHT searches."""
    others = np.array([[float(a != b and one == two) for b, two in enumerate(kinds)] for a, one in enumerate(kinds)])
    others = others.reshape(len(kinds), len(kinds))
    n = others @ sums.n
    scale = np.minimum(1.0, KIND_WEIGHT / np.maximum(n, KIND_WEIGHT))
    return np.tensordot(others, sums.xx, 1) * scale[:, None, None], (others @ sums.xy) * scale[:, None]


def fit_arms(sums: Sums, kinds: list[str] | None = None, *, weight: float = RIDGE, mean_credit: float | Reals = PRIOR_CREDIT) -> Posteriors:
    """Posteriors of K arms. With `kinds` an arm starts from what its kind has learned; the noise is its own.

    `weight` and `mean_credit` (one number, or one for each arm) are the prior: as many searches, that earned so much.
    """
    d = sums.xy.shape[-1]
    a, b = weight * np.eye(d) + sums.xx, sums.xy.copy()
    b[:, 0] += weight * mean_credit
    if kinds is not None and len(set(kinds)) < len(kinds):
        xx, xy = pooled_by_kind(sums, kinds)
        a, b = a + xx, b + xy
    covariance = np.linalg.inv(a)
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    mean = (covariance @ b[:, :, None])[:, :, 0]
    fitted = (sums.xx @ mean[:, :, None])[:, :, 0]
    residual = np.maximum(0.0, sums.yy - 2 * (mean * sums.xy).sum(1) + (mean * fitted).sum(1))
    sigma2 = np.maximum(MIN_VARIANCE, (residual + weight * PRIOR_VARIANCE) / (sums.n + weight))
    return Posteriors(mean, covariance, sigma2, sums.n)


def own_mean(n: Reals, y: Reals, *, weight: float | Reals = OWN_WEIGHT) -> Reals:
    """The mean credit of each arm (K,), drawn to PRIOR_CREDIT as by `weight` searches; where nothing counts, PRIOR_CREDIT."""
    total = n + weight
    mean: Reals = np.divide(y + weight * PRIOR_CREDIT, total, out=np.full_like(total, PRIOR_CREDIT), where=total > 0.0)
    return mean


def no_sums(arms: int, d: int) -> Sums:
    """Sums of arms that nobody has asked yet."""
    return Sums(np.zeros(arms), np.zeros(arms), np.zeros(arms), np.zeros((arms, d)), np.zeros((arms, d, d)))
