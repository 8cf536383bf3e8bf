"""A partition's file: what a batch changes is committed whole, and what is opened again goes on as if it had never been closed."""

import pyarrow as pa
import pytest

from schemas.errors import PartitionMismatch, StaleLog, Unavailable
from streams.kernel import searches as searches_module
from streams.kernel.changes import INPUTS, Changes, Outgoing
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.partition_store import KEEP_SENT, PartitionStore
from tests.streams.searchbox import MIN, RULES, START, WINDOW, Box, act, page, records

NOW = 1_800_000_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "partition-0.duckdb"


def plain(changes: Changes) -> list[object]:
    """A batch of changes as values that compare."""
    sums = {key: one.tolist() for key, one in changes.tallies.items() if one.any()}
    sets = {name: (one.count, one.total) for name, one in changes.sets.items()}
    return [
        changes.memory, changes.acted, sums, sorted(changes.ids), changes.events, sorted(changes.outgoing), sets, changes.counters,
        dict(changes.next), dict(changes.times),
    ]  # fmt: skip


def everything(store: PartitionStore) -> list[object]:
    """All rows of all tables."""
    tables = store._rows("SELECT table_name FROM information_schema.tables ORDER BY table_name")
    return [(name, sorted(map(repr, store._rows(f'SELECT * FROM "{name}"')))) for (name,) in tables]


