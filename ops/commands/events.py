"""`forage events`: send events into Kafka, and watch topics."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands.options import AsJson, Bootstrap, here, progress, rules_of, show, time_of
from ops.progress import Progress
from ops.settings import Settings
from schemas.base import DAY_MS
from schemas.errors import InvalidSetting, Unavailable

if TYPE_CHECKING:
    from streams.producer import EventProducer
    from streams.replaying.recording import Line

FLUSH = 60.0  # s to wait for the broker at the end; what is left then stays on disk
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Send impressions and actions, and watch the topics.")


@app.command()
def send(
    source: Annotated[str, typer.Argument(metavar="LOG|-", help="A log of `events record` or `evaluate loop --record`; - for stdin.")],
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Send a recorded log, or events from stdin.

    Events on stdin are one JSON object a line, as `forage data schema` describes them; a line that is none is named and left out.

    Topics with CreateTime keep the events' own times: everything is sorted by time, ticks are added every ten minutes of it and once
    past the end, so that all searches close. Topics with LogAppendTime take live events: what the broker cannot take now waits on disk,
    and the next run sends it.
    """
    from streams.admin import inputs_of
    from streams.replaying.sending import lines_of

    config, refused = here(bootstrap), _Refused()
    partitions, kept = inputs_of(config.bootstrap, security=config.security)
    events = lines_of(sys.stdin.buffer, refused=refused) if source == "-" else None
    with progress() as shown:
        if kept == "CreateTime":
            counts = {"records": _with_their_times(source, events, partitions, config, shown)}
        else:
            counts = _live(events or _fresh(Path(source), config.bootstrap), config, shown)
    counts["refused"] = refused.count
    if json:
        show(counts)
    else:
        typer.echo(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    if refused.count:
        raise InvalidSetting(f"{refused.count} lines were no events, see above; correct them and send them again")


class _Refused:
    """Tells of each line that is no event, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, number: int, why: str) -> None:
        self.count += 1
        typer.echo(f"line {number}: {why}", err=True)


def _with_their_times(source: str, events: "Iterable[Line] | None", partitions: int, config: Settings, shown: Progress) -> int:
    from streams.replaying.recording import read_log
    from streams.replaying.replay import placed
    from streams.replaying.sending import send_log

    rules = rules_of(config)
    found = sorted(events, key=lambda line: line.time) if events is not None else None
    total = sum(1 for _ in placed(found or read_log(Path(source)), partitions, rules=rules)) if found != [] else 0  # all is read once first
    return send_log(
        config.bootstrap, found if found is not None else read_log(Path(source)), rules=rules, security=config.security,
        progress=lambda done: shown("records sent", done, total),
    )  # fmt: skip


def _fresh(path: Path, bootstrap: str) -> "Iterator[Line]":
    """The lines of a log that is young enough for topics with the broker's time."""
    from streams.replaying.recording import read_log

    lines = read_log(path)
    first = next(lines, None)
    if first is not None and abs(time.time() * 1000 - first.time) > DAY_MS:
        raise InvalidSetting(
            f"{path} begins at {first.time} ms, and the inputs at {bootstrap} have LogAppendTime, where events over 24 h old do not count; "
            "send it into topics made with `forage topics create --time CreateTime`"
        )
    return chain([first] if first is not None else [], lines)


def _live(lines: "Iterable[Line]", config: Settings, shown: Progress) -> dict[str, int]:
    from streams.producer import EventProducer

    spill = config.data / "spill"
    producer = EventProducer(config.bootstrap, spill=spill, security=config.security)
    try:
        for number, line in enumerate(lines, start=1):
            _accept(producer, line)
            shown("events accepted", number, 0)
        done = producer.flush(FLUSH)
        counters = producer.counters()
    finally:
        producer.close()
    if not done:
        raise Unavailable(
            f"the broker {config.bootstrap} did not take everything ({counters.last_error or 'no answer'}); the rest waits in {spill} and "
            "goes out with the next `events send`"
        )
    if counters.failed:
        raise Unavailable(
            f"{counters.failed} events were refused by the broker for ever; they stand in {spill}, files *.rejected, with the reasons"
        )
    return {"accepted": counters.accepted, "sent": counters.sent}


def _accept(producer: "EventProducer", line: "Line") -> None:
    from schemas.codec import decode_event
    from schemas.events import Action, Impression, SuggestAccept, SuggestImpression

    event = decode_event(line.value)
    while True:
        if isinstance(event, Impression):
            taken = producer.impression(event)
        elif isinstance(event, Action):
            taken = producer.action(event)
        elif isinstance(event, SuggestImpression):
            taken = producer.suggest_impression(event)
        else:
            assert isinstance(event, SuggestAccept)
            taken = producer.suggest_accept(event)
        if taken:
            return
        producer.flush(1.0)  # memory and disk are full: wait for room


@app.command()
def record(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="File to write; with .gz at the end it is packed.")],
    from_time: Annotated[str, typer.Option(help="Only events of this time or later: 2026-11-20T00:00:00Z.")] = "",
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Write the impressions and actions on Kafka to a log.

    `forage events send` brings it to another cluster, or to topics that were made anew with other partitions; `forage data digest --log`
    says what it amounts to. Each event has the time that the broker gave it. What is no event is left out.
    """
    from streams.replaying.reading import recorded
    from streams.replaying.recording import Recorder

    config, count = here(bootstrap), 0
    since = time_of(from_time) if from_time else None
    with progress() as shown, Recorder(log) as out:
        for count, line in enumerate(
            recorded(config.bootstrap, from_time=since, rules=rules_of(config), security=config.security), start=1
        ):
            out.write(line.topic, line.time, line.value)
            shown("events recorded", count, 0)
    if json:
        return show({"log": str(log), "events": count})
    typer.echo(f"{log}: {count:,} events")


@app.command()
def tail(
    topic: Annotated[str, typer.Argument(help="One of our topics, such as search.impressions, search.outcomes or policy.snapshots.")],
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest record instead of the next one.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Stop after this many records; 0 goes on for ever.")] = 0,
    bootstrap: Bootstrap = "",
    json: AsJson = False,
) -> None:
    """Follow a topic until Ctrl-C.

    One line a record; with --json each line is a JSON object with the whole value.
    """
    from json import dumps

    from streams.reading.tail import follow, line, plain

    config = here(bootstrap)
    with suppress(KeyboardInterrupt), closing(follow(config.bootstrap, topic, from_start=from_start, security=config.security)) as records:
        for number, seen in enumerate(records, start=1):
            typer.echo(dumps(plain(seen), ensure_ascii=False) if json else line(seen))
            if number == limit:
                return
