"""The union of the asked lists as arrays: who found what at which rank, and scores made comparable.

normed = (score - lowest) / (highest - lowest) within its list, 1 where all scores are equal, 0 where absent
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.candidates import Candidate

Lists = Mapping[str, Sequence[Candidate]]
Found = tuple[str, int, float]  # strategy, rank from 1, score
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Union:
    """n entities, each once, found by m asked strategies (names ascending). Arrays are (n, m); rank 0 = not found."""

    ids: tuple[str, ...]
    strategies: tuple[str, ...]
    ranks: NDArray[np.int64]
    scores: Reals
    normed: Reals

    def found(self) -> list[list[Found]]:
        """Who found each entity, strategies ascending."""
        out: list[list[Found]] = [[] for _ in self.ids]
        rows, columns = np.nonzero(self.ranks)
        ranks, scores = self.ranks[rows, columns].tolist(), self.scores[rows, columns].tolist()
        for row, column, rank, score in zip(rows.tolist(), columns.tolist(), ranks, scores, strict=True):
            out[row].append((self.strategies[column], rank, score))
        return out


def unite(lists: Lists) -> Union:
    """The union of lists; a strategy that repeats an entity counts once, at its best rank. Who answered first changes nothing.

    >>> one = unite({"a": [Candidate("x", 9.0), Candidate("y", 5.0), Candidate("z", 1.0)], "b": [Candidate("y", 2.0)]})
    >>> one.ids, one.normed.tolist()
    (('x', 'y', 'z'), [[1.0, 0.0], [0.5, 1.0], [0.0, 0.0]])
    """
    strategies = tuple(sorted(lists))
    at: dict[str, int] = {}
    columns = [[at.setdefault(entity, len(at)) for entity, _ in lists[name]] for name in strategies]
    shape = (len(at), len(strategies))
    ranks, scores, normed = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape)
    for column, (name, rows) in enumerate(zip(strategies, columns, strict=True)):
        if not rows:
            continue
        values = np.array([score for _, score in lists[name]], dtype=np.float64)
        low, span = values.min(), values.max() - values.min()
        scaled = (values - low) / span if span else np.ones(len(values))
        # Backwards, so that of an entity that stands twice the first, best place stays.
        ranks[rows[::-1], column] = np.arange(len(rows), 0, -1)
        scores[rows[::-1], column], normed[rows[::-1], column] = values[::-1], scaled[::-1]
    return Union(tuple(at), strategies, ranks, scores, normed)