@pytest.mark.parametrize(("seed", "awake"), [(0, 2_000), (1, 2_000), (2, 2_000), (0, 1), (1, 2), (2, 5)])
def test_a_restored_kernel_does_what_the_running_one_does(path, seed, awake, monkeypatch):
    """After every few batches the file is closed, compacted at times, and opened; each later batch changes exactly the same, whoever
    sleeps meanwhile."""
    monkeypatch.setattr(searches_module, "AWAKE", awake)
    every, kernel, reopened = records(seed), Kernel(0, 1, RULES), 0
    share, size = Share(), 5
    store = PartitionStore.open(path, 0, 1)
    resumed = store.kernel(RULES)
    for at in range(0, len(every), size):
        batch = every[at : at + size]
        expected, changes = kernel.apply(batch), resumed.apply(batch)
        assert plain(changes) == plain(expected)
        share.add(expected)
        store.commit(changes)
        if at // size % 4 == 3:
            reopened += 1
            if reopened % 2:
                store.compact(RULES, NOW)
            store.close()
            store = PartitionStore.open(path, 0, 1)
            resumed = store.kernel(RULES)
            assert (store.seq, resumed.next, resumed.clock.times) == (at // size + 1, kernel.next, kernel.clock.times)
    assert digest_state([store.share()], [resumed]) == digest_state([share], [kernel])
    assert reopened > 4
    assert share.sets.keys() >= {"final", "amendment", "invalid", "conflict", "unmatched", "too_late"}
    assert store.next_offsets() == kernel.next
    store.close()


@pytest.mark.parametrize("batch", [1, 1000])
def test_nothing_is_left_of_a_batch_that_failed(path, batch):
    every = records(1)
    with PartitionStore.open(path, 0, 1) as store:
        kernel = store.kernel(RULES)
        store.commit(kernel.apply(every[:40]))
        before, seq = everything(store), store.seq
        changes = kernel.apply(every[40 : 40 + batch])
        changes.outgoing.append(Outgoing("t", "no number", "k", b"", 0))  # type: ignore[arg-type]
        with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
            store.commit(changes)
        changes.outgoing.pop()
        del changes.next["actions"]  # type: ignore[attr-defined]
        with pytest.raises(KeyError):
            store.commit(changes)
        assert (everything(store), store.seq) == (before, seq)


def test_an_append_that_fails_in_the_database_is_rolled_back_with_all_others(path):
    every = records(1)
    with PartitionStore.open(path, 0, 1) as store:
        kernel = store.kernel(RULES)
        store.commit(kernel.apply(every[:40]))
        store._store.append({}, [("ALTER TABLE applied ALTER COLUMN next TYPE TINYINT", [])])  # the last table of the transaction
        before, seq = everything(store), store.seq
        changes = kernel.apply(every[40:])
        changes.next = dict.fromkeys(INPUTS, 1000)
        with pytest.raises(Exception, match="out of range"):
            store.commit(changes)
        assert (everything(store), store.seq) == (before, seq)
        changes.next = dict.fromkeys(INPUTS, 100)
        store.commit(changes)  # the store can be used after it
        assert store.next_offsets() == dict.fromkeys(INPUTS, 100)


@pytest.fixture
def filled(path):
    """A store of many transactions."""
    with PartitionStore.open(path, 0, 1) as store:
        kernel, every = store.kernel(RULES), records(2)
        for at in range(0, len(every), 4):
            store.commit(kernel.apply(every[at : at + 4]))
            assert store.seq == at // 4 + 1
        yield store


def test_compaction_changes_no_reading(filled):
    readings = [filled.memory_rows().to_pylist(), {k: v.tolist() for k, v in filled.tally_rows().items()}, filled.share().sets]
    seqs = range(0, filled.seq, 7)
    changed = [[sorted(keys) for keys in filled.changed(seq)] for seq in seqs]
    rows = len(filled._rows("SELECT 1 FROM memory"))
    filled.compact(RULES, NOW)
    assert [filled.memory_rows().to_pylist(), {k: v.tolist() for k, v in filled.tally_rows().items()}, filled.share().sets] == readings
    assert [[sorted(keys) for keys in filled.changed(seq)] for seq in seqs] == changed
    assert len(filled._rows("SELECT 1 FROM memory")) == len(readings[0]) < rows
    some = [tuple(row[name] for name in ("query_key", "segment", "entity_id", "day")) for row in readings[0][:3]]
    assert filled.memory_rows(some).to_pylist() == readings[0][:3]


def test_compaction_forgets_what_no_later_record_can_ask_for(path):
    with PartitionStore.open(path, 0, 1) as store:
        box = Box(store.kernel(RULES))
        for changes in (box.put(page()), box.put(act("1")), box.put(page("t", at=3 * WINDOW)), box.pass_to(3 * WINDOW)):
            store.commit(changes)
        store.compact(RULES, NOW)
        assert {row[0] for row in store._rows("SELECT search_id FROM events")} == {"t"}
        hours = {row[0] for row in store._rows("SELECT bucket FROM ids")}
        store.commit(box.pass_to(25 * 60 * MIN))
        store.compact(RULES, NOW)
        assert {row[0] for row in store._rows("SELECT bucket FROM ids")} == hours  # the last ms that the first hour is known
        store.commit(box.pass_to(25 * 60 * MIN + 1))
        store.compact(RULES, NOW)
        assert {row[0] for row in store._rows("SELECT bucket FROM ids")} == hours - {START // (60 * MIN)} != set()


def test_the_outbox_keeps_what_was_not_acknowledged(filled):
    every = filled.outbox(0)
    assert len(every) > 20
    assert [seq for seq, _ in every] == sorted(seq for seq, _ in every)
    middle = every[len(every) // 2][0]
    assert filled.outbox(middle) == [one for one in every if one[0] > middle]
    filled.mark_sent(middle, NOW)
    filled.compact(RULES, NOW)
    assert (filled.last_sent(), filled.outbox(0)) == (middle, [one for one in every if one[0] > middle])


def test_rows_of_the_last_ten_minutes_are_sent_again(filled):
    assert filled.resend_from(NOW) == 0
    for seq, at in ((5, NOW), (10, NOW + 60_000), (20, NOW + 120_000)):
        filled.mark_sent(seq, at)
    for now, seq in ((NOW + KEEP_SENT, 0), (NOW + KEEP_SENT + 1, 5), (NOW + KEEP_SENT + 60_001, 10), (NOW + 10 * KEEP_SENT, 20)):
        assert filled.resend_from(now) == seq
    filled.compact(RULES, NOW + KEEP_SENT + 60_001)
    assert filled.resend_from(NOW + KEEP_SENT + 60_001) == 10
    assert filled.resend_from(NOW + 10 * KEEP_SENT) == filled.last_sent() == 20


def test_marks_written_with_a_transaction_count_like_others(path):
    with PartitionStore.open(path, 0, 1) as store:
        box = Box(store.kernel(RULES))
        store.commit(box.put(page()))
        store.commit(box.put(act("1")), sent=(1, NOW))
        assert (store.last_sent(), store.resend_from(NOW + KEEP_SENT + 1)) == (1, 1)


def test_epochs_rise_with_every_owner(path):
    with PartitionStore.open(path, 0, 1) as store:
        assert [store.begin_epoch(5), store.begin_epoch(5), store.begin_epoch(9)] == [5, 6, 9]
    with PartitionStore.open(path, 0, 1) as store:
        assert (store.epoch, store.begin_epoch(0)) == (9, 10)


def test_a_topic_that_was_made_anew_is_refused(path):
    with PartitionStore.open(path, 0, 1) as store:
        store.check_topics({"search.impressions": "one", "search.actions": "two"})
        store.check_topics({"search.impressions": "one", "search.actions": "two"})
    with PartitionStore.open(path, 0, 1) as store:
        with pytest.raises(StaleLog, match=r"search\.actions was made anew .*\(id two, now three\).*move the folder away"):
            store.check_topics({"search.impressions": "one", "search.actions": "three"})
        assert store.topic_ids() == {"search.impressions": "one", "search.actions": "two"}


@pytest.mark.parametrize(("partition", "partitions"), [(0, 4), (1, 2), (1, 1)])
def test_a_file_of_another_partition_or_count_is_refused_and_not_kept_open(path, partition, partitions):
    PartitionStore.open(path, 0, 2).close()
    with pytest.raises(PartitionMismatch, match=f"is partition 0 of 2, not {partition} of {partitions}"):
        PartitionStore.open(path, partition, partitions)
    PartitionStore.open(path, 0, 2).close()


def test_a_file_has_one_owner(path):
    with PartitionStore.open(path, 0, 1), pytest.raises(Unavailable, match="one owner at a time"):
        PartitionStore.open(path, 0, 1)
    PartitionStore.open(path, 0, 1).close()


@pytest.mark.parametrize("passed", [30 * MIN, 30 * MIN + 1, 32 * MIN, 34 * MIN, 36 * MIN, 61 * MIN])
def test_what_compaction_leaves_of_a_search_is_what_a_worker_that_ran_on_has(path, passed):
    """A second page and an action are younger than their search, and still within a window when that has passed."""
    events = [(page(), 0), (page(number=2, at=3 * MIN), 3 * MIN), (act("1", at=5 * MIN), 5 * MIN)]
    with PartitionStore.open(path, 0, 1) as store:
        box = Box()
        for event, at in events:
            store.commit(box.put(event, at))
        store.commit(box.pass_to(passed))
        store.compact(RULES, START + passed)
        again = store.kernel(RULES)
        assert digest_state([], [again]) == digest_state([], [box.kernel])
        late = {"s2": page("s2", at=passed), "act": act("2", at=passed)}
        assert [sorted(Box(kernel).put(one).counters) for kernel in (again,) for one in late.values()] == [
            sorted(box.put(one).counters) for one in late.values()
        ]
