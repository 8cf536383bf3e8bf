"""Epsilon-greedy inclusion: an arm that seems to pay is asked with probability 1 - epsilon / 2, any other with epsilon / 2.

The baseline that Thompson must beat: it explores good and hopeless arms alike, and as much after a million searches as after one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learners.selection.arm import Posteriors
from learners.selection.selector import Probabilities, within
from learners.selection.thompson import Rows
from schemas.candidates import Request


class EpsilonGreedy:
    """See the module; with epsilon 0 the floor still holds."""

    def __init__(self, names: Sequence[str], posteriors: Posteriors, *, costs: Mapping[str, float], floor: float, epsilon: float):
        self._rows = Rows(names, posteriors, costs)
        self._floor, self._epsilon = floor, epsilon

    def probabilities(self, request: Request, names: Sequence[str], phi: NDArray[np.float64]) -> Probabilities:
        surplus, _ = self._rows.surplus(names, phi)
        return within(np.where(surplus > 0.0, 1.0 - self._epsilon / 2, self._epsilon / 2), self._floor)
