"""Reading of counts: decay, examination, the bound on click spam, and the back-off from a segment to all segments."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from memory_index.counts import DAYS_KEPT, SHOWN, WIDTH, sketch
from schemas import q2e as formula
from schemas.base import UNIT
from schemas.candidates import Evidence, Recent
from schemas.errors import InvalidSetting
from schemas.rows import POSITION_BINS, SKETCH

ACTS_PER_CLIENT = 3  # of one kind on one pair: what more a few people do is not read
NOTHING = Evidence(0.0, 0.0, 0)
Row = tuple[int, Sequence[int], Iterable[int]]  # day, 16 counts, clients


def _inverse_position() -> tuple[float, ...]:
    means = [sum(1 / at for at in range(low, high + 1)) / (high - low + 1) for low, high in POSITION_BINS[:-1]]
    return (*means, 1 / 15)


@dataclass(frozen=True)
class Reading:
    """How counts are read; never folded into them. Raises InvalidSetting.

    `theta`: chance that a result of each position bin is examined (default: the mean of 1/position over the bin, 1/15 from 11 on).
    `rewards`: of one action by ACTION_KINDS, 1.0 = a click, multiples of 1/256. `half_life_days`: an action counts half after it.
    `kappa`: weight of the prior, in examinations. `min_clients`: so many distinct people before a pair is served to others.
    """

    theta: tuple[float, ...] = _inverse_position()
    rewards: tuple[float, ...] = (0.0, 1.0, 1.0, 2.0, 4.0, 2.0, 0.5, 1.0, 0.0, 0.0)
    half_life_days: float = 30.0
    kappa: float = 2.0
    min_clients: int = 2

    def __post_init__(self) -> None:
        if len(self.theta) != SHOWN or not all(0.0 <= value <= 1.0 for value in self.theta):
            raise InvalidSetting(f"theta is {self.theta}: it needs {SHOWN} probabilities, one for each position bin")
        if len(self.rewards) != WIDTH - SHOWN or not all(0.0 <= value <= 16.0 for value in self.rewards):
            raise InvalidSetting(f"rewards are {self.rewards}: they need {WIDTH - SHOWN} numbers in 0..16, one for each action kind")
        if any(value * UNIT != int(value * UNIT) for value in self.rewards):
            raise InvalidSetting(f"rewards are {self.rewards}: sums must be exact; use multiples of 1/{UNIT}")
        for name, value in (("half_life_days", self.half_life_days), ("kappa", self.kappa)):
            if not (math.isfinite(value) and value > 0.0):
                raise InvalidSetting(f"{name} is {value}: it must be a finite number above 0")
        if not 0 <= self.min_clients <= SKETCH:
            raise InvalidSetting(f"min_clients is {self.min_clients}: at most {SKETCH} distinct clients are known; use 0..{SKETCH}")

    @cached_property
    def paid(self) -> tuple[tuple[int, int], ...]:
        """(index into the 16 counts, reward in units of 1/256) of the kinds that pay."""
        return tuple((SHOWN + kind, int(value * UNIT)) for kind, value in enumerate(self.rewards) if value > 0.0)


def weight(age_days: int, reading: Reading) -> float:
    """2^(-age / half-life), 0 past DAYS_KEPT: whether a store has folded such days changes nothing. A day newer than the newest known
    counts in full."""
    return 0.0 if age_days > DAYS_KEPT else float(2.0 ** (-max(age_days, 0) / reading.half_life_days))


def by_day(rows: Iterable[Row]) -> tuple[dict[int, Sequence[int]], frozenset[int]]:
    """Rows of one pair (any segments and sources) added up by day, newest day first, and the union of their clients."""
    days: dict[int, Sequence[int]] = {}
    clients: set[int] = set()
    for day, counts, who in rows:
        held = days.get(day)
        days[day] = counts if held is None else [one + two for one, two in zip(held, counts, strict=True)]
        clients.update(who)
    return {day: days[day] for day in sorted(days, reverse=True)} if len(days) > 1 else days, sketch(clients)


def rewards_by_day(days: Mapping[int, Sequence[int]], clients: int, reading: Reading) -> dict[int, int]:
    """Reward of each day in units of 1/256, days with none left out. `days` newest first, as `by_day` gives them.

    While fewer than 8 clients are known, at most 3 actions a client are read of each kind, the newest ones.
    """
    acted_on = [(day, counts) for day, counts in days.items() if any(counts[SHOWN:])]
    out: dict[int, int] = {}
    for index, unit in reading.paid if acted_on else ():
        room = ACTS_PER_CLIENT * clients if clients < SKETCH else -1
        for day, counts in acted_on:
            acted = counts[index]
            if room >= 0:
                acted = min(acted, room)
                room -= acted
            if acted:
                out[day] = out.get(day, 0) + unit * acted
    return out


def decayed(rewards: Mapping[int, int], newest_day: int, reading: Reading) -> float:
    """S in real units: rewards by day (1/256) weighted by age. The sum is rounded once: order changes nothing."""
    return math.fsum([weight(newest_day - day, reading) * reward for day, reward in rewards.items()]) / UNIT if rewards else 0.0


def recent(rewards: Mapping[int, int], newest_day: int) -> Recent:
    """Rewards by day (1/256) at half-lives of 2 and 7 days, in real units."""
    ages = [(max(newest_day - day, 0), reward / UNIT) for day, reward in rewards.items() if newest_day - day <= DAYS_KEPT]
    return Recent(*(math.fsum(2.0 ** (-age / half_life) * reward for age, reward in ages) for half_life in (2.0, 7.0)))


def evidence(rows: Iterable[Row], newest_day: int, reading: Reading) -> Evidence:
    """What the rows of one (query, entity) say, whatever their order and however they were split over sources.

    S = sum_day w_day sum_kind reward_kind * acted, V = sum_day w_day sum_bin theta_bin * shown, w = 2^(-age / half-life).
    `newest_day` is the newest day known anywhere, from which ages count.
    """
    days, clients = by_day(rows)
    reward = decayed(rewards_by_day(days, len(clients), reading), newest_day, reading)
    a, b, c, d, e, f = reading.theta
    shown = [(newest_day - day, a * n[0] + b * n[1] + c * n[2] + d * n[3] + e * n[4] + f * n[5]) for day, n in days.items()]
    examined = math.fsum([weight(age, reading) * seen for age, seen in shown if seen])
    return Evidence(reward, examined, len(clients))


def back_off(part: Evidence, whole: Evidence, kappa: float) -> Evidence:
    """The evidence of a segment and of all segments as one, so that for every prior

        q2e(prior, back_off(part, whole)) = q2e(q2e(prior, whole), part):

    the estimate over all segments is the prior of the segment's. From (k (k p + S) / (k + V) + s) / (k + v), multiplied out:
    S' = S + s (1 + V / k), V' = V + v (1 + V / k). `whole` holds `part`, so its clients are all there are.
    """
    share = 1.0 + whole.examined / kappa
    return Evidence(whole.reward + part.reward * share, whole.examined + part.examined * share, whole.clients)


def q2e(prior: float, evidence: Evidence, kappa: float) -> float:
    """Expected reward per examination (schemas.q2e), not clipped: above 1 where actions pay more than a click or came from off the page."""
    return formula.q2e(prior, evidence.reward, evidence.examined, kappa)
