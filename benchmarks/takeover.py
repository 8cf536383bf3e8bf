"""How long a large partition takes to move: `python -m benchmarks.takeover --rows 1000000 --ids 50000 1000000`.

A partition with so many memory rows and known ids is made by commits of made-up changes, in 50 transactions, the last of which was sent
to its topics lately; and some open searches through the kernel. Its checkpoint goes to a state store folder. Then, for each number of ids:

* step by step, on an empty disk: find, fetch, open, restore the kernel, own (epoch, what is sent again), the first transaction;
* one compaction and checkpoint after more searches, and how long the event loop stood still meanwhile;
* with processes: a worker owns it and applies live searches; it is killed; until another worker, on a disk of its own, has applied.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.applied import Applied
from benchmarks.processes import running, start, stop
from benchmarks.soak_load import pages
from benchmarks.throughput import ends
from memory_index.counts import WIDTH
from ops import broker
from schemas.topics import ACTIONS, IMPRESSIONS
from streams.admin import create_topics
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owner import Owner
from streams.faust_app.owners import Owners
from streams.kernel.changes import INPUTS, Changes, Record, SavedId
from streams.kernel.join import RULES
from streams.moving.reach import Reach
from streams.moving.topics import Topics
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore

COMMITS = 50
OPEN = 5_000  # searches whose window has not passed
MORE = 2_000  # searches applied before the compaction that is timed
RATE = 100.0  # live searches a second while processes are killed
WARM = 15.0  # s of live searches before the kill
LIMIT = 300.0
INPUT_TOPICS = (IMPRESSIONS.name, ACTIONS.name)


@dataclass
class Clock:
    """Seconds by step, in order."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.steps[name] = time.perf_counter() - began


def made(path: Path, topics: Topics, *, rows: int, ids: int, now: int, partition: int = 0) -> None:
    """A partition's file, compacted, as an owner left it that had sent all but the last commit more than 10 min ago. `now` (ms): the rows
    are of the 30 days before, the ids of the 24 hours."""
    rng, clock = random.Random(partition), _now()
    with PartitionStore.open(path, partition, topics.partitions) as store:
        store.check_topics(topics.inputs)
        store.meet_outputs(topics.outputs)
        nothing = dict.fromkeys(INPUTS, 0)
        for number in range(COMMITS):
            first, after = rows * number // COMMITS, rows * (number + 1) // COMMITS
            seen = ids * (number + 1) // COMMITS - ids * number // COMMITS
            store.commit(Changes(
                memory=dict(_row(rng, one, now) for one in range(first, after)), ids=[_id(rng, now) for _ in range(seen)], next=nothing,
                times=nothing,
            ))  # fmt: skip
            if number == COMMITS - 2:
                store.mark_sent(store.seq, clock - 11 * 60_000)
        store.mark_sent(store.seq, clock)
        store.compact(RULES, clock)


def _row(rng: random.Random, number: int, now: int) -> tuple[tuple[str, str, str, int], tuple[list[int], frozenset[int]]]:
    counts = [0] * WIDTH
    for _ in range(rng.randint(1, 4)):
        counts[rng.randrange(WIDTH)] += rng.randint(1, 9)
    clients = frozenset(rng.getrandbits(63) for _ in range(rng.choice((0, 0, 0, 1, 2))))
    key = (
        f"words of query {number // 20}",
        "",
        f"product-{rng.randrange(50_000):06d}-{number % 20}",
        now // 86_400_000 - rng.randrange(30),
    )
    return key, (counts, clients)


def _id(rng: random.Random, now: int) -> SavedId:
    return SavedId(now // 3_600_000 - rng.randrange(24), rng.randbytes(16), rng.getrandbits(63))


def records(count: int, *, first: int) -> list[Record]:
    """Impressions of new searches, from offset `first` on."""
    rng, now, run = random.Random(first), _now(), os.urandom(4).hex()
    templates = pages(rng)
    names = [f"{run}{number:024x}" for number in range(count)]
    return [Record("impressions", first + at, now, rng.choice(templates).at(name, now), name.encode()) for at, name in enumerate(names)]


def steps(folder: Path, state: StateStore, topics: Topics) -> dict[str, float]:
    """Seconds of each step of a takeover on an empty disk, by the calls that a worker makes, and the same in one call of `Owners`."""
    clock, path = Clock(), folder / "partition-0.duckdb"
    folder.mkdir()
    with clock.step("find the newest checkpoint"):
        best = state.best(0, topics.inputs)[0]
    with clock.step("fetch, sha256"):
        state.fetch(best, path)
    with clock.step("open"):
        store = PartitionStore.open(path, 0, 1)
    with clock.step("restore the kernel"):
        kernel = store.kernel(RULES)
    del kernel
    now = _now()
    with clock.step("own: the kernel again, epoch, what is sent again"):
        owner = Owner(store, RULES, now=now)
    batch = records(100, first=owner.next["impressions"])
    with clock.step("first transaction (100 searches)"):
        owner.apply(batch, now)
    with clock.step("first round to send"):
        sent = len(list(owner.take(now)))
    clock.steps["messages in it (number)"] = sent
    with clock.step("close"):
        owner.close()
    return clock.steps


async def checkpointed(folder: Path, state: Path, topics: Topics) -> dict[str, float]:
    """A worker's own call: takeover of the partition, MORE searches, compaction and checkpoint, with the loop's longest standstill."""
    clock, config = Clock(), WorkerConfig("", folder, RULES, state_store=str(state), instance="bench")
    owners, reach = Owners(config, topics), {topic: Reach(0, 2**40) for topic in INPUTS}
    with clock.step("takeover, whole"):
        await owners.own({0}, {0: reach})
    now = _now()
    batches = records(MORE, first=owners[0].next["impressions"])
    for at in range(0, MORE, 200):
        owners[0].apply(batches[at : at + 200], now)
    longest, ended = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not ended:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - began)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    with clock.step("compaction and checkpoint"):
        await owners.checkpoint()
    ended = True
    await watching
    owners.release(set(owners))
    return clock.steps | {"the event loop stood still for": longest}


