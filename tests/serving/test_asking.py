"""Strategies asked together, on real threads: all at once, never longer than the budget, and what is late stays out."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from time import monotonic, perf_counter

import pytest

from retrievers.base import Retriever
from schemas.candidates import Candidate, Request
from schemas.codec import decode_event, encode
from schemas.decisions import Decision
from schemas.errors import InvalidSetting
from serving.asking import Together, in_turn
from serving.breakers import FAILURES, REST, STUCK, Breakers
from serving.pipeline import Page, Pipeline
from serving.view import View
from tests.retrievers.shop import request
from tests.serving.gates import LONG, Gated, Meeting, Panicking
from tests.serving.kitchen import NAMES, Broken, Kitchen, policy

SOON, WAITS = 300.0, 1_000 * LONG  # ms: a search that is meant to be late, though its calls begin; and one that is not


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def together(*, threads: int = 8, budget_ms: float = WAITS, clock: Clock | None = None) -> Iterator[Together]:
    asker = Together(threads, budget_ms, breakers=Breakers(clock or monotonic))
    try:
        yield asker
    finally:
        asker.close()


def kitchen_of(retrievers: Mapping[str, Retriever] | None = None) -> Kitchen:
    """Asks all four strategies."""
    return Kitchen(policy(p=0.98, salt="all"), retrievers=retrievers)


def pipeline(kitchen: Kitchen, asker: Together) -> Pipeline:
    return Pipeline(lambda: kitchen.view, lambda one, ts: kitchen.emitted.append((one, ts)), clock=perf_counter, asker=asker)


def decision_of(page: Page) -> Decision:
    assert page.impression.decision is not None
    return page.impression.decision


def statuses(page: Page) -> dict[str, str]:
    return {arm.name: arm.status for arm in decision_of(page).arms}


def ask(asker: Together, view: View, asked: Request, *names: str) -> dict[str, list[str]]:
    lists, runs = asker.ask(view, asked, [(name, 20) for name in names], clock=perf_counter)
    assert list(lists) == list(runs) == list(names)
    assert all(run.returned == len(lists[name]) and run.ms >= 0.0 for name, run in runs.items())
    return {name: [one.entity_id for one in found] for name, found in lists.items()}


ALL = request("halo", search_id="s-7")


def test_together_finds_what_in_turn_finds() -> None:
    kitchen = kitchen_of()
    with together() as asker:
        for text in ("halo", "chess 2", "", "halo racing 5 soccer", "nothing like it"):
            for depth in (0, 1, 20):
                wanted = [(name, depth) for name in NAMES]
                asked = request(text)
                lists, runs = asker.ask(kitchen.view, asked, wanted, clock=perf_counter)
                expected, same = in_turn.ask(kitchen.view, asked, wanted, clock=perf_counter)
                assert lists == expected
                assert {name: run._replace(ms=0.0) for name, run in runs.items()} == {
                    name: run._replace(ms=0.0) for name, run in same.items()
                }
        assert asker.ask(kitchen.view, ALL, [], clock=perf_counter) == ({}, {})


def test_strategies_are_asked_at_the_same_time() -> None:
    barrier = Barrier(len(NAMES))
    kitchen = kitchen_of({name: Meeting(name, barrier) for name in NAMES})
    with together() as asker:
        assert statuses(pipeline(kitchen, asker).search(ALL)) == dict.fromkeys(NAMES, "ok")


def test_a_late_strategy_is_logged_and_what_it_finds_is_thrown_away() -> None:
    kitchen = kitchen_of()
    slow = Gated(kitchen.view.retrievers["popular"])
    kitchen.view = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "popular": slow})
    with together(budget_ms=2 * SOON) as asker:
        page = pipeline(kitchen, asker).search(ALL)
        late = next(arm for arm in decision_of(page).arms if arm.name == "popular")
        assert (late.asked, late.propensity, late.status, late.returned, late.ms) == (True, 0.98, "late", 0, 2 * SOON)
        assert {status for name, status in statuses(page).items() if name != "popular"} == {"ok"}
        assert len(page.impression.results) == 10
        before = page.impression.model_dump_json()
        slow.gate.set()
        assert "game:" in str(ask(asker, kitchen.view, ALL, "popular")), "asked again, it answers"
        assert page.lists["popular"] == []
        assert [one.model_dump_json() for one, _ in kitchen.emitted] == [before]


def test_a_cheap_strategy_that_suddenly_hangs_holds_back_no_search() -> None:
    kitchen = kitchen_of()
    fickle = Gated(kitchen.view.retrievers["lexical"], shut=False)
    kitchen.view = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "lexical": fickle})
    with together(budget_ms=2 * SOON) as asker:
        serve = pipeline(kitchen, asker)
        for number in range(10):  # all are known to be cheap: one thread makes all calls of a search
            serve.search(request("halo", search_id=f"s-{number}"))
        fickle.gate.clear()
        assert statuses(serve.search(ALL))["lexical"] == "late"
        page = serve.search(ALL)
        assert statuses(page) == {"lexical": "late", "lexical_title": "ok", "memory": "ok", "popular": "ok"}
        assert "lexical" not in statuses(serve.search(ALL)), "it hangs twice: it is left alone"
        fickle.gate.set()


def test_whatever_a_strategy_raises_its_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with together(threads=1) as asker:
        for kitchen in (kitchen_of({"memory": Broken()}), kitchen_of({"memory": Panicking()}), kitchen_of()):
            page = pipeline(kitchen, asker).search(ALL)
            expected = "failed" if kitchen.view.retrievers["memory"].__class__ in (Broken, Panicking) else "ok"
            assert statuses(page) == {**dict.fromkeys(NAMES, "ok"), "memory": expected}
            assert len(page.impression.results) == 10
    assert "the disk is gone" in caplog.text
    assert "index out of bounds" in caplog.text


NAN = float("nan")


class Sloppy:
    """A strategy of one's own that answers what it likes."""

    name = "memory"

    def __init__(self, found: list[Candidate]) -> None:
        self._found = found

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        return self._found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([Candidate("game:001", 1.0), Candidate("game:002", NAN)], "score: must be a finite number"),
        ([Candidate("game:001", float("inf"))], "score: must be a finite number"),
        ([Candidate("game:001", 2.0), Candidate("game:001", 1.0)], "stands there twice"),
        (None, "TypeError"),
        (["game:001"], "ValueError"),
        ([("game:001", "1.0")], "TypeError"),
    ],
)
def test_what_no_log_would_take_is_a_failure(found: list[Candidate], said: str, caplog: pytest.LogCaptureFixture) -> None:
    kitchen = kitchen_of({"memory": Sloppy(found)})
    page = kitchen.pipeline.search(ALL)
    assert statuses(page) == {**dict.fromkeys(NAMES, "ok"), "memory": "failed"}
    assert decode_event(encode(page.impression)) == page.impression
    assert said in caplog.text


