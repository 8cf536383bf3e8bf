"""The demo: the whole embedded loop learns from people whose wishes are known, then says what it learned."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from evaluation.contenders import CONVEX, LEARNED, RRF
from evaluation.demo_figures import Figures, Watched, summary, watch
from evaluation.demo_report import page as report_page
from evaluation.demo_tried import Tried
from evaluation.people.catalogue import TODAY, catalogue
from evaluation.people.drift import READY_MADE, Drift, drift
from evaluation.people.listeners import Listener, People, clicks, people
from evaluation.people.needs import Need
from evaluation.tuning import MixTuner
from learners.definition import DEFAULT_DEPTH, Definition
from learners.examination import Examination
from learners.finals import Final
from learners.models import FinalsModel, Fitted
from memory_index.reader import MemoryReader
from ops.definitions import definition, models_of
from ops.settings import Settings
from ops.strategies import strategies_of
from ops.wiring import EmbeddedLoop
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from retrievers.fusion import convex, rrf
from schemas.candidates import Candidate, Request
from schemas.errors import InvalidSetting
from schemas.events import ACTION_KINDS, Action
from schemas.ids import query_class, query_key
from schemas.rows import POSITION_BINS

# Every strategy that needs neither an encoder nor a network; those that are not built in yet are left out.
STRATEGIES = ("lexical", "lexical_title", "trigrams", "memory", "neighbours", "popular", "xmr", "fresh")
FROM_FEEDBACK = frozenset({"memory", "neighbours", "xmr"})  # of no use to a fixed mix that is tuned before anything was learned
EVERY = 900_000  # ms from one search to the next: 4,000 searches are six weeks
TUNED_ON = 300  # searches whose people were asked what they want, to find the best weights of the tuned mix
SEEN = 10  # places whose chance of being seen is told
SHOWN, BEST = len(POSITION_BINS), 3  # best known entities told of a query
CLICK = SHOWN + ACTION_KINDS.index("click")


@dataclass(frozen=True)
class DemoResult:
    """Everything that was learned (evaluation.demo_figures), and where the page about it is."""

    figures: Figures
    page: Path


class Audience:
    """Who watches a run. This one looks away."""

    def begins(self, about: Mapping[str, Any], *, searches: int, drift_at: int, strategies: Sequence[str]) -> None:
        """The world is made."""

    def saw(self, watched: Sequence[Watched]) -> None:
        """One more search is done; all up to now."""

    def ends(self) -> None:
        """No more searches come, or the run broke off."""


def run(*, seed: int, searches: int, out: Path, audience: Audience) -> DemoResult:
    """Run the demo and write `demo.html` into the folder `out`. Same seed, same page, byte for byte."""
    if searches < 1:
        raise InvalidSetting(f"searches is {searches}; use at least 1, and some thousands to see it learn")
    music = catalogue(seed)
    change = drift(music, seed)
    crowd = people(change, seed)
    # No real time in the log: two runs are equal.
    noted = tuple(map(_Noted, models_of(STRATEGIES)))
    loop = EmbeddedLoop(music.entities, definition(STRATEGIES), clock=lambda: 0.0, retrievers=retrievers, models=noted)
    try:
        session = _Session(loop, crowd, change, seed=seed, drift_at=searches // 2)
        about = _about(seed, crowd, change) | {"weights": session.weights}
        audience.begins(about, searches=searches, drift_at=session.drift_at, strategies=session.strategies)
        watched: list[Watched] = []
        for one in session.searches(searches):
            watched.append(one)
            audience.saw(watched)
        memory = remembered(loop, crowd, session.searched)
        tried = session.tried.told(dict(loop.catalog))
    finally:
        audience.ends()
        loop.close()
    drifted = {"at": session.drift_at, "album": about["album"], "artist": about["artist"]} if session.drift_at else None
    figures = summary(watched, about=about, drift=drifted, tried=tried, examination=_examination(crowd, noted), memory=memory)
    out.mkdir(parents=True, exist_ok=True)
    page = out / "demo.html"
    page.write_text(report_page(figures), encoding="utf-8")
    return DemoResult(figures, page)


def retrievers(catalog: Catalog, reader: MemoryReader) -> dict[str, Retriever]:
    """The strategies of the demo."""
    return strategies_of(STRATEGIES, catalog, reader, Settings())


def _about(seed: int, crowd: People, change: Drift) -> Figures:
    works, album = change.before.works.values(), change.released[0]
    return {
        "seed": seed,
        "people": len(crowd.listeners),
        "catalogue": dict(sorted(Counter(work.type for work in works).items())),
        "queries": {kind: len(needs) for kind, needs in crowd.needs[0].items()},
        "album": album.title,
        "artist": change.after.works[album.related[0].entity_id].title,
    }


class _Session:
    """People searching one loop, one after the other."""

    def __init__(self, loop: EmbeddedLoop, crowd: People, change: Drift, *, seed: int, drift_at: int) -> None:
        self._loop, self._crowd, self._change, self._seed = loop, crowd, change, seed
        self.drift_at = drift_at
        self.strategies = list(loop.view.retrievers)
        self.weights = _tuned(loop, crowd, seed)
        self.searched: Counter[str] = Counter()
        self.tried = Tried()
        self._album = frozenset(entity.entity_id for entity in change.released)
        self._ready_made = frozenset(work.entity_id for work in change.before.works.values() if work.type in READY_MADE)

    def searches(self, count: int) -> Iterator[Watched]:
        rng = Random(f"searches {self._seed}")
        for number in range(count):
            now, era = TODAY + number * EVERY, int(number >= self.drift_at)
            if number == self.drift_at:
                self._loop.put(entity.model_copy(update={"created_at": now}) for entity in self._change.released)
            listener, need = self._crowd.search(rng, era)
            self.searched[need.query] += 1
            yield self._search(number, listener, need)

    def _search(self, number: int, listener: Listener, need: Need) -> Watched:
        """Answer, let the person click, judge every contender on the state before that, learn."""
        request = request_of(f"search-{number:06}", TODAY + number * EVERY, need.query, client_id=listener.client_id)
        answer = self._loop.search(request)
        shown, decision = answer.impression.results, answer.impression.decision
        assert decision is not None, "the loop's policy decides every search"
        relevance = self._crowd.relevance(listener, need)
        page = [result.entity_id for result in shown]
        pages = {LEARNED: page} | self._rivals(request, answer.lists)
        by_score = [one.entity_id for one in answer.ranked[: request.size]]
        self.tried.shown(request.query_key, shown, decision, by_score=by_score)
        chosen = clicks(page, relevance, patience=listener.patience, rng=Random(f"clicks {self._seed} {number}"))
        thanks = sum(self.tried.clicked(request.query_key, entity) for _, entity in chosen)
        watched = watch(
            need.kind, pages, relevance, listener, by=decision, by_score=by_score, clicks=len(chosen), thanks=thanks, album=self._album,
            ready_made=self._ready_made,
        )  # fmt: skip
        for position, entity in chosen:
            ts = request.ts + 1_000 * position
            action = Action(
                action_id=f"{request.search_id}-{position}", search_id=request.search_id, ts=ts, kind="click", entity_id=entity,
                position=position,
            )  # fmt: skip
            self._loop.emit(action, ts)
        self._loop.step()
        return watched

    def _rivals(self, request: Request, have: Mapping[str, Sequence[Candidate]]) -> dict[str, list[str]]:
        """The pages of the fixed mixes and of every strategy alone, on the state that Forage's pages made."""
        lists = {
            name: have[name][:DEFAULT_DEPTH] if len(have.get(name, ())) >= DEFAULT_DEPTH else retriever.retrieve(request, DEFAULT_DEPTH)
            for name, retriever in self._loop.view.retrievers.items()
        }
        mixed = {RRF: rrf(lists), CONVEX: convex({name: lists[name] for name in self.weights}, self.weights)}
        return {name: [one.entity_id for one in found] for name, found in (mixed | lists).items()}


