"""`forage data import`: a catalogue of one's own from a CSV file, and downloaded public data, each as a dataset folder."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands.options import AsJson, show
from schemas.entities import Entity
from schemas.errors import InvalidSetting

if TYPE_CHECKING:
    from evaluation.datasets.csv_catalog import Survey

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Turn data into a dataset folder: a CSV of one's own, public data.")
PUBLIC = {
    "bestbuy": "Best Buy's video games: a catalogue and a real click log.",
    "esci": "Amazon's shopping queries, judged.",
    "homedepot": "Home Depot's search relevance, judged.",
    "ubi": "Queries and events as User Behavior Insights 1.3 has them.",
}
WIDTH = 100  # characters of a preview's line


def _public(kind: str, said: str) -> Callable[..., None]:
    """The command that imports one kind of downloaded data."""

    def command(
        src: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with the data as it was downloaded.")],
        out: Annotated[Path, typer.Option(help="Folder to write the dataset to.")],
        json: AsJson = False,
    ) -> None:
        from evaluation.datasets.folder import CLICKS, JUDGMENTS

        dataset = getattr(import_module(f"evaluation.datasets.{kind}"), f"import_{kind}")(src, out)
        counts = {"entities": sum(1 for _ in dataset.entities())}
        if dataset.has(CLICKS):
            counts["clicks"] = len(dataset.clicks())
        if dataset.has(JUDGMENTS):
            counts |= {"queries": len(dataset.queries()), "judgments": len(dataset.judgments())}
        if json:
            return show({"folder": str(out), "digest": dataset.digest, **counts})
        typer.echo(f"{out}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}\nnext: forage evaluate loop {out}")

    command.__doc__ = said
    return command


for _kind, _said in PUBLIC.items():
    app.command(_kind)(_public(_kind, _said))


@app.command("csv")
def csv(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file; its first line names the columns.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write the dataset to.")] = None,
    id: Annotated[str, typer.Option(help="Column of the ids, each once: what your application calls the thing.")] = "id",  # noqa: A002
    title: Annotated[str, typer.Option(help="Column of the titles.")] = "title",
    text: Annotated[list[str] | None, typer.Option(help="Columns of other text to search in; repeat it, or put commas between.")] = None,
    attributes: Annotated[
        list[str] | None, typer.Option(help="Columns of attributes, such as brand or price; several values in a field: rock|pop.")
    ] = None,
    type: Annotated[str, typer.Option(help="Column of the kinds of things: product, song.")] = "",  # noqa: A002
    popularity: Annotated[str, typer.Option(help="Column of numbers from 0 on: sales, plays, ratings.")] = "",
    created: Annotated[str, typer.Option(help="Column of dates: 2026-11-21.")] = "",
    delimiter: Annotated[str, typer.Option(help="Between fields, or `tab`; found by the first line if not given.")] = "",
    encoding: Annotated[str, typer.Option(help="Of the file; old spreadsheets write cp1252.")] = "utf-8-sig",
    preview: Annotated[bool, typer.Option("--preview", help="Only show the first entities and the wrong rows; write nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave wrong rows out; without, one of them stops the import.")] = False,
    json: AsJson = False,
) -> None:
    """A catalogue of your own: each row one thing that can be found.

    The whole file is read before anything is written, and every wrong row is told with its line. Look at it with --preview first.
    """
    from evaluation.datasets.csv_catalog import Columns, Source, import_csv, said, survey

    if out is None and not preview:
        raise InvalidSetting("give --out DIR, the folder to write to, or --preview to only look")
    columns = Columns(id, title, _several(text), _several(attributes), type, popularity, created)
    source = Source(file, columns, "\t" if delimiter == "tab" else delimiter, encoding)
    found = survey(source)
    for line in said(found):
        typer.echo(line, err=True)
    if preview or out is None:
        return show(_plain(found)) if json else typer.echo(_preview(found))
    dataset = import_csv(source, found, out, skip_bad=skip_bad)
    if json:
        return show({"folder": str(out), "digest": dataset.digest, **_plain(found)})
    left = f", left out: {found.wrong:,} wrong rows" if found.wrong else ""
    typer.echo(f"{out}: {found.good:,} entities{left}\nnext: forage serve --data {out}")


def _several(names: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(one.strip() for name in names or () for one in name.split(",") if one.strip())


def _plain(found: "Survey") -> dict[str, object]:
    wrong = [one._asdict() for one in found.told]
    first = [one.model_dump(exclude_defaults=True) for one in found.first]
    return {"entities": found.good, "wrong": found.wrong, "wrong_rows": wrong, "first": first}


def _preview(found: "Survey") -> str:
    """The first entities as they would be found, then what would be written."""
    shown = [line for entity in found.first for line in (*_lines(entity), "")]
    numbers = f"\nread as numbers: {', '.join(sorted(found.numbers))}" if found.numbers else ""
    return "\n".join([*shown, f"entities: {found.good:,}, wrong rows: {found.wrong:,}; nothing was written{numbers}"])


def _lines(entity: Entity) -> list[str]:
    plain = entity.model_dump(exclude_defaults=True)
    plain["attributes"] = "; ".join(f"{name}: {', '.join(str(one.value) for one in some)}" for name, some in entity.attributes.items())
    fields = [f"{name:12} {value}" for name, value in plain.items() if value != ""]
    return [line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in fields]
