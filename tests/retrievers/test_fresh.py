"""Fresh: known answers worked by hand."""

import pytest

from retrievers.fresh import FreshRetriever
from schemas.entities import Entity
from tests.retrievers.shop import DAY_MS, NOW, request


def made(name: str, title: str, days_ago: float | None) -> Entity:
    created = None if days_ago is None else NOW - int(days_ago * DAY_MS)
    return Entity(entity_id=name, title=title, created_at=created)


def shop() -> FreshRetriever:
    return FreshRetriever([made("a", "halo reach", 30), made("b", "halo", 90), made("c", "chess", 0), made("d", "halo wars", None)])


def test_a_shelf_is_the_newest_first() -> None:
    # 1 / (1 + age / 30 days); what has no date is never found.
    assert shop().retrieve(request(""), 9) == [("c", 1.0), ("a", 0.5), ("b", 0.25)]
    assert shop().retrieve(request(" "), 2) == [("c", 1.0), ("a", 0.5)]


def test_a_query_finds_the_new_that_has_its_words() -> None:
    assert shop().retrieve(request("Halo"), 9) == [("a", 0.5), ("b", 0.25)]
    # N = 3: halo (df 2) ln 1.6, reach (df 1) ln(8/3). b has ln 1.6 of ln 1.6 + ln(8/3), 0.32: less than half of the query.
    assert shop().retrieve(request("halo reach"), 9) == [("a", 0.5)]
    assert shop().retrieve(request("newest halo"), 9) == [("a", 0.5), ("b", 0.25)], "a word that nothing has asks for nothing"
    assert shop().retrieve(request("zyzzyva"), 9) == []


def test_half_of_the_query_is_enough() -> None:
    fresh = FreshRetriever([made("a", "halo wars", 30), made("b", "halo reach", 0), made("c", "chess", 0)])
    # halo (df 2 of 3) ln 1.6, wars and chess (df 1) ln(8/3): a matches ln 1.6 + ln(8/3) of the sum 2.432, which is 0.597.
    assert fresh.retrieve(request("halo wars chess"), 9) == [("a", pytest.approx(0.5967 * 0.5, abs=1e-4))]


def test_far_in_the_future_is_as_little_fresh_as_long_ago() -> None:
    days = {"announced": -30, "past": 30, "never": -30_000, "old": 15_000}
    fresh = FreshRetriever([made(name, "halo", ago) for name, ago in days.items()])
    found = fresh.retrieve(request("halo"), 9)
    assert found == [("announced", 0.5), ("past", 0.5), ("old", pytest.approx(1 / 501)), ("never", pytest.approx(1 / 1001))]


def test_changes() -> None:
    fresh = shop()
    fresh.put([made("c", "chess", None), made("d", "halo wars", 1), Entity(entity_id="a", deleted=True)])
    assert [one.entity_id for one in fresh.retrieve(request(""), 9)] == ["d", "b"]