def _tuned(loop: EmbeddedLoop, crowd: People, seed: int) -> dict[str, float]:
    """The best weights of a fixed mix for what people want at the start: nobody could know them so well outside a demo."""
    rng = Random(f"tuning {seed}")
    asked = [crowd.search(rng, 0) for _ in range(TUNED_ON)]
    names = [name for name in loop.view.retrievers if name not in FROM_FEEDBACK]
    requests = [request_of("tuning", TODAY, need.query) for _, need in asked]
    lists = [{name: loop.view.retrievers[name].retrieve(request, DEFAULT_DEPTH) for name in names} for request in requests]
    return MixTuner(names, lists, [crowd.relevance(*one) for one in asked]).best(range(TUNED_ON))


def request_of(search_id: str, ts: int, query: str, *, client_id: str | None = None) -> Request:
    """The first page of a query."""
    key = query_key(query)
    return Request(search_id, ts, query, key, query_class(key), client_id=client_id)


class _Noted:
    """A model that is fitted as ever; what came of it last can be read."""

    def __init__(self, model: FinalsModel) -> None:
        self.name, self._model = model.name, model
        self.last: Fitted = {}

    def fit(self, finals: Sequence[Final], definition: Definition, fitted: Fitted) -> Fitted:
        self.last = self._model.fit(finals, definition, fitted)
        return self.last


