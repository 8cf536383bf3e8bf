"""Neighbours: similarity and lending by hand, against plain computations, and while queries come."""

import math
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from memory_index.snapshot import base_of, table_of
from retrievers.near_queries import MEANING, NearQueries
from retrievers.neighbours import ENOUGH, MOST, NEAR, NeighbourRetriever
from schemas.ids import query_key
from tests.retrievers.hash_encoder import HashEncoder
from tests.retrievers.shop import DAY, request

KEY = st.text("abc ", min_size=1, max_size=8).map(query_key).filter(lambda key: ":" not in key)
KEYS = st.lists(KEY, max_size=12, unique=True)


def click(memory: MemoryReader, text: str, entity_id: str, *, clicks: int = 1, shown: int = 0, segment: str = "") -> None:
    counts = [shown] + 5 * [0] + [0, clicks] + 8 * [0]
    memory.add(0, {(query_key(text), segment, entity_id, DAY): (counts, frozenset({1, 2}))})


def reader() -> MemoryReader:
    return MemoryReader(Reading(min_clients=2, kappa=2.0))


def terms(key: str) -> set[str]:
    out = {f" {word} " for word in key.split()}
    for word in key.split():
        marked = f" {word} "
        out |= {marked[at : at + size] for size in (2, 3) for at in range(len(marked) - size + 1)}
    return out


def similarity(key: str, other: str, held: list[str]) -> float:
    def squared(term: str) -> float:
        df = sum(term in terms(name) for name in held)
        return math.log(1 + (len(held) - df + 0.5) / (df + 0.5)) ** 2

    both = terms(key) & terms(other)
    return math.sqrt(sum(map(squared, both)) / sum(map(squared, terms(key))) * len(both) / len(terms(other))) if both else 0.0


def near(queries: NearQueries, key: str) -> dict[str, float]:
    found = queries.near(key)
    assert found == sorted(found)
    return {name: -minus for minus, name in found}


def test_similarity_by_hand() -> None:
    queries = NearQueries()
    assert queries.follow(["ab", "ac", "xy z", "z xy"])
    # Six terms each: the word, three pairs, two trigrams; ab and ac share " a", of df 2 in 4: ln 2. The others of ab have df 1: ln(10/3).
    share = math.log(2) ** 2 / (math.log(2) ** 2 + 5 * math.log(10 / 3) ** 2)
    assert near(queries, "ab") == {"ab": 1.0, "ac": pytest.approx(math.sqrt(share / 6))}
    assert near(queries, "z xy") == pytest.approx({"xy z": 1.0, "z xy": 1.0}), "words in any order"
    assert near(queries, "qq") == {}


@settings(deadline=None, max_examples=40)
@given(KEYS, KEYS, KEY)
def test_similarity_equals_a_plain_computation(before: list[str], after: list[str], key: str) -> None:
    queries = NearQueries()
    queries.follow(before)
    assert queries.follow(after), "another list: what it lacks is let go"
    expected = {name: pytest.approx(similarity(key, name, after)) for name in after if terms(name) & terms(key)}
    assert near(queries, key) == expected


def test_meaning_is_added() -> None:
    encoder, plain, mixed = HashEncoder(16), NearQueries(), NearQueries(HashEncoder(16))
    names = ["halo three", "halo", "three chess", "racing", "surface:home"]
    plain.follow(names)
    while not mixed.follow(names):
        assert len(near(mixed, "halo")) >= 2, "by letters all are there at once"
    letters, found = near(plain, "halo three"), near(mixed, "halo three")
    rows = encoder.queries(["halo three", *names[:4]]).astype(np.float64)
    cosines = dict(zip(names, (rows[1:] @ rows[0]).tolist(), strict=False))
    expected = {name: (1 - MEANING) * letters.get(name, 0.0) + MEANING * max(cosines[name], 0.0) for name in names[:4]}
    assert found == pytest.approx({name: value for name, value in expected.items() if value > 0.0}, rel=1e-5)
    mixed.follow(["chess"], encoded=9)
    assert set(near(mixed, "chess three")) == {"chess"}


def test_each_query_is_encoded_once() -> None:
    encoder = HashEncoder(16)
    queries, names = NearQueries(encoder), ["halo", "chess"]
    assert not queries.follow(names)
    assert queries.follow(names)
    names.append("racing")
    assert queries.follow(names)
    assert queries.follow([*names, "soccer"])
    assert encoder.encoded == ["halo", "chess", "racing", "soccer"]


def test_lending_by_hand() -> None:
    memory = reader()
    neighbours = NeighbourRetriever(memory)
    assert neighbours.retrieve(request("halo"), 9) == []
    click(memory, "xbox halo", "a", clicks=4, shown=2)  # 4 / (2 + 2)
    click(memory, "xbox halo", "b", clicks=1, shown=0)  # 1 / 2
    click(memory, "halos", "b", clicks=3, shown=4)  # 3 / 6
    click(memory, "halo xbox", "own", clicks=9)  # another key than "xbox halo", the same terms
    click(memory, "chess", "far", clicks=9)
    held = ["xbox halo", "halos", "halo xbox", "chess"]
    s = {name: similarity("xbox halo", name, held) ** 3 for name in held}
    assert s["halo xbox"] == pytest.approx(1.0)
    # Evidence under the query itself is left out; one person's three clicks count, so nine of two people count as six: 6 / 2.
    assert neighbours.retrieve(request("Xbox Halo!"), 9) == [("own", pytest.approx(3.0)), ("b", pytest.approx(s["halos"] * 0.5))]
    s = {name: similarity("hallo", name, held) ** 3 for name in held}
    assert dict(neighbours.retrieve(request("hallo"), 9)) == pytest.approx(
        {"a": s["xbox halo"], "b": 0.5 * (s["xbox halo"] + s["halos"]), "own": 3.0 * s["halo xbox"]}
    )
    among = NeighbourRetriever(memory, among={"b"})
    assert [one.entity_id for one in among.retrieve(request("hallo"), 9)] == ["b"]


