"""Faults 1 to 6: workers are killed, stopped, frozen, starved of memory, and their clocks step."""

import signal

from scenarios import Run, Scenario, nothing

# Where a worker dies, and at the how-maniest time: never the first, so that there is something to lose.
POINTS = {
    "before-transaction": 4, "in-transaction": 12, "in-commit": 5, "after-commit": 4, "between-acknowledgements": 7, "before-mark": 5,
    "in-compaction": 3, "in-checkpoint": 3, "in-copy": 2, "in-manifest": 2, "before-rename": 2,
}  # fmt: skip


def kills(run: Run, seconds: float, *, count: int = 20) -> None:
    for _ in range(count):
        run.wait(seconds / count * run.rng.uniform(0.3, 1.7))
        slot = run.rng.choice(run.fleet.slots)
        run.fleet.kill(slot)
        run.fleet.start(slot)


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


def takeover(run: Run, seconds: float) -> None:
    run.wait(seconds / 2)
    run.until(lambda: run.fleet.kept() == run.partitions, 10.0)
    run.fleet.kill("a")
    run.fleet.start("a", disk="disk-new")
    run.must("the empty disk takes a checkpoint", lambda: run.fleet.logged(b"took checkpoint") > 0, 30.0)
    run.notes["checkpoints taken"] = run.fleet.logged(b"took checkpoint")


def kill_points(run: Run, seconds: float) -> None:
    """At each point in turn one worker of two dies while a part of the LOG comes in, and its successor goes on; the last one lost its disk
    before."""
    part, at, under_load = len(run.records) // (len(POINTS) + 1), 0, 0
    run.must("every partition has a checkpoint", lambda: run.fleet.kept() == run.partitions, 20.0)
    for nth, (point, times) in enumerate(POINTS.items()):
        slot, disk, ended = "ab"[nth % 2], "disk-new" if point == "before-rename" else "", len(run.fleet.ended)
        run.fleet.kill(slot)
        run.fleet.start(slot, disk=disk, environment={"FAULT": f"{point}:{times}"})
        run.fleet.expect_end(slot)
        run.must("the load goes on", run.sent, 30.0)
        if not disk:  # it dies when it has taken its partitions, not before
            run.must(f"{slot} owns", lambda slot=slot: run.fleet.owns(slot), 30.0)
        at += run.load.sent
        run.send(slice(at, at + part if nth + 1 < len(POINTS) else None), seconds / len(POINTS))
        run.must(f"SIGKILL at {point}", lambda ended=ended: len(run.fleet.ended) > ended, 30.0)
        under_load += not run.sent()
    hit = [point for point in POINTS if run.fleet.logged(b"fault point: %s\n" % point.encode()) == 1]
    run.wrong += [f"the point {point} was not come to" for point in POINTS if point not in hit]
    run.wrong += [f"{slot} ended with {code}, not by SIGKILL" for slot, code in run.fleet.ended if code != -signal.SIGKILL]
    run.notes["exact points at which a worker died"] = len(hit)
    run.notes["of these while the load ran"] = under_load


def out_of_memory(run: Run, seconds: float) -> None:
    """Twice a worker gets no more memory from its first batch on (RLIMIT_AS); then the kernel's way: SIGKILL when it has grown."""
    for slot in "ab":
        run.wait(seconds / 6)
        run.fleet.kill(slot)
        run.fleet.start(slot)
        run.must(f"{slot} applies", lambda slot=slot: run.fleet.applies(slot), 20.0)
        run.fleet.expect_end(slot)
        ended = len(run.fleet.ended) + 1
        run.fleet.limit_memory(slot)
        run.must(f"{slot} ends without memory", lambda ended=ended: len(run.fleet.ended) == ended, 30.0)
    grown = run.fleet.resident("a")
    run.until(lambda: run.fleet.resident("a") > grown + 4_000, 10.0)
    run.fleet.kill("a")
    run.fleet.start("a")
    run.wrong += [f"a worker without memory ended with {code}" for _, code in run.fleet.ended if code == 0]


def clock_steps(run: Run, seconds: float) -> None:
    """The clock of one worker jumps an hour ahead, an hour behind, and back; it is restarted while it is wrong."""
    clock = run.folder / "clock"
    for ahead in (3_600, -3_600, 0):
        run.wait(seconds / 5)
        clock.write_text(str(ahead))
        run.must(f"the clock steps to {ahead} s", lambda ahead=ahead: b"clock ahead by %d s" % ahead in run.fleet.log("a"), 15.0)
        run.wait(seconds / 10)
        if ahead:
            run.fleet.kill("a")
            run.fleet.start("a")


def with_clock(run: Run) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    clock = run.folder / "clock"
    clock.write_text("0")
    run.fleet.of_slot["a"] = {"CLOCK": str(clock)}


def ahead_then_gone(run: Run, seconds: float) -> None:
    """A worker an hour ahead shares with one on a disk of its own, and dies: what its heirs say must count, though its clock said later."""
    run.wait(seconds / 4)
    run.fleet.start("b")
    run.must("b owns", lambda: run.fleet.owns("b"), 30.0)
    run.wait(seconds / 4)
    run.fleet.kill("a")


def hour_ahead(run: Run) -> None:
    with_clock(run)
    (run.folder / "clock").write_text("3600")
    run.fleet.state_store = False


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("undisturbed", "two workers, nothing done to them", 12, nothing),
    Scenario("kill-points", f"SIGKILL at {', '.join(POINTS).replace('-', ' ')}, in turn on two workers", 55, kill_points, numbers=(1,),
             apart=True, checkpoint_every=2.0, share=1 / (len(POINTS) + 1)),
    Scenario("kills", "20 SIGKILLs over two workers, started again at once", 24, kills, numbers=(3,)),
    Scenario("kills-50", "50 SIGKILLs over four workers, started again at once", 60, lambda run, seconds: kills(run, seconds, count=50),
             numbers=(3,), workers=4),
    Scenario("sigterms", "6 SIGTERMs over two workers, started again at once", 18, sigterms, numbers=(2,)),
    Scenario("zombie", "one of two workers frozen for 12 s; both use one disk", 20, zombie, numbers=(4,)),
    Scenario("zombie-apart", "the same, each with a disk of its own and one state store", 20, zombie, numbers=(4,), apart=True),
    Scenario("out-of-memory", "two workers get no more memory from their first batch on (RLIMIT_AS), a third is killed when it has grown",
             30, out_of_memory, numbers=(5,)),
    Scenario("clock", "one worker's clock an hour ahead, an hour behind, and right again; SIGKILLs meanwhile; own disks", 25, clock_steps,
             numbers=(6,), apart=True, before=with_clock),
    Scenario("clock-heirs", "a worker an hour ahead, its partitions go to one on an empty disk, without state store", 20,
             ahead_then_gone, numbers=(6,), workers=1, static=False, apart=True, before=hour_ahead),
    Scenario("takeover", "one of two workers lost with its disk; its slot goes on from the state store", 16, takeover, apart=True),
)  # fmt: skip
