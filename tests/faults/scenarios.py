"""What is done to the workers and to the broker while the LOG streams in, and what must be true afterwards."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import Expected, Outputs, ends_of_inputs
from fleet import Applied, Fleet
from kafka import KafkaAdminClient
from load import TOPICS, Load

from ops import broker
from schemas.topics import INPUTS
from streams import admin
from streams.clients import connect
from streams.replaying.replay import Placed

START = 30.0  # s in which all workers must own something
CATCH_UP = 45.0  # s after the last send, and as long as the load took besides, in which everything must be applied
QUIET = 5.5  # s: a row that was only shown is sent at most every 5 s, so that much later nothing waits any more
SETTLE = 30.0  # s in which the topics must say everything
Figures = dict[str, Any]


class Run:
    """One load on fresh topics, the workers that take it, and the broker below them."""

    def __init__(self, fleet: Fleet, node: Path, folder: Path, *, partitions: int) -> None:
        self.fleet, self.node, self.partitions, self.rng = fleet, node, partitions, random.Random(1)
        self.applied = Applied(folder)
        self.notes: dict[str, float] = {}

    def wait(self, seconds: float) -> None:
        """Let time pass; workers that ended by themselves are started again, and counted."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(0.2, left))
            self.fleet.look_after()

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                return False
            self.wait(0.2)
        return True


@dataclass(frozen=True)
class Scenario:
    """`breaks` gets the run and the seconds the load takes; it has to end about when the load does."""

    name: str
    how: str
    seconds: float
    breaks: Callable[[Run, float], None]
    workers: int = 2
    static: bool = True
    apart: bool = False
    poison: bool = False


def nothing(run: Run, seconds: float) -> None:
    """Undisturbed."""


def kills(run: Run, seconds: float, *, count: int = 20) -> None:
    for _ in range(count):
        run.wait(seconds / count * run.rng.uniform(0.3, 1.7))
        slot = run.rng.choice(run.fleet.slots)
        run.fleet.kill(slot)
        run.fleet.start(slot)


def joins_and_leaves(run: Run, seconds: float) -> None:
    for joins, leaves in (("b", ""), ("cd", ""), ("", "ac"), ("", "d")):
        run.wait(seconds / 5)
        for slot in joins:
            run.fleet.start(slot)
        for slot in leaves:
            run.fleet.stop(slot)


def sigterms(run: Run, seconds: float) -> None:
    for nth in range(6):
        run.wait(seconds / 7)
        slot = "ab"[nth % 2]
        run.until(lambda slot=slot: run.fleet.applies(slot), 15.0)
        run.fleet.stop(slot)
        run.fleet.start(slot)


def zombie(run: Run, seconds: float) -> None:
    run.wait(seconds / 4)
    run.fleet.freeze("a")
    run.wait(12.0)
    run.fleet.thaw("a")


def broker_stop(run: Run, seconds: float) -> None:
    run.wait(seconds / 3)
    broker.stop(run.node)
    run.wait(10.0)
    _start_broker(run)


def broker_kill(run: Run, seconds: float) -> None:
    run.wait(seconds / 3)
    broker.kill(run.node)
    _start_broker(run)


def _start_broker(run: Run) -> None:
    broker.start(run.node)
    up = time.time()
    if run.until(lambda: run.applied.look().last > up, 30.0):
        run.notes["seconds from the broker's start to the next transaction"] = min(at for at in run.applied.times if at > up) - up


def takeover(run: Run, seconds: float) -> None:
    run.wait(seconds / 2)
    run.until(lambda: run.fleet.kept() == run.partitions, 10.0)
    run.fleet.kill("a")
    run.fleet.start("a", disk="disk-new")
    run.until(lambda: run.fleet.logged(b"took checkpoint") > 0, 30.0)
    run.notes["checkpoints taken"] = run.fleet.logged(b"took checkpoint")
    if not run.notes["checkpoints taken"]:
        run.fleet.unexpected.append("the empty disk took no checkpoint")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("undisturbed-1", "one worker", 12, nothing, workers=1),
    Scenario("undisturbed-2", "two workers", 12, nothing),
    Scenario("undisturbed-4", "four workers", 12, nothing, workers=4),
    Scenario("kills", "20 SIGKILLs over two workers, started again at once", 38, kills),
    Scenario("joins-leaves", "workers 1, 2, 4, 2, 1, without names of their own", 32, joins_and_leaves, workers=1, static=False),
    Scenario("sigterms", "6 SIGTERMs over two workers, started again at once", 26, sigterms),
    Scenario("zombie", "one of two workers frozen for 12 s; both use one disk", 24, zombie),
    Scenario("zombie-apart", "the same, each with a disk of its own and one state store", 24, zombie, apart=True),
    Scenario("broker-stop", "the broker stopped, 10 s away, started", 26, broker_stop),
    Scenario("broker-kill", "the broker killed and started", 20, broker_kill),
    Scenario("takeover", "one of two workers lost with its disk; its slot goes on from the state store", 20, takeover, apart=True),
    Scenario("poison", "two workers, the worst messages in both inputs", 12, nothing, poison=True),
)


