"""What passes between the parts of one search: the request, candidates, and the memory protocol. Plain tuples: they are hot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.events import Context


class Candidate(NamedTuple):
    """An entity found by one strategy. Lists of candidates are ordered by score descending, then id ascending."""

    entity_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Request:
    """One search as the strategies and the policy see it. `query_key` and `query_class` come from `schemas.ids`.

    Without `explore` nothing about it is left to chance, on all its pages.
    """

    search_id: str
    ts: int
    query: str
    query_key: str
    query_class: str = ""
    surface: str = "search"
    segment: str = ""
    page: int = 1
    size: int = 10
    client_id: str | None = None
    session_id: str | None = None
    context: Context = field(default_factory=Context)
    profile: Mapping[str, object] = field(default_factory=dict)
    recent: Sequence[str] = ()
    explore: bool = True


class Evidence(NamedTuple):
    """What memory holds for one (query, entity): decayed reward S, decayed examinations V, and the distinct clients known (at most 8)."""

    reward: float
    examined: float
    clients: int


class Recent(NamedTuple):
    """Decayed reward of an entity over other queries, at half-lives of 2 and of 7 days."""

    days_2: float
    days_7: float


class Memory(Protocol):
    """Anything that remembers what happened to entities under a query."""

    def lookup(self, query_key: str, segment: str, entity_ids: Sequence[str]) -> list[Evidence]:
        """Evidence of each entity in the given order; Evidence(0, 0, 0) where nothing is known."""

    def entities(self, query_key: str, segment: str) -> Sequence[str]:
        """Entities with evidence under the query that may be served to others, any order."""

    def trends(self, query_key: str, entity_ids: Sequence[str]) -> list[Recent]:
        """What people chose lately under any other query; Recent(0, 0) where nothing is known."""


class Counted(NamedTuple):
    """What is counted for one (query, entity) over all days and segments: shown by POSITION_BINS, acted by ACTION_KINDS, the days of its
    first and newest row (since 1970), and what memory reads from it now."""

    entity_id: str
    shown: tuple[int, ...]
    acted: tuple[int, ...]
    first_day: int
    last_day: int
    evidence: Evidence


class Remembered(Memory, Protocol):
    """A memory that can also be looked through."""

    def queries(self) -> Sequence[str]:
        """Keys of the queries that have had an entity to serve."""

    def counted(self, query_key: str, segment: str = "") -> list[Counted]:
        """Everything counted under one query, most rewarded first, then most shown, then by id."""

    def queries_of(self, entity_id: str, *, most: int) -> list[str]:
        """At most `most` queries under which people chose the entity, most rewarded first."""

    def rows(self) -> int:
        """Number of rows held."""
