"""The examination curve: known curves come back from simulated pages, sources weigh what they are worth, nothing depends on order."""

import gzip
import os
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import THETA, ReadingSpec
from learners.examination import (
    COUNTS,
    FLOOR,
    START,
    Evidence,
    Examination,
    Spread,
    _discounted,
    _likelihood,
    binned,
    curve_of,
    evidence_of,
    nonincreasing,
    start_of,
    tables_of,
)  # fmt: skip
from learners.positions import POSITIONS, Table, shown_of
from schemas.rows import POSITION_BINS
from tests.learners.page_views import BOTH, CURVES, OFF, PLACES, SWAPS, clicks_by_position, clicks_in_cascade, final_of, simulate
from tests.learners.requests import definition

ONE_OVER_K = start_of(THETA)
DEFINITION = definition()


def estimate(finals, *sources):
    tables = tables_of(finals)
    return curve_of({name: tables[name] for name in sources or tables}, ONE_OVER_K)


def errors(curve, truth):
    """(root mean square, largest) of log(estimate / truth) over places 2 .. 10."""
    off = np.log(curve[1 : len(truth)] / truth[1:])
    return float(np.sqrt((off**2).mean())), float(np.abs(off).max())


# Of these curves the flat one is the furthest from the start; how far an estimate leaves that depends on START.
FROM_FLAT = errors(ONE_OVER_K, CURVES["flat"](PLACES))[0]

# Known curves come back


@pytest.mark.parametrize(("name", "bound"), [("1/k", 0.3), ("k^-0.7", 0.3), ("exponential", 0.6), ("flat", 0.3 * FROM_FLAT)])
def test_curves_from_placement_while_the_ranking_learns(name, bound):
    truth = CURVES[name](PLACES)
    curve, se = estimate(simulate(clicks_by_position(truth), 6_000, ranker="ours"), "moved")
    assert errors(curve, truth)[0] < bound
    assert np.all(np.abs(curve[1:10] - truth[1:]) < 3.0 * se[1:10])
    if name in ("k^-0.7", "flat"):  # much nearer than the start was; the exponential crosses it
        assert errors(curve, truth)[0] < 0.5 * errors(ONE_OVER_K, truth)[0]


def test_swaps_alone_are_enough():
    truth = CURVES["k^-0.7"](PLACES)
    curve, se = estimate(simulate(clicks_by_position(truth), 6_000, spec=SWAPS, seed=2), "moved")
    assert errors(curve, truth)[0] < 0.35
    assert np.all(np.abs(curve[1:10] - truth[1:]) < 3.0 * se[1:10])


@pytest.mark.parametrize(("name", "bound"), [("1/k", 0.15), ("exponential", 0.3), ("flat", 0.6 * FROM_FLAT)])
def test_pairs_alone_where_rankings_vary(name, bound):
    truth = CURVES[name](PLACES)
    curve, _ = estimate(simulate(clicks_by_position(truth), 6_000, spec=OFF, noise=0.7), "pairs")
    assert errors(curve, truth)[0] < bound


def test_viewed_alone():
    for name in ("exponential", "flat"):
        truth = CURVES[name](PLACES)
        assert errors(estimate(simulate(clicks_by_position(truth), 2_000, spec=OFF, viewed=True), "viewed")[0], truth)[1] < 0.15


@pytest.mark.parametrize("patience", [0.9, 0.8])
def test_cascade_users_look_like_the_share_of_them_that_gets_there(patience):
    """People who stop at what they clicked break the model: what stands above changes who looks below. What comes out is still the mean
    share of people who reach a place, which is what counts of showings have to be read with."""
    finals = simulate(clicks_in_cascade(patience), 6_000, ranker="ours", viewed=True)
    shown = shown_of(finals)
    reached = np.bincount(shown.position - 1, weights=shown.viewed) / len(finals)
    moved, se = estimate(finals, "moved")
    assert np.all(np.abs(moved[1:10] - reached[1:]) < np.minimum(3.0 * se[1:10], 0.12))
    both, _ = estimate(finals)  # `viewed` says it outright
    assert np.all(np.abs(both[1:10] - reached[1:]) < 0.02)


def test_why_our_own_pages_teach_pairs_nothing():
    truth = CURVES["1/k"](PLACES)
    finals = simulate(clicks_by_position(truth), 4_000, spec=OFF, ranker="ours")
    assert estimate(finals)[0] == pytest.approx(ONE_OVER_K)
    curve, _ = estimate([replace(one, rank_version="") for one in finals])  # as if they were somebody else's
    assert curve[9] > 3 * truth[9]


