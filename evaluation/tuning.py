"""The best global convex mix: weights of strategies that give the highest mean nDCG@10 on judged queries. The baseline to beat.

Weights are tenths that sum to 1. With up to five strategies all mixes are tried (1,001 of five), with more the best mix is climbed to
from equal weights, one tenth at a time. Ties go to the mix that stands first in ascending order.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations

import numpy as np

from evaluation.metrics import Floats
from retrievers.fusion import Lists, normalised

TENTHS = 10
TRY_ALL = 5  # strategies up to which every mix is tried
K = 10
Weights = tuple[int, ...]  # tenths, one for each strategy


def simplex(size: int, total: int = TENTHS) -> list[Weights]:
    """All tuples of `size` whole numbers that sum to `total`, ascending.

    >>> simplex(2, 2)
    [(0, 2), (1, 1), (2, 0)]
    """
    bars = combinations(range(total + size - 1), size - 1)
    return [tuple(b - a - 1 for a, b in zip((-1, *some), (*some, total + size - 1), strict=True)) for some in bars]


class MixTuner:
    """Tunes mixes over the lists of judged queries; `lists` and `gains` stand in the order of the queries."""

    def __init__(self, names: Sequence[str], lists: Sequence[Lists], gains: Sequence[Mapping[str, float]]):
        self.names = tuple(sorted(names))
        self._lists, self._gains = lists, gains
        self._known: dict[Weights, Floats] = {}

    def best(self, seen: Sequence[int]) -> dict[str, float]:
        """Strategy -> weight of the best mix on the queries with those indexes."""
        mix = self._of_all(seen) if len(self.names) <= TRY_ALL else self._climbed(seen)
        return {name: tenths / TENTHS for name, tenths in zip(self.names, mix, strict=True)}

    def scores(self, mixes: Sequence[Weights]) -> Floats:
        """nDCG@10 of every query under each mix, shape (queries, mixes)."""
        if unknown := [mix for mix in mixes if mix not in self._known]:
            weights = np.array(unknown, dtype=np.float64).T / TENTHS
            found = np.stack([self._ndcg(*pair, weights) for pair in zip(self._lists, self._gains, strict=True)])
            self._known.update(zip(unknown, found.T, strict=True))
        return np.stack([self._known[mix] for mix in mixes], axis=1)

    def _of_all(self, seen: Sequence[int]) -> Weights:
        mixes = simplex(len(self.names))
        return mixes[int(np.argmax(self.scores(mixes)[list(seen)].mean(axis=0)))]

    def _climbed(self, seen: Sequence[int]) -> Weights:
        size = len(self.names)
        now: Weights = tuple(TENTHS // size + (place < TENTHS % size) for place in range(size))
        while True:
            near = [now, *sorted(_moved(now, a, b) for a, b in permutations(range(size), 2) if now[a])]
            best = int(np.argmax(self.scores(near)[list(seen)].mean(axis=0)))
            if not best:
                return now
            now = near[best]

    def _ndcg(self, lists: Lists, gains: Mapping[str, float], weights: Floats) -> Floats:
        """nDCG@10 of one query for every column of `weights`, shape (mixes,)."""
        ids = sorted({one.entity_id for name in self.names for one in lists.get(name, ())})
        if not ids:
            return np.zeros(weights.shape[1])
        scores = [normalised(lists.get(name, ())) for name in self.names]
        table = np.array([[some.get(entity, 0.0) for some in scores] for entity in ids])
        order = np.argsort(-(table @ weights), axis=0, kind="stable")[:K]  # ids ascend: ties by id
        discounts = 1.0 / np.log2(np.arange(2, K + 2))
        gained = np.array([gains.get(entity, 0.0) for entity in ids])[order]
        ideal = np.sort(list(gains.values()))[::-1][:K]
        found: Floats = discounts[: len(order)] @ gained / (discounts[: len(ideal)] @ ideal)
        return found


def _moved(mix: Weights, a: int, b: int) -> Weights:
    out = list(mix)
    out[a], out[b] = out[a] - 1, out[b] + 1
    return tuple(out)
