"""An owner: what is due when, what is marked as sent, and what a new owner sends again. Times are wall ms, given."""

import json

import pytest

from memory_index.counts import MemoryCounts, add
from schemas.codec import decode
from schemas.rows import MemoryRow, TallyRow
from schemas.topics import MEMORY, OUTCOMES, QUARANTINE, SHARES
from streams.faust_app.owner import SHOWN_EVERY, TALLIES_EVERY, Dirty, Owner, row_key
from streams.kernel.changes import INPUTS, SavedEvent
from streams.kernel.share import Share
from streams.partition_store import KEEP_SENT, PartitionStore
from tests.streams.searchbox import MIN, RULES, WINDOW, act, page, record, records

NOW = 1_800_000_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "partition-0.duckdb"


def own(path, now=NOW, **more) -> Owner:
    return Owner(PartitionStore.open(path, 0, 1), RULES, now=now, **({"clock": lambda: 0.0} | more))


@pytest.fixture
def owner(path):
    owner = own(path)
    yield owner
    owner.close()


def put(owner, event, now, at=0):
    topic = "impressions" if event.type == "impression" else "actions"
    return owner.apply([record(owner.next[topic], event, at)], now)


def rows(messages, topic):
    """Entities of memory rows, or arms of tallies."""
    at = 2 if topic is MEMORY else 1
    return sorted({json.loads(one.key)[at] for one in messages if one.topic == topic.name})


def send(owner, now):
    """A round that the broker acknowledges at once."""
    messages = list(owner.take(now))
    owner.sent(now)
    return messages


def test_a_row_that_was_only_shown_waits_five_seconds(owner):
    put(owner, page(), NOW)
    assert rows(owner.take(NOW + SHOWN_EVERY - 1), MEMORY) == []
    assert rows(owner.take(NOW + SHOWN_EVERY), MEMORY) == ["a", "b", "c"]
    assert rows(owner.take(NOW + 10 * SHOWN_EVERY), MEMORY) == []


def test_a_row_with_a_new_action_is_sent_at_once_with_its_absolute_value(owner):
    put(owner, page(), NOW)
    put(owner, act("1"), NOW + 1)
    (message,) = (one for one in owner.take(NOW + 1) if one.topic == MEMORY.name)
    row = decode(MemoryRow, message.value)
    assert (row.entity_id, row.shown, row.acted[:3], len(row.clients)) == ("a", [1, 0, 0, 0, 0, 0], [0, 1, 0], 1)
    assert message.key == row_key(row.query_key, row.segment, row.entity_id, row.day) == '["halo 3","","a",16666]'
    assert message.partition == 0
    assert rows(owner.take(NOW + SHOWN_EVERY), MEMORY) == ["b", "c"]


def test_a_row_keeps_its_turn_when_it_is_shown_again(owner):
    put(owner, page(), NOW)
    put(owner, page("t"), NOW + SHOWN_EVERY - 1)
    (message, *_) = (one for one in owner.take(NOW + SHOWN_EVERY) if one.topic == MEMORY.name)
    assert decode(MemoryRow, message.value).shown == [2, 0, 0, 0, 0, 0]
    put(owner, page("u"), NOW + SHOWN_EVERY)
    assert rows(owner.take(NOW + 2 * SHOWN_EVERY - 1), MEMORY) == []
    assert rows(owner.take(NOW + 2 * SHOWN_EVERY), MEMORY) == ["a", "b", "c"]


def test_tallies_are_sent_every_half_second(owner):
    put(owner, page(), NOW)
    assert rows(owner.take(NOW + TALLIES_EVERY - 1), SHARES) == []
    messages = [one for one in owner.take(NOW + TALLIES_EVERY) if one.topic == SHARES.name]
    assert rows(messages, SHARES) == ["lex", "mem"]
    arm = next(row for row in (decode(TallyRow, one.value) for one in messages) if (row.kind, row.arm) == ("arm", "lex"))
    assert (arm.context, arm.sums) == ("f/2", [1, 0, 0, 0, 0, 65536, 32768, 16384])


def test_messages_go_out_at_once_and_in_order(owner):
    for offset, value in enumerate((b"{1", b"{2")):
        owner.apply([record(offset, value, 0, "actions")], NOW)
    assert owner.unsent == 2
    assert [one.topic for one in owner.take(NOW)] == [QUARANTINE.name] * 2
    assert owner.unsent == 0
    assert list(owner.take(NOW)) == []


