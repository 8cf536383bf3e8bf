"""More partitions for a run: topics grow in place, state follows. Every step may be cut off; the same command goes on where it was.

    plan      whose state is newest, whether it holds all of the log
    spread    files of M partitions, in a folder of their own, which gets its name when all of them are whole
    grow      the topics, inputs last
    install   the files take their places: in the state store, or in the workers' folder; old ones stay under other names

Until the topics have grown, spread files are thrown away and made anew; from then on no worker goes on with the old ones.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InvalidSetting, NotFound, PartitionMismatch, StaleLog, Unavailable
from streams.kernel.changes import INPUTS, TOPIC_OF, Input
from streams.kernel.join import RULES, Rules
from streams.moving.spreading import file_of, spread
from streams.partition_store import PartitionStore
from streams.replaying.stored_replay import open_any
from streams.state_store import Checkpoint, StateStore

Ends = Mapping[int, Mapping[Input, int]]  # by partition, where each input ends
OWNER = "migrate"


@dataclass(frozen=True)
class Source:
    """Where the newest state of a partition is: a worker's file, or a checkpoint."""

    partition: int
    partitions: int
    next: Mapping[Input, int]
    topic_ids: Mapping[str, str]
    place: Path | Checkpoint

    @property
    def applied(self) -> int:
        return sum(self.next.values())

    @property
    def where(self) -> str:
        return str(self.place) if isinstance(self.place, Path) else f"checkpoint {self.place.name}"


@dataclass(frozen=True)
class Plan:
    """What `carry_out` does. `unread`: how many records of a partition no state has; `grown`: whether the topics have grown already."""

    before: int
    after: int
    sources: Sequence[Source]
    unread: Mapping[str, int]
    grown: bool

    def lines(self) -> list[str]:
        """The plan for people."""
        if not self.sources:
            return ["the state is spread already and the topics began to grow: go on from there"]
        from_ = [f"partition {one.partition}: {one.where}, next {dict(one.next)}" for one in self.sources]
        grow = "the topics have grown already" if self.grown else f"grow the topics from {self.before} to {self.after} partitions"
        return [*from_, grow, f"spread the state over {self.after} partitions: sums stay, open searches move, ids go everywhere"]


def plan(
    partitions: int, *, folders: Sequence[Path], state: StateStore | None, counts: Mapping[str, int], ids: Mapping[str, str], ends: Ends,
    with_unread: bool = False,
) -> Plan | None:  # fmt: skip
    """None when everything has that many partitions already.

    `counts`: partitions of each topic as it is now; `ids`: of the inputs. Raises InvalidSetting for fewer partitions, NotFound when a
    partition's state is missing, StaleLog when it does not fit the topics, PartitionMismatch when records are unread, Unavailable while a
    worker has a file open.
    """
    if absent := [str(folder) for folder in folders if not folder.is_dir()]:
        raise NotFound(f"{', '.join(absent)}: no such folder; give --folder for each worker's, copied here if it is elsewhere")
    if larger := {name: count for name, count in counts.items() if count > partitions}:
        raise InvalidSetting(
            f"topics have more than {partitions} partitions already ({larger}) and Kafka takes none away; for fewer, replay a recorded log "
            "into new topics (docs/moving.md)"
        )
    if state is None and len(folders) != 1:
        raise InvalidSetting(
            f"{len(folders)} folders and no state store: nobody knows which worker will get which partition; give the one folder that all "
            "workers of this host share, or set FORAGE_STATE_STORE"
        )
    grown = any(counts.get(TOPIC_OF[topic]) == partitions for topic in INPUTS)
    if grown and _made(folders, partitions).exists():
        return Plan(0, partitions, (), {}, True)
    found = [*_local(folders), *(_kept(state, ids) if state is not None else ())]
    if grown and {one.partition for one in found if one.partitions == partitions} == set(range(partitions)):
        return None
    if not (old := [one for one in found if one.partitions < partitions]):
        if not found:
            raise NotFound(f"no state in {', '.join(map(str, folders))} or the state store; give --folder, or FORAGE_STATE_STORE")
        raise NotFound(f"the state of some of {partitions} partitions is in no folder given; give --folder for each worker's")
    before = max(one.partitions for one in old)
    newest = {one.partition: one for one in sorted(old, key=lambda one: one.applied) if one.partitions == before}
    if missing := set(range(before)) - newest.keys():
        raise NotFound(f"of {before} partitions the state of {sorted(missing)} is in no folder given; give --folder for each worker's")
    sources = [newest[number] for number in range(before)]
    for one in sources:
        if wrong := sorted(name for name in ids if one.topic_ids.get(name, ids[name]) != ids[name]):
            raise StaleLog(
                f"the state of partition {one.partition} belongs to a {wrong[0]} that was deleted; it cannot be moved to this one"
            )
    unread = _unread(sources, ends)
    if unread and not grown and not with_unread:
        raise PartitionMismatch(
            f"{sum(unread.values())} records are not applied yet ({', '.join(unread)}): start the workers until nothing is behind, stop "
            "them and run this again; or give --folder for the folder of each one's last worker, copied here if it is elsewhere; or give "
            "--with-unread: then these records count as if they came now, and what is too late by that is "
            "quarantined"
        )
    return Plan(before, partitions, sources, unread, grown)