def killed(folder: Path, bootstrap: str, state: Path) -> dict[str, float]:
    """Seconds from SIGKILL of the owner to the other worker's ownership and its first transaction, under live searches."""
    logs = {slot: folder / f"{slot}.log" for slot in ("a", "b")}
    with ExitStack() as stack:
        workers = {}
        for slot, log in logs.items():
            given = json.dumps({"instance": f"take-{slot}", "group": folder.name, "state_store": str(state)})
            workers[slot] = start("benchmarks.worker", [bootstrap, str(folder / slot), given], log)
            stack.callback(stop, workers[slot])
        stack.enter_context(running("benchmarks.soak_load", [bootstrap, str(RATE)], folder / "load.log"))
        applied = {slot: Applied() for slot in logs}
        _wait(lambda: next((slot for slot in logs if applied[slot].look(logs[slot]).transactions), None), logs)
        time.sleep(WARM)
        owner = max(logs, key=lambda slot: max((one.at for one in applied[slot].look(logs[slot]).transactions), default=0.0))
        other = "a" if owner == "b" else "b"
        at = time.time()
        workers[owner].kill()
        _wait(lambda: any(one.began > at for one in applied[other].look(logs[other]).transactions) or None, logs)
        first = min(one.at for one in applied[other].transactions if one.began > at)
        _wait(lambda: _caught_up(applied[other].look(logs[other]), bootstrap) or None, logs)
        caught_up, opening = time.time() - at, re.findall(r"partition 0 owned: .*, ([\d.]+) s", logs[other].read_text(errors="replace"))
        return {
            "SIGKILL to the first transaction": first - at, "of it fetching and opening (the rest: session, rebalance)": float(opening[-1]),
            "SIGKILL to no lag": caught_up,
        }  # fmt: skip


def _caught_up(applied: Applied, bootstrap: str) -> bool:
    return applied.behind(ends(bootstrap, *INPUT_TOPICS, partitions=1), INPUT_TOPICS) <= 3 * RATE


def _wait(done, logs: Mapping[str, Path]):  # type: ignore[no-untyped-def]
    end = time.monotonic() + LIMIT
    while (found := done()) is None:
        if time.monotonic() > end:
            raise SystemExit("\n".join(log.read_text(errors="replace")[-1_500:] for log in logs.values()))
        time.sleep(0.05)
    return found


def run(folder: Path, *, rows: int, ids: int) -> dict[str, float]:
    """One partition of that size: seconds by step, and sizes in MB."""
    with ExitStack() as stack:
        bootstrap = broker.start(folder / "kafka")
        stack.callback(broker.stop, folder / "kafka")
        create_topics(bootstrap, 1)
        topics, path, state = Topics.of(bootstrap), folder / "made" / "partition-0.duckdb", folder / "state"
        path.parent.mkdir()
        clock = Clock()
        with clock.step("(made in)"):
            made(path, topics, rows=rows, ids=ids, now=_now())
        figures = {"file MB": path.stat().st_size / 2**20}
        store = StateStore.at(str(state))
        with clock.step("checkpoint written"):
            _write(store, path)
        figures |= clock.steps | killed(_made(folder / "killed"), bootstrap, state)  # its log has nothing that was not applied
        shutil.rmtree(state)
        with PartitionStore.open(path, 0, 1) as one:  # from here on without a log: OPEN searches wait
            owner = Owner(one, RULES, now=_now())
            for number in range(0, OPEN, 500):
                owner.apply(records(500, first=number), _now())
            owner.compact(_now())
        _write(store := StateStore.at(str(state)), path)
        figures["file MB with open searches"] = path.stat().st_size / 2**20
        figures |= steps(folder / "steps", store, topics)
        return figures | asyncio.run(checkpointed(folder / "checkpointed", state, topics))


def _write(state: StateStore, path: Path) -> None:
    with PartitionStore.open(path, 0, 1) as store:
        about = Checkpoint(0, store.epoch, store.next_offsets(), "bench", store.topic_ids(), 1)
    state.write(path, about)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ids", type=int, nargs="+", default=[50_000, 1_000_000])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {}
    for ids in given.ids:
        with tempfile.TemporaryDirectory() as folder:
            found[ids] = run(Path(folder), rows=given.rows, ids=ids)
    if given.json:
        return print(json.dumps({"rows": given.rows, "by_ids": found}, indent=1))
    print(f"{given.rows:,} memory rows, {OPEN:,} open searches; seconds unless said otherwise")
    print(f"{'':<56}" + "".join(f"{f'{ids:,} ids':>16}" for ids in found))
    for name in next(iter(found.values())):
        print(f"{name:<56}" + "".join(f"{one[name]:>16,.3f}" for one in found.values()))
    return None


if __name__ == "__main__":
    main()
