"""Differences between arms: worked by hand, right as often as they say, and found where there is one."""

from math import sqrt

import numpy as np
import pytest

from learners.trials.reading import HORIZON, LEAST, Lacking, at_all_looks, read, t_95
from learners.trials.settled import COLUMNS, GROUPS
from schemas.base import UNIT

RUNS = 600
AT = {name: index for index, name in enumerate(COLUMNS)}


def sums(**columns):
    """Sums of one arm from columns by group; the groups that are not given have no searches."""
    out = np.zeros((GROUPS, len(COLUMNS)), dtype=np.int64)
    for name, values in columns.items():
        out[: len(values), AT[name]] = values
    return out


def result(**arms):
    return read("t", arms, first=0, last=1)


def people(rng, count, *, lift=0.0):
    """Searches and searches with a choice of so many people. Some search a lot, and each has a rate of their own: searches of one person
    are alike."""
    searches = np.minimum(1 + rng.geometric(0.25, count) ** 2, 400)
    rate = np.clip(rng.beta(1.2, 2.0, count) + lift, 0.0, 1.0)
    return searches, rng.binomial(searches, rate)


def arm_of(rng, count, *, lift=0.0):
    searches, chosen = people(rng, count, lift=lift)
    group = rng.integers(0, GROUPS, count)
    of = sums()
    for name, values in (("searches", searches), ("acted", chosen), ("reward", chosen * UNIT)):
        of[:, AT[name]] = np.bincount(group, values, GROUPS).astype(np.int64)
    return of, (searches, chosen)


def shared_of(rng, count, *, lean=0.5):
    """A shared page: a search with a choice is won by a with probability `lean`, which differs between people."""
    searches, chosen = people(rng, count)
    side = rng.beta(20.0 * lean, 20.0 * (1.0 - lean), count)
    won = rng.binomial(chosen, side)
    group = rng.integers(0, GROUPS, count)
    of = sums()
    columns = {"searches": searches, "reward_a": won * UNIT, "reward_b": (chosen - won) * UNIT, "wins_a": won, "wins_b": chosen - won}
    for name, values in columns.items():
        of[:, AT[name]] = np.bincount(group, values, GROUPS).astype(np.int64)
    return of


def test_a_difference_by_hand():
    # 40 groups of 10 searches each; in a every second group chose 6 and the others 4, in b all 3
    a = sums(searches=[10] * 40, acted=[6, 4] * 20, reward=[6 * UNIT, 4 * UNIT] * 20)
    b = sums(searches=[10] * 40, acted=[3] * 40, reward=[6 * UNIT] * 40)
    found = result(a=a, b=b)
    assert (found.a.searches, found.a.acted, found.a.reward) == (400, 0.5, 0.5)
    assert (found.b.acted, found.b.reward) == (0.3, 0.6)
    # d_g = +-1 / 400, 40 of them
    error = sqrt(40 / 39 * 40 * (1 / 400) ** 2)
    assert found.acted.value == pytest.approx(0.2)
    assert found.acted.high - found.acted.value == pytest.approx(t_95(39) * error)
    assert found.difference.value == pytest.approx(-0.1)
    assert found.always.value - found.always.low == pytest.approx(at_all_looks(400) * error)
    assert found.better == "b"
    assert found.kind == "split"


def test_shared_pages_by_hand():
    both = sums(searches=[10] * 40, reward_a=[4 * UNIT] * 40, reward_b=[UNIT] * 40, wins_a=[4] * 40, wins_b=[1] * 40, places_a=[50] * 40)
    found = result(both=both)
    assert (found.kind, found.a.searches, found.b.searches, found.tied) == ("interleaved", 400, 400, 200)
    assert (found.a.acted, found.b.acted, found.a.reward, found.a.places) == (0.4, 0.1, 0.4, 5.0)
    assert found.acted.value == pytest.approx(0.3)
    assert found.better == "a", "every group says the same"


