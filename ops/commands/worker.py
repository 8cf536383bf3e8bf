"""`forage worker`: the processes that learn from Kafka."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

import typer

from ops import logs
from ops.commands.options import Bootstrap, here, rules_of, time_of
from ops.settings import Settings
from ops.telemetry import Sample, metrics_address, of_publisher, of_worker

AGAIN = 2.0  # s until a publisher that ended is started again
log = logging.getLogger(__name__)
T = TypeVar("T")


def worker(
    role: Annotated[
        Literal["both", "stream", "publisher"],
        typer.Option(help="stream joins and counts events; publisher fits policies and publishes them; both runs one of each."),
    ] = "both",
    folder: Annotated[Path | None, typer.Option(help="Where this worker's state files are; default: worker in the data folder.")] = None,
    instance: Annotated[
        str, typer.Option(help="Name of this worker's slot: restarted under it, a worker gets its partitions back at once.")
    ] = "",
    from_log_start: Annotated[
        bool,
        typer.Option("--from-log-start", help="Let empty partitions begin where the log begins now, although older records were deleted."),
    ] = False,
    from_time: Annotated[
        str, typer.Option(help="Let empty partitions begin at the first events of this time or later: 2026-11-20T00:00:00Z.")
    ] = "",
    bootstrap: Bootstrap = "",
    metrics: Annotated[
        str,
        typer.Option(
            help="Serve metrics for Prometheus at HOST:PORT, or at a port of this host; a publisher beside it at the next port. "
            "Default: $FORAGE_METRICS, else not at all."
        ),
    ] = "",
    log_format: Annotated[
        Literal["text", "json"] | None, typer.Option(help="How the log is written to stderr; default: $FORAGE_LOG_FORMAT, else text.")
    ] = None,
    attached: Annotated[bool, typer.Option("--attached", hidden=True, help="End when stdin ends: the parent is gone.")] = False,
) -> None:
    """Learn from the events on Kafka.

    Runs until Ctrl-C or SIGTERM. Start as many workers as you like: they share the partitions, and of their publishers one publishes
    while the others stand by. `forage topics create` comes first.
    """
    config = here(bootstrap)
    config = replace(
        config, instance=instance or config.instance, metrics=metrics or config.metrics, log_format=log_format or config.log_format
    )
    logs.configure("publisher" if role == "publisher" else "stream", form=config.log_format, instance=config.instance)
    place = folder if folder is not None else config.data / "worker"
    os.umask(0o077)  # state and checkpoints hold what people searched for: they are for this user alone
    if attached:
        _end_with_parent()
    if role == "publisher":
        raise typer.Exit(_publish(config, place))
    begin = time_of(from_time) if from_time else None
    beside = _publisher_beside(config, place) if role == "both" else None
    raise typer.Exit(_stream(config, place, from_log_start=from_log_start, from_time=begin, beside=beside))


def _stream(
    config: Settings, folder: Path, *, from_log_start: bool, from_time: int | None, beside: AbstractContextManager[None] | None
) -> int:
    from streams.faust_app.config import WorkerConfig
    from streams.faust_app.status import Status
    from streams.faust_app.worker import run

    newest = Newest(Status())
    if config.metrics:
        _serve(config.metrics, lambda: of_worker(newest.value, version=version("forage"), now=time.time()))
    return run(
        WorkerConfig(
            bootstrap=config.bootstrap, folder=folder, rules=rules_of(config), group=config.group, state_store=config.state_store or None,
            instance=config.instance or None, from_log_start=from_log_start, from_time=from_time,
            security=config.security,
        ),
        on_status=newest.take, beside=beside,
    )  # fmt: skip


def _publish(config: Settings, folder: Path) -> int:
    from ops.definitions import definition, models_of
    from streams.publishing.ownership import run
    from streams.publishing.status import PublisherStatus

    newest = Newest(PublisherStatus())
    if config.metrics:
        _serve(config.metrics, lambda: of_publisher(newest.value, now=time.time()))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    run(
        config.bootstrap, definition=definition(config.strategies), folder=folder / "snapshots", models=models_of(config.strategies),
        group=config.group,
        security=config.security, stop=ended.is_set, on_status=newest.take,
    )  # fmt: skip
    return 0


class Newest(Generic[T]):
    """The last value that was taken, for another thread to read."""

    def __init__(self, value: T) -> None:
        self.value = value

    def take(self, value: T) -> None:
        self.value = value


def _serve(metrics: str, source: Callable[[], Iterable[Sample]]) -> None:
    from ops.telemetry_http import serve

    host, port = metrics_address(metrics)
    serve((host, port), source)
    log.info("metrics are at http://%s:%d/metrics", host, port)


@contextmanager
def _publisher_beside(config: Settings, folder: Path) -> Iterator[None]:
    """A publisher in a process of its own, started again should it end, and ended with this one, however this one ends."""
    command = [sys.executable, "-m", "ops.cli", "worker", "--role", "publisher", "--attached"]
    command += ["--bootstrap", config.bootstrap, "--folder", str(folder), "--log-format", config.log_format]
    if config.metrics:
        host, port = metrics_address(config.metrics, beside=1)
        command += ["--metrics", f"{host}:{port}"]
    stop = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not stop.is_set():
            # Out of reach of the terminal's Ctrl-C: it would end before the stream worker, and be started again.
            child[:] = [subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)]
            code = child[0].wait()
            if not stop.wait(AGAIN):
                log.warning("the publisher ended with code %d; it is started again", code)

    keeper = threading.Thread(target=keep, name="forage-publisher", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        for one in child:
            one.terminate()
        keeper.join(10.0)
        for one in child:
            one.kill()


def _end_with_parent() -> None:
    """SIGTERM to ourselves when stdin ends: the pipe that the parent holds closes even when it is killed."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="forage-parent", daemon=True).start()
