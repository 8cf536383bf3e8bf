"""Decide and rank for an engine of one's own: it asks the strategies itself, we say which, and order what they found."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from retrievers.base import ordered
from schemas.base import Id, Message, Name, Score
from schemas.candidates import Candidate, Request
from schemas.decisions import Decision, Status
from schemas.errors import InvalidMessage
from schemas.events import Impression, Placement
from serving.backend import Lacking
from serving.kept import Search
from serving.pipeline import Pipeline
from serving.record import Run, with_runs
from serving.recording import record
from serving.searching import Asked, Found, found
from serving.site import Site
from serving.view import MAX_RETRIEVERS

MAX_LIST = 1_000  # candidates of one strategy
MAX_UNION = 5_000  # of all: some 0.3 s of a core


class DecideRequest(Asked):
    """A search that an engine of one's own is about to do. `search_id`: its own id for it; one is made up without. `available`: the
    strategies that it can ask now, by the policy's names; left out, those of this server."""

    search_id: Id | None = None
    available: Annotated[list[Name], Field(max_length=MAX_RETRIEVERS)] | None = None
    explore: bool = True


class DecideAnswer(Message):
    """Which strategies to ask, and how deep: those with `asked` and all under `always`. Send the decision back unchanged to /rank, or log
    it in the impression."""

    search_id: Id
    decision: Decision
    degraded: list[Lacking]


class Listed(Message):
    """One candidate of a strategy's list, with the strategy's own score."""

    entity_id: Id
    score: Score


class AskedRun(Message):
    """How asking one strategy went."""

    ms: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    status: Status = "ok"


class RankRequest(Asked):
    """What the asked strategies found. `lists` by strategy, best first; one that is missing is logged as failed, unless `runs` says what
    became of it. `record`: take the impression as shown; this needs the scope events."""

    search_id: Id
    decision: Decision
    lists: Annotated[dict[Name, Annotated[list[Listed], Field(max_length=MAX_LIST)]], Field(max_length=MAX_RETRIEVERS)]
    runs: Annotated[dict[Name, AskedRun], Field(max_length=MAX_RETRIEVERS)] = {}
    explore: bool = True
    record: bool = False

    @model_validator(mode="after")
    def _lists_are_of_asked_strategies(self) -> Self:
        asked = self.decision.asked()
        if unknown := sorted((self.lists.keys() | self.runs.keys()) - asked):
            raise ValueError(f"lists and runs: {', '.join(unknown)[:100]} was not asked; send those of the asked strategies only")
        if (count := sum(map(len, self.lists.values()))) > MAX_UNION:
            raise ValueError(f"lists: hold {count} candidates, at most {MAX_UNION} are ranked at once; send the best of each")
        for name, listed in self.lists.items():
            if len({one.entity_id for one in listed}) != len(listed):
                raise ValueError(f"lists.{name}: holds an entity twice; send each once")
        return self


class Ranked(Found):
    """A result with how it came to its place, and with what probability."""

    placement: Placement


class RankAnswer(Message):
    """The page, ready to be shown, and its impression, ready to be logged. `token` is as that of /search, for callers with the scope
    events; empty for others."""

    search_id: Id
    token: str
    page: int
    results: Sequence[Ranked]
    impression: Impression
    recorded: bool
    degraded: list[Lacking]


@dataclass(frozen=True)
class _Given:
    """A strategy that was asked elsewhere."""

    name: str
    found: Sequence[Candidate]

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        return list(self.found[:depth])


def decide(site: Site, asked: DecideRequest) -> DecideAnswer:
    """Decide for a search that others do. Nothing is kept or recorded."""
    view = site.backend.view()
    request = replace(asked.request(asked.search_id or site.new_id(), site.clock()), page=1)
    available = view.available if asked.available is None else asked.available
    policy = view.policy if asked.explore else view.policy.greedy()
    decision = policy.decide(request, available=available, memory=view.memory)
    return DecideAnswer.model_construct(search_id=request.search_id, decision=decision, degraded=_degraded(site))


def rank(site: Site, asked: RankRequest, *, trusted: bool) -> RankAnswer:
    """Rank and place what was found: the same path as a search, over lists instead of strategies. Raises InvalidMessage, Unavailable.

    Only who is `trusted` with events gets a token: the caller names search and entities, so it would be good for any of them.
    """
    request = asked.request(asked.search_id, site.clock())
    names = asked.decision.asked()
    view = replace(site.backend.view(), retrievers={name: _Given(name, _listed(asked, name)) for name in names})
    decision = asked.decision if asked.page > 1 else with_runs(asked.decision, {name: _run(asked, name) for name in names})
    pipeline = Pipeline(lambda: view, _nowhere, clock=time.perf_counter, candidates_p=site.pipeline.candidates_p)
    page = pipeline.search(request, decision=decision, record=False, explore=asked.explore)
    said = page.impression
    if asked.record:
        record(site, said)
        site.kept.put(Search(request, page, view))
        site.live.searched(page, ms=page.timing["total"], counted=True)
    shown = [one.entity_id for one in said.results]
    return RankAnswer.model_construct(
        search_id=said.search_id,
        token=site.signer.sign(said.search_id, said.client_id, said.ts, shown=shown) if trusted else "",
        page=said.page,
        results=[Ranked.model_construct(**found(one, view).__dict__, placement=one.placement) for one in said.results],
        impression=said,
        recorded=asked.record,
        degraded=_degraded(site),
    )


def _nowhere(impression: Impression, ts: int) -> None:
    """What a ranking is logged to before it is known whether there is room."""


def _listed(asked: RankRequest, name: str) -> list[Candidate]:
    """As strategies of our own answer."""
    return ordered([(one.entity_id, one.score) for one in asked.lists.get(name, ())], MAX_LIST)


def _run(asked: RankRequest, name: str) -> Run:
    said = asked.runs.get(name, AskedRun(status="ok" if name in asked.lists else "failed"))
    if said.status == "not_asked":
        raise InvalidMessage("not a ranking", [f"runs.{name}.status: the strategy was asked; say ok, late or failed"])
    return Run(len(asked.lists.get(name, ())), said.ms, said.status)


def _degraded(site: Site) -> list[Lacking]:
    return [trouble.what for trouble in site.backend.troubles()]