def test_what_is_sent_adds_up_to_the_share(owner):
    """The newest value of every key that was ever sent, in rounds with delays, is the sum of everything."""
    latest, now, expected = {}, NOW, Share()
    every = records(5)
    for at in range(0, len(every), 6):
        now += 700
        expected.add(owner.apply(every[at : at + 6], now))
        latest |= {(one.topic, one.key): one.value for one in send(owner, now)}
    latest |= {(one.topic, one.key): one.value for one in send(owner, now + SHOWN_EVERY)}
    memory: MemoryCounts = {}
    tallies = {}
    for (topic, _), value in latest.items():
        if topic == MEMORY.name:
            row = decode(MemoryRow, value)
            add(memory, (row.query_key, row.segment, row.entity_id, row.day), [*row.shown, *row.acted], row.clients)
        elif topic == SHARES.name:
            sums = decode(TallyRow, value)
            tallies[sums.kind, sums.arm, sums.context, sums.hour] = sums.sums
    assert memory == expected.memory
    assert tallies == {key: one.tolist() for key, one in expected.tallies.items()}
    assert owner.unsent == 0
    assert (owner.store.last_sent() < owner.store.seq, owner.mark(), owner.store.last_sent()) == (True, None, owner.store.seq)


def test_nothing_is_marked_beyond_a_row_that_still_waits(owner):
    put(owner, act("0", search="held"), NOW)  # seq 1 changes no row
    put(owner, page(), NOW)  # seq 2: rows due in 5 s
    put(owner, act("1"), NOW)  # seq 3: one row due now
    send(owner, NOW)
    owner.mark()
    assert owner.store.last_sent() == 1
    send(owner, NOW + SHOWN_EVERY)
    owner.mark()
    assert owner.store.last_sent() == 3


def test_a_row_that_changed_again_still_waits_for_its_first_change(owner):
    put(owner, page(), NOW)
    put(owner, page("t"), NOW + 1)
    put(owner, act("0", search="held"), NOW + 1)
    send(owner, NOW + TALLIES_EVERY + 1)
    owner.mark()
    assert owner.store.last_sent() == 0


def test_what_came_while_a_round_was_under_way_is_not_marked(owner):
    put(owner, page(), NOW)
    assert len(list(owner.take(NOW + SHOWN_EVERY))) == 7  # three rows, two arms, two draws
    put(owner, act("1"), NOW + SHOWN_EVERY)
    owner.apply([record(owner.next["actions"], b"{", 0, "actions")], NOW + SHOWN_EVERY)
    owner.sent(NOW + SHOWN_EVERY)
    owner.mark()
    assert owner.store.last_sent() == 1
    assert {MEMORY.name, QUARANTINE.name} == {one.topic for one in owner.take(NOW + SHOWN_EVERY)}


def test_the_mark_is_written_with_the_next_transaction(owner):
    put(owner, page(), NOW)
    send(owner, NOW + SHOWN_EVERY)
    assert owner.store.last_sent() == 0
    put(owner, act("1"), NOW + SHOWN_EVERY)
    assert owner.store.last_sent() == 1


def test_a_new_owner_sends_what_was_not_acknowledged(path):
    first = own(path)
    first.apply([record(0, b"{", 0, "actions")], NOW)
    put(first, page(), NOW)
    lost = list(first.take(NOW + SHOWN_EVERY))  # taken, and never acknowledged
    first.close()
    second = own(path, NOW + 10 * KEEP_SENT)
    assert sorted((one.topic, one.key) for one in second.take(NOW + 10 * KEEP_SENT)) == sorted((one.topic, one.key) for one in lost)
    second.close()


def test_a_new_owner_sends_rows_of_the_last_ten_minutes_again_and_messages_once(path):
    first = own(path)
    put(first, page("old", results={"old": {}}), NOW)
    send(first, NOW + SHOWN_EVERY)
    put(first, page(), NOW + MIN)
    first.apply([record(first.next["actions"], b"{", 0, "actions")], NOW + MIN)
    assert len(send(first, NOW + 2 * MIN)) == 8
    first.close()
    then = NOW + SHOWN_EVERY + KEEP_SENT + 1  # the first round was longer ago than that, the second was not
    second = own(path, then)
    again = send(second, then)
    assert (rows(again, MEMORY), rows(again, SHARES)) == (["a", "b", "c"], ["lex", "mem"])
    assert {one.topic for one in again} == {MEMORY.name, SHARES.name}
    assert send(second, then + SHOWN_EVERY) == []
    second.resend(then + 12_000)  # two session timeouts later, once more
    assert {one.key for one in send(second, then + 12_000)} == {one.key for one in again}
    second.close()


