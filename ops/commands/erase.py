"""`forage erase`: people who are to be forgotten, and what remains of them until when."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ops.commands.options import AsJson, Bootstrap, grid, here, progress, rules_of, show
from ops.settings import Settings
from schemas.errors import InvalidSetting, NotFound
from schemas.ids import client_hash, key_mark
from schemas.topics import ERASURES

if TYPE_CHECKING:
    from streams.erasing.remains import Remains
    from streams.erasing.requests import Requests

Client = Annotated[list[str] | None, typer.Option(help="Id as your application sends it: client_id, or session_id where that is all.")]
File = Annotated[Path | None, typer.Option(help="A file with one id a line.")]
Folder = Annotated[Path | None, typer.Option(help="Erase from the data folder of an embedded loop (stop it first) instead of on Kafka.")]


def erase(
    client: Client = None, file: File = None,
    status: Annotated[bool, typer.Option("--status", help="Ask for nothing: show what is done about earlier requests.")] = False,
    folder: Folder = None, bootstrap: Bootstrap = "", json: AsJson = False,
) -> None:  # fmt: skip
    """Forget people.

    What they searched and did until now is subtracted from all that was learned, and never counted again. Prints what remains of them,
    where, and until when at the latest. Ids are hashed with FORAGE_CLIENT_KEY, which must be the workers': the topic never sees an id.
    """
    if any(not one.strip() for one in client or ()):
        raise InvalidSetting("--client is empty: an erasure is for ever; give the id as your application sends it")
    ids = [*(client or ()), *([line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()] if file else ())]
    config = here(bootstrap)
    key = config.client_key.encode()
    if status:
        if folder is not None:
            raise InvalidSetting("--status is for Kafka; with --folder everything is done when the command ends")
        return _status(config, {f"{client_hash(one, key):016x}": one for one in ids}, json=json)
    if not ids:
        raise InvalidSetting("nobody is named; give --client ID (several times, if need be) or --file FILE, or ask with --status")
    until = time.time_ns() // 1_000_000
    people = {client_hash(one, key): until for one in ids}
    if folder is not None:
        return _from_folder(folder, people, config, json=json)
    from streams.admin import describe_topics
    from streams.erasing.remains import remains
    from streams.erasing.requests import place_requests

    topics = describe_topics(config.bootstrap, security=config.security)
    if ERASURES.name not in {one.name for one in topics}:
        raise NotFound(f"topic {ERASURES.name} does not exist at {config.bootstrap}; make it with `forage topics create`")
    place_requests(config.bootstrap, people, key=key_mark(key), security=config.security)
    left = remains(topics, until=until)
    if json:
        plain = [one._asdict() for one in left]
        return show({"people": [{"client": f"{one:016x}", "until": until} for one in people], "remains": plain})
    many = f"{len(people)} people" if len(people) > 1 else "1 person"
    typer.echo(f"{many} will be erased up to {_at(until)} UTC; `forage erase --status` says when it is done\n")
    typer.echo(_table(left))


def _from_folder(folder: Path, people: Mapping[int, int], config: Settings, *, json: bool) -> None:
    from streams.erasing.folder import erase_folder

    with progress() as shown:
        gone = erase_folder(folder, people, rules_of(config), progress=lambda done, total: shown("events", done, total))
    if json:
        return show({"people": [f"{one:016x}" for one in people], "events": gone, "remains": []})
    typer.echo(f"{gone} events were erased from {folder}; state and outcomes are written anew, nothing of them is left there")
    typer.echo("recorded logs, snapshots and copies elsewhere are not touched")


def _status(config: Settings, names: Mapping[str, str], *, json: bool) -> None:
    """What each partition and the publisher said about each request, or about those for these people."""
    from streams.admin import inputs_of
    from streams.erasing.requests import read_requests

    partitions, _ = inputs_of(config.bootstrap, security=config.security)  # first: it says soon that a broker or topic is not there
    requests = read_requests(config.bootstrap, security=config.security)
    by = [*map(str, range(partitions)), "publisher"]
    asked = [one for one in sorted(requests.asked) if not names or one in names]
    lines = [_line(requests, one, by) for one in asked]
    if json:
        return show({"erasures": [one._asdict() for one in lines]})
    if not lines:
        typer.echo("no erasure was asked for" + (" of these people; is FORAGE_CLIENT_KEY the one of that time?" if names else ""))
        return
    head = ("person", "up to (UTC)", "searches", "done", "waits for", "")
    rows = [
        (one.client, _at(one.until), str(one.searches), "no" if one.waits_for else "yes", _short(one.waits_for), one.note) for one in lines
    ]
    typer.echo(grid([head, *rows]))


class _Line(NamedTuple):
    """One request: up to when (ms), how many searches were taken away, which processors have not finished."""

    client: str
    until: int
    searches: int
    waits_for: list[str]
    note: str


def _line(requests: "Requests", client: str, by: Sequence[str]) -> _Line:
    asked = requests.asked[client]
    said = {one: requests.done[one, client] for one in by if (one, client) in requests.done}
    current = {one: what for one, what in said.items() if what.until >= asked.until}
    notes = []
    if any(what.key not in ("", asked.key) for what in current.values()):
        notes.append("asked with another FORAGE_CLIENT_KEY than the workers'")
    if before := max((what.before for what in current.values()), default=0):
        notes.append(f"of what was concluded before {_at(before)} sums stay")
    waits = [one for one in by if one not in current or current[one].waiting]
    searches = sum(what.searches for what in current.values())
    return _Line(client, asked.until, searches, waits, "; ".join(notes))


def _table(left: "Sequence[Remains]") -> str:
    rows = [(one.place, "-" if one.until is None else _at(one.until), one.holds, one.note) for one in left]
    return grid([("where", "until at the latest", "what remains", "why"), *rows])


def _short(waits: Sequence[str]) -> str:
    return ", ".join(waits[:6]) + (f" and {len(waits) - 6} more" if len(waits) > 6 else "")


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
