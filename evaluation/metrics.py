"""Ranking metrics at a cut-off k, and the bootstrap that gives a mean of them its interval.

`ranked` is the order that was shown, best first, each id once; `gains` the relevance of the relevant ones (gain > 0), everything else 0.
The definitions are those of trec_eval: linear gain, discount 1 / log2(rank + 1), recall over all relevant ones.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import InvalidSetting

Floats = NDArray[np.float64]
CHUNK = 64  # resamples drawn at once: 64 x 32,000 weights of 8 bytes are 16 MB


def _relevant(gains: Mapping[str, float]) -> set[str]:
    return {entity for entity, gain in gains.items() if gain > 0}


def hit(ranked: Sequence[str], gains: Mapping[str, float], *, k: int) -> float:
    """1 if a relevant entity is among the first k, else 0."""
    return float(any(gains.get(entity, 0.0) > 0 for entity in ranked[:k]))


def reciprocal_rank(ranked: Sequence[str], gains: Mapping[str, float], *, k: int) -> float:
    """1 / rank of the first relevant entity among the first k, else 0. Its mean over queries is MRR@k.

    >>> reciprocal_rank(["a", "b", "c"], {"c": 1.0, "b": 0.1}, k=10)
    0.5
    """
    return next((1.0 / rank for rank, entity in enumerate(ranked[:k], 1) if gains.get(entity, 0.0) > 0), 0.0)


def recall(ranked: Sequence[str], gains: Mapping[str, float], *, k: int) -> float:
    """Share of the relevant entities that stand among the first k; 0 where nothing is relevant."""
    relevant = _relevant(gains)
    return len(relevant.intersection(ranked[:k])) / len(relevant) if relevant else 0.0


def ndcg(ranked: Sequence[str], gains: Mapping[str, float], *, k: int) -> float:
    """Discounted cumulative gain of the first k over that of the ideal order; 0 where nothing is relevant.

    DCG = sum_r gain_r / log2(r + 1). Jarvelin and Kekalainen (2002), "Cumulated gain-based evaluation of IR techniques".

    >>> round(ndcg(["a", "b"], {"b": 1.0}, k=10), 4)
    0.6309
    """
    ideal = _dcg(sorted((gain for gain in gains.values() if gain > 0), reverse=True)[:k])
    return _dcg([max(gains.get(entity, 0.0), 0.0) for entity in ranked[:k]]) / ideal if ideal else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def resample(sums: Floats, counts: Floats, *, resamples: int = 1_000, seed: int = 0) -> Floats:
    """Bootstrap of ratios: shape (resamples, columns), each row sum(sums) / sum(counts) over the same n rows drawn with replacement.

    A row of `sums` and `counts`, both (n, columns), is one independent unit (a search with all its clicks), a column one figure. All
    columns share the draws, so the difference of two columns is a *paired* bootstrap. NaN where a draw has count 0. Efron and
    Tibshirani (1993), "An introduction to the bootstrap", chapters 6 and 8. It misleads below about 30 units.
    """
    if sums.shape != counts.shape or sums.ndim != 2:
        raise InvalidSetting(f"sums {sums.shape} and counts {counts.shape} must both be (units, columns); give them the same shape")
    size, rng, rows = len(sums), np.random.default_rng(seed), []
    for start in range(0, resamples if size else 0, CHUNK):
        drawn = [rng.integers(0, size, size) for _ in range(min(CHUNK, resamples - start))]
        weights = np.stack([np.bincount(one, minlength=size) for one in drawn]).astype(np.float64)
        rows.append(_ratio(weights @ sums, weights @ counts))
    return np.concatenate(rows) if rows else np.full((resamples, sums.shape[1]), np.nan)


def _ratio(sums: Floats, counts: Floats) -> Floats:
    ratio = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=ratio, where=counts > 0)
    return ratio


def interval(values: Floats, *, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of resampled values; None if there is none (NaN are left out)."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
