"""The entities that exist now: what may be found, and the popularity that the catalogue itself states."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock

from retrievers.base import ordered
from schemas.candidates import Candidate
from schemas.entities import Entity


class Catalog(Mapping[str, Entity]):
    """Live mapping id -> Entity. One writer and many readers at a time; a tombstone (`deleted`) removes its entity."""

    def __init__(self, entities: Iterable[Entity] = ()):
        self._entities: dict[str, Entity] = {}
        self._popular: list[Candidate] | None = None
        self._lock = Lock()
        self.put(entities)

    def put(self, entities: Iterable[Entity]) -> None:
        """Adds, replaces and, for tombstones, removes entities."""
        with self._lock:
            for entity in entities:
                if entity.deleted:
                    self._entities.pop(entity.entity_id, None)
                else:
                    self._entities[entity.entity_id] = entity
            self._popular = None

    def popular(self) -> Sequence[Candidate]:
        """Entities with a popularity above zero, most popular first. Sorted once per change of the catalogue."""
        with self._lock:
            if self._popular is None:
                self._popular = ordered(((one.entity_id, one.popularity) for one in self._entities.values()), len(self._entities))
            return self._popular

    def __getitem__(self, entity_id: str) -> Entity:
        return self._entities[entity_id]

    def __contains__(self, entity_id: object) -> bool:
        return entity_id in self._entities

    def __iter__(self) -> Iterator[str]:
        return iter(self._entities)

    def __len__(self) -> int:
        return len(self._entities)