def test_who_waited_for_a_thread_is_late_without_blame() -> None:
    kitchen = kitchen_of()
    slow = Gated(kitchen.view.retrievers["popular"])
    kitchen.view = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "popular": slow})
    breakers = Breakers(monotonic)
    asker = Together(1, SOON, breakers=breakers)
    _, runs = asker.ask(kitchen.view, ALL, [("popular", 20), ("memory", 20)], clock=perf_counter)
    assert runs == dict.fromkeys(["popular", "memory"], (0, SOON, "late"))
    assert breakers.states() == {"popular": "closed"}, "memory was never asked"
    slow.gate.set()
    asker.close()


def test_a_strategy_that_hangs_for_many_searches_at_once_takes_no_thread_from_the_others() -> None:
    kitchen = kitchen_of()
    hung = Gated(kitchen.view.retrievers["popular"])
    kitchen.view = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "popular": hung})
    before = set(threading.enumerate())
    with together(threads=2, budget_ms=2 * SOON) as asker, ThreadPoolExecutor(6) as people:
        serve = pipeline(kitchen, asker)
        first = list(people.map(lambda n: serve.search(request("halo", search_id=f"s-{n}")), range(6)))
        assert {statuses(page).get("popular", "late") for page in first} <= {"late", "failed", "not_asked"}
        then = [serve.search(ALL) for _ in range(20)]
        assert {name: status for page in then for name, status in statuses(page).items()} == dict.fromkeys(
            ["lexical", "lexical_title", "memory"], "ok"
        ), "two threads hang, or more, and two are there"
        assert all(len(page.lists) == 3 for page in then)
        hung.gate.set()
    for one in set(threading.enumerate()) - before:
        one.join(LONG)
        assert not one.is_alive(), "those that were replaced end, too"


