"""What the rank model sees of a candidate: who was asked and found it, how well, and what happened to it lately under any query.

For each strategy of the definition, in the order of names, five columns; a strategy that was not asked has zeros in all of them:

    missed   1 where it was asked and did not find the candidate
    found    1 where it did
    rank     1 / rank
    score    min-max normalised within its list (learners.ranking.union)
    level    natural logarithm of its own score, / 4: scores of a strategy are comparable between searches, where normed ones are not

Strategies of the kind `memory` have none: what happened to the pair (query, entity) is the posterior's. Then the pooled evidence: TREND
columns, log(1 + reward of the entity under all other queries) / 4 at half-lives of 2 and 7 days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learners.definition import Definition
from learners.ranking.union import Reals, Union
from schemas.base import MAX_FEATURE, UNIT
from schemas.ids import digest

BY_STRATEGY = ("missed", "found", "rank", "score", "level")
TREND = ("trend_2", "trend_7")
MEMORY = "memory"  # the kind of strategies that find what was rewarded under this very query
Grid = NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class RankFeatures:
    """The layout for some strategies, names ascending. `version` is what pages log as rank_version: rows of one version go together."""

    strategies: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition) -> "RankFeatures":
        """The layout of a definition: its arms and always-on strategies but memory."""
        names = [one.name for one in definition.arms if one.kind != MEMORY] + [one.name for one in definition.always if one.name != MEMORY]
        return cls(tuple(sorted(names)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{name}.{column}" for name in self.strategies for column in BY_STRATEGY) + TREND

    @cached_property
    def version(self) -> str:
        return digest("rank-features", 2, *self.names)

    def matrix(self, union: Union, trends: Reals) -> Grid:
        """Features of every candidate, shape (n, len(names)), in units of 1/256; `trends` are rewards by TREND, shape (n, 2).

        Strategies that the definition does not name are not seen.
        """
        n, width = len(union.ids), len(BY_STRATEGY)
        out = np.zeros((n, len(self.names)))
        for column, name in enumerate(union.strategies):
            if name not in self._at:
                continue
            ranks, at = union.ranks[:, column], self._at[name] * width
            found = ranks > 0
            out[:, at], out[:, at + 1] = ~found, found
            np.divide(1.0, ranks, out=out[:, at + 2], where=found)
            out[:, at + 3] = union.normed[:, column]
            np.log(union.scores[:, column], out=out[:, at + 4], where=found & (union.scores[:, column] > 0.0))
            out[:, at + 4] /= 4.0
        out[:, -len(TREND) :] = np.log1p(trends) / 4.0
        return np.rint(np.clip(out * UNIT, -MAX_FEATURE, MAX_FEATURE)).astype(np.int64)

    @cached_property
    def _at(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.strategies)}

    def fusion(self, rows: Reals, weights: Mapping[str, float] | None) -> Reals:
        """Weighted mean of the normed scores over the asked strategies, one that failed or found nothing included; shape (n,).

        From rows (n, F) in real units; `weights` by strategy, None: equal ones.
        """
        share = np.array([1.0 if weights is None else weights.get(name, 0.0) for name in self.strategies])
        by = self._by_strategy(rows)
        total = ((by[:, :, 0] + by[:, :, 1]) * share).sum(axis=1)
        fused: Reals = np.divide((by[:, :, 3] * share).sum(axis=1), total, out=np.zeros(len(rows)), where=total > 0.0)
        return fused

    def hidden(self, rows: NDArray[np.int16], keep: NDArray[np.bool_]) -> NDArray[np.int16]:
        """The rows as they would be had only the strategies in `keep` (n, strategies) been asked."""
        out = rows.copy()
        self._by_strategy(out)[...] *= keep[:, :, None]
        return out

    def found(self, rows: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Whether any strategy found the candidate, shape (n,)."""
        any_: NDArray[np.bool_] = np.any(self._by_strategy(rows)[:, :, 1] != 0, axis=1)
        return any_

    def _by_strategy(self, rows: NDArray[Number]) -> NDArray[Number]:
        """A view of shape (n, strategies, columns)."""
        return rows[:, : len(self.strategies) * len(BY_STRATEGY)].reshape(len(rows), len(self.strategies), len(BY_STRATEGY))
