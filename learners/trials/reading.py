"""What the sums of an experiment say: each arm's figures, their difference, and how sure it is.

People are put into GROUPS by hash and sums are kept for each group, so searches of one person, which are alike, never pass for independent
ones. With y and n a group's sums, R = y / n over all groups and N the searches of an arm, the difference of two ratios varies as

    d_g = (y_ag - R_a n_ag) / N_a - (y_bg - R_b n_bg) / N_b        variance = G / (G - 1) * sum of d_g^2    over the G groups with searches

(the random-group, or cluster-robust, variance of a ratio; Cochran 1977), and 95 % lie within t with G - 1 degrees of freedom.

That interval is right for one look at a time that was fixed before. Who looks every day and stops when it leaves zero finds a difference
where there is none. `always` holds at all looks together (asymptotic confidence sequence, Waudby-Smith et al. 2021), and is what `better`
goes by:    variance^(1/2) * sqrt((1 + 1/m) * log((1 + m) / 0.05^2)),   m = 7.94 * N / HORIZON.
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Literal, NamedTuple

import numpy as np

from learners.trials.settled import COLUMNS, Ints
from schemas.base import UNIT

ERROR = 0.05
HORIZON = 5_000  # searches at which `always` is narrowest; 1.5 times the fixed interval there, 1.7 at a fifth or ten times of it
_TUNED = 7.94  # -2 log ERROR + log(1 - 2 log ERROR): what makes it narrowest there
LEAST = {"searches": 200, "people": 20, "choices": 30}  # of each arm; below, intervals of this kind are too narrow


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


class Lacking(NamedTuple):
    """What there is too little of for a verdict: the arm with less has `have` of `need`. People are counted up to 64."""

    what: Literal["searches", "people", "choices"]
    have: int
    need: int


@dataclass(frozen=True)
class Side:
    """One arm. `acted`: share of searches with a rewarded action; `reward` a search, a click being 1; `empty`: share of searches without
    a result. On a shared page `acted` is the share of searches that it won, `reward` what its own picks got, `places` its picks a search.
    """

    searches: int
    acted: float
    reward: float
    empty: float
    places: float


@dataclass(frozen=True)
class TrialResult:
    """An experiment so far. Differences are a minus b, of reward a search; `acted` of the shares; None while something is `lacking`.

    `difference` is for one look, `always` for any number of them; `better` goes by `always`. `tied`: searches of a shared page that
    preferred neither: nothing was chosen, or what both had put there.
    """

    trial: str
    kind: Literal["split", "interleaved"]
    first: int  # ms, beginning of the first hour
    last: int  # ms, end of the last hour
    a: Side
    b: Side
    tied: int
    difference: Estimate | None
    acted: Estimate | None
    always: Estimate | None
    better: Literal["", "a", "b"]
    lacking: Lacking | None


def read(trial: str, sums: dict[str, Ints], *, first: int, last: int) -> TrialResult:
    """The result of an experiment from its sums (GROUPS, COLUMNS) by arm: `both`, or `a` and `b`."""
    none = np.zeros_like(next(iter(sums.values())))
    shared = "both" in sums
    a, b = (sums["both"],) * 2 if shared else (sums.get("a", none), sums.get("b", none))
    names = (("reward_a", "reward_b"), ("wins_a", "wins_b")) if shared else (("reward", "reward"), ("acted", "acted"))
    lacking = _lacking((a,) if shared else (a, b), names[1])
    reward, acted, always = (None, None, None) if lacking else _differences(a, b, names)
    total = _totals(a)
    return TrialResult(
        trial=trial,
        kind="interleaved" if shared else "split",
        first=first,
        last=last,
        a=_side(a, reward=names[0][0], acted=names[1][0], places="places_a"),
        b=_side(b, reward=names[0][1], acted=names[1][1], places="places_b"),
        tied=total["searches"] - total["wins_a"] - total["wins_b"] if shared else 0,
        difference=reward,
        acted=acted,
        always=always,
        better="" if always is None or always.low <= 0.0 <= always.high else "a" if always.low > 0.0 else "b",
        lacking=lacking,
    )


def _differences(a: Ints, b: Ints, names: tuple[tuple[str, str], tuple[str, str]]) -> tuple[Estimate, Estimate, Estimate]:
    value, error, groups = _difference(a, b, names[0], unit=UNIT)
    share, share_error, _ = _difference(a, b, names[1], unit=1)
    wide = t_95(groups - 1)
    least = min(_totals(a)["searches"], _totals(b)["searches"])
    return _around(value, wide * error), _around(share, wide * share_error), _around(value, at_all_looks(least) * error)


def _difference(a: Ints, b: Ints, names: tuple[str, str], *, unit: int) -> tuple[float, float, int]:
    """(difference of the ratios to searches, its standard error, groups with searches)."""
    parts, value = [], 0.0
    for sums, name, sign in ((a, names[0], 1.0), (b, names[1], -1.0)):
        y, n = sums[:, COLUMNS.index(name)] / unit, sums[:, COLUMNS.index("searches")]
        ratio = y.sum() / n.sum()
        value += sign * float(ratio)
        parts.append(sign * (y - ratio * n) / n.sum())
    groups = int(((a[:, 0] + b[:, 0]) > 0).sum())
    return value, sqrt(groups / (groups - 1) * float(((parts[0] + parts[1]) ** 2).sum())), groups


def at_all_looks(searches: int) -> float:
    """Half width of `always` in standard errors."""
    m = _TUNED * searches / HORIZON
    return sqrt((1.0 + 1.0 / m) * log((1.0 + m) / ERROR**2))


def t_95(degrees: int) -> float:
    """97.5 % quantile of Student's t, by the expansion around the normal one (Abramowitz and Stegun 26.7.5); right to 0.001 from 8 on.

    >>> round(t_95(9), 2), round(t_95(63), 3)
    (2.26, 1.998)
    """
    z = 1.959963985
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + terms[0] / degrees + terms[1] / degrees**2 + terms[2] / degrees**3


def _around(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def _lacking(arms: tuple[Ints, ...], choices: tuple[str, str]) -> Lacking | None:
    """The first thing that an arm has too little of. On a shared page both teams' choices count together."""
    wanted: tuple[Literal["searches", "people", "choices"], ...] = ("searches", "people", "choices")
    for what in wanted:
        have = min(_have(sums, what, choices) for sums in arms)
        if have < LEAST[what]:
            return Lacking(what, have, LEAST[what])
    return None


def _have(sums: Ints, what: str, choices: tuple[str, str]) -> int:
    if what == "people":
        return int((sums[:, 0] > 0).sum())
    names = {"searches"} if what == "searches" else set(choices)
    return int(sum(sums[:, COLUMNS.index(name)].sum() for name in names))


def _totals(sums: Ints) -> dict[str, int]:
    return dict(zip(COLUMNS, sums.sum(axis=0).tolist(), strict=True))


def _side(sums: Ints, *, reward: str, acted: str, places: str) -> Side:
    total = _totals(sums)
    n = max(1, total["searches"])
    return Side(total["searches"], total[acted] / n, total[reward] / UNIT / n, total["empty"] / n, total[places] / n)
