"""The rank model on finals of people whose rates are known, and against its description written out row by row."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from learners.definition import RankSpec
from learners.ranking import rank_model
from learners.ranking.features import RankFeatures
from learners.ranking.rank_model import RankModel, priors, start_of
from tests.learners.rank_finals import bin_of, final_of, random_rows, weights_written_out
from tests.learners.requests import definition

DEFINITION = definition("dense", "lexical", "memory", rank=RankSpec(b0=-3.8, a0=5.0))
LAYOUT = RankFeatures.of(DEFINITION)
THETA = {"examination.theta": np.array([0.9, 0.7, 0.5, 0.35, 0.2, 0.1])}
START = start_of(DEFINITION, LAYOUT)


def rates(rows, weights):
    return priors(np.asarray(rows, dtype=np.int64), weights, DEFINITION, LAYOUT)


def logit(rate):
    return np.log(rate / (1.0 - rate))


def fit(finals, fitted=THETA, *, made_of=DEFINITION, **more):
    return RankModel(**more).fit(finals, made_of, fitted).get("weights")


def simulated(n, *, seed=1, truth=None, theta=THETA["examination.theta"], queries=10**6):
    """Pages of ten in the order of the start, each with four more that were not shown."""
    rng = np.random.default_rng(seed)
    curve, out = np.array([theta[bin_of(at)] for at in range(1, 11)]), []
    for number in range(n):
        rows = random_rows(rng, 14, LAYOUT)
        rows = rows[np.argsort(-rates(rows, START), kind="stable")]
        rate = rates(rows, START if truth is None else truth)
        clicks = np.append(rng.random(10) < curve * rate[:10], np.zeros(4))
        positions, query = [*range(1, 11), 0, 0, 0, 0], int(rng.integers(queries))
        names = [f"e{at}" for at in range(14)]
        made = final_of(f"f{number}", f"q{query}", names, rows, version=LAYOUT.version, positions=positions, rewarded=clicks, time=number)
        out.append(made)
    return out


TRUTH = START.copy()
TRUTH[0] += 1.0
TRUTH[1] -= 3.0
for name, weight in (("lexical.score", 2.0), ("dense.found", -1.5), ("dense.rank", 1.5), ("trend_7", 1.0)):
    TRUTH[2 + LAYOUT.names.index(name)] = weight


@pytest.fixture(scope="module")
def finals():
    """Some of them logged no candidates, the newest of some queries among these."""
    whole = simulated(60, truth=TRUTH, queries=25)
    short = {"entities": slice(10), "positions": slice(10), "features": slice(10), "rewards": slice(10)}
    return [
        replace(one, **{name: getattr(one, name)[at] for name, at in short.items()} if number % 3 == 0 else {})
        for number, one in enumerate(whole)
    ]


@pytest.mark.parametrize("balanced", [True, False])
def test_it_is_the_description_written_out(finals, balanced):
    expected = weights_written_out(finals, DEFINITION, THETA["examination.theta"], balanced=balanced)
    assert np.abs(expected - START).max() > 0.02
    assert fit(finals, balanced=balanced) == pytest.approx(expected, abs=1e-6)


def test_it_finds_known_rates_under_position_bias():
    fitted, naive = (fit(simulated(2_500, truth=TRUTH, queries=100), theta) for theta in (THETA, {"examination.theta": np.ones(6)}))
    fresh = np.concatenate([random_rows(np.random.default_rng(seed), 10, LAYOUT) for seed in range(100)])
    true = rates(fresh, TRUTH)
    away = {name: np.abs(rates(fresh, at) - true).mean() for name, at in (("start", START), ("fitted", fitted), ("naive", naive))}
    assert away["fitted"] < 0.5 * away["start"], away
    assert away["fitted"] < 0.5 * away["naive"], away
    assert rates(fresh, fitted).mean() == pytest.approx(true.mean(), rel=0.1)
    assert rates(fresh, naive).mean() < 0.75 * true.mean(), "what nobody looked at was not disliked"


def test_it_is_a_function_of_the_set_to_the_last_byte(finals):
    shuffled, twice = Random(4).sample(finals, len(finals)), fit(finals).tobytes()
    assert fit(shuffled).tobytes() == fit(finals).tobytes() == twice
    same_time = [replace(one, time=7) for one in finals]
    assert fit(same_time[::-1]).tobytes() == fit(same_time).tobytes()


def test_what_is_of_another_layout_is_left_out(finals):
    odd = [
        replace(finals[0], final_id="x", rank_version="other"),
        replace(finals[1], final_id="y", features=np.zeros((14, 0), dtype=np.int16)),
        replace(finals[2], final_id="z", rank_version=""),
        final_of("empty", "q", [], np.zeros((0, 0)), version=LAYOUT.version),
    ]
    assert fit([*odd, *finals]).tobytes() == fit(finals).tobytes()
    assert RankModel().fit(odd, DEFINITION, THETA) == RankModel().fit([], DEFINITION, THETA) == {}
    other = definition("dense", "lexical", "fresh")
    assert RankModel().fit(finals, other, THETA) == {}


def test_the_estimated_examination_is_used_and_else_that_of_the_definition(finals):
    estimated = THETA["examination.theta"]
    reading = DEFINITION.reading.model_copy(update={"theta": estimated.tolist()})
    same = DEFINITION.model_copy(update={"reading": reading})
    assert fit(finals, {}, made_of=same).tobytes() == fit(finals).tobytes() == fit(finals, THETA, made_of=same).tobytes()
    assert np.abs(fit(finals, {}) - fit(finals)).max() > 1e-3


def test_only_the_newest_finals_count():
    row = random_rows(np.random.default_rng(1), 1, LAYOUT)
    made = [
        final_of(f"f{at}", f"q{at}", ["e"], row, version=LAYOUT.version, rewarded=[at < 200], time=at)
        for at in range(rank_model.FINALS + 200)
    ]
    assert fit(made).tobytes() == fit(made[200:]).tobytes()


def pages(n, first, *, query, found, clicked):
    """n finals of three results each that `found` (a strategy) found alone, the first of them clicked in a share of the finals."""
    row = np.zeros((3, len(LAYOUT.names)), dtype=np.int16)
    for column, value in (("found", 256), ("rank", 128), ("score", 128)):
        row[:, LAYOUT.names.index(f"{found}.{column}")] = value
    return [
        final_of(
            f"f{first + at}", query or f"q{first + at}", "abc", row, version=LAYOUT.version, rewarded=[at % 10 < 10 * clicked, 0, 0],
            time=first + at,
        )
        for at in range(n)
    ]  # fmt: skip


def test_a_head_query_does_not_own_the_model():
    """300 queries where dense finds what is wanted, and one query, searched 300 or 600 times, where it does not."""
    tail = pages(300, 0, query="", found="dense", clicked=0.9)
    once, double = (tail + pages(n, 1_000, query="head", found="dense", clicked=0.0) for n in (300, 600))
    row = tail[0].features[:1]

    def moved(balanced):
        before, after = (logit(rates(row, fit(some, balanced=balanced)))[0] for some in (once, double))
        return abs(after - before)

    assert moved(False) > 0.2
    assert moved(True) < 0.1 * moved(False)


def test_doubt_keeps_what_nobody_was_shown_where_the_start_has_it():
    """Lexical's candidates earn far more than the start says; dense's never came on a page. What is said of these must not follow."""
    shown = pages(400, 0, query="", found="lexical", clicked=1.0)
    unseen = pages(1, 0, query="", found="dense", clicked=0.0)[0].features
    whole = [
        replace(
            one, entities=(*one.entities, *"xyz"), positions=np.array([1, 2, 3, 0, 0, 0], dtype=np.int32),
            features=np.concatenate([one.features, unseen]), rewards=np.append(one.rewards, [0, 0, 0]),
        )
        for one in shown
    ]  # fmt: skip

    def drift(rows, weights):
        return abs(logit(rates(rows[:1], weights)) - logit(rates(rows[:1], START)))[0]

    held, free = fit(whole), fit(shown)
    assert drift(shown[0].features, held) > 0.5
    assert drift(unseen, held) < 0.5 * drift(unseen, free)
    assert drift(unseen, held) < 0.5 * drift(shown[0].features, held)


def test_a_strategy_that_was_not_asked_is_not_one_that_failed():
    """Only finals where both were asked, and where what dense missed was disliked. A candidate that dense was not asked for is judged by
    the rest: the hidden ones teach that."""
    rng, made = np.random.default_rng(5), []
    dense = [LAYOUT.names.index(f"dense.{column}") for column in ("missed", "found")]
    for number in range(1_500):
        rows = random_rows(rng, 4, LAYOUT)
        rows[:, :] = 0
        rows[:, LAYOUT.names.index("lexical.found")] = rows[:, LAYOUT.names.index("lexical.score")] = 256
        rows[[0, 1], dense[1]] = rows[[2, 3], dense[0]] = 256
        clicks = [rng.random() < 0.8, rng.random() < 0.8, 0, 0]
        made.append(final_of(f"f{number}", f"q{number}", "abcd", rows, version=LAYOUT.version, rewarded=clicks, time=number))
    weights = fit(made, {"examination.theta": np.ones(6)})
    found, missed, unasked = (rows := made[0].features)[0].copy(), rows[2].copy(), rows[0].copy()
    unasked[dense[1]] = 0
    at_found, at_missed, at_unasked = rates([found, missed, unasked], weights)
    assert at_missed < at_unasked - 0.2
    assert at_unasked < at_found - 0.1
    assert at_unasked == pytest.approx(0.4, abs=0.15), "as many were wanted of all that lexical found"


def test_what_only_hidden_strategies_found_says_nothing():
    """One final of one candidate, for ids by which its only strategy is hidden and for others: the start, or something learned."""
    row, seen = np.zeros((1, len(LAYOUT.names)), dtype=np.int16), set()
    row[0, LAYOUT.names.index("dense.found")] = 256
    for number in range(60):
        one = final_of(f"f{number}", "q", ["e"], row, version=LAYOUT.version, rewarded=[True])
        hidden = rank_model.uniform("sample", "dense", one.final_id, "hidden") < rank_model.HIDDEN
        assert (np.abs(fit([one]) - START).max() < 1e-9) == hidden
        seen.add(hidden)
    assert seen == {True, False}


def test_with_no_strategy_but_memory_there_is_nothing_to_weigh():
    alone = definition("memory")
    layout = RankFeatures.of(alone)
    one = final_of("f", "q", ["e"], np.full((1, len(layout.names)), 100), version=layout.version, rewarded=[True])
    assert RankModel().fit([one], alone, THETA)["weights"].tolist() == start_of(alone, layout).tolist()
