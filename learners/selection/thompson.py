"""Thompson inclusion: an arm is asked with the probability that it earns more than it costs.

    p = clip( Phi( (mu - c) / (sigma sqrt(phi' A^-1 phi)) ), floor, 1 - floor )      mu = mean'phi

This is the closed form of "sample the arm's weights from their posterior, ask it if the sampled credit exceeds the cost", so the
propensity is exact and no random numbers are needed. Thompson, Biometrika 25 (1933); Agrawal and Goyal, ICML 2013. It explores by
doubt only: where the model is wrong and sure of it, the floor alone finds out.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from learners.selection.arm import Posteriors, fit_arms, no_sums
from learners.selection.selector import Probabilities, within
from schemas.candidates import Request

_SQRT2 = sqrt(2.0)


def normal_cdf(z: Sequence[float]) -> Probabilities:
    """Phi of each, to double precision. The arms of a search are few: a loop over C's erfc beats any vectorised series."""
    return np.array([0.5 * erfc(-x / _SQRT2) for x in z], dtype=np.float64)


@cache
def _untrained(d: int) -> Posteriors:
    return fit_arms(no_sums(1, d))


class Rows:
    """Posterior means and scaled roots by arm name, with the untrained arm as the row of every unknown name."""

    def __init__(self, names: Sequence[str], posteriors: Posteriors, costs: Mapping[str, float]):
        d = posteriors.mean.shape[1]
        start = _untrained(d)
        self._index = {name: index for index, name in enumerate(names)}
        self._names = list(names)
        self._mean = np.concatenate([posteriors.mean, start.mean])
        covariance = np.concatenate([posteriors.covariance, start.covariance])
        sigma2 = np.concatenate([posteriors.sigma2, start.sigma2])
        self._root = np.linalg.cholesky(covariance) * np.sqrt(sigma2)[:, None, None]
        self._cost = np.array([costs[name] for name in names] + [max(costs.values(), default=0.0)])

    def surplus(self, names: Sequence[str], phi: NDArray[np.float64]) -> tuple[Probabilities, Probabilities]:
        """(expected credit less cost, its standard deviation), each of shape (K,)."""
        if list(names) == self._names:
            rows: NDArray[np.intp] | slice = slice(0, len(self._names))
        else:
            rows = np.array([self._index.get(name, len(self._names)) for name in names], dtype=np.intp)
        spread = (phi[:, None, :] @ self._root[rows])[:, 0, :]
        return (phi * self._mean[rows]).sum(1) - self._cost[rows], np.sqrt((spread * spread).sum(1))


class Thompson:
    """See the module. `costs` by arm name; an unknown arm has the untrained posterior and the highest cost."""

    def __init__(self, names: Sequence[str], posteriors: Posteriors, *, costs: Mapping[str, float], floor: float):
        self._rows = Rows(names, posteriors, costs)
        self._floor = floor

    def probabilities(self, request: Request, names: Sequence[str], phi: NDArray[np.float64]) -> Probabilities:
        surplus, sd = self._rows.surplus(names, phi)
        return within(normal_cdf((surplus / np.maximum(sd, 1e-12)).tolist()), self._floor)
