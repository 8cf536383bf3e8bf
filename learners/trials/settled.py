"""A settled search as an experiment sees it: who answered, what stood where and by whose pick, and what was rewarded.

What it adds to the sums is a function of the search with everything that was amended to it; an amendment replaces that by what it is then.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from learners.rewards import REWARDS
from schemas.base import UNIT
from schemas.events import Action, Impression
from schemas.ids import position_bin, query_class, query_key
from schemas.outcomes import Outcome
from schemas.rows import POSITION_BINS

GROUPS = 64  # of people, by hash: what differs between groups says how sure a difference is, however often one person searches
COLUMNS = ("searches", "acted", "empty", "reward", "reward_a", "reward_b", "wins_a", "wins_b", "places_a", "places_b")
PLACES = 20
MOST = 16 * UNIT  # reward of one search that counts, as for credit
EDGES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)  # of predicted rates
FINE = 65_536  # predicted rates are added in units of 1/65536, so that sums are exact
TESTED = (len(EDGES) + 1, len(POSITION_BINS), 3)  # predicted bin, place, [shown, predicted, rewarded]

Ints = NDArray[np.int64]


class Cell(NamedTuple):
    """Where a search is added: `trial` and `arm` are "" outside experiments."""

    slot: int
    trial: str
    arm: str
    query_class: str


class Spot(NamedTuple):
    """A result where it first stood; `rate` is what was predicted of it, negative where its score is no rate."""

    place: int
    team: str
    rate: float


class Added(NamedTuple):
    """What one search adds: COLUMNS, shown and rewarded (PLACES, 2), and TESTED predictions as (bin, place bin, [1, rate, rewarded])."""

    columns: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    tested: tuple[tuple[int, int, int, int], ...]


@dataclass(slots=True)
class Settled:
    """One search. `group` is that of its person."""

    cell: Cell
    group: int
    pages: set[int] = field(default_factory=set)
    shown: dict[str, Spot] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, outcome: Outcome, slot: int) -> "Settled":
        """A final without amendments."""
        pages = sorted(outcome.pages, key=lambda page: page.page)
        first = pages[0]
        trial = first.decision.trial if first.decision else None
        kind = first.query.query_class or query_class(first.query.key or query_key(first.query.text, first.surface))
        cell = Cell(slot, intern(trial.name) if trial else "", trial.arm if trial else "", intern(kind))
        settled = cls(cell, crc32(outcome.client.encode("utf-8", "surrogatepass")) % GROUPS)
        events: list[Impression | Action] = [*pages, *outcome.actions]
        for one in events:
            settled.amend(one)
        return settled

    def amend(self, event: Impression | Action) -> None:
        """A page or an action of the search."""
        if isinstance(event, Action):
            if event.entity_id is not None:
                self.done.add((event.entity_id, event.kind))
            return
        self.pages.add(event.page)
        own = event.decision is not None and event.decision.own
        for one in event.results:
            rate = one.score if own and one.features and 0.0 <= one.score <= 1.0 else -1.0
            old = self.shown.get(one.entity_id)
            if old is None or one.position < old.place:
                self.shown[one.entity_id] = Spot(one.position, one.placement.team, rate)

    def added(self) -> Added:
        """What the search adds to the sums."""
        rewards: dict[str, int] = {}
        for entity, kind in self.done:
            if entity in self.shown:
                rewards[entity] = rewards.get(entity, 0) + REWARDS[kind]  # type: ignore[index]  # kinds of actions, as strings
        team = {name: sum(reward for entity, reward in rewards.items() if self.shown[entity].team == name) for name in "ab"}
        placed = {name: sum(spot.team == name for spot in self.shown.values()) for name in "ab"}
        a, b = min(MOST, team["a"]), min(MOST, team["b"])
        total = min(MOST, sum(rewards.values()))
        columns = (1, int(total > 0), int(not self.shown), total, a, b, int(a > b), int(b > a), placed["a"], placed["b"])
        return Added(columns, tuple(_places(self.shown.items(), rewards)), tuple(_tested(self.shown.items(), rewards)))


def _places(shown: Iterable[tuple[str, Spot]], rewards: dict[str, int]) -> Iterator[tuple[int, int]]:
    for entity, spot in shown:
        if spot.place <= PLACES:
            yield spot.place - 1, int(rewards.get(entity, 0) > 0)


def _tested(shown: Iterable[tuple[str, Spot]], rewards: dict[str, int]) -> Iterator[tuple[int, int, int, int]]:
    for entity, spot in shown:
        if spot.rate >= 0.0:
            yield bisect_right(EDGES, spot.rate), position_bin(spot.place), round(spot.rate * FINE), int(rewards.get(entity, 0) > 0)
