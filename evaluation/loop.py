"""Progressive replay of a click log through the whole system: each search is answered with what was known at its time, judged on
what its user then clicked, and only then learned from.

A page is computed at the time of its search, on all events before it; its clicks act each at their own time. Clicks are judged on the
page of their search, so no click of a page helps to judge another click of it.

Protocols. `full`: every click of the log is revealed to the system, also of entities that its page did not show; one run serves all
contenders but further policies, which are judged on the same state. `bandit`: a click is revealed only if its entity was on the page of
10 that we showed; each contender whose lists depend on feedback has a run of its own, whose system shows that contender's pages.

The system is anything with the methods of `System`; `ops` builds it from the parts that serve.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from evaluation.click_log import POSITIVE, Act, Search, timeline
from evaluation.contenders import Contender
from evaluation.metrics import Floats, hit, reciprocal_rank
from schemas.candidates import Candidate, Request
from schemas.errors import InvalidSetting
from schemas.events import Action
from schemas.ids import digest, query_class, query_key

PAGE = 10
ProtocolName = Literal["full", "bandit"]
Progress = Callable[[str, int, int], None]  # name of the run, searches done, searches in all
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Served:
    """What a system answered: entity ids in the whole order (page 1, as it was shown, is the first ten), and the strategies that it asked.
    `seconds` were spent on its lists before: they belong to its time."""

    ranked: Sequence[str]
    asked: Sequence[str]
    seconds: float = 0.0


class System(Protocol):
    """A whole search engine that learns. Nothing is learned outside `step`."""

    def retrieve(self, strategy: str, request: Request) -> Sequence[Candidate]:
        """The list of one strategy at the fixed depth of evaluation, beside the search path: nothing is logged or learned."""

    def search(self, request: Request) -> Served:
        """Answer, and emit the impression of what was shown."""

    def act(self, action: Action) -> None:
        """Emit an action."""

    def step(self) -> None:
        """Apply everything that was emitted so far, fit and publish."""


Systems = Callable[[Contender], AbstractContextManager[System]]  # a fresh system that serves the pages of that contender


@dataclass(frozen=True)
class Judged:
    """One contender, per search (n,): clicked entities found in the first ten, their summed 1 / rank, milliseconds, strategies asked."""

    hits: Floats
    reciprocal: Floats
    ms: Floats
    asked: list[Sequence[str]]

    @classmethod
    def empty(cls, searches: int) -> "Judged":
        return cls(np.zeros(searches), np.zeros(searches), np.zeros(searches), [()] * searches)

    def note(self, index: int, ranked: Sequence[str], wanted: Sequence[str], *, seconds: float, asked: Sequence[str]) -> None:
        self.hits[index] = sum(hit(ranked, {entity: 1.0}, k=PAGE) for entity in wanted)
        self.reciprocal[index] = sum(reciprocal_rank(ranked, {entity: 1.0}, k=PAGE) for entity in wanted)
        self.ms[index], self.asked[index] = seconds * 1_000, tuple(asked)


@dataclass(frozen=True)
class Replayed:
    """A finished replay. Per search: how many clicked entities were judged, and whether its query was clicked before (in the log)."""

    protocol: ProtocolName
    clicks: Floats
    seen: Floats
    judged: dict[str, Judged]


def replay(
    log: Sequence[Search],
    field: Sequence[Contender],
    *,
    systems: Systems,
    protocol: ProtocolName,
    progress: Progress = lambda run, done, total: None,
    clock: Clock = time.perf_counter,
) -> Replayed:
    """Replay `log` (in order of time, from `click_log.searches`) for every contender of `field`. Same input, same figures, but for ms."""
    if not log or not field:
        raise InvalidSetting(f"{len(log)} searches and {len(field)} contenders: both must be at least 1; check the log and the choice")
    judged = {contender.name: Judged.empty(len(log)) for contender in field}
    for host, guests in runs(field, protocol):
        with systems(host) as system:
            _Run(log, system, host, guests, judged, clock).go(reveal_all=protocol == "full", progress=progress)
    clicks = np.array([len(search.wanted) for search in log], dtype=np.float64)
    return Replayed(protocol, clicks, _seen(log), judged)


def runs(field: Sequence[Contender], protocol: ProtocolName) -> list[tuple[Contender, list[Contender]]]:
    """(host, guests) of each run: the system shows the host's pages, the guests are judged on the same state."""
    alone = [one for one in field if (one.order is None if protocol == "full" else one.needs_own_run)]
    shared = [one for one in field if one not in alone]
    if not alone:
        return [(shared[0], shared[1:])] if shared else []
    return [(one, shared if one is alone[0] else []) for one in alone]


