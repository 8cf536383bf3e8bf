"""The entities that exist now: what may be found, and the popularity that the catalogue itself states."""

from bisect import bisect_left, insort
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from threading import Lock

from retrievers.base import ordered
from schemas.candidates import Candidate
from schemas.entities import Entity

FEW = 50  # of so many entities one may change before sorting all anew is quicker than moving each


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
            changes = {entity.entity_id: entity for entity in entities}
            if self._popular is not None:
                self._popular = self._reordered(self._popular, changes) if FEW * len(changes) < len(self._popular) else None
            for entity_id, entity in changes.items():
                if entity.deleted:
                    self._entities.pop(entity_id, None)
                else:
                    self._entities[entity_id] = entity

    def popular(self) -> Sequence[Candidate]:
        """Entities with a popularity above zero, most popular first. A change of few moves those few; the sequence itself never changes."""
        order = self._popular
        if order is None:
            with self._lock:
                pairs = ((one.entity_id, one.popularity) for one in self._entities.values())
                order = self._popular = ordered(pairs, len(self._entities))
        return order

    def _reordered(self, order: list[Candidate], changes: Mapping[str, Entity]) -> list[Candidate]:
        order = order.copy()  # readers keep the one they have
        for entity_id, entity in changes.items():
            old = self._entities.get(entity_id)
            if old is not None and old.popularity > 0.0:
                del order[bisect_left(order, _place(Candidate(entity_id, old.popularity)), key=_place)]
            if not entity.deleted and entity.popularity > 0.0:
                insort(order, Candidate(entity_id, entity.popularity), key=_place)
        return order

    def __getitem__(self, entity_id: str) -> Entity:
        return self._entities[entity_id]

    def __contains__(self, entity_id: object) -> bool:
        return entity_id in self._entities

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entities))  # copies, here and below: the writer may come in between

    def values(self) -> ValuesView[Entity]:
        return self._entities.copy().values()

    def items(self) -> ItemsView[str, Entity]:
        return self._entities.copy().items()

    def __len__(self) -> int:
        return len(self._entities)


def _place(one: Candidate) -> tuple[float, str]:
    return -one.score, one.entity_id
