"""What the reader holds of one query: immutable pairs (query, entity) with their rows, and the views computed from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from memory_index.counts import SHOWN, WIDTH
from memory_index.q2e import NOTHING, Reading, Row, back_off, by_day, evidence, recent, rewards_by_day
from schemas.candidates import Counted, Evidence, Recent

RowKey = tuple[int, str, int]  # source, segment, day
Held = tuple[tuple[int, ...], frozenset[int]]  # 16 counts, clients


class Pair:
    """Rows of one (query, entity), never changed after it is made. Evidence is kept until the newest day or the reading changes."""

    __slots__ = ("_known", "_recent", "rows")

    def __init__(self, rows: dict[RowKey, Held]):
        self.rows = rows
        self._known: dict[str, tuple[int, Reading, Evidence]] = {}
        self._recent: tuple[int, Recent] | None = None

    def within(self, segment: str) -> Iterator[Row]:
        """(day, counts, clients) of a segment; of all of them for the segment ""."""
        return ((day, *held) for (_, name, day), held in self.rows.items() if not segment or name == segment)

    def read(self, segment: str, newest_day: int, reading: Reading) -> Evidence:
        """Evidence in a segment, backed off to all segments where it has rows of its own."""
        known = self._known.get(segment)
        if known is not None and known[0] == newest_day and known[1] is reading:
            return known[2]
        found = evidence(self.within(segment), newest_day, reading)
        if segment:
            whole = self.read("", newest_day, reading)
            found = whole if found == NOTHING else back_off(found, whole, reading.kappa)
        self._known[segment] = (newest_day, reading, found)
        return found

    def counted(self, entity_id: str, segment: str, newest_day: int, reading: Reading) -> Counted:
        """Its counts of all days added up, and what is read from them. It must have a row in the segment."""
        rows = [(day, counts) for day, counts, _ in self.within(segment)]
        sums = [sum(counts[index] for _, counts in rows) for index in range(WIDTH)]
        days = [day for day, _ in rows]
        return Counted(entity_id, tuple(sums[:SHOWN]), tuple(sums[SHOWN:]), min(days), max(days), self.read(segment, newest_day, reading))

    def recent(self, newest_day: int, reading: Reading) -> Recent:
        """Its rewards of all segments at half-lives of 2 and 7 days."""
        if self._recent is None or self._recent[0] != newest_day:
            self._recent = (newest_day, recent(self.rewards("", reading), newest_day))
        return self._recent[1]

    def rewards(self, segment: str, reading: Reading) -> dict[int, int]:
        """Reward by day in units of 1/256."""
        days, clients = by_day(self.within(segment))
        return rewards_by_day(days, len(clients), reading)


@dataclass(frozen=True, slots=True)
class View:
    """One query as one segment sees it on one newest day, by one reading; the entities in `stale` have changed since."""

    newest_day: int
    reading: Reading
    evidence: Mapping[str, Evidence]
    serves: tuple[str, ...]
    stale: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Query:
    """All pairs of one query and the segments that have rows. A change makes a new Query; readers fill in views, each assignment whole."""

    pairs: Mapping[str, Pair] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()
    views: dict[str, View] = field(default_factory=dict)

    def view(self, segment: str, newest_day: int, reading: Reading) -> View:
        """The view of a segment. Each pair is read at most once until its rows, the newest day or the reading change."""
        if segment not in self.segments:
            segment = ""  # without rows of its own it sees what all segments together say
        held = self.views.get(segment)
        if held is not None and held.newest_day == newest_day and held.reading is reading:
            if not held.stale:
                return held
            fresh, known = held.stale, dict(held.evidence)
            serves = {name for name in held.serves if name not in fresh}
        else:
            fresh, known, serves = frozenset(self.pairs), {}, set()
        for name in fresh:
            if name in self.pairs:
                known[name] = self.pairs[name].read(segment, newest_day, reading)
            else:
                known.pop(name, None)
        served = reading.min_clients
        serves |= {name for name in fresh & known.keys() if known[name].reward > 0.0 and known[name].clients >= served}
        view = self.views[segment] = View(newest_day, reading, known, tuple(sorted(serves)))
        return view

    def changed(self, pairs: Mapping[str, Pair]) -> "Query":
        """This query with some pairs replaced; a pair without rows leaves."""
        new = {**self.pairs, **pairs}
        if not all(pair.rows for pair in pairs.values()):
            new = {name: pair for name, pair in new.items() if pair.rows}
        segments = self.segments.union(segment for pair in pairs.values() for _, segment, _ in pair.rows)
        views = {name: replace(view, stale=view.stale | pairs.keys()) for name, view in self.views.copy().items()}
        return Query(new, segments, views)
