"""Tidying changes no sum: rows added up in runs, old days and hours folded and sent so, rows of zeros sent as tombstones and dropped."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.tallies import add
from memory_index.counts import DAYS_KEPT, WIDTH
from memory_index.shares import as_counts
from schemas.topics import MEMORY, SHARES
from streams.faust_app.owner import REST, SHOWN_EVERY, Owner
from streams.kernel.changes import Changes
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.partition_store import KEEP_SENT, PartitionStore
from tests.streams.searchbox import DAY, HOUR, RULES, START, act, page, record

NOW, DAY_MS = 1_800_000_000_000, 86_400_000


def count(number: int) -> tuple[list[int], frozenset[int]]:
    return [number, *[0] * (WIDTH - 1)], frozenset()


def changed(store: PartitionStore, rows: dict, tallies: dict | None = None) -> None:
    """One transaction with these deltas."""
    at = {"impressions": store.seq + 1, "actions": 0}
    store.commit(Changes(memory={key: count(n) for key, n in rows.items()}, tallies=tallies or {}, next=at, times=at))


def runs(store: PartitionStore) -> list[int]:
    """Rows of each run, the oldest first; run 0 last."""
    return [size for _, size in store._rows("SELECT run, count(*) FROM memory GROUP BY run ORDER BY run = 0, run")]


@pytest.fixture
def store(tmp_path):
    with PartitionStore.open(tmp_path / "partition-0.duckdb", 0, 1) as store:
        yield store


def test_a_compaction_takes_in_what_is_not_much_larger_than_what_is_new(store):
    keys = [("q", "", f"e{number:03}", DAY) for number in range(100)]
    changed(store, dict.fromkeys(keys, 1))
    store.compact(RULES, NOW)
    assert runs(store) == [100]
    changed(store, dict.fromkeys(keys[:5], 1))
    changed(store, dict.fromkeys(keys[:5], 1))
    store.compact(RULES, NOW)
    assert runs(store) == [100, 5]
    store.compact(RULES, NOW)  # nothing is new
    assert runs(store) == [100, 5]
    changed(store, dict.fromkeys(keys[2:10], 1))
    store.compact(RULES, NOW)  # 5 <= 3 * 8, 100 > 3 * 13
    assert runs(store) == [100, 10]
    changed(store, dict.fromkeys(keys[:40], 1))
    store.compact(RULES, NOW)
    assert runs(store) == [100]
    rows = {key[2]: counts[0] for key, (counts, _) in as_counts(store.memory_rows()).items()}
    assert [rows[f"e{number:03}"] for number in (0, 3, 7, 20, 50)] == [4, 5, 3, 2, 1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-2, 2), max_size=6), max_size=12))
def test_any_order_of_changes_and_compactions_adds_up(tmp_path_factory, batches):
    with PartitionStore.open(tmp_path_factory.mktemp("runs") / "partition-0.duckdb", 0, 1) as store:
        sums: dict[str, int] = {}
        for nth, batch in enumerate(batches):
            changed(store, {("q", "", name, DAY): number for name, number in batch.items()})
            for name, number in batch.items():
                sums[name] = sums.get(name, 0) + number
            if nth % 2:
                store.compact(RULES, NOW)
        rows = {key[2]: counts[0] for key, (counts, _) in as_counts(store.memory_rows()).items()}
        assert rows == {name: number for name, number in sums.items() if number}


def test_old_days_and_hours_are_folded_and_the_digest_stays(store):
    ones = np.ones(21, dtype=np.int64)
    old, edge = DAY - DAYS_KEPT - 1, DAY - DAYS_KEPT
    tallies = {("draw", "lex", "c", hour): ones * (at + 1) for at, hour in enumerate((HOUR, HOUR - 100, HOUR - 101, (old * 24) + 3))}
    memory = {("q", "", "e", DAY): 1, ("q", "", "e", edge): 2, ("q", "", "e", old): 3, ("q", "", "e", old - 9): 4, ("q", "s", "f", old): 5}
    changed(store, memory, tallies)
    kernel, before = Kernel(0, 1, RULES), store.share()
    digest = digest_state([before], [kernel])
    store.compact(RULES, NOW)
    after = store.share()
    assert digest_state([after], [kernel]) == digest
    assert {key: counts[0] for key, (counts, _) in after.memory.items()} == {
        ("q", "", "e", DAY): 1, ("q", "", "e", edge): 2, ("q", "", "e", 0): 7, ("q", "s", "f", 0): 5,
    }  # fmt: skip
    hours = {key[3]: int(sums[0]) for key, sums in after.tallies.items() if sums.any()}
    assert hours == {HOUR: 1, (HOUR - 100) // 24 * 24: 5, 0: 4}  # HOUR - 100 and HOUR - 101 are of one day
    seq = store.seq
    store.compact(RULES, NOW)
    assert store.seq == seq, "what is folded is folded"


def test_a_fold_is_sent_rows_first_gone_rows_as_tombstones_which_go_when_nobody_sends_them_again(store):
    owner = Owner(store, RULES, now=NOW, clock=lambda: 0.0)
    owner.apply([record(0, page("old", client_id="u1"), 0), record(0, act("1", search="old"), 5)], NOW)
    later = DAYS_KEPT * DAY_MS + DAY_MS
    owner.apply([record(1, page("new", at=later), later), record(1, act("2", search="new", at=later), later)], NOW)
    list(owner.take(NOW + SHOWN_EVERY))
    owner.sent(NOW + SHOWN_EVERY)
    owner.compact(NOW + SHOWN_EVERY)
    assert list(owner.take(NOW + SHOWN_EVERY)) == []
    said = {(one.topic, *json.loads(one.key)): one.value for one in owner.take(NOW + 2 * SHOWN_EVERY)}
    assert {key for key, value in said.items() if value is None and key[0] == MEMORY.name} == {
        (MEMORY.name, "halo 3", "", entity, DAY) for entity in "abc"
    }
    assert json.loads(said[MEMORY.name, "halo 3", "", "a", 0])["acted"][1] == 1
    gone = {key[4] for key, value in said.items() if value is None and key[0] == SHARES.name}
    assert gone == {HOUR}
    assert {key[4] for key, value in said.items() if value is not None and key[0] == SHARES.name} == {0}
    owner.sent(NOW + 2 * SHOWN_EVERY)
    rows = "SELECT count(*) FROM memory WHERE day = ?"
    owner.compact(NOW + 3 * SHOWN_EVERY)
    assert store._one(rows, [DAY]) > 0, "an owner that takes over now sends the tombstones again"
    changed(store, {("q", "", f"x{number}", DAY + 1): 1 for number in range(20)})
    store.mark_sent(store.seq, NOW + 4 * SHOWN_EVERY)
    store.compact(RULES, NOW + 4 * SHOWN_EVERY + KEEP_SENT + 1)
    assert store._one(rows, [DAY]) == 0


def test_people_of_a_row_in_an_older_run_outlive_a_sum_of_zero_in_the_newer_ones(store):
    """Another person acts, then what an erased one did is subtracted, in deltas that add up to zero beside an older, larger run."""
    key, at = ("q", "", "e", DAY), {"impressions": 1, "actions": 0}
    changed(store, {("q", "", f"x{number}", DAY): 1 for number in range(100)} | {key: 1})
    store.compact(RULES, NOW)
    store.commit(Changes(memory={key: ([1, *[0] * (WIDTH - 1)], frozenset({7}))}, next=at, times=at))
    changed(store, {key: -1})
    store.mark_sent(store.seq, NOW)
    store.compact(RULES, NOW + KEEP_SENT + 1)
    assert as_counts(store.memory_rows([key])) == {key: ([1, *[0] * (WIDTH - 1)], frozenset({7}))}


def test_a_clock_that_was_set_back_holds_nothing_up(store):
    owner = Owner(store, RULES, now=NOW, clock=lambda: 0.0)
    owner.apply([record(0, page(), 0)], NOW)
    list(owner.take(NOW))
    assert MEMORY.name in {one.topic for one in owner.take(NOW - 3_600_000)}


def test_after_reading_rows_back_an_owner_rests_four_times_as_long(store):
    times = iter([0.0, 0.5, 10.0, 10.0])
    owner = Owner(store, RULES, now=NOW, clock=lambda: next(times))
    owner.apply([record(0, page(), 0), record(0, act("1"), 5)], NOW)
    assert MEMORY.name in {one.topic for one in owner.take(NOW)}
    owner.apply([record(1, act("2", kind="play"), 6)], NOW + 1)
    rest = int(500 * REST)
    assert MEMORY.name not in {one.topic for one in owner.take(NOW + rest - 1)}
    assert MEMORY.name in {one.topic for one in owner.take(NOW + rest)}


def test_shares_that_fold_at_other_times_are_one_state(tmp_path):
    """Two partitions fold by their own newest day, a third not at all: the digest is that of the plain sums."""
    whole, stores = Share(), [PartitionStore.open(tmp_path / f"partition-{p}.duckdb", p, 3) for p in range(3)]
    for p, store in enumerate(stores):
        for ago in (0, 50, 120, 200):
            key, tally = ("q", "", "e", DAY - ago - 5 * p), ("draw", "lex", "c", HOUR - 24 * ago - 3 * p)
            tallies = {tally: np.full(21, ago + 1, dtype=np.int64)}
            changed(store, {key: ago + 1}, tallies)
            whole.add(Share({key: count(ago + 1)}))
            add(whole.tallies, tallies)
        if p < 2:
            store.compact(RULES, NOW)
    kernels = [Kernel(0, 1, RULES)]
    assert digest_state([store.share() for store in stores], kernels) == digest_state([whole], kernels)
    for store in stores:
        store.close()


assert START // DAY_MS == DAY
