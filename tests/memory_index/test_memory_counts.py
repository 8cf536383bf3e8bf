"""Counts add up exactly, whatever the order and batching; sketches know up to 8 people."""

import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_index.counts import WIDTH, MemoryCounts, add, merge, sketch, to_row

KEY = ("halo", "", "game:1", 15_000)
KEYS = st.sampled_from([KEY, ("halo", "de", "game:1", 15_000), ("mario", "", "game:2", 15_001)])
COUNTS = st.lists(st.integers(0, 5), min_size=WIDTH, max_size=WIDTH)
FACTS = st.lists(st.tuples(KEYS, COUNTS, st.frozensets(st.integers(0, 30), max_size=12)), max_size=20)


@given(FACTS, st.randoms())
def test_any_order_and_any_split_give_the_same_counts(facts: list, random: Random) -> None:
    expected: MemoryCounts = {}
    for key, counts, clients in facts:
        sums, known = expected.get(key, ([0] * WIDTH, frozenset()))
        expected[key] = ([a + b for a, b in zip(sums, counts, strict=True)], frozenset(sorted(known | clients)[:8]))
    shuffled = list(facts)
    random.shuffle(shuffled)
    parts: list[MemoryCounts] = [{}, {}, {}]
    for at, (key, counts, clients) in enumerate(shuffled):
        add(parts[at % 3], key, counts, clients)
    whole: MemoryCounts = {}
    for part in parts:
        merge(whole, part)
    assert whole == expected


def test_nothing_is_shared_with_what_was_given() -> None:
    counts = [1] * WIDTH
    first: MemoryCounts = {}
    second: MemoryCounts = {}
    add(first, KEY, counts)
    merge(second, first)
    counts[0] = 100
    first[KEY][0][1] = 100
    assert second == {KEY: ([1] * WIDTH, frozenset())}


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3 counts .* give 6 shown, then 10 acted"):
        add({}, KEY, [1, 2, 3])
    counts: MemoryCounts = {KEY: ([0] * WIDTH, frozenset())}
    with pytest.raises(ValueError, match=r"longer|shorter"):
        add(counts, KEY, [1, 2, 3])


def test_sketch_keeps_the_eight_smallest_and_rows_carry_them_ascending() -> None:
    assert sketch(range(20, 0, -1)) == frozenset(range(1, 9))
    row = to_row(KEY, list(range(WIDTH)), range(20, 0, -1))
    assert (row.shown, row.acted, row.clients) == ([0, 1, 2, 3, 4, 5], list(range(6, 16)), [1, 2, 3, 4, 5, 6, 7, 8])


def test_the_base_role_needs_neither_arrow_nor_duckdb() -> None:
    program = "import sys\nfor name in ('pyarrow', 'duckdb'): sys.modules[name] = None\nimport memory_index.reader, memory_index.q2e"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
