"""The contract of selection: probabilities from features, nothing else. Drawing from them is the policy's, by hash."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.candidates import Request

Probabilities = NDArray[np.float64]


class Selector(Protocol):
    """How likely each arm is asked. Arms are asked independently, each with its own probability.

    Never mutates; works before anything was learned and for arms it never saw; every probability lies in
    [floor, 1 - floor]; the order of the arms does not matter.
    """

    def probabilities(self, request: Request, names: Sequence[str], phi: NDArray[np.float64]) -> Probabilities:
        """Probability of asking each arm, shape (K,); `phi` has shape (K, d), in real units."""


def within(probabilities: Probabilities, floor: float) -> Probabilities:
    """Clipped to [floor, 1 - floor]: an arm is never certain, so that any other policy can be judged from the log."""
    clipped: Probabilities = np.minimum(np.maximum(probabilities, floor), 1.0 - floor)
    return clipped
