"""What each strategy is worth, as reported, not as learned: what it found, what it alone found, and its fair share of all that was
rewarded; and what strategies that were asked in the shadow would have added.

The Shapley value of "a page is worth the rewards of all that was found" is: m strategies that found an entity share its reward
evenly (Shapley 1953; it is additive over entities). A fair share credits redundant strategies alike, so asking by it keeps them all:
selection learns from what one alone found instead (learners.credit).

Only what an impression logs counts as found: the page and the first 50 of the union. So shadow finds that an asked strategy found deeper
look new; overlap is a lower bound.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from learners.rewards import REWARDS
from schemas.base import UNIT
from schemas.events import Action, CandidateSample, Impression, Result
from schemas.outcomes import Outcome

WINDOW = 30 * 60_000  # ms in which an action still counts, as in the kernel


@dataclass(frozen=True)
class Share:
    """One strategy. Entities count once a search; `reward` and `fair` are in rewards of one click. `overlap`: the share of its finds
    that each other strategy had found too."""

    name: str
    asked: int = 0
    found: int = 0
    rewarded: int = 0
    sole: int = 0
    reward: float = 0.0
    fair: float = 0.0
    overlap: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ShadowShare:
    """One strategy that was asked in the shadow: `known` of what it found had been found by an asked one; `only` counts the rewarded
    entities that it alone had found, of `rewarded` that it found."""

    name: str
    asked: int = 0
    found: int = 0
    known: int = 0
    rewarded: int = 0
    only: int = 0


@dataclass(frozen=True)
class FairShares:
    """Of so many searches with a decision, and their `reward` in all (found or not): strategies and shadow strategies by name."""

    searches: int
    reward: float
    strategies: tuple[Share, ...]
    shadow: tuple[ShadowShare, ...]


@dataclass(slots=True)
class _Open:
    """A search whose actions may still come."""

    time: int
    found: dict[str, frozenset[str]]  # entity -> asked strategies
    shadow: dict[str, frozenset[str]]  # shadow strategy -> entities
    done: set[tuple[str, str]] = field(default_factory=set)
    rewarded: set[str] = field(default_factory=set)


class Account:
    """Takes impressions and actions in order of time; keeps searches open for half an hour, sums for ever.

    `take` has the signature of what an embedded loop records with, so `record=account.take` is all it needs.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._searches, self._reward = 0, 0
        self._asked, self._found, self._both = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        self._rewarded, self._sole = Counter[str](), Counter[str]()
        self._by_finders: Counter[tuple[str, int]] = Counter()  # (strategy, m) -> reward found with m - 1 others, in units of 1/256
        self._heard, self._heard_found, self._heard_known = Counter[str](), Counter[str](), Counter[str]()
        self._heard_rewarded, self._heard_only = Counter[str](), Counter[str]()

    def take(self, event: Impression | Action, time: int) -> None:
        """One event at log time `time` (ms)."""
        if isinstance(event, Impression):
            self._page(event, time)
        elif event.entity_id is not None and (search := self._open.get(event.search_id)) is not None:
            done = (event.entity_id, event.kind)
            if time - search.time <= WINDOW and done not in search.done:
                search.done.add(done)
                self._paid(search, event.entity_id, REWARDS[event.kind])

    def report(self) -> FairShares:
        """Sums so far."""
        names = sorted(self._asked)
        strategies = [
            Share(
                name,
                asked=self._asked[name],
                found=self._found[name],
                rewarded=self._rewarded[name],
                sole=self._sole[name],
                reward=sum(reward for (one, _), reward in self._by_finders.items() if one == name) / UNIT,
                fair=sum(reward / m for (one, m), reward in sorted(self._by_finders.items()) if one == name) / UNIT,
                overlap={other: self._both[name, other] / max(1, self._found[name]) for other in names if other != name},
            )
            for name in names
        ]
        heard = [
            ShadowShare(
                name,
                asked=self._heard[name],
                found=self._heard_found[name],
                known=self._heard_known[name],
                rewarded=self._heard_rewarded[name],
                only=self._heard_only[name],
            )
            for name in sorted(self._heard)
        ]
        return FairShares(self._searches, self._reward / UNIT, tuple(strategies), tuple(heard))

    def _page(self, page: Impression, time: int) -> None:
        while self._open and time - (oldest := next(iter(self._open.items())))[1].time > WINDOW:
            del self._open[oldest[0]]
        if (by := page.decision) is None:
            return
        asked = by.asked()
        if first := page.search_id not in self._open:
            self._searches += 1
            self._asked.update(asked)
            self._open[page.search_id] = _Open(time, {}, {one.name: frozenset(one.found) for one in by.shadow})
        search = self._open[page.search_id]
        logged: list[Result | CandidateSample] = [*page.results, *page.candidates]
        for result in logged:
            by_whom = frozenset(source.strategy for source in result.sources) & asked
            self._more(search, result.entity_id, by_whom - search.found.get(result.entity_id, frozenset()))
        if first and page.candidates:  # without them it is not known what else was found
            for name, entities in search.shadow.items():
                self._heard[name] += 1
                self._heard_found[name] += len(entities)
                self._heard_known[name] += sum(bool(search.found.get(entity)) for entity in entities)
        elif first:
            search.shadow = {}

    def _more(self, search: _Open, entity: str, finders: frozenset[str]) -> None:
        """Strategies that found an entity and were not known to."""
        before = search.found.get(entity, frozenset())
        search.found[entity] = before | finders
        self._found.update(finders)
        for one in finders:
            for other in (before | finders) - {one}:
                self._both[one, other] += 1
                if other in before:
                    self._both[other, one] += 1

    def _paid(self, search: _Open, entity: str, reward: int) -> None:
        if not reward:
            return
        finders = search.found.get(entity, frozenset())
        self._reward += reward
        self._by_finders.update({(name, len(finders)): reward for name in finders})
        if entity in search.rewarded:
            return
        search.rewarded.add(entity)
        self._rewarded.update(finders)
        self._sole.update(finders if len(finders) == 1 else ())
        heard = [name for name, entities in search.shadow.items() if entity in entities]
        self._heard_rewarded.update(heard)
        self._heard_only.update([] if finders else heard)


def fair_shares(outcomes: Iterable[Outcome]) -> FairShares:
    """The report of finals, in any order."""
    account = Account()
    for outcome in sorted(outcomes, key=lambda one: (one.time, one.final_id)):
        for page in sorted(outcome.pages, key=lambda one: one.page):
            account.take(page, outcome.time)
        for action in outcome.actions:
            account.take(action, outcome.time)
    return account.report()
