"""`forage evaluate`: how good it is, on recorded clicks."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ops.commands.options import AsJson, here, progress, show
from ops.progress import Progress
from schemas.errors import InvalidSetting

# A click log holds few people under a query, and what evaluation asks is how much their clicks are worth; that a memory which others can
# read needs two of them is a rule of serving.
MIN_CLIENTS = 1
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure how good the learned search is.")


@app.callback()
def group() -> None:
    """A callback keeps `loop` a command of its group, though it is the only one."""


@app.command()
def loop(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder with entities and clicks; see `forage data import`.")],
    searches: Annotated[int, typer.Option(min=0, help="Only the first so many searches; 0 takes all.")] = 0,
    protocol: Annotated[
        Literal["full", "bandit"],
        typer.Option(help="full reveals every click of the log; bandit only clicks on what our page showed."),
    ] = "full",
    contenders: Annotated[str, typer.Option(help="Only these, such as learned,rrf; default: all.")] = "",
    record: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Write the learned run's events, for `forage data digest --log`.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with so many seeds of the policy's draws and print the means.")] = 1,
    json: AsJson = False,
) -> None:
    """Replay a click log and learn on the way.

    The whole search engine learns as it goes and is compared with engines that do not. Each search is answered with what was known
    before it, judged on what its person then clicked, and only then learned from.
    """
    from evaluation.reports import table
    from evaluation.seeds import mean_of

    chosen = tuple(name.strip() for name in contenders.split(",") if name.strip())
    if record is not None and (seeds > 1 or (chosen and "learned" not in chosen)):
        raise InvalidSetting("--record keeps the one run of `learned`: leave out --seeds, and let learned be among the contenders")
    with progress() as shown:
        runs = [
            _run(
                folder,
                searches,
                protocol,
                chosen,
                salt="forage" if seed == 0 else f"forage-{seed}",
                record=record,
                shown=shown,
            )
            for seed in range(seeds)
        ]
    figures = mean_of(runs)
    if seeds > 1:
        figures["settings"] = {**figures["settings"], "seeds": seeds, "salt": ", ".join(run["settings"]["salt"] for run in runs)}
        figures["runs"] = runs
    if json:
        return show(figures)
    typer.echo(table(figures), nl=False)


def _run(
    folder: Path,
    first: int,
    protocol: Literal["full", "bandit"],
    chosen: tuple[str, ...],
    *,
    salt: str,
    record: Path | None,
    shown: Progress,
) -> Mapping[str, Any]:
    from evaluation.click_log import searches
    from evaluation.contenders import contenders
    from evaluation.datasets.folder import Dataset
    from evaluation.figures import summary
    from evaluation.loop import replay
    from learners.definition import DEFAULT_DEPTH
    from ops.evaluating import systems
    from ops.wiring import definition
    from streams.replaying.recording import Recorder

    dataset, strategies = Dataset(folder), here().strategies
    log = searches(dataset.clicks())[: first or None]
    field = contenders(strategies, chosen)
    policy = definition(strategies, min_clients=MIN_CLIENTS, salt=salt)
    with Recorder(record) if record is not None else nullcontext() as recorder:
        made = systems(list(dataset.entities()), policy, recorder=recorder)
        replayed = replay(log, field, systems=made, protocol=protocol, progress=shown)
    settings = {
        "strategies": ", ".join(strategies),
        "min_clients": MIN_CLIENTS,
        "depth": DEFAULT_DEPTH,
        "salt": salt,
        "data": dataset.digest[:12],
    }
    return summary(replayed, dataset.name, settings=settings)
