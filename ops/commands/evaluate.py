"""`forage evaluate`: how good it is, on recorded clicks or on judged queries, and what an experiment on live traffic says."""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ops.commands.options import AsJson, Bootstrap, here, progress, rules_of, show, time_of
from ops.progress import Progress
from ops.settings import Settings, names_of
from schemas.errors import InvalidSetting

if TYPE_CHECKING:
    from evaluation.datasets.folder import Dataset
    from schemas.outcomes import Amendment, Outcome

# A click log holds few people under a query, and what evaluation asks is how much their clicks are worth; that a memory which others can
# read needs two of them is a rule of serving.
MIN_CLIENTS = 1
JUDGED_STRATEGIES = ("lexical_title", "lexical_all", "dense", "trigrams", "memory")
JUDGED_SEARCHES, JUDGED_SEEDS, JUDGED_FOLDS = 20_000, 3, 5
Protocol = Literal["full", "bandit"]
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure how good the learned search is.")


@dataclass(frozen=True)
class Chosen:
    """What the command line says; 0 and "" mean what the data's protocol has."""

    searches: int
    seeds: int
    folds: int
    queries: int
    contenders: tuple[str, ...]
    strategies: tuple[str, ...]
    protocol: Protocol | None
    jobs: int
    record: Path | None


