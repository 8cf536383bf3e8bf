"""Rewards of each entity over all queries, kept exact by day, so that totals follow single changes without adding everything again."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from threading import Lock

from memory_index.q2e import Reading, decayed, recent
from schemas.candidates import Candidate, Recent

NEVER = Recent(0.0, 0.0)
_Ranked = tuple[float, str]  # (-S, entity): ascending is score descending, then id ascending


class _Scope:
    """Entities of one segment: rewards by day in 1/256, and their order by S as of one newest day."""

    def __init__(self) -> None:
        self.days: dict[str, dict[int, int]] = {}
        self.scores: dict[str, float] = {}
        self.order: list[_Ranked] = []
        self.dirty: set[str] = set()
        self.newest_day = -1
        self.recent: dict[str, Recent] = {}
        self.recent_day = -1

    def change(self, entity_id: str, before: Mapping[int, int], after: Mapping[int, int]) -> None:
        days = self.days.setdefault(entity_id, {})
        for day in before.keys() | after.keys():
            days[day] = days.get(day, 0) + after.get(day, 0) - before.get(day, 0)
            if not days[day]:
                del days[day]
        if not days:
            del self.days[entity_id]
        self.dirty.add(entity_id)
        self.recent.pop(entity_id, None)

    def trends(self, entity_ids: Sequence[str], newest_day: int) -> list[Recent]:
        if newest_day != self.recent_day:
            self.recent, self.recent_day = {}, newest_day
        known = self.recent
        for name in entity_ids:
            if name not in known:
                days = self.days.get(name, {})
                known[name] = recent(days, newest_day) if days else NEVER
        return [known[name] for name in entity_ids]

    def refresh(self, newest_day: int, reading: Reading) -> None:
        if newest_day != self.newest_day or 20 * len(self.dirty) > len(self.order):
            self.scores = {name: decayed(days, newest_day, reading) for name, days in self.days.items()}
            self.order = sorted((-score, name) for name, score in self.scores.items() if score > 0.0)
        else:
            for name in self.dirty:
                if (old := self.scores.pop(name, 0.0)) > 0.0:
                    del self.order[bisect_left(self.order, (-old, name))]
                if (new := decayed(self.days.get(name, {}), newest_day, reading)) > 0.0:
                    self.scores[name] = new
                    insort(self.order, (-new, name))
        self.dirty, self.newest_day = set(), newest_day


class Totals:
    """Decayed reward S per entity, over all queries, of all segments ("") or of one. Any number of threads."""

    def __init__(self, reading: Reading):
        self._reading = reading
        self._scopes: defaultdict[str, _Scope] = defaultdict(_Scope)
        self._lock = Lock()

    def change(self, entity_id: str, segment: str, before: Mapping[int, int], after: Mapping[int, int]) -> None:
        """The rewards by day (1/256) of one query's pair went from `before` to `after`."""
        if before != after:
            with self._lock:
                self._scopes[segment].change(entity_id, before, after)

    def ranked(self, segment: str, newest_day: int, depth: int | None) -> list[Candidate]:
        """The first `depth` entities (all for None) by S descending, then id; none with S = 0."""
        with self._lock:
            scope = self._scopes.get(segment)
            if scope is None:
                return []
            if scope.dirty or scope.newest_day != newest_day:
                scope.refresh(newest_day, self._reading)
            return [Candidate(name, -minus) for minus, name in scope.order[:depth]]

    def trends(self, entity_ids: Sequence[str], newest_day: int) -> list[Recent]:
        """S of each entity at half-lives of 2 and 7 days, over all segments."""
        with self._lock:
            scope = self._scopes.get("")
            return [NEVER] * len(entity_ids) if scope is None else scope.trends(entity_ids, newest_day)
