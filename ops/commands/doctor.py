"""`forage doctor`: what is missing on this machine, and what to do about it."""

import logging
import os
from dataclasses import asdict

import typer

from ops import doctor as checks
from ops.commands.options import AsJson, Bootstrap, here, show
from ops.findings import line


def doctor(bootstrap: Bootstrap = "", json: AsJson = False) -> None:
    """Say what is missing on this machine, and how the stream is.

    Looks at Python, libraries by role, settings, disk, broker and topics; where the broker answers at workers, lag, clocks, publisher,
    quarantine, state files and checkpoints. Each line is ok, a problem with its remedy, or a note about what not everybody needs. Exit
    code 1 when there is a problem.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it says of an absent broker is said below, once
    found = []
    for finding in checks.examine(here(bootstrap), os.environ):
        found.append(finding)
        if not json:
            typer.echo(line(finding))
    problems = sum(finding.state == "problem" for finding in found)
    if json:
        show({"problems": problems, "findings": [asdict(finding) for finding in found]})
    if problems:
        raise typer.Exit(1)
