"""Fixed inclusion: each arm has its own constant probability. For collecting unbiased logs, and as the plainest baseline."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learners.selection.selector import Probabilities, within
from schemas.candidates import Request


class Fixed:
    """`probability` by arm name; an arm without one is asked with 1 - floor, like an arm nobody has tried."""

    def __init__(self, probability: Mapping[str, float], *, floor: float):
        self._probability, self._floor = dict(probability), floor

    def probabilities(self, request: Request, names: Sequence[str], phi: NDArray[np.float64]) -> Probabilities:
        return within(np.array([self._probability.get(name, 1.0) for name in names], dtype=np.float64), self._floor)
