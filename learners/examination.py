"""Where people look: the chance that a result is examined at each place, relative to the first, estimated from finals.

Position-based model: P(acted on) = theta_t * relevance. In a group of showings of equal mean relevance R, actions at place t have the
mean shown_t * theta_t * R; given how often the group was acted on at all, R drops out, and places are drawn with probability
shown_t theta_t / sum_s shown_s theta_s (conditional likelihood of the Poisson model with an effect for each group; Hausman, Hall and
Griliches 1984). EM (Wang et al. 2018) climbs to the same theta while estimating an R for every pair, which with a few showings a pair
is what goes wrong (Neyman and Scott 1948); here nothing but theta is estimated, by a few Newton steps.

Three sources, each a table of `learners.positions`, one log-curve lambda = log theta of 20 places:

    moved    places that were drawn at random, grouped by place in the ranking (swaps, and what a slot shifted)
    viewed   `viewed` actions, where an application sends them
    pairs    actions on one (query, entity) at different places of pages that an outside ranking made: the fallback

Combined by precision. The start is a prior N(log start, S0), S0 being SPREAD of its exponent and STEP of each step from place to place.
Each source s gives the maximum lambda_s of its likelihood times that prior, and there the information H_s and h_s = H_s lambda_s +
gradient. What no sample size cures is the covariance T_s of the source's own error: H_s (I + T_s H_s)^-1 is what it is worth.

    precision = S0^-1 + sum_s H_s (I + T_s H_s)^-1        log theta = precision^-1 (S0^-1 log start + sum_s (I + H_s T_s)^-1 h_s)

Then nonincreasing (pool adjacent violators, weighted by precision), at least FLOOR, theta_1 = 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from learners.definition import Definition
from learners.finals import Final
from learners.models import Fitted
from learners.positions import POSITIONS, Reals, Table, bases_of, moved_table, pairs_table, shown_of, viewed_table
from schemas.rows import POSITION_BINS

FLOOR = 0.01  # a place below is as good as unseen, and one view there must not count as nothing
COUNTS = ("searches", "moved", "moved_acted", "viewed_shown", "viewed", "pairs", "pairs_acted")
PRECISE = 1e-8  # of log theta, at which a maximum is found
DIGITS = 6  # of what is published: far below any error of it, far above what a library's order of summation changes


class Spread(NamedTuple):
    """Standard deviations of log theta: of the exponent (the error at place k is exponent * log k), and of each step on top of it."""

    exponent: float
    step: float

    @property
    def covariance(self) -> Reals:
        """Of log theta at places 2 .. POSITIONS."""
        log, steps = np.log(np.arange(2.0, POSITIONS + 1.0)), np.arange(1.0, POSITIONS)
        both: Reals = self.exponent**2 * np.outer(log, log) + self.step**2 * np.minimum.outer(steps, steps)
        return both


START = Spread(0.2, 0.1)  # k^-0.8 to k^-1.2 within one deviation; 0.1 to 0.3 of a step cost known curves little at any size
ERRORS = {"moved": Spread(0.0, 0.0), "viewed": Spread(0.05, 0.02), "pairs": Spread(0.2, 0.1)}


class Evidence(NamedTuple):
    """One source's information about log theta: precision (P - 1, P - 1) and precision times mean (P - 1,)."""

    precision: Reals
    vector: Reals


class Examination:
    """The examination curve of a set of finals; a model of `learners.models`.

    Arrays: `theta` (6,) by POSITION_BINS; `curve` and `se` (20,) by place (se 0 at place 1, which is 1 by definition); `counts` (7,) int32,
    COUNTS in order.
    """

    name = "examination"

    def fit(self, finals: Sequence[Final], definition: Definition, fitted: Fitted) -> Fitted:
        """Nothing without finals; with few of them near the start, which is the definition's `reading.theta`."""
        if not finals:
            return {}
        finals = sorted(finals, key=lambda one: one.final_id)
        tables = tables_of(finals)
        curve, se = curve_of(tables, start_of(definition.reading.theta))
        moved, viewed, pairs = tables["moved"], tables["viewed"], tables["pairs"]
        counts = [len(finals), *(x.sum() for x in (*moved, *viewed)), len(pairs.shown), pairs.acted.sum()]
        return {
            "theta": np.round(binned(curve), DIGITS),
            "curve": np.round(curve, DIGITS),
            "se": np.round(se, DIGITS),
            "counts": np.rint(counts).astype(np.int32),
        }


