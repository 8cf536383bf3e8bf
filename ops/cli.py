"""The command `forage`. Each group of commands is a file in `ops/commands`; heavy libraries are imported when a command needs them."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from ops.commands import acls, data, demo, doctor, erase, evaluate, events, quarantine, serve, snapshots, topics, worker
from ops.doctor import ROLES
from schemas.errors import ForageError

# One thread for linear algebra, set before numpy is loaded: what is fitted must not hang on the number of cores, and small products
# gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Top-level module -> the extra that brings it; of several, the last.
EXTRAS = {name: role for role, names in ROLES.items() if role != "base" for name in names}


class Forage(TyperGroup):
    """Errors that were raised on purpose come out as one line for the reader, not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ForageError as error:
            typer.echo(f"error: {error}", err=True)
        except ModuleNotFoundError as error:
            library = (error.name or "").partition(".")[0]
            if library not in EXTRAS:
                raise
            typer.echo(f"error: {library} is not installed; pip install 'forage[{EXTRAS[library]}]', or [all] for everything", err=True)
        except OSError as error:
            if error.filename is None:  # not about a file that was named; a closed pipe is typer's to end
                raise
            typer.echo(f"error: {error.filename}: {error.strerror}; give a place that this user may read and write", err=True)
        raise typer.Exit(1)


app = typer.Typer(
    name="forage", cls=Forage, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Forage learns to retrieve: which search strategies to ask for which query, how deep, and how to order what they find. "
    "Begin with `forage demo`. Settings come from FORAGE_* variables of the environment; `forage doctor` says what is missing.",
)  # fmt: skip


@app.callback()
def forage() -> None:
    """Kept empty: settings are read by the commands, so that --help works whatever the environment holds."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("token")(serve.token)
app.command("worker")(worker.worker)
app.add_typer(events.app, name="events")
app.add_typer(data.app, name="data")
topics.app.command("acls")(acls.acls)
app.add_typer(topics.app, name="topics")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(snapshots.app, name="snapshots")
app.command("erase")(erase.erase)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Entry point of the command."""
    app(prog_name="forage")


if __name__ == "__main__":
    sys.exit(main())  # type: ignore[func-returns-value]
