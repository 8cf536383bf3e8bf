"""Evaluation's systems, made of the parts that serve: the embedded loop, with the learned policy or with a contender's fixed pages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from evaluation.contenders import Contender
from evaluation.loop import PAGE, Served, Systems
from learners.definition import DEFAULT_DEPTH, Definition
from ops.wiring import EmbeddedLoop
from schemas.candidates import Candidate, Request
from schemas.entities import Entity
from schemas.events import Action, Result
from serving.record import head
from streams.replaying.recording import Recorder


class LoopSystem:
    """An embedded loop as evaluation sees it. With a contender that has a fixed order, its pages are shown and no policy decides."""

    def __init__(self, loop: EmbeddedLoop, contender: Contender) -> None:
        self._loop, self._contender = loop, contender

    def retrieve(self, strategy: str, request: Request) -> Sequence[Candidate]:
        return self._loop.view.retrievers[strategy].retrieve(request, DEFAULT_DEPTH)

    def search(self, request: Request) -> Served:
        if self._contender.order is None:
            page = self._loop.search(request)
            decision = page.impression.decision
            return Served([one.entity_id for one in page.ranked], sorted(decision.asked()) if decision else [])
        ranked = self._contender.order({name: self.retrieve(name, request) for name in self._contender.asks})
        results = [
            Result(entity_id=entity, entity_type=self._loop.catalog[entity].entity_type, position=at)
            for at, entity in enumerate(ranked[:PAGE], start=1)
        ]
        self._loop.emit(head(request).model_copy(update={"results": results}), request.ts)
        return Served(ranked, self._contender.asks)

    def act(self, action: Action) -> None:
        self._loop.emit(action, action.ts)

    def step(self) -> None:
        self._loop.step()


def systems(entities: Sequence[Entity], definition: Definition, *, recorder: Recorder | None = None) -> Systems:
    """A fresh system for each run of a replay; the learned policy's run is recorded. Strategies are timed by the replay, not in the
    log, so that two recordings of one run are the same bytes."""

    @contextmanager
    def system(contender: Contender) -> Iterator[LoopSystem]:
        record = recorder.event if recorder is not None and contender.order is None else None
        loop = EmbeddedLoop(entities, definition, clock=lambda: 0.0, record=record)
        try:
            yield LoopSystem(loop, contender)
        finally:
            loop.close()

    return system
