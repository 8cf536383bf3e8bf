"""What came of searches, as sums of facts: experiments' results, how often something was chosen and where, whether predictions came true.

Everything is a sum over settled searches by slot of time, experiment, arm and kind of query; whatever is shown is read from the sums, and
two processes that saw the same conclusions hold the same sums, in whatever order they came.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from threading import Lock
from typing import TypeVar

import numpy as np

from learners.trials.reading import Estimate, TrialResult, read
from learners.trials.settled import COLUMNS, FINE, GROUPS, PLACES, TESTED, Cell, Ints, Settled
from schemas.base import HOUR_MS, UNIT
from schemas.outcomes import Amendment, Outcome

KEPT = 31 * 24  # slots behind the newest: with hours the longest period that is looked at
ID_MS = 48 * HOUR_MS  # in which a copy of a conclusion may come again
OPEN = 20_000  # searches whose amendments may still come: half an hour of 11 searches a second
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Traffic:
    """Searches of a period, all arms: how many, how many of them with a rewarded action or without a result; reward, a click being 1."""

    searches: int
    acted: int
    empty: int
    reward: float


@dataclass(frozen=True)
class Prediction:
    """Results that were predicted to be chosen about so often when looked at: the mean prediction, how often it came true, and over how
    many examinations. Positions are corrected for by how often people look there."""

    predicted: float
    came: Estimate
    examined: float
    shown: int


class _Gathered:
    """Sums of an experiment by arm, and the slots they are of."""

    def __init__(self) -> None:
        self.arms: dict[str, Ints] = {}
        self.slots: list[int] = []

    def add(self, cell: Cell, sums: Ints) -> None:
        self.arms[cell.arm] = self.arms[cell.arm] + sums if cell.arm in self.arms else sums.astype(np.int64)
        self.slots.append(cell.slot)

    def result(self, trial: str, every: int) -> TrialResult:
        return read(trial, self.arms, first=min(self.slots) * every, last=(max(self.slots) + 1) * every)


class OutcomeSums:
    """Any thread. `missed` counts amendments whose search is no longer held.

    `every`: length of a slot in ms; periods that are asked for begin and end with slots. Without `forget` everything is kept, for who reads
    a history once, in any order; memory grows with it.
    """

    def __init__(self, *, every: int = HOUR_MS, forget: bool = True) -> None:
        self.missed, self.every = 0, every
        self._forget = forget
        self._lock = Lock()
        self._sums: dict[Cell, Ints] = {}  # (GROUPS, COLUMNS), (1, COLUMNS) outside experiments
        self._places: defaultdict[tuple[int, str, str], Ints] = defaultdict(lambda: np.zeros((PLACES, 2), dtype=np.int64))
        self._tested: defaultdict[int, Ints] = defaultdict(lambda: np.zeros(TESTED, dtype=np.int64))
        self._ids: defaultdict[int, set[int]] = defaultdict(set)  # hashes by slot; of slots that are over most stand in `_packed`
        self._packed: dict[int, Ints] = {}  # sorted: 8 bytes an id instead of 77
        self._open: OrderedDict[str, Settled] = OrderedDict()
        self._early: OrderedDict[str, list[Amendment]] = OrderedDict()
        self._newest = 0

    def add(self, conclusion: Outcome | Amendment) -> None:
        """Take a conclusion; a copy of one that came changes nothing. An amendment may come before its final."""
        slot = conclusion.time // self.every
        with self._lock:
            if (self._forget and slot <= self._newest - KEPT) or not self._new(conclusion, slot):
                return
            if isinstance(conclusion, Amendment):
                self._amend(conclusion)
            else:
                self._settle(conclusion, slot)

    def trials(self) -> list[str]:
        """Names of the experiments, the one of the newest search first."""
        with self._lock:
            last: dict[str, int] = {}
            for cell in self._sums:
                if cell.trial:
                    last[cell.trial] = max(cell.slot, last.get(cell.trial, 0))
        return sorted(last, key=lambda name: (-last[name], name))

    def result(self, trial: str, *, since: int = 0, until: int | None = None, query_class: str | None = None) -> TrialResult | None:
        """An experiment over the slots that begin at `since` (ms) or later and before `until`; None where it had no searches."""
        found = self._gathered(trial, since, lambda cell: query_class in (None, cell.query_class), until)
        return found[True].result(trial, self.every) if True in found else None

    def results(self, *, since: int = 0) -> list[TrialResult]:
        """All experiments, the newest first."""
        found = [self.result(name, since=since) for name in self.trials()]
        return [one for one in found if one is not None]

    def by_kind(self, trial: str, *, since: int = 0) -> dict[str, TrialResult]:
        """An experiment for each kind of query (schemas.ids.query_class)."""
        found = self._gathered(trial, since, lambda cell: cell.query_class)
        return {kind: found[kind].result(trial, self.every) for kind in sorted(found)}

    def over_time(self, trial: str, *, since: int, step: int) -> list[TrialResult]:
        """An experiment in steps of so many ms (whole slots), each by itself, oldest first; steps without searches are left out."""
        slots = max(1, step // self.every)
        found = self._gathered(trial, since, lambda cell: cell.slot // slots)
        return [found[start].result(trial, self.every) for start in sorted(found)]

    def kinds(self, *, since: int = 0) -> list[str]:
        """Kinds of queries that were searched since a time in ms."""
        with self._lock:
            return sorted({cell.query_class for cell in self._sums if cell.slot * self.every >= since})

    def traffic(self, *, since: int = 0, until: int | None = None, query_class: str | None = None) -> Traffic:
        """What came of the searches of the period, in or out of experiments."""
        total = np.zeros(len(COLUMNS), dtype=np.int64)
        with self._lock:
            for cell, sums in self._sums.items():
                if _within(cell.slot * self.every, since, until) and query_class in (None, cell.query_class):
                    total = total + sums.sum(axis=0)
        of = dict(zip(COLUMNS, total.tolist(), strict=True))
        return Traffic(of["searches"], of["acted"], of["empty"], of["reward"] / UNIT)

    def places(self, *, since: int = 0, trial: str | None = None, arm: str | None = None) -> list[tuple[int, int]]:
        """(shown, chosen) at each place from 1 to 20, of all searches, or of one experiment or arm ("" for outside experiments)."""
        with self._lock:
            total = np.zeros((PLACES, 2), dtype=np.int64)
            for (slot, name, side), added in self._places.items():
                if slot * self.every >= since and trial in (None, name) and arm in (None, side):
                    total = total + added
        return [(shown, chosen) for shown, chosen in total.tolist()]

    def predictions(self, theta: Sequence[float], *, since: int = 0) -> list[Prediction]:
        """Whether predictions came true, by predicted rate ascending. `theta`: how often people look, by place bin (reading.theta)."""
        with self._lock:
            total = np.zeros(TESTED, dtype=np.int64)
            for slot, added in self._tested.items():
                if slot * self.every >= since:
                    total = total + added
        looks = np.asarray(theta, dtype=np.float64)
        out = []
        for row in total:
            shown, examined = int(row[:, 0].sum()), float(row[:, 0] @ looks)
            if shown:
                predicted, came = float(row[:, 1] @ looks) / FINE / examined, int(row[:, 2].sum())
                out.append(Prediction(predicted, _rate(came, examined), examined, shown))
        return out

    def _gathered(self, trial: str, since: int, by: Callable[[Cell], K], until: int | None = None) -> dict[K, _Gathered]:
        found: dict[K, _Gathered] = {}
        with self._lock:
            for cell, sums in self._sums.items():
                if cell.trial == trial and _within(cell.slot * self.every, since, until):
                    found.setdefault(by(cell), _Gathered()).add(cell, sums)
        return found

    def _new(self, conclusion: Outcome | Amendment, slot: int) -> bool:
        """Whether it is no copy; then it is known. Time moves on, and what is too old goes."""
        known = hash(conclusion.final_id if isinstance(conclusion, Outcome) else conclusion.amendment_id)
        if known in self._ids[slot] or _holds(self._packed.get(slot), known):
            return False
        self._ids[slot].add(known)
        if slot > self._newest:
            self._newest = slot
            if self._forget:
                self._sums = {cell: sums for cell, sums in self._sums.items() if cell.slot > slot - KEPT}
                for old in [one for one in self._ids if one <= slot - ID_MS // self.every]:
                    del self._ids[old]
                    self._packed.pop(old, None)
                for over in [one for one, ids in self._ids.items() if one < slot - 1 and ids]:
                    ids = np.fromiter(self._ids[over], np.int64, len(self._ids[over]))
                    self._packed[over] = np.sort(np.concatenate([self._packed.get(over, ids[:0]), ids]))
                    self._ids[over] = set()
                for place in [one for one in self._places if one[0] <= slot - KEPT]:
                    del self._places[place]
                for old in [one for one in self._tested if one <= slot - KEPT]:
                    del self._tested[old]
        return True

    def _settle(self, outcome: Outcome, slot: int) -> None:
        settled = Settled.of(outcome, slot)
        for early in self._early.pop(outcome.final_id, ()):
            settled.amend(early.event)
        self._count(settled, 1)
        self._open[outcome.final_id] = settled
        if self._forget and len(self._open) > OPEN:
            self._open.popitem(last=False)

    def _amend(self, amendment: Amendment) -> None:
        settled = self._open.get(amendment.final_id)
        if settled is None:
            self._early.setdefault(amendment.final_id, []).append(amendment)
            if self._forget and len(self._early) > OPEN:
                self.missed += len(self._early.popitem(last=False)[1])
            return
        self._count(settled, -1)
        settled.amend(amendment.event)
        self._count(settled, 1)

    def _count(self, settled: Settled, sign: int) -> None:
        added, cell = settled.added(), settled.cell
        if (sums := self._sums.get(cell)) is None:
            sums = self._sums[cell] = np.zeros((GROUPS if cell.trial else 1, len(COLUMNS)), dtype=np.int64)
        sums[settled.group % len(sums)] += sign * np.array(added.columns, dtype=np.int64)
        places = self._places[cell.slot, cell.trial, cell.arm]
        for place, chosen in added.places:
            places[place] += sign, sign * chosen
        for row, place, rate, came in added.tested:
            self._tested[cell.slot][row, place] += sign, sign * rate, sign * came


def _holds(packed: Ints | None, known: int) -> bool:
    if packed is None or not len(packed):
        return False
    at = int(np.searchsorted(packed, known))
    return at < len(packed) and int(packed[at]) == known


def _within(begin: int, since: int, until: int | None) -> bool:
    return begin >= since and (until is None or begin < until)


def _rate(came: int, examined: float) -> Estimate:
    """A count over examinations with its 95 % interval, by the square root of a Poisson count, whose variance is 1/4."""
    low, high = (max(0.0, sqrt(came + 0.25) + sign * 0.98) ** 2 for sign in (-1.0, 1.0))
    return Estimate(came / examined, max(0.0, low - 0.25) / examined, high / examined)
