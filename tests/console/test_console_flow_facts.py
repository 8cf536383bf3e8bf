"""Data flow: whether events arrive and count, in every state that a stage can be in."""

from dataclasses import replace

import pytest

from serving.backend import Flow, Stage, Trouble
from serving.console.flow import facts

NOW = 1_000_000


def flow(**stages: tuple[int | None, float | None]) -> Flow:
    names = ("received", "matched", "counted", "learned", "published", "loaded", "used")
    known = {"received": (120, 1.0), **stages}
    return Flow([Stage(name, *known.get(name, (10, 2.0))) for name in names], 0, NOW - 3_000, {"unmatched": 6}, {"duplicate": 4})


def states(flow: Flow) -> list[str]:
    return [one.state for one in facts(flow, [], now=NOW).steps]


def test_all_is_well():
    found = facts(flow(), [], now=NOW)
    assert found.sentence == "Events arrive and count: none waits."
    assert found.lag == 3.0
    assert states(flow()) == ["ok"] * 7


def test_what_waits_is_counted():
    assert facts(replace(flow(), behind=1), [], now=NOW).sentence == "Events arrive and count; 1 waits to be counted."
    assert facts(replace(flow(), behind=1_234), [], now=NOW).sentence == "Events arrive and count; 1,234 wait to be counted."


@pytest.mark.parametrize(
    ("stage", "state"),
    [((None, None), "unknown"), ((0, None), "never"), ((5, 59.0), "ok"), ((5, 500.0), "late")],
)
def test_a_stage_says_which_kind_of_nothing_it_is(stage, state):
    assert states(flow(learned=stage))[3] == state


def test_a_stage_is_quiet_when_those_before_it_are():
    quiet = dict.fromkeys(("received", "matched", "counted"), (5, 500.0))
    assert states(flow(**quiet))[:3] == ["quiet"] * 3
    assert facts(flow(**quiet), [], now=NOW).sentence == "Events arrive and count: none waits."


def test_a_late_stage_is_named():
    assert (
        facts(flow(learned=(5, 500.0)), [], now=NOW).sentence == "Events arrive, but “Learned” is late: its last step was 500 seconds ago."
    )


def test_nothing_has_come_yet():
    found = facts(replace(flow(received=(0, None)), counted_up_to=0), [], now=NOW)
    assert found.sentence.startswith("No events yet")
    assert found.lag is None
    assert {one.share for one in found.aside or ()} == {None}


def test_searches_without_actions():
    assert "no actions yet" in facts(flow(matched=(0, None)), [], now=NOW).sentence


def test_set_aside_has_a_count_a_share_and_what_to_do():
    rows = {one.code: one for one in facts(flow(), [], now=NOW).aside or ()}
    assert (rows["unmatched"].count, rows["unmatched"].share) == (6, 0.05)
    assert (rows["invalid"].count, rows["invalid"].share) == (0, 0.0)
    assert all(one.why and one.todo for one in rows.values())


def test_a_process_that_does_not_know_says_so():
    found = facts(replace(flow(), behind=None, set_aside=None, kinds=None), [], now=NOW)
    assert found.aside is None
    assert found.sentence == "Events arrive; whether all are counted is not known in this process."


@pytest.mark.parametrize(("silent", "said"), [(40.0, "The broker has said nothing for 40 seconds"), (1.0, "Events arrive and count")])
def test_a_silent_broker(silent, said):
    assert facts(replace(flow(), broker_silent=silent), [], now=NOW).sentence.startswith(said)


def test_trouble_comes_first():
    trouble = [Trouble("memory", "no memory yet"), Trouble("broker", "localhost:9092 does not answer; start it")]
    assert facts(flow(), trouble, now=NOW).sentence == "Events do not get through: localhost:9092 does not answer; start it"
