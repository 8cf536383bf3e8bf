"""From tallies to a policy: sums are added by day, weighted by age, and every arm is fitted. A function of the set of facts.

Age counts whole days from the newest day, weight = 2^(-24 * days / half_life_hours): hours and the days that they are folded into
read alike, and addition in int64 before anything is weighted makes order and batching disappear.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.arrays import pack
from learners.definition import Definition
from learners.draw import plan
from learners.drift import since
from learners.features import ARM_FEATURES, QUERY_CLASSES, class_index
from learners.selection.arm import OWN_WEIGHT, PRIOR_CREDIT, Posteriors, Sums, fit_arms, own_mean
from learners.tallies import DAYS_KEPT, HOURS_KEPT, RANK_BINS, Tallies, arm_context, triangle
from schemas.base import UNIT
from schemas.snapshots import Array, Content

RECORD_WEIGHT = 10.0  # searches that a class's record leans on the arm's whole record, and that on PRIOR_CREDIT
MODEL = "selection-1"
_D = len(ARM_FEATURES.names)
_ARM_SIZE = 3 + _D + _D * (_D + 1) // 2
_CONTEXT = arm_context(ARM_FEATURES.hash, _D)
_CLASSES = len(QUERY_CLASSES)
_FIRST_BIN = RANK_BINS[0][1]
_BINS = len(RANK_BINS)


def _square() -> NDArray[np.intp]:
    """Position in an arm's sums of each element of phi phi', shape (d, d)."""
    rows, columns = triangle(_D)
    at = np.empty((_D, _D), dtype=np.intp)
    at[rows, columns] = at[columns, rows] = np.arange(3 + _D, _ARM_SIZE)
    return at


_SQUARE = _square()


class _Hours:
    """Exact int64 sums by hour, and by whole day before the last 48 hours: a store may have folded them, so both must read alike."""

    def __init__(self, size: int):
        self._sums: dict[int, NDArray[np.int64]] = {}
        self._first = np.zeros(0, dtype=np.int64)
        self._matrix: NDArray[np.int64] | None = np.zeros((0, size), dtype=np.int64)  # rows by first hour; None while one is not in it
        self._size, self._keep = size, 0
        self._days: dict[
            tuple[int, float, int], tuple[int, NDArray[np.intp], NDArray[np.float64]]
        ] = {}  # what `weighted` needs of the hours

    def add(self, hour: int, sums: NDArray[np.int64]) -> None:
        first = hour if hour >= self._keep else hour // 24 * 24
        have = self._sums.get(first)
        if have is None:
            self._sums[first] = have = np.zeros(self._size, dtype=np.int64)
            self._matrix = None
        have += sums
        if not have.any():  # an hour that was taken back (erased, folded elsewhere) leaves no trace, not even in rounding
            del self._sums[first]
            self._matrix = None
        elif self._matrix is not None:
            self._matrix[np.searchsorted(self._first, first)] = have

    def read(self, newest_day: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(first hours, ascending; sums): hours of the last days, whole days before. `newest_day` never falls."""
        keep = (newest_day - HOURS_KEPT // 24) * 24
        if keep > self._keep:
            self._keep, old, self._sums, self._matrix = keep, self._sums, {}, None
            for hour, sums in old.items():
                self.add(hour, sums)
        if self._matrix is None:
            self._first = np.array(sorted(self._sums), dtype=np.int64)
            self._days = {}
            self._matrix = np.array([self._sums[hour] for hour in self._first.tolist()], dtype=np.int64).reshape(-1, self._size)
        return self._first, self._matrix

    def weighted(self, newest_day: int, half_life_days: float, since: int) -> NDArray[np.float64]:
        """sum_day 2^(-age / half life) * sums from hour `since` on, none past DAYS_KEPT. Days are added first and in order, so that
        nothing rounds anew."""
        first, sums = self.read(newest_day)
        if (at := (newest_day, half_life_days, since)) not in self._days:
            begin = int(np.searchsorted(first, since))
            days = first[begin:] // 24
            starts = np.flatnonzero(np.diff(days, prepend=-1))
            ages = np.maximum(0.0, float(newest_day) - days[starts])
            weights = np.where(ages > DAYS_KEPT, 0.0, np.exp2(-ages / half_life_days))
            self._days = {at: (begin, starts, weights)}
        begin, starts, weights = self._days[at]
        by_day = np.add.reduceat(sums[begin:], starts) if len(starts) else sums[begin:]
        out: NDArray[np.float64] = weights @ by_day.astype(np.float64)
        return out


class Accumulator:
    """Keeps the sums of every arm of a definition and refits only what changed; equal to `fit` of all that was added."""

    def __init__(self, definition: Definition):
        self.definition = definition
        self._row = {arm.name: row for row, arm in enumerate(definition.arms)}
        self._plain = Content({"model": MODEL, "feature_schema": ARM_FEATURES.hash, "policy": definition.model_dump(mode="json")}, {})
        self._arms = [_Hours(_ARM_SIZE) for _ in definition.arms]
        self._draws = [_Hours(_CLASSES * _BINS * 3) for _ in definition.arms]
        self._dirty = set(range(len(definition.arms)))
        self._weighted = np.zeros((len(definition.arms), _ARM_SIZE))
        self._drawn = np.zeros((len(definition.arms), _CLASSES, _BINS, 3))
        self._since = np.zeros(len(definition.arms), dtype=np.int32)
        self._newest_day = -1
        self.newest_hour = 0

    def add(self, tallies: Tallies) -> None:
        """Add sums (not absolute values). Sums of unknown arms and of other feature schemas are left alone."""
        for (kind, arm, context, hour), sums in tallies.items():
            self.newest_hour = max(self.newest_hour, hour)
            row = self._row.get(arm)
            if row is None:
                continue
            if kind == "arm" and context == _CONTEXT and len(sums) == _ARM_SIZE:
                self._arms[row].add(hour, sums)
            elif kind == "draw" and len(sums) == 3 * _BINS:
                by_class = np.zeros((_CLASSES, 3 * _BINS), dtype=np.int64)
                by_class[class_index(context)] = sums
                self._draws[row].add(hour, by_class.ravel())
            else:
                continue
            self._dirty.add(row)

    def content(self, newest_hour: int | None = None, models: Mapping[str, Array] = MappingProxyType({})) -> Content:
        """The fitted policy as of `newest_hour` (by default the newest hour that was added), with the arrays of fitted models."""
        day = (self.newest_hour if newest_hour is None else newest_hour) // 24
        if day != self._newest_day:
            self._newest_day, self._dirty = day, set(range(len(self._arms)))
        half_life = self.definition.half_life_hours / 24
        for row in self._dirty:
            self._since[row] = since(*self._earned(row, day))
            self._weighted[row] = self._arms[row].weighted(day, half_life, self._since[row])
            self._drawn[row] = self._draws[row].weighted(day, half_life, self._since[row]).reshape(_CLASSES, _BINS, 3)
        self._dirty.clear()
        sums = _sums(self._weighted)
        # An arm that has changed is no untried one: of it one expects what it earned since.
        start = own_mean(sums.n, sums.y, weight=np.where(self._since > 0, 0.0, OWN_WEIGHT))
        arrays = {
            **_arrays(fit_arms(sums, [arm.kind for arm in self.definition.arms], mean_credit=start)),
            "record": running_record(self._drawn),
            "draw.plan": plan(self._drawn, [arm.depth for arm in self.definition.arms]),
            "since": self._since,
        }
        return self._plain.holding({**models, **{name: pack(one) for name, one in arrays.items()}})

    def _earned(self, row: int, day: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Searches that asked the arm, its credit and the squares, by first hour."""
        first, sums = self._arms[row].read(day)
        return first, sums[:, 0].astype(np.float64), sums[:, 1] / UNIT, sums[:, 2] / (UNIT * UNIT)


def running_record(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each arm alone found and was rewarded for, per search with results, by (arm, QUERY_CLASSES), in [0, 1].

    `draws` as in `draw.plan`: a search with results draws the whole first rank bin.
    """
    searches, sole = draws[:, :, 0, 0] / _FIRST_BIN, draws[..., 2].sum(-1)
    overall = (sole.sum(-1) + RECORD_WEIGHT * PRIOR_CREDIT) / (searches.sum(-1) + RECORD_WEIGHT)
    record: NDArray[np.float64] = np.minimum(1.0, (sole + RECORD_WEIGHT * overall[:, None]) / (searches + RECORD_WEIGHT))
    return record


def _sums(weighted: NDArray[np.float64]) -> Sums:
    """Weighted integer sums (K, 3 + d + d (d + 1) / 2) in real units."""
    square = UNIT * UNIT
    return Sums(
        weighted[:, 0],
        weighted[:, 1] / UNIT,
        weighted[:, 2] / square,
        weighted[:, 3 : 3 + _D] / square,
        weighted[:, _SQUARE] / square,
    )


def _arrays(fitted: Posteriors) -> dict[str, NDArray[Any]]:
    return {"mean": fitted.mean, "covariance": fitted.covariance, "sigma2": fitted.sigma2, "n": fitted.n}


def fit(definition: Definition, tallies: Tallies, newest_hour: int) -> Content:
    """A policy from sums over all partitions. Equal sums give equal bytes, whatever their order or folding."""
    every = Accumulator(definition)
    every.add(tallies)
    return every.content(newest_hour)
