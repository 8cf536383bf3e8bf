"""How simulated people click: rates worked by hand, and frequencies against them."""

from random import Random

import pytest

from evaluation.people.click_models import Cascade, attraction, click_rate, position_based
from schemas.errors import InvalidSetting


class Said:
    """Draws that are given beforehand."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def random(self):
        return self.draws.pop(0)


def test_attraction_of_the_four_grades_and_between():
    assert [attraction(gain) for gain in (1.0, 0.1, 0.01, 0.0)] == [0.6, 0.2, 0.08, 0.03]
    assert attraction(0.55) == pytest.approx(0.4)  # halfway from 0.1 to 1
    assert attraction(0.055) == pytest.approx(0.14)
    assert attraction(0.005) == pytest.approx(0.055)


def test_a_position_is_looked_at_by_its_place_alone():
    assert click_rate(1, 1.0) == 0.6
    assert click_rate(10, 1.0) == pytest.approx(0.6 * 10**-0.7)
    assert position_based([1.0, 0.0, 1.0], Said(0.59, 0.02, 0.277)) == [1, 3]  # 0.03 * 2^-0.7 = 0.018, 0.6 * 3^-0.7 = 0.278
    assert position_based([1.0, 0.0, 1.0], Said(0.6, 0.018, 0.279)) == [2]


def test_the_same_draws_whatever_is_shown():
    one, two = Random("a"), Random("a")
    position_based([1.0] * 10, one)
    position_based([0.0] * 10, two)
    assert one.random() == two.random()
    model = Cascade(3)
    model([1.0] * 10, one)
    model([0.0] * 10, two)
    assert one.random() == two.random()


def test_cascade_stops_at_its_first_click_or_at_its_patience():
    page = [0.0, 1.0, 1.0, 1.0]
    draws = [0.5, 0.5] * 4
    assert Cascade(4)(page, Said(*draws)) == [2]
    assert Cascade(1)(page, Said(*draws)) == []
    assert Cascade(4, satisfied=0.4)(page, Said(*draws)) == [2, 3, 4]
    assert Cascade(3, satisfied=0.4)(page, Said(*draws)) == [2, 3]


def test_cascade_examination_matches_how_often_positions_are_reached():
    """An independent count: position k is reached iff the model, given a page whose k-th result is clicked for sure, clicks it."""
    model, page, rng = Cascade(3, satisfied=0.7), [0.1, 1.0, 0.0, 1.0], Random("reach")
    expected = model.examined(page)
    assert expected[0] == 1.0
    assert expected[1] == pytest.approx(1 - 0.2 * 0.7)
    assert expected[2] == pytest.approx((1 - 0.14) * (1 - 0.42))
    assert expected[3] == 0.0
    clicked = [model(page, rng) for _ in range(20_000)]
    for at, gain in enumerate(page, 1):
        assert sum(at in some for some in clicked) / 20_000 == pytest.approx(expected[at - 1] * attraction(gain), abs=0.011)


def test_position_based_frequencies():
    rng = Random("pbm")
    clicked = [position_based([0.1, 1.0, 0.01], rng) for _ in range(20_000)]
    for at, gain in enumerate([0.1, 1.0, 0.01], 1):
        assert sum(at in some for some in clicked) / 20_000 == pytest.approx(click_rate(at, gain), abs=0.011)


def test_wrong_settings_are_refused():
    for patience, satisfied in ((0, 1.0), (3, 1.5)):
        with pytest.raises(InvalidSetting, match="cascade with patience"):
            Cascade(patience, satisfied)