def carry_out(
    plan: Plan, *, folders: Sequence[Path], state: StateStore | None, grow: Callable[[int], None], rules: Rules = RULES,
    tell: Callable[[str], None] = lambda text: None,
) -> None:  # fmt: skip
    """Do it, or go on with it. `grow` makes the topics grow to so many partitions, and returns when they have. Raises Unavailable while a
    worker has a file open, OSError when a disk is full: then run it again."""
    making, made = folders[0] / f"migrating-{plan.after}", _made(folders, plan.after)
    shutil.rmtree(making, ignore_errors=True)
    if not plan.grown:
        shutil.rmtree(made, ignore_errors=True)
    if not made.exists():
        making.mkdir(parents=True)
        for one in plan.sources:
            tell(f"partition {one.partition} is copied")
            _copy(one, file_of(making, one.partition), state)
        tell(f"state is spread over {plan.after} partitions")
        spread(making, before=plan.before, after=plan.after, rules=rules)
        os.rename(making, made)
    tell(f"topics grow to {plan.after} partitions")
    grow(plan.after)
    tell("the new state takes its place")
    if state is not None:
        for number in range(plan.after):
            _keep(file_of(made, number), number, plan.after, state)
        for folder in folders:
            for path in folder.glob("partition-*.duckdb"):
                _set_aside(path, plan.after)
    else:
        for number in range(plan.after):
            if (new := file_of(made, number)).exists():
                _set_aside(file_of(folders[0], number), plan.after)
                os.replace(new, file_of(folders[0], number))
    shutil.rmtree(made)


def _local(folders: Sequence[Path]) -> list[Source]:
    found = []
    for path in (path for folder in folders for path in sorted(folder.glob("partition-*.duckdb"))):
        try:
            with open_any(path) as store:
                if waiting := store.erasings(busy=True):
                    raise Unavailable(
                        f"{len(waiting)} erasures are not done yet in {path}; let the workers finish them (`forage erase --status`), then "
                        "run this again"
                    )
                found.append(Source(store.partition, store.partitions, store.next_offsets(), store.topic_ids(), path))
        except NotFound:  # a file that applied nothing
            continue
    return found


def _kept(state: StateStore, ids: Mapping[str, str]) -> list[Source]:
    return [
        Source(one.partition, one.partitions, one.next, one.topic_ids, one)
        for number in state.partitions()
        for one in state.best(number, ids)
    ]


def _made(folders: Sequence[Path], partitions: int) -> Path:
    """Where spread files wait for their places, all of them whole."""
    return folders[0] / f"migrated-{partitions}"


def _unread(sources: Sequence[Source], ends: Ends) -> dict[str, int]:
    left = {f"{TOPIC_OF[topic]}-{one.partition}": ends[one.partition][topic] - one.next[topic] for one in sources for topic in INPUTS}
    if lost := [name for name, count in left.items() if count < 0]:
        raise StaleLog(f"{', '.join(lost)}: the log ends before what the state has applied; start a worker, it says what to do")
    return {name: count for name, count in left.items() if count}


def _copy(source: Source, path: Path, state: StateStore | None) -> None:
    if isinstance(source.place, Path):
        with open_any(source.place) as store:  # nobody else has it
            store.checkpoint()
            shutil.copyfile(source.place, path)
    elif state is not None:
        state.fetch(source.place, path)


def _keep(path: Path, number: int, partitions: int, state: StateStore) -> None:
    with PartitionStore.open(path, number, partitions) as store:
        about = Checkpoint(number, store.epoch, store.next_offsets(), OWNER, store.topic_ids(), partitions)
        store.checkpoint()
        state.write(path, about)


def _set_aside(path: Path, partitions: int) -> None:
    if path.exists():
        os.replace(path, f"{path}.before-{partitions}")