def test_what_may_not_be_served_is_not_lent() -> None:
    memory = reader()
    neighbours = NeighbourRetriever(lambda: memory)
    memory.add(0, {("halo", "", "a", DAY): ([0] * 7 + [1] + [0] * 8, frozenset({1}))})
    assert neighbours.retrieve(request("halo 3"), 9) == []
    memory.add(0, {("halo", "", "a", DAY): ([0] * 7 + [1] + [0] * 8, frozenset({2}))})
    assert [one.entity_id for one in neighbours.retrieve(request("halo 3"), 9)] == ["a"]
    assert NeighbourRetriever(lambda: None).retrieve(request("halo 3"), 9) == []


def test_a_shelf_neither_borrows_nor_lends() -> None:
    memory = reader()
    click(memory, "", "a")
    click(memory, "search", "b")
    neighbours = NeighbourRetriever(memory)
    assert neighbours.retrieve(request(""), 9) == []
    assert [one.entity_id for one in neighbours.retrieve(request("surface search"), 9)] == ["b"]


def test_the_evidence_of_the_segment_is_lent() -> None:
    memory = reader()
    click(memory, "halo", "a", clicks=4, segment="kids")
    click(memory, "halo", "b", clicks=5, segment="adults")
    neighbours = NeighbourRetriever(memory)
    assert [one.entity_id for one in neighbours.retrieve(request("halos", segment="kids"), 9)] == ["a", "b"]
    assert [one.entity_id for one in neighbours.retrieve(request("halos"), 9)] == ["b", "a"]


@pytest.mark.parametrize(("entities", "lenders"), [(1_000, NEAR), (ENOUGH, NEAR), (ENOUGH - 1, MOST)])
def test_only_the_nearest_lend(entities: int, lenders: int) -> None:
    memory = reader()
    for number in range(MOST + 20):
        click(memory, "halo " + "x" * (number + 1), f"e{number % entities:03d}")
    found = NeighbourRetriever(memory).retrieve(request("halo"), 1_000)
    # The longer the past query, the smaller the share of it that is "halo": the shortest are the nearest.
    assert {one.entity_id for one in found} == {f"e{number % entities:03d}" for number in range(lenders)}
    held = ["halo " + "x" * (number + 1) for number in range(MOST + 20)]
    total = sum(similarity("halo", name, held) ** 3 * 0.5 for name in held[:lenders])
    assert math.fsum(one.score for one in found) == pytest.approx(total)


def test_order_of_coming_does_not_matter() -> None:
    chance = random.Random(2)
    facts = [
        (" ".join(chance.choices(["halo", "hallo", "wars", "war", "xbox"], k=2)), f"e{number % 7}", number % 4 + 1) for number in range(60)
    ]
    lists = []
    for _ in range(3):
        memory = reader()
        neighbours = NeighbourRetriever(memory, encoder=HashEncoder(16))
        for text, entity_id, clicks in chance.sample(facts, len(facts)):
            click(memory, text, entity_id, clicks=clicks)
            if chance.random() < 0.2:
                neighbours.retrieve(request("halo"), 5)
        neighbours.refresh()
        lists.append(neighbours.retrieve(request("halo war"), 50))
    assert lists[0] == lists[1] == lists[2]
    assert len(lists[0]) == 7


def test_a_snapshot_takes_the_place_of_what_was() -> None:
    memory, other = reader(), reader()
    click(memory, "halo", "a")
    click(other, "halo two", "b")
    neighbours = NeighbourRetriever(memory, encoder=HashEncoder(16))
    assert [one.entity_id for one in neighbours.retrieve(request("halo three"), 9)] == ["a"]
    memory.replace(base_of(table_of(other)))
    assert [one.entity_id for one in neighbours.retrieve(request("halo three"), 9)] == ["b"]
    click(memory, "halo four", "c")
    assert neighbours.refresh()
    assert {one.entity_id for one in neighbours.retrieve(request("halo three"), 9)} == {"b", "c"}


def test_queries_come_while_others_search() -> None:
    memory = reader()
    click(memory, "halo", "e000")
    neighbours = NeighbourRetriever(memory, encoder=HashEncoder(16))
    assert neighbours.refresh()  # of several threads that begin at once, only the first takes in what is new
    started, done = Event(), Event()

    def look() -> int:
        looks = 0
        while not done.is_set() or looks == 0:
            found = neighbours.retrieve(request("halos"), 1_000)
            assert "e000" in {one.entity_id for one in found}, "what was there is lent all the time"
            looks += 1
            started.set()
        return looks

    with ThreadPoolExecutor(3) as pool:
        looks = [pool.submit(look) for _ in range(3)]
        try:
            assert started.wait(30)
            for number in range(1, ENOUGH):
                click(memory, f"halo {number}", f"e{number:03d}")
        finally:
            done.set()
        assert all(one.result(30) > 0 for one in looks)
    assert neighbours.refresh()
    assert len(neighbours.retrieve(request("halos"), 1_000)) == ENOUGH
