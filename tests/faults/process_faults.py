"""Faults 1 to 6: workers are killed, stopped, frozen, starved of memory, and their clocks step."""

from load import with_poison
from scenarios import Run, Scenario, nothing


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


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("undisturbed", "two workers, nothing done to them", 12, nothing),
    Scenario("undisturbed-4", "four workers", 12, nothing, workers=4),
    Scenario("kills", "20 SIGKILLs over two workers, started again at once", 30, kills, numbers=(3,)),
    Scenario("kills-50", "50 SIGKILLs over four workers, started again at once", 70, lambda run, seconds: kills(run, seconds, count=50),
             numbers=(3,), workers=4),
    Scenario("sigterms", "6 SIGTERMs over two workers, started again at once", 24, sigterms, numbers=(2,)),
    Scenario("zombie", "one of two workers frozen for 12 s; both use one disk", 24, zombie, numbers=(4,)),
    Scenario("zombie-apart", "the same, each with a disk of its own and one state store", 24, zombie, numbers=(4,), apart=True),
    Scenario("takeover", "one of two workers lost with its disk; its slot goes on from the state store", 20, takeover, apart=True),
    Scenario("poison", "two workers, the worst messages in both inputs", 12, nothing, numbers=(23,), lines=with_poison),
)  # fmt: skip