@app.command()
def loop(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Dataset folder: entities with clicks, or with judgments; see `forage data import`.")
    ],
    searches: Annotated[int, typer.Option(min=0, help="So many searches; 0: the whole log, or 20,000 on judgments.")] = 0,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            help="full reveals every click of the log; bandit only clicks on what our page showed. Default: full; bandit on judgments."
        ),
    ] = None,
    contenders: Annotated[str, typer.Option(help="Only these, such as learned,rrf; default: all but the ablations.")] = "",
    strategies: Annotated[
        str, typer.Option(help="Strategies that can be asked; default: $FORAGE_STRATEGIES, on judgments those of the protocol.")
    ] = "",
    record: Annotated[
        Path | None, typer.Option(metavar="LOG", help="Write the learned run's events, for `forage data digest --log`.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=0, help="Repeat with so many seeds and print the means; 0: 1, on judgments 3.")] = 0,
    folds: Annotated[int, typer.Option(min=0, max=JUDGED_FOLDS, help="On judgments: only the first so many folds; 0: all 5.")] = 0,
    queries: Annotated[int, typer.Option(min=0, help="On judgments: a sample of so many queries; 0: all.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes that share the runs; 0: one for each core. Figures stay the same.")] = 0,
    json: AsJson = False,
) -> None:
    """Learn on a dataset, beside engines that do not.

    A click log is replayed through the whole search engine: each search is answered with what was known before it, judged on what its
    person then clicked, and only then learned from. On judged queries people are simulated: they search and click by the judgments, which
    the engine never sees; it is judged on the queries that they searched and on queries that nobody did.
    """
    chosen = Chosen(searches, seeds, folds, queries, _names(contenders), _names(strategies), protocol, jobs or os.cpu_count() or 1, record)
    if record is not None and (seeds > 1 or (chosen.contenders and "learned" not in chosen.contenders)):
        raise InvalidSetting("--record keeps the one run of `learned`: leave out --seeds, and let learned be among the contenders")
    from evaluation.datasets.folder import CLICKS, JUDGMENTS, Dataset

    dataset = Dataset(folder)
    if dataset.has(JUDGMENTS) and not dataset.has(CLICKS):
        from evaluation.judged_report import judged_table

        with progress() as shown:
            figures = _on_judgments(dataset, chosen, shown)
        return show(figures) if json else typer.echo(judged_table(figures), nl=False)
    from evaluation.reports import table

    with progress() as shown:
        figures = _on_clicks(dataset, chosen, shown)
    return show(figures) if json else typer.echo(table(figures), nl=False)


@app.command()
def experiment(
    log: Annotated[Path | None, typer.Argument(metavar="LOG", help="A log of `events record` or `evaluate loop --record`.")] = None,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of a server or an embedded run instead.")] = None,
    topics: Annotated[bool, typer.Option("--topics", help="What workers put on search.outcomes instead.")] = False,
    from_time: Annotated[str, typer.Option(metavar="TIME", help="Only from this hour on, such as 2026-11-20T00:00:00Z.")] = "",
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """What experiments say.

    Each arm, the difference with its interval, and whether that is enough to decide, for all searches and by kind of query. Only settled
    searches count, each with everything that was done with it. docs/experiments.md says how to begin an experiment, when to stop, and
    what breaks it.
    """
    if (log is not None) + (folder is not None) + topics != 1:
        raise InvalidSetting("give one of LOG, --folder DIR and --topics: `forage evaluate experiment --folder var/serve`")
    from evaluation.experiment import experiment_figures, experiment_table
    from serving.outcomes import OutcomeSums

    since = time_of(from_time) if from_time else 0
    sums = OutcomeSums(forget=False)
    with progress() as shown:
        for one in _conclusions(log, folder, since, here(bootstrap), shown):
            if one.type == "amendment" or (one.pages[0].decision is not None and one.pages[0].decision.trial is not None):
                sums.add(one)
    results = [(one, sums.by_kind(one.trial, since=since)) for one in sums.results(since=since)]
    figures = experiment_figures(results)
    return show(figures) if json else typer.echo(experiment_table(figures), nl=False)


def _conclusions(log: Path | None, folder: Path | None, since: int, config: Settings, shown: Progress) -> "Iterator[Outcome | Amendment]":
    from streams.replaying.conclusions import of_folder, of_log, of_topic
    from streams.replaying.recording import read_log

    if log is not None:
        return of_log(read_log(log), rules=rules_of(config), progress=shown.of("records replayed"))
    if folder is not None:
        return of_folder(folder, in_use=lambda path: typer.echo(f"{path} is in use: its last searches are not in it yet", err=True))
    return of_topic(config.bootstrap, from_time=since or None, security=config.security, progress=shown.of("conclusions read"))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _salt(seed: int) -> str:
    return "forage" if seed == 0 else f"forage-{seed}"


def _on_clicks(dataset: "Dataset", chosen: Chosen, shown: Progress) -> dict[str, Any]:
    """Replay a click log, once a seed."""
    from evaluation.figures import summary
    from evaluation.seeds import mean_of
    from learners.definition import DEFAULT_DEPTH
    from ops.replaying import Replaying, all_replays
    from streams.replaying.recording import Recorder

    if chosen.folds or chosen.queries:
        raise InvalidSetting(f"--folds and --queries are for judged queries, {dataset.path} holds clicks; leave them out")
    config, salts = here(), [_salt(seed) for seed in range(chosen.seeds or 1)]
    config = replace(config, strategies=chosen.strategies or config.strategies)
    strategies = names_of(config.strategies)
    shared = Replaying(dataset.path, strategies, chosen.contenders, chosen.protocol or "full", chosen.searches, MIN_CLIENTS, config)
    with Recorder(chosen.record) if chosen.record is not None else nullcontext() as recorder:
        replays = all_replays(shared, salts=salts, jobs=chosen.jobs, progress=shown, recorder=recorder)
    settings = _settings(dataset, strategies) | {"depth": DEFAULT_DEPTH}
    runs = [summary(one, dataset.name, settings=settings | {"salt": salt}) for one, salt in zip(replays, salts, strict=True)]
    figures = mean_of(runs)
    if len(runs) > 1:
        figures["settings"] = settings | {"seeds": len(runs), "salt": ", ".join(salts)}
        figures["runs"] = runs
    return figures


def _settings(dataset: "Dataset", strategies: Sequence[str]) -> dict[str, object]:
    return {"strategies": ", ".join(strategies), "min_clients": MIN_CLIENTS, "data": dataset.digest[:12]}


def _on_judgments(dataset: "Dataset", chosen: Chosen, shown: Progress) -> dict[str, Any]:
    """Simulated people on judged queries."""
    from evaluation.judged_contenders import field_of
    from evaluation.judged_figures import judged_summary
    from evaluation.judged_queries import judged_queries
    from ops.definitions import definition
    from ops.judging import all_runs, judging, protocol_of
    from ops.variants import ABLATIONS, POLICIES
    from streams.replaying.recording import Recorder

    if chosen.protocol == "full":
        raise InvalidSetting("--protocol full reveals the clicks of a log, judged queries have none; use bandit, or leave it out")
    searches = chosen.searches or JUDGED_SEARCHES
    seeds, folds = chosen.seeds or JUDGED_SEEDS, chosen.folds or JUDGED_FOLDS
    config = replace(here(), strategies=chosen.strategies or JUDGED_STRATEGIES)
    strategies = names_of(config.strategies)
    field = field_of(strategies, policies=list(POLICIES), on_request=list(ABLATIONS), chosen=chosen.contenders)
    if chosen.record is not None and (seeds, folds, field.running) != (1, 1, ("learned",)):
        raise InvalidSetting("--record keeps one run of `learned`: add --contenders learned --seeds 1 --folds 1")
    queries = judged_queries(dataset.queries(), dataset.judgments(), most=chosen.queries)
    policy, entities = definition(strategies, min_clients=MIN_CLIENTS), list(dataset.entities())
    with Recorder(chosen.record) if chosen.record is not None else nullcontext() as recorder:
        shared = judging(
            dataset.path, strategies, definition=policy, queries=queries, entities=entities, searches=searches, folds=folds,
            config=config, progress=shown.of("lists of fixed strategies"),
        )  # fmt: skip
        runs = all_runs(shared, field, seeds=seeds, folds=folds, jobs=chosen.jobs, entities=entities, progress=shown, recorder=recorder)
    settings = _settings(dataset, strategies) | {"seeds": seeds, "folds": folds} | protocol_of(shared)
    return judged_summary(runs, queries, dataset.name, settings=settings)