def request_of(search: Search) -> Request:
    """The first page of a search."""
    key = query_key(search.query)
    return Request(search.search_id, search.ts, search.query, key, query_class(key), size=PAGE, client_id=search.client_id)


def action_of(search: Search, act: Act, shown: Sequence[str]) -> Action:
    """The action of a search, with its position where the page showed its entity."""
    return Action(
        action_id=digest("action", search.search_id, act.ts, act.entity_id, act.kind),
        search_id=search.search_id,
        ts=act.ts,
        kind=act.kind,
        entity_id=act.entity_id,
        position=shown.index(act.entity_id) + 1 if act.entity_id in shown else None,
        attributes={} if act.value is None else {"value": act.value},
    )


def _seen(log: Sequence[Search]) -> Floats:
    """1 where the query had a positive action before the search, in the log: the same stratum for every contender and protocol."""
    clicked: set[str] = set()
    seen = np.zeros(len(log))
    for index, act in timeline(log):
        if act is None:
            seen[index] = query_key(log[index].query) in clicked
        elif act.kind in POSITIVE:
            clicked.add(query_key(log[index].query))
    return seen


@dataclass(frozen=True)
class _Run:
    """One pass over the log with one system."""

    log: Sequence[Search]
    system: System
    host: Contender
    guests: Sequence[Contender]
    judged: dict[str, Judged]
    clock: Clock

    def go(self, *, reveal_all: bool, progress: Progress) -> None:
        shown: dict[int, Sequence[str]] = {}
        left = [len(search.acts) for search in self.log]
        done = 0
        for index, act in timeline(self.log):
            search = self.log[index]
            if act is None:
                self.system.step()  # everything before this page; by the law of the system, stepping oftener changes nothing
                shown[index] = self._answer(index, search)
                done += 1
                progress(self.host.name, done, len(self.log))
                continue
            if reveal_all or act.entity_id in shown[index]:
                self.system.act(action_of(search, act, shown[index]))
            left[index] -= 1
            if not left[index]:
                del shown[index]
        self.system.step()

    def _answer(self, index: int, search: Search) -> Sequence[str]:
        """Let the system answer, then judge the guests on the same state; the page that the system showed."""
        request, wanted = request_of(search), search.wanted
        before = self.clock()
        served = self.system.search(request)
        seconds = self.clock() - before
        self.judged[self.host.name].note(index, served.ranked, wanted, seconds=seconds, asked=served.asked)
        self._judge_guests(index, request, wanted)  # after it, so that the system under test pays for cold caches
        return list(served.ranked[:PAGE])

    def _judge_guests(self, index: int, request: Request, wanted: Sequence[str]) -> None:
        lists: dict[str, Sequence[Candidate]] = {}
        took: dict[str, float] = {}
        for strategy in sorted({name for guest in self.guests for name in guest.asks}):
            before = self.clock()
            lists[strategy] = self.system.retrieve(strategy, request)
            took[strategy] = self.clock() - before
        for guest in self.guests:
            before = self.clock()
            ranked = guest.order({name: lists[name] for name in guest.asks}) if guest.order else []
            seconds = self.clock() - before + sum(took[name] for name in guest.asks)
            self.judged[guest.name].note(index, ranked, wanted, seconds=seconds, asked=guest.asks)