def test_more_searches_smaller_errors():
    finals = simulate(clicks_by_position(CURVES["k^-0.7"](PLACES)), 4_000, spec=BOTH, ranker="ours")
    before, after = (estimate(finals[:n])[1] for n in (500, 4_000))
    assert np.all(after[1:10] < before[1:10])
    log_start = np.log(ONE_OVER_K)[1:]  # beside START, which is the same for both, eight times as much is known
    few, many = (np.diagonal(evidence_of(tables_of(finals[:n])["moved"], log_start).precision)[:9] for n in (500, 4_000))
    assert np.all(many > 5.0 * few)


@pytest.fixture(scope="module")
def yandex_pages():
    """Result pages with clicks of 20 queries; research data, beside the checkout or in $FORAGE_DATA."""
    place = Path(os.environ.get("FORAGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "yandex_clicks"
    if not place.is_dir():
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(f"{place} is not there: set FORAGE_DATA to the folder that holds yandex_clicks")
    text = gzip.decompress((place / "result_pages.txt.gz").read_bytes()).decode()
    finals = []
    for page in filter(str.strip, text.replace("\n", ";").split(";")):
        head, _, clicked = page.partition(":")
        query, urls = head.split()
        clicks = {url.strip() for url in clicked.split(",")}
        finals.append(final_of(len(finals), query, urls.split(","), acted=[url in clicks for url in urls.split(",")]))
    return finals


def test_real_pages_fall_from_the_first_place(yandex_pages):
    fitted = Examination().fit(yandex_pages, DEFINITION, {})
    assert len(yandex_pages) == 35_064
    counts = dict(zip(COUNTS, fitted["counts"].tolist(), strict=True))
    assert counts["pairs_acted"] > 30_000
    assert counts["moved"] == counts["viewed"] == 0
    curve, se = fitted["curve"], fitted["se"]
    assert np.all(np.diff(curve) <= 0.0)
    assert 0.5 < curve[1] < 0.85  # 0.67: clicks at place 2 are nearly those at place 1, of results that are nearly as good
    assert 0.1 < curve[9] < 0.35
    assert np.all(se[1:10] < 0.2)


# What it is made of


def test_start_is_the_definitions_theta():
    assert pytest.approx(1.0 / np.arange(1.0, POSITIONS + 1.0)) == ONE_OVER_K
    assert binned(ONE_OVER_K) == pytest.approx(THETA)
    mine = (1.0, 0.9, 0.8, 0.7, 0.3, 0.1)
    assert binned(start_of(mine))[:4] == pytest.approx(mine[:4], abs=0.05)
    assert start_of((0.8, 0.4, 0.0, 0.0, 0.0, 0.0)).tolist() == [1.0, 0.5] + [FLOOR] * 18
    assert np.all(start_of((0.0,) * 6) >= FLOOR)
    reading = definition(reading=ReadingSpec(theta=list(mine)))
    assert Examination().fit([final_of(0, "q", "ab", acted=[0, 0])], reading, {})["curve"] == pytest.approx(start_of(mine), abs=1e-6)


def test_nothing_to_say_without_finals_and_the_start_without_evidence():
    assert Examination().fit([], DEFINITION, {}) == {}
    fitted = Examination().fit([final_of(0, "q", "abc", acted=[1, 0, 0])], DEFINITION, {})
    assert {name: (one.dtype.name, one.shape) for name, one in fitted.items()} == {
        "theta": ("float64", (len(POSITION_BINS),)), "curve": ("float64", (POSITIONS,)), "se": ("float64", (POSITIONS,)),
        "counts": ("int32", (len(COUNTS),)),
    }  # fmt: skip
    assert fitted["theta"] == pytest.approx(THETA, abs=1e-6)
    assert fitted["counts"].tolist() == [1, 0, 0, 0, 0, 0, 0]
    # the prior's own spread: at place 10 sqrt((0.4 log 10)^2 + 0.2^2 * 9) in log theta
    assert fitted["se"][[0, 9]] == pytest.approx([0.0, 0.1 * np.sqrt((START.exponent * np.log(10.0)) ** 2 + START.step**2 * 9)], abs=1e-6)


def test_little_data_stays_at_the_start():
    finals = simulate(clicks_by_position(CURVES["flat"](PLACES)), 50, ranker="ours")
    curve, _ = estimate(finals)
    assert errors(curve, ONE_OVER_K[:10])[0] < 0.5 * errors(CURVES["flat"](PLACES), ONE_OVER_K[:10])[0]


def test_counts_say_where_it_came_from():
    finals = simulate(clicks_by_position(CURVES["1/k"](PLACES)), 300, ranker="ours", viewed=True)
    counts = dict(zip(COUNTS, Examination().fit(finals, DEFINITION, {})["counts"].tolist(), strict=True))
    assert counts["searches"] == 300
    assert counts["viewed_shown"] == 10 * sum(one.has_viewed for one in finals)
    assert 0 < counts["moved_acted"] < counts["moved"] <= 3_000
    assert counts["pairs"] == 0


rows = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 0, 0, 1, 2]), st.sampled_from([0.01, 0.5, 1.0])), max_size=12)
pages = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), rows, st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=50)
@given(pages=pages, data=st.data())
def test_any_finals_give_a_curve_and_their_order_changes_nothing(pages, data):
    finals = []
    for query, first, results, sends, ours in pages:
        acted, viewed, modes, p = ([one[at] for one in results] for at in range(4))
        names = [f"e{(at * 7 + len(finals)) % 13}" for at in range(len(results))]
        viewed = viewed if sends and any(viewed) else None
        version = "ours" if ours else ""
        finals.append(
            final_of(len(finals), f"q{query}", names, acted=acted, viewed=viewed, modes=modes, p=p, first=first, rank_version=version)
        )
    fitted = Examination().fit(finals, DEFINITION, {})
    again = Examination().fit(data.draw(st.permutations(finals)), DEFINITION, {})
    assert {name: one.tobytes() for name, one in fitted.items()} == {name: one.tobytes() for name, one in again.items()}
    if finals:
        for name in ("theta", "curve"):
            assert fitted[name][0] == 1.0
            assert np.all(np.diff(fitted[name]) <= 0.0)
            assert np.all(fitted[name] >= FLOOR)
        assert np.isfinite(fitted["se"]).all()


