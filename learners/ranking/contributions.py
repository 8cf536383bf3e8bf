"""How a score comes about, as sums that are exact: what each strategy adds to the prior, and what memory makes of it.

    log-odds of the prior = start + sum over strategies + trend          start = b of the rank model
    strategy s            = a * its share of the fusion + the weights of its five columns
    score                 = (kappa * prior + S) / (kappa + V)

A strategy that was not asked has zeros in all columns, so it adds nothing; one that was asked and did not find the candidate may take
something away. Log-odds beyond 40 are no longer seen in the prior (`rank_model.priors` ends there).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from learners.definition import Definition
from learners.ranking.features import BY_STRATEGY, TREND, RankFeatures
from learners.ranking.union import Reals
from schemas.base import UNIT
from schemas.candidates import Evidence

START, TRENDING = "start", "trend"  # the two rows that belong to no strategy


class Contribution(NamedTuple):
    """What one strategy (or START, TRENDING) adds to the log-odds of the prior."""

    name: str
    points: float


@dataclass(frozen=True, slots=True)
class Account:
    """How the score of one candidate comes about. `rows` sum to the log-odds of `prior`. `held_back`: too few people acted, so that the
    evidence does not count yet and the score is the prior."""

    rows: tuple[Contribution, ...]
    prior: float
    kappa: float
    evidence: Evidence
    held_back: bool
    score: float


def contributions(row: Sequence[int], weights: Reals, definition: Definition, features: RankFeatures) -> tuple[Contribution, ...]:
    """START, then each strategy of the layout in its order, then TRENDING; `row` as logged, in units of 1/256."""
    x, of_columns = np.asarray(row, dtype=np.float64) / UNIT, weights[2:]
    many, width = len(features.strategies), len(BY_STRATEGY)
    by, each = x[: many * width].reshape(many, width), of_columns[: many * width].reshape(many, width)
    share = np.array([1.0 if definition.rank.weights is None else definition.rank.weights.get(name, 0.0) for name in features.strategies])
    total = float(((by[:, 0] + by[:, 1]) * share).sum())
    fused = by[:, 3] * share / total if total > 0.0 else np.zeros(many)
    points = weights[1] * fused + (by * each).sum(axis=1)
    trend = float(x[-len(TREND) :] @ of_columns[-len(TREND) :])
    return (
        Contribution(START, float(weights[0])),
        *(Contribution(name, value) for name, value in zip(features.strategies, points.tolist(), strict=True)),
        Contribution(TRENDING, trend),
    )
