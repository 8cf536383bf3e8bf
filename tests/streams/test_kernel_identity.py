"""A fact counts once: doubles, conflicts, wrong partitions, wrong topics, and messages that are none."""

import base64

import pytest

from schemas.codec import encode
from schemas.decisions import Arm
from schemas.events import SuggestAccept, SuggestImpression
from streams.kernel.conclude import ACTION_BYTES, FINAL_BYTES
from streams.kernel.kernel import Kernel
from streams.partitioning import partition
from tests.streams.searchbox import (
    LEX,
    MIN,
    RULES,
    START,
    WINDOW,
    Box,
    act,
    conclusions,
    counts,
    decision,
    nothing,
    page,
    quarantined,
    reasons,
)  # fmt: skip


def test_the_same_event_twice_changes_nothing():
    box = Box()
    box.put(page())
    box.put(act("1"))
    for copy in (page(), act("1")):
        changes = box.put(copy, at=MIN)
        assert nothing(changes)
        assert changes.counters["duplicate"] == 1


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_counts():
    box = Box()
    box.put(page())
    box.put(act("1"))
    for other in (page(results={"z": {}}), act("1", entity="b")):
        changes = box.put(other)
        assert (changes.memory, changes.events, reasons(changes)) == ({}, [], ["conflict"])
        assert base64.b64decode(quarantined(changes)[0].value) == encode(other)
        assert nothing(box.put(other))  # said once
    (final,) = conclusions(box.pass_to(WINDOW))
    assert (final.pages, final.actions) == ([page()], [act("1")])


def test_the_same_action_id_in_another_search_is_another_action():
    box = Box()
    box.put(page())
    box.put(page("t"))
    assert counts(box.put(act("1"))) == counts(box.put(act("1", search="t"))) == {"a": ({}, {"click": 1}, 1)}


CHANGED = {
    "another id": {"by": decision(decision_id="e")},
    "an arm less": {"by": decision([LEX])},
    "other features": {
        "by": decision([LEX.model_copy(update={"phi": [256, 1]}), Arm(name="mem", asked=True, propensity=0.5, phi=[256, -64])])
    },
    "none": {"by": None},
    "another schema": {"feature_schema": "g"},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_a_page_with_another_decision_is_a_conflict(changed):
    box = Box()
    box.put(page())
    changes = box.put(page(number=2, at=MIN, results={"z": {}}, first=11, **changed))
    assert (changes.memory, changes.events, reasons(changes)) == ({}, [], ["conflict"])
    assert "page 2 of search s" in quarantined(changes)[0].error
    assert len(conclusions(box.pass_to(WINDOW))[0].pages) == 1


def test_a_page_may_report_what_happened_to_the_same_decision():
    box = Box()
    box.put(page())
    slower = decision([LEX.model_copy(update={"ms": 7.0, "returned": 40}), Arm(name="mem", asked=True, propensity=0.5, phi=[256, -64])])
    assert reasons(box.put(page(number=2, at=MIN, results={}, by=slower))) == []


def test_a_misrouted_record_goes_to_the_right_partition_and_counts_there_only():
    right = partition("s", 4)
    wrong = Box(Kernel((right + 1) % 4, 4, RULES))
    for event, topic in ((page(), "search.impressions"), (act("1"), "search.actions")):
        changes = wrong.put(event)
        (out,) = changes.outgoing
        assert (out.topic, out.partition, out.key, out.value, out.time) == (topic, right, "s", encode(event), START)
        assert (changes.memory, changes.events, changes.sets, changes.counters["misrouted"]) == ({}, [], {}, 1)
    assert len(counts(Box(Kernel(right, 4, RULES)).put(page()))) == 3


@pytest.mark.parametrize(("event", "topic"), [(page(), "actions"), (act("1"), "impressions")])
def test_an_event_on_the_wrong_topic_is_refused_with_the_right_one(event, topic):
    changes = Box().put(event, topic=topic)
    (message,) = quarantined(changes)
    assert (message.reason, message.topic) == ("invalid", f"search.{topic}")
    assert f"send it to search.{'impressions' if topic == 'actions' else 'actions'}" in message.error
    assert changes.memory == {}


@pytest.mark.parametrize("value", [b"{", b"\xff\xfe", b"[]", b"null", b'{"type":"impression"}', b"", b"[" * 100_000])
def test_bytes_that_are_no_event_are_quarantined_once_with_the_original(value):
    box = Box()
    changes = box.put(value, at=0, topic="impressions")
    (message,) = quarantined(changes)
    assert (message.reason, base64.b64decode(message.value)) == ("invalid", value)
    assert changes.sets["invalid"].count == 1
    assert nothing(box.put(value, at=MIN, topic="impressions"))
    assert not nothing(box.put(value, at=MIN, topic="actions"))


def test_a_record_without_a_value_is_quarantined():
    assert reasons(Box().put(None, at=0, topic="actions")) == ["invalid"]


def test_the_start_of_a_message_that_is_too_long_is_kept():
    (message,) = quarantined(Box().put(b"x" * 1_000_001, at=0, topic="actions"))
    assert base64.b64decode(message.value) == b"x" * 600_000
    assert "1000001 bytes" in message.error


def test_suggestions_are_counted_by_type_and_wait_for_their_reader():
    box = Box()
    shown = SuggestImpression(suggest_id="g", ts=START, prefix="h", suggestions=["halo"])
    taken = SuggestAccept(suggest_id="g", ts=START, suggestion="halo", position=1)
    assert box.put(encode(shown), at=0, topic="impressions").counters["suggest_impression"] == 1
    changes = box.put(encode(taken), at=0, topic="actions")
    assert (changes.counters["suggest_accept"], nothing(changes)) == (1, True)


def test_a_final_fits_a_record_whatever_was_shown():
    box, filler = Box(), {f"k{n}": "x" * 1_000 for n in range(60)}
    for number in range(1, 15):
        box.put(page(number=number, results={}, attributes=filler))
    final, *amendments = conclusions(box.pass_to(WINDOW))
    size = len(encode(page(attributes=filler, results={})))
    assert len(final.pages) == FINAL_BYTES // size < 14
    assert len(final.pages) + len(amendments) == 14
    assert {one.final_id for one in amendments} == {final.final_id}


def test_a_final_fits_a_record_whatever_was_done():
    box, filler = Box(), {f"k{n}": "x" * 1_000 for n in range(30)}
    box.put(page())
    every = [act(f"{number:02}", at=number, attributes=filler) for number in range(40)]
    for one in every:
        box.put(one)
    changes = box.pass_to(WINDOW)
    final, *amendments = conclusions(changes)
    assert final.actions == every[: ACTION_BYTES // len(encode(every[0]))]
    assert [one.event for one in amendments] == every[len(final.actions) :] != []
    assert max(len(out.value) for out in changes.outgoing) < 1_000_000
