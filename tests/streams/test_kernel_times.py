"""When the kernel joins, concludes and refuses: the edges of windows, exactly at and 1 ms past them."""

import json

import pytest

from schemas.base import DAY_MS, HOUR_MS
from schemas.codec import encode
from schemas.events import Tick
from schemas.ids import final_id
from streams.kernel.changes import INPUTS
from tests.streams.searchbox import (
    MIN,
    SETTLE,
    START,
    WINDOW,
    Box,
    act,
    conclusions,
    counts,
    nothing,
    page,
    quarantined,
    reasons,
    record,
)  # fmt: skip


def shown_at_zero():
    box = Box()
    box.put(page())
    return box


def test_an_action_joins_until_the_windows_end_and_not_a_millisecond_longer():
    box = shown_at_zero()
    assert counts(box.put(act("1", at=WINDOW))) == {"a": ({}, {"click": 1}, 1)}
    late = box.put(act("2", at=WINDOW + 1, entity="b"))
    assert (late.memory, reasons(late)) == ({}, ["too_late"])
    (message,) = quarantined(late)
    assert "new search_id" in message.error
    assert message.topic == "search.actions"


def test_a_page_joins_until_the_windows_end_and_not_a_millisecond_longer():
    box = shown_at_zero()
    assert counts(box.put(page(number=2, at=WINDOW, results={"z": {}}, first=11))) == {"z": ({5: 1}, {}, 0)}
    late = box.put(page(number=3, at=WINDOW + 1, results={"y": {}}, first=21))
    assert (late.memory, reasons(late)) == ({}, ["too_late"])


def test_an_action_waits_for_its_impression_for_a_window():
    box = Box()
    box.put(act("1"))
    assert counts(box.put(page(at=WINDOW)))["a"] == ({0: 1}, {"click": 1}, 1)


def test_an_action_more_than_a_window_before_its_impression_stays_unmatched():
    box = Box()
    box.put(act("1"))
    assert counts(box.put(page(at=WINDOW + 1)))["a"] == ({0: 1}, {}, 0)
    assert reasons(box.pass_to(WINDOW + 1)) == ["unmatched"]


def test_unmatched_is_said_when_time_has_strictly_passed_the_window():
    box = Box()
    assert nothing(box.put(act("1"))) is False  # it is saved, and nothing else
    assert nothing(box.pass_to(WINDOW))
    (message,) = quarantined(box.pass_to(WINDOW + 1))
    assert (message.reason, message.time) == ("unmatched", START)
    assert nothing(box.pass_to(3 * WINDOW))


def test_each_action_waits_for_its_own_window():
    box = Box()
    box.put(act("1"))
    box.put(act("2", at=1))
    assert [one.time for one in quarantined(box.pass_to(WINDOW + 1))] == [START]
    assert [one.time for one in quarantined(box.pass_to(WINDOW + 2))] == [START + 1]


def test_a_quiet_search_is_final_strictly_after_settle():
    box = shown_at_zero()
    assert conclusions(box.pass_to(SETTLE)) == []
    (final,) = conclusions(box.pass_to(SETTLE + 1))
    assert (final.time, final.closed, final.actions, final.rewards) == (START, START + SETTLE, [], {})
    assert final.final_id == final_id("s", START)
    assert [one.page for one in final.pages] == [1]
    assert conclusions(box.pass_to(3 * WINDOW)) == []


def test_an_action_at_the_end_of_settle_prolongs_it_and_one_after_does_not():
    at_the_end, after = shown_at_zero(), shown_at_zero()
    at_the_end.put(act("1", at=SETTLE))
    assert conclusions(at_the_end.pass_to(2 * SETTLE)) == []
    (final,) = conclusions(at_the_end.pass_to(2 * SETTLE + 1))
    assert (final.closed, [one.action_id for one in final.actions]) == (START + 2 * SETTLE, ["1"])
    after.put(act("1", at=SETTLE + 1))
    final, amendment = conclusions(after.pass_to(SETTLE + 1))
    assert (final.closed, final.actions) == (START + SETTLE, [])
    assert (amendment.type, amendment.final_id, amendment.event.action_id) == ("amendment", final.final_id, "1")


def test_a_page_after_the_close_is_no_part_of_the_final_that_goes_out_with_it():
    box = shown_at_zero()
    box.put(act("early", at=1, entity="z"))
    box.put(Tick(), at=1, topic="actions")
    second = page(number=2, at=SETTLE + 2, results={"z": {}}, first=11)
    box.put(second)
    final, amendment = conclusions(box.pass_to(SETTLE + 2))
    assert (final.closed, [one.page for one in final.pages]) == (START + SETTLE + 1, [1])
    assert (amendment.final_id, amendment.event) == (final.final_id, second)
    assert (final.off_page, final.rewards) == (1, {"z": 256})  # no page of the final showed it


