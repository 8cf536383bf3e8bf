"""Requests, memories and definitions for tests of learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from learners.definition import AlwaysSpec, ArmSpec, Definition
from schemas.candidates import Evidence, Recent, Request
from schemas.ids import query_class, query_key

ARMS = ("lexical_title", "lexical_all", "dense", "memory")


def request(query: str = "halo 3", search_id: str = "s-1", **more: object) -> Request:
    key = query_key(query)
    return Request(search_id=search_id, ts=1_700_000_000_000, query=query, query_key=key, query_class=query_class(key), **more)


def definition(*arms: str, always: Sequence[str] = (), **more: object) -> Definition:
    return Definition(arms=[ArmSpec.of(name) for name in arms or ARMS], always=[AlwaysSpec(name=name) for name in always], **more)


@dataclass(frozen=True)
class Remembered:
    """A memory of fixed evidence for every query and segment, and of what was chosen lately."""

    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    recent: Mapping[str, Recent] = field(default_factory=dict)

    def lookup(self, query_key: str, segment: str, entity_ids: Sequence[str]) -> list[Evidence]:
        return [self.evidence.get(entity, Evidence(0.0, 0.0, 0)) for entity in entity_ids]

    def entities(self, query_key: str, segment: str) -> Sequence[str]:
        return list(self.evidence)

    def trends(self, query_key: str, entity_ids: Sequence[str]) -> list[Recent]:
        return [self.recent.get(entity, Recent(0.0, 0.0)) for entity in entity_ids]
