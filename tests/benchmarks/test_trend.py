"""The soak's verdicts, by hand."""

import random

import pytest

from benchmarks.trend import trend

HOUR = [600.0 * at for at in range(7)]


def test_a_line_is_found_as_it_is():
    one = trend(HOUR, [100.0 + 0.01 * at for at in HOUR], share=0.1, least=1.0)
    assert (one.mean, one.slope, one.growth, one.bar) == pytest.approx((118.0, 36.0, 36.0, 11.8))
    assert one.error == pytest.approx(0.0, abs=1e-9)
    assert one.verdict == "growing"


def test_a_saw_is_flat_and_so_is_what_falls():
    saw = trend(HOUR, [100.0, 140.0, 100.0, 140.0, 100.0, 140.0, 100.0], share=0.1, least=0.0)
    assert (saw.slope, saw.verdict) == (pytest.approx(0.0), "flat")
    assert trend(HOUR, [200.0 - 10.0 * at for at in range(7)], share=0.1, least=0.0).flat


def test_growth_below_the_bar_is_flat_and_least_is_for_small_means():
    values = [1.0 + at / 36_000 for at in HOUR]
    assert not trend(HOUR, values, share=0.05, least=0.0).flat
    assert trend(HOUR, values, share=0.2, least=0.0).flat
    assert trend(HOUR, values, share=0.05, least=0.5).flat


def test_noise_alone_does_not_grow():
    rng = random.Random(7)
    times = [5.0 * at for at in range(360)]
    noise = [100.0 + rng.gauss(0.0, 30.0) for _ in times]
    assert trend(times, noise, share=0.0, least=0.0).flat
    assert not trend(times, [value + 0.1 * at for value, at in zip(noise, times, strict=True)], share=0.1, least=0.0).flat


def test_two_samples_are_no_trend():
    with pytest.raises(ValueError, match="three samples"):
        trend([0.0, 1.0], [1.0, 2.0], share=0.1, least=0.0)
