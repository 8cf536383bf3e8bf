"""Breakers against the rules that they state: when they open, for how long, whom they let try, and that nothing sticks."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.breakers import ENOUGH, FAILURES, MOST_REST, REST, STUCK, WINDOW, Breakers


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def call(breakers: Breakers, name: str, *, bad: bool, times: int = 1) -> None:
    for _ in range(times):
        assert breakers.began(name)
        breakers.ended(name, bad=bad)


def opened(times: int = FAILURES) -> tuple[Breakers, Clock]:
    clock = Clock()
    breakers = Breakers(clock)
    call(breakers, "dense", bad=True, times=times)
    return breakers, clock


BOTH = ["dense", "memory"]


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breakers, _ = opened(FAILURES - 1)
    assert (breakers.available(BOTH), breakers.states()) == (BOTH, {"dense": "closed"})
    call(breakers, "dense", bad=False)
    call(breakers, "dense", bad=True, times=FAILURES - 1)
    assert breakers.available(BOTH) == BOTH, "a good call begins the row anew"
    call(breakers, "dense", bad=True)
    assert (breakers.available(BOTH), breakers.states()) == (["memory"], {"dense": "open"})


@pytest.mark.parametrize(("seconds", "state"), [(WINDOW / ENOUGH / 2, "open"), (WINDOW / ENOUGH * 1.1, "closed")])
def test_it_opens_when_half_of_enough_calls_in_the_window_are_bad(seconds: float, state: str) -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for number in range(ENOUGH):  # good and bad by turns: never two in a row; too far apart, they never are enough
        assert breakers.states().get("dense", "closed") == "closed"
        clock.now += seconds
        call(breakers, "dense", bad=bool(number % 2))
    assert breakers.states() == {"dense": state}


def test_a_third_of_bad_calls_opens_nothing() -> None:
    breakers = Breakers(Clock())
    for number in range(300):
        call(breakers, "dense", bad=number % 3 == 0)
    assert breakers.states() == {"dense": "closed"}


def test_half_open_it_is_tried_by_one_search_at_a_time_and_a_good_call_closes_it() -> None:
    breakers, clock = opened()
    clock.now += REST - 0.001
    assert breakers.available(BOTH) == ["memory"]
    clock.now += 0.001
    assert (breakers.available(BOTH), breakers.states()) == (BOTH, {"dense": "half_open"})
    assert breakers.available(BOTH) == BOTH, "a search that did not draw it leaves the trial to the next"
    assert breakers.began("dense")
    assert breakers.available(BOTH) == ["memory"], "somebody is trying it"
    breakers.ended("dense", bad=False)
    assert (breakers.available(BOTH), breakers.states()) == (BOTH, {"dense": "closed"})
    call(breakers, "dense", bad=True, times=FAILURES - 1)
    assert breakers.states() == {"dense": "closed"}, "closed, it has forgotten what was"


def test_a_bad_trial_opens_it_for_twice_as_long_up_to_a_bound_and_a_good_one_makes_rest_short_again() -> None:
    breakers, clock = opened()
    rest = REST
    for _ in range(8):
        clock.now += rest
        assert breakers.states() == {"dense": "half_open"}
        call(breakers, "dense", bad=True)
        rest = min(2 * rest, MOST_REST)
        clock.now += rest - 0.001
        assert breakers.states() == {"dense": "open"}
        clock.now += 0.001 - rest
    clock.now += MOST_REST
    call(breakers, "dense", bad=False)
    call(breakers, "dense", bad=True, times=FAILURES)
    clock.now += REST
    assert breakers.states() == {"dense": "half_open"}


def test_calls_that_were_under_way_when_it_opened_change_nothing() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for _ in range(3):
        assert breakers.began("dense")
    call(breakers, "dense", bad=True, times=FAILURES)
    clock.now += REST - 1.0
    breakers.ended("dense", bad=False)
    breakers.ended("dense", bad=True)
    assert breakers.states() == {"dense": "open"}
    clock.now += 1.0
    assert breakers.states() == {"dense": "half_open"}
    assert breakers.available(BOTH) == ["memory"], "one call is still running"


def test_late_calls_count_as_bad_and_one_that_hangs_is_left_alone_until_it_returns() -> None:
    clock = Clock()
    breakers = Breakers(clock)
    for number in range(STUCK):
        assert breakers.available(BOTH) == BOTH, number
        assert breakers.began("dense")
        breakers.late("dense")
    assert not breakers.began("dense"), "a page that repeats its decision does not ask it either"
    clock.now += 10 * MOST_REST
    assert (breakers.available(BOTH), breakers.states()) == (["memory"], {"dense": "open"})
    assert breakers.available(["dense"]) == [], "not even when it is all there is: it would take another thread"
    breakers.returned("dense")
    assert breakers.available(BOTH) == BOTH
    for _ in range(FAILURES - STUCK):
        assert breakers.began("dense")
        breakers.late("dense")
        breakers.returned("dense")
    assert breakers.states() == {"dense": "open"}, "late calls in a row open it like failed ones"


def test_where_none_would_be_left_all_are_asked() -> None:
    breakers, _ = opened()
    assert breakers.available(["dense"]) == ["dense"]
    call(breakers, "memory", bad=True, times=FAILURES)
    assert breakers.available(BOTH) == BOTH
    assert breakers.available(["memory", "fresh", "dense"]) == ["fresh"]


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens: a strategy comes back once its calls have returned and rest is over."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breakers = Breakers(self.clock)
        self.running = self.stuck = 0

    @rule()
    def begin(self) -> None:
        hangs = self.stuck >= STUCK
        assert self.breakers.began("dense") != hangs
        self.running += not hangs

    @precondition(lambda self: self.running > self.stuck)
    @rule(bad=st.booleans())
    def end(self, bad: bool) -> None:
        self.breakers.ended("dense", bad=bad)
        self.running -= 1

    @precondition(lambda self: self.running > self.stuck)
    @rule()
    def be_late(self) -> None:
        self.breakers.late("dense")
        self.stuck += 1

    @precondition(lambda self: self.stuck > 0)
    @rule()
    def come_back(self) -> None:
        self.breakers.returned("dense")
        self.stuck -= 1
        self.running -= 1

    @rule(seconds=st.sampled_from([0.1, REST, WINDOW]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def who_is_closed_is_available_and_who_hangs_is_not(self) -> None:
        state = self.breakers.states().get("dense", "closed")
        available = "dense" in self.breakers.available(BOTH)
        assert available == (state == "closed" or (state == "half_open" and self.running == 0))
        assert not (available and self.stuck >= STUCK)

    def teardown(self) -> None:
        while self.stuck:
            self.come_back()
        while self.running:
            self.end(bad=True)
        self.clock.now += MOST_REST
        assert self.breakers.available(BOTH) == BOTH


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_history = AnyHistory.TestCase
