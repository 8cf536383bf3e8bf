"""A retrieval strategy of one's own: what begins with the words typed so far, the most popular first.

FORAGE_STRATEGIES=lexical,memory,title_prefix=title_prefix:make forage serve --data DIR
"""

from collections.abc import Mapping

from retrievers.base import ordered
from schemas.candidates import Candidate, Memory, Request
from schemas.entities import Entity


class TitlePrefix:
    """`catalog` is live: what is added or removed is found, or not, in the next search."""

    name = "title_prefix"

    def __init__(self, catalog: Mapping[str, Entity]) -> None:
        self._catalog = catalog

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        typed = request.query.casefold().strip()
        if not typed:
            return []
        found = (one for one in self._catalog.values() if one.title.casefold().startswith(typed))
        return ordered(((one.entity_id, 1.0 + one.popularity) for one in found), depth)


def make(catalog: Mapping[str, Entity], memory: Memory) -> TitlePrefix:
    """Called at the start and after every change of the catalogue; `memory` is there for strategies that look at what people did."""
    return TitlePrefix(catalog)
