"""`forage demo`: the service over a made-up catalogue with made-up people, or the run of so many searches that ends in a report."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import AsJson, here, show
from ops.commands.serve import PORT, Port
from schemas.errors import InvalidSetting

SEARCHES = 4_000
SPEED = 5.0


def demo(
    seed: Annotated[int, typer.Option(help="Another seed gives another catalogue and other people.")] = 7,
    speed: Annotated[float, typer.Option(help="Searches a second that the made-up people make; the console changes it too.")] = SPEED,
    port: Port = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the console in the browser, from a terminal.")] = True,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="--no-serve: no server; a report, and the end.")] = True,
    searches: Annotated[int | None, typer.Option(help="With --no-serve: how many searches the people make; default 4000.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="With --no-serve: folder for the report; default: demo in the data folder.")] = None,
    json: AsJson = False,
) -> None:
    """Watch it learn, in one process.

    A made-up music catalogue, people who search it and halfway want other things. The console shows what is learned while you look, and
    you can search and click yourself. What was learned is kept in the data folder and goes on at the next start; Ctrl-C stops. Needs no
    Kafka and no data.

    With --no-serve the same people make so many searches, tastes change halfway, and a page is written about what was learned.
    """
    if not serve:
        return _report(seed, searches or SEARCHES, out, json)
    if searches is not None or out is not None or json:
        raise InvalidSetting("--searches, --out and --json are about the report; add --no-serve")
    _serve(seed, speed, port, open_=browser and sys.stdout.isatty())


def _report(seed: int, searches: int, out: Path | None, json: bool) -> None:
    from evaluation.demo_text import text
    from ops.demo import run
    from ops.demo_terminal import audience

    folder = out if out is not None else here().data / "demo"
    result = run(seed=seed, searches=searches, out=folder, audience=audience(sys.stderr))
    if json:
        show(result.figures)
    else:
        typer.echo(text(result.figures), nl=False)
    typer.echo(f"report: {result.page}", err=json)


def _serve(seed: int, speed: float, port: int, *, open_: bool) -> None:
    from ops.serving.demo import opened_demo
    from ops.serving.opening import serve

    config = here()
    folder = config.data / "demo-service" / f"seed-{seed}"

    def said(url: str) -> None:
        typer.echo(f"console: {url}\nstate:   {folder}\nCtrl-C stops; the next start goes on from here", err=False)
        if open_:
            webbrowser.open(url)

    with opened_demo(config, seed=seed, speed=speed, folder=folder, tell=lambda line: typer.echo(line, err=True)) as site:
        serve(site, host="127.0.0.1", port=port, said=said)
