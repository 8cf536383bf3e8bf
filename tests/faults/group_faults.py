"""Faults 16 to 18: workers join, leave and flap, are more than there are partitions, or fail at their first batch."""

import signal

from scenarios import Run, Scenario


def joins_and_leaves(run: Run, seconds: float) -> None:
    for joins, leaves in (("b", ""), ("cd", ""), ("", "ac"), ("", "d")):
        run.wait(seconds / 6)
        for slot in joins:
            run.fleet.start(slot)
        for slot in leaves:
            run.fleet.stop(slot)
    for _ in range(6):  # comes and goes before it is settled
        run.fleet.start("c")
        run.wait(run.rng.uniform(0.2, seconds / 12))
        run.fleet.kill("c")


def more_than_partitions(run: Run, seconds: float) -> None:
    """Two of four workers are idle; one that works goes, and one that was idle takes its place."""
    run.wait(seconds / 3)
    idle = [slot for slot in run.fleet.slots if not run.fleet.owns(slot)]
    if len(idle) != 2:
        run.wrong.append(f"workers without a partition: {idle}, not two")
    busy = next(slot for slot in run.fleet.slots if slot not in idle)
    run.fleet.stop(busy)
    run.must("an idle worker takes over", lambda: any(run.fleet.owns(slot) for slot in idle), 20.0)


def first_batch_fails(run: Run, seconds: float) -> None:
    for slot in run.fleet.slots:
        run.fleet.of_slot[slot] = {}
        run.fleet.expect_end(slot)
    run.must("both end at their first batch", lambda: len(run.fleet.ended) == 2, 30.0)
    run.wrong += [f"{slot} was ended by a signal" for slot, code in run.fleet.ended if code == -signal.SIGKILL or code == 0]
    if run.fleet.logged(b"RuntimeError: fault point: raise") < 2:
        run.wrong.append("the failed batches were not told")


def failing(run: Run) -> None:
    run.fleet.of_slot |= {"a": {"FAULT": "raise:1"}, "b": {"FAULT": "raise:1"}}


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("joins-leaves", "workers 1, 2, 4, 2, 1, then one that flaps, without names of their own", 28, joins_and_leaves, numbers=(16,),
             workers=1, static=False),
    Scenario("more-workers", "four workers over two partitions, one that works leaves", 15, more_than_partitions, numbers=(17,), workers=4,
             static=False, partitions=2),
    Scenario("first-batch", "a new group whose workers fail at their first batch", 12, first_batch_fails, numbers=(18,), before=failing),
)  # fmt: skip
