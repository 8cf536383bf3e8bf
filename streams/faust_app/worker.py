"""The stream worker: Faust assigns partitions and fetches; owners apply in transactions; a sender empties their outboxes."""

import asyncio
import fcntl
import gc
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from schemas.codec import encode
from schemas.errors import InvalidSetting, Unavailable
from schemas.events import Tick
from schemas.topics import ACTIONS, IMPRESSIONS
from streams.access import require
from streams.admin import inputs_of
from streams.erasing.requests import Requests, RequestsFollower
from streams.faust_app.config import WorkerConfig
from streams.faust_app.consumer import install
from streams.faust_app.eraser import EVERY as ERASE_EVERY
from streams.faust_app.eraser import Eraser
from streams.faust_app.owner import Owner
from streams.faust_app.owners import Owners
from streams.faust_app.report import EVERY, line
from streams.faust_app.security import faust_credentials
from streams.faust_app.sender import Sender
from streams.faust_app.status import REFRESH, UNSENT, Meter, Status
from streams.faust_app.watchdog import STALLED, Watchdog
from streams.kernel.changes import INPUT_OF, Record
from streams.moving import heard
from streams.moving.topics import Topics, TopicsWatch

log = logging.getLogger(__name__)
TAKE, WITHIN = 16, 0.02  # fetches in one transaction, and the longest time (s) that a fetch waits for company
FETCH_BYTES = 2 * 1024 * 1024  # so that at most TAKE * FETCH_BYTES = 32 MB (packed) wait; a transaction costs tens of ms: few, large ones
TICK_EVERY, SEND_EVERY = 10.0, 0.1  # s
SESSION = 6  # s: the smallest that a broker allows by default; a dead worker's partitions are idle for so long
GC = (100_000, 20, 100)  # many searches are open, none in a cycle: looking at them all, as by default, takes seconds of every minute
INPUTS = (IMPRESSIONS.name, ACTIONS.name)


def create_app(config: WorkerConfig, owners: Owners, *, ticks: bool, requests: Requests) -> faust.App:
    """The Faust application of one worker. `ticks`: whether the inputs have the broker's time, so that time is ours to pass."""
    install()
    app = faust.App(
        config.group, broker=f"kafka://{config.bootstrap}", datadir=str(config.folder / "faust"), loghandlers=[], web_enabled=False,
        topic_allow_declare=False, topic_disable_leader=True,  # topics are made beforehand, with the settings they need
        agent_supervisor="mode.CrashingSupervisor",  # an error ends the process; the next one reads from the store
        consumer_auto_offset_reset="earliest", stream_wait_empty=False,  # nothing depends on a last commit
        broker_session_timeout=SESSION, broker_heartbeat_interval=1, broker_commit_interval=1, broker_request_timeout=10,
        stream_buffer_maxsize=TAKE, consumer_max_fetch_size=FETCH_BYTES, table_standby_replicas=0, consumer_metadata_max_age_ms=10_000,
        consumer_group_instance_id=config.instance, broker_credentials=faust_credentials(config.security),
    )  # fmt: skip
    app.owners = owners
    wake = asyncio.Event()
    raw = {"key_serializer": "raw", "value_serializer": "raw", "key_type": bytes, "value_type": bytes}

    async def apply(stream: Any) -> None:
        stream = stream.noack()
        async for batch in stream.noack_take(TAKE, WITHIN):
            by_partition: dict[int, list[Any]] = defaultdict(list)
            for event in batch:
                by_partition[event.message.tp.partition].append(event)
            for partition, events in by_partition.items():
                current = [one for one in events if one.message.seeks == app.consumer.seeks]
                if current and (owner := owners.get(partition)) is not None:  # else its new owner, maybe this one, reads it again
                    _apply(owner, current, owners.meter)
                for event in events:
                    await stream.ack(event)  # only frees Faust's bookkeeping
            wake.set()
            while sum(owner.unsent for owner in owners.values()) > UNSENT:
                await asyncio.sleep(SEND_EVERY)

    app.agent(app.topic(*INPUTS, allow_empty=True, **raw), name="apply", concurrency=1)(apply)

    async def close_revoked(app: Any, revoked: set[TP], **_: Any) -> None:  # sent after Faust has stopped the flow
        owners.release({tp.partition for tp in revoked})

    app.on_partitions_revoked.connect(close_revoked)

    async def note_assigned(app: Any, assigned: set[TP], **_: Any) -> None:
        owners.meter.rebalanced()

    app.on_partitions_assigned.connect(note_assigned)

    async def send() -> None:
        async with Sender(config.bootstrap, security=config.security) as sender:
            ticked = time.monotonic()
            while not app.should_stop:
                wake.clear()
                for owner in list(owners.values()):
                    owners.meter.sent(owner, await sender.send(owner, sharing=len(owners)), kept=sender.kept(owner))
                if ticks and time.monotonic() - ticked > TICK_EVERY:
                    ticked = time.monotonic()
                    for partition in list(owners):
                        await sender.tick(partition, encode(Tick()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), SEND_EVERY)

    app.task(send)

    async def checkpoint() -> None:
        await owners.checkpoint()

    app.timer(config.checkpoint_every)(checkpoint)

    async def resend() -> None:
        owners.resend_taken_over(2 * SESSION)

    app.timer(SESSION)(resend)

    watch = TopicsWatch(config.bootstrap, security=config.security)

    async def look() -> None:
        if watch.newest is not None:
            owners.look(watch.newest)

    app.timer(REFRESH)(look)
    eraser = Eraser(config, owners, requests, stop=lambda: bool(app.should_stop))

    async def erase() -> None:
        while not app.should_stop:
            await eraser.step()
            await asyncio.sleep(ERASE_EVERY)

    app.task(erase)
    return app


