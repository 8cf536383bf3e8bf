"""Searching beside the log: with another view, without a record, without chance; and how long it took."""

from dataclasses import replace
from itertools import count

import pytest

from learners.definition import PlacementSpec, Selection
from learners.policy import Policy
from schemas.codec import decode_event, encode
from schemas.decisions import Decision
from serving.pipeline import Page, Pipeline
from serving.view import View
from tests.retrievers.shop import request
from tests.serving.kitchen import NAMES, Broken, Kitchen, policy

TESTED = PlacementSpec(draw=2.0, slot=0.5, swap=0.5)


def decision_of(page: Page) -> Decision:
    assert page.impression.decision is not None
    return page.impression.decision


def test_another_view_answers_in_place_of_the_current_one() -> None:
    kitchen, asked = Kitchen(policy(p=0.98, salt="all")), request("halo", search_id="s-7")
    other = View(policy(["popular"], p=0.98, salt="other"), None, {"popular": kitchen.view.retrievers["popular"]}, {})
    page = kitchen.pipeline.search(asked, view=other)
    assert (decision_of(page).salt, decision_of(page).available) == ("other", ["popular"])
    assert {one.entity_type for one in page.impression.results} == {""}, "the catalogue is the view's too"
    assert decision_of(kitchen.pipeline.search(asked)).salt == "all"


def test_without_a_record_nothing_is_emitted_and_no_shadow_is_asked() -> None:
    names = ["popular"]  # the three others are available and unknown to the policy: all that is asked of them is in the shadow
    kitchen = Kitchen(policy(names, p=0.98), retrievers={"memory": Broken()})
    searches = [request("halo", search_id=f"s-{number}") for number in range(60)]
    for asked in searches:
        tried, logged = kitchen.pipeline.search(asked, record=False), kitchen.pipeline.search(asked)
        assert decision_of(tried).shadow == []
        assert decision_of(tried).arms == decision_of(logged).arms
        assert (tried.ranked, tried.lists, tried.impression.results) == (logged.ranked, logged.lists, logged.impression.results)
    assert len(kitchen.emitted) == len(searches)
    assert any(one.decision.shadow for one, _ in kitchen.emitted if one.decision), "what is logged has its shadows"


def test_without_chance_what_is_likelier_than_not_is_asked_and_the_page_is_the_ranking() -> None:
    kitchen = Kitchen(policy(p=0.98, placement=TESTED))
    several = kitchen.view.policy
    for number in range(40):
        asked = request("halo", search_id=f"s-{number}", size=5)
        page = kitchen.pipeline.search(asked, explore=False)
        impression = page.impression
        assert decode_event(encode(impression)) == impression, "it can be logged"
        assert [(arm.name, arm.asked, arm.propensity, arm.depth, arm.depth_p) for arm in decision_of(page).arms] == [
            (name, True, 1.0, 20, 1.0) for name in sorted(NAMES)
        ]
        assert [one.entity_id for one in impression.results] == [one.entity_id for one in page.ranked[:5]]
        assert {(one.placement.mode, one.placement.p, one.placement.draw_p) for one in impression.results} == {("score", 1.0, 1.0)}
        calm = replace(asked, explore=False)
        assert kitchen.pipeline.search(calm).impression.results == impression.results, "the request can say it for all its pages"
        second = kitchen.pipeline.search(replace(calm, page=2), decision=decision_of(page))
        assert [one.entity_id for one in second.impression.results] == [one.entity_id for one in page.ranked[5:10]]
    modes = {
        one.placement.mode for n in range(40) for one in kitchen.pipeline.search(request("halo", search_id=f"s-{n}")).impression.results
    }
    assert modes == {"score", "slot", "swap"}, "the policy itself goes on testing"
    assert kitchen.view.policy is several


def test_without_chance_an_arm_that_is_less_likely_than_not_is_no_arm() -> None:
    spec = policy().definition.model_copy(
        update={"selection": Selection(kind="fixed", fixed={**dict.fromkeys(NAMES, 0.48), "memory": 0.49})}
    )
    page = Kitchen(Policy.untrained(spec)).pipeline.search(request("halo"), explore=False)
    assert [(arm.name, arm.propensity) for arm in decision_of(page).arms] == [("memory", 1.0)], "an empty page helps nobody"
    assert decision_of(page).available == sorted(NAMES)
    always = Kitchen(policy(["memory", "popular"], p=0.49, always=["lexical"]))
    assert always.pipeline.search(request("halo"), explore=False).lists.keys() == {"lexical"}


def test_timing_says_where_the_time_went() -> None:
    kitchen, ticks = Kitchen(policy(p=0.98, salt="all")), count()
    pipeline = Pipeline(lambda: kitchen.view, lambda *_: None, clock=lambda: next(ticks) / 1024)
    timing = pipeline.search(request("halo", search_id="s-7")).timing
    # Looks at the clock: at the start, when decided, twice for each of four strategies, when retrieved, when ranked.
    assert timing == {
        name: pytest.approx(looks * 1000 / 1024) for name, looks in {"decide": 1, "retrieve": 9, "rank": 1, "total": 11}.items()
    }
