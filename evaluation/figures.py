"""Figures of a finished replay, as plain data: the JSON that `forage evaluate loop --json` prints.

    {"dataset", "protocol", "searches", "clicks", "settings", "contenders": {NAME: {CHECKPOINT: {
        "seen" | "unseen" | "overall": {"clicks", "hit@10": {"mean", "low", "high"}, "mrr@10": {...}},
        "minus_rrf": {"hit@10": {...}, "mrr@10": {...}},     (overall, paired; where `rrf` took part)
        "asked", "asked_share": {STRATEGY: share}, "regret": None, "ms"}}}}

Checkpoints: `all`, and `second_half` of the searches in order of time. `hit@10` is the share of clicked entities that stood among the
first ten, `mrr@10` their mean 1 / rank there. `low` and `high` bound the 95 % bootstrap interval with searches as its units; every
figure shares the same resamples. `asked` is the mean number of strategies asked, `ms` the mean time of an answer. `regret` needs
judgments, which a click log has not: None. A stratum without clicks has None in place of figures.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from evaluation.contenders import RRF
from evaluation.loop import PAGE, Judged, Replayed
from evaluation.metrics import Floats, interval, resample

CHECKPOINTS = ("all", "second_half")
STRATA = ("overall", "seen", "unseen")
METRICS = (f"hit@{PAGE}", f"mrr@{PAGE}")
RESAMPLES = 1_000  # the ends of a 95 % interval then move by under a tenth of its width between seeds
Cell = tuple[str, str]  # checkpoint, stratum
Column = tuple[str, str, str, str]  # contender, checkpoint, stratum, metric


def summary(
    replayed: Replayed, dataset: str, *, settings: Mapping[str, object], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """All figures. `settings` is what the reader must know to repeat the run (thresholds, depths, salt); it is passed through."""
    masks = _masks(replayed)
    columns = [(name, *cell, metric) for name, cell, metric in product(replayed.judged, masks, METRICS)]
    sums = np.stack([_values(replayed.judged[name], metric) * masks[point, stratum] for name, point, stratum, metric in columns], axis=1)
    counts = np.stack([replayed.clicks * masks[point, stratum] for _, point, stratum, _ in columns], axis=1)
    table = _Table(columns, sums.sum(axis=0), counts.sum(axis=0), resample(sums, counts, resamples=resamples, seed=seed))
    found = {
        name: {point: _checkpoint(name, point, judged, table, masks) for point in CHECKPOINTS} for name, judged in replayed.judged.items()
    }
    return {
        "dataset": dataset,
        "protocol": replayed.protocol,
        "searches": len(replayed.clicks),
        "clicks": int(replayed.clicks.sum()),
        "settings": dict(settings),
        "contenders": found,
    }


def _masks(replayed: Replayed) -> dict[Cell, Floats]:
    size = len(replayed.clicks)
    points = {"all": np.ones(size), "second_half": (np.arange(size) >= size // 2).astype(np.float64)}
    strata = {"overall": np.ones(size), "seen": replayed.seen, "unseen": 1.0 - replayed.seen}
    return {(point, stratum): points[point] * strata[stratum] for point, stratum in product(CHECKPOINTS, STRATA)}


def _values(judged: Judged, metric: str) -> Floats:
    return judged.hits if metric == METRICS[0] else judged.reciprocal


class _Table:
    """Point figures and their resamples by column."""

    def __init__(self, columns: Sequence[Column], sums: Floats, counts: Floats, resampled: Floats):
        self._at = {column: place for place, column in enumerate(columns)}
        self._sums, self._counts, self._resampled = sums, counts, resampled

    def clicks(self, column: Column) -> int:
        return int(self._counts[self._at[column]])

    def has(self, contender: str) -> bool:
        return any(column[0] == contender for column in self._at)

    def figure(self, column: Column, minus: Column | None = None) -> dict[str, float | None]:
        """Mean and interval of a column, or of its difference from another over the same clicks."""
        at, other = self._at[column], None if minus is None else self._at[minus]
        count = self._counts[at]
        total = self._sums[at] - (0.0 if other is None else self._sums[other])
        drawn = self._resampled[:, at] - (0.0 if other is None else self._resampled[:, other])
        low, high = interval(drawn) or (None, None)
        return {"mean": float(total / count) if count else None, "low": low, "high": high}


def _checkpoint(name: str, point: str, judged: Judged, table: _Table, masks: Mapping[Cell, Floats]) -> dict[str, Any]:
    chosen = np.flatnonzero(masks[point, "overall"])
    asked = [judged.asked[index] for index in chosen]
    shares = Counter(strategy for one in asked for strategy in one)
    out: dict[str, Any] = {
        stratum: {"clicks": table.clicks((name, point, stratum, METRICS[0]))}
        | {metric: table.figure((name, point, stratum, metric)) for metric in METRICS}
        for stratum in STRATA
    }
    if table.has(RRF):
        pairs = {metric: ((name, point, "overall", metric), (RRF, point, "overall", metric)) for metric in METRICS}
        out["minus_rrf"] = {metric: table.figure(mine, minus=theirs) for metric, (mine, theirs) in pairs.items()}
    return out | {
        "asked": sum(map(len, asked)) / len(asked),
        "asked_share": {strategy: shares[strategy] / len(asked) for strategy in sorted(shares)},
        "regret": None,
        "ms": float(judged.ms[chosen].mean()),
    }
