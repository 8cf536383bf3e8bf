"""When a worker has stalled, and when it only waits. Times are given."""

import pytest

from streams.faust_app.status import UNSENT, PartitionStatus, Place, Status
from streams.faust_app.watchdog import LOOP, Still, marks, stalled, watched

BEHIND = {"search.impressions-0"}


def status(*, applied=5, end=9, unsent=0, waiting=0.0, rounds=1):
    one = PartitionStatus(next={"impressions": applied, "actions": 2}, unsent=unsent, waiting=waiting)
    return Status(partitions={0: one}, ends={Place("impressions", 0): end, Place("actions", 0): 2}, rounds=rounds)


def look(one, *, beats=1, busy="", answered=True):
    return marks(one, beats=beats, busy=busy, answered=answered)


def test_a_place_that_is_behind_has_work_and_one_that_is_not_has_none():
    assert look(status(), beats=3) == {LOOP: 3, "search.impressions-0": 5}
    assert look(status(applied=9), beats=3) == {LOOP: 3}
    assert look(Status(), beats=3) == {LOOP: 3}


def test_a_broker_that_is_away_stalls_nothing_but_a_loop_that_hangs_is_seen():
    assert look(status(unsent=3, waiting=50.0), answered=False) == {LOOP: 1}


def test_applying_may_wait_for_the_sender_and_the_sender_may_not_stand_still():
    pressed = status(unsent=UNSENT + 1, waiting=50.0, rounds=7)
    assert look(pressed) == {LOOP: 1, "the sender": 7}
    assert look(status(unsent=1, waiting=0.5, rounds=7)).keys() == {LOOP, "the sender"} | BEHIND


def test_while_a_checkpoint_is_written_nothing_else_is_expected_to_move():
    assert look(status(), beats=4, busy="the checkpoint of partition 0") == {"the checkpoint of partition 0": 4}


def test_what_moves_or_has_no_more_work_begins_anew():
    before = {LOOP: Still(1, 30.0), "a": Still(5, 30.0), "b": Still(2, 30.0)}
    assert watched(before, {LOOP: 2, "a": 5, "c": 0}, elapsed=10.0) == {LOOP: Still(2, 0.0), "a": Still(5, 40.0), "c": Still(0, 0.0)}


@pytest.mark.parametrize(("seconds", "names"), [(119.9, []), (120.0, ["a"])])
def test_a_stall_is_named_when_it_has_lasted(seconds, names):
    assert stalled({"a": Still(5, seconds), LOOP: Still(9, 0.0)}, 120.0) == names


def test_a_worker_that_applies_one_partition_and_not_the_other_is_stalled():
    still, applied = {}, {0: 5, 1: 5}
    for _ in range(13):
        applied[1] += 1
        one = Status(
            partitions={number: PartitionStatus(next={"impressions": at, "actions": 0}) for number, at in applied.items()},
            ends={Place("impressions", 0): 100, Place("impressions", 1): 100},
        )
        still = watched(still, look(one, beats=applied[1]), elapsed=10.0)
    assert stalled(still, 120.0) == ["search.impressions-0"]
    still = watched(still, look(status(), busy="the checkpoint of partition 1"), elapsed=10.0)  # a pause: counted anew after it
    assert stalled(watched(still, look(status()), elapsed=10.0), 120.0) == []
