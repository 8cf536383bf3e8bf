"""Faults 32 to 34: what readers of snapshots meet."""

from scenarios import Scenario

SCENARIOS: tuple[Scenario, ...] = ()
