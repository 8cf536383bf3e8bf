"""Integer sums per (kind, arm, context, hour): the sufficient statistics of every learner. They only ever add.

An arm's sums: n, sum y, sum y^2, sum y phi (d), upper triangle of sum phi phi' row by row. y and phi are in units of 1/256, products
of 1/65536. A draw's sums: drawn, found, sole for each rank bin.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from schemas.rows import TallyKey

Sums = NDArray[np.int64]
Tallies = dict[TallyKey, Sums]
RANK_BINS = ((1, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 100_000))
_BEFORE = np.array([low - 1 for low, _ in RANK_BINS])  # candidates in the bins before
_WIDTH = np.array([high - low + 1 for low, high in RANK_BINS])
HOURS_KEPT = 48  # whole days older than this many hours are kept by the day
DAYS_KEPT = 90  # older days, counted from the newest, are kept under hour 0 and read with weight 0


@cache
def triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of the upper triangle of a d x d matrix, row by row."""
    return np.triu_indices(d)


@cache
def _flat(d: int) -> NDArray[np.intp]:
    """The same as indices into the matrix laid out row by row."""
    rows, columns = triangle(d)
    return rows * d + columns


@cache
def rank_bin(rank: int) -> int:
    """Index into RANK_BINS."""
    return next(index for index, (low, high) in enumerate(RANK_BINS) if low <= rank <= high)


def arm_context(feature_schema: str, d: int) -> str:
    """Context of an arm's sums: the schema that a sender names, and the length of its phi, so that sums of one key always add."""
    return f"{feature_schema}/{d}"


def add(into: Tallies, more: Tallies) -> None:
    """Add sums in place; keys that are new are copied, nothing is shared."""
    for key, sums in more.items():
        have = into.get(key)
        into[key] = sums.copy() if have is None else have + sums


def fold(tallies: Tallies, newest_hour: int) -> Tallies:
    """The same sums with hours of whole days before newest - 48 h added into the day's first hour, and days past DAYS_KEPT into hour 0.

    Folding commutes with adding, and folding by an older `newest_hour` first changes nothing.
    """
    out = Tallies()
    for (kind, arm, context, hour), sums in tallies.items():
        key = (kind, arm, context, folded(hour, newest_hour))
        out[key] = out[key] + sums if key in out else sums.copy()
    return out


def folded(hour: int, newest_hour: int) -> int:
    """The hour under which an hour's sums are kept."""
    if hour >= (newest_hour - HOURS_KEPT) // 24 * 24:
        return hour
    return hour // 24 * 24 if newest_hour // 24 - hour // 24 <= DAYS_KEPT else 0


class TallyBatch:
    """Collects what a batch of searches adds, and forms products once: sum phi phi' in float64, exact below 2^53."""

    def __init__(self) -> None:
        self._asked: dict[TallyKey, list[list[int]]] = {}
        self._returned: dict[TallyKey, list[int]] = {}
        self._sums: Tallies = {}

    def asked(self, arm: str, feature_schema: str, hour: int, phi: list[int]) -> None:
        """One search asked the arm with features phi: n += 1, A += phi phi', reward so far 0."""
        self._asked.setdefault(("arm", arm, arm_context(feature_schema, len(phi)), hour), []).append(phi)

    def credit(self, arm: str, feature_schema: str, hour: int, phi: list[int], before: int, after: int) -> None:
        """The search's credit for the arm went from `before` to `after`: b and the moments of y follow."""
        d = len(phi)
        sums = self._at(("arm", arm, arm_context(feature_schema, d), hour), 3 + d + d * (d + 1) // 2)
        sums[1] += after - before
        sums[2] += after * after - before * before
        sums[3 : 3 + d] += (after - before) * np.array(phi, dtype=np.int64)

    def drawn(self, strategy: str, query_class: str, hour: int, returned: int) -> None:
        """One search got `returned` candidates from a strategy."""
        self._returned.setdefault(("draw", strategy, query_class, hour), []).append(returned)

    def draw(self, arm: str, query_class: str, hour: int, rank_bin: int, column: int, count: int) -> None:
        """Add to found (column 1) or sole (2) of one rank bin."""
        self._at(("draw", arm, query_class, hour), 3 * len(RANK_BINS))[3 * rank_bin + column] += count

    def _at(self, key: TallyKey, size: int) -> Sums:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = np.zeros(size, dtype=np.int64)
        return sums

    def take(self) -> Tallies:
        """All sums of the batch."""
        for key, rows in self._asked.items():
            phi = np.array(rows, dtype=np.float64)
            d = phi.shape[1]
            sums = self._at(key, 3 + d + d * (d + 1) // 2)
            sums[0] += len(rows)
            sums[3 + d :] += (phi.T @ phi).ravel()[_flat(d)].astype(np.int64)
        for key, counts in self._returned.items():
            drawn = np.minimum(np.maximum(np.array(counts, dtype=np.int64)[:, None] - _BEFORE, 0), _WIDTH)
            self._at(key, 3 * len(RANK_BINS))[::3] += drawn.sum(axis=0)
        self._asked, self._returned = {}, {}
        out, self._sums = self._sums, {}
        return out
