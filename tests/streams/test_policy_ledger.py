"""PolicyLedger over a topic that is a list: what is published, what is refused, who wins, what is written over."""

import numpy as np
import pytest

from learners.arrays import pack, unpack
from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import fit
from learners.tallies import arm_context
from schemas.base import HOUR_MS
from schemas.codec import decode, encode
from schemas.errors import InvalidSetting, NotFound
from schemas.snapshots import Command, Content, Manifest
from streams.publishing import ledger as ledger_module
from streams.publishing.compacted import CompactedTopic, Keyed
from streams.publishing.ledger import PolicyLedger
from streams.reading.follower import Incoming
from streams.reading.policy_view import PolicyView

ARMS = [ArmSpec.of("lexical"), ArmSpec.of("memory")]
OURS = Definition(salt="ours", arms=ARMS)
OTHER = Definition(salt="other", arms=ARMS)
START = 1_700_000_000_000


D = len(ARM_FEATURES.names)
KEY = ("arm", "lexical", arm_context(ARM_FEATURES.hash, D), 0)


def content(number, definition=OURS):
    """Contents that differ: the policy after `number` searches of one arm."""
    sums = np.zeros(3 + D + D * (D + 1) // 2, dtype=np.int64)
    sums[0] = number
    return fit(definition, {KEY: sums}, 0)


def nothing_stored(content_id):
    raise NotFound(f"{content_id} is not stored")


class Topic:
    """policy.snapshots as a list of records."""

    def __init__(self):
        self.records = []

    def append(self, key, value):
        self.records.append(Incoming(0, len(self.records), key.encode(), value, ()))
        return len(self.records) - 1

    def deliver(self, ledger):
        """Send all that the ledger wants sent; the keys, in order."""
        unsent = ledger.unsent()
        for message in unsent:
            ledger.sent(message, self.append(*message))
        return [message.key for message in unsent]

    def owner(self, now=START, *, configured=OURS, stored=nothing_stored, control="control/t1"):
        ledger = PolicyLedger(configured, control=control, stored=stored)
        ledger.saw(self.records)
        ledger.take_over(now)
        return ledger

    def compact(self):
        last = {record.key: record for record in self.records}
        self.records = [record for record in self.records if last[record.key] is record and record.value is not None]

    def reader(self):
        view = PolicyView()
        view.apply(self.records)
        return view

    def held(self):
        return {record.key.decode() for record in {one.key: one for one in self.records}.values() if record.value is not None}


def command(action, name="c1", content_id=""):
    return Command(command_id=name, action=action, content_id=content_id, ts=START)


def refreshed(ledger, number, now, topic=None, definition=OURS):
    done = ledger.refresh(content(number, definition), applied={"state.shares/0": [number]}, now=now)
    if topic is not None:
        topic.deliver(ledger)
    return done


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def three(topic):
    """An owner that has published the contents 1, 2, 3 as seq 1, 2, 3, two seconds apart."""
    ledger = topic.owner()
    for number in (1, 2, 3):
        assert refreshed(ledger, number, START + 2_000 * number, topic)
    return ledger


def test_parts_come_first_then_the_manifest_then_its_history(topic):
    ledger = topic.owner()
    assert ledger.unsent() == []
    assert refreshed(ledger, 1, START)
    parts = sorted(f"part/{part.sha256}" for part in content(1).split())
    assert topic.deliver(ledger) == [*parts, "manifest", "manifest/1", "configured"]
    assert ledger.unsent() == []
    manifest = ledger.running
    assert (manifest.seq, manifest.publisher_epoch, manifest.reason, manifest.created) == (1, START // 1000, "refresh", START)
    assert manifest.applied == {"state.shares/0": [1], "control/t1": [-1]}
    assert (topic.reader().policy.content_id, topic.reader().policy.seq) == (content(1).content_id, 1)


def test_seq_grows_and_nothing_is_published_when_nothing_changed_or_within_half_a_second(topic, three):
    assert three.running.seq == 3
    assert not refreshed(three, 3, START + 60_000)
    assert refreshed(three, 4, START + 60_000)
    assert not refreshed(three, 5, START + 60_499)
    assert refreshed(three, 5, START + 60_500)
    assert three.running.seq == 5


def test_readers_follow_the_current_manifest_and_not_its_history(topic, three):
    history = [record for record in topic.records if record.key.startswith((b"manifest/", b"part/"))]
    view = PolicyView()
    assert not view.apply(history)
    assert (view.policy, view.refused) == (None, 0)


def test_a_refresh_that_applied_less_is_refused_and_the_running_one_stays(three, topic):
    with pytest.raises(InvalidSetting, match=r"state\.shares/0 applied up to \[2\], the running seq 3 up to \[3\]"):
        three.refresh(content(9), applied={"state.shares/0": [2]}, now=START + 60_000)
    assert three.running.seq == 3
    assert three.unsent() == []


def test_pin_stops_refreshes_and_unpin_resumes_them(topic, three):
    assert three.obey(command("pin"), offset=0, now=START + 10_000)
    assert topic.deliver(three) == ["manifest", "manifest/4"]  # no part: they are there
    assert (three.running.seq, three.running.pinned, three.running.reason) == (4, True, "pin:c1")
    assert three.running.content_id == content(3).content_id
    assert not refreshed(three, 4, START + 20_000)
    assert three.obey(command("unpin", "c2"), offset=1, now=START + 30_000)
    assert (three.running.seq, three.running.pinned) == (5, False)
    assert refreshed(three, 4, START + 30_000, topic)
    assert topic.reader().policy.seq == 6


def test_rollback_publishes_old_content_anew_and_pins_it(topic, three):
    assert three.obey(command("rollback", content_id=content(1).content_id[:10]), offset=0, now=START + 10_000)
    topic.deliver(three)
    running = three.running
    assert (running.seq, running.content_id, running.pinned, running.reason) == (4, content(1).content_id, True, "rollback:c1")
    assert running.applied == {"state.shares/0": [1], "control/t1": [0]}
    assert (topic.reader().policy.seq, topic.reader().policy.content_id) == (4, content(1).content_id)
    assert not refreshed(three, 4, START + 20_000)


def test_rollback_without_a_content_goes_one_further_back_each_time(three):
    back = []
    for number in range(2):
        assert three.obey(command("rollback", f"c{number}"), offset=number, now=START + 10_000)
        back.append(three.running.content_id)
    assert back == [content(2).content_id, content(1).content_id]
    with pytest.raises(NotFound, match=r"nothing older than seq 5 is kept"):
        three.obey(command("rollback", "c9"), offset=2, now=START + 10_000)


def test_what_cannot_be_obeyed_is_refused_with_a_remedy_and_not_tried_again(topic, three):
    with pytest.raises(NotFound, match=r"ffffffff is not in policy\.snapshots; `forage snapshots list`"):
        three.obey(command("rollback", content_id="ffffffff"), offset=0, now=START)
    assert not three.obey(command("rollback", content_id="ffffffff"), offset=0, now=START)
    assert not three.obey(command("rollback", content_id="ffffffff"), offset=1, now=START)  # the same command, sent twice
    assert three.obey(command("pin", "c2"), offset=2, now=START)
    with pytest.raises(InvalidSetting, match=r"seq 4 is pinned; `forage snapshots unpin` first"):
        three.obey(command("promote", "c3", content(1).content_id), offset=3, now=START)
    with pytest.raises(NotFound, match="nothing was published yet"):
        Topic().owner().obey(command("pin"), offset=0, now=START)


def test_a_command_is_obeyed_once_also_by_the_next_owner(topic, three):
    rollback = command("rollback", content_id=content(1).content_id)
    assert three.obey(rollback, offset=5, now=START + 10_000)
    topic.deliver(three)
    topic.compact()
    second = topic.owner(START + 20_000)
    assert not second.obey(rollback, offset=5, now=START + 20_000)  # the group's offset was not committed
    assert not second.obey(rollback, offset=6, now=START + 20_000)  # its sender sent it twice
    assert not second.obey(command("unpin", "old"), offset=4, now=START + 20_000)  # before what was obeyed
    assert second.obey(command("unpin", "c2"), offset=7, now=START + 20_000)
    for number in range(4, 40):  # the rollback falls out of the history, its mark stays
        assert refreshed(second, number, START + 20_000 + 1_000 * number, topic)
    topic.compact()
    third = topic.owner(START + 90_000)
    assert not third.obey(rollback, offset=5, now=START + 90_000)
    assert not third.obey(command("unpin", "c2"), offset=7, now=START + 90_000)


def test_a_topic_of_commands_that_was_made_anew_starts_at_its_own_beginning(topic, three):
    assert three.obey(command("pin"), offset=50, now=START + 10_000)
    topic.deliver(three)
    second = topic.owner(START + 20_000, control="control/t2")
    assert second.obey(command("unpin", "c2"), offset=0, now=START + 20_000)
    assert refreshed(second, 4, START + 20_000)
    assert second.running.applied == {"state.shares/0": [4], "control/t1": [50], "control/t2": [0]}


def test_a_long_command_id_still_has_a_reason(three, topic):
    long = "x" * 256
    assert three.obey(command("pin", long), offset=0, now=START)
    topic.deliver(three)
    assert not topic.owner(START).obey(command("pin", long), offset=1, now=START)


@pytest.mark.parametrize("now", [START - 3_600_000, START, START + 60_000], ids=["clock-behind", "same-second", "later"])
def test_the_next_owner_has_a_higher_epoch_and_goes_on(topic, three, now):
    second = topic.owner(now)
    assert second.epoch == max(START // 1000 + 1, now // 1000)
    assert second.unsent() == []
    assert second.running == three.running
    assert refreshed(second, 4, now, topic)
    assert second.running.seq == 4
    assert topic.reader().policy.seq == 4


def test_a_former_owner_loses_and_what_it_wrote_late_is_written_over(topic, three):
    second = topic.owner(START + 60_000)
    assert refreshed(second, 4, START + 60_000, topic)
    good = set(topic.held())
    assert refreshed(three, 5, START + 60_000, topic)  # it does not know yet
    topic.append(f"part/{content(4).split()[0].sha256}", None)
    second.saw(topic.records)
    assert not second.fenced
    topic.deliver(second)
    topic.compact()
    assert topic.held() == good
    assert (topic.reader().policy.content_id, topic.reader().manifest.publisher_epoch) == (content(4).content_id, second.epoch)
    assert not three.fenced
    three.saw(topic.records)
    assert three.fenced


def test_a_publication_that_was_cut_off_anywhere_is_finished_or_forgotten_by_the_next(topic, three):
    assert refreshed(three, 4, START + 10_000)
    unsent = three.unsent()
    assert len(unsent) == 3
    for cut in range(len(unsent) + 1):
        half = Topic()
        half.records = list(topic.records)
        for message in unsent[:cut]:
            half.append(*message)
        second = half.owner(START + 20_000)
        assert second.running.seq == (4 if cut >= 2 else 3)
        half.deliver(second)
        assert refreshed(second, 5, START + 20_000, half)
        half.compact()
        seqs = [1, 2, 3, 4, 5] if cut >= 2 else [1, 2, 3, 4]
        shas = {part.sha256 for number in ([1, 2, 3, 4, 5] if cut >= 2 else [1, 2, 3, 5]) for part in content(number).split()}
        assert half.held() == {"manifest", "configured", *(f"manifest/{seq}" for seq in seqs), *(f"part/{sha}" for sha in shas)}
        assert half.reader().policy.content_id == content(5).content_id


def test_the_last_20_contents_are_kept_with_their_parts(topic):
    ledger = topic.owner()
    for number in range(1, 31):
        assert refreshed(ledger, number, START + 1_000 * number, topic)
    assert ledger.obey(command("pin"), offset=0, now=START + 60_000)
    topic.deliver(ledger)
    # 20 contents: those of seq 11 to 30; the pin is seq 31 of the content of seq 30
    parts = {part.sha256 for number in range(11, 31) for part in content(number).split()}
    assert topic.held() == {"manifest", "configured", *(f"manifest/{seq}" for seq in range(11, 32)), *(f"part/{sha}" for sha in parts)}
    topic.compact()
    again = topic.owner(START + 70_000)
    assert again.unsent() == []
    assert again.obey(command("rollback", "c2", content(11).content_id), offset=1, now=START + 70_000)


def with_model(number, weights):
    """A content with the array of a model, `weights` of which decide its bytes."""
    plain = content(number)
    return Content(plain.definition, {**plain.arrays, "xmr.w": weights})


def noise(seed, kilobytes):
    return pack(np.random.default_rng(seed).random(128 * kilobytes))


def test_a_model_that_did_not_change_is_not_sent_again_nor_read_again(topic):
    ledger, weights = topic.owner(), noise(1, 900)
    [*of_model] = (f"part/{part.sha256}" for part in weights.parts)
    assert len(of_model) == 2
    ledger.refresh(with_model(1, weights), applied={}, now=START)
    assert set(of_model) <= set(topic.deliver(ledger))
    view = topic.reader()
    known = view.content.arrays["xmr.w"]
    ledger.refresh(with_model(2, pack(unpack(weights, what="xmr.w"))), applied={}, now=START + 1_000)
    before = len(topic.records)
    assert not set(of_model) & set(topic.deliver(ledger))
    assert view.apply(topic.records[before:])
    assert view.content == with_model(2, weights)
    assert view.content.arrays["xmr.w"] is known


def test_publications_of_every_hour_are_kept_while_their_parts_are_few(topic, monkeypatch):
    monkeypatch.setattr(ledger_module, "KEEP_BYTES", 400_000)
    hourly = topic.owner()
    for hour in range(30):
        hourly.refresh(with_model(hour, noise(hour % 2, 1)), applied={}, now=START + hour * HOUR_MS)
    topic.deliver(hourly)
    assert len([key for key in topic.held() if key.startswith("manifest/")]) == 30
    large = Topic()
    ledger = large.owner()
    for hour in range(30):
        ledger.refresh(with_model(hour, noise(hour, 15)), applied={}, now=START + hour * HOUR_MS)
        large.deliver(ledger)
    assert len([key for key in large.held() if key.startswith("manifest/")]) == 20  # the last 20 contents, whatever their size
    assert large.owner(START + 40 * HOUR_MS).content(ledger.running) == with_model(29, noise(29, 15))


def test_keys_of_others_stay(topic, three):
    topic.append("note", b"by somebody else")
    assert topic.owner(START).unsent() == []


def test_a_promoted_content_runs_and_refreshes_go_on_with_its_definition_also_after_a_restart(topic, three):
    release = content(2, OTHER)
    assert three.definition == OURS
    first = topic.owner(START + 5_000, stored={release.content_id: release}.__getitem__)
    assert first.obey(command("promote", content_id=release.content_id), offset=0, now=START + 10_000)
    assert (first.running.content_id, first.running.pinned, first.definition) == (release.content_id, False, OTHER)
    topic.deliver(first)
    second = topic.owner(START + 20_000)
    assert second.definition == OTHER
    assert second.obey(command("rollback", "c2"), offset=1, now=START + 20_000)
    assert (second.running.content_id, second.definition) == (content(3).content_id, OURS)


def test_changed_settings_replace_what_runs_even_if_it_is_pinned_now(topic, three):
    assert three.obey(command("pin"), offset=0, now=START + 10_000)
    topic.deliver(three)
    for now in (START + 20_000, START + 30_000):  # started twice before anybody unpins
        second = topic.owner(now, configured=OTHER)
        assert second.definition == OTHER
        assert not refreshed(second, 3, now, topic, OTHER)
    assert second.obey(command("unpin", "c2"), offset=1, now=START + 40_000)
    assert second.definition == OTHER
    assert refreshed(second, 3, START + 20_000, topic, OTHER)
    assert topic.owner(START + 30_000, configured=OTHER).definition == OTHER
    assert topic.owner(START + 30_000, configured=OURS).definition == OURS


def test_a_manifest_that_does_not_parse_is_written_over(topic, three):
    topic.append("manifest", b"{")
    topic.append("manifest/2", encode(three.running)[:-1])
    second = topic.owner(START + 20_000)
    assert second.running.seq == 3
    assert topic.deliver(second)[0] == "manifest"
    topic.compact()
    assert "manifest/2" not in topic.held()
    assert decode(Manifest, next(one.value for one in topic.records if one.key == b"manifest")) == three.running


def test_compacted_topic_by_hand():
    topic = CompactedTopic()
    topic.saw("a", b"1", 0)
    topic.saw("a", b"2", 5)
    topic.saw("a", b"old", 4)
    topic.saw("b", b"1", 6)
    topic.saw("c", b"1", 7)
    topic.saw("c", None, 8)
    assert topic.values() == {"a": b"2", "b": b"1"}
    assert topic.unsent({"c": b"3", "a": b"2"}, ours=("b",)) == [Keyed("c", b"3"), Keyed("b", None)]
    assert topic.unsent({"a": b"2"}, ours=("x",)) == []
