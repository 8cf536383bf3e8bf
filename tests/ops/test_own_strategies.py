"""Strategies of one's own: how they are named, loaded and held to the contract; and the example of the docs."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from learners.definition import ArmSpec
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from ops.definitions import definition
from ops.own_strategies import own_strategy, places_of
from ops.settings import Settings, names_of, read
from ops.strategies import strategies_of
from ops.wiring import EmbeddedLoop
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from schemas.candidates import Candidate, Request
from schemas.entities import Entity
from schemas.errors import InvalidSetting, NotFound, Unavailable
from schemas.ids import query_class, query_key
from tests.checks.retriever_checks import CHECKS, Subject
from tests.retrievers.shop import Shop, games, request

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SHOP = [Entity(entity_id=f"g{n}", title=title) for n, title in enumerate(("halo wars", "chess", "kart racing"))]


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """The example can be imported, and what a test imports is forgotten after it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def example(shop: Shop) -> Retriever:
    return own_strategy("title_prefix", "title_prefix:make", catalog=shop.catalog, reader=shop.memory)


@pytest.mark.parametrize("check", CHECKS)
def test_the_example_keeps_the_contract(check):
    CHECKS[check](Subject.of(example))
    CHECKS[check](Subject.of(lambda shop: sys.modules["title_prefix"].make(shop.catalog, shop.memory)))


def page_example(shop: Shop) -> Retriever:
    """The shorter one that stands in the page itself; what it leaves out the service does."""
    (block,) = re.findall(r"^```python\n(.*?)^```", (EXAMPLES.parent / "strategies.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    module = sys.modules["of_the_page"] = ModuleType("of_the_page")
    exec(block, module.__dict__)
    return own_strategy("title_prefix", "of_the_page:make", catalog=shop.catalog, reader=shop.memory)


@pytest.mark.parametrize("check", CHECKS)
def test_the_one_of_the_page_keeps_the_contract_once_it_is_loaded(check):
    CHECKS[check](Subject.of(page_example))


def test_the_example_is_thirty_lines():
    assert len((EXAMPLES / "title_prefix.py").read_text("utf-8").splitlines()) <= 33


def test_it_is_an_arm_among_others_and_searched_with():
    entries = ("lexical", "title_prefix=title_prefix:make", "memory")
    made = definition(entries, min_clients=1)
    assert made.arms[1] == ArmSpec.of("title_prefix")
    config = Settings(strategies=entries)
    loop = EmbeddedLoop(SHOP, made, clock=lambda: 0.0, retrievers=lambda *parts: strategies_of(entries, *parts, config))
    try:
        page = loop.search(Request("s-1", 1_700_000_000_000, "hal", query_key("hal"), query_class(query_key("hal"))))
    finally:
        loop.close()
    assert [one.entity_id for one in page.lists["title_prefix"]] == ["g0"]
    assert [one.entity_id for one in page.impression.results] == ["g0"]


def test_names_alone_find_their_places_in_the_settings():
    config = Settings(strategies=("lexical", "title_prefix=title_prefix:make"))
    made = strategies_of(names_of(config.strategies), Catalog(SHOP), MemoryReader(Reading()), config)
    assert tuple(made) == ("lexical", "title_prefix")


def test_a_strategy_that_is_asked_outside_is_an_arm_and_not_made_here():
    entries = read({"FORAGE_STRATEGIES": "lexical, titles=outside"}).strategies
    assert names_of(definition(entries).strategies) == ("lexical", "titles")
    told: list[str] = []
    made = strategies_of(entries, Catalog(SHOP), MemoryReader(Reading()), Settings(), missing=lambda name, why: told.append(name))
    assert (tuple(made), told) == (("lexical",), [])
    with pytest.raises(NotFound, match="titles is asked outside"):  # an evaluation needs all of them
        strategies_of(entries, Catalog(SHOP), MemoryReader(Reading()), Settings())


@pytest.mark.parametrize("entry", ["mine=", "mine=module", "mine=module:", "mine=:make", "mine=a b:make", "Mine=a:make", "mine=a:b:c"])
def test_entries_of_another_form_are_refused(entry):
    with pytest.raises(InvalidSetting, match="for one of your own name=module:function"):
        read({"FORAGE_STRATEGIES": f"lexical,{entry}"})


def test_one_name_from_two_places_is_refused():
    with pytest.raises(InvalidSetting, match="each once"):
        read({"FORAGE_STRATEGIES": "mine=a:make,mine=b:make"})


class Careless:
    """Any order, doubles, strangers, zeros, too many."""

    def retrieve(self, request: Request, depth: int) -> list[tuple[str, float]]:
        return [("game:002", 1), ("stranger", 9.0), ("game:001", 2.0), ("game:002", 3.0), ("game:003", 0.0), ("game:000", 2.0)]


def careless(catalog: Catalog, memory: MemoryReader) -> Careless:
    return Careless()


def test_what_a_strategy_returns_is_brought_into_the_order_that_all_have():
    shop = games()
    sys.modules["careless"] = sys.modules[__name__]
    made = own_strategy("mine", "careless:careless", catalog=shop.catalog, reader=shop.memory)
    expected = [Candidate("game:002", 3.0), Candidate("game:000", 2.0), Candidate("game:001", 2.0)]
    assert made.retrieve(request("x"), 10) == expected
    assert made.retrieve(request("x"), 2) == expected[:2]
    assert made.retrieve(request("x"), 0) == []


@pytest.mark.parametrize(
    ("place", "text", "error", "says"),
    [
        ("nowhere_at_all:make", "", NotFound, "no module nowhere_at_all; run where it can be imported, or set PYTHONPATH"),
        ("broken:make", "import nothing_of_this_name", NotFound, "no module nothing_of_this_name"),
        ("broken:make", "1 / 0", Unavailable, "does not import: ZeroDivisionError"),
        ("broken:make", "", NotFound, "has no function make; write name=module:function"),
        ("broken:make", "make = 7", NotFound, "has no function make"),
        ("broken:make", "def make(catalog, memory): raise ValueError('no model')", Unavailable, r"failed: ValueError\('no model'\)"),
        ("broken:make", "def make(catalog, memory): return []", InvalidSetting, r"made list, which has no retrieve\(request, depth\)"),
    ],
)
def test_one_that_cannot_be_made_says_why_and_what_to_do(tmp_path, monkeypatch, place, text, error, says):
    (tmp_path / "broken.py").write_text(text)
    monkeypatch.chdir(tmp_path)  # modules of the working directory are found
    monkeypatch.setattr(sys, "path", [*sys.path])
    told: list[Exception] = []
    with pytest.raises(error, match=says):
        own_strategy("mine", place, catalog=Catalog(), reader=MemoryReader(Reading()))
    made = strategies_of(
        ("lexical", f"mine={place}"), Catalog(SHOP), MemoryReader(Reading()), Settings(), missing=lambda name, why: told.append(why)
    )
    assert tuple(made) == ("lexical",)
    assert len(told) == 1


def test_places_are_those_of_entries_that_have_one():
    assert places_of(("lexical", "mine=a.b:make", "theirs=outside")) == {"mine": "a.b:make", "theirs": "outside"}
