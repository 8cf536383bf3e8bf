"""How people click on a page of known gains: the truth of a simulation, hidden from what learns from it.

A model is a function of the page's gains, best position first, and of a generator; it gives the clicked positions, from 1. It takes the
same draws whatever is on the page, so that two contenders who show the same at a position are answered the same there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from schemas.errors import InvalidSetting

ClickModel = Callable[[Sequence[float], Random], list[int]]
POSITION_BIAS = 0.7
# Gain -> chance of a click on what is looked at. Between two gains on a straight line; gains of 0 and of nothing judged alike.
ATTRACTION = ((0.0, 0.03), (0.01, 0.08), (0.1, 0.2), (1.0, 0.6))


def attraction(gain: float) -> float:
    """Chance of a click on a result of that gain in [0, 1], once it is looked at.

    >>> [round(attraction(gain), 3) for gain in (1.0, 0.1, 0.01, 0.0, 0.55)]
    [0.6, 0.2, 0.08, 0.03, 0.4]
    """
    for (low, at_low), (high, at_high) in pairwise(ATTRACTION):
        if gain <= high:
            return at_low + (at_high - at_low) * max(0.0, gain - low) / (high - low)
    return ATTRACTION[-1][1]


def click_rate(position: int, gain: float) -> float:
    """P(click) = position^-0.7 * attraction(gain): what is looked at depends on the position alone."""
    return float(position**-POSITION_BIAS) * attraction(gain)


def position_based(gains: Sequence[float], rng: Random) -> list[int]:
    """Each position on its own by `click_rate`. Richardson, Dominowska and Ragno (2007), "Predicting clicks"; Craswell et al. (2008)."""
    return [at for at, gain in enumerate(gains, 1) if rng.random() < click_rate(at, gain)]


@dataclass(frozen=True)
class Cascade:
    """People read from the top, at most `patience` results, click what attracts them, and leave after a click with `satisfied`.

    Craswell et al. (2008), "An experimental comparison of click position-bias models": its cascade has satisfied = 1. So a position is
    looked at with a chance that depends on what stands above it. Raises InvalidSetting.
    """

    patience: int
    satisfied: float = 1.0

    def __post_init__(self) -> None:
        if self.patience < 1 or not 0.0 <= self.satisfied <= 1.0:
            raise InvalidSetting(f"cascade with patience {self.patience} and satisfied {self.satisfied}; use at least 1, and a probability")

    def __call__(self, gains: Sequence[float], rng: Random) -> list[int]:
        draws = [(at, gain, rng.random(), rng.random()) for at, gain in enumerate(gains, 1)]
        clicked = []
        for at, gain, click, leave in draws[: self.patience]:
            if click < attraction(gain):
                clicked.append(at)
                if leave < self.satisfied:
                    break
        return clicked

    def examined(self, gains: Sequence[float]) -> list[float]:
        """Chance that each position of a page is looked at: the truth that an examination model should find."""
        out, reads = [], 1.0
        for at, gain in enumerate(gains, 1):
            out.append(reads if at <= self.patience else 0.0)
            reads *= 1.0 - attraction(gain) * self.satisfied
        return out
