"""`forage quarantine`: the messages that did not count, why, and how they can."""

import json as json_
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands.options import AsJson, Bootstrap, grid, here, rules_of, show
from schemas.errors import InvalidSetting
from schemas.outcomes import REASONS, Reason

if TYPE_CHECKING:
    from streams.quarantine import Held

UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SHORT = 100  # characters of an error in a list
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Messages that could not count: list, inspect, send again.")
Since = Annotated[str, typer.Option(help="Only what was quarantined in this time before now: 90m, 24h or 7d; default: all that is kept.")]
OfReason = Annotated[Reason | None, typer.Option(help=f"Only messages of this reason: {', '.join(REASONS)}.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Ids, or beginnings of ids that fit one message.")]


@app.command("list")
def list_(
    reason: OfReason = None, since: Since = "",
    limit: Annotated[int, typer.Option(min=0, help="Show this many of the newest messages.")] = 20,
    bootstrap: Bootstrap = "", json: AsJson = False,
) -> None:  # fmt: skip
    """How many messages of each reason, and the newest, one line each.

    What they hold is not shown: it is people's data. `forage quarantine show ID` shows one.
    """
    from streams.quarantine import read_quarantine, summarize

    config = here(bootstrap)
    found = summarize(read_quarantine(config.bootstrap, since=_since(since), security=config.security), limit=limit, reason=reason)
    if json:
        return show({"counts": {name: found.counts[name] for name in REASONS}, "messages": [_plain(held) for held in found.newest]})
    typer.echo(", ".join(f"{found.counts[name]:,} {name}" for name in REASONS))
    if found.newest:
        rows = [(one.id[:12], _when(one.at), one.reason, one.topic, _short(one)) for one in found.newest]
        typer.echo(grid([("id", "quarantined (UTC)", "reason", "topic", "error"), *rows]))


@app.command("show")
def show_(
    ids: Ids = None, reason: OfReason = None, since: Since = "",
    raw: Annotated[bool, typer.Option("--raw", help="Only the original messages, one a line: to be corrected and sent again.")] = False,
    bootstrap: Bootstrap = "", json: AsJson = False,
) -> None:  # fmt: skip
    """Messages with their errors and originals.

    To repair one: `forage quarantine show ID --raw > one.json`, correct it, `forage events send - < one.json`. Or many of one kind:
    `forage quarantine show --reason invalid --raw | jq -c '.ts *= 1000' | forage events send -`.
    """
    chosen = _chosen(ids, reason, since, bootstrap)
    if json:
        return show({"messages": [_plain(held) | {"time": held.time, "cut": held.cut, "value": _text(held)} for held in chosen]})
    for held in chosen:
        if raw:
            typer.echo(held.value.replace(b"\n", b" "))  # as `events send -` reads them; in JSON both are the same
            continue
        head = [("id", held.id), ("quarantined", f"{_when(held.at)} UTC"), ("record time", f"{_when(held.time)} UTC")]
        head += [("topic", held.topic), ("reason", held.reason), ("bytes", f"{len(held.value):,}")]
        typer.echo(grid(head) + f"\nerror: {held.error}\n\n{_text(held)}\n")


@app.command()
def resend(
    ids: Ids = None, reason: OfReason = None, since: Since = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and send nothing.")] = False,
    bootstrap: Bootstrap = "", json: AsJson = False,
) -> None:  # fmt: skip
    """Send messages again that can count by now.

    Says of each what becomes of it.

    invalid: where this version accepts the bytes, or they were only on the wrong topic; others need repair, see `show`.
    ts_out_of_range: once its ts is within 24 h of now, as of a clock that was ahead. unmatched: where the impression of its search came or
    comes within 30 minutes of now; it goes out under a new action_id. conflict and too_late never. Sent twice, a message counts once.
    """
    from streams.producing.resending import fate, refuse_old_logs, send_again

    config = here(bootstrap)
    refuse_old_logs(config.bootstrap, security=config.security)
    chosen, now, window = _chosen(ids, reason, since, bootstrap), _now(), rules_of(config).window
    fates = [(held, fate(held, now=now, window=window)) for held in chosen]
    for held, one in fates if not json else ():
        typer.echo(f"{held.id[:12]} {held.reason}: {one.says}")
    records = [one.record for _, one in fates if one.record is not None]
    sent = send_again(config.bootstrap, records, security=config.security) if not dry_run else 0
    if json:
        rows = [
            {"id": held.id, "reason": held.reason, "sent": one.record is not None and not dry_run, "says": one.says} for held, one in fates
        ]
        show({"sent": sent, "left": len(fates) - len(records), "messages": rows})
    else:
        typer.echo(f"{len(records):,} {'would be' if dry_run else 'were'} sent again, {len(fates) - len(records):,} not")
    if ids and len(records) < len(fates):
        raise typer.Exit(1)


def _chosen(ids: list[str] | None, reason: Reason | None, since: str, bootstrap: str) -> "list[Held]":
    from streams.quarantine import find, read_quarantine

    if bool(ids) == bool(reason):
        raise InvalidSetting("say which messages: ids, or --reason R for all of one reason; `forage quarantine list` shows what is there")
    config = here(bootstrap)
    messages = read_quarantine(config.bootstrap, since=_since(since), security=config.security)
    return find(messages, ids) if ids else [held for held in messages if held.reason == reason]


def _now() -> int:
    return time.time_ns() // 1_000_000


def _since(text: str) -> int:
    """Wall time (ms) at which that span before now began; 0 without one."""
    if not text:
        return 0
    if not (span := re.fullmatch(r"(\d{1,6})([smhd])", text)):
        raise InvalidSetting(f"--since is {text}: must be a number and s, m, h or d; write 90m, 24h or 7d")
    return max(1, _now() - int(span[1]) * UNITS[span[2]])


def _plain(held: "Held") -> dict[str, object]:
    return {"id": held.id, "at": held.at, "reason": held.reason, "topic": held.topic, "error": held.short}


def _short(held: "Held") -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in held.short)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def _text(held: "Held") -> str:
    """The original as text: indented if it is JSON; nothing in it can rewrite the terminal."""
    try:
        text = json_.dumps(json_.loads(held.value), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        text = held.value.decode(errors="replace")
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
