"""`forage snapshots`: which policies were published, and orders to the publisher."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from typing import Annotated, Literal, Protocol
from uuid import uuid4

import typer

from ops.commands.options import AsJson, Bootstrap, grid, here, show
from schemas.errors import InvalidSetting, NotFound
from schemas.snapshots import Command, Content, Manifest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Published policies: show, roll back, pin.")
Folder = Annotated[Path | None, typer.Option(help="Work on the snapshots of an embedded run in this folder instead of on Kafka.")]
Action = Literal["promote", "rollback", "pin", "unpin"]
Why = Annotated[str, typer.Option(help="Why; it stands in the order on the topic control, and in the publisher's log.")]


class Shelf(Protocol):
    """Where snapshots stand: a topic or a folder."""

    def list(self) -> Sequence[Manifest]: ...

    def find(self, which: int | str, /) -> Manifest: ...

    def content(self, content_id: str, /) -> Content: ...


@app.command("list")
def list_(folder: Folder = None, bootstrap: Bootstrap = "", json: AsJson = False) -> None:
    """Publications, oldest first.

    All that are kept; the last one is in use.
    """
    manifests = _shelf(folder, bootstrap).list()
    if json:
        return show({"snapshots": [one.model_dump(mode="json") for one in manifests]})
    if not manifests:
        typer.echo("nothing was published yet; start `forage worker` and send events")
        return
    rows = [
        (
            str(one.seq),
            one.content_id[:12],
            _at(one.created),
            _short(one.reason),
            "pinned" if one.pinned else "",
            "in use" * (one is manifests[-1]),
        )
        for one in manifests
    ]
    typer.echo(grid([("seq", "content_id", "created (UTC)", "reason", "", ""), *rows]))


@app.command("show")
def show_(
    which: Annotated[str, typer.Argument(help="seq or content_id (8 digits suffice); default: the one in use.")] = "",
    folder: Folder = None, bootstrap: Bootstrap = "", json: AsJson = False,
) -> None:  # fmt: skip
    """One publication in detail.

    When and why it was made, its strategies with their costs and depths, and how much was learned.
    """
    shelf = _shelf(folder, bootstrap)
    manifest = shelf.find(_which(which)) if which else _last(shelf)
    content = shelf.content(manifest.content_id)
    policy = content.definition.get("policy", {})
    if json:
        arrays = {name: list(array.shape) for name, array in sorted(content.arrays.items())}
        return show({"manifest": manifest.model_dump(mode="json"), "definition": dict(content.definition), "arrays": arrays})
    numbers = sum(prod(array.shape) for array in content.arrays.values())
    head = [("seq", str(manifest.seq)), ("content_id", manifest.content_id), ("created", f"{_at(manifest.created)} UTC")]
    head += [("reason", manifest.reason or "-"), ("pinned", "yes" if manifest.pinned else "no"), ("features", manifest.feature_schema)]
    head += [("learned", f"{numbers:,} numbers in {len(content.arrays)} arrays")]
    typer.echo(grid(head))
    arms = [(str(arm["name"]), str(arm["cost"]), str(arm["depth"])) for arm in policy.get("arms", [])]
    always = [(str(one["name"]), "always asked", str(one["depth"])) for one in policy.get("always", [])]
    typer.echo("\n" + grid([("strategy", "cost", "depth"), *arms, *always]))


@app.command()
def promote(
    content_id: Annotated[str, typer.Argument(help="The content to publish, as `forage snapshots list` shows it.")],
    reason: Why = "", folder: Folder = None, bootstrap: Bootstrap = "",
) -> None:  # fmt: skip
    """Publish a stored content as a release."""
    _act("promote", content_id, reason=reason, folder=folder, bootstrap=bootstrap)


@app.command()
def rollback(
    which: Annotated[str, typer.Argument(help="seq or content_id (8 digits suffice); default: the policy before the one in use.")] = "",
    reason: Why = "", folder: Folder = None, bootstrap: Bootstrap = "",
) -> None:  # fmt: skip
    """Go back to an earlier policy and pin it.

    It is published again. Learning goes on, but nothing newer is published until `unpin`.
    """
    _act("rollback", which, reason=reason, folder=folder, bootstrap=bootstrap)


@app.command()
def pin(reason: Why = "", folder: Folder = None, bootstrap: Bootstrap = "") -> None:
    """Keep the policy in use.

    Learning goes on, but nothing newer is published until `unpin`.
    """
    _act("pin", "", reason=reason, folder=folder, bootstrap=bootstrap)


@app.command()
def unpin(reason: Why = "", folder: Folder = None, bootstrap: Bootstrap = "") -> None:
    """Publish again as new things are learned."""
    _act("unpin", "", reason=reason, folder=folder, bootstrap=bootstrap)


def _act(action: Action, which: str, *, reason: str, folder: Path | None, bootstrap: str) -> None:
    now, shelf = time.time_ns() // 1_000_000, _shelf(folder, bootstrap)
    content_id = which and _content_id(shelf, which, may_wait=action == "promote")
    if folder is not None:
        if reason:
            raise InvalidSetting("--reason is kept with orders on Kafka only; leave it out with --folder")
        manifest = _in_folder(action, content_id, folder, now)
        typer.echo(f"seq {manifest.seq}: {manifest.content_id[:12]}, {'pinned' if manifest.pinned else 'not pinned'}")
        return
    from streams.publishing.publications import place_order

    if action == "rollback" and not which and len(shelf.list()) < 2:  # the publisher's refusal would stand in its log alone
        raise NotFound("nothing older than the policy in use is kept; `forage snapshots list` shows what is")
    config = here(bootstrap)
    command = Command(command_id=uuid4().hex, action=action, content_id=content_id, ts=now, reason=reason)
    place_order(config.bootstrap, command, security=config.security)
    typer.echo(f"order placed: {action} {content_id[:12]}".rstrip() + "; `forage snapshots list` shows it once the publisher has acted")


def _in_folder(action: Action, content_id: str, folder: Path, now: int) -> Manifest:
    from learners.registry import Registry

    registry = Registry(folder)
    if action == "promote":
        return registry.promote(content_id, created=now)
    if action == "rollback":
        return registry.rollback(content_id or _before(registry.list()).content_id, created=now)
    return registry.pin(created=now) if action == "pin" else registry.unpin(created=now)


def _before(manifests: Sequence[Manifest]) -> Manifest:
    """The newest publication from before the content in use was first published."""
    running = [at for at, one in enumerate(manifests) if one.content_id == manifests[-1].content_id]
    if not running or not running[0]:
        raise NotFound("nothing older than the policy in use is kept; `forage snapshots list` shows what is")
    return manifests[running[0] - 1]


def _content_id(shelf: Shelf, which: str, *, may_wait: bool) -> str:
    """The whole content_id. A content that waits for its promotion is known to the publisher alone: it is passed on as it is."""
    try:
        return shelf.find(_which(which)).content_id
    except NotFound:
        if may_wait and len(which) == 64:
            return which
        raise


def _shelf(folder: Path | None, bootstrap: str) -> Shelf:
    if folder is None:
        from streams.publishing.publications import read_publications

        config = here(bootstrap)
        return read_publications(config.bootstrap, security=config.security)
    from learners.registry import Registry

    if not (folder / "manifests").is_dir():  # a registry would make it
        raise NotFound(f"{folder} holds no snapshots; give the folder that has `manifests` and `contents` in it")
    return Registry(folder)


def _last(shelf: Shelf) -> Manifest:
    if not (manifests := shelf.list()):
        raise NotFound("nothing was published yet; start `forage worker` and send events")
    return manifests[-1]


def _which(text: str) -> int | str:
    """A seq is short and all digits; a content_id has at least 8 hex digits."""
    return int(text) if text.isdigit() and len(text) < 8 else text


def _short(reason: str) -> str:
    """`rollback:<command id>` with 8 digits of the id; `show` and --json have it whole."""
    action, _, command_id = reason.partition(":")
    return f"{action}:{command_id[:8]}" if command_id else action or "-"


def _at(created: int) -> str:
    return datetime.fromtimestamp(created / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
