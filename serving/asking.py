"""Asking the strategies of one search: one after the other, or all at once within a time budget."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from math import inf, isfinite
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Protocol

from schemas.candidates import Candidate, Request
from schemas.errors import InvalidMessage, InvalidSetting
from serving.breakers import Breakers
from serving.record import Run
from serving.view import View

HAND_OVER_MS = 0.5  # what waking a thread takes beside a busy one (measured: 0.02 alone, 0.5 and more beside the learner's)

_LOG = logging.getLogger(__name__)
Clock = Callable[[], float]
Wanted = Sequence[tuple[str, int]]  # (strategy, depth)
Asked = tuple[dict[str, list[Candidate]], dict[str, Run]]


class Asker(Protocol):
    """How strategies are asked. Whatever goes wrong with one of them, the search goes on without it."""

    def available(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the names that can be asked now, in their order: fixed before anything is drawn."""

    def ask(self, view: View, request: Request, wanted: Wanted, *, clock: Clock) -> Asked:
        """The list of each wanted strategy to its depth, and what came of asking it; both have every wanted name.

        One that fails, or is late, gives the empty list: it was asked, and that is what came of it. A list that no log would take, with
        a score that is no number or an entity twice, is a failure too. `clock` counts seconds.
        """


class InTurn:
    """One after the other, in the calling thread, for as long as they take: the same log for the same run."""

    def available(self, names: Sequence[str]) -> Sequence[str]:
        """All of them."""
        return names

    def ask(self, view: View, request: Request, wanted: Wanted, *, clock: Clock) -> Asked:
        """As the contract says; nothing is late."""
        lists: dict[str, list[Candidate]] = {}
        runs: dict[str, Run] = {}
        for name, depth in wanted:
            lists[name], runs[name] = _asked(view, request, name, depth, clock=clock)
        return lists, runs


in_turn = InTurn()


class Together:
    """All at once, on at most `threads` threads; a search waits at most `budget_ms`, and what comes later is thrown away.

    A strategy whose breaker is open is not available. A call that waited for a thread until the time was over is late and never made:
    that says nothing about its strategy, and its breaker does not count it.

    A thread makes the calls of a search one after the other and wakes another one before each that may take longer than to hand it over:
    with what Python has, eight strategies of 0.1 ms each are asked sooner by one thread than by eight. None is asked in the thread of
    the search, which could not stop waiting. A thread whose call is late is replaced at once, and ends when the call returns: a strategy
    that hangs costs threads, not answers, and its breaker sees to it that they are few.
    """

    def __init__(self, threads: int, budget_ms: float, *, breakers: Breakers) -> None:
        if threads < 1 or not 0.0 < budget_ms <= 3_600_000.0:
            raise InvalidSetting(f"{threads} threads and {budget_ms} ms to ask strategies; use at least 1 thread and a time above 0")
        self._budget_ms, self._breakers = budget_ms, breakers
        self._last_ms: dict[str, float] = {}  # of each strategy's last call
        self._work: SimpleQueue[_Round | None] = SimpleQueue()
        self._threads, self._open = threads, True
        for _ in range(threads):
            self._start()

    def available(self, names: Sequence[str]) -> Sequence[str]:
        """Those whose breakers let them be asked."""
        return self._breakers.available(names)

    def ask(self, view: View, request: Request, wanted: Wanted, *, clock: Clock) -> Asked:
        """As the contract says, within the budget."""
        if not wanted:
            return {}, {}
        one = _Round(view, request, wanted, clock=clock)
        self._work.put(one)
        one.all.wait(self._budget_ms / 1_000.0)
        asked, running = one.end()
        for name in running:
            self._last_ms[name] = inf
            self._breakers.late(name)
            self._start()
        if late := [name for name, _ in wanted if name not in asked]:
            _LOG.warning("%s: late after %g ms; the search goes on without it", ", ".join(late), self._budget_ms)
        asked |= {name: ([], Run(0, self._budget_ms, "late")) for name in late}
        return {name: asked[name][0] for name, _ in wanted}, {name: asked[name][1] for name, _ in wanted}

    def close(self) -> None:
        """End the threads. One that is busy ends after its call, or with the process."""
        self._open = False
        for _ in range(self._threads):
            self._work.put(None)

    def _start(self) -> None:
        if self._open:
            Thread(target=self._run, name="ask", daemon=True).start()

    def _run(self) -> None:
        while (one := self._work.get()) is not None:
            while (call := one.take(self._breakers)) is not None:
                if not self._make(one, *call):
                    return  # another thread has taken the place of this one

    def _make(self, one: "_Round", name: str, depth: int) -> bool:
        """Make a call. False: it was late."""
        if one.calls and self._last_ms.get(name, inf) > HAND_OVER_MS:
            self._work.put(one)
        try:
            found, run = _asked(one.view, one.request, name, depth, clock=one.clock)
        except BaseException:  # a panic of a library in Rust is no Exception; the thread has other searches to serve
            _LOG.warning("strategy %s failed badly; the search goes on without it", name, exc_info=True)
            found, run = [], Run(0, 0.0, "failed")
        if not one.put(name, found, run):
            self._breakers.returned(name)
            return False
        self._last_ms[name] = run.ms
        self._breakers.ended(name, bad=run.status != "ok")
        return True


