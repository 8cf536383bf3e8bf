"""Evaluation on judged queries: fixed strategies asked once, then a run for each contender, seed and fold, in as many processes as asked.

A run depends on its (contender, seed, fold) alone, so figures are the same for any number of processes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluation.contenders import Contender, Lists
from evaluation.datasets.folder import Dataset
from evaluation.judged_contenders import Field, Weights, fed_contender, split, static_orders
from evaluation.judged_loop import JudgedRun, run, static_run
from evaluation.judged_queries import FOLDS, RELEVANT, JudgedQuery, traffic
from evaluation.prepared import Prepared, PreparedRetriever, prepare
from evaluation.tuning import MixTuner
from learners.definition import DEFAULT_DEPTH, Definition
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from ops.evaluating import loop_system
from ops.parallel import spread
from ops.settings import Settings
from ops.strategies import strategies_of
from ops.variants import VARIANTS
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from schemas.entities import Entity
from streams.replaying.recording import Recorder

Told = Callable[[str, int, int], None]


class Task(NamedTuple):
    """One run."""

    contender: str
    seed: int
    fold: int


@dataclass(frozen=True)
class Judging:
    """Everything that the runs of one evaluation share; it goes to every process once."""

    folder: Path
    strategies: tuple[str, ...]
    definition: Definition
    queries: Sequence[JudgedQuery]
    lists: Mapping[str, Mapping[str, Prepared]]  # fixed strategy -> query key -> its list
    weights: Mapping[int, Weights]  # fold -> the mix tuned on its seen queries
    searches: int
    config: Settings

    def found(self) -> list[Lists]:
        """The fixed strategies' lists of each query at the depth of evaluation."""
        return [{name: of[query.key].found[:DEFAULT_DEPTH] for name, of in self.lists.items()} for query in self.queries]

    def static(self, name: str, seeds: int, folds: int) -> Iterator[JudgedRun]:
        """The runs of a contender whose orders depend on nothing that is learned."""
        found = self.found()
        for fold in range(folds):
            orders, asks = static_orders(name, self.queries, found, weights=self.weights[fold])
            ms = [1_000 * sum(self.lists[one][query.key].seconds for one in some) for query, some in zip(self.queries, asks, strict=True)]
            asked = np.array([float(len(some)) for some in asks])
            for seed in range(seeds):
                searched = traffic(self.queries, seed=seed, fold=fold, searches=self.searches)
                yield static_run(name, self.queries, searched, orders=orders, asked=asked, ms=np.array(ms))

    def running(
        self, task: Task, entities: Sequence[Entity], *, recorder: Recorder | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> JudgedRun:  # fmt: skip
        """The run of a contender that learns."""
        searched = traffic(self.queries, seed=task.seed, fold=task.fold, searches=self.searches)
        if task.contender in VARIANTS:
            contender, tuned = Contender(task.contender), None
        else:
            contender, tuned = fed_contender(task.contender, self.strategies, weights=self.weights[task.fold])
        with loop_system(entities, self.definition, contender, recorder=recorder, retrievers=self._retrievers) as system:
            return run(self.queries, searched, system, contender, tuned=tuned, progress=progress)

    def worker(self) -> Callable[[Task], JudgedRun]:
        """What runs tasks in a process of its own, with what all of them read."""
        return partial(self.running, entities=list(Dataset(self.folder).entities()))

    def _retrievers(self, catalog: Catalog, reader: MemoryReader) -> dict[str, Retriever]:
        """The learning strategies as they serve, the fixed ones from their lists."""
        fixed, learning = split(self.strategies)
        real = cache(partial(strategies_of, fixed, catalog, reader, self.config))
        out: dict[str, Retriever] = strategies_of(learning, catalog, reader, self.config)
        for name in fixed:
            out[name] = PreparedRetriever(name, self.lists[name], lambda name=name: real()[name])  # type: ignore[misc]
        return out


def judging(
    folder: Path, strategies: Sequence[str], *, definition: Definition, queries: Sequence[JudgedQuery], entities: Sequence[Entity],
    searches: int, config: Settings, folds: int = FOLDS, progress: Callable[[int, int], None] = lambda done, total: None,
) -> Judging:  # fmt: skip
    """Ask the fixed strategies every query, and tune the mix of each fold."""
    fixed, _ = split(strategies)
    catalog = Catalog(entities)
    retrievers = strategies_of(fixed, catalog, MemoryReader(Reading()), config)
    lists = prepare(retrievers.values(), queries, progress=progress)
    plain = Judging(folder, tuple(strategies), definition, queries, lists, {}, searches, config)
    tuner = MixTuner(fixed, plain.found(), [query.gains for query in queries])
    weights = {fold: tuner.best([at for at, query in enumerate(queries) if query.fold != fold]) for fold in range(folds)}
    return Judging(folder, tuple(strategies), definition, queries, lists, weights, searches, config)


def all_runs(shared: Judging, field: Field, *, seeds: int, folds: int, jobs: int, entities: Sequence[Entity], progress: Told,
             recorder: Recorder | None = None) -> list[JudgedRun]:  # fmt: skip
    """Every run of every contender. With one job, or a recorder, in this process."""
    tasks = [Task(name, seed, fold) for fold in range(folds) for seed in range(seeds) for name in field.running]
    static = [one for name in field.static for one in shared.static(name, seeds, folds)]
    if jobs == 1 or recorder is not None or len(tasks) < 2:
        return static + [
            shared.running(
                task, entities, recorder=recorder, progress=partial(progress, f"{task.contender}, seed {task.seed}, fold {task.fold}")
            )
            for task in tasks
        ]
    return static + spread(tasks, shared.worker, jobs=jobs, progress=partial(progress, "runs"))


def protocol_of(shared: Judging) -> dict[str, object]:
    """What the protocol leaves open, as it was chosen here: printed with the figures."""
    mixes = (", ".join(f"{name} {weight:g}" for name, weight in sorted(mix.items())) for _, mix in sorted(shared.weights.items()))
    return {
        "salt": shared.definition.salt,
        "depth": DEFAULT_DEPTH,
        "traffic": "Zipf 1.0 over a seeded order of the seen queries; a new person every search; 18 s apart from 2025-01-01",
        "clicks": "position^-0.7 x (gain 1: 0.6, 0.1: 0.2, 0.01: 0.08, 0: 0.03, straight lines between); k s after the page at position k",
        "relevant": f"gain of at least {RELEVANT:g} (hit, mrr, recall); queries without such an entity are left out",
        "seen, unseen": "every query counts alike; asked beside the traffic with search ids of their own, without placement",
        "prepared": f"lists of {', '.join(sorted(shared.lists))} made once a query, their time counted in ms",
        "convex": "; ".join(mixes) + " (by fold, tuned on judgments of the seen queries)",
        "convex_memory": "convex + w S / (kappa + V), own pages; w = 1 at first, tuned on judgments of the seen queries at each checkpoint",
        "memory_first": "what memory knows of the query, then rrf of all lists",
    }
