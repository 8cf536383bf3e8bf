"""Faults inside a worker, made from outside the product: its functions are wrapped before it starts.

FAULT=POINT:NTH kills the process with SIGKILL at the nth time it comes to a point; FAULT=raise:NTH lets the nth batch fail once;
FAULT=commit:CODES answers the first commits of offsets with these error codes (comma-separated) in the broker's place.
CLOCK names a file with seconds: so much is the wall clock ahead.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import MessageBatch

from memory_index.store import Store
from streams import state_store
from streams.faust_app.owner import Owner
from streams.partition_store import PartitionStore
from streams.state_store import StateStore

SOON = 0.001  # s into a call that takes some: COMMIT and CHECKPOINT write and sync


class Point:
    """Counts how often it is passed; at the nth time the process is no more."""

    def __init__(self, name: str, nth: int) -> None:
        self._name, self._left = name, nth

    def last(self) -> bool:
        """Is this the time?"""
        self._left -= 1
        return self._left == 0

    def die(self) -> None:
        os.write(2, b"\nfault point: %s\n" % self._name.encode())
        os.kill(os.getpid(), signal.SIGKILL)

    def passed(self) -> None:
        if self.last():
            self.die()

    def during(self, call: Callable[[], Any]) -> Any:
        """Die in the middle of the nth call, or at its end when it is quicker."""
        if not self.last():
            return call()
        threading.Timer(SOON, self.die).start()
        call()
        self.die()


class Connection:
    """A DuckDB connection that comes to a point at statements that begin with `word`."""

    def __init__(self, real: Any, word: str, at: Callable[[Callable[[], Any]], Any]) -> None:
        self._real, self._word, self._at = real, word, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, sql: str, *given: Any) -> Any:
        call = lambda: self._real.execute(sql, *given)  # noqa: E731
        return self._at(call) if sql.startswith(self._word) else call()


class Files:
    """A file system whose streams stop in the middle of what is written to a file with this ending."""

    def __init__(self, real: Any, ending: str, point: Point) -> None:
        self._real, self._ending, self._point = real, ending, point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def open_output_stream(self, path: str, *given: Any, **named: Any) -> Any:
        stream = self._real.open_output_stream(path, *given, **named)
        return Stream(stream, self._point) if path.endswith(self._ending) and self._point.last() else stream


class Stream:
    def __init__(self, real: Any, point: Point) -> None:
        self._real, self._point = real, point

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, data: bytes) -> None:
        self._real.write(data[: len(data) // 2])
        self._real.flush()
        self._point.die()


def _wrap(owner: Any, name: str, *, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> None:
    real = getattr(owner, name)

    def wrapped(*given: Any, **named: Any) -> Any:
        if before:
            before()
        out = real(*given, **named)
        if after:
            after()
        return out

    setattr(owner, name, wrapped)


def _in_statement(inside: tuple[Any, str] | None, word: str, at: Callable[[Callable[[], Any]], Any]) -> None:
    """At SQL statements that begin with `word`, only within calls of the method `inside`."""
    deep: list[int] = []
    if inside:
        _wrap(*inside, before=lambda: deep.append(1), after=deep.clear)
    opened = Store.__init__

    def init(self: Any, *given: Any, **named: Any) -> None:
        opened(self, *given, **named)
        self._con = Connection(self._con, word, lambda call: at(call) if deep or not inside else call())

    Store.__init__ = init  # type: ignore[method-assign]


def _after(point: Point) -> Callable[[Callable[[], Any]], Any]:
    def at(call: Callable[[], Any]) -> Any:
        out = call()
        point.passed()
        return out

    return at


def _in_files(ending: str, point: Point) -> None:
    made = StateStore.__init__

    def init(self: Any, files: Any, root: str) -> None:
        made(self, Files(files, ending, point), root)

    StateStore.__init__ = init  # type: ignore[method-assign]


COMMIT, COMPACT = (PartitionStore, "commit"), (PartitionStore, "compact")
POINTS: dict[str, Callable[[Point], None]] = {
    "before-transaction": lambda point: _wrap(*COMMIT, before=point.passed),
    "in-transaction": lambda point: _in_statement(COMMIT, "INSERT", _after(point)),
    "in-commit": lambda point: _in_statement(COMMIT, "COMMIT", point.during),
    "after-commit": lambda point: _wrap(*COMMIT, after=point.passed),
    "between-acknowledgements": lambda point: _wrap(MessageBatch, "done", after=point.passed),
    "before-mark": lambda point: _wrap(Owner, "sent", before=point.passed),
    "in-compaction": lambda point: _in_statement(COMPACT, "DELETE", _after(point)),
    "in-checkpoint": lambda point: _in_statement(None, "CHECKPOINT", point.during),
    "in-copy": lambda point: _in_files(".duckdb", point),
    "in-manifest": lambda point: _in_files(".json", point),
    "before-rename": lambda point: _wrap(state_store.os, "replace", before=point.passed),
}


def _raise_at(nth: int) -> None:
    point, real = Point("raise", nth), Owner.apply

    def apply(self: Owner, *given: Any) -> Any:
        if point.last():
            raise RuntimeError("fault point: raise")
        return real(self, *given)

    Owner.apply = apply  # type: ignore[method-assign]


def _answer_commits(codes: list[int]) -> None:
    real = GroupCoordinator._send_req

    async def ask(self: Any, request: Any) -> Any:
        answer = await real(self, request)
        if codes and type(answer).__name__.startswith("OffsetCommit"):
            code = codes.pop(0)
            answer.topics = [(topic, [(number, code) for number, _ in parts]) for topic, parts in answer.topics]
            print(f"fault point: commit answered with {code}", file=sys.stderr, flush=True)
        return answer

    GroupCoordinator._send_req = ask


class Clock:
    """time.time and time.time_ns of this process, ahead by what the file says; a step is written to the log."""

    def __init__(self, path: Path) -> None:
        self._path, self._read, self._offset = path, 0.0, 0.0
        self._time, self._time_ns = time.time, time.time_ns
        time.time, time.time_ns = self.time, self.time_ns

    def offset(self) -> float:
        if time.monotonic() - self._read > 0.1:
            self._read = time.monotonic()
            new = float(self._path.read_text() or 0)
            if new != self._offset:
                self._offset = new
                os.write(2, b"\nclock ahead by %d s\n" % new)
        return self._offset

    def time(self) -> float:
        return self._time() + self.offset()

    def time_ns(self) -> int:
        return self._time_ns() + int(self.offset() * 1e9)


def install(environment: dict[str, str]) -> None:
    """Make the faults that the environment asks for."""
    if clock := environment.get("CLOCK"):
        Clock(Path(clock))
    name, _, given = environment.get("FAULT", "").partition(":")
    if name == "raise":
        _raise_at(int(given))
    elif name == "commit":
        _answer_commits([int(code) for code in given.split(",")])
    elif name:
        POINTS[name](Point(name, int(given)))
