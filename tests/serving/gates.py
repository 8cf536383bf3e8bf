"""Strategies that wait until a test lets them go on, so that what is late is late for certain, and nothing sleeps."""

from threading import Barrier, Event, Semaphore

from retrievers.base import Retriever
from schemas.candidates import Candidate, Request

LONG = 30.0  # seconds that no test ever waits, unless it is about to fail


class Gated:
    """A strategy behind a gate. `came` counts the calls that stand before it; `shut` and `open` are the tests'."""

    def __init__(self, behind: Retriever, *, shut: bool = True) -> None:
        self.name, self._behind = behind.name, behind
        self.gate, self.came = Event(), Semaphore(0)
        if not shut:
            self.gate.set()

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        self.came.release()
        assert self.gate.wait(LONG)
        return self._behind.retrieve(request, depth)

    def met(self) -> None:
        """Wait for one more call."""
        assert self.came.acquire(timeout=LONG)


class Meeting:
    """Strategies that return only when all of them are being asked."""

    def __init__(self, name: str, barrier: Barrier) -> None:
        self.name, self._barrier = name, barrier

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        self._barrier.wait(LONG)
        return [Candidate("game:001", 1.0)]


class Panic(BaseException):
    """As a panic of a library in Rust: no Exception."""


class Panicking:
    name = "memory"

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        raise Panic("index out of bounds")
