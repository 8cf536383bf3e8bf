"""What several commands share: the broker's address, output as JSON, and progress."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops import settings
from ops.progress import Progress
from schemas.errors import InvalidSetting

if TYPE_CHECKING:
    from streams.kernel.join import Rules

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
Bootstrap = Annotated[str, typer.Option(help="Kafka's address host:port; default: $FORAGE_BOOTSTRAP, else 127.0.0.1:9092.")]


def time_of(text: str) -> int:
    """Ms of a time as people write it: 2026-11-20T00:00:00Z, with Z or another offset from UTC. Raises InvalidSetting."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no time zone")
    except ValueError as error:
        raise InvalidSetting(f"{text} is no time ({error}); write it as 2026-11-20T00:00:00Z") from None
    return int(at.timestamp() * 1000)


def here(bootstrap: str = "") -> settings.Settings:
    """Settings of this process, with the address that was given on the command line."""
    found = settings.current()
    if not bootstrap:
        return found
    settings.check_bootstrap(bootstrap, given_as="--bootstrap")
    return replace(found, bootstrap=bootstrap)


def rules_of(config: settings.Settings) -> "Rules":
    """The rules of the state, with this installation's key for people."""
    from streams.kernel.join import RULES

    return replace(RULES, client_key=config.client_key.encode())


def show(plain: object) -> None:
    """Print as JSON."""
    typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of equal width; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress on stderr, its line cleared at the end."""
    shown = Progress(sys.stderr)
    try:
        yield shown
    finally:
        shown.close()
