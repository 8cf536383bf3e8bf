"""`forage data`: datasets, JSON Schema, and digests of state."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from ops.commands import imports
from ops.commands.options import AsJson, Bootstrap, here, progress, rules_of, show, time_of
from ops.settings import Settings
from schemas.errors import InvalidSetting

Interleave = Literal["impressions-first", "actions-first", "even"]  # as streams.replaying.replay has it, which --help must not import
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Datasets, message schemas, digests of state.")


app.add_typer(imports.app, name="import")


@app.command()
def export(
    kind: Annotated[Literal["ubi"], typer.Argument(help="The form to write: ubi, User Behavior Insights 1.3.")],
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A recorded log; see `forage evaluate loop --record`.")],
    out: Annotated[Path, typer.Option(help="Folder to write ubi_queries.ndjson.gz and ubi_events.ndjson.gz to.")],
    json: AsJson = False,
) -> None:
    """Write the events of a recorded log in another form.

    What UBI has no field for stands under `forage` among the attributes, so that the way back loses nothing.
    """
    from evaluation.datasets.ubi import export_ubi
    from schemas.codec import decode_event
    from schemas.events import Action, Impression
    from streams.replaying.recording import read_log

    events = (decode_event(line.value) for line in read_log(log))
    queries, acts = export_ubi((event for event in events if isinstance(event, Impression | Action)), out)
    if json:
        return show({"folder": str(out), "kind": kind, "queries": queries, "events": acts})
    typer.echo(f"{out}: {queries:,} queries, {acts:,} events")


@app.command()
def schema(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; it is made if it is not there.")]) -> None:
    """Write the JSON Schema of every message.

    One file each, for producers in other languages.
    """
    from schemas.export import write

    for path in write(folder):
        typer.echo(str(path))


@app.command()
def shares(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="What `forage evaluate loop DIR --record LOG` wrote.")],
    json: AsJson = False,
) -> None:
    """Print what each strategy of a recorded log brought.

    Finds, rewarded finds, those that it alone had, and its fair share (Shapley: finders of an entity share its reward), how far it
    overlaps with the others, and what strategies that were asked in the shadow would have added. Nothing is learned from it.
    """
    from evaluation.fair_share_table import plain, table
    from learners.fair_share import Account
    from schemas.codec import decode_event
    from schemas.events import Action, Impression
    from streams.replaying.recording import read_log

    account = Account()
    for line in read_log(log):
        if isinstance(event := decode_event(line.value), Impression | Action):
            account.take(event, line.time)
    if json:
        return show(plain(account.report()))
    typer.echo(table(account.report()), nl=False)


@app.command()
def digest(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Folders with partition-*.duckdb files, all of one run.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Replay this recorded log instead of reading folders.")] = None,
    topics: Annotated[bool, typer.Option("--topics", help="Replay the input topics instead, from their earliest offsets on.")] = False,
    from_time: Annotated[str, typer.Option(help="With --topics: from the first events of this time on: 2026-11-20T00:00:00Z.")] = "",
    partitions: Annotated[int, typer.Option(help="With --log: partitions of both inputs.")] = 4,
    batch: Annotated[int, typer.Option(help="With --log: records applied at a time.")] = 1_000,
    interleave: Annotated[Interleave, typer.Option(help="With --log: in which order the two inputs are read.")] = "even",
    stops: Annotated[int, typer.Option(help="With --log: stop and resume this often, with files; 0 replays in memory.")] = 0,
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Print the sha256 of a state, by part.

    Two runs are compared so: equal facts have equal digests, however they were ordered, batched, split over partitions or interrupted.
    The state is that of an embedded run or of workers (their folders; stop them first), or of a log or of the input topics that are
    replayed now, in memory.
    """
    if bool(folders) + bool(log) + topics != 1:
        raise InvalidSetting("give either folders, --log LOG or --topics: `forage data digest DIR` or `forage data digest --log LOG`")
    config = here(bootstrap)
    if topics:
        found = _read(config, time_of(from_time) if from_time else None)
    elif log is not None:
        found = _replayed(log, config, partitions=partitions, batch=batch, interleave=interleave, stops=stops)
    else:
        from streams.replaying.stored_replay import folders_digest

        found = folders_digest(folders or [], rules=rules_of(config))
    if json:
        return show(found)
    for part, value in sorted(found.items(), key=lambda one: (one[0] == "state", one[0])):
        typer.echo(f"{part:8} {value}")


def _read(config: Settings, from_time: int | None) -> dict[str, str]:
    from streams.replaying.reading import replay_topics

    with progress() as shown:
        tell = shown.of("records replayed")
        return replay_topics(config.bootstrap, from_time=from_time, rules=rules_of(config), security=config.security, progress=tell)


def _replayed(log: Path, config: Settings, *, partitions: int, batch: int, interleave: Interleave, stops: int) -> dict[str, str]:
    from streams.replaying.recording import read_log
    from streams.replaying.replay import replay

    lines, rules = read_log(log), rules_of(config)
    with progress() as shown, TemporaryDirectory(prefix="forage-digest-") as folder:
        tell = shown.of("records replayed")
        if not stops:
            return replay(lines, partitions=partitions, batch=batch, interleave=interleave, rules=rules, progress=tell)
        from streams.replaying.stored_replay import replay_with_stops

        place = Path(folder)
        return replay_with_stops(
            lines, place, partitions=partitions, batch=batch, interleave=interleave, stops=stops, rules=rules, progress=tell
        )
