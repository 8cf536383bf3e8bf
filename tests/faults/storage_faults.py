"""Faults 27 to 31: disks and files."""

from scenarios import Scenario

SCENARIOS: tuple[Scenario, ...] = ()