def test_no_search_stays_open_beyond_its_window():
    box = shown_at_zero()
    for at in (9, 18, 27):
        box.put(act(str(at), at=at * MIN, kind="viewed"))
    assert conclusions(box.pass_to(WINDOW)) == []  # 27 + 10 minutes would be 37
    (final,) = conclusions(box.pass_to(WINDOW + 1))
    assert (final.closed, len(final.actions)) == (START + WINDOW, 3)


def test_what_comes_after_the_final_counts_and_amends_it():
    box = shown_at_zero()
    (final,) = conclusions(box.pass_to(SETTLE + 1))
    click = box.put(act("1", at=WINDOW))
    assert counts(click) == {"a": ({}, {"click": 1}, 1)}
    (amendment,) = conclusions(click)
    assert (amendment.final_id, amendment.time, amendment.event) == (final.final_id, START + WINDOW, act("1", at=WINDOW))
    second = page(number=2, at=WINDOW, results={"z": {}}, first=11)
    (more,) = conclusions(box.put(second))
    assert (more.event, more.amendment_id != amendment.amendment_id) == (second, True)


def test_actions_of_a_final_are_in_order_of_time_then_id():
    box = Box()
    box.put(act("held", at=0))
    box.put(page(at=0))
    for name, at in (("z", 1), ("y", 1), ("x", 2)):
        box.put(act(name, at=at, kind="viewed"))
    (final,) = conclusions(box.pass_to(WINDOW))
    assert [one.action_id for one in final.actions] == ["held", "y", "z", "x"]
    assert final.rewards == {"a": 256}


def test_pages_go_into_the_final_as_they_came():
    box, second = Box(), page(number=2, at=MIN, results={"z": {"lex": 11}}, first=11)
    spaced = json.dumps(json.loads(encode(second)), indent=1).encode()
    box.put(page())
    box.put(spaced, at=MIN, topic="impressions")
    (final,) = conclusions(box.pass_to(WINDOW))
    assert final.pages == [page(), second]


@pytest.mark.parametrize("shift", [DAY_MS, -DAY_MS])
def test_a_clients_clock_may_be_a_day_off_and_no_more(shift):
    box = Box()
    near, far = page(at=shift), act("1", at=shift + (1 if shift > 0 else -1))
    assert reasons(box.put(near, at=0)) == []
    refused = box.put(far, at=0)
    assert (refused.memory, refused.events, reasons(refused)) == ({}, [], ["ts_out_of_range"])
    assert "24 h" in quarantined(refused)[0].error


def test_the_watermark_is_the_smaller_input():
    box = shown_at_zero()
    for topic in INPUTS:
        assert conclusions(box.kernel.apply([])) == []
        changes = box.put(Tick(), at=3 * WINDOW, topic=topic)
        assert len(conclusions(changes)) == (topic == INPUTS[1])


def test_log_times_that_step_back_count_as_the_highest_so_far():
    box = shown_at_zero()
    box.put(Tick(), at=WINDOW, topic="actions")
    changes = box.put(act("1", at=MIN))  # appended a minute after START by a broker whose clock stepped back
    assert changes.times == {"impressions": START, "actions": START + WINDOW}
    assert changes.events[0].time == START + WINDOW
    box.put(Tick(), at=WINDOW + 1, topic="actions")
    assert reasons(box.put(act("2", at=MIN, entity="b"))) == ["too_late"]
    box.put(Tick(), at=SETTLE, topic="impressions")
    second = box.put(page(number=2, at=MIN, results={}))
    assert second.events[0].time == START + SETTLE


def test_too_late_is_said_even_when_the_action_was_read_first():
    box = Box()
    box.put(act("1", at=WINDOW + 1))
    changes = box.put(page())
    assert (counts(changes)["a"], reasons(changes)) == (({0: 1}, {}, 0), ["too_late"])


def test_an_id_may_come_back_after_its_day_as_another_search():
    box, day = shown_at_zero(), DAY_MS + HOUR_MS
    box.pass_to(day)
    assert reasons(box.put(page(number=2, at=day))) == ["too_late"]  # the last millisecond that the id is known
    box.pass_to(day + 1)
    copy = box.put(page(), at=day + 1)
    assert (copy.memory, reasons(copy)) == ({}, ["ts_out_of_range"])
    again = box.put(page(at=day + 1))
    assert (len(again.memory), reasons(again)) == (3, [])
    assert conclusions(box.pass_to(day + WINDOW))[0].time == START + day + 1


def test_records_that_were_applied_before_are_skipped():
    box, one = Box(), record(0, page(), 0)
    assert not nothing(box.kernel.apply([one]))
    changes = box.kernel.apply([one])
    assert nothing(changes)
    assert (changes.counters["redelivered"], changes.next["impressions"]) == (1, 1)
