"""Erasing from the data folder of an embedded loop. Its log is a table of ours: there the events themselves go, and the state is made anew
from what is left."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree

from memory_index.erasure import erase_outcomes
from memory_index.outcome_log import OutcomeLog
from schemas.codec import decode_event, encode
from schemas.errors import InvalidMessage, InvalidSetting, NotFound
from schemas.events import Action, Impression, Tick
from schemas.outcomes import Outcome
from streams.embedded.driver import EmbeddedDriver
from streams.embedded.log import SqliteLog
from streams.erasing.eraser import accept, finish
from streams.kernel.changes import INPUTS, Input
from streams.kernel.join import Rules, person
from streams.partition_store import PartitionStore

BATCH = 1_000
_TICK = encode(Tick())
Progress = Callable[[int, int], None]


def erase_folder(folder: Path, people: Mapping[int, int], rules: Rules, *, progress: Progress = lambda done, total: None) -> int:
    """Erase people (keyed hash -> until, ms) from log, state and outcomes; returns how many events went, each now a tick at its time.

    Cut off, it is to be run again: what was done is not done twice. Raises NotFound; InvalidSetting when the folder has
    another key for people; Unavailable while a loop runs on it.
    """
    if not (folder / "log.sqlite").is_file():
        raise NotFound(f"{folder} holds no log.sqlite; give the data folder of an embedded loop, or leave --folder out for Kafka")
    known = _settle(folder, rules)
    _check_key(folder, rules)
    everybody = {client: max(people.get(client, -1), known.get(client, -1)) for client in people.keys() | known.keys()}
    anew = folder / "erasing"
    rmtree(anew, ignore_errors=True)
    anew.mkdir()
    log = _log(folder)
    try:
        forgotten = _rebuild(anew, log, everybody, rules, progress)
        gone = _blank(log, everybody, forgotten, rules)
    finally:
        log.close()
    erase_outcomes(folder / "outcomes", {f"{client:016x}": until for client, until in everybody.items()})
    for path in sorted(anew.glob("*.duckdb")):
        os.replace(path, folder / path.name)
    rmtree(anew)
    return gone


def _settle(folder: Path, rules: Rules) -> dict[int, int]:
    """Who was erased before; what waits goes to the outcome log."""
    known: dict[int, int] = {}
    for number in range(partitions := _partitions(folder)):
        with PartitionStore.open(folder / f"partition-{number}.duckdb", number, partitions) as store:
            for one in store.erasings():
                known[one.client] = max(one.until, known.get(one.client, -1))
    EmbeddedDriver(rules, folder=folder, partitions=partitions).close()
    return known


def _check_key(folder: Path, rules: Rules) -> None:
    for one in OutcomeLog(folder / "outcomes").scan(lambda *_: True):
        if isinstance(one, Outcome):
            if one.client != f"{person(one.pages[0], rules):016x}":
                raise InvalidSetting(f"FORAGE_CLIENT_KEY is not the key that people in {folder} are hashed with; set it to that one")
            return


def _partitions(folder: Path) -> int:
    return len(list(folder.glob("partition-*.duckdb")))


def _log(folder: Path) -> SqliteLog:
    return SqliteLog(folder / "log.sqlite", _partitions(folder))


def _rebuild(anew: Path, log: SqliteLog, people: Mapping[int, int], rules: Rules, progress: Progress) -> dict[str, int]:
    """Stores without these people in `anew`; their searches, with the time since which their events go."""
    forgotten: dict[str, int] = {}
    done, total = 0, sum(log.end(topic, number) for topic in INPUTS for number in range(log.partitions))
    with ExitStack() as opened:
        for number in range(log.partitions):
            path = anew / f"partition-{number}.duckdb"
            store = opened.enter_context(PartitionStore.open(path, number, log.partitions))
            kernel = store.kernel(rules)
            accept(store, kernel, people)
            while records := [one for topic in INPUTS for one in log.read(topic, number, kernel.next[topic], BATCH)]:
                changes = kernel.apply(records)
                for search, since in changes.forgotten.items():
                    forgotten[search] = min(since, forgotten.get(search, since))
                changes.outgoing.clear()  # outcomes are in their log, what was sent on is in this one
                store.commit(changes)
                progress(done := done + len(records), total)
            store.compact(rules, 0)
            store.purge(0)
            finish(store, kernel, store.erasings(busy=True), now=0)
    return forgotten


def _blank(log: SqliteLog, people: Mapping[int, int], forgotten: Mapping[str, int], rules: Rules) -> int:
    places: list[tuple[Input, int, int]] = []
    for topic in INPUTS:
        for number in range(log.partitions):
            start = time = 0
            while records := log.read(topic, number, start, BATCH):
                for one in records:
                    time = max(time, one.time)
                    if _theirs(one.value, time, people, forgotten, rules):
                        places.append((topic, number, one.offset))
                start = records[-1].offset + 1
    log.replace(places, _TICK)
    return len(places)


def _theirs(value: bytes | None, time: int, people: Mapping[int, int], forgotten: Mapping[str, int], rules: Rules) -> bool:
    try:
        event = decode_event(value)
    except InvalidMessage:
        return False
    if not isinstance(event, Impression | Action):
        return False
    if time >= forgotten.get(event.search_id, time + 1):
        return True
    return isinstance(event, Impression) and min(time, event.ts) <= people.get(person(event, rules), -1)
