"""What people act on at all, whatever they search: the page for empty queries, and a baseline that is hard to beat for shelves."""

from collections.abc import Sequence
from typing import Protocol

from retrievers.base import ranking
from retrievers.catalog import Catalog
from schemas.candidates import Candidate, Request

SPARE = 16  # asked for beyond the depth, in case entities were deleted since they were popular


class Totals(Protocol):
    """Decayed reward per entity over all queries, best first; memory_index.reader.MemoryReader.totals is one."""

    def __call__(self, segment: str = "", *, depth: int | None = None) -> Sequence[Candidate]:
        """The first `depth` entities (all for None) of a segment; "" = all segments."""


class PopularRetriever:
    """Entities by decayed reward over all queries, and after them the rest by the popularity that the catalogue states.

    A segment without rewards uses those of all segments. Catalogue popularity p counts as p / (1 + p) of the smallest reward on the
    list, so that what people did stands above what the catalogue claims. Only entities of the catalogue are found.
    """

    def __init__(self, totals: Totals, *, catalog: Catalog, name: str = "popular"):
        self.name = name
        self._totals = totals
        self._catalog = catalog

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        if depth <= 0:
            return []
        out = self._rewarded(request.segment, depth)
        if not out and request.segment:
            out = self._rewarded("", depth)
        if len(out) == depth:
            return out
        seen, unit = {one.entity_id for one in out}, out[-1].score if out else 1.0
        for one in self._catalog.popular():
            if one.entity_id not in seen:
                out.append(Candidate(one.entity_id, unit * one.score / (1.0 + one.score)))
            if len(out) == depth:
                break
        return ranking(out)

    def _rewarded(self, segment: str, depth: int) -> list[Candidate]:
        limit = depth + SPARE
        while True:
            totals = self._totals(segment, depth=limit)
            out = [one for one in totals if one.entity_id in self._catalog]
            if len(out) >= depth or len(totals) < limit:
                return out[:depth]
            limit *= 8