def tables_of(finals: Sequence[Final]) -> dict[str, Table]:
    """The three sources of a set of finals."""
    shown = shown_of(finals)
    bases = bases_of(shown)
    return {
        "moved": moved_table(shown, bases),
        "viewed": viewed_table(shown, finals),
        "pairs": pairs_table(shown, finals, bases),
    }


def start_of(theta: Sequence[float]) -> Reals:
    """A curve by place whose means over the bins are the given ones, 1/place within a bin; for the default theta it is 1/place."""
    curve = 1.0 / np.arange(1.0, POSITIONS + 1.0)
    for value, mean, (low, high) in zip(theta, binned(curve), POSITION_BINS, strict=True):
        curve[low - 1 : high] *= value / mean
    return np.minimum.accumulate(np.clip(curve / max(curve[0], FLOOR), FLOOR, 1.0))


def binned(curve: Reals) -> Reals:
    """The mean of a curve over each bin, shape (6,); from 11 on, its value at 15, as the start is read."""
    means = [curve[low - 1 : high].mean() for low, high in POSITION_BINS[:-1]]
    return np.array([*means, curve[14]])


def curve_of(tables: dict[str, Table], start: Reals) -> tuple[Reals, Reals]:
    """(curve, standard errors) by place, both (POSITIONS,), from the sources that are given."""
    log_start, precision = np.log(start)[1:], np.linalg.inv(START.covariance)
    vector = precision @ log_start
    for name in sorted(tables):
        told = _discounted(evidence_of(tables[name], log_start), ERRORS[name].covariance)
        precision, vector = precision + told.precision, vector + told.vector
    covariance = np.linalg.inv(precision)
    mean, variance = covariance @ vector, np.diagonal(covariance)
    curve = np.maximum(np.exp([0.0, *nonincreasing(np.minimum(mean, 0.0), 1.0 / variance)]), FLOOR)
    return curve, np.concatenate([[0.0], curve[1:] * np.sqrt(variance)])


def evidence_of(table: Table, log_start: Reals) -> Evidence:
    """What one source says, around the maximum of its likelihood times the prior. The likelihood is concave: Newton's way leads there."""
    prior = np.linalg.inv(START.covariance)
    at, here = log_start, _likelihood(table, log_start)
    for _ in range(50):
        step = np.linalg.solve(here.information + prior, here.gradient - prior @ (at - log_start))
        while True:  # half the step until it climbs
            there = at + step
            new = _likelihood(table, there)
            gain = new.value - here.value - 0.5 * (there + at - 2.0 * log_start) @ prior @ step
            if gain >= 0.0 or np.abs(step).max() < PRECISE:
                break
            step = step / 2.0
        at, here = there, new
        if np.abs(step).max() < PRECISE:
            break
    return Evidence(here.information, here.information @ at + here.gradient)


class _Likelihood(NamedTuple):
    """Log likelihood, its gradient (P - 1,) and information (P - 1, P - 1) in log theta of places 2 .. P."""

    value: float
    gradient: Reals
    information: Reals


def _likelihood(table: Table, log_theta: Reals) -> _Likelihood:
    theta = np.exp(np.concatenate([[0.0], log_theta]))
    actions, expected = table.acted.sum(axis=1), table.shown * theta
    total = expected.sum(axis=1)
    chance = expected / total[:, None]
    hits = table.acted.sum(axis=0)
    value = float(hits[1:] @ log_theta - actions @ np.log(total))
    weighted = chance * actions[:, None]
    information = np.diag(weighted.sum(axis=0)) - chance.T @ weighted
    return _Likelihood(value, (hits - weighted.sum(axis=0))[1:], information[1:, 1:])


def _discounted(told: Evidence, error: Reals) -> Evidence:
    """The same information with the source's own error in it: H (I + T H)^-1, and h alike; H need not have an inverse."""
    shrink = np.linalg.inv(np.eye(len(error)) + told.precision @ error)
    return Evidence(shrink @ told.precision, shrink @ told.vector)


def nonincreasing(values: Reals, weights: Reals) -> list[float]:
    """The nearest nonincreasing sequence in weighted squares: pool adjacent violators.

    >>> nonincreasing(np.array([0.0, -2.0, -1.0, -3.0]), np.array([1.0, 1.0, 3.0, 1.0]))
    [0.0, -1.25, -1.25, -3.0]
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, have, count = blocks.pop()
            block = ((mean * have + block[0] * block[1]) / (have + block[1]), have + block[1], count + block[2])
        blocks.append(block)
    return [value for value, _, count in blocks for _ in range(count)]
