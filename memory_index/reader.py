"""The memory of a search process: lookups in microseconds while one thread brings news. Needs numpy only."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from memory_index.base import Base
from memory_index.counts import SHOWN, WIDTH, MemoryCounts, sketch
from memory_index.pairs import Held, Pair, Query, RowKey
from memory_index.q2e import NOTHING, Reading
from memory_index.totals import Totals
from schemas.candidates import Candidate, Counted, Evidence, Recent
from schemas.rows import MemoryKey, MemoryRow

_WARM = 10_000  # queries of the base kept as objects; the base itself is the memory, this only saves work
_NONE: Held = ((0,) * WIDTH, frozenset())
_NO_PAIR = Pair({})
_Change = tuple[str, RowKey, Held]  # entity, row, what it holds now
_Lent = tuple[Query, int, tuple[str, ...], Reading, tuple[tuple[str, Evidence], ...]]  # what was read when, and what came of it


def _may_serve(evidence: Evidence, reading: Reading) -> bool:
    """Whether a pair is shown to people who had no part in it."""
    return evidence.reward > 0.0 and evidence.clients >= reading.min_clients


class _State:
    """One generation: a base, the queries that have news since (each whole, base rows included), totals."""

    def __init__(self, reading: Reading, base: Base | None):
        self.base, self.newest_day, self.rows = base, base.newest_day if base else 0, len(base) if base else 0
        self.news: dict[str, Query] = {}
        self.warm: dict[str, Query] = {}
        self.totals = Totals(reading)
        self.served: dict[str, tuple[str, ...]] = {}  # query -> entities that at some time could be served under it
        self.queries: list[str] = []  # the keys of `served`, for readers
        self.lent: dict[tuple[str, str], _Lent] = {}  # query, segment

    def serve(self, query_key: str, entity_id: str, pair: Pair, reading: Reading) -> None:
        """Note the pair if it may be served to others."""
        known = self.served.get(query_key, ())
        if entity_id not in known and _may_serve(pair.read("", self.newest_day, reading), reading):
            self.served[query_key] = (*known, entity_id)
            if not known:
                self.queries.append(query_key)

    def query(self, query_key: str) -> Query | None:
        """The query with all its rows; one from the base is kept as objects for the next time."""
        found = self.news.get(query_key) or self.warm.get(query_key)
        if found is None and self.base is not None and (found := self.base.query(query_key)) is not None:
            if len(self.warm) >= _WARM:
                self.warm = {}
            self.warm[query_key] = found
        return found


def _without(total: Recent, own: Recent) -> Recent:
    """What is left of a total without one of its parts; rounding leaves nothing below 0."""
    return Recent(max(0.0, total.days_2 - own.days_2), max(0.0, total.days_7 - own.days_7))


class MemoryReader:
    """Shares of several sources (partitions), added when read. A `Remembered` memory (schemas.candidates).

    One thread calls `put`, `add` and `replace`; any number of threads look up meanwhile, without locks: what they read of one query is
    always whole, as it was before or after a change. Answers depend on the rows held, not on the order or source of their coming.

    >>> reader = MemoryReader(Reading(kappa=2.0, min_clients=1))
    >>> reader.add(0, {("halo", "", "game:1", 15_000): ([1] + 6 * [0] + [1] + 8 * [0], frozenset({7}))})
    >>> reader.lookup("halo", "", ["game:1", "game:2"])
    [Evidence(reward=1.0, examined=1.0, clients=1), Evidence(reward=0.0, examined=0.0, clients=0)]
    """

    def __init__(self, reading: Reading):
        self.reading = reading
        self._state = _State(reading, None)

    @property
    def newest_day(self) -> int:
        """The newest day of any row: ages count from it. 0 while there are no rows."""
        return self._state.newest_day

    def rows(self) -> int:
        """Number of rows held, over all sources."""
        return self._state.rows

    def lookup(self, query_key: str, segment: str, entity_ids: Sequence[str]) -> list[Evidence]:
        """Evidence of each entity under a query; a segment's backs off to all segments, "" means all segments added."""
        state = self._state
        query = state.query(query_key)
        if query is None:
            return [NOTHING] * len(entity_ids)
        known = query.view(segment, state.newest_day, self.reading).evidence
        return [known.get(entity_id, NOTHING) for entity_id in entity_ids]

    def entities(self, query_key: str, segment: str) -> list[str]:
        """Entities with reward under the query from at least `reading.min_clients` distinct people, ids ascending."""
        state = self._state
        query = state.query(query_key)
        return [] if query is None else list(query.view(segment, state.newest_day, self.reading).serves)

    def served(self, query_key: str, segment: str) -> Sequence[tuple[str, Evidence]]:
        """`entities` with their evidence, in no order: for callers that go through many queries. What was never acted on is not read."""
        state = self._state
        names = state.served.get(query_key)
        query = state.query(query_key) if names else None
        if names is None or query is None:
            return ()
        if segment not in query.segments:
            segment = ""
        known, reading = state.lent.get((query_key, segment)), self.reading
        if known is not None and known[0] is query and known[1] == state.newest_day and known[2] is names and known[3] is reading:
            return known[4]
        day, pairs = state.newest_day, [(name, query.pairs[name]) for name in names if name in query.pairs]
        found = [(name, pair.read(segment, day, reading)) for name, pair in pairs]
        served = tuple([(name, one) for name, one in found if _may_serve(one, reading)])
        if len(state.lent) >= _WARM:
            state.lent = {}
        state.lent[query_key, segment] = (query, day, names, reading, served)
        return served

    def totals(self, segment: str = "", *, depth: int | None = None) -> list[Candidate]:
        """Decayed reward S per entity over all queries, score descending then id ascending, the first `depth` or all."""
        state = self._state
        return state.totals.ranked(segment, state.newest_day, depth)

    def trends(self, query_key: str, entity_ids: Sequence[str]) -> list[Recent]:
        """Decayed reward of each entity over all other queries, of all segments, at half-lives of 2 and 7 days."""
        state = self._state
        total, query = state.totals.trends(entity_ids, state.newest_day), state.query(query_key)
        if query is None:
            return total
        own = query.view("", state.newest_day, self.reading).evidence
        return [
            _without(found, query.pairs[name].recent(state.newest_day, self.reading)) if name in own and own[name].reward > 0.0 else found
            for name, found in zip(entity_ids, total, strict=True)
        ]

    def queries(self) -> Sequence[str]:
        """Keys of the queries that have had an entity to serve, each once, in the order in which they first had one.

        A live list: read it, never change it. It only grows, so what is new since last time stands behind what was there; `replace`
        begins another list. A key stays when its rows go, so ask `served` what it has now.
        """
        return self._state.queries

    def counted(self, query_key: str, segment: str = "") -> list[Counted]:
        """Everything counted under a query, in one segment or in all of them: most rewarded first, then most shown, then by id.

        It tells also what too few people did to be served to others: who shows it to people must look at `evidence.clients`.
        """
        state = self._state
        query = state.query(query_key)
        if query is None:
            return []
        some = [(name, pair) for name, pair in query.pairs.items() if any(True for _ in pair.within(segment))]
        found = [pair.counted(name, segment, state.newest_day, self.reading) for name, pair in some]
        return sorted(found, key=lambda one: (-one.evidence.reward, -sum(one.shown), one.entity_id))

    def queries_of(self, entity_id: str, *, most: int) -> list[str]:
        """At most `most` queries under which the entity is served for what people chose, most rewarded first, then by key.

        It goes through every query that has had an entity to serve: some 10 ms for 100,000 of them.
        """
        state = self._state
        found = [
            (-evidence.reward, query_key)
            for query_key in list(state.queries)
            if entity_id in state.served.get(query_key, ())
            for name, evidence in self.served(query_key, "")
            if name == entity_id
        ]
        return [query_key for _, query_key in sorted(found)[:most]]

    def put(self, source: int, rows: Iterable[MemoryRow]) -> None:
        """Replace rows of a source by their absolute values. A row of zeros is removed."""
        changes: defaultdict[str, list[_Change]] = defaultdict(list)
        for row in rows:
            held = (tuple(row.shown + row.acted), sketch(row.clients))
            changes[row.query_key].append((row.entity_id, (source, row.segment, row.day), held))
        for query_key, some in changes.items():
            self._write(query_key, some, absolute=True)

    def add(self, source: int, deltas: MemoryCounts) -> None:
        """Add deltas to the rows of a source."""
        changes: defaultdict[str, list[_Change]] = defaultdict(list)
        for (query_key, segment, entity_id, day), (counts, clients) in deltas.items():
            changes[query_key].append((entity_id, (source, segment, day), (tuple(counts), clients)))
        for query_key, some in changes.items():
            self._write(query_key, some, absolute=False)

    def replace(self, base: Base) -> None:
        """Hold exactly the rows of `base` from now on; readers see all of it or nothing of it."""
        state = _State(self.reading, base)
        for query_key, entity_id, pair in base.paid(index for index, _ in self.reading.paid):
            state.serve(query_key, entity_id, pair, self.reading)
            for segment in {"", *(segment for _, segment, _ in pair.rows)}:
                state.totals.change(entity_id, segment, {}, pair.rewards(segment, self.reading))
        self._state = state

    def reread(self, theta: Sequence[float]) -> None:
        """Read with another examination by position bin from now on; what was read is read anew when asked for. Raises InvalidSetting."""
        if tuple(theta) != self.reading.theta:
            self.reading = replace(self.reading, theta=tuple(theta))

    def shares(self) -> Iterator[tuple[int, MemoryKey, Held]]:
        """All rows held, as (source, key, (counts, clients)), in no order. Call it from the writing thread."""
        state = self._state
        old = state.base.starts if state.base else {}
        for query_key in (*state.news, *(name for name in old if name not in state.news)):
            query = state.news.get(query_key) or (state.base and state.base.query(query_key)) or Query()
            for entity_id, pair in query.pairs.items():
                for (source, segment, day), held in pair.rows.items():
                    yield source, (query_key, segment, entity_id, day), held

    def _write(self, query_key: str, changes: Iterable[_Change], *, absolute: bool) -> None:
        state = self._state
        query = state.query(query_key) or Query()
        rows: dict[str, dict[RowKey, Held]] = {}
        earned: set[tuple[str, str]] = set()
        for entity_id, key, new in changes:
            if entity_id not in rows:
                rows[entity_id] = dict(query.pairs[entity_id].rows) if entity_id in query.pairs else {}
            held = rows[entity_id]
            old = held.get(key, _NONE)
            if not absolute:
                new = (tuple(map(int.__add__, old[0], new[0])), sketch(old[1] | new[1]))
            if any(new[0]) or new[1]:
                held[key] = new
                state.newest_day = max(state.newest_day, key[2])
            else:
                held.pop(key, None)
            if new[0][SHOWN:] != old[0][SHOWN:] or new[1] != old[1]:
                earned |= {(entity_id, key[1]), (entity_id, "")}
        pairs = {entity_id: Pair(held) for entity_id, held in rows.items()}
        state.rows += sum(len(pair.rows) - len(query.pairs.get(name, _NO_PAIR).rows) for name, pair in pairs.items())
        for entity_id, segment in earned:
            before = query.pairs.get(entity_id, _NO_PAIR).rewards(segment, self.reading)
            state.totals.change(entity_id, segment, before, pairs[entity_id].rewards(segment, self.reading))
            if not segment:
                state.serve(query_key, entity_id, pairs[entity_id], self.reading)
        state.news[query_key] = query.changed(pairs)
        state.warm.pop(query_key, None)
