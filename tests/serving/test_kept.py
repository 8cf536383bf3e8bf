"""The last searches: two kinds of room, actions that meet their page, and what further pages repeat."""

from dataclasses import replace

import pytest

from schemas.events import Action
from serving import kept as kept_module
from serving.kept import LOOKED_AT, MOST, NOTED, Kept, Search
from tests.retrievers.shop import NOW, request
from tests.serving.kitchen import Kitchen, policy


@pytest.fixture(scope="module")
def kitchen() -> Kitchen:
    return Kitchen(policy())


def search_of(kitchen: Kitchen, search_id: str, *, counted: bool = True) -> Search:
    asked = request("halo", search_id=search_id)
    return Search(asked, kitchen.pipeline.search(asked), kitchen.view, counted)


def click(search: Search, entity_id: str) -> Action:
    return Action(action_id="a", search_id=search.request.search_id, ts=NOW, kind="click", entity_id=entity_id)


def test_traffic_does_not_push_out_what_somebody_looks_at(kitchen):
    kept, looked = Kept(), search_of(kitchen, "looked")
    kept.put(looked, looked_at=True)
    one = search_of(kitchen, "t")
    for number in range(MOST + 1):
        kept.put(Search(request("halo", search_id=f"t-{number}"), one.page, one.view))
    assert kept.get("looked") is looked
    assert kept.get("t-0") is None
    assert kept.get("t-1") is not None
    assert [search.request.search_id for search in kept.latest(2)] == [f"t-{MOST}", f"t-{MOST - 1}"]
    for number in range(LOOKED_AT):
        kept.put(Search(request("halo", search_id=f"l-{number}"), one.page, one.view), looked_at=True)
    assert kept.get("looked") is None


def test_an_action_is_noted_with_the_page_that_showed_its_entity(kitchen):
    kept, search = Kept(), search_of(kitchen, "s")
    kept.put(search)
    shown = search.page.impression.results[0].entity_id
    for entity in (shown, "game:none"):
        kept.acted(click(search, entity))
    found = kept.get("s")
    assert found is not None
    assert [action.entity_id for action in found.actions] == [shown]


def test_pages_can_be_turned_long_after_the_whole_search_is_gone(kitchen):
    kept, search = Kept(), search_of(kitchen, "s", counted=False)
    kept.put(search)
    for number in range(MOST):
        kept.put(Search(request("halo", search_id=f"t-{number}"), search.page, search.view))
    assert kept.get("s") is None
    begun = kept.begun("s")
    assert begun is not None
    assert (begun.request, begun.counted) == (search.request, False)
    assert begun.decision == search.page.impression.decision
    assert kept.begun("never") is None


def test_who_sends_ever_more_actions_of_one_search_fills_no_memory(kitchen):
    kept, search = Kept(), search_of(kitchen, "s")
    kept.put(search)
    for _ in range(NOTED + 1):
        kept.acted(click(search, search.page.impression.results[0].entity_id))
    found = kept.get("s")
    assert found is not None
    assert len(found.actions) == NOTED


def test_large_requests_push_out_the_oldest_that_could_be_turned(kitchen, monkeypatch):
    monkeypatch.setattr(kept_module, "TURNED_BYTES", 1_000_000)
    kept, one = Kept(), search_of(kitchen, "s")
    for number in range(20):
        asked = replace(request("halo", search_id=f"s-{number}"), profile={f"{name}": "x" * 1_000 for name in range(64)})
        kept.put(Search(asked, one.page, one.view))
    held = [number for number in range(20) if kept.begun(f"s-{number}") is not None]
    assert held == list(range(20 - len(held), 20))
    assert 10 <= len(held) <= 15
