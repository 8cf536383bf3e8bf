"""The rank model: the rate at which a candidate is rewarded when it is examined, before anything happened to it under this query.

    prior = sigmoid(b + a * fusion + w'x)         start: b0 and a0 of the definition, w = 0; x as in learners.ranking.features

It is the prior of the page score, so what it shall agree with is the posterior where little happened. Every (query, entity) of the
finals has S rewards in V examinations; beside them stand DOUBT examinations at the start's own rate, for candidates that nobody was shown,
too. Without those the model would only know what pages hold, and would be anything but a prior outside them.

Queries count alike: a pair counts at most PAIR examinations, else the head owns the model and unseen queries drift with traffic.
In each final every strategy is hidden with probability HIDDEN, by hash, as if it had not been asked: not asking must never look like
failing. The strategies of the kind `memory` are neither features nor part of the fusion: what happened to the pair is the posterior's.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from learners.definition import Definition
from learners.draws import uniform
from learners.finals import Final
from learners.models import Fitted
from learners.ranking.features import RankFeatures
from learners.ranking.rate_model import newton
from schemas.base import UNIT
from schemas.rows import POSITION_BINS

Reals = NDArray[np.float64]

FINALS = 5_000  # the newest ones: enough for some dozens of weights, and a fit of under a second
PAIR = 4.0  # examinations that a pair (query, entity) counts at most
DOUBT = 0.15  # examinations at the start's rate that every candidate is given
HIDDEN = 0.15
RIDGE, RIDGE_BIAS = 5.0, 0.5
_EDGES = np.array([low for low, _ in POSITION_BINS[1:]])  # first positions of the bins after the first


class RankModel:
    """A FinalsModel: array `weights` (2 + F,): b, a, then w by the names of the features. Empty without a single usable final."""

    name = "rank"

    def __init__(self, *, balanced: bool = True) -> None:
        self._balanced = balanced

    def fit(self, finals: Sequence[Final], definition: Definition, fitted: Fitted) -> Mapping[str, Reals]:
        features = RankFeatures.of(definition)
        usable = [one for one in finals if one.rank_version == features.version and one.features.shape[1] == len(features.names)]
        newest = sorted(usable, key=lambda one: (one.time, one.final_id))[-FINALS:]
        if not newest:
            return {}
        theta = np.asarray(fitted.get("examination.theta", definition.reading.theta), dtype=np.float64)
        pairs, grid, examined, rewarded = _rows(newest, features, theta)
        rows, which, (examined, rewarded) = _collapsed(pairs, grid, examined, rewarded)
        start = start_of(definition, features)
        x = design(rows / UNIT, definition, features)
        seen = np.bincount(which, examined)[which]  # of the whole pair
        most = np.bincount(which, rewarded)[which] / np.maximum(seen, 1e-9)
        rewarded = rewarded / np.maximum(most, 1.0)  # a rate is at most 1, however small the examinations were estimated
        if self._balanced:
            share = PAIR / np.maximum(seen, PAIR)
            examined, rewarded = examined * share, rewarded * share
        doubt = DOUBT / np.bincount(which)[which]  # of a pair, over the rows it has
        expected = 1.0 / (1.0 + np.exp(-(x @ start)))
        ridge = np.full(len(start), RIDGE)
        ridge[0] = RIDGE_BIAS
        weights = newton(x, examined + doubt, rewarded + doubt * expected, start=start, ridge=ridge)
        return {"weights": np.round(weights, 6)}  # the last bits of sums hang on how many threads add


def start_of(definition: Definition, features: RankFeatures) -> Reals:
    """The parameters before any fit."""
    return np.array([definition.rank.b0, definition.rank.a0] + [0.0] * len(features.names))


def design(rows: Reals, definition: Definition, features: RankFeatures) -> Reals:
    """1, fusion and the features (real units, (n, F)) of each candidate, shape (n, 2 + F)."""
    fusion = features.fusion(rows, definition.rank.weights)
    return np.concatenate([np.ones((len(rows), 1)), fusion[:, None], rows], axis=1)


def priors(grid: NDArray[np.int64], weights: Reals, definition: Definition, features: RankFeatures) -> Reals:
    """The prior of candidates with these features (units of 1/256), shape (n,)."""
    z = design(grid / UNIT, definition, features) @ weights
    rates: Reals = 1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0)))
    return rates


def _rows(finals: Sequence[Final], features: RankFeatures, theta: Reals) -> tuple[NDArray[np.int64], NDArray[np.int16], Reals, Reals]:
    """Of what the finals showed, and of what the newest of each query did not: the pair's number, its features as they were with some
    strategies hidden, V and S. Finals by time ascending."""
    numbers: dict[tuple[str, str], int] = {}
    pairs = [numbers.setdefault((final.query_key, entity), len(numbers)) for final in finals for entity in final.entities]
    sizes = [len(final.entities) for final in finals]
    # Of a query's candidates that nobody was shown, those of one page: the newest that logged any.
    last = {final.query_key: at for at, final in enumerate(finals) if not final.positions.all()}
    newest = np.repeat([last.get(final.query_key) == at for at, final in enumerate(finals)], sizes)
    position = np.concatenate([final.positions for final in finals])
    rewarded = np.concatenate([final.rewards for final in finals]) > 0
    kept = [[uniform("sample", name, final.final_id, "hidden") >= HIDDEN for name in features.strategies] for final in finals]
    keep = np.array(kept, dtype=np.bool_)
    grid = features.hidden(np.concatenate([final.features for final in finals]), np.repeat(keep, sizes, axis=0))
    used = features.found(grid) & ((position > 0) | rewarded | newest)
    # Whoever acted on what our page did not show has examined it.
    examined = np.where(position > 0, theta[np.searchsorted(_EDGES, position, side="right")], rewarded)
    return np.array(pairs)[used], grid[used], examined[used], rewarded[used].astype(np.float64)


def _collapsed(
    pairs: NDArray[np.int64], grid: NDArray[np.int16], examined: Reals, rewarded: Reals
) -> tuple[Reals, NDArray[np.int64], tuple[Reals, Reals]]:
    """Rows of one pair with equal features as one: (features, pairs, (V, S)). In the order of pair and features: sums do not depend on
    who came first."""
    keyed = np.ascontiguousarray(np.concatenate([pairs[:, None].astype(np.int32).view(np.int16), grid], axis=1))
    void = keyed.view(np.dtype((np.void, keyed.dtype.itemsize * keyed.shape[1]))).ravel()
    _, first, inverse = np.unique(void, return_index=True, return_inverse=True)
    sums = [np.bincount(inverse, values, len(first)).astype(np.float64) for values in (examined, rewarded)]
    return grid[first].astype(np.float64), pairs[first], (sums[0], sums[1])
