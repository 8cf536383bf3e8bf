"""Memory and popular: known answers worked by hand on the real reader."""

import random

import pytest

from retrievers.catalog import Catalog
from retrievers.memory import MemoryRetriever
from retrievers.popular import PopularRetriever
from tests.retrievers.shop import Shop, game, games, request


def scores(found: list[tuple[str, float]]) -> list[tuple[str, object]]:
    return [(name, pytest.approx(score, rel=1e-9)) for name, score in found]


def test_memory_known_answer() -> None:
    shop = Shop(game(number) for number in range(5))
    shop.click("Halo!", "game:001", shown=8, clicks=4)  # 4 / (2 + 8)
    shop.click("halo", "game:002", shown=0, clicks=3)  # 3 / (2 + 0): clicked without having been shown by us
    shop.click("halo", "game:003", shown=8, clicks=4)  # a tie with game:001
    shop.click("halo", "game:004", shown=1, clicks=5, people=(1,))  # one person only: may not serve to others
    shop.click("chess", "game:000", shown=1, clicks=9)  # another query
    memory = MemoryRetriever(shop.memory)
    assert memory.retrieve(request("HALO"), 10) == scores([("game:002", 1.5), ("game:001", 0.4), ("game:003", 0.4)])
    assert MemoryRetriever(shop.memory, kappa=8.0).retrieve(request("halo"), 1) == scores([("game:002", 3 / 8)])


def test_memory_by_callable_and_none() -> None:
    shop = games()
    assert MemoryRetriever(lambda: None).retrieve(request("halo"), 10) == []
    assert MemoryRetriever(lambda: shop.memory).retrieve(request("halo"), 10) == MemoryRetriever(shop.memory).retrieve(request("halo"), 10)


def test_memory_of_a_segment_comes_first_and_backs_off() -> None:
    shop = Shop(game(number) for number in range(3))
    for own, other, entity_id in (("kids", "adults", "game:001"), ("adults", "kids", "game:002")):
        shop.click("halo", entity_id, shown=4, clicks=4, segment=own)
        shop.click("halo", entity_id, shown=12, clicks=0, people=(), segment=other)
    memory = MemoryRetriever(shop.memory)
    # All segments: 4 / (2 + 16) each. In its own segment: (2 * 2/9 + 4) / (2 + 4) = 20/27; in the other (2 * 2/9) / (2 + 12) = 2/63.
    assert memory.retrieve(request("halo"), 10) == scores([("game:001", 2 / 9), ("game:002", 2 / 9)])
    assert memory.retrieve(request("halo", segment="kids"), 1) == scores([("game:001", 20 / 27)])
    assert memory.retrieve(request("halo", segment="adults"), 1) == scores([("game:002", 20 / 27)])
    assert memory.retrieve(request("halo", segment="unknown"), 10) == memory.retrieve(request("halo"), 10)


def test_memory_outlives_the_catalogue_unless_told() -> None:
    shop = Shop([game(1)])
    shop.click("halo", "game:777")
    assert [one.entity_id for one in MemoryRetriever(shop.memory).retrieve(request("halo"), 9)] == ["game:777"]
    assert MemoryRetriever(shop.memory, among=shop.catalog).retrieve(request("halo"), 9) == []


def test_popular_known_answer() -> None:
    shop = Shop([game(1, popularity=3.0), game(2), game(3, popularity=1.0), game(4, popularity=9.0), game(5)])
    shop.click("halo", "game:001", clicks=1)
    shop.click("chess", "game:001", clicks=2)
    shop.click("chess", "game:002", clicks=2)
    shop.click("chess", "game:777", clicks=9)  # not in the catalogue
    popular = PopularRetriever(shop.memory.totals, catalog=shop.catalog)
    # Rewards 3 and 2; then the catalogue's popularity as p / (1 + p) of the smallest reward 2; game:005 has neither.
    rewarded, stated = [("game:001", 3.0), ("game:002", 2.0)], [("game:004", 2 * 9 / 10), ("game:003", 2 * 1 / 2)]
    assert popular.retrieve(request("whatever"), 10) == scores(rewarded + stated)
    assert popular.retrieve(request(""), 3) == scores(rewarded + stated[:1])


def test_popular_without_memory_is_the_catalogue() -> None:
    shop = Shop([game(1, popularity=3.0), game(2), game(3, popularity=1.0)])
    popular = PopularRetriever(shop.memory.totals, catalog=shop.catalog)
    assert popular.retrieve(request("x"), 10) == scores([("game:001", 0.75), ("game:003", 0.5)])


def test_popular_looks_past_any_number_of_deleted_entities() -> None:
    shop = Shop([game(number) for number in range(100)])
    for number in range(100):
        shop.click("halo", f"game:{number:03d}", shown=0, clicks=100 - number)
    shop.put(*(game(number).model_copy(update={"deleted": True}) for number in range(90)))
    found = PopularRetriever(shop.memory.totals, catalog=shop.catalog).retrieve(request("x"), 5)
    assert [one.entity_id for one in found] == [f"game:{number:03d}" for number in range(90, 95)]


def test_catalogue_popularity_follows_any_changes() -> None:
    chance, catalog = random.Random(4), Catalog(game(number, popularity=float(number % 5)) for number in range(200))
    plain = dict(catalog)
    for step in range(300):
        changes = [
            game(chance.randrange(210), popularity=float(chance.randrange(4))).model_copy(update={"deleted": chance.random() < 0.2})
            for _ in range(40 if step % 50 == 0 else 2)
        ]
        before = catalog.popular()
        kept = list(before)
        catalog.put(changes)
        assert list(before) == kept, "a list that somebody reads does not change"
        for entity in changes:
            plain[entity.entity_id] = entity
        left = [(-one.popularity, one.entity_id) for one in plain.values() if not one.deleted and one.popularity]
        assert list(catalog.popular()) == [(name, -minus) for minus, name in sorted(left)]


def test_popular_of_a_segment() -> None:
    shop = Shop([game(1), game(2)])
    shop.click("halo", "game:001", clicks=5, segment="adults")
    shop.click("halo", "game:002", clicks=1, segment="kids")
    popular = PopularRetriever(shop.memory.totals, catalog=shop.catalog)
    assert [one.entity_id for one in popular.retrieve(request("x", segment="kids"), 5)] == ["game:002"]
    assert [one.entity_id for one in popular.retrieve(request("x", segment="new"), 5)] == ["game:001", "game:002"]
