"""`forage serve` and `forage token`: the search service, and who may call it."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from ops import logs
from ops.commands.options import Bootstrap, here, rules_of
from ops.settings import strategy_entries
from schemas.errors import InvalidSetting

PORT = 8080
# Share of pages that log 50 candidates beside the results: the rank model learns from them, and they are half of a page's bytes and time.
CANDIDATES_P: Mapping[Literal["embedded", "kafka"], float] = {"embedded": 0.25, "kafka": 0.1}
Port = Annotated[int, typer.Option(help="Port of the console and the API; 0 takes a free one.", min=0, max=65_535)]


def serve(
    data: Annotated[Path, typer.Option(help="Dataset folder with the catalogue; `forage data import csv` writes one.")],
    kafka: Annotated[bool, typer.Option("--kafka", help="Events go to Kafka, policy and memory come from its workers.")] = False,
    host: Annotated[str, typer.Option(help="Address to serve at; others than this machine need API tokens.")] = "127.0.0.1",
    port: Port = PORT,
    folder: Annotated[
        Path | None, typer.Option(help="Where this server keeps what it learns (with --kafka: unsent events); default: by dataset name.")
    ] = None,
    strategies: Annotated[
        str, typer.Option(help="What may be asked, with commas; name=module:function for one of your own. Default: $FORAGE_STRATEGIES.")
    ] = "",
    trial: Annotated[
        str,
        typer.Option(help="An experiment on live searches: interleave:rrf:0.2 or split:CONTENT_ID:0.1; its results are in the console."),
    ] = "",
    bootstrap: Bootstrap = "",
    log_format: Annotated[
        Literal["text", "json"] | None, typer.Option(help="How the log is written to stderr; default: $FORAGE_LOG_FORMAT, else text.")
    ] = None,
) -> None:
    """Search, learn and look: API and console over your own catalogue.

    One process with the whole loop inside, its state in a folder; with
    --kafka one of many. Runs until Ctrl-C or SIGTERM.
    """
    from evaluation.datasets.folder import Dataset
    from ops.definitions import always_of, definition
    from ops.serving.embedded import EmbeddedBackend
    from ops.serving.opening import makers_of, opened, try_out
    from ops.serving.opening import serve as answer
    from ops.serving.site import check_exposed, grants_of
    from ops.serving.subscribed import SubscribedBackend
    from ops.trials import parse_trial
    from serving.outcomes import OutcomeSums

    config = here(bootstrap)
    if strategies:
        config = replace(config, strategies=strategy_entries(strategies, given_as="--strategies"))
    logs.configure("serve", form=log_format or config.log_format, instance=config.instance)
    # Before a catalogue is read for minutes:
    check_exposed(host, open_=not grants_of(config))
    if trial:
        parse_trial(trial)
    os.umask(0o077)  # the state holds what people searched for: it is for this user alone
    dataset, outcomes = Dataset(data), OutcomeSums()
    typer.echo(f"reading {data}", err=True)
    entities = list(dataset.entities())
    defined, makers = definition(config.strategies, always=always_of(config.strategies)), makers_of(config.strategies, config)
    place = folder if folder is not None else config.data / "serve" / dataset.name
    backend: EmbeddedBackend | SubscribedBackend
    if kafka:
        backend = SubscribedBackend(
            entities, defined, bootstrap=config.bootstrap, folder=place, makers=makers,
            on_conclusion=outcomes.add, security=config.security,
        )  # fmt: skip
    else:
        backend = EmbeddedBackend(
            entities, defined, folder=place, makers=makers, rules=rules_of(config), on_conclusion=outcomes.add
        )  # fmt: skip
    sampled = CANDIDATES_P[backend.mode]
    with opened(backend, config, name=dataset.name, outcomes=outcomes, candidates_p=sampled) as site:
        if trial:
            try_out(backend, trial)
        answer(site, host=host, port=port, said=lambda url: _say(url, len(entities), dataset.name))


def token(
    name: Annotated[str, typer.Argument(help="Who it is for: letters, digits, - and _; a name stands once in the file.")],
    scopes: Annotated[str, typer.Option(help="What it may do, with commas: search, events, read, operate; or all.")] = "search,events",
) -> None:
    """Make an API token.

    The token itself comes out once, on stderr, for whoever will call; the line for the file of FORAGE_API_TOKENS_FILE on stdout. The file
    holds hashes alone: who reads it cannot call.
    """
    from hashlib import sha256
    from secrets import token_urlsafe

    from serving.access import SCOPES, Grant

    if not name.replace("-", "").replace("_", "").isalnum():
        raise InvalidSetting(f"{name!r} is no name for a token; use letters, digits, - and _")
    made = token_urlsafe(32)
    granted = SCOPES if scopes == "all" else tuple(scopes.split(","))
    grant = Grant(name, sha256(made.encode()).hexdigest(), granted)  # type: ignore[arg-type]  # refuses what is no scope
    typer.echo(f"token of {name}, shown only now: {made}", err=True)
    typer.echo(f"{grant.name} {grant.sha256} {','.join(granted)}")


def _say(url: str, entities: int, name: str) -> None:
    typer.echo(f"{entities:,} entities of {name}\nconsole: {url}\nAPI:     {url}search (described at {url}openapi.json)\nCtrl-C stops")