@pytest.mark.parametrize(
    ("arms", "lacking"),
    [
        ({"a": sums(searches=[10] * 64)}, Lacking("searches", 0, LEAST["searches"])),
        ({"both": sums(searches=[100, 99])}, Lacking("searches", 199, LEAST["searches"])),
        ({"both": sums(searches=[100] * 19)}, Lacking("people", 19, LEAST["people"])),
        ({"both": sums(searches=[100] * 64, wins_a=[20], wins_b=[9])}, Lacking("choices", 29, LEAST["choices"])),
        ({"a": sums(searches=[100] * 64, acted=[40]), "b": sums(searches=[100] * 64, acted=[29])}, Lacking("choices", 29, 30)),
    ],
)
def test_too_few_is_said_not_guessed(arms, lacking):
    found = result(**arms)
    assert found.lacking == lacking
    assert found.difference is found.acted is found.always is None
    assert found.better == ""


def within(misses, runs, rate):
    """Not more misses than a rate explains, at 4 standard deviations."""
    return misses / runs <= rate + 4.0 * sqrt(rate * (1.0 - rate) / runs)


def test_intervals_of_a_against_a_hold_zero_as_often_as_they_say():
    rng = np.random.default_rng(6)
    missed = {"split": 0, "interleaved": 0}
    naive = 0
    for _ in range(RUNS):
        (a, (n_a, y_a)), (b, (n_b, y_b)) = arm_of(rng, 600), arm_of(rng, 300)
        found = result(a=a, b=b)
        missed["split"] += not found.acted.low <= 0.0 <= found.acted.high
        p, q = y_a.sum() / n_a.sum(), y_b.sum() / n_b.sum()
        naive += abs(p - q) > 1.96 * sqrt(p * (1 - p) / n_a.sum() + q * (1 - q) / n_b.sum())
        shared = result(both=shared_of(rng, 300))
        missed["interleaved"] += not shared.difference.low <= 0.0 <= shared.difference.high
    assert all(within(count, RUNS, 0.05) for count in missed.values()), missed
    assert all(count / RUNS > 0.02 for count in missed.values()), f"too wide: {missed}"
    assert naive / RUNS > 0.3, "people who search a lot must matter here, else this shows nothing"


def test_who_looks_every_day_is_not_fooled_by_the_verdict():
    rng = np.random.default_rng(7)
    runs, fixed, ever = 200, 0, 0
    for _ in range(runs):
        total, crossed, decided = sums(), False, False
        for _ in range(25):
            total = total + shared_of(rng, 60)
            found = result(both=total)
            crossed |= found.difference is not None and not found.difference.low <= 0.0 <= found.difference.high
            decided |= found.better != ""
        fixed, ever = fixed + crossed, ever + decided
    assert within(ever, runs, 0.05)
    assert fixed / runs > 0.15, "the interval for one look is crossed by whoever looks 25 times"


def test_a_known_difference_is_found_and_its_interval_is_right():
    rng = np.random.default_rng(8)
    runs, found_it, covered = 200, 0, 0
    for _ in range(runs):
        a, b = arm_of(rng, 3_000)[0], arm_of(rng, 3_000)[0]
        b[:, AT["acted"]] -= b[:, AT["acted"]] // 8
        b[:, AT["reward"]] = b[:, AT["acted"]] * UNIT
        found = result(a=a, b=b)
        truth = 1.2 / 3.2 / 8  # mean rate, an eighth of it taken away
        covered += found.acted.low <= truth <= found.acted.high
        found_it += found.better == "a"
        assert found.better != "b"
    assert within(runs - covered, runs, 0.05)
    assert found_it / runs > 0.5


def test_the_look_that_costs_least_is_at_the_horizon():
    widths = {n: at_all_looks(n) for n in (HORIZON // 10, HORIZON, HORIZON * 10)}
    assert min(widths, key=widths.get) == HORIZON
    assert widths[HORIZON] / t_95(63) == pytest.approx(1.52, abs=0.02)


@pytest.mark.parametrize(("degrees", "value"), [(19, 2.0930), (30, 2.0423), (63, 1.9983), (1000, 1.9623)])
def test_student(degrees, value):
    assert t_95(degrees) == pytest.approx(value, abs=2e-4)
