"""Tables of showings and actions by position: worked by hand, and against the ranking that placement started from."""

from dataclasses import replace

import numpy as np
import pytest

from learners.definition import PlacementSpec
from learners.positions import POSITIONS, bases_of, moved_table, pairs_table, shown_of, viewed_table
from learners.ranking.placement import LAST
from tests.learners.page_views import OFF, SIZE, clicks_by_position, final_of, simulate

FAIR = np.full(SIZE, 0.5)


def row(table, index=0):
    """{place: (shown, acted)} of one group."""
    return {at + 1: (n, table.acted[index, at]) for at, n in enumerate(table.shown[index]) if n}


@pytest.mark.parametrize("spec", [PlacementSpec(slot=0.6, swap=0.7), PlacementSpec(slot=0.0, swap=1.0), PlacementSpec(slot=1.0, swap=0.0)])
def test_modes_and_positions_give_the_ranking_back(spec):
    finals = simulate(clicks_by_position(FAIR), 400, spec=spec)
    before = {one.final_id: one.entities for one in simulate(clicks_by_position(FAIR), 400, spec=OFF)}  # the same rankings, as they were
    shown = shown_of(finals)
    bases = bases_of(shown)
    entities = [entity for one in finals for entity in one.entities]
    checked = set()
    for search, entity, base, mode, p in zip(shown.search, entities, bases, shown.mode, shown.p, strict=True):
        ranking = before[finals[search].final_id]
        if mode == 1 or p == 1.0:
            assert base == 0
        else:
            assert ranking[base - 1] == entity
            checked.add(base)
    assert checked >= set(range(3, LAST))  # a slot on every page pushes the tenth out of it


def test_pages_with_other_schemes_have_no_bases():
    names = "abcdef"
    odd = [[2, 0, 2, 0, 0, 0], [2, 2, 2, 2, 0, 0], [1, 0, 1, 0, 0, 0], [1, 0, 2, 0, 0, 0], [0, 0, 0, 2, 0, 0]]
    finals = [final_of(at, "q", names, acted=[0] * 6, modes=modes, p=[0.5] * 6) for at, modes in enumerate(odd)]
    assert not bases_of(shown_of(finals)).any()
    assert not bases_of(shown_of([final_of(0, "q", names, acted=[0] * 6)])).any()  # p = 1: nothing was drawn here


def test_an_exchanged_slot_by_hand():
    # r1 r2 r3 r4 -> slot X at 3: r1 r2 X r3 -> exchange 3 and 4: r1 r2 r3 X: r3 stands where it stood, and is logged as swap
    finals = [final_of(0, "q", ["r1", "r2", "r3", "X", "r4"], acted=[0] * 5, modes=[0, 0, 2, 1, 0], p=[0.9] * 5)]
    assert bases_of(shown_of(finals)).tolist() == [1, 2, 3, 0, 4]
    # exchange 2 and 3 instead: r1 X r2 r3 r4
    finals = [final_of(0, "q", ["r1", "X", "r2", "r3", "r4"], acted=[0] * 5, modes=[0, 1, 2, 0, 0], p=[0.9] * 5)]
    assert bases_of(shown_of(finals)).tolist() == [1, 0, 2, 3, 4]


