"""Sums of arms and draws: against plain Python on random batches, and folding, which commutes with adding."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.tallies import HOURS_KEPT, RANK_BINS, Tallies, TallyBatch, add, arm_context, fold, rank_bin, triangle

PHI = st.lists(st.integers(-1024, 1024), min_size=3, max_size=3)
SEARCHES = st.lists(st.tuples(PHI, st.lists(st.integers(0, 4096), max_size=3)), min_size=1, max_size=12)
KEYS = st.tuples(st.just("arm"), st.sampled_from("ab"), st.just("f/1"), st.integers(0, 200))
SHARES = st.dictionaries(KEYS, st.lists(st.integers(-(2**40), 2**40), min_size=5, max_size=5).map(np.array), max_size=12)


def plain(tallies: Tallies) -> dict:
    return {key: sums.tolist() for key, sums in tallies.items()}


@given(SEARCHES)
def test_sums_of_an_arm_are_the_moments_of_its_searches(searches):
    """`searches`: features, and the credits that follow each other; the last one is the search's y."""
    batch = TallyBatch()
    for phi, steps in searches:
        batch.asked("lex", "f", 7, phi)
        for before, after in zip([0, *steps], steps, strict=False):
            batch.credit("lex", "f", 7, phi, before, after)
    y = [steps[-1] if steps else 0 for _, steps in searches]
    real = [[x / 256 for x in phi] for phi, _ in searches]
    expected = [
        float(len(searches)), sum(v / 256 for v in y), sum((v / 256) ** 2 for v in y),
        *(sum(v / 256 * phi[i] for v, phi in zip(y, real, strict=True)) for i in range(3)),
        *(sum(phi[i] * phi[j] for phi in real) for i in range(3) for j in range(i, 3)),
    ]  # fmt: skip
    units = [1, 256, 65536, *[65536] * 9]
    assert plain(batch.take()) == {("arm", "lex", "f/3", 7): [round(one * unit) for one, unit in zip(expected, units, strict=True)]}
    assert batch.take() == {}


def test_sums_stay_exact_where_floats_would_round():
    # 3000 products of 1024 * 1023 reach 3e9, their int64 sums far more: no bit may be lost.
    batch, phi = TallyBatch(), [1024, -1023]
    for _ in range(3_000):
        batch.asked("lex", "f", 0, phi)
    assert batch.take()["arm", "lex", "f/2", 0].tolist() == [3_000, 0, 0, 0, 0, 3_000 * 1024**2, -3_000 * 1024 * 1023, 3_000 * 1023**2]


def test_the_bins_of_ranks():
    assert [rank_bin(rank) for rank in (1, 5, 6, 10, 11, 20, 21, 50, 51, 100, 101, 100_000)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@given(st.lists(st.integers(0, 130), min_size=1, max_size=5))
def test_what_was_drawn_is_counted_rank_by_rank(returned):
    batch = TallyBatch()
    for count in returned:
        batch.drawn("lex", "1", 0, count)
    by_rank = Counter(rank_bin(rank) for count in returned for rank in range(1, count + 1))
    sums = batch.take()["draw", "lex", "1", 0].reshape(len(RANK_BINS), 3)
    assert sums[:, 0].tolist() == [by_rank[bin_] for bin_ in range(len(RANK_BINS))]
    assert not sums[:, 1:].any()


def test_found_and_sole_are_the_second_and_third_column():
    batch = TallyBatch()
    batch.draw("lex", "1", 0, 2, 1, 5)
    batch.draw("lex", "1", 0, 2, 2, -4)
    assert batch.take()["draw", "lex", "1", 0].tolist() == [0] * 7 + [5, -4] + [0] * 9


def test_sums_of_other_lengths_and_schemas_have_their_own_keys():
    batch = TallyBatch()
    batch.asked("lex", "f", 0, [1])
    batch.credit("lex", "f", 0, [1, 1], 0, 256)
    batch.asked("lex", "g", 0, [1])
    assert {key[2]: len(sums) for key, sums in batch.take().items()} == {"f/1": 5, "f/2": 8, "g/1": 5}
    assert arm_context("f", 12) == "f/12"


def test_products_stand_row_by_row():
    rows, columns = triangle(3)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]


@given(SHARES, SHARES)
def test_adding_shares_nothing_and_changes_only_the_sum(left, right):
    before, into = plain(right), {}
    add(into, left)
    add(into, right)
    assert plain(into) == {
        k: [a + b for a, b in zip(plain(left).get(k, [0] * 5), before.get(k, [0] * 5), strict=True)] for k in {**left, **right}
    }
    for sums in into.values():
        sums += 1
    assert plain(right) == before


@given(SHARES, SHARES, st.integers(0, 250), st.integers(0, 250))
def test_folding_commutes_with_adding_and_folding_earlier_changes_nothing(left, right, early, late):
    early, late = sorted((early, late))
    whole, folded = {}, {}
    add(whole, left)
    add(whole, right)
    for share in (fold(left, early), right):
        add(folded, share)
    assert plain(fold(folded, late)) == plain(fold(whole, late))
    assert plain(fold(fold(whole, early), late)) == plain(fold(whole, late))


def test_only_whole_days_older_than_48_hours_are_folded():
    newest = 10 * 24 + 5  # keep from (245 - 48) // 24 * 24 = hour 192, the start of day 8
    tallies = {("arm", "a", "f/1", hour): np.array([hour]) for hour in (190, 191, 192, 193, 245)}
    assert HOURS_KEPT == 48
    assert {key[3]: sums.tolist() for key, sums in fold(tallies, newest).items()} == {168: [381], 192: [192], 193: [193], 245: [245]}
