"""The one search path with the real policy, reader and retrievers: what is shown, what is logged, and that both agree."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import PlacementSpec
from learners.draws import uniform
from schemas.candidates import Request
from schemas.codec import decode_event, encode
from schemas.decisions import Decision
from schemas.errors import InvalidMessage, InvalidSetting
from schemas.events import Context, Impression, Result
from serving.pipeline import Page
from tests.retrievers.shop import NOW, game, request
from tests.serving.kitchen import NAMES, Broken, Kitchen, policy

KITCHEN = Kitchen(policy())
BY_SCORE = PlacementSpec(draw=0.0, slot=0.0, swap=0.0)


def decision_of(page: Page) -> Decision:
    assert page.impression.decision is not None
    return page.impression.decision


def placement_of(result: Result) -> tuple[str, float, float]:
    return result.placement.mode, result.placement.p, result.placement.draw_p


def assert_logged(kitchen: Kitchen, page: Page, asked: Request) -> None:
    """The impression is valid, and it says what happened."""
    impression, ts = kitchen.emitted[-1]
    assert impression is page.impression
    assert ts == asked.ts == impression.ts
    assert decode_event(encode(impression)) == impression
    assert Impression.model_validate(impression.model_dump()) == impression, "built without validation, yet right"
    decision = decision_of(page)
    assert decision.asked() == set(page.lists)
    for one in [*(arm for arm in decision.arms if arm.asked), *decision.always]:
        assert one.returned == len(page.lists[one.name]) <= one.depth
    first = (asked.page - 1) * asked.size
    placed = kitchen.view.policy.place(asked, page.ranked)
    assert len(placed) == max(0, min(asked.size, len(page.ranked) - first))
    assert [(one.entity_id, one.score, one.position, *placement_of(one)) for one in impression.results] == [
        (it.one.entity_id, it.one.score, first + at, it.mode, it.p, it.one.draw_p) for at, it in enumerate(placed, 1)
    ]
    assert [one.entity_id for one in impression.candidates] in ([], [one.entity_id for one in page.ranked[:50]])
    for result in [*impression.results, *impression.candidates]:
        for source in result.sources:
            found = page.lists[source.strategy][source.rank - 1]
            assert (found.entity_id, found.score) == (result.entity_id, source.score)


def test_a_search_known_answer() -> None:
    kitchen = Kitchen(policy(p=0.98, salt="all", placement=BY_SCORE))
    asked = request("halo", search_id="s-7")
    page = kitchen.pipeline.search(asked)
    assert_logged(kitchen, page, asked)
    assert page.lists.keys() == set(NAMES), "with this salt and search all four are drawn"
    impression = page.impression
    assert (impression.search_id, impression.page, impression.query.text, impression.query.key) == ("s-7", 1, "halo", "halo")
    assert impression.query.query_class == "1"
    assert impression.feature_schema == kitchen.view.policy.feature_schema
    assert [one.position for one in impression.results] == list(range(1, 11))
    assert all(one.entity_type == "game" for one in impression.results)
    assert {source.strategy for one in impression.results for source in one.sources} == {*NAMES}
    assert [one.entity_id for one in impression.candidates] == [one.entity_id for one in page.ranked][:50]
    assert all(arm.ms == pytest.approx(1000 / 1024) for arm in decision_of(page).arms)
    assert all(arm.status == "ok" and arm.propensity == 0.98 for arm in decision_of(page).arms)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(st.text(max_size=80), st.sampled_from(["halo", "chess 2", "halo racing 5 soccer"])),
    st.integers(0, 50),
    st.integers(1, 4),
    st.integers(1, 30),
    st.sampled_from(["", "kids"]),
)
def test_every_impression_is_valid_and_true(text: str, number: int, page: int, size: int, segment: str) -> None:
    asked = request(text, search_id=f"s-{number}", page=page, size=size, segment=segment)
    assert_logged(KITCHEN, KITCHEN.pipeline.search(asked), asked)


def test_a_very_long_query_is_cut_in_the_log_only() -> None:
    asked = request("halo " * 400)
    page = KITCHEN.pipeline.search(asked)
    assert_logged(KITCHEN, page, asked)
    assert page.impression.query.text == asked.query[:512]
    assert page.impression.query.key == asked.query_key


def test_pages_go_on_where_the_last_one_ended() -> None:
    kitchen = Kitchen(policy(placement=BY_SCORE))
    asked = request("halo", size=4)
    first = kitchen.pipeline.search(asked)
    pages = [kitchen.pipeline.search(replace(asked, page=number), decision=decision_of(first)) for number in (2, 3)]
    assert [one.entity_id for page in (first, *pages) for one in page.impression.results] == [one.entity_id for one in first.ranked[:12]]
    assert [one.position for one in pages[1].impression.results] == [9, 10, 11, 12]
    assert {placement_of(one) for page in (first, *pages) for one in page.impression.results} == {("score", 1.0, 1.0)}
    assert kitchen.pipeline.search(replace(asked, page=1000), decision=decision_of(first)).impression.results == []


@pytest.mark.parametrize("size", [1, 3, 7])
def test_tests_on_the_page_lose_nothing_and_show_nothing_twice_over_all_pages(size: int) -> None:
    kitchen = Kitchen(policy(p=0.98, placement=PlacementSpec(draw=2.0, slot=0.5, swap=0.5)))
    modes, reordered = set(), 0
    for number in range(12):
        asked = request("halo", search_id=f"s-{number}", size=size)
        first = kitchen.pipeline.search(asked)
        ranked = [one.entity_id for one in first.ranked]
        later = [
            kitchen.pipeline.search(replace(asked, page=page), decision=decision_of(first)).impression.results
            for page in range(2, 2 + len(ranked) // size)
        ]
        results = [one for page in (first.impression.results, *later) for one in page]
        assert sorted(one.entity_id for one in results) == sorted(ranked)
        assert [one.position for one in results] == list(range(1, len(ranked) + 1))
        modes |= {one.placement.mode for one in results}
        reordered += [one.entity_id for one in results] != ranked
    assert reordered > 6
    assert modes == {1: {"score"}, 3: {"score", "slot", "swap"}, 7: {"score", "slot", "swap"}}[size]


def test_every_page_repeats_the_decision() -> None:
    kitchen = Kitchen(policy(p=0.5))
    for number in range(20):
        asked = request("halo", search_id=f"s-{number}")
        first = kitchen.pipeline.search(asked)
        recomputed = kitchen.pipeline.search(replace(asked, page=2))
        assert decision_of(recomputed) == decision_of(first)
    # The policy and the memory changed in between: the logged decision is passed, asked and logged as it was.
    kitchen.view = replace(kitchen.view, policy=policy(p=0.02, salt="other"))
    kitchen.shop.click("halo", "game:001", clicks=9)
    passed = kitchen.pipeline.search(replace(asked, page=2), decision=decision_of(first))
    assert decision_of(passed) == decision_of(first)
    assert passed.lists.keys() == decision_of(first).asked()


def test_a_decision_on_a_strategy_that_is_gone_still_shows_a_page() -> None:
    kitchen = Kitchen(policy(p=0.98, salt="all"))
    first = kitchen.pipeline.search(request("halo", search_id="s-7"))
    kept = {name: one for name, one in kitchen.view.retrievers.items() if name != "memory"}
    kitchen.view = replace(kitchen.view, retrievers=kept)
    second = kitchen.pipeline.search(request("halo", search_id="s-7", page=2), decision=decision_of(first))
    assert second.lists["memory"] == []
    assert second.impression.results
    assert decision_of(second) == decision_of(first)


def test_a_failing_strategy_is_logged_as_asked_and_the_rest_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    kitchen = Kitchen(policy(p=0.98, salt="all"), retrievers={"memory": Broken()})
    asked = request("halo", search_id="s-7")
    page = kitchen.pipeline.search(asked)
    assert_logged(kitchen, page, asked)
    arms = {arm.name: arm for arm in decision_of(page).arms}
    assert (arms["memory"].asked, arms["memory"].status, arms["memory"].returned) == (True, "failed", 0)
    assert {arm.status for name, arm in arms.items() if name != "memory"} == {"ok"}
    assert len(page.impression.results) == 10
    assert "strategy memory failed" in caplog.text
    assert "the disk is gone" in caplog.text


def test_nothing_asked_is_an_empty_page_that_is_logged() -> None:
    kitchen = Kitchen(policy(p=0.02))
    asked = next(
        one for one in (request("halo", search_id=f"s-{number}") for number in range(100)) if not kitchen.pipeline.search(one).lists
    )
    page = kitchen.pipeline.search(asked)
    assert_logged(kitchen, page, asked)
    assert page.impression.results == page.impression.candidates == []
    assert [(arm.asked, arm.propensity, arm.status) for arm in decision_of(page).arms] == [(False, 0.02, "not_asked")] * 4


def test_always_means_always() -> None:
    kitchen = Kitchen(policy(["memory", "popular"], p=0.02, always=["lexical"]))
    for number in range(30):
        asked = request("halo", search_id=f"s-{number}")
        page = kitchen.pipeline.search(asked)
        assert_logged(kitchen, page, asked)
        assert "lexical" in page.lists
        assert [(one.name, one.status, one.returned > 0) for one in decision_of(page).always] == [("lexical", "ok", True)]


def test_what_is_asked_is_what_the_logged_probabilities_and_draws_say() -> None:
    for number in range(100):
        decision = decision_of(KITCHEN.pipeline.search(request("halo", search_id=f"d-{number}")))
        for arm in decision.arms:
            assert arm.asked == (uniform("ask", decision.salt, f"d-{number}", arm.name) < arm.propensity)


def test_strategies_that_are_not_there_have_no_propensity() -> None:
    kitchen = Kitchen(policy([*NAMES, "dense"], p=0.98))
    decision = decision_of(kitchen.pipeline.search(request("halo")))
    assert decision.available == sorted(NAMES)
    assert {arm.name for arm in decision.arms} == {*NAMES}


def test_a_share_of_impressions_logs_candidates() -> None:
    kitchen = Kitchen(policy(p=0.98), candidates_p=0.1)
    pages = [kitchen.pipeline.search(request("halo", search_id=f"s-{number}", size=3)) for number in range(400)]
    logged = [bool(page.impression.candidates) for page in pages]
    assert logged == [uniform("sample", "kitchen", f"s-{number}", "candidates") < 0.1 for number in range(400)]
    assert 16 <= sum(logged) <= 64, "400 x 0.1 within four standard deviations"
    assert {page.impression.candidates_p for page in pages} == {0.1}
    for wrong in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(InvalidSetting, match="use a probability above 0"):
            Kitchen(policy(), candidates_p=wrong)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"search_id": ""}, "search_id"),
        ({"search_id": "x" * 257}, "search_id"),
        ({"size": 0}, "size"),
        ({"size": 101}, "size"),
        ({"page": 0}, "page"),
        ({"page": 1001}, "page"),
        ({"ts": -1}, "ts"),
        ({"query": "\ud800"}, "text"),
        ({"client_id": ""}, "client_id"),
        ({"segment": "x" * 129}, "segment"),
    ],
)
def test_a_request_that_cannot_be_logged_is_refused_before_any_work(change: dict[str, object], field: str) -> None:
    kitchen = Kitchen(policy())
    asked = Request(**{"search_id": "s", "ts": NOW, "query": "halo", "query_key": "halo", **change})  # type: ignore[arg-type]
    with pytest.raises(InvalidMessage, match=f"not a request: {field}: "):
        kitchen.pipeline.search(asked)
    assert kitchen.emitted == []
    assert KITCHEN.pipeline.search(replace(asked, **{name: getattr(request("halo"), name) for name in change})).impression.results


def test_who_asked_and_where_is_in_the_log() -> None:
    context = Context(device="phone", locale="de-DE", hour_of_week=3, profile={"plan": "family"})
    asked = replace(request("halo"), surface="shelf", client_id="c", session_id="t", segment="kids", context=context)
    impression = KITCHEN.pipeline.search(asked).impression
    said = (impression.surface, impression.client_id, impression.session_id, impression.segment, impression.context)
    assert said == ("shelf", "c", "t", "kids", context)
    assert impression.query.locale == "de-DE"


def test_what_was_emitted_does_not_change_afterwards() -> None:
    kitchen = Kitchen(policy(p=0.98))
    asked = request("halo")
    page = kitchen.pipeline.search(asked)
    before = encode(page.impression)
    for found in page.lists.values():
        found.clear()  # type: ignore[attr-defined]
    kitchen.shop.put(game(0, title="other"))
    kitchen.shop.click("halo", "game:000", clicks=99)
    kitchen.pipeline.search(asked)
    assert encode(kitchen.emitted[0][0]) == before


def test_a_click_changes_the_next_page_at_once() -> None:
    kitchen = Kitchen(policy(p=0.98, salt="all", placement=BY_SCORE))
    asked = request("halo", search_id="s-7")
    first = kitchen.pipeline.search(asked)
    last = first.ranked[-1].entity_id
    kitchen.shop.click("halo", last, shown=1, clicks=20, people=range(1, 9))
    second: Impression = kitchen.pipeline.search(asked).impression
    assert second.results[0].entity_id == last
