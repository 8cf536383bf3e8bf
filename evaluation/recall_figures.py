"""Figures of recall with and without memory, as plain data and as text.

    {"dataset", "protocol", "settings",
     "strata": {"unseen" | "all": {"searches", "queries", "lendable",
        "lists": {NAME: {"recall@10": {"mean", "low", "high"}, "minus_dense": {"mean", "low", "high"}}}}}}

Means are over searches. Intervals are 95 % percentile bootstraps with queries as units: all searches of a query stay together, because
they are alike; all lists share the resamples, so differences are paired.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.memory_recall import DENSE, DEPTH, FIRST, MIN_CLIENTS, MIXES, Recalls
from evaluation.metrics import Floats, interval, resample
from evaluation.reports import NOTHING, grid
from retrievers.fusion import RRF_K

RESAMPLES = 1_000
RULE = f"rrf, k = {RRF_K}, of the lists to depth {DEPTH}; the first {FIRST} count; the same rule for every row"
SETTINGS = {"fused by": RULE, "min_clients": MIN_CLIENTS, "memory": "clicks alone: what was shown is not known"}


def recall_summary(
    found: Recalls, dataset: str, *, protocol: str, settings: Mapping[str, object], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """All figures; `all` is left out where every search was unseen. `settings` are passed through."""
    strata = {"unseen": found.unseen} | ({} if found.unseen.all() else {"all": np.ones_like(found.unseen)})
    return {
        "dataset": dataset,
        "protocol": protocol,
        "settings": SETTINGS | dict(settings),
        "strata": {name: _stratum(found, some, resamples=resamples, seed=seed) for name, some in strata.items()},
    }


def _stratum(found: Recalls, some: NDArray[np.bool_], *, resamples: int, seed: int) -> dict[str, Any]:
    keys = [key for key, chosen in zip(found.keys, some.tolist(), strict=True) if chosen]
    scores, lendable = found.scores[some], found.lendable[some]
    units = {key: unit for unit, key in enumerate(sorted(set(keys)))}
    at = [units[key] for key in keys]
    sums, counts = np.zeros((len(units), len(MIXES))), np.zeros((len(units), len(MIXES)))
    np.add.at(sums, at, scores)
    np.add.at(counts, at, 1.0)
    drawn, base = resample(sums, counts, resamples=resamples, seed=seed), list(MIXES).index(DENSE)
    return {
        "searches": len(keys),
        "queries": len(units),
        "lendable": float(lendable.mean()) if len(keys) else None,
        "lists": {
            name: {
                "recall@10": _figure(scores[:, place], drawn[:, place]),
                "minus_dense": _figure(scores[:, place] - scores[:, base], drawn[:, place] - drawn[:, base]),
            }
            for place, name in enumerate(MIXES)
        },
    }


def _figure(values: Floats, drawn: Floats) -> dict[str, float | None]:
    low, high = interval(drawn) or (None, None)
    return {"mean": float(values.mean()) if len(values) else None, "low": low, "high": high}


def recall_table(figures: Mapping[str, Any]) -> str:
    """Text of the dict that `recall_summary` makes."""
    settings = "".join(f"  {name} = {value}\n" for name, value in sorted(figures["settings"].items()))
    return f"{figures['dataset']}: {figures['protocol']}\n{settings}" + "".join(_part(name, one) for name, one in figures["strata"].items())


def _part(name: str, stratum: Mapping[str, Any]) -> str:
    head = f"\n{name}: {stratum['searches']:,} searches, {stratum['queries']:,} queries"
    if stratum["lendable"] is not None:
        head += f"; {stratum['lendable']:.3f} of what they want was acted on under another query before"
    rows = [
        (label, *_cells(one["recall@10"], ".4f"), *((NOTHING, NOTHING) if label == DENSE else _cells(one["minus_dense"], "+.4f")))
        for label, one in stratum["lists"].items()
    ]
    return f"{head}\n{grid([('lists', f'recall@{FIRST}', '95 %', 'minus dense', '95 %'), *rows])}\n"


def _cells(figure: Mapping[str, float | None], form: str) -> tuple[str, str]:
    mean, low, high = figure["mean"], figure["low"], figure["high"]
    return NOTHING if mean is None else f"{mean:{form}}", NOTHING if low is None or high is None else f"{low:{form}}..{high:{form}}"