def test_the_tenth_exchanged_with_the_eleventh_is_counted():
    names = [f"r{at}" for at in range(20)]
    modes = [2 if at in (9, 10) else 0 for at in range(20)]
    shown = shown_of([final_of(0, "q", names, acted=[0] * 20, modes=modes, p=[0.9] * 20)])
    bases = bases_of(shown)
    assert bases.tolist()[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
    assert not moved_table(shown, bases).shown.size  # each group stood at one place only


def test_a_probability_that_no_test_of_ours_has_counts_nothing():
    clean = [final_of(at, "q", "ab", acted=[0, 0], p=[0.5, 0.5]) for at in range(3)]
    broken = [final_of(9, "q", "ab", acted=[1, 1], p=[1e-30, 1e-30])]
    assert bases_of(shown_of(broken)).tolist() == [0, 0]
    assert bases_of(shown_of(clean)).all()


def test_moved_showings_by_hand():
    plain = [final_of(at, "q", "ab", acted=[at == 0, 0], p=[0.75, 0.75]) for at in range(3)]
    swapped = [final_of(3, "q", "ba", acted=[1, 1], modes=[2, 2], p=[0.25, 0.25])]
    table = moved_table(*_with_bases(plain + swapped))
    # group of a, first in the ranking: 3 showings at place 1 with one action; swapped, one at 2 with one. Equal p in a cell: plain counts.
    assert row(table, 0) == {1: (3.0, 1.0), 2: (1.0, 1.0)}
    assert row(table, 1) == {1: (1.0, 1.0), 2: (3.0, 0.0)}


def test_moved_showings_count_by_their_probability():
    finals = [final_of(0, "q", "ab", acted=[1, 0], p=[0.5, 0.5]), final_of(1, "q", "ab", acted=[0, 0], p=[0.8, 0.8])]
    finals += [final_of(2, "q", "ba", acted=[0, 0], modes=[2, 2], p=[0.5, 0.5])]
    shown, acted = row(moved_table(*_with_bases(finals)), 0)[1]
    # weights 2 and 1.25: effective number 3.25^2 / (4 + 1.5625), rate 2 / 3.25
    assert shown == pytest.approx(3.25**2 / 5.5625)
    assert acted / shown == pytest.approx(2 / 3.25)


def test_viewed_by_hand():
    sends = [final_of(0, "q", "abc", acted=[0, 0, 0], viewed=[1, 1, 0]), final_of(1, "q", "abc", acted=[0, 0, 1], viewed=[1, 0, 0])]
    silent = [final_of(2, "q", "abc", acted=[1, 1, 1])]
    assert row(viewed_table(shown_of(sends + silent), sends + silent)) == {1: (2.0, 2.0), 2: (2.0, 1.0), 3: (2.0, 1.0)}
    assert not len(viewed_table(shown_of(silent), silent).shown)


def test_pairs_by_hand():
    finals = [
        final_of(0, "q", "ab", acted=[1, 0]),
        final_of(1, "q", "ba", acted=[0, 1]),
        final_of(2, "other", "ab", acted=[1, 0]),  # another query; each at one place only
        final_of(3, "q", "ab", acted=[1, 0], rank_version="ours"),
        final_of(4, "q", "ba", acted=[1, 1], modes=[2, 2], p=[0.1, 0.1]),  # in the table of what was moved
    ]
    table = pairs_table(*_with_bases(finals, keep=True))
    assert len(table.shown) == 1  # b was never acted on
    assert row(table) == {1: (1.0, 1.0), 2: (1.0, 1.0)}


def test_candidates_and_far_places_are_left_out():
    one = final_of(0, "q", "abc", acted=[1, 0, 1], first=POSITIONS)  # places 20, 21, 22
    other = final_of(1, "q", "cba", acted=[1, 0, 0])
    sampled = replace(other, positions=np.array([1, 2, 0], dtype=np.int32))
    assert shown_of([one, sampled]).position.tolist() == [20, 21, 22, 1, 2]
    assert [table.shown.shape for table in (moved_table(*_with_bases([one, sampled])),)] == [(0, POSITIONS)]
    assert not len(pairs_table(*_with_bases([one, sampled], keep=True)).shown)


def test_no_finals_no_rows():
    shown = shown_of([])
    bases = bases_of(shown)
    assert not len(moved_table(shown, bases).shown)
    assert not len(viewed_table(shown, []).shown)
    assert not len(pairs_table(shown, [], bases).shown)


def _with_bases(finals, *, keep=False):
    shown = shown_of(finals)
    return (shown, finals, bases_of(shown)) if keep else (shown, bases_of(shown))
