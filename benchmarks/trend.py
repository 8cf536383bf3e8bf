"""Does a figure grow over a run? A straight line through its samples, and a verdict by a bar that is stated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

CERTAIN = 2.0  # standard errors that a slope must be away from 0 to count


@dataclass(frozen=True)
class Trend:
    """`mean` of the samples, `slope` an hour with its standard error, and `growth`: what the line rises by from the first sample to the
    last. `bar`: how much of growth is still flat."""

    mean: float
    slope: float
    error: float
    growth: float
    bar: float

    @property
    def flat(self) -> bool:
        """Growth below the bar, or not to be told from noise. Falling is flat."""
        return self.growth <= self.bar or self.slope <= CERTAIN * self.error

    @property
    def verdict(self) -> str:
        return "flat" if self.flat else "growing"


def trend(seconds: Sequence[float], values: Sequence[float], *, share: float, least: float) -> Trend:
    """Least squares. The bar is `share` of the mean, but not less than `least`. Raises ValueError below three samples.

    >>> one = trend([0, 1800, 3600], [10.0, 11.0, 12.0], share=0.1, least=0.5)
    >>> one.slope, one.growth, one.verdict
    (2.0, 2.0, 'growing')
    """
    count = len(seconds)
    if count != len(values) or count < 3:
        raise ValueError(f"a trend needs three samples with their times, not {count} and {len(values)}")
    middle, mean = sum(seconds) / count, sum(values) / count
    spread = sum((at - middle) ** 2 for at in seconds)
    slope = sum((at - middle) * (value - mean) for at, value in zip(seconds, values, strict=True)) / spread
    rest = sum((value - mean - slope * (at - middle)) ** 2 for at, value in zip(seconds, values, strict=True))
    error = sqrt(rest / (count - 2) / spread)
    return Trend(mean, 3600 * slope, 3600 * error, slope * (max(seconds) - min(seconds)), max(share * mean, least))
