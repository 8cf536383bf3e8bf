"""Strategies that are asked for the log alone: the page does not wait for them, and its impression goes out once, whatever happens."""

from collections.abc import Callable

import pytest

from learners.draws import uniform
from learners.policy import SHADOW_P
from schemas.candidates import Request
from schemas.codec import decode_event, encode
from schemas.decisions import Decision
from schemas.events import Impression
from serving.pipeline import SHADOW_DEPTH, Pipeline
from tests.retrievers.shop import request
from tests.serving.kitchen import NAMES, Broken, Kitchen, policy

RARELY = policy(p=0.02)  # of four strategies nearly none is asked, so nearly all may be asked in the shadow


def asked_in_shadow(search_id: str, name: str) -> bool:
    return uniform("shadow", "kitchen", search_id, name) < SHADOW_P


def one_with_shadow(name: str = "memory") -> Request:
    return next(one for one in (request("halo", search_id=f"s-{number}") for number in range(1000)) if asked_in_shadow(one.search_id, name))


def decision_of(impression: Impression) -> Decision:
    assert impression.decision is not None
    return impression.decision


def deferred(kitchen: Kitchen, later: Callable[[Callable[[], None]], None]) -> Pipeline:
    return Pipeline(lambda: kitchen.view, lambda impression, ts: kitchen.emitted.append((impression, ts)), clock=lambda: 0.0, later=later)


def test_each_strategy_that_is_not_asked_is_asked_in_the_shadow_by_its_own_draw() -> None:
    kitchen, seen = Kitchen(policy(["lexical", "memory"], p=0.5, always=["popular"])), 0
    for number in range(600):
        page = kitchen.pipeline.search(request("halo", search_id=f"s-{number}"))
        decision = decision_of(page.impression)
        left = sorted(set(NAMES) - decision.asked())  # lexical_title is available and unknown to the policy: it is heard too
        assert [(one.name, one.p) for one in decision.shadow] == [(name, 0.05) for name in left if asked_in_shadow(f"s-{number}", name)]
        assert set(page.lists) == decision.asked()
        seen += len(decision.shadow)
    assert 30 <= seen <= 95, "1200 chances of 0.05 within four standard deviations"


def test_what_a_shadow_strategy_finds_is_logged_and_shown_to_nobody() -> None:
    kitchen, asked = Kitchen(RARELY), one_with_shadow("lexical")
    page = kitchen.pipeline.search(asked)
    (shadow,) = [one for one in decision_of(page.impression).shadow if one.name == "lexical"]
    assert shadow.found == [one.entity_id for one in kitchen.view.retrievers["lexical"].retrieve(asked, SHADOW_DEPTH)] != []
    assert "lexical" not in page.lists
    assert page.impression.results == []
    assert kitchen.emitted == [(page.impression, asked.ts)]
    assert decode_event(encode(page.impression)) == page.impression


def test_a_failing_shadow_strategy_changes_nothing_but_its_line(caplog: pytest.LogCaptureFixture) -> None:
    asked = one_with_shadow()
    well, broken = Kitchen(RARELY), Kitchen(RARELY, retrievers={"memory": Broken()})
    well.shop.click("halo", "game:001", clicks=9)
    good, bad = (one.pipeline.search(asked) for one in (well, broken))
    assert "strategy memory failed" in caplog.text
    found, whole = ({one.name: one.found for one in decision_of(page.impression).shadow} for page in (bad, good))
    assert found == whole | {"memory": []}
    assert whole["memory"][0] == "game:001"
    assert (bad.lists, bad.ranked, bad.impression.results) == (good.lists, good.ranked, good.impression.results)
    assert len(broken.emitted) == 1


def test_the_page_is_answered_before_the_shadow_is_asked() -> None:
    kitchen, asked, tasks = Kitchen(RARELY), one_with_shadow("lexical"), list[Callable[[], None]]()
    page = deferred(kitchen, tasks.append).search(asked)
    assert kitchen.emitted == []
    assert {tuple(one.found) for one in decision_of(page.impression).shadow} == {()}
    for task in tasks * 2:  # whoever runs it twice sends nothing twice
        task()
    ((impression, ts),) = kitchen.emitted
    inline = Kitchen(RARELY).pipeline.search(asked).impression
    assert (ts, decision_of(impression).shadow) == (asked.ts, decision_of(inline).shadow)
    assert any(one.found for one in decision_of(impression).shadow)
    quiet = next(one for one in map(str, range(1000)) if not any(asked_in_shadow(one, name) for name in NAMES))
    deferred(kitchen, tasks.append).search(request("halo", search_id=quiet))
    assert (len(tasks), len(kitchen.emitted)) == (1, 2), "nothing to ask later: nothing waits"


def test_an_impression_goes_out_when_nobody_can_work_later(caplog: pytest.LogCaptureFixture) -> None:
    def closed(task: Callable[[], None]) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    def run_then_raise(task: Callable[[], None]) -> None:
        task()
        raise RuntimeError("cannot schedule new futures after shutdown")

    for later, found in ((closed, False), (run_then_raise, True)):
        kitchen = Kitchen(RARELY)
        deferred(kitchen, later).search(one_with_shadow("lexical"))
        ((impression, _),) = kitchen.emitted
        assert any(one.found for one in decision_of(impression).shadow) == found
        assert "cannot be asked later" in caplog.text


def test_a_strategy_that_ends_the_thread_still_leaves_the_impression() -> None:
    class Fatal(Broken):
        def retrieve(self, request: Request, depth: int) -> list:  # type: ignore[type-arg]
            raise SystemExit

    kitchen, tasks = Kitchen(RARELY, retrievers={"memory": Fatal()}), list[Callable[[], None]]()
    deferred(kitchen, tasks.append).search(one_with_shadow())
    with pytest.raises(SystemExit):
        tasks[0]()
    assert len(kitchen.emitted) == 1


def test_a_page_that_repeats_a_decision_asks_no_shadow_again() -> None:
    kitchen, asked = Kitchen(RARELY), one_with_shadow("lexical")
    first = decision_of(kitchen.pipeline.search(asked).impression)
    kitchen.view.retrievers["lexical"].retrieve = None  # type: ignore[method-assign, assignment]
    again = kitchen.pipeline.search(request("halo", search_id=asked.search_id, page=2), decision=first)
    assert decision_of(again.impression) == first