def some_table(rng, groups=40):
    shown = rng.integers(0, 30, (groups, POSITIONS)).astype(float)
    return Table(shown, np.floor(shown * rng.random((groups, 1)) * ONE_OVER_K**0.6) + (shown > 0))


def test_gradient_and_information_by_differences():
    table, at, small = some_table(np.random.default_rng(1)), np.log(ONE_OVER_K)[1:], 1e-5
    here = _likelihood(table, at)
    for axis in range(POSITIONS - 1):
        step = small * np.eye(POSITIONS - 1)[axis]
        up, down = _likelihood(table, at + step), _likelihood(table, at - step)
        assert (up.value - down.value) / (2 * small) == pytest.approx(here.gradient[axis], rel=1e-4, abs=1e-3)
        assert (down.gradient - up.gradient) / (2 * small) == pytest.approx(here.information[axis], rel=1e-4, abs=1e-3)


def test_the_maximum_is_the_one_that_em_climbs_to():
    """EM of the position-based model in its Poisson form: relevance given the curve, the curve given relevance, until nothing moves."""
    table = some_table(np.random.default_rng(2))
    theta = np.ones(POSITIONS)
    for _ in range(3_000):
        relevance = table.acted.sum(axis=1) / (table.shown @ theta)
        theta = table.acted.sum(axis=0) / (relevance @ table.shown)
        theta /= theta[0]
    told = evidence_of(Table(table.shown * 1e8, table.acted * 1e8), np.log(ONE_OVER_K)[1:])  # so much data that the prior says nothing
    assert np.exp(np.linalg.solve(told.precision, told.vector)) == pytest.approx(theta[1:], rel=1e-5)


def test_sources_weigh_by_their_precision():
    """One unknown: a source of precision 4 whose own error has variance 1/2 is worth 1 / (1/4 + 1/2); it keeps its mean of 3."""
    told = _discounted(Evidence(np.array([[4.0]]), np.array([12.0])), np.array([[0.5]]))
    assert (told.precision[0, 0], told.vector[0]) == pytest.approx((4 / 3, 4.0))
    two, three = np.log(2.0), np.log(3.0)
    first, second = [0.25 * two * two + 0.01, 0.25 * two * three + 0.01], [0.25 * two * three + 0.01, 0.25 * three * three + 0.02]
    assert Spread(0.5, 0.1).covariance[:2, :2] == pytest.approx(np.array([first, second]))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 10)), min_size=1, max_size=8))
def test_nonincreasing_is_the_nearest(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))

    def mean(low, high):
        return np.average(values[low : high + 1], weights=weights[low : high + 1])

    n = len(values)  # the min-max formula of isotonic regression
    expected = [min(max(mean(low, high) for high in range(at, n)) for low in range(at + 1)) for at in range(n)]
    assert nonincreasing(values, weights) == pytest.approx(expected)


def test_twenty_thousand_finals_take_no_time():
    some = simulate(clicks_by_position(CURVES["1/k"](PLACES)), 1_000, viewed=True)
    finals = [replace(one, final_id=f"{one.final_id}-{copy}") for copy in range(20) for one in some]
    began = process_time()
    Examination().fit(finals, DEFINITION, {})
    assert process_time() - began < 1.0  # 0.15 s on a quiet machine
