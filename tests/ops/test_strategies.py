"""Strategies by name: what is made, what is refused, and what a search goes on without."""

import logging

import pytest

from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from ops.definitions import STRATEGIES, definition
from ops.settings import Settings
from ops.strategies import strategies_of
from ops.wiring import EmbeddedLoop
from retrievers.catalog import Catalog
from schemas.candidates import Request
from schemas.entities import Entity
from schemas.errors import ForageError, InvalidSetting, NotFound, Unavailable
from schemas.ids import query_class, query_key

SHOP = [Entity(entity_id=f"g{n}", entity_type="game", title=title) for n, title in enumerate(("halo wars", "chess", "kart racing"))]
EVERY = ("lexical", "lexical_title", "lexical_all", "trigrams", "memory", "neighbours", "popular", "fresh", "xmr")


def made(*names: str, **more):
    return strategies_of(names, Catalog(SHOP), MemoryReader(Reading()), Settings(**more))


def request(query: str) -> Request:
    return Request("s-1", 1_700_000_000_000, query, query_key(query), query_class(query_key(query)))


def test_each_stands_under_its_own_name():
    found = made(*EVERY)
    assert tuple(found) == EVERY
    assert [one.name for one in found.values()] == list(EVERY)
    assert {name for name, one in found.items() if [c.entity_id for c in one.retrieve(request("halo"), 5)] == ["g0"]} >= {
        "lexical", "lexical_title", "lexical_all", "trigrams",
    }  # fmt: skip


def test_an_unknown_name_is_refused_with_the_choice():
    with pytest.raises(NotFound, match=r"no strategy \['magic'\]; choose among .*trigrams"):
        made("lexical", "magic")


def test_dense_without_an_encoder_says_what_to_set():
    with pytest.raises(NotFound, match="FORAGE_ENCODER"):
        made("dense")


def test_what_cannot_be_made_is_told_and_left_out(tmp_path):
    told: list[tuple[str, ForageError]] = []
    names, nowhere = ("lexical", "dense"), Settings(encoder=str(tmp_path / "nowhere"))
    found = strategies_of(names, Catalog(SHOP), MemoryReader(Reading()), nowhere, missing=lambda *one: told.append(one))
    assert tuple(found) == ("lexical",)
    assert [name for name, _ in told] == ["dense"]
    assert isinstance(told[0][1], NotFound | Unavailable | InvalidSetting)


def test_a_loop_searches_on_without_it_and_it_has_no_propensity(caplog):
    with caplog.at_level(logging.WARNING):
        loop = EmbeddedLoop(SHOP, definition(("lexical", "dense"), min_clients=1), clock=lambda: 0.0)
    assert "strategy dense is not available" in caplog.text
    assert "FORAGE_ENCODER" in caplog.text
    try:
        decision = loop.search(request("halo")).impression.decision
    finally:
        loop.close()
    assert decision is not None
    assert decision.available == ["lexical"]
    assert [arm.name for arm in decision.arms] == ["lexical"]


def test_the_default_strategies_need_neither_encoder_nor_dates():
    assert tuple(made(*STRATEGIES)) == STRATEGIES
