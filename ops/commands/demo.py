"""`forage demo`: the whole loop in one process, learning in front of one's eyes."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import AsJson, here, show


def demo(
    seed: Annotated[int, typer.Option(help="Another seed gives another catalogue and other people.")] = 7,
    searches: Annotated[int, typer.Option(help="How many searches the people make.")] = 4_000,
    out: Annotated[Path | None, typer.Option(help="Folder for the report; default: demo in the data folder.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="At the end serve the report on this machine until Ctrl-C.")] = False,
    json: AsJson = False,
) -> None:
    """Watch it learn, in one process.

    A made-up music catalogue, people who search it and halfway want other things, and what was learned from them. Needs no Kafka and no
    data. On a terminal a dashboard shows the state; elsewhere a line now and then. At the end a page is written.
    """
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
    if serve:
        _serve(result.page)


def _serve(page: Path) -> None:
    """Serve the folder of the page on a free port of this machine alone."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(page.parent))) as server:
        typer.echo(f"http://127.0.0.1:{server.server_port}/{page.name} (Ctrl-C ends)", err=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
