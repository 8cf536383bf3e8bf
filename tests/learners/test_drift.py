"""When an arm's evidence is cut off: on streams of known truth, and beside River's sequential detector."""

import numpy as np
import pytest
from river.drift import ADWIN

from learners.arrays import unpack
from learners.drift import since
from learners.features import ARM_FEATURES
from learners.fit import Accumulator, fit
from learners.policy import Policy
from learners.registry import manifest_of
from learners.tallies import TallyBatch, add, fold
from tests.learners.requests import ARMS, definition, request

FIRST = 9_600  # the first hour of day 400


def stream(rng, rates, searches):
    """Clicks, search by search: `searches` at each of the rates."""
    return np.concatenate([rng.random(searches) < rate for rate in rates]).astype(float)


def by_hour(clicks, per_hour=200, first=0):
    """(hours, n, y, yy) of clicks of which `first` searches fall before the first full hour."""
    edges = [0, *range(first or per_hour, len(clicks), per_hour)]
    y = np.add.reduceat(clicks, edges)
    return np.arange(FIRST, FIRST + len(edges)), np.diff([*edges, len(clicks)]).astype(float), y, y


def test_nothing_changed_nothing_is_cut():
    rng = np.random.default_rng(1)
    cut = [since(*by_hour(stream(rng, [rate], 4_000))) for rate in (0.0, 0.02, 0.1, 0.3, 0.9) for _ in range(100)]
    assert sum(one > 0 for one in cut) <= 5, "500 streams; delta 0.002 for each of 20 hours"
    assert since(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0)) == 0


@pytest.mark.parametrize(("before", "after"), [(0.3, 0.0), (0.1, 0.0), (0.0, 0.3), (0.3, 0.6), (0.5, 0.2)])
def test_a_change_between_two_hours_is_found_there(before, after):
    rng = np.random.default_rng(2)
    found = [since(*by_hour(stream(rng, [before, after], 1_000))) for _ in range(50)]
    # Nobody knows whether the hour after the likeliest cut holds both, so it is left out: that is hour 6 of FIRST + 5.
    assert sum(one in (FIRST + 5, FIRST + 6, FIRST + 7) for one in found) >= 46


def test_a_change_within_an_hour_leaves_that_hour_out():
    clicks = np.concatenate([np.tile([1.0, 0.0], 500), np.zeros(900)])
    for first in (20, 60, 100, 140, 180):
        hours, n, y, yy = by_hour(clicks, first=first)
        start = int(np.searchsorted(hours, since(hours, n, y, yy)))
        assert 900 - 400 <= n[start:].sum() <= 900
        assert y[start:].sum() == 0.0


def test_an_hour_is_judged_once_its_rewards_have_come():
    hours, n, y, _ = by_hour(np.tile([1.0, 0.0], 1_000))
    y[-1] = 0.0  # the newest hour: searches so far, and no click yet
    assert since(hours, n, y, y) == 0
    more = np.append(hours, hours[-1] + 1), np.append(n, 9.0), np.append(y, 0.0)
    assert since(*more, more[2]) == 0
    more[1][-1] = 11.0  # more than a twentieth of an hour came after it
    assert since(*more, more[2]) == hours[-1]


def test_good_then_useless_then_good_again_reads_the_last_part_only():
    rng = np.random.default_rng(3)
    hours, n, y, yy = by_hour(stream(rng, [0.4, 0.0, 0.4], 1_000))
    assert since(hours, n, y, yy) in (FIRST + 10, FIRST + 11)


def test_buckets_without_searches_are_passed_over():
    hours = np.arange(FIRST, FIRST + 4)
    assert since(hours, np.zeros(4), np.ones(4), np.ones(4)) == 0
    n, y = np.array([0.0, 500.0, 500.0, 500.0, 50.0]), np.array([1.0, 250.0, 0.0, 0.0, 0.0])
    assert since(np.arange(5), n, y, y) == 3


def test_it_sees_what_rivers_adwin_sees():
    """River's detector reads the same clicks one by one; half a day later both know of a large change, and of none where there is none."""
    rng = np.random.default_rng(4)
    for rates, drifted in (((0.3, 0.0), True), ((0.3, 0.3), False), ((0.05, 0.4), True), ((0.1, 0.1), False)):
        for _ in range(10):
            clicks, detector, seen = stream(rng, rates, 2_000), ADWIN(delta=0.002), False
            for click in clicks:
                detector.update(click)
                seen |= detector.drift_detected
            assert (since(*by_hour(clicks)) > 0) == drifted
            assert seen == drifted


def tallies(earned, hour_of):
    batch = TallyBatch()
    for number, credit in enumerate(earned):
        phi = ARM_FEATURES.phi(request(["halo", "halo 3"][number % 2]), record=0.5, known=0.0)
        batch.asked("dense", ARM_FEATURES.hash, hour_of(number), phi)
        batch.drawn("dense", "1", hour_of(number), 50)
        if credit:
            batch.credit("dense", ARM_FEATURES.hash, hour_of(number), phi, 0, 256)
            batch.draw("dense", "1", hour_of(number), 0, 2, 1)
    return batch.take()


def test_an_arm_that_turned_useless_is_read_from_then_on_and_dropped():
    made = fit(definition(), tallies([1, 0] * 500 + [0] * 600, lambda number: FIRST + number // 200), FIRST + 7)
    row = ARMS.index("dense")
    start = unpack(made.arrays["since"], what="since", dtype="<i4", shape=(len(ARMS),)).tolist()
    assert start == [FIRST + 6 if name == "dense" else 0 for name in ARMS]
    manifest = manifest_of(made, seq=1, publisher_epoch=0, created=0, applied={}, reason="refresh", pinned=False)
    assert manifest.since == {"dense": FIRST + 6}
    policy = Policy(made, seq=1)
    assert policy.posteriors.n[row] == 400.0
    assert policy.posteriors.mean[row].tolist() == [0.0] * len(ARM_FEATURES.names)
    assert policy.probabilities(request(), available=["dense"])["dense"] < 0.2
    assert policy.probabilities(request(), available=["memory"])["memory"] == 0.98


def test_a_change_reads_alike_from_hours_and_from_the_days_they_were_folded_into():
    late = FIRST + 24 * 6
    whole = tallies([1, 0] * 500 + [0] * 1_000, lambda number: FIRST + number // 20)  # day 400 to 404, the change after 50 hours
    add(whole, tallies([0] * 20, lambda number: late))
    expected = fit(definition(), whole, late)
    assert unpack(expected.arrays["since"], what="since")[ARMS.index("dense")] > 0
    for folded_at in range(FIRST, late + 1, 12):
        assert fit(definition(), fold(whole, folded_at), late).canonical() == expected.canonical()
    step_by_step = Accumulator(definition())
    for key in sorted(whole, key=lambda one: one[3]):
        step_by_step.add({key: whole[key]})
        step_by_step.content()
    assert step_by_step.content(late).canonical() == expected.canonical()