def _apply(owner: Owner, events: list[Any], meter: Meter) -> None:
    records = [
        Record(INPUT_OF[event.message.topic], fetched.offset, fetched.timestamp, fetched.value, fetched.key or b"")
        for event in events
        for fetched in event.message.records
    ]
    before, started = dict(owner.next), time.time()
    changes = owner.apply(records, int(started * 1_000))
    ended = time.time()
    meter.applied(before, owner.next, counted=changes.counters, seconds=ended - started)
    log.info(
        "applied %d: %s to %s in %.3f s at %.3f",
        owner.partition, list(before.values()), list(owner.next.values()), ended - started, ended,
    )  # fmt: skip
    if sent_on := [out for out in changes.outgoing if out.topic in INPUTS]:
        log.warning(
            "%d records of %s were on partition %d though their keys belong elsewhere; they are sent on. Set partitioner=murmur2_random in "
            "that producer if it uses librdkafka, or take a partitioner of its own out (docs/producers.md)",
            len(sent_on), sent_on[0].topic, owner.partition,
        )  # fmt: skip


def _keep_looking(loop: asyncio.AbstractEventLoop, owners: Owners, watchdog: Watchdog) -> None:
    """Look at the owners once a second, from before the first assignment on; no task, which somebody would have to wait for."""
    told, at = Status(), time.monotonic()

    def look() -> None:
        nonlocal told, at
        loop.call_later(REFRESH, look)
        now = watchdog.saw(owners.meter.status(owners))
        if time.monotonic() - at >= EVERY:
            if text := line(told, now):
                log.info("%s", text)
            told, at = now, time.monotonic()

    loop.call_soon(look)


def run(
    config: WorkerConfig, *, on_status: Callable[[Status], None] = lambda _: None, stalled: float = STALLED,
    beside: AbstractContextManager[object] | None = None,
) -> int:  # fmt: skip
    """Work until SIGTERM or SIGINT. Raises ForageError when this worker may not start; one that may not go on ends with its error.

    `on_status` gets the newest status about once a second, from one thread or another. `stalled`: seconds after which a worker that has
    work and does not do it ends with code 70. `beside` is entered once this worker may start, and left when it ends.
    """
    gc.set_threshold(*GC)
    require(config.bootstrap, "worker", group=config.group, security=config.security)
    _, clock = inputs_of(config.bootstrap, security=config.security)
    topics = Topics.of(config.bootstrap, security=config.security)
    slot = hold_slot(config.folder, config.instance)
    erasures = RequestsFollower(config.bootstrap, security=config.security)
    owners = Owners(
        config, topics, erasures=erasures.requests.until, heard=partial(heard.epochs, config.bootstrap, security=config.security)
    )
    try:
        app = create_app(config, owners, ticks=clock == "LogAppendTime", requests=erasures.requests)
        worker = app.Worker(redirect_stdouts=False, quiet=True, override_logging=False)  # whoever started this process says how it logs
        worker.spinner = None
        dog = Watchdog(config.bootstrap, owners.meter, tell=on_status, limit=stalled, security=config.security)
        with erasures, beside or nullcontext(), dog as watchdog:  # nothing is applied before it is known who was erased
            _keep_looking(worker.loop, owners, watchdog)
            worker.execute_from_commandline()
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        owners.release(set(owners))
        os.close(slot)
    return 0


def hold_slot(folder: Path, instance: str | None) -> int:
    """Lock the name of a slot on this host: two members of one name would steal the group from each other about every second."""
    if "/" in (instance or ""):
        raise InvalidSetting(f"--instance is {instance}: it names a file too; use letters, digits, - and _")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / f"slot-{instance or os.getpid()}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise Unavailable(f"a worker cannot write to {folder} ({error.strerror}); make it writable, or give another --folder") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Unavailable(f"a worker named {instance} runs already on {folder}; stop it, or give this one another --instance") from None
    return handle
