"""The closed loop on judged queries: simulated people search, click on what is shown, and the system learns from nothing else.

Protocol `bandit`: a page of ten, clicks by a click model that sees the judged gains, everything applied and published after every
search. At checkpoints every query, seen (searched in this run) and unseen, is asked once beside the traffic: each probe has a search id
of its own, so that what is asked is drawn anew; the order judged is the ranker's, without placement; nothing of it is logged or learned.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evaluation.contenders import Contender, Lists
from evaluation.judged_contenders import Tuned
from evaluation.judged_queries import CLICK, JudgedQuery, Traffic, all_scores
from evaluation.loop import PAGE, Clock, Served, System
from evaluation.metrics import Floats, ndcg
from evaluation.people.click_models import ClickModel, position_based
from schemas.candidates import Request
from schemas.events import Action

CHECKPOINTS = (100, 500, 1_000, 5_000, 20_000)
ASKED = 500  # searches before a checkpoint over which the strategies asked are counted


class JudgedSystem(System, Protocol):
    """A system that can also be asked without learning from it."""

    def probe(self, request: Request) -> Served:
        """Answer as `search` would, in the ranker's own order; nothing is logged."""


@dataclass(frozen=True)
class Checkpoint:
    """After so many searches: METRICS of every query (queries, metrics), strategies asked and milliseconds a search in the traffic."""

    scores: Floats
    asked: float
    ms: float


@dataclass(frozen=True)
class JudgedRun:
    """One contender on one traffic: nDCG@10 of every page shown (searches,), and the checkpoints by number of searches."""

    contender: str
    seed: int
    fold: int
    pages: Floats
    points: Mapping[int, Checkpoint]


def checkpoints_of(searches: int) -> list[int]:
    """CHECKPOINTS that are reached, and the end."""
    return sorted({point for point in CHECKPOINTS if point < searches} | {searches})


def run(
    queries: Sequence[JudgedQuery], traffic: Traffic, system: JudgedSystem, contender: Contender, *,
    tuned: Tuned | None = None, clicks: ClickModel = position_based, clock: Clock = time.perf_counter,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> JudgedRun:  # fmt: skip
    """All searches of the traffic through a fresh system. Same input, same figures, but for ms."""
    searches = len(traffic.queries)
    pages, asked, ms = np.zeros(searches), np.zeros(searches), np.zeros(searches)
    points, wanted = {}, set(checkpoints_of(searches))
    for index, place in enumerate(traffic.queries):
        query, ts = queries[place], traffic.ts(index)
        request = query.request(traffic.search_id(index), ts)
        before = clock()
        served = system.search(request)
        ms[index] = (clock() - before + served.seconds) * 1_000
        page = served.ranked[:PAGE]
        pages[index], asked[index] = ndcg(page, query.gains, k=PAGE), len(served.asked)
        for at in clicks([query.gains.get(entity, 0.0) for entity in page], traffic.rng(index)):
            system.act(_click(request, page[at - 1], at))
        system.step()
        if (done := index + 1) in wanted:
            scores = _judged(queries, traffic, system, contender, tuned=tuned, index=index)
            points[done] = Checkpoint(scores, float(asked[max(0, done - ASKED) : done].mean()), float(ms[:done].mean()))
        progress(done, searches)
    return JudgedRun(contender.name, traffic.seed, traffic.fold, pages, points)


def static_run(
    name: str, queries: Sequence[JudgedQuery], traffic: Traffic, *, orders: Sequence[Sequence[str]], asked: Floats, ms: Floats
) -> JudgedRun:
    """The run of a contender with one order a query; `asked` and `ms` by query."""
    scores, searched = all_scores(queries, orders), np.array(traffic.queries)
    points = {
        done: Checkpoint(scores, float(asked[searched[max(0, done - ASKED) : done]].mean()), float(ms[searched[:done]].mean()))
        for done in checkpoints_of(len(searched))
    }
    return JudgedRun(name, traffic.seed, traffic.fold, scores[searched, 0], points)


def _click(request: Request, entity: str, at: int) -> Action:
    return Action(
        action_id=f"{request.search_id}-{at}",
        search_id=request.search_id,
        ts=request.ts + at * CLICK,
        kind="click",
        entity_id=entity,
        position=at,
    )


def _judged(
    queries: Sequence[JudgedQuery], traffic: Traffic, system: JudgedSystem, contender: Contender, *, tuned: Tuned | None, index: int
) -> Floats:
    """METRICS of every query as of now."""
    probes = [query.request(f"probe-{traffic.search_id(index)}-{query.query_id}", traffic.ts(index)) for query in queries]
    if contender.order is None:
        return all_scores(queries, [system.probe(probe).ranked for probe in probes])
    lists: list[Lists] = [{name: system.retrieve(name, probe) for name in contender.asks} for probe in probes]
    if tuned is not None:
        tuned.tune([(found, query.gains) for found, query in zip(lists, queries, strict=True) if query.fold != traffic.fold])
    return all_scores(queries, [contender.order(found) for found in lists])
