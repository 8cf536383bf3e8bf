"""Faults 19 to 26: what comes in."""

from scenarios import Scenario

SCENARIOS: tuple[Scenario, ...] = ()
