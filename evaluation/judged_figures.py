"""Figures of the closed loop on judged queries, as plain data: the JSON that `forage evaluate loop --json` prints.

    {"dataset", "protocol", "searches", "queries", "settings",
     "contenders": {NAME: {CHECKPOINT: {
        "seen" | "unseen": {"ndcg@10": {"mean", "low", "high"}, "mrr@10": {...}, "hit@10": {...}, "recall@100": {...}},
        "minus_convex": {"seen" | "unseen": {"ndcg@10": {...}, "percent": {...}}},
        "asked", "regret", "ms"}}},
     "break_even": {NAME: {"median", "worst", "runs": [...]}}}

`seen` and `unseen` are means over queries, each counted alike however often it was searched, and over the seeds and folds in which it was
so. Intervals are 95 % percentile bootstraps with queries as units: all runs of a query stay together, all figures share the resamples,
so differences are paired. `percent` is the difference in nDCG@10 over that of `convex`. `regret` is the summed nDCG@10 that the pages
shown up to the checkpoint lack against those of `convex`, mean over runs (below 0: ahead). `break_even` is the first search from which
a run's sum stays at least that of `convex`; None: never. `asked`: strategies, mean over the last 500 searches.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any, Literal

import numpy as np

from evaluation.judged_contenders import CONVEX
from evaluation.judged_loop import JudgedRun
from evaluation.judged_queries import METRICS, JudgedQuery
from evaluation.metrics import Floats, interval, resample

RESAMPLES = 1_000
Stratum = Literal["seen", "unseen"]
STRATA: tuple[Stratum, Stratum] = ("seen", "unseen")
Column = tuple[str, int, Stratum, int]  # contender, checkpoint, stratum, metric


def judged_summary(
    runs: Sequence[JudgedRun], queries: Sequence[JudgedQuery], dataset: str, *,
    settings: Mapping[str, object], resamples: int = RESAMPLES, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """All figures; `runs` holds `convex` and any others, each on the same traffics. `settings` is passed through."""
    names = list(dict.fromkeys(one.contender for one in runs))
    runs_of = {name: sorted((one for one in runs if one.contender == name), key=lambda one: (one.seed, one.fold)) for name in names}
    points = sorted(runs[0].points)
    table = _Table(runs_of, queries, points, resamples=resamples, seed=seed)
    gains = {name: _gains(some, runs_of[CONVEX]) for name, some in runs_of.items()}
    return {
        "dataset": dataset,
        "protocol": "bandit",
        "searches": len(runs[0].pages),
        "queries": len(queries),
        "settings": dict(settings),
        "contenders": {
            name: {str(point): _checkpoint(name, point, runs_of[name], gains[name], table) for point in points} for name in names
        },
        "break_even": {name: _break_even(gains[name]) for name in names if name != CONVEX},
    }


def break_even(gains: Floats) -> int | None:
    """The first search (from 1) from which the summed gain stays at least 0; None if it ends below.

    >>> break_even(np.array([-1.0, 2.0, -2.0, 1.0, 3.0])), break_even(np.array([1.0, -2.0]))
    (4, None)
    """
    behind = np.flatnonzero(np.cumsum(gains) < -1e-9)
    first = int(behind[-1]) + 2 if len(behind) else 1
    return first if first <= len(gains) else None


def _gains(runs: Sequence[JudgedRun], convex: Sequence[JudgedRun]) -> list[Floats]:
    """Per run: nDCG@10 of each page less that of convex for the same search."""
    return [one.pages - other.pages for one, other in zip(runs, convex, strict=True)]


def _break_even(gains: Sequence[Floats]) -> dict[str, Any]:
    found = [break_even(one) for one in gains]
    known = [one for one in found if one is not None]
    never = len(known) < len(found)
    return {"median": median(known) if known else None, "worst": None if never else max(known), "runs": found}


def _checkpoint(name: str, point: int, runs: Sequence[JudgedRun], gains: Sequence[Floats], table: "_Table") -> dict[str, Any]:
    out: dict[str, Any] = {
        stratum: {metric: table.figure((name, point, stratum, place)) for place, metric in enumerate(METRICS)} for stratum in STRATA
    }
    out["minus_convex"] = {stratum: table.difference((name, point, stratum, 0), (CONVEX, point, stratum, 0)) for stratum in STRATA}
    return out | {
        "asked": _mean([one.points[point].asked for one in runs]),
        "regret": _mean([-float(one[:point].sum()) for one in gains]),
        "ms": _mean([one.points[point].ms for one in runs]),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class _Table:
    """Sums by query of every column, and their resamples."""

    def __init__(
        self, runs: Mapping[str, Sequence[JudgedRun]], queries: Sequence[JudgedQuery], points: Sequence[int], *, resamples: int, seed: int
    ):
        folds = np.array([query.fold for query in queries])
        columns: list[Column] = list(product(runs, points, STRATA, range(len(METRICS))))
        self._at = {column: place for place, column in enumerate(columns)}
        sums, counts = np.zeros((len(queries), len(columns))), np.zeros((len(queries), len(columns)))
        for (name, point, stratum, metric), place in self._at.items():
            for one in runs[name]:
                mask = (folds == one.fold) == (stratum == "unseen")
                sums[:, place] += one.points[point].scores[:, metric] * mask
                counts[:, place] += mask
        self._means = _ratios(sums.sum(axis=0), counts.sum(axis=0))
        self._drawn = resample(sums, counts, resamples=resamples, seed=seed)

    def figure(self, column: Column) -> dict[str, float | None]:
        at = self._at[column]
        return _figure(self._means[at], self._drawn[:, at])

    def difference(self, column: Column, base: Column) -> dict[str, dict[str, float | None]]:
        """Absolute, and in per cent of the base."""
        at, other = self._at[column], self._at[base]
        less, drawn = self._means[at] - self._means[other], self._drawn[:, at] - self._drawn[:, other]
        below = np.where(self._drawn[:, other] > 0.0, self._drawn[:, other], np.nan)
        percent = 100.0 * less / self._means[other] if self._means[other] > 0.0 else float("nan")
        return {"ndcg@10": _figure(less, drawn), "percent": _figure(percent, 100.0 * drawn / below)}


def _ratios(sums: Floats, counts: Floats) -> Floats:
    out = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=out, where=counts > 0)
    return out


def _figure(mean: float, drawn: Floats) -> dict[str, float | None]:
    low, high = interval(drawn) or (None, None)
    return {"mean": None if np.isnan(mean) else float(mean), "low": low, "high": high}
