"""Team draft: who can stand where with what chance, against every coin sequence and against coins that were thrown."""

from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.drafting import chances, draft

orders = st.permutations(list("abcdefgh")).flatmap(lambda names: st.integers(0, 8).map(lambda size: names[:size]))


def by_the_book(a: list[str], b: list[str], coins: list[bool]) -> list[tuple[str, str]]:
    """Rounds of Radlinski, Kurup and Joachims 2008, but for a first pick that both would make; then what is left of the longer order."""
    page: list[tuple[str, str]] = []
    flips = iter(coins)

    def left(order: list[str]) -> list[str]:
        return [one for one in order if one not in [entity for entity, _ in page]]

    while left(a) and left(b):
        if left(a)[0] == left(b)[0]:
            page.append((left(a)[0], ""))
        else:
            first, second = ((a, "a"), (b, "b")) if next(flips) else ((b, "b"), (a, "a"))
            page.append((left(first[0])[0], first[1]))
            page.append((left(second[0])[0], second[1]))
    return page + [(one, "") for one in left(a) + left(b)]


@given(orders, orders, st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_draft_goes_by_rounds(a: list[str], b: list[str], coins: list[bool]) -> None:
    thrown: list[int] = []

    def coin(place: int) -> bool:
        thrown.append(place)
        return coins[len(thrown) - 1]

    assert draft(a, b, coin=coin, most=100) == by_the_book(a, b, coins)


@settings(max_examples=25)
@given(orders, orders)
def test_chances_are_those_of_all_coin_sequences(a: list[str], b: list[str]) -> None:
    counts = [Counter[str]() for _ in range(16)]
    every = list(product((True, False), repeat=4))
    for coins in every:
        for place, (entity, _) in enumerate(by_the_book(a, b, list(coins))):
            counts[place][entity] += 1
    found = chances(a, b, most=100)
    assert [place.keys() for place in found] == [count.keys() for count in counts if count]
    for place, count in zip(found, counts, strict=False):
        assert place == pytest.approx({entity: n / len(every) for entity, n in count.items()})


@given(orders, orders, st.integers(0, 10))
def test_a_place_adds_up_to_1_and_pages_are_slices(a: list[str], b: list[str], most: int) -> None:
    whole = chances(a, b, most=100)
    assert len(whole) == len(set(a) | set(b))
    assert [sum(place.values()) for place in whole] == pytest.approx([1.0] * len(whole))
    assert chances(a, b, most=most) == whole[:most]
    assert draft(a, b, coin=lambda place: place % 4 == 0, most=most) == draft(a, b, coin=lambda place: place % 4 == 0, most=100)[:most]


def test_two_hundred_thousand_drafts_stand_where_the_chances_say() -> None:
    a, b, rng, drafts = list("abcdef"), list("cxaydb"), Random(5), 200_000
    counts = [Counter[str]() for _ in range(4)]
    for _ in range(drafts):
        for place, (entity, _) in enumerate(draft(a, b, coin=lambda place: rng.random() < 0.5, most=4)):
            counts[place][entity] += 1
    for count, chance in zip(counts, chances(a, b, most=4), strict=True):
        assert count.keys() == chance.keys()
        for entity, p in chance.items():
            assert abs(count[entity] / drafts - p) <= 4.5 * (p * (1.0 - p) / drafts) ** 0.5, (entity, p)


def test_equal_orders_are_shown_as_they_are_and_nobody_wins() -> None:
    names = [str(number) for number in range(10)]
    assert chances(names, names, most=10) == [{name: 1.0} for name in names]
    assert draft(names, names, coin=lambda place: True, most=10) == [(name, "") for name in names]


@settings(max_examples=25)
@given(orders, orders)
def test_teams_have_the_same_chance_at_every_place(a: list[str], b: list[str]) -> None:
    """So whoever clicks by place alone prefers neither."""
    won = Counter[tuple[int, str]]()
    for coins in product((True, False), repeat=4):
        won.update((place, team) for place, (_, team) in enumerate(by_the_book(a, b, list(coins))))
    assert [won[place, "a"] for place in range(16)] == [won[place, "b"] for place in range(16)]


def test_long_orders_are_no_work() -> None:
    a, b = [str(n) for n in range(300)], [str(n) for n in range(299, -1, -1)]
    whole = chances(a, b, most=300)
    assert [round(sum(place.values()), 9) for place in whole] == [1.0] * 300
