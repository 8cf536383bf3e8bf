"""How many candidates to draw from each arm: the budget goes, rank bin by rank bin, to where the next candidate finds most.

The prior is that finds fall off as 1/rank and that every arm is as good at its own depth: `RATE * depth / rank` finds a candidate, a
find being a rewarded entity that no other asked strategy found. Evidence says how many times that an arm finds (its level): Gamma-
Poisson, the arm's level drawn to 1, a bin's to the arm's, a query class's in that bin to the bin's. A bin opens after the one before
it, and beyond an arm's own depth only where evidence says that it is better than the prior: a longer list blurs the scores of its top.
The budget is what the definition's depths add up to, so without evidence the plan is those depths. It fails where what a deep bin
finds is never shown: the page decides what can be rewarded.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from learners.tallies import RANK_BINS

Reals = NDArray[np.float64]

RATE = 0.002  # finds a candidate at an arm's own depth: half a find a search that draws 50
STRENGTH = 10.0  # finds that a prior level counts as
LEAST = 10  # a page: below it an arm could not show what it is worth
MOST = 2  # times the definition's depth
_EDGES = tuple(high for _, high in RANK_BINS[:-1])
_WIDTHS = np.diff((0, *_EDGES, 2 * _EDGES[-1]))  # the last bin has no end: as wide as all before it
_DRAWN, _SOLE = 0, 2  # columns of a draw tally


def plan(draws: Reals, depths: Sequence[int]) -> NDArray[np.int32]:
    """Depth by (arm, query class), from weighted draw sums (arms, classes, bins, [drawn, found, sole]) and the definition's depths."""
    arms, classes = draws.shape[:2]
    if not arms:
        return np.zeros((0, classes), dtype=np.int32)
    own = np.array(depths)[:, None]
    ends, bins, widths = _pieces(tuple(depths))
    level = np.take_along_axis(levels(draws, depths), bins[:, None, :], 2)
    rate = level * (RATE * own / ends)[:, None, :]
    rate[np.broadcast_to((ends <= np.minimum(LEAST, own))[:, None, :], rate.shape)] = np.inf
    rate[(ends > own)[:, None, :] & (level <= 1.0)] = -np.inf
    rate = np.minimum.accumulate(rate, axis=2)  # behind a poor bin no other is reached
    cost = np.take_along_axis(_reached(draws), bins, 1) * widths  # candidates that opening a piece is expected to bring
    budget = cost[ends <= own].sum()
    by_class = rate.transpose(1, 2, 0).reshape(classes, -1)
    order = np.argsort(-by_class, axis=1, kind="stable")  # ties: the earlier piece, then the earlier arm
    costs, wide = cost.T.reshape(-1)[order], widths.T.reshape(-1)[order]
    left = np.clip(budget - (np.cumsum(costs, axis=1) - costs), 0.0, costs)
    left[np.take_along_axis(by_class, order, 1) == -np.inf] = 0.0
    taken = np.floor(wide * np.divide(left, costs, out=np.zeros_like(costs), where=costs > 0.0) + 1e-6)
    out = np.empty_like(taken)
    np.put_along_axis(out, order, taken, axis=1)
    return np.ascontiguousarray(out.reshape(classes, -1, arms).sum(axis=1).T, dtype=np.int32)


def levels(draws: Reals, depths: Sequence[int]) -> Reals:
    """How many times the prior's finds each (arm, class, bin) has, shape (arms, classes, bins); 1 without evidence."""
    prior = RATE * np.array(depths, dtype=np.float64)[:, None] / np.cumsum(_WIDTHS)
    expected, sole = draws[..., _DRAWN] * prior[:, None, :], draws[..., _SOLE]
    arm = _shrunk(sole.sum((1, 2)), expected.sum((1, 2)), 1.0)
    each_bin = _shrunk(sole.sum(1), expected.sum(1), arm[:, None])
    return _shrunk(sole, expected, each_bin[:, None, :])


def depth_choices(plan: int) -> tuple[int, int, int]:
    """{1/2, 1, 2} x plan, at least 1 and at most what a message may say."""
    return max(1, plan // 2), plan, min(2 * plan, 100_000)


def draw_depth(plan: int, jitter: float, u: float) -> tuple[int, float]:
    """(depth, its probability): the plan, but with probability `jitter` one of the three choices alike.

    >>> draw_depth(50, 0.06, 0.5), draw_depth(50, 0.06, 0.99)
    ((50, 0.96), (100, 0.02))
    """
    choices = depth_choices(plan)
    depth = plan if u < 1.0 - jitter else choices[min(2, int((u - (1.0 - jitter)) / jitter * 3))]
    return depth, round((depth == plan) * (1.0 - jitter) + jitter * choices.count(depth) / 3, 12)


@cache
def _pieces(depths: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(ends, tally bins, widths), each (arms, pieces): rank bins up to an arm's cap, cut at its own depth and at LEAST; then width 0."""
    rows = [sorted({edge for edge in (*_EDGES, depth, min(LEAST, depth), MOST * depth) if edge <= MOST * depth}) for depth in depths]
    size = max(map(len, rows), default=0)
    ends = np.array([row + row[-1:] * (size - len(row)) for row in rows], dtype=np.int64).reshape(len(rows), size)
    return ends, np.searchsorted(_EDGES, ends), np.diff(ends, prepend=0)


def _reached(draws: Reals) -> Reals:
    """Share of an arm's searches whose lists reach each bin, (arms, bins): those that filled the one before it, which bounds it.

    What a bin holds itself would not do: one that was closed has drawn nothing.
    """
    searches = draws[..., _DRAWN].sum(1) / _WIDTHS + STRENGTH
    share: Reals = np.minimum(1.0, np.concatenate([np.ones((len(draws), 1)), searches[:, :-1] / searches[:, :1]], axis=1))
    return share


def _shrunk(count: Reals, expected: Reals, start: Reals | float) -> Reals:
    level: Reals = (count + STRENGTH * start) / (expected + STRENGTH)
    return level