class _Round:
    """The calls of one search, which waits for `all` of them but may `end` before."""

    def __init__(self, view: View, request: Request, wanted: Wanted, *, clock: Clock) -> None:
        self.view, self.request, self.clock = view, request, clock
        self.calls, self.all = deque(wanted), Event()
        self._lock, self._over = Lock(), False
        self._left = len(wanted)
        self._running: set[str] = set()
        self._asked: dict[str, tuple[list[Candidate], Run]] = {}

    def take(self, breakers: Breakers) -> tuple[str, int] | None:
        """The next call to make; None when none is left, or nobody waits. One that must not be made has failed."""
        with self._lock:
            while self.calls and not self._over:
                name, depth = self.calls.popleft()
                if breakers.began(name):
                    self._running.add(name)
                    return name, depth
                self._note(name, [], Run(0, 0.0, "failed"))
        return None

    def put(self, name: str, found: list[Candidate], run: Run) -> bool:
        """What came of a call. False: too late."""
        with self._lock:
            if not self._over:
                self._running.remove(name)
                self._note(name, found, run)
            return not self._over

    def end(self) -> tuple[dict[str, tuple[list[Candidate], Run]], set[str]]:
        """(what came of the calls that are done, the names of those that are being made). Nothing more is taken in."""
        with self._lock:
            self._over = True
            return self._asked, self._running

    def _note(self, name: str, found: list[Candidate], run: Run) -> None:
        self._asked[name] = found, run
        self._left -= 1
        if not self._left:
            self.all.set()


def _asked(view: View, request: Request, name: str, depth: int, *, clock: Clock) -> tuple[list[Candidate], Run]:
    started = clock()
    try:
        found = view.retrievers[name].retrieve(request, depth)[:depth] if depth else []
        _check(found)
    except Exception:
        _LOG.warning("strategy %s failed; the search goes on without it", name, exc_info=True)
        return [], Run(0, _ms(clock, started), "failed")
    return found, Run(len(found), _ms(clock, started), "ok")


def _check(found: Sequence[Candidate]) -> None:
    """Raises InvalidMessage for a list that would make the whole impression one that nobody may learn from."""
    if not isfinite(sum([score for _, score in found])):  # one number that is not finite makes the sum so
        raise InvalidMessage("not a list of candidates", ["score: must be a finite number; leave out what has none"])
    if len({entity_id for entity_id, _ in found}) != len(found):
        raise InvalidMessage("not a list of candidates", ["entity_id: stands there twice; keep the better one (retrievers.base.ordered)"])


def _ms(clock: Clock, started: float) -> float:
    return max(0.0, (clock() - started) * 1_000.0)