def play(
    scenario: Scenario, records: Sequence[Placed], expected: Expected, *, node: Path, bootstrap: str, folder: Path, partitions: int,
    slower: float = 1.0,
) -> Figures:  # fmt: skip
    """Run a scenario on topics made anew; its figures, `wrong` among them: what was not as it must be.

    `slower` stretches it for a long LOG.
    """
    admin.delete_topics(bootstrap)
    admin.create_topics(bootstrap, partitions, time="CreateTime")
    seconds = scenario.seconds * slower
    group = f"faults-{scenario.name}-{time.time_ns():x}"
    fleet = Fleet(bootstrap, folder, group=group, static=scenario.static, apart=scenario.apart)
    try:
        for slot in "abcd"[: scenario.workers]:
            fleet.start(slot)
        run = Run(fleet, node, folder, partitions=partitions)
        run.until(lambda: all(fleet.owns(slot) for slot in fleet.slots), START)
        load = Load(bootstrap, records, seconds)
        scenario.breaks(run, seconds)
        figures = _judge(run, load, expected, bootstrap=bootstrap, group=group, patience=CATCH_UP + seconds)
    finally:
        fleet.end()
    return {"scenario": scenario.name, "how": scenario.how, "ok": not figures["wrong"], **figures}


def _judge(run: Run, load: Load, expected: Expected, *, bootstrap: str, group: str, patience: float) -> Figures:
    fleet, applied, partitions, wrong = run.fleet, run.applied, run.partitions, list[str]()
    if not run.until(lambda: not load.is_alive(), 240.0) or load.failed:
        wrong.append(f"the load was not sent: {load.failed[:2]}")
    ends = ends_of_inputs(bootstrap, TOPICS, partitions)
    if not run.until(lambda: applied.look().next == ends, patience):
        wrong.append(f"not applied {patience:.0f} s after the last send: {_behind(applied.next, ends)} records")
    lag_zero = applied.last
    outputs = Outputs(bootstrap, partitions)
    try:
        run.wait(max(0.0, lag_zero + QUIET - time.time()))
        run.until(lambda: not outputs.read().differences(expected.said), SETTLE)
        if behind := _behind(_committed(bootstrap, group), ends):
            wrong.append(f"lag of the group is {behind}, not 0")
        began = len(fleet.stops)
        fleet.stop_all()
        outputs.read()
        wrong += outputs.said.differences(expected.said)
    finally:
        outputs.close()
    state, unsent = fleet.left(partitions)
    wrong += [f"digest of {part} differs" for part in expected.digest if state.get(part) != expected.digest[part]]
    if outputs.counts["contradictions"]:
        wrong.append(f"{outputs.counts['contradictions']} messages of one id differ, or lie in a partition that is not their source")
    return {
        "wrong": wrong + unsent + fleet.unexpected, "records": load.sent, "state": state["state"],
        "lag_zero_s": round(max(0.0, lag_zero - load.ended), 1), "longest_pause_s": round(applied.longest_pause(), 1),
        "transactions": len(applied.times), "stops_s": [round(one, 1) for one in fleet.stops[:began] or fleet.stops],
        "outputs": outputs.counts["records"], "repeats": outputs.counts["repeats"], "late": outputs.counts["late"],
        "notes": {name: round(value, 1) for name, value in run.notes.items()},
    }  # fmt: skip


def _committed(bootstrap: str, group: str) -> dict[int, tuple[int, int]]:
    """What lag monitors see: the group's offsets of both inputs, by partition."""
    client: Any = connect(KafkaAdminClient, bootstrap)
    offsets = {(tp.topic, tp.partition): one.offset for tp, one in client.list_group_offsets(group)[group].items()}
    client.close()
    numbers = {number for _, number in offsets}
    return {number: (offsets.get((INPUTS[0].name, number), 0), offsets.get((INPUTS[1].name, number), 0)) for number in numbers}


def _behind(at: Mapping[int, tuple[int, int]], ends: Mapping[int, tuple[int, int]]) -> int:
    return sum(max(0, sum(end) - sum(at.get(number, (0, 0)))) for number, end in ends.items())
