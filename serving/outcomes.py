"""What came of searches, as sums of facts: experiments' results, how often something was chosen and where, whether predictions came true.

Everything is a sum over settled searches by hour, experiment, arm and kind of query; whatever is shown is read from the sums, and two
processes that saw the same conclusions hold the same sums, in whatever order they came.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from threading import Lock

import numpy as np

from learners.trials.reading import Estimate, TrialResult, read
from learners.trials.settled import COLUMNS, FINE, GROUPS, PLACES, TESTED, Cell, Ints, Settled
from schemas.base import HOUR_MS, UNIT
from schemas.outcomes import Amendment, Outcome

KEPT_HOURS = 31 * 24  # behind the newest: the longest period that is looked at
ID_HOURS = 48  # in which a copy of a conclusion may come again
OPEN = 20_000  # searches whose amendments may still come: half an hour of 11 searches a second


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


class OutcomeSums:
    """Any thread. `missed` counts amendments whose search is no longer held."""

    def __init__(self) -> None:
        self.missed = 0
        self._lock = Lock()
        self._sums: defaultdict[Cell, Ints] = defaultdict(lambda: np.zeros((GROUPS, len(COLUMNS)), dtype=np.int64))
        self._places: defaultdict[tuple[int, str, str], Ints] = defaultdict(lambda: np.zeros((PLACES, 2), dtype=np.int64))
        self._tested: defaultdict[int, Ints] = defaultdict(lambda: np.zeros(TESTED, dtype=np.int64))
        self._ids: defaultdict[int, set[int]] = defaultdict(set)
        self._open: OrderedDict[str, Settled] = OrderedDict()
        self._early: OrderedDict[str, list[Amendment]] = OrderedDict()
        self._newest = 0

    def add(self, conclusion: Outcome | Amendment) -> None:
        """Take a conclusion; a copy of one that came changes nothing. An amendment may come before its final."""
        hour = conclusion.time // HOUR_MS
        with self._lock:
            if hour <= self._newest - KEPT_HOURS or not self._new(conclusion, hour):
                return
            if isinstance(conclusion, Amendment):
                self._amend(conclusion)
            else:
                self._settle(conclusion, hour)

    def trials(self) -> list[str]:
        """Names of the experiments, the one of the newest search first."""
        with self._lock:
            last: dict[str, int] = {}
            for cell in self._sums:
                if cell.trial:
                    last[cell.trial] = max(cell.hour, last.get(cell.trial, 0))
        return sorted(last, key=lambda name: (-last[name], name))

    def kinds(self, *, since: int = 0) -> list[str]:
        """Kinds of queries (schemas.ids.query_class) that were searched since a time in ms."""
        return sorted({cell.query_class for cell, _ in self._since(since)})

    def result(self, trial: str, *, since: int = 0, until: int | None = None, query_class: str | None = None) -> TrialResult | None:
        """An experiment over the hours that begin at `since` (ms) or later and before `until`; None where it had no searches."""
        sums: defaultdict[str, Ints] = defaultdict(lambda: np.zeros((GROUPS, len(COLUMNS)), dtype=np.int64))
        hours = set()
        for cell, added in self._since(since, until):
            if cell.trial == trial and query_class in (None, cell.query_class):
                sums[cell.arm] = sums[cell.arm] + added
                hours.add(cell.hour)
        if not sums:
            return None
        return read(trial, dict(sums), first=min(hours) * HOUR_MS, last=(max(hours) + 1) * HOUR_MS)

    def results(self, *, since: int = 0) -> list[TrialResult]:
        """All experiments, the newest first."""
        found = [self.result(name, since=since) for name in self.trials()]
        return [one for one in found if one is not None]

    def by_kind(self, trial: str, *, since: int = 0) -> dict[str, TrialResult]:
        """An experiment for each kind of query."""
        found = {kind: self.result(trial, since=since, query_class=kind) for kind in self.kinds(since=since)}
        return {kind: one for kind, one in found.items() if one is not None}

    def over_time(self, trial: str, *, since: int, step: int) -> list[TrialResult]:
        """An experiment in steps of so many ms (whole hours), each by itself, oldest first; steps without searches are left out."""
        step = max(HOUR_MS, step // HOUR_MS * HOUR_MS)
        starts = sorted({cell.hour * HOUR_MS // step * step for cell, _ in self._since(since) if cell.trial == trial})
        found = [self.result(trial, since=max(since, start), until=start + step) for start in starts]
        return [one for one in found if one is not None]

    def traffic(self, *, since: int = 0, until: int | None = None, query_class: str | None = None) -> Traffic:
        """What came of the searches of the period, in or out of experiments."""
        total = np.zeros(len(COLUMNS), dtype=np.int64)
        for cell, added in self._since(since, until):
            if query_class in (None, cell.query_class):
                total = total + added.sum(axis=0)
        of = dict(zip(COLUMNS, total.tolist(), strict=True))
        return Traffic(of["searches"], of["acted"], of["empty"], of["reward"] / UNIT)

    def places(self, *, since: int = 0, trial: str | None = None, arm: str | None = None) -> list[tuple[int, int]]:
        """(shown, chosen) at each place from 1 to 20, of all searches, or of one experiment or arm ("" for outside experiments)."""
        with self._lock:
            total = np.zeros((PLACES, 2), dtype=np.int64)
            for (hour, name, side), added in self._places.items():
                if hour * HOUR_MS >= since and trial in (None, name) and arm in (None, side):
                    total = total + added
        return [(shown, chosen) for shown, chosen in total.tolist()]

    def predictions(self, theta: Sequence[float], *, since: int = 0) -> list[Prediction]:
        """Whether predictions came true, by predicted rate ascending. `theta`: how often people look, by place bin (reading.theta)."""
        with self._lock:
            total = np.zeros(TESTED, dtype=np.int64)
            for hour, added in self._tested.items():
                if hour * HOUR_MS >= since:
                    total = total + added
        looks = np.asarray(theta, dtype=np.float64)
        out = []
        for row in total:
            shown, examined = int(row[:, 0].sum()), float(row[:, 0] @ looks)
            if shown:
                predicted, came = float(row[:, 1] @ looks) / FINE / examined, int(row[:, 2].sum())
                out.append(Prediction(predicted, _rate(came, examined), examined, shown))
        return out

    def _since(self, since: int, until: int | None = None) -> Iterator[tuple[Cell, Ints]]:
        with self._lock:
            cells = [(cell, sums.copy()) for cell, sums in self._sums.items() if cell.hour * HOUR_MS >= since]
        yield from ((cell, sums) for cell, sums in cells if until is None or cell.hour * HOUR_MS < until)

    def _new(self, conclusion: Outcome | Amendment, hour: int) -> bool:
        """Whether it is no copy; then it is known. Time moves on, and what is too old goes."""
        known = hash(conclusion.final_id if isinstance(conclusion, Outcome) else conclusion.amendment_id)
        if known in self._ids[hour]:
            return False
        self._ids[hour].add(known)
        if hour > self._newest:
            self._newest = hour
            for old in [one for one in self._ids if one <= hour - ID_HOURS]:
                del self._ids[old]
            for cell in [one for one in self._sums if one.hour <= hour - KEPT_HOURS]:
                del self._sums[cell]
            for place in [one for one in self._places if one[0] <= hour - KEPT_HOURS]:
                del self._places[place]
            for old in [one for one in self._tested if one <= hour - KEPT_HOURS]:
                del self._tested[old]
        return True

    def _settle(self, outcome: Outcome, hour: int) -> None:
        settled = Settled.of(outcome, hour)
        for early in self._early.pop(outcome.final_id, ()):
            settled.amend(early.event)
        self._count(settled, 1)
        self._open[outcome.final_id] = settled
        if len(self._open) > OPEN:
            self._open.popitem(last=False)

    def _amend(self, amendment: Amendment) -> None:
        settled = self._open.get(amendment.final_id)
        if settled is None:
            self._early.setdefault(amendment.final_id, []).append(amendment)
            if len(self._early) > OPEN:
                self.missed += len(self._early.popitem(last=False)[1])
            return
        self._count(settled, -1)
        settled.amend(amendment.event)
        self._count(settled, 1)

    def _count(self, settled: Settled, sign: int) -> None:
        added, cell = settled.added(), settled.cell
        self._sums[cell][settled.group] += sign * np.array(added.columns, dtype=np.int64)
        places = self._places[cell.hour, cell.trial, cell.arm]
        for place, chosen in added.places:
            places[place] += sign, sign * chosen
        for row, place, rate, came in added.tested:
            self._tested[cell.hour][row, place] += sign, sign * rate, sign * came


def _rate(came: int, examined: float) -> Estimate:
    """A count over examinations with its 95 % interval, by the square root of a Poisson count, whose variance is 1/4."""
    low, high = (max(0.0, sqrt(came + 0.25) + sign * 0.98) ** 2 for sign in (-1.0, 1.0))
    return Estimate(came / examined, max(0.0, low - 0.25) / examined, high / examined)
