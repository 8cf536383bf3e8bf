"""Past queries near this one lend it their entities: for what is typed for the first time, in another way, or with a mistake."""

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from retrievers.base import ordered
from retrievers.encoders import Encoder
from retrievers.near_queries import SHELF, NearQueries
from schemas.candidates import Candidate, Evidence, Request
from schemas.q2e import q2e

# Hit@10 of this strategy alone on the 3,921 first searches of a query in bestbuy_games, played in order of time (standard error 0.7
# points): 0.711, and 0.812 are among its first 50. With never more than 50 past queries 0.709 and 0.793; with 20 or 5 hit@10 falls 1
# and 5 points. P from 2 to 4: +-0.2 points; only above similarity 0.3: -5. With an encoder (MiniLM) 0.718 and 0.826.
# Other similarities in place of the letters' 0.705, 50 past queries: tf-idf cosine of trigrams 0.70, edit distance (Damerau-Levenshtein
# by length) 0.67, words 0.63, MiniLM alone 0.69.
NEAR, MOST, ENOUGH = 50, 100, 50  # past queries that lend: 50, and up to 100 while they lend fewer than 50 entities
P = 3  # power of the similarity


class PastQueries(Protocol):
    """A memory that names its queries; memory_index.reader.MemoryReader is one."""

    def queries(self) -> Sequence[str]:
        """Keys of queries that had entities to serve: a list that only grows, until another list takes its place."""

    def served(self, query_key: str, segment: str) -> Sequence[tuple[str, Evidence]]:
        """Entities that may be served to others under a query, each once, any order, with their evidence."""


class NeighbourRetriever:
    """The score of an entity is the sum over the nearest past queries with something to serve (50; up to 100 for few entities) of

        similarity^3 * S / (kappa + V)    S, V: the entity's evidence under that past query

    The query itself is left out (that is `memory`), and a shelf has no neighbours. `memory`, `among` and `kappa` as in
    retrievers.memory. A past query lends from the next search on after it was acted on; with an encoder it counts by its letters at
    once and by meaning as soon as it is encoded, one new query a search: call `refresh` from a thread of its own where many come.
    """

    def __init__(
        self,
        memory: PastQueries | Callable[[], PastQueries | None],
        *,
        among: Container[str] | None = None,
        kappa: float = 2.0,
        encoder: Encoder | None = None,
        name: str = "neighbours",
    ):
        self.name = name
        self._memory = memory
        self._among = among
        self._kappa = kappa
        self._near = NearQueries(encoder)

    def refresh(self, *, most: int = 1_000) -> bool:
        """Take in up to `most` new past queries, encoding included. True when there are no more, so call it until then."""
        memory = self._current()
        return memory is None or self._near.follow(memory.queries(), at_once=most, encoded=most)

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        memory = self._current()
        if memory is None or depth <= 0 or request.query_key.startswith(SHELF):
            return []
        self._near.follow(memory.queries())
        lent, lenders = dict[str, float](), 0
        for minus, past in self._near.near(request.query_key):
            served = memory.served(past, request.segment) if past != request.query_key else ()
            if not served:
                continue
            weight = (-minus) ** P
            for entity, one in served:
                lent[entity] = lent.get(entity, 0.0) + weight * q2e(0.0, one.reward, one.examined, self._kappa)
            lenders += 1
            if lenders == MOST or (lenders >= NEAR and len(lent) >= ENOUGH):
                break
        return ordered(((entity, score) for entity, score in lent.items() if self._among is None or entity in self._among), depth)

    def _current(self) -> PastQueries | None:
        return self._memory() if callable(self._memory) else self._memory
