"""Placement against a plain list of everything that can happen, against frequencies over searches, and page by page."""

from itertools import product
from time import perf_counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import PlacementSpec
from learners.ranking.placement import OF_STRATEGY, chances_of, draw_of, place
from tests.learners.requests import request

BOTH = PlacementSpec(slot=0.3, swap=0.4)


class One(NamedTuple):
    entity_id: str
    sd: float
    found: tuple[tuple[str, int, float], ...]


def union(n, *, lists=("lexical", "dense")):
    """n candidates, each found by one or two strategies; the sd has its only maximum outside any page of ten where there is one."""
    return [
        One(f"e{at:02}", 1.0 - 0.01 * abs(at - 12), tuple((name, at + 1, 1.0) for turn, name in enumerate(lists) if at % (turn + 1) == 0))
        for at in range(n)
    ]


def page(ranked, spec=BOTH, *, size=10, number=1, search="s-1", salt="forage"):
    asked = request(search_id=search, size=size, page=number)
    return place(asked, ranked, spec=spec, salt=salt, uncertainty=lambda one: one.sd)


def everything(ranked, spec, size):
    """(probability, order) of all that can come out, written out from the description: no formula of the product in it."""
    n, shown = len(ranked), min(size, len(ranked))
    slots = [(1.0, list(ranked))]
    if spec.slot and n > size >= 3:
        places, weights = range(3, min(10, size) + 1), draw_of(ranked[size:], lambda one: one.sd)
        slots = [(1.0 - spec.slot, list(ranked))]
        for at, (index, weight) in product(places, enumerate(weights)):
            rest = [one for one in ranked if one is not ranked[size + index]]
            slots.append((spec.slot * weight / len(places), [*rest[: at - 1], ranked[size + index], *rest[at - 1 :]]))
    for p, order in slots:
        if not spec.swap or shown < 2:
            yield p, order
            continue
        yield p * (1.0 - spec.swap), order
        for upper in range(shown - 1):
            other = list(order)
            other[upper], other[upper + 1] = other[upper + 1], other[upper]
            yield p * spec.swap / (shown - 1), other


def closed_form(ranked, spec, size):
    """{(entity, place): p} by enumeration."""
    out = {}
    for p, order in everything(ranked, spec, size):
        for at, one in enumerate(order):
            out[one.entity_id, at] = out.get((one.entity_id, at), 0.0) + p
    return out


@settings(max_examples=60)
@given(
    n=st.integers(0, 26),
    size=st.integers(1, 14),
    slot=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    swap=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    search=st.integers(0, 10**6),
)
def test_every_logged_p_is_the_probability_of_standing_there(n, size, slot, swap, search):
    ranked, spec = union(n), PlacementSpec(slot=slot, swap=swap)
    exact = closed_form(ranked, spec, size)
    for number in (1, 2, 3):
        for at, (one, _, p) in enumerate(page(ranked, spec, size=size, number=number, search=f"s-{search}"), (number - 1) * size):
            assert p == pytest.approx(exact[one.entity_id, at], abs=1e-12)
            assert 0.0 < p <= 1.0


@pytest.mark.parametrize(("n", "size"), [(30, 10), (11, 10), (10, 10), (7, 10), (8, 3), (5, 2), (4, 1), (1, 10), (40, 20)])
def test_probabilities_sum_to_one_for_each_place_and_each_entity(n, size):
    shown, slot = min(n, size), BOTH.slot if n > size >= 3 else 0.0
    moves, stays, enters = chances_of(slot, BOTH.swap, shown)
    for row in moves:  # an entity of the page stands somewhere, the place behind the page included
        assert sum(row) == pytest.approx(1.0)
    for at in range(shown):  # somebody stands at each place of the page; whoever comes in, q sums to 1
        assert sum(row[at] for row in moves) + enters[at] == pytest.approx(1.0)
    assert stays == [row[at] for at, row in enumerate(moves)]


def test_worked_by_hand():
    # size 4 of 6, a = 0.3, b = 0.6: K = {3, 4}, each of the 3 pairs has 0.2. F = 0, 0, 1/2, 1.
    moves, _, enters = chances_of(0.3, 0.6, 4)
    assert moves[0] == pytest.approx([0.8, 0.2, 0.0, 0.0, 0.0])
    # r_3: stays 0.85 before the swap, moves down 0.15; then 3 -> 2 and 3 -> 4 have 0.2 each, 4 -> 3 has 0.2
    assert moves[2] == pytest.approx([0.0, 0.85 * 0.2, 0.85 * 0.6 + 0.15 * 0.2, 0.85 * 0.2 + 0.15 * 0.8, 0.0])
    # r_4: pushed out with 0.3
    assert moves[3] == pytest.approx([0.0, 0.0, 0.7 * 0.2, 0.7 * 0.8, 0.3])
    # from outside: 0.15 at 3, 0.15 at 4, then the swap
    assert enters[:4] == pytest.approx([0.0, 0.15 * 0.2, 0.15 * 0.6 + 0.15 * 0.2, 0.15 * 0.8 + 0.15 * 0.2])


