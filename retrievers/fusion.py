"""Fixed ways to fuse lists into one: the fallback without a policy, and the baselines. Pure functions.

Each takes strategy -> its list and returns the whole union by fused score descending, then id ascending. Nothing is dropped: the
last candidate of a list may have the fused score 0 and still belongs to the union.
"""

from collections.abc import Mapping, Sequence

from retrievers.base import ranking
from schemas.candidates import Candidate
from schemas.errors import InvalidSetting

Lists = Mapping[str, Sequence[Candidate]]
RRF_K = 60  # Cormack, Clarke, Buettcher 2009


def normalised(candidates: Sequence[Candidate]) -> dict[str, float]:
    """Min-max to [0, 1]: best 1, worst 0; 1 for all where all are equal.

    >>> normalised([Candidate("a", 6.0), Candidate("b", 3.0), Candidate("c", 2.0)])
    {'a': 1.0, 'b': 0.25, 'c': 0.0}
    """
    if not candidates:
        return {}
    scores = [one.score for one in candidates]
    low, span = min(scores), max(scores) - min(scores)
    return {one.entity_id: (one.score - low) / span if span > 0.0 else 1.0 for one in candidates}


def rrf(lists: Lists, *, k: int = RRF_K) -> list[Candidate]:
    """Reciprocal rank fusion: sum over lists of 1 / (k + rank), ranks from 1. Needs no comparable scores; ignores margins."""
    fused: dict[str, float] = {}
    for name in sorted(lists):  # one order of summation, whatever order the caller has
        for rank, one in enumerate(lists[name], 1):
            fused[one.entity_id] = fused.get(one.entity_id, 0.0) + 1.0 / (k + rank)
    return ranking(fused.items())


def equal_weight(lists: Lists) -> list[Candidate]:
    """Mean over the lists of the normalised score; absent counts 0, and so does a list that found nothing."""
    return convex(lists, dict.fromkeys(lists, 1.0))


def convex(lists: Lists, weights: Mapping[str, float]) -> list[Candidate]:
    """Weighted mean of the normalised scores, weights scaled to sum 1. A strategy without a weight counts 0.

    Raises InvalidSetting when a weight is negative or not finite, or when all weights of the lists are 0.
    """
    used = {name: float(weights.get(name, 0.0)) for name in sorted(lists)}
    total = sum(used.values())
    if lists and (not all(0.0 <= weight < float("inf") for weight in used.values()) or not 0.0 < total < float("inf")):
        raise InvalidSetting(f"weights {dict(weights)} for lists {sorted(lists)}; give weights of at least 0, one of them above 0")
    fused: dict[str, float] = {}
    for name, weight in used.items():
        for entity_id, score in normalised(lists[name]).items():
            fused[entity_id] = fused.get(entity_id, 0.0) + weight / total * score
    return ranking(fused.items())