def test_an_open_breaker_makes_a_strategy_not_available_until_a_trial_is_good() -> None:
    clock, kitchen = Clock(), kitchen_of({"memory": Broken()})
    with together(clock=clock) as asker:
        serve = pipeline(kitchen, asker)
        for _ in range(FAILURES):
            assert statuses(serve.search(ALL))["memory"] == "failed"
        without = decision_of(serve.search(ALL))
        assert without.available == ["lexical", "lexical_title", "popular"]
        assert [arm.name for arm in without.arms] == without.available, "no propensity, so nothing is learned of it"
        kitchen.view = replace(kitchen.view, retrievers=kitchen_of().view.retrievers)
        assert "memory" not in statuses(serve.search(ALL)), "nobody knows yet that it is mended"
        clock.now += REST
        for _ in range(2):
            assert statuses(serve.search(ALL)) == dict.fromkeys(NAMES, "ok")
    assert len(kitchen.emitted) == FAILURES + 4


def test_a_page_that_repeats_its_decision_does_not_wait_for_what_hangs() -> None:
    kitchen = kitchen_of()
    slow = Gated(kitchen.view.retrievers["memory"])
    kitchen.view = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "memory": slow})
    with together(budget_ms=SOON) as asker:
        serve = pipeline(kitchen, asker)
        first = serve.search(ALL)
        for _ in range(STUCK - 1):
            serve.search(ALL)
        _, runs = asker.ask(kitchen.view, ALL, [("memory", 20), ("popular", 20)], clock=perf_counter)
        assert runs["memory"] == (0, 0.0, "failed")
        second = serve.search(replace(ALL, page=2), decision=decision_of(first))
        assert (second.lists["memory"], decision_of(second)) == ([], decision_of(first))
        slow.gate.set()


def test_many_searches_at_once_each_get_their_own() -> None:
    kitchen, texts = kitchen_of(), ["halo", "chess", "racing", "soccer", "halo 2", "chess 3"]
    expected = {text: in_turn.ask(kitchen.view, request(text), [(name, 40) for name in NAMES], clock=perf_counter)[0] for text in texts}
    with together(threads=3) as asker, ThreadPoolExecutor(6) as people:
        serve = pipeline(kitchen, asker)
        pages = list(people.map(lambda n: serve.search(request(texts[n % 6], search_id=f"s-{n}")), range(180)))
    for number, page in enumerate(pages):
        assert page.lists == {arm.name: expected[texts[number % 6]][arm.name][: arm.depth] for arm in decision_of(page).arms if arm.asked}
        assert set(statuses(page).values()) <= {"ok", "not_asked"}
    assert sorted(one.search_id for one, _ in kitchen.emitted) == sorted(f"s-{n}" for n in range(180))


def test_a_search_holds_one_view_while_another_is_swapped_in() -> None:
    kitchen = kitchen_of()
    slow = Gated(kitchen.view.retrievers["lexical"])
    kitchen.view = old = replace(kitchen.view, retrievers={**kitchen.view.retrievers, "lexical": slow})
    with together() as asker, ThreadPoolExecutor(1) as other:
        serve = pipeline(kitchen, asker)
        searching = other.submit(serve.search, ALL)
        slow.met()
        kitchen.view = View(policy(p=0.5, salt="new"), None, {}, {})
        after = serve.search(replace(ALL, search_id="s-8"))
        slow.gate.set()
        page = searching.result(LONG)
    assert (decision_of(after).available, after.impression.results) == ([], [])
    assert decision_of(page).salt == "all"
    assert statuses(page) == dict.fromkeys(NAMES, "ok")
    assert page.ranked == old.policy.rank(ALL, page.lists, memory=old.memory) != []
    assert {one.entity_type for one in page.impression.results} == {"game"}


def test_closing_ends_the_threads() -> None:
    before = set(threading.enumerate())
    asker = Together(3, SOON, breakers=Breakers(monotonic))
    started = set(threading.enumerate()) - before
    assert len(started) == 3
    asker.close()
    for one in started:
        one.join(LONG)
        assert not one.is_alive()


@pytest.mark.parametrize(("threads", "budget"), [(0, 1.0), (1, 0.0), (1, float("nan")), (1, float("inf"))])
def test_settings_out_of_range_are_refused(threads: int, budget: float) -> None:
    with pytest.raises(InvalidSetting, match="use at least 1 thread and a time above 0"):
        Together(threads, budget, breakers=Breakers(monotonic))
