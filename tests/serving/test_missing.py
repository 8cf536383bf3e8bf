"""Why is this item not here? One case made on purpose for every stage that can lose an item."""

from dataclasses import replace

import pytest

from learners.definition import ArmSpec, Definition, PlacementSpec, Selection
from learners.policy import Policy
from schemas.candidates import Candidate, Request
from serving.explaining import missing
from serving.kept import Search
from tests.retrievers.shop import request
from tests.serving.kitchen import Kitchen, policy

PLAIN = PlacementSpec(draw=0.0, slot=0.0, swap=0.0)
SURE = {"lexical": 1.0}


def asking(depth: int = 20, placement: PlacementSpec = PLAIN, **p: float) -> Policy:
    """Each named strategy with its probability; the others with the floor."""
    arms = [ArmSpec.of(name, depth=depth) for name in p]
    selection = Selection(kind="fixed", fixed=p)
    return Policy.untrained(Definition(arms=arms, selection=selection, placement=placement, depth_jitter=0.0, floor=0.001))


def searched(kitchen: Kitchen, asked: Request) -> Search:
    return Search(asked, kitchen.pipeline.search(asked), kitchen.view)


def order(search: Search) -> list[str]:
    return [one.entity_id for one in search.page.ranked]


class Once:
    """A strategy that breaks the first time it is asked."""

    name = "memory"

    def __init__(self) -> None:
        self.calls = 0

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        self.calls += 1
        if self.calls == 1:
            raise OSError("the disk is gone")
        return [Candidate("game:033", 1.0)]


class Later:
    """A strategy that finds something new the second time."""

    name = "memory"

    def __init__(self) -> None:
        self.found: list[Candidate] = []

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        found, self.found = self.found, [Candidate("game:033", 1.0)]
        return found


def test_what_is_on_the_page_is_not_missing():
    search = searched(Kitchen(asking(**SURE)), request("halo"))
    lost = missing(search, order(search)[1])
    assert (lost.stage, lost.place) == ("shown", 2)
    assert "at place 2" in lost.sentence


def test_what_the_catalogue_has_not():
    lost = missing(searched(Kitchen(asking(**SURE)), request("halo")), "game:999")
    assert lost.stage == "catalogue"
    assert "not in the catalogue" in lost.sentence


def test_ranked_on_a_later_page_with_its_rank():
    search = searched(Kitchen(asking(**SURE)), request("halo", size=3))
    lost = missing(search, order(search)[7])
    assert (lost.stage, lost.rank) == ("ranked", 8)
    assert "eighth" in lost.sentence
    assert "page 3" in lost.sentence


def test_ranked_on_an_earlier_page():
    search = searched(Kitchen(asking(**SURE)), request("halo", size=3, page=2))
    lost = missing(search, order(search)[0])
    assert (lost.stage, lost.rank) == ("page", 1)


def test_a_test_position_that_took_its_place():
    kitchen = Kitchen(asking(placement=PlacementSpec(draw=0.0, slot=1.0, swap=0.0), **SURE))
    search = searched(kitchen, request("halo", size=5))
    lost = missing(search, order(search)[4])
    assert (lost.stage, lost.rank) == ("test", 5)
    assert "test position" in lost.sentence


def test_a_drawn_score_that_put_others_first():
    kitchen = Kitchen(asking(placement=PlacementSpec(draw=4.0, slot=0.0, swap=0.0), **SURE))
    for number in range(50):
        search = searched(kitchen, request("halo", size=5, search_id=f"s{number}"))
        shown = {one.entity_id for one in search.page.impression.results}
        if out := [one for one in order(search)[:5] if one not in shown]:
            lost = missing(search, out[0])
            assert lost.stage == "test"
            assert "drawn" in lost.sentence
            return
    pytest.fail("no draw moved anything off the page")


def test_a_strategy_that_was_not_asked():
    kitchen = Kitchen(asking(lexical=1.0, popular=0.001))
    search = searched(kitchen, request("halo"))
    assert search.page.impression.decision.asked() == {"lexical"}
    only_popular = next(
        one.entity_id for one in kitchen.view.retrievers["popular"].retrieve(request("halo"), 20) if one.entity_id not in order(search)
    )
    lost = missing(search, only_popular)
    assert lost.stage == "not_asked"
    assert "Most chosen" in lost.sentence
    assert "1 in 1,000" in lost.sentence
    assert {one.strategy: one.asked for one in lost.asked}["popular"] is False


def test_found_below_the_depth_that_was_wanted():
    search = searched(Kitchen(asking(depth=3, **SURE)), request("halo"))
    deep = Kitchen(asking(**SURE)).view.retrievers["lexical"].retrieve(request("halo"), 20)[5].entity_id
    lost = missing(search, deep)
    assert lost.stage == "depth"
    assert "rank 6" in lost.sentence
    assert "3 were wanted" in lost.sentence


def test_what_no_strategy_finds():
    kitchen = Kitchen(asking(**SURE))
    kitchen.view.retrievers.pop("popular")
    found = {one.entity_id for strategy in kitchen.view.retrievers.values() for one in strategy.retrieve(request("halo"), 1_000)}
    lost = missing(searched(kitchen, request("halo")), next(one for one in kitchen.view.catalog if one not in found))
    assert lost.stage == "not_found"
    assert all(one.rank is None for one in lost.asked)


def test_what_is_found_too_deep_by_a_strategy_that_was_left_out():
    kitchen = Kitchen(asking(depth=1, lexical=1.0, popular=0.001))
    kitchen.view.retrievers.pop("lexical_title")
    search = searched(kitchen, request("halo"))
    popular = [one.entity_id for one in kitchen.view.retrievers["popular"].retrieve(request("halo"), 60)]
    words = {one.entity_id for one in kitchen.view.retrievers["lexical"].retrieve(request("halo"), 60)}
    lost = missing(search, next(one for one in popular[1:] if one not in words))
    assert lost.stage == "not_found"
    assert "no method that was asked has it" in lost.sentence


@pytest.mark.parametrize(("strategy", "stage", "said"), [(Once(), "failed", "failed"), (Later(), "since", "Search again")])
def test_a_strategy_that_failed_or_has_learned_since(strategy, stage, said):
    kitchen = Kitchen(asking(lexical=1.0, memory=1.0), retrievers={"memory": strategy})
    search = searched(kitchen, request("chess 1"))
    assert "game:033" not in order(search)
    lost = missing(search, "game:033")
    assert lost.stage == stage
    assert said in lost.sentence


def test_a_strategy_that_is_late_is_told_as_late():
    kitchen = Kitchen(asking(lexical=1.0, memory=1.0), retrievers={"memory": Once()})
    search = searched(kitchen, request("chess 1"))
    decision = search.page.impression.decision
    arms = [arm.model_copy(update={"status": "late"}) if arm.name == "memory" else arm for arm in decision.arms]
    impression = search.page.impression.model_copy(update={"decision": decision.model_copy(update={"arms": arms})})
    late = replace(search, page=replace(search.page, impression=impression))
    assert "was late" in missing(late, "game:033").sentence


def test_nothing_is_logged_and_the_untrained_policy_does_as_well():
    kitchen = Kitchen(policy())
    search = searched(kitchen, request("halo"))
    before = len(kitchen.emitted)
    missing(search, "game:002")
    assert len(kitchen.emitted) == before