def test_who_comes_in_by_hand():
    # outside: x (sd .1), y (sd .9), z (sd .2). a found x and y, b found z alone.
    outside = [One("x", 0.1, (("a", 5, 1.0),)), One("y", 0.9, (("a", 6, 1.0),)), One("z", 0.2, (("b", 11, 1.0),))]
    assert draw_of(outside, lambda one: one.sd) == pytest.approx([0.125, 0.5 + 0.125, 0.25])
    assert draw_of([One("x", 0.1, ()), One("y", 0.1, ())], lambda one: one.sd) == [1.0, 0.0]  # ties: the better ranked
    many = [One(f"{at}", 0.0, (("a", 40 - at, 1.0),)) for at in range(20)]  # the best five of a strategy by its own order
    q = draw_of(many, lambda one: float(one.entity_id))
    assert [at for at, p in enumerate(q) if p] == [15, 16, 17, 18, 19]
    assert q[15:] == pytest.approx([0.5 / OF_STRATEGY] * 4 + [0.5 + 0.5 / OF_STRATEGY])


def test_frequencies_over_searches_are_the_probabilities():
    ranked, spec, searches = union(14), PlacementSpec(slot=0.5, swap=0.5), 6_000
    seen = {}
    for number in range(searches):
        for at, (one, _, _) in enumerate(page(ranked, spec, size=6, search=f"s-{number}")):
            seen[one.entity_id, at] = seen.get((one.entity_id, at), 0) + 1
    exact = {key: p for key, p in closed_form(ranked, spec, 6).items() if key[1] < 6 and p > 0.0}
    assert seen.keys() <= exact.keys()
    for key, p in exact.items():  # 5 standard deviations of a count
        assert abs(seen.get(key, 0) - p * searches) < 5 * (p * (1 - p) * searches) ** 0.5 + 1e-9


@pytest.mark.parametrize(("n", "size"), [(30, 10), (11, 10), (10, 10), (3, 10), (9, 3), (5, 2), (3, 1), (0, 10)])
def test_pages_together_show_everything_once(n, size):
    ranked = union(n)
    for number in range(200):
        pages = [page(ranked, size=size, number=which, search=f"s-{number}") for which in range(1, n // size + 3)]
        shown = [one.entity_id for one_page in pages for one, _, _ in one_page]
        assert sorted(shown) == [one.entity_id for one in ranked]
        assert [len(one_page) for one_page in pages] == [max(0, min(size, n - at * size)) for at in range(len(pages))]


def test_modes_say_what_happened():
    ranked, counts = union(30), {}
    for number in range(2_000):
        placed = page(ranked, search=f"s-{number}")
        modes = [mode for _, mode, _ in placed]
        slots, swaps = [at for at, mode in enumerate(modes) if mode == "slot"], [at for at, mode in enumerate(modes) if mode == "swap"]
        assert [placed[at].one in ranked[10:] for at in slots] == [True] * len(slots)
        assert len(slots) <= 1
        assert len(swaps) in (0, 2) or (len(swaps) == 1 and abs(swaps[0] - slots[0]) == 1)
        if len(swaps) == 2:
            assert swaps[1] == swaps[0] + 1
        if not slots and not swaps:
            assert [one for one, _, _ in placed] == ranked[:10]
        counts[bool(slots), bool(swaps)] = counts.get((bool(slots), bool(swaps)), 0) + 1
    # slot 0.3 and swap 0.4 are drawn apart; 2,000 searches: sd below 23
    assert counts == {key: pytest.approx(2_000 * p, abs=100) for key, p in {(0, 0): 0.42, (0, 1): 0.28, (1, 0): 0.18, (1, 1): 0.12}.items()}


def test_later_pages_say_score():
    for number in range(300):
        assert {mode for _, mode, _ in page(union(30), number=2, search=f"s-{number}")} == {"score"}


def test_off_changes_nothing():
    ranked = union(30)
    for number in range(50):
        for which in (1, 2):
            placed = page(ranked, PlacementSpec(slot=0.0, swap=0.0), number=which, search=f"s-{number}")
            assert placed == [(one, "score", 1.0) for one in ranked[(which - 1) * 10 : which * 10]]


def test_same_search_same_page_other_salt_other_draws():
    ranked, spec = union(30), PlacementSpec(slot=0.5, swap=0.5)
    pages = [page(ranked, spec, search=f"s-{number}") for number in range(20)]
    assert pages == [page(ranked, spec, search=f"s-{number}") for number in range(20)]
    assert pages != [page(ranked, spec, search=f"s-{number}", salt="other") for number in range(20)]


def test_nothing_drawn_costs_microseconds():
    ranked, calls = union(200), []
    asked = request(search_id="s-1", size=10)
    spec = PlacementSpec(slot=1e-9, swap=1e-9)
    best = 1.0
    for _ in range(5):
        began = perf_counter()
        for _ in range(500):
            place(asked, ranked, spec=spec, salt="forage", uncertainty=calls.append)
        best = min(best, (perf_counter() - began) / 500)
    assert not calls
    assert best < 100e-6  # 9 us on a quiet machine
