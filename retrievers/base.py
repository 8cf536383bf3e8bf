"""The contract of every retrieval strategy, and the one total order that all of them return."""

import math
from collections.abc import Iterable
from typing import Protocol

from schemas.candidates import Candidate, Request


class Retriever(Protocol):
    """One strategy. `tests/checks/retriever_checks.py` says in code what is asked of it."""

    @property
    def name(self) -> str:
        """Name under which it is decided on and logged (schemas.base.Name)."""

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        """At most `depth` candidates, each entity once, scores positive, by score descending then id ascending.

        Never changes the request or its own state. A depth of 0 or less, an empty query and unknown words have an answer too
        (for most strategies the empty list).
        """


def ordered(pairs: Iterable[tuple[str, float]], depth: int) -> list[Candidate]:
    """(entity_id, score) in any order -> the first `depth` in the total order.

    A hit has a finite score above zero; the rest is dropped. An entity that comes twice keeps its best score.

    >>> ordered([("b", 1.0), ("a", 1.0), ("c", 2.0), ("d", 0.0)], 3)
    [Candidate(entity_id='c', score=2.0), Candidate(entity_id='a', score=1.0), Candidate(entity_id='b', score=1.0)]
    """
    best: dict[str, float] = {}
    for entity_id, score in pairs:
        if 0.0 < score < math.inf and score > best.get(entity_id, 0.0):
            best[entity_id] = score
    first = sorted([(-score, entity_id) for entity_id, score in best.items()])[: max(depth, 0)]
    return [Candidate(entity_id, -minus) for minus, entity_id in first]


def ranking(pairs: Iterable[tuple[str, float]]) -> list[Candidate]:
    """All pairs by score descending, then id ascending; nothing is dropped."""
    return [Candidate(entity_id, score) for entity_id, score in sorted(pairs, key=lambda pair: (-pair[1], pair[0]))]
