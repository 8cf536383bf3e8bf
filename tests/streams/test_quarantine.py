"""Quarantined messages as they are listed, and what sending them again comes to: every promise is put to the kernel."""

import base64

import pytest

from schemas.base import HOUR_MS
from schemas.codec import encode
from schemas.errors import InvalidSetting, NotFound
from schemas.events import Action
from streams.kernel.changes import INPUT_OF
from streams.producing.resending import fate
from streams.quarantine import Held, find, summarize
from tests.streams.searchbox import MIN, START, Box, act, counts, page, quarantined

WINDOW = 30 * MIN


def held(changes, reason):
    """The one quarantined message of these changes, as the topic would hold it."""
    (said,) = quarantined(changes)
    assert said.reason == reason
    return Held(said.quarantine_id, said.time, said.time, said.reason, said.topic, said.error, base64.b64decode(said.value))


def fate_at(message, at):
    return fate(message, now=START + at, window=WINDOW)


def again(box, message, at):
    """Send it again at START + at: what the kernel makes of the record."""
    record = fate_at(message, at).record
    return box.put(record.value, at, INPUT_OF[record.topic])


def test_what_was_only_on_the_wrong_topic_goes_to_the_right_one_and_counts_once():
    box = Box()
    wrong = held(box.put(encode(page()), 0, "actions"), "invalid")
    assert fate_at(wrong, 5 * MIN) == (fate_at(wrong, 5 * MIN).record, "goes to search.impressions")
    assert counts(again(box, wrong, 5 * MIN))["a"] == ({0: 1}, {}, 0)
    assert counts(again(box, wrong, 6 * MIN)) == {}  # its very bytes: a repeat, no conflict
    assert quarantined(again(box, wrong, 6 * MIN)) == []


def test_a_clock_that_was_ahead_is_waited_for():
    box = Box()
    ahead = held(box.put(page(at=25 * HOUR_MS), 0), "ts_out_of_range")
    assert fate_at(ahead, 0).record is None
    assert fate_at(ahead, 0).says.startswith("not yet: its ts is 25 h ahead")
    assert counts(again(box, ahead, 2 * HOUR_MS))["a"] == ({0: 1}, {}, 0)
    assert counts(again(box, ahead, 3 * HOUR_MS)) == {}
    past = held(box.put(page("old", at=-40 * HOUR_MS), 3 * HOUR_MS), "ts_out_of_range")
    assert fate_at(past, 4 * HOUR_MS).record is None
    assert fate_at(past, 4 * HOUR_MS).says.startswith("never: its ts is 44 h old")


def test_an_action_without_impression_counts_once_when_that_came_at_last():
    box = Box()
    box.put(act("one"))
    lost = held(box.pass_to(31 * MIN), "unmatched")
    assert counts(box.put(lost.value, 32 * MIN, "actions")) == {}  # its own id is taken: as it is, it never counts
    box.put(page(at=33 * MIN))
    assert counts(again(box, lost, 34 * MIN))["a"] == ({}, {"click": 1}, 1)
    assert counts(again(box, lost, 35 * MIN)) == {}
    assert "under a new action_id" in fate_at(lost, 34 * MIN).says
    assert "within 30 min of now" in fate_at(lost, 34 * MIN).says


def test_an_action_sent_again_too_early_can_be_sent_again():
    box = Box()
    box.put(act("one"))
    first = held(box.pass_to(31 * MIN), "unmatched")
    again(box, first, 32 * MIN)
    second = held(box.pass_to(63 * MIN), "unmatched")
    assert second.id != first.id
    box.put(page(at=70 * MIN))
    assert again(box, first, 71 * MIN).counters["duplicate"] == 1
    assert counts(again(box, second, 72 * MIN))["a"] == ({}, {"click": 1}, 1)


@pytest.mark.parametrize("reason", ["conflict", "too_late"])
def test_whose_id_is_taken_for_good_never_counts_again(reason):
    box = Box()
    box.put(page())
    box.put(act("one", at=MIN))
    late = {"conflict": act("one", at=2 * MIN, kind="like"), "too_late": act("two", at=40 * MIN)}[reason]
    message = held(box.put(late), reason)
    assert fate_at(message, 41 * MIN).record is None
    assert fate_at(message, 41 * MIN).says.startswith("never: ")
    box.put(page(at=42 * MIN))
    assert counts(box.put(message.value, 43 * MIN, "actions")) == {}  # and so it is, were it sent by other means


def test_what_is_no_event_still_is_to_be_repaired_by_hand_and_shows_nothing_of_its_body():
    message = held(Box().put(b'{"type": "action", "ts": "Anna Smith"}', 0, "actions"), "invalid")
    says = fate_at(message, 0).says
    assert says.startswith("not as it is (not an event: action_id: is missing")
    assert f"forage quarantine show {message.id[:12]} --raw > one.json" in says
    assert "Anna" in message.error
    assert "Anna" not in says + message.short


def test_a_message_that_is_kept_in_part_cannot_be_sent():
    message = held(Box().put(b'"' + b"x" * 700_000 + b'"', 0, "actions"), "invalid")
    assert message.cut
    assert fate_at(message, 0) == (None, "never: only its beginning was kept; its sender must send it again, smaller")


def messages():
    return [Held(f"{n:032x}"[::-1], n, n, "invalid" if n % 3 else "too_late", "search.actions", "why", b"{}") for n in range(6_000)]


def test_newest_come_first_whatever_partition_they_are_of():
    found = summarize(messages()[3_000:] + messages()[:3_000], limit=4, reason="invalid")
    assert found.counts == {"invalid": 4_000, "too_late": 2_000}
    assert [one.at for one in found.newest] == [5_999, 5_998, 5_996, 5_995]
    assert summarize(messages(), limit=0).newest == []


def test_a_message_is_found_by_the_beginning_of_its_id():
    some = messages()
    assert find(some, [some[7].id, some[4_095].id[:5]]) == [some[7], some[4_095]]
    with pytest.raises(NotFound, match="no quarantined message begins with zz"):
        find(some, ["zz"])
    with pytest.raises(InvalidSetting, match=r"ids begin with 0: .*give more of it"):
        find(some, ["0"])


def test_the_new_id_follows_from_the_message():
    box = Box()
    box.put(act("one"))
    lost = held(box.pass_to(31 * MIN), "unmatched")
    one, two = (Action.model_validate_json(fate_at(lost, at).record.value) for at in (0, MIN))
    assert one == two
    assert one.model_copy(update={"action_id": "one"}) == act("one")
