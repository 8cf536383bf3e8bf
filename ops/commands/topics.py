"""`forage topics`: make the topics, say what is wrong with them, show what they are."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.commands.options import AsJson, Bootstrap, grid, here, rules_of, show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make and check the topics of Forage.")


@app.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the inputs, and of all that must agree with them.")] = 4,
    time: Annotated[
        Literal["LogAppendTime", "CreateTime"],
        typer.Option(help="LogAppendTime for live events; CreateTime for logs that are imported or replayed with their own times."),
    ] = "LogAppendTime",
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Make the topics that are missing.

    They get the settings they need; existing ones stay as they are.
    """
    from streams.admin import create_topics

    config = here(bootstrap)
    made = create_topics(config.bootstrap, partitions, time=time, security=config.security)
    if json:
        return show({"made": made})
    typer.echo("\n".join(made) if made else "all topics are there already; `forage topics check` looks at their settings")


@app.command()
def check(bootstrap: Bootstrap = "", json: AsJson = False) -> None:
    """Say what is wrong with the topics.

    Their settings, copies, and whether the state files in the data folder fit them. One line each, with what to do. Exit code 1 when
    something is wrong; a note is not.
    """
    from ops.doctor_stream import fitting
    from streams.admin import describe_topics, problems

    config = here(bootstrap)
    states = describe_topics(config.bootstrap, security=config.security)
    wrong, notes = problems(states), list[str]()
    for finding in fitting(config, states):
        if finding.state != "ok":
            (wrong if finding.state == "problem" else notes).append(f"{finding.text}; {finding.remedy}")
    if json:
        show({"problems": wrong, "notes": notes})
    else:
        typer.echo("\n".join([*wrong, *(f"note: {one}" for one in notes)]) or "all topics are as they should be")
    if wrong:
        raise typer.Exit(1)


@app.command()
def migrate(
    partitions: Annotated[int, typer.Option(min=2, help="How many partitions there shall be: more than now.")],
    folder: Annotated[
        list[Path] | None, typer.Option(help="Folder of a worker's state files, once for each; default: worker in the data folder.")
    ] = None,
    with_unread: Annotated[
        bool, typer.Option("--with-unread", help="Go on although events are not applied yet: they count as if they came now.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    bootstrap: Bootstrap = "",
) -> None:
    """Give the inputs more partitions, and move the state.

    Stop all workers first. When it is cut off, run it again: it goes on where it was. With FORAGE_STATE_STORE the new state goes there,
    else into the one folder that all workers share.
    """
    from streams.moving.migrate import Plan
    from streams.moving.running import migrate as run

    config = here(bootstrap)

    planned = False

    def agree(plan: Plan) -> bool:
        nonlocal planned
        planned = True
        typer.echo("\n".join(plan.lines()))
        return not dry_run

    done = run(
        config.bootstrap, partitions, folders=folder or [config.data / "worker"], state_store=config.state_store or None,
        group=config.group, with_unread=with_unread, agree=agree, tell=lambda text: typer.echo(text, err=True), rules=rules_of(config),
        security=config.security,
    )  # fmt: skip
    if done:
        typer.echo(f"{partitions} partitions; start the workers again")
    elif not planned:
        typer.echo(f"everything has {partitions} partitions already")


@app.command()
def describe(bootstrap: Bootstrap = "", json: AsJson = False) -> None:
    """Show the topics as the broker has them.

    Partitions, cleanup, retention, and whose time they keep.
    """
    from streams.admin import describe_topics

    config = here(bootstrap)
    states = describe_topics(config.bootstrap, security=config.security)
    if json:
        plain = [{"name": s.name, "id": s.topic_id, "partitions": s.partitions, "config": dict(s.config)} for s in states]
        return show({"topics": plain})
    if not states:
        typer.echo(f"no topics of ours at {config.bootstrap}; make them with `forage topics create`")
        return
    columns = ("cleanup.policy", "retention.ms", "message.timestamp.type")
    rows = [(s.name, str(s.partitions), *(s.config.get(name, "-") for name in columns), s.topic_id) for s in states]
    typer.echo(grid([("topic", "partitions", *columns, "id"), *rows]))
