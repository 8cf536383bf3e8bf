"""From which hour an arm's tallies are read: when what it earns has changed, what it earned before is no evidence any more.

ADWIN's test over the sums of hours and days instead of single rewards: a window is cut where the means before and after it differ by
more than

    eps = sqrt(2/m sigma^2 L) + 2/(3m) L      m = 1 / (1/n0 + 1/n1)      L = ln(2 ln(n) / delta)

Of the cuts that pass, the one after which the sums are likeliest (Poisson) is taken, and the rest is tested again until none passes.
Bifet and Gavalda, Learning from Time-Changing Data with Adaptive Windowing, SDM 2007. It is a function of sums, so the order of facts
does not matter, unlike with the sequential detector. It fails where an arm's credit swings within an hour, and is slow where an arm is
hardly asked.
"""

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

DELTA = 0.002  # of a false cut, as in River's ADWIN
RANGE = 1.0  # reward that one search commonly earns at most: a click
FULL = 0.05  # of an usual hour's searches that must have come after an hour: by then its rewards have come too
_USUAL = 24  # hours that say what is usual


def since(buckets: NDArray[np.int64], n: Reals, y: Reals, yy: Reals) -> int:
    """The bucket (hour) from which to read, 0 for all: buckets ascending, each with its searches, their credit and its squares."""
    last = _judged(n)
    start = 0
    while (cut := _cut(n[start:last], y[start:last], yy[start:last])) is not None:
        start += cut
    if start and n[start + 1 : last].sum() >= n[start]:
        start += 1  # the hour in which it changed holds both; it is left out as soon as the rest says as much
    return int(buckets[start]) if start else 0


def _judged(n: Reals) -> int:
    """How many buckets are complete: after them came at least a few searches. A search's reward comes later than the search."""
    after = np.cumsum(n[::-1])[::-1] - n
    return int(np.searchsorted(-after, -FULL * n[-_USUAL:].mean() if len(n) else 0.0, side="right"))


def _cut(n: Reals, y: Reals, yy: Reals) -> int | None:
    """The bucket that begins what is different from everything before it, if any does."""
    if len(n) < 2:
        return None
    n0, y0 = np.cumsum(n)[:-1], np.cumsum(y)[:-1]
    total, credit = n.sum(), y.sum()
    sides = (n0 > 0.0) & (n0 < total)
    if not sides.any():
        return None
    n0, y0 = np.where(sides, n0, total / 2), np.where(sides, y0, credit / 2)
    n1, y1 = total - n0, credit - y0
    variance = max(0.0, yy.sum() / total - (credit / total) ** 2)
    level = np.log(2.0 * max(1.0, np.log(total)) / DELTA)
    inverse = 1.0 / n0 + 1.0 / n1
    eps = np.sqrt(2.0 * inverse * variance * level) + 2.0 / 3.0 * inverse * RANGE * level
    passed = sides & (np.abs(y0 / n0 - y1 / n1) > eps)
    return int(np.argmax(np.where(passed, _likelihood(n0, y0) + _likelihood(n1, y1), -np.inf))) + 1 if passed.any() else None


def _likelihood(n: Reals, y: Reals) -> Reals:
    """Logarithm of the Poisson likelihood of a credit y in n searches at its own rate, but for what is the same for every cut.

    Unlike the difference of means it finds the very hour in which an arm stops earning.
    """
    y = np.maximum(y, 1e-9)
    out: Reals = y * np.log(y / n)
    return out
