"""Ends a worker that has work and does not do it, so that the service manager starts it again: its state is in transactions.

A thread with a client of its own asks the broker where the inputs end. So what is behind is known by what was applied, and neither a
fetcher that died nor an event loop that hangs can hide it. A broker that is away is no stall: everything waits for it.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from traceback import format_stack
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from streams.clients import Security, connect
from streams.faust_app.status import UNSENT, Meter, Place, Status
from streams.kernel.changes import TOPIC_OF

log = logging.getLogger(__name__)
STALLED = 120.0  # s without a step: the largest transaction takes some seconds, so does opening a partition
LONG = 1_800.0  # s that one step with a disk or line that is slow may take
LOOK = 10.0  # s
ANSWER = 5_000  # ms
SILENT = 15.0  # s: a broker that is silent for longer is worth a line
CODE = 70  # EX_SOFTWARE
LOOP = "the event loop"


class Still(NamedTuple):
    """Something that has work: where it stands, and for how long (s) it has stood there."""

    mark: int
    seconds: float = 0.0


def marks(status: Status, *, beats: int, busy: str, answered: bool) -> dict[str, int]:
    """What has work now -> a number that grows with each step of it.

    The loop always has. While the broker answers, so has a place that is behind, unless it waits for the sender, and the sender while
    something is to be sent; a round of it that the broker refuses is a step too. Nothing else moves while something long is under way.
    """
    if busy:
        return {busy: beats}
    found = {LOOP: beats}
    if not answered:
        return found
    if any(one.waiting > 0.0 for one in status.partitions.values()):
        found["the sender"] = status.rounds
    if status.unsent <= UNSENT:
        found |= {_name(place): status.partitions[place.partition].next[place.input] for place, behind in status.lag().items() if behind}
    return found


def watched(before: Mapping[str, Still], found: Mapping[str, int], *, elapsed: float) -> dict[str, Still]:
    """How long each of `found` has had work without a step, `elapsed` seconds after `before`."""
    unmoved = {name for name, mark in found.items() if name in before and before[name].mark == mark}
    return {name: Still(mark, before[name].seconds + elapsed if name in unmoved else 0.0) for name, mark in found.items()}


def stalled(still: Mapping[str, Still], limit: float) -> list[str]:
    """What has stood still for too long."""
    return sorted(name for name, one in still.items() if one.seconds >= limit)


class Watchdog:
    """Looks every ten seconds. `tell` gets the newest status with what only the broker knows, from this thread too."""

    def __init__(
        self, bootstrap: str, meter: Meter, *, tell: Callable[[Status], None], limit: float = STALLED, security: Security | None = None
    ) -> None:
        self._bootstrap, self._meter, self._tell, self._limit, self._security = bootstrap, meter, tell, limit, security
        self._every = min(LOOK, limit / 4)
        self._status = Status()
        self._ends: dict[Place, int] = {}
        self._heard, self._said = time.monotonic(), False
        self._still: dict[str, Still] = {}
        self._client: Any = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forage-watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(0.5)  # no longer: it may wait for a broker that is away
        faulthandler.cancel_dump_traceback_later()

    def saw(self, status: Status) -> Status:
        """The event loop made a new status: complete it and tell it."""
        self._status = status
        self._tell(whole := self.completed())
        return whole

    def completed(self) -> Status:
        """The newest status, with the broker's ends and for how long nothing was heard and nothing moved."""
        worst = max((one.seconds for one in self._still.values()), default=0.0)
        return replace(self._status, ends=self._ends, silent=time.monotonic() - self._heard, stalled=worst)

    def _run(self) -> None:
        looked, suspects = time.monotonic(), set[str]()
        while not self._stop.wait(self._every):
            # Should even this thread not run any more, as when something keeps Python's lock for ever, C code ends the process.
            faulthandler.dump_traceback_later(4 * self._limit + LOOK, exit=True)
            answered = self._ask()
            now = time.monotonic()
            elapsed, looked = min(now - looked, 2 * self._every + ANSWER / 1000), now  # a process that was frozen is not to blame
            status, busy = self.completed(), self._meter.busy
            self._still = watched(self._still, marks(status, beats=self._meter.beats, busy=busy, answered=answered), elapsed=elapsed)
            self._tell(self.completed())
            names = stalled(self._still, LONG if busy else self._limit)
            if suspects & set(names):
                self._end(names)
            # What can be read may have come just now: it is a stall when it is still there at the next look.
            suspects = self._readable(names, status) if names else set()
            self._still |= {name: Still(self._still[name].mark) for name in names if name not in suspects}
        self._forget()

    def _ask(self) -> bool:
        """Learn where the inputs end; whether the broker answered."""
        places = [Place(input_, number) for number, one in self._status.partitions.items() for input_ in one.next]
        parts = {place: _part(place) for place in places or [Place(input_, 0) for input_ in TOPIC_OF]}
        try:
            ends = self._connected().end_offsets(list(parts.values()), timeout_ms=ANSWER)
            self._ends = {place: ends[part] for place, part in parts.items()}
        except Exception as error:  # whatever a client says when there is no broker: the next look makes a new one
            self._forget()
            silent = time.monotonic() - self._heard
            if silent > SILENT and not self._said:
                log.warning("the broker has not answered for %.0f s (%r): work goes on when it does, nothing is lost", silent, error)
                self._said = True
            return False
        if self._said:
            log.warning("the broker answers again, after %.0f s", time.monotonic() - self._heard)
        self._heard, self._said = time.monotonic(), False
        return True

    def _connected(self) -> Any:
        if self._client is None:
            self._client = connect(
                KafkaConsumer, self._bootstrap, security=self._security, bootstrap_timeout_ms=2_000, enable_auto_commit=False,
                allow_auto_create_topics=False,
            )  # fmt: skip
        return self._client

    def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close()
            except Exception as error:
                log.debug("closing: %r", error)

    def _readable(self, names: Iterable[str], status: Status) -> set[str]:
        """Those of which there is really something to read: the end of a log that a transactional producer wrote is a mark that nobody
        ever gets. What is no place is taken for it."""
        unread = {_name(place): place for place in status.lag()}
        places = {_part(unread[name]): unread[name] for name in names if name in unread}
        found = {name for name in names if name not in unread}
        if not places:
            return found
        try:
            client = self._connected()
            client.assign(list(places))
            for part, place in places.items():
                client.seek(part, status.partitions[place.partition].next[place.input])
            return found | {_name(places[part]) for part in client.poll(timeout_ms=ANSWER)}
        except Exception:  # the broker went away just now
            self._forget()
            return found

    def _end(self, names: list[str]) -> None:
        about = ", ".join(names), max(self._still[name].seconds for name in names), CODE
        text = (
            "stalled: %s did not move for %.0f s although there is work and the broker answers. This process ends with code %d so that it "
            "is started again; its state is safe. If that comes back, report the stacks of all threads, which follow"
        )
        record = log.makeRecord(log.name, logging.CRITICAL, __file__, 0, text, about, None)
        record.stack_info = _stacks()
        log.handle(record)
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(CODE)


def _stacks() -> str:
    names = {one.ident: one.name for one in threading.enumerate()}
    stacks = {names.get(ident, str(ident)): format_stack(frame) for ident, frame in sys._current_frames().items()}
    return "\n".join(f"thread {name}:\n{''.join(stack).rstrip()}" for name, stack in sorted(stacks.items()))


def _name(place: Place) -> str:
    return f"{TOPIC_OF[place.input]}-{place.partition}"


def _part(place: Place) -> TopicPartition:
    return TopicPartition(TOPIC_OF[place.input], place.partition)