def _examination(crowd: People, noted: Sequence[_Noted]) -> Figures:
    """The chance of being seen by place: true, where the estimate starts, and the estimate with its standard errors."""
    places = range(1, SEEN + 1)
    found = next((one.last for one in noted if one.name == Examination.name), {})
    now = {name: [float(value) for value in found[name][:SEEN]] for name in ("curve", "se")} if found else None
    return {"true": [crowd.examined(place) for place in places], "start": [1.0 / place for place in places], "now": now}


def remembered(loop: EmbeddedLoop, crowd: People, searched: Counter[str]) -> Figures:
    """What memory holds: its size, and the best known pairs of the most searched mood, artist and mistake."""
    counts: dict[tuple[str, str], list[int]] = {}
    for _, (query, _, entity, _), (row, _) in loop.reader.shares():
        have = counts.setdefault((query, entity), [0] * len(row))
        counts[query, entity] = [one + two for one, two in zip(have, row, strict=True)]
    known = []
    for kind in ("mood", "artist", "mistake"):
        need = max(crowd.needs[1][kind], key=lambda need: (searched[need.query], need.query))
        known.append({"query": need.query, "kind": kind, "searches": searched[need.query], "pairs": _best(loop, crowd, need, counts)})
    return {"rows": loop.reader.rows(), "pairs": len(counts), "queries": len({query for query, _ in counts}), "known": known}


def _best(loop: EmbeddedLoop, crowd: People, need: Need, counts: dict[tuple[str, str], list[int]]) -> list[dict[str, Any]]:
    """The best known entities of a query as the page would score them: by text alone, with what happened, and the truth."""
    request = request_of("after", TODAY, need.query)
    lists = {name: one.retrieve(request, DEFAULT_DEPTH) for name, one in loop.view.retrievers.items()}
    told = {entity for entity, _ in lists["memory"]}
    ranked = [one for one in loop.view.policy.rank(request, lists, memory=loop.view.memory) if one.entity_id in told]
    expected = {one.entity_id: one.score for one in loop.view.policy.rank(request, lists)}
    truth = [crowd.relevance(listener, need) for listener in crowd.listeners]
    return [
        {
            "title": loop.catalog[one.entity_id].title,
            "type": loop.catalog[one.entity_id].entity_type,
            "shown": sum(counts[request.query_key, one.entity_id][:SHOWN]),
            "clicked": counts[request.query_key, one.entity_id][CLICK],
            "expected": expected[one.entity_id],
            "now": one.score,
            "true": sum(of.get(one.entity_id, 0.0) for of in truth) / len(truth),
        }
        for one in ranked[:BEST]
    ]
