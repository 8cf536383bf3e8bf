"""The demo: the whole embedded loop learns from people whose wishes are known, then says what it learned."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from evaluation.contenders import LEARNED, MEMORY_FIRST, RRF, Contender, contenders
from evaluation.demo_figures import Figures, Watched, summary, watch, window_of
from evaluation.demo_report import page as report_page
from evaluation.people.catalogue import MusicCatalogue, catalogue
from evaluation.people.listeners import Listener, Need, People, clicks, people
from learners.definition import DEFAULT_DEPTH
from ops.wiring import STRATEGIES, EmbeddedLoop, definition
from schemas.candidates import Request
from schemas.errors import InvalidSetting
from schemas.events import ACTION_KINDS, Action
from schemas.ids import query_class, query_key
from schemas.rows import POSITION_BINS

START = 1_767_225_600_000  # 2026-01-01, in ms: the time of the demo is made up, like its people
EVERY = 20_000  # ms from one search to the next
SHOWN, BEST = len(POSITION_BINS), 3  # best known entities told of a query
CLICK = SHOWN + ACTION_KINDS.index("click")


@dataclass(frozen=True)
class DemoResult:
    """Everything that was learned (evaluation.demo_figures), and where the page about it is."""

    figures: Figures
    page: Path


def run(*, seed: int, searches: int, out: Path, progress: Callable[[str], None]) -> DemoResult:
    """Run the demo and write `demo.html` into the folder `out`. `progress` gets lines of text. Same seed, same page, byte for byte."""
    if searches < 1:
        raise InvalidSetting(f"searches is {searches}; use at least 1, and some thousands to see it learn")
    music = catalogue(seed)
    crowd = people(music, seed)
    progress(
        f"A music catalogue of {len(music.entities)} entities and {len(crowd.listeners)} people, made from seed {seed}; "
        f"{searches:,} searches, each learned from before the next."
    )
    loop = EmbeddedLoop(
        music.entities, definition(STRATEGIES, min_clients=1), clock=lambda: 0.0
    )  # no real time in the log: two runs are equal
    try:
        session = _Session(loop, crowd, seed)
        watched = list(_told(session.searches(searches), searches, progress))
        memory = remembered(loop, crowd, session.searched)
    finally:
        loop.close()
    figures = summary(watched, about=_about(seed, music, crowd), memory=memory)
    out.mkdir(parents=True, exist_ok=True)
    page = out / "demo.html"
    page.write_text(report_page(figures), encoding="utf-8")
    return DemoResult(figures, page)


def _about(seed: int, music: MusicCatalogue, crowd: People) -> Figures:
    types = Counter(entity.entity_type for entity in music.entities)
    queries = {kind: len(needs) for kind, needs in crowd.needs.items()}
    return {"seed": seed, "people": len(crowd.listeners), "catalogue": dict(sorted(types.items())), "queries": queries}


def _told(watched: Iterator[Watched], total: int, progress: Callable[[str], None]) -> Iterator[Watched]:
    """The same searches; a line about each window on the way."""
    window: list[Watched] = []
    for done, one in enumerate(watched, 1):
        window.append(one)
        if len(window) == window_of(total) or done == total:
            learned, fixed = (sum(seen.quality[name] for seen in window) / len(window) for name in (LEARNED, RRF))
            asked = sum(seen.asked for seen in window) / len(window)
            progress(f"{done:>7,} searches   page quality {learned:.3f}   fixed mix {fixed:.3f}   {asked:.2f} strategies a search")
            window = []
        yield one


class _Session:
    """People searching one loop, one after the other."""

    def __init__(self, loop: EmbeddedLoop, crowd: People, seed: int) -> None:
        self._loop, self._crowd, self._seed = loop, crowd, seed
        self._rivals: list[Contender] = [
            one for one in contenders(STRATEGIES) if one.order is not None and one.name != MEMORY_FIRST
        ]  # fmt: skip
        self.searched: Counter[str] = Counter()

    def searches(self, count: int) -> Iterator[Watched]:
        rng = Random(f"searches {self._seed}")
        for number in range(count):
            listener, need = self._crowd.search(rng)
            self.searched[need.query] += 1
            yield self._search(number, listener, need)

    def _search(self, number: int, listener: Listener, need: Need) -> Watched:
        """Answer, judge every contender on the same state, let the person click, learn."""
        request = request_of(f"search-{number:06}", START + number * EVERY, need.query, client_id=listener.client_id)
        shown = self._loop.search(request)
        assert shown.impression.decision is not None, "the loop's policy decides every search"
        relevance = self._crowd.relevance(listener, need)
        page = [result.entity_id for result in shown.impression.results]
        lists = {name: retriever.retrieve(request, DEFAULT_DEPTH) for name, retriever in self._loop.view.retrievers.items()}
        pages: dict[str, Sequence[str]] = {LEARNED: page}
        pages |= {one.name: one.order({name: lists[name] for name in one.asks}) for one in self._rivals if one.order}
        watched = watch(need.kind, pages, relevance, listener, shown.impression.decision)
        for position, entity in clicks(page, relevance, patience=listener.patience, rng=Random(f"clicks {self._seed} {number}")):
            ts = request.ts + 1_000 * position
            action = Action(
                action_id=f"{request.search_id}-{position}", search_id=request.search_id, ts=ts, kind="click", entity_id=entity,
                position=position,
            )  # fmt: skip
            self._loop.emit(action, ts)
        self._loop.step()
        return watched


def request_of(search_id: str, ts: int, query: str, *, client_id: str | None = None) -> Request:
    """The first page of a query."""
    key = query_key(query)
    return Request(search_id, ts, query, key, query_class(key), client_id=client_id)


def remembered(loop: EmbeddedLoop, crowd: People, searched: Counter[str]) -> Figures:
    """What memory holds: its size, and the best known pairs of the most searched mood, artist and mistake."""
    counts: dict[tuple[str, str], list[int]] = {}
    for _, (query, _, entity, _), (row, _) in loop.reader.shares():
        have = counts.setdefault((query, entity), [0] * len(row))
        counts[query, entity] = [one + two for one, two in zip(have, row, strict=True)]
    known = []
    for kind in ("artist", "mood", "mistake"):
        need = max(crowd.needs[kind], key=lambda need: (searched[need.query], need.query))
        known.append({"query": need.query, "kind": kind, "searches": searched[need.query], "pairs": _best(loop, crowd, need, counts)})
    return {"rows": loop.reader.rows(), "pairs": len(counts), "queries": len({query for query, _ in counts}), "known": known}


def _best(loop: EmbeddedLoop, crowd: People, need: Need, counts: dict[tuple[str, str], list[int]]) -> list[dict[str, Any]]:
    """The best known entities of a query as the page would score them: by text alone, with what happened, and the truth."""
    request = request_of("after", START, need.query)
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
