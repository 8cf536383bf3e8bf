"""What people acted on under this very query: the query-to-entity memory as a strategy of its own."""

from collections.abc import Callable, Container

from retrievers.base import ordered
from schemas.candidates import Candidate, Memory, Request
from schemas.q2e import q2e


class MemoryRetriever:
    """Entities with evidence under the query, by S / (kappa + V): S decayed reward, V decayed examinations (q2e with prior 0).

    `memory` is the memory itself, which also backs off from a segment to all of them, or a callable that returns the current one
    (None: nothing is remembered yet). `among` holds the ids that exist now: memory outlives the catalogue, so without it a deleted
    entity would still be found. Fails where it must: a query that nobody searched before finds nothing.
    """

    def __init__(
        self,
        memory: Memory | Callable[[], Memory | None],
        *,
        among: Container[str] | None = None,
        kappa: float = 2.0,
        name: str = "memory",
    ):
        self.name = name
        self._memory = memory
        self._among = among
        self._kappa = kappa

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        memory = self._memory() if callable(self._memory) else self._memory
        if memory is None or depth <= 0:
            return []
        known = memory.entities(request.query_key, request.segment)
        found = [entity for entity in known if self._among is None or entity in self._among]
        evidence = memory.lookup(request.query_key, request.segment, found)
        scores = (q2e(0.0, one.reward, one.examined, self._kappa) for one in evidence)
        return ordered(zip(found, scores, strict=True), depth)
