"""Evaluation on a click log: the runs of every seed, in as many processes as asked. Figures are the same for any number of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from evaluation.click_log import Search, searches
from evaluation.contenders import contenders
from evaluation.datasets.folder import Dataset
from evaluation.loop import ProtocolName, Replayed, replay, runs
from learners.definition import NO_TESTS
from ops.definitions import definition
from ops.evaluating import systems
from ops.parallel import spread
from ops.settings import Settings
from ops.strategies import strategies_of
from ops.variants import ABLATIONS, POLICIES
from schemas.entities import Entity
from streams.replaying.recording import Recorder

OTHERS = tuple(name for name in (*POLICIES, *ABLATIONS) if name != "learned")  # policies that take part when they are named
Told = Callable[[str, int, int], None]


class Task(NamedTuple):
    """One run: its host first, then its guests, and the salt of the policy's draws."""

    names: tuple[str, ...]
    salt: str


@dataclass(frozen=True)
class Replaying:
    """What the runs of one evaluation share. `first`: only so many searches; 0 takes all."""

    folder: Path
    strategies: tuple[str, ...]
    chosen: tuple[str, ...]
    protocol: ProtocolName
    first: int
    min_clients: int
    config: Settings

    def tasks(self, salts: Sequence[str]) -> list[Task]:
        """The runs of each salt."""
        field = contenders(self.strategies, self.chosen, on_request=OTHERS)
        plan = [tuple(one.name for one in (host, *guests)) for host, guests in runs(field, self.protocol)]
        return [Task(names, salt) for salt in salts for names in plan]

    def load(self) -> tuple[list[Search], list[Entity]]:
        """The log and the catalogue."""
        dataset = Dataset(self.folder)
        return searches(dataset.clicks())[: self.first or None], list(dataset.entities())

    def worker(self) -> Callable[[Task], Replayed]:
        """What runs tasks in a process of its own, with what all of them read."""
        log, entities = self.load()
        return partial(self.run, log=log, entities=entities)

    def run(
        self, task: Task, log: Sequence[Search], entities: Sequence[Entity], *,
        progress: Told = lambda run, done, total: None, recorder: Recorder | None = None,
    ) -> Replayed:  # fmt: skip
        """One run, whose host is judged with its guests."""
        policy = definition(self.strategies, min_clients=self.min_clients, salt=task.salt)
        if self.protocol == "full":  # every click is revealed whatever the page shows: tests would learn nothing
            policy = policy.model_copy(update={"placement": NO_TESTS})
        made = systems(
            entities,
            policy,
            recorder=recorder,
            retrievers=lambda catalog, reader: strategies_of(self.strategies, catalog, reader, self.config),
        )
        field = contenders(self.strategies, task.names, on_request=OTHERS)
        return replay(log, field, systems=made, protocol=self.protocol, progress=progress)


def all_replays(shared: Replaying, *, salts: Sequence[str], jobs: int, progress: Told, recorder: Recorder | None = None) -> list[Replayed]:
    """One replay a salt, its contenders in the order of the field. With one job, or a recorder, in this process."""
    tasks = shared.tasks(salts)
    done: dict[Task, Replayed] = {}
    if jobs == 1 or recorder is not None or len(tasks) < 2:
        log, entities = shared.load()
        for task in tasks:
            writes = recorder if task.names[0] == "learned" else None
            done[task] = shared.run(task, log, entities, progress=progress, recorder=writes)
    else:
        results = spread(tasks, shared.worker, jobs=jobs, progress=partial(progress, "runs"))
        done = dict(zip(tasks, results, strict=True))
    return [_joined([done[task] for task in tasks if task.salt == salt], shared) for salt in salts]


def _joined(parts: Sequence[Replayed], shared: Replaying) -> Replayed:
    names = [one.name for one in contenders(shared.strategies, shared.chosen, on_request=OTHERS)]
    judged = {name: one for part in parts for name, one in part.judged.items()}
    return Replayed(shared.protocol, parts[0].clicks, parts[0].seen, {name: judged[name] for name in names})
