"""Introduces the packages to each other: the whole loop in one process."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from learners.arrays import unpack
from learners.definition import Definition
from learners.models import FinalsModel, theta_of
from learners.policy import Policy
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from ops.definitions import models_of
from ops.settings import Settings
from ops.strategies import strategies_of
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from retrievers.xmr.retriever import XmrRetriever
from schemas.candidates import Request
from schemas.decisions import Decision
from schemas.entities import Entity
from schemas.errors import ForageError
from schemas.events import Action, Impression
from schemas.snapshots import Array, Content
from serving.pipeline import Page, Pipeline
from serving.view import View
from streams.embedded.driver import EmbeddedDriver
from streams.kernel.changes import Changes
from streams.kernel.join import RULES, Rules
from streams.publishing.concluding import concluded
from streams.publishing.publisher import Publisher

_LOG = logging.getLogger(__name__)
Makers = Callable[[Catalog, MemoryReader], Mapping[str, Retriever]]


def reading_of(definition: Definition) -> Reading:
    """How memory is read, as the policy's definition has it."""
    plain = definition.reading
    return Reading(tuple(plain.theta), tuple(plain.rewards), plain.half_life_days, plain.kappa, plain.min_clients)


def not_available(name: str, why: ForageError) -> None:
    """A strategy that cannot be made is not available: searches go on without it, and the log says what to do."""
    _LOG.warning("strategy %s is not available: %s", name, why)


def hand_out(content: Content, retrievers: Iterable[Retriever], *, before: Content | None = None) -> None:
    """Give the strategies that are models their arrays of a content, unless they are those of the content `before`."""
    for one in retrievers:
        if isinstance(one, XmrRetriever):
            held, arrays = ({} if some is None else model_arrays(some, one.name) for some in (before, content))
            if arrays != held:
                one.replace({name: unpack(array, what=f"{one.name}.{name}") for name, array in arrays.items()})


def model_arrays(content: Content, model: str) -> dict[str, Array]:
    """The arrays of one model by their names without prefix."""
    return {name.removeprefix(f"{model}."): array for name, array in content.arrays.items() if name.startswith(f"{model}.")}


class EmbeddedLoop:
    """Search, emit, step: one process that serves, joins, remembers, fits and publishes. Nothing is learned outside `step`.

    `retrievers` makes the strategies over the catalogue and the memory; by default those that the definition names, without an encoder.
    `models` are fitted on finals, by default those that these strategies have.
    """

    def __init__(
        self, entities: Iterable[Entity], definition: Definition, *, folder: Path | None = None,
        clock: Callable[[], float] = time.perf_counter, record: Callable[[Impression | Action, int], None] | None = None,
        retrievers: Makers | None = None, rules: Rules = RULES, models: Sequence[FinalsModel] | None = None,
    ) -> None:  # fmt: skip
        self.catalog = Catalog(entities)
        self.reader = MemoryReader(reading_of(definition))
        models = models_of(definition.strategies) if models is None else models
        self.publisher = Publisher(definition, models)
        self.driver = EmbeddedDriver(rules, folder=folder, on_changes=[self._learn])
        self._record = record
        self._retrievers = retrievers or partial(strategies_of, definition.strategies, config=Settings(), missing=not_available)
        for partition in range(self.driver.log.partitions if folder else 0):
            share = self.driver.share(partition)
            self.reader.add(partition, share.memory)
            self.publisher.add(share.tallies)
        if models:
            self.publisher.conclude(self.driver.conclusions(self.publisher.wants))
        self.view = View(Policy.untrained(definition), self.reader, self._retrievers(self.catalog, self.reader), self.catalog)
        self.pipeline = Pipeline(lambda: self.view, self.emit, clock=clock)
        self._seq = 0
        self._content: Content | None = None
        self.step()

    def put(self, entities: Iterable[Entity]) -> None:
        """Add, replace and, for tombstones, remove entities: the strategies are built aside over the new catalogue, then swapped."""
        self.catalog.put(entities)
        made = self._retrievers(self.catalog, self.reader)
        if self._content is not None:
            hand_out(self._content, made.values())
        self.view = replace(self.view, retrievers=made)

    def search(self, request: Request, *, decision: Decision | None = None) -> Page:
        """Answer a request; its impression goes to the log."""
        return self.pipeline.search(request, decision=decision)

    def emit(self, event: Impression | Action, time: int) -> None:
        """An event at log time `time` (ms): what a page showed, or what somebody did."""
        if self._record is not None:
            self._record(event, time)
        self.driver.emit(event, time)

    def step(self) -> int:
        """Apply what is new and publish if it changed the policy; returns the records applied."""
        applied = self.driver.step()
        if (content := self.publisher.refresh()) is not None:
            self._seq += 1
            policy = Policy(content, seq=self._seq)
            if (theta := theta_of(content, policy.definition)) != self.reader.reading.theta:
                self.reader.reread(theta)
            hand_out(content, self.view.retrievers.values(), before=self._content)
            self._content = content
            self.view = replace(self.view, policy=policy)
        return applied

    def close(self) -> None:
        self.driver.close()

    def _learn(self, partition: int, changes: Changes) -> None:
        self.reader.add(partition, changes.memory)
        self.publisher.add(changes.tallies)
        self.publisher.conclude(concluded(changes.outgoing, self.publisher.wants, changes.concluded))
