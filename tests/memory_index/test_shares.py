"""Deltas in tables read back as their exact sums."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_index.counts import WIDTH, MemoryCounts, merge, to_row
from memory_index.shares import as_counts, as_rows, memory_rows, memory_table, schema_sql, tally_rows, tally_table
from memory_index.store import Store
from schemas.errors import CorruptFile

KEYS = [("halo", "", "a", 5), ("halo", "de", "a", 5), ("halo", "", "b", 6), ("élan 💡", "", "a", 5)]
BIG = 2**62 // 20
DELTAS = st.lists(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.tuples(st.lists(st.integers(0, BIG), min_size=WIDTH, max_size=WIDTH), st.frozensets(st.integers(0, 2**63 - 1), max_size=8)),
    ),
    max_size=5,
)


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "share.duckdb", [schema_sql()]) as opened:
        yield opened


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DELTAS, st.lists(st.sampled_from(KEYS), max_size=3))
def test_rows_are_the_sums_of_the_deltas(store: Store, batches: list[MemoryCounts], keys: list) -> None:
    store.append({}, [("DELETE FROM memory", ())])
    expected: MemoryCounts = {}
    for batch in batches:
        merge(expected, batch)
        store.append({"memory": memory_table(batch)})
    expected = {key: row for key, row in expected.items() if any(row[0])}  # a row of zeros is none
    table = memory_rows(store)
    assert as_counts(table) == expected
    assert list(as_counts(table)) == sorted(expected, key=lambda key: (key[0].encode(), *key[1:]))
    assert as_counts(memory_rows(store, keys)) == {key: expected[key] for key in keys if key in expected}


def test_rows_as_messages(store: Store) -> None:
    store.append({"memory": memory_table({KEYS[3]: (list(range(WIDTH)), frozenset({9, 2**63 - 1}))})})
    rows = list(as_rows(memory_rows(store)))
    assert rows == [to_row(KEYS[3], list(range(WIDTH)), [2**63 - 1, 9])]


def test_nothing_has_a_defined_answer(store: Store) -> None:
    store.append({"memory": memory_table({}), "tallies": tally_table({})})
    assert memory_rows(store).num_rows == memory_rows(store, []).num_rows == 0
    assert as_counts(memory_rows(store)) == tally_rows(store) == tally_rows(store, []) == {}


def test_tallies_add(store: Store) -> None:
    arm, draw = ("arm", "dense", "f1", 400_000), ("draw", "dense", "2d", 400_001)
    first = {arm: np.array([1, -(2**40), 3], dtype=np.int64), draw: np.array([2, 1], dtype=np.int64)}
    for _ in range(3):
        store.append({"tallies": tally_table(first)})
    found = tally_rows(store)
    assert {key: sums.tolist() for key, sums in found.items()} == {arm: [3, -3 * 2**40, 9], draw: [6, 3]}
    assert {key: sums.tolist() for key, sums in tally_rows(store, [draw, draw]).items()} == {draw: [6, 3]}
    found[arm][0] = 99
    assert first[arm][0] == 1


def test_tallies_of_different_length_are_refused(store: Store) -> None:
    key = ("arm", "dense", "f1", 4)
    for size in (3, 4):
        store.append({"tallies": tally_table({key: np.zeros(size, dtype=np.int64)})})
    with pytest.raises(CorruptFile, match="3 and 4 sums"):
        tally_rows(store)


def test_a_sum_over_64_bits_is_refused_not_wrapped(store: Store) -> None:
    for _ in range(2):
        store.append({"memory": memory_table({KEYS[0]: ([2**62] * WIDTH, frozenset())})})
    with pytest.raises(Exception, match=r"range|overflow|convert"):
        memory_rows(store)
