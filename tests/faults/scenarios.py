"""One fault run: a load on fresh topics, what is done to its workers and its broker, and what must be true afterwards."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compare import Expected, Outputs, ends_of_inputs
from fleet import Applied, Fleet
from kafka import KafkaAdminClient
from load import TOPICS, Load
from proxy import Proxy

from schemas.topics import INPUTS
from streams import admin
from streams.clients import connect
from streams.replaying.recording import Line
from streams.replaying.replay import Placed

START = 30.0  # s in which all workers must own something
CATCH_UP = 45.0  # s after the last send, and as long as the load took besides, in which everything must be applied
QUIET = 5.5  # s: a row that was only shown is sent at most every 5 s, so that much later nothing waits any more
SETTLE = 30.0  # s in which the topics must say everything
SLOTS = "abcdef"
Figures = dict[str, Any]


class Run:
    """One load on fresh topics, the workers that take it, and the broker below them.

    `node` is the broker's folder, `folder` that of this run: disks of the workers (`disk` or `disk-SLOT`), the state store (`state`), logs.
    `load` is there once the workers own everything. What a scenario finds wrong goes into `wrong`, what it measured into `notes`, what is
    to be ended or undone after it into `ends`.
    """

    load: Load
    proxy: Proxy
    nodes: Mapping[int, Path]  # more brokers, by node id

    def __init__(
        self, fleet: Fleet, node: Path, folder: Path, *, bootstrap: str, partitions: int, records: Sequence[Placed], expected: Expected
    ) -> None:  # fmt: skip
        self.fleet, self.node, self.folder, self.bootstrap, self.partitions = fleet, node, folder, bootstrap, partitions
        self.records, self.expected, self.rng, self.applied = records, expected, random.Random(1), Applied(folder)
        self.sends_to = bootstrap  # what the load connects to
        self.moved = False  # the state was moved to other partitions: rows are compared as sums over all of them
        self.ordered = True  # each final comes before its amendments; but not when a topic lost its end, or searches move
        self.notes: dict[str, float] = {}
        self.wrong: list[str] = []
        self.ends = ExitStack()

    def send(self, part: slice, seconds: float) -> None:
        """Let a part of the LOG stream in; whatever was sent before it has arrived by then."""
        self.load = Load(self.sends_to, self.records[part], seconds)

    def sent(self) -> bool:
        return not self.load.is_alive()

    def all_applied(self) -> bool:
        return self.applied.look().next == ends_of_inputs(self.bootstrap, TOPICS, self.partitions)

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

    def must(self, what: str, true: Callable[[], bool], seconds: float) -> bool:
        """As `until`; what did not come true within `seconds` is wrong."""
        if came := self.until(true, seconds):
            return came
        self.wrong.append(f"{what}: not within {seconds:.0f} s")
        return False


@dataclass(frozen=True)
class Scenario:
    """`breaks` gets the run and the seconds the load takes; it has to end about when the load does."""

    name: str
    how: str
    seconds: float
    breaks: Callable[[Run, float], None]
    numbers: tuple[int, ...] = ()  # which faults of the list in docs/figures.md it makes
    workers: int = 2
    static: bool = True  # the broker knows the slots by name
    apart: bool = False  # each slot has a disk of its own, and all share a state store
    checkpoint_every: float = 4.0  # s
    environment: Mapping[str, str] = field(default_factory=dict)  # of every worker
    lines: Callable[[Sequence[Line]], Sequence[Line]] | None = None  # makes another LOG of the usual one; its digest is another one too
    partitions: int | None = None  # of all topics, when not as many as in the other scenarios
    share: float = 1.0  # how much of the LOG is sent at first; `breaks` sends the rest
    before: Callable[[Run], None] | None = None  # after the topics were made, before the first worker starts
    judge: Callable[[Run], list[str]] | None = None  # after everything was read and the workers have stopped: what else is wrong


def nothing(run: Run, seconds: float) -> None:
    """Undisturbed."""


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
    fleet = Fleet(
        bootstrap, folder, group=group, static=scenario.static, apart=scenario.apart, checkpoint_every=scenario.checkpoint_every,
        environment=scenario.environment,
    )  # fmt: skip
    run = Run(fleet, node, folder, bootstrap=bootstrap, partitions=partitions, records=records, expected=expected)
    with run.ends:
        try:
            if scenario.before:
                scenario.before(run)
            for slot in SLOTS[: scenario.workers]:
                fleet.start(slot)
            run.until(lambda: len([slot for slot in fleet.slots if fleet.owns(slot)]) == min(scenario.workers, partitions), START)
            run.send(slice(int(scenario.share * len(records))), seconds * scenario.share)
            scenario.breaks(run, seconds)
            figures = _judge(run, scenario, group=group, patience=CATCH_UP + seconds)
        finally:
            fleet.end()
    return {**_about(scenario), "ok": not figures["wrong"], **figures}


def broken(scenario: Scenario, why: str) -> Figures:
    """The figures of a scenario that could not be played to its end."""
    return {
        **_about(scenario), "ok": False, "wrong": [why], "records": 0, "state": "", "digest_equal": False, "lost": 0, "lag_zero_s": 0.0,
        "longest_pause_s": 0.0, "transactions": 0, "stops_s": [], "outputs": 0, "repeats": 0, "late": 0, "notes": {},
    }  # fmt: skip


def _about(scenario: Scenario) -> Figures:
    return {"scenario": scenario.name, "numbers": scenario.numbers, "how": scenario.how, "own_log": scenario.lines is not None}


def _judge(run: Run, scenario: Scenario, *, group: str, patience: float) -> Figures:
    fleet, applied, partitions, expected, wrong = run.fleet, run.applied, run.partitions, run.expected, list[str]()
    if not run.until(run.sent, 240.0) or run.load.failed:
        wrong.append(f"the load was not sent: {run.load.failed[:2]}")
    ends = ends_of_inputs(run.bootstrap, TOPICS, partitions)
    if not run.until(lambda: applied.look().next == ends, patience):
        wrong.append(f"not applied {patience:.0f} s after the last send: {_behind(applied.next, ends)} records")
    lag_zero = applied.last
    outputs, wanted = Outputs(run.bootstrap, partitions), expected.said.summed() if run.moved else expected.said

    def differences() -> list[str]:
        said = outputs.read()
        return (said.summed() if run.moved else said).differences(wanted, ordered=run.ordered)

    try:
        run.wait(max(0.0, lag_zero + QUIET - time.time()))
        run.until(lambda: not differences(), SETTLE)
        if behind := _behind(_committed(run.bootstrap, group), ends):
            wrong.append(f"lag of the group is {behind}, not 0")
        began = len(fleet.stops)
        fleet.stop_all()
        wrong += differences()
    finally:
        outputs.close()
    state, unsent = fleet.left(partitions)
    wrong += [f"digest of {part} differs" for part in expected.digest if state.get(part) != expected.digest[part]]
    if outputs.counts["contradictions"]:
        wrong.append(f"{outputs.counts['contradictions']} messages of one id differ, or lie in a partition that is not their source")
    wrong += scenario.judge(run) if scenario.judge else []
    return {
        "wrong": wrong + unsent + fleet.unexpected + run.wrong, "records": len(run.records), "state": state["state"],
        "digest_equal": state == expected.digest, "lost": outputs.said.lost(expected.said) + _behind(applied.next, ends),
        "lag_zero_s": round(max(0.0, lag_zero - run.load.ended), 1), "longest_pause_s": round(applied.longest_pause(), 1),
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
