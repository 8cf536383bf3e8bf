"""Evaluation's systems, made of the parts that serve: the embedded loop, with the learned policy or with a contender's fixed pages."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from evaluation.contenders import Contender
from evaluation.loop import PAGE, Served, Systems
from evaluation.prepared import PreparedRetriever
from learners.definition import DEFAULT_DEPTH, Definition
from ops.variants import FIXED, VARIANTS
from ops.wiring import EmbeddedLoop, Makers
from schemas.candidates import Candidate, Request
from schemas.entities import Entity
from schemas.events import Action, Impression, Result
from serving.pipeline import Page, Pipeline
from serving.record import head
from streams.replaying.recording import Recorder


class LoopSystem:
    """An embedded loop as evaluation sees it. With a contender that has a fixed order, its pages are shown and no policy decides."""

    def __init__(self, loop: EmbeddedLoop, contender: Contender) -> None:
        self._loop, self._contender = loop, contender
        self._beside = Pipeline(lambda: loop.view, _drop, clock=lambda: 0.0, candidates_p=1e-12)  # what is dropped needs no candidates
        self._prepared = [one for one in loop.view.retrievers.values() if isinstance(one, PreparedRetriever)]

    def retrieve(self, strategy: str, request: Request) -> Sequence[Candidate]:
        return self._loop.view.retrievers[strategy].retrieve(request, DEFAULT_DEPTH)

    def search(self, request: Request) -> Served:
        before = sum(one.spent for one in self._prepared)
        served = self._policy_page(self._loop.search(request)) if self._contender.order is None else self._fixed_page(request)
        return replace(served, seconds=sum(one.spent for one in self._prepared) - before)

    def probe(self, request: Request) -> Served:
        """What `search` would find, in the ranker's order; its impression goes nowhere."""
        page = self._beside.search(request)
        return Served([one.entity_id for one in page.ranked], _asked(page))

    def act(self, action: Action) -> None:
        self._loop.emit(action, action.ts)

    def step(self) -> None:
        self._loop.step()

    def _policy_page(self, page: Page) -> Served:
        """What was shown, then the rest of the ranking."""
        shown = [one.entity_id for one in page.impression.results]
        on_page = set(shown)
        return Served(shown + [one.entity_id for one in page.ranked if one.entity_id not in on_page], _asked(page))

    def _fixed_page(self, request: Request) -> Served:
        order = self._contender.order
        ranked = order({name: self.retrieve(name, request) for name in self._contender.asks}) if order else []
        results = [
            Result(entity_id=entity, entity_type=self._loop.catalog[entity].entity_type, position=at)
            for at, entity in enumerate(ranked[:PAGE], start=1)
        ]
        self._loop.emit(head(request).model_copy(update={"results": results}), request.ts)
        return Served(ranked, self._contender.asks)


def _drop(impression: Impression, ts: int) -> None:
    """Nobody learns from a probe."""


def _asked(page: Page) -> list[str]:
    return sorted(page.impression.decision.asked()) if page.impression.decision else []


@contextmanager
def loop_system(
    entities: Sequence[Entity], definition: Definition, contender: Contender, *,
    recorder: Recorder | None = None, retrievers: Makers | None = None,
) -> Iterator[LoopSystem]:  # fmt: skip
    """A fresh system for one run, of the variant that the contender names; a policy's events are recorded. Strategies are timed by
    evaluation, not in the log, so that two recordings of one run are the same bytes."""
    record = recorder.event if recorder is not None and contender.order is None else None
    variant = VARIANTS[contender.name] if contender.order is None else FIXED
    changed = variant.definition(definition)
    loop = EmbeddedLoop(
        entities,
        changed,
        clock=lambda: 0.0,
        record=record,
        retrievers=retrievers,
        rules=variant.rules,
        models=variant.models(changed.strategies),
    )
    if not variant.memory:
        loop.view = replace(loop.view, memory=None)
    try:
        yield LoopSystem(loop, contender)
    finally:
        loop.close()


def systems(
    entities: Sequence[Entity], definition: Definition, *, recorder: Recorder | None = None, retrievers: Makers | None = None
) -> Systems:
    """A fresh system for each run of a replay."""

    def system(contender: Contender) -> AbstractContextManager[LoopSystem]:
        return loop_system(entities, definition, contender, recorder=recorder, retrievers=retrievers)

    return system
