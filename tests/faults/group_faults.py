"""Faults 16 to 18: workers join, leave and flap, are more than there are partitions, or fail at their first batch."""

from scenarios import Run, Scenario


def joins_and_leaves(run: Run, seconds: float) -> None:
    for joins, leaves in (("b", ""), ("cd", ""), ("", "ac"), ("", "d")):
        run.wait(seconds / 5)
        for slot in joins:
            run.fleet.start(slot)
        for slot in leaves:
            run.fleet.stop(slot)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("joins-leaves", "workers 1, 2, 4, 2, 1, without names of their own", 30, joins_and_leaves, numbers=(16,), workers=1,
             static=False),
)  # fmt: skip
