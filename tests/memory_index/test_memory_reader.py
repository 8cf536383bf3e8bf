"""The reader against a dict that computes everything anew, and against itself under threads."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_index.counts import WIDTH, add, sketch, to_row
from memory_index.q2e import NOTHING, Reading, back_off, evidence
from memory_index.reader import MemoryReader
from memory_index.snapshot import base_of, table_of
from schemas.candidates import Candidate

READING = Reading(half_life_days=5.0, kappa=2.0, min_clients=2)
QUERIES, SEGMENTS, ENTITIES = ["halo", "mario"], ["", "de", "fr"], ["a", "b", "c"]
CLICK = 7
KEY = st.tuples(st.sampled_from(QUERIES), st.sampled_from(SEGMENTS), st.sampled_from(ENTITIES), st.integers(100, 104))
COUNTS = st.one_of(st.just([0] * WIDTH), st.lists(st.integers(0, 4), min_size=WIDTH, max_size=WIDTH))
CHANGE = st.tuples(
    st.sampled_from(["put", "add", "reload"]), st.integers(0, 2), KEY, COUNTS, st.frozensets(st.integers(0, 9), max_size=9), st.booleans()
)


class Plain:
    """All rows in one dict, everything computed from scratch."""

    def __init__(self) -> None:
        self.rows: dict = {}
        self.newest = 0

    def change(self, how: str, source: int, key: tuple, counts: list[int], clients: frozenset[int]) -> None:
        old, known = self.rows.get((source, key), ([0] * WIDTH, frozenset()))
        if how == "add":
            counts, clients = [a + b for a, b in zip(old, counts, strict=True)], known | clients
        self.rows[source, key] = (counts, sketch(clients))
        if not any(counts) and not clients:
            del self.rows[source, key]
        else:
            self.newest = max(self.newest, key[3])

    def pair(self, query: str, segment: str, entity: str) -> list:
        return [
            (day, *held) for (_, (q, s, e, day)), held in self.rows.items() if (q, e) == (query, entity) and (s == segment or not segment)
        ]

    def evidence(self, query: str, segment: str, entity: str) -> tuple:
        whole = evidence(self.pair(query, "", entity), self.newest, READING)
        rows = self.pair(query, segment, entity)
        return back_off(evidence(rows, self.newest, READING), whole, READING.kappa) if segment and rows else whole

    def totals(self, segment: str) -> list[Candidate]:
        sums: defaultdict[str, float] = defaultdict(float)
        for query in QUERIES:
            for entity in ENTITIES:
                sums[entity] += evidence(self.pair(query, segment, entity), self.newest, READING).reward
        return [Candidate(e, s) for e, s in sorted(sums.items(), key=lambda one: (-one[1], one[0])) if s > 0.0]


@settings(deadline=None, max_examples=150)
@given(st.lists(CHANGE, max_size=25))
def test_reader_equals_a_plain_dict(changes: list) -> None:
    reader, plain = MemoryReader(READING), Plain()
    for how, source, key, counts, clients, look in changes:
        if how == "reload":  # everything held so far becomes the immutable base, under which changes go on
            reader.replace(base_of(table_of(reader)))
            plain.newest = max((key[3] for _, key in plain.rows), default=0)
            continue
        plain.change(how, source, key, counts, clients)
        if how == "put":
            reader.put(source, [to_row(key, counts, clients)])
        else:
            deltas: dict = {}
            add(deltas, key, counts, clients)
            reader.add(source, deltas)
        if look:  # looking in between fills what is kept between looks
            reader.served(key[0], key[1])
            reader.lookup(key[0], key[1], ENTITIES)
            reader.totals(key[1])
    assert (reader.rows(), reader.newest_day) == (len(plain.rows), plain.newest)
    for query in QUERIES:
        for segment in [*SEGMENTS, "never seen"]:
            expected = [plain.evidence(query, segment, entity) for entity in ENTITIES]
            assert reader.lookup(query, segment, ENTITIES) == expected
            serves = [name for name, e in zip(ENTITIES, expected, strict=True) if e.reward > 0 and e.clients >= 2]
            assert reader.entities(query, segment) == serves
            for _ in range(2):  # computed, then remembered
                served = dict(reader.served(query, segment))
                assert served == {name: e for name, e in zip(ENTITIES, expected, strict=True) if name in serves}
            assert query in reader.queries() or not serves
    for segment in SEGMENTS:
        found, expected_totals = reader.totals(segment), plain.totals(segment)
        assert [c.score for c in found] == pytest.approx([c.score for c in expected_totals])
        assert found == sorted(found, key=lambda c: (-c.score, c.entity_id))
        assert {c.entity_id for c in found} == {c.entity_id for c in expected_totals}


def click(client: int, *, first: int = 1, clicks: int = 1) -> tuple[list[int], frozenset[int]]:
    counts = [0] * WIDTH
    counts[0], counts[CLICK] = first, clicks
    return counts, frozenset({client})


def test_shares_of_sources_add_and_a_second_put_replaces_only_its_own() -> None:
    reader = MemoryReader(READING)
    for source in (0, 1):
        reader.put(source, [to_row(("halo", "", "a", 100), *click(source))])
    assert reader.lookup("halo", "", ["a", "z"]) == [(2.0, 2.0, 2), NOTHING]
    reader.put(1, [to_row(("halo", "", "a", 100), *click(1, first=5, clicks=2))])
    assert reader.lookup("halo", "", ["a"]) == [(3.0, 6.0, 2)]
    reader.put(1, [to_row(("halo", "", "a", 100), [0] * WIDTH, ())])
    assert (reader.lookup("halo", "", ["a"]), reader.rows()) == ([(1.0, 1.0, 1)], 1)


def test_a_newer_day_anywhere_ages_everything() -> None:
    reader = MemoryReader(READING)
    reader.add(0, {("halo", "", "a", 100): click(1)})
    assert (reader.lookup("halo", "", ["a"]), reader.totals()) == ([(1.0, 1.0, 1)], [("a", 1.0)])
    reader.add(0, {("mario", "", "b", 105): click(1)})
    assert reader.lookup("halo", "", ["a"]) == [(0.5, 0.5, 1)]
    assert reader.totals() == [("b", 1.0), ("a", 0.5)]
    assert reader.totals(depth=1) == [("b", 1.0)]


def test_a_pair_serves_after_enough_distinct_people() -> None:
    reader = MemoryReader(READING)
    reader.add(0, {("halo", "", "a", 100): click(1, clicks=2)})
    assert reader.entities("halo", "") == []
    reader.add(0, {("halo", "de", "a", 101): click(2)})
    assert reader.entities("halo", "") == reader.entities("halo", "de") == reader.entities("halo", "fr") == ["a"]
    assert reader.entities("mario", "") == []


def test_queries_are_named_once_when_they_first_have_something_to_serve() -> None:
    reader = MemoryReader(READING)
    names = reader.queries()
    reader.add(0, {("halo", "", "a", 100): click(1)})
    reader.add(0, {("mario", "", "a", 100): ([5] + [0] * (WIDTH - 1), frozenset())})
    assert list(names) == []
    reader.add(0, {("mario", "de", "a", 100): click(1), ("halo", "", "b", 100): click(1)})
    reader.add(1, {("mario", "fr", "a", 101): click(2)})
    assert list(names) == ["mario"]
    assert reader.served("mario", "") == reader.served("mario", "never seen") == (("a", reader.lookup("mario", "", ["a"])[0]),)
    assert reader.served("halo", "") == reader.served("zelda", "") == ()
    reader.add(1, {("halo", "", "a", 101): click(2), ("mario", "", "b", 101): click(3)})
    assert list(names) == ["mario", "halo"]
    reader.put(0, [to_row(("halo", "", "a", 100), [0] * WIDTH, ())])
    assert (list(names), reader.served("halo", "")) == (["mario", "halo"], ()), "a key stays; its one person of two has gone"
    base = base_of(table_of(reader))
    reader.replace(base)
    assert reader.queries() is not names
    assert (list(names), list(reader.queries())) == (["mario", "halo"], ["mario"])


def test_more_people_let_more_of_the_same_acts_be_read() -> None:
    reader = MemoryReader(READING)
    reader.add(0, {("halo", "", "a", 100): click(1, clicks=50)})
    assert reader.totals() == [("a", 3.0)]
    reader.add(1, {("halo", "", "a", 100): ([0] * WIDTH, frozenset({2}))})
    assert reader.totals() == [("a", 6.0)]
    assert reader.lookup("halo", "", ["a"]) == [(6.0, 1.0, 2)]


def test_what_comes_out_is_a_copy_and_what_went_in_is_not_kept() -> None:
    reader = MemoryReader(READING)
    counts, clients = click(1)
    reader.add(0, {("halo", "", "a", 100): (counts, clients)})
    counts[CLICK] = 50
    reader.totals().clear()
    reader.entities("halo", "").append("x")
    reader.lookup("halo", "", ["a"]).clear()
    assert reader.lookup("halo", "", ["a"]) == [(1.0, 1.0, 1)]
    assert reader.totals() == [("a", 1.0)]


def test_readers_see_a_query_whole_while_one_thread_writes() -> None:
    reader = MemoryReader(Reading(min_clients=1))
    names = [f"e{at}" for at in range(20)]
    batch = {("halo", "", name, 100): click(1) for name in names}
    started, done = Event(), Event()

    def look() -> int:
        looks, last = 0, 0.0
        while not done.is_set() or looks == 0:
            shown = {found.examined for found in reader.lookup("halo", "", names)}
            assert len(shown) == 1, "some entities of the batch are new, some old"
            assert last <= (last := shown.pop())
            assert len(reader.entities("halo", "")) in (0, 20)
            reader.totals(depth=5)
            looks += 1
            started.set()
        return looks

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(look) for _ in range(2)]
        try:
            assert started.wait(30)
            for _ in range(300):
                reader.add(0, batch)
        finally:
            done.set()
        assert all(one.result(30) > 0 for one in looks)
    assert reader.lookup("halo", "", names) == [(3.0, 300.0, 1)] * 20


def test_totals_follow_single_changes_among_many_entities() -> None:
    """More entities than are sorted anew for one change: the places of single ones move."""
    chance, reader, facts = Random(1), MemoryReader(READING), []
    for step in range(400):
        key = (chance.choice(QUERIES), chance.choice(SEGMENTS), f"e{chance.randrange(150):03d}", 100 + step // 200)
        facts.append({key: click(chance.randrange(20), clicks=chance.randrange(4))})
        reader.add(0, facts[-1])
        if step > 150:
            reader.totals()
    fresh = MemoryReader(READING)
    for fact in reversed(facts):
        fresh.add(0, fact)
    for segment in ("", "de"):
        assert len(fresh.totals(segment)) > 60
        assert reader.totals(segment) == fresh.totals(segment)
