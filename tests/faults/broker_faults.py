"""Faults 7 to 15: the broker is away, refuses, loses answers, is slow, forgets, or its topics change."""

import time

from scenarios import Run, Scenario

from ops import broker


def broker_stop(run: Run, seconds: float) -> None:
    run.wait(seconds / 4)
    broker.stop(run.node)
    run.wait(30.0)
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


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("broker-stop", "the broker stopped, 30 s away, started", 40, broker_stop, numbers=(7,)),
    Scenario("broker-kill", "the broker killed and started", 20, broker_kill, numbers=(7,)),
)