def test_epochs_exceed_the_files_the_clocks_and_the_checkpoints(path):
    assert [own_and_close(path, now) for now in (NOW, NOW, NOW - 50_000)] == [NOW, NOW + 1, NOW + 2]
    assert own_and_close(path, NOW, above=NOW + 90_000) == NOW + 90_001
    assert own_and_close(path, NOW + 1_000) == NOW + 90_002


def own_and_close(path, now, **more):
    owner = own(path, now, **more)
    epoch, source = owner.store.epoch, owner.source()
    owner.close()
    assert source == b"0:%d:0" % epoch
    return epoch


def test_compaction_between_rounds_loses_nothing_that_is_due(owner):
    put(owner, page(), NOW)
    owner.apply([record(owner.next["actions"], b"{", 0, "actions")], NOW)
    owner.compact(NOW)
    assert {one.topic for one in send(owner, NOW + SHOWN_EVERY)} == {QUARANTINE.name, MEMORY.name, SHARES.name}
    owner.compact(NOW + SHOWN_EVERY)
    assert owner.store.outbox(0) == []


def test_a_new_owner_goes_on_in_the_middle_of_searches(path):
    first = own(path)
    put(first, page(), NOW)
    first.close()
    second = own(path)
    assert second.next == {"impressions": 1, "actions": 0}
    put(second, act("1", at=MIN), NOW, at=MIN)
    ticks = [record(second.next[topic], b'{"type":"tick"}', WINDOW + 1, topic) for topic in INPUTS]
    (out,) = second.apply(ticks, NOW).outgoing
    assert (out.topic, json.loads(out.value)["rewards"]) == (OUTCOMES.name, {"a": 256})
    second.close()


def test_an_owner_that_was_closed_in_the_middle_of_a_round_takes_no_more(owner):
    put(owner, page(), NOW)
    list(owner.take(NOW + SHOWN_EVERY))
    owner.close()
    owner.sent(NOW + SHOWN_EVERY)
    assert list(owner.take(NOW + SHOWN_EVERY)) == []


def test_closing_gives_the_file_up_even_when_the_last_mark_cannot_be_written(path):
    owner = own(path)
    put(owner, page(), NOW)
    send(owner, NOW + SHOWN_EVERY)
    owner.store._store.append({}, [("DROP TABLE sent", [])])
    with pytest.raises(Exception, match="sent"):
        owner.close()
    PartitionStore.open(path, 0, 1).close()


def test_a_batch_that_fails_is_not_sent(owner):
    changes = owner.kernel.apply([record(0, page(), 0)])
    changes.events.append(SavedEvent("s", "impressions", "no time", b"", 0, 0))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="no time"):
        owner.store.commit(changes)
    assert (owner.unsent, owner.store.seq) == (0, 0)


def test_what_is_sent_again_goes_after_a_new_action(path):
    """A partition that was taken over has minutes of rows to say again; nobody waits for them."""
    first = own(path)
    put(first, page("old", results={name: {"lex": 1} for name in "abc"}), NOW)
    send(first, NOW + SHOWN_EVERY)
    first.close()
    second = own(path, NOW + 2 * SHOWN_EVERY)
    put(second, page("new", results={"x": {"lex": 1}}), NOW + 2 * SHOWN_EVERY, at=1)
    put(second, act("1", search="new", entity="x"), NOW + 2 * SHOWN_EVERY, at=2)
    said = [json.loads(one.key)[2] for one in second.take(NOW + 2 * SHOWN_EVERY) if one.topic == MEMORY.name]
    assert sorted(said) == ["a", "b", "c", "x"]
    assert second._memory.pop(NOW + 2 * SHOWN_EVERY, 9) == []
    third = Dirty()
    third.add("again", 1, NOW)
    third.add("acted", 2, None)
    assert third.pop(NOW, 1) == ["acted"]
    second.close()
