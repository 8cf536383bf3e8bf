"""Asking the strategies of one search: one after the other, or all at once within a time budget."""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Protocol

from schemas.candidates import Candidate, Request
from schemas.errors import InvalidSetting
from serving.breakers import Breakers
from serving.record import Run
from serving.view import View

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

        One that fails, or is late, gives the empty list: it was asked, and that is what came of it. `clock` counts seconds.
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
    """All at once on `threads` threads; a search waits at most `budget_ms` for them, and what comes later is thrown away.

    A strategy whose breaker is open is not available. A call that waited for a thread until the time was over is late, and never made;
    that says nothing about its strategy, so its breaker does not count it.
    """

    def __init__(self, threads: int, budget_ms: float, *, breakers: Breakers) -> None:
        if threads < 1 or not 0.0 < budget_ms <= 3_600_000.0:
            raise InvalidSetting(f"{threads} threads and {budget_ms} ms to ask strategies; use at least 1 thread and a time above 0")
        self._budget, self._breakers = budget_ms / 1_000.0, breakers
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"ask-{number}", daemon=True) for number in range(threads)]
        for one in self._threads:
            one.start()

    def available(self, names: Sequence[str]) -> Sequence[str]:
        """Those whose breakers let them be asked."""
        return self._breakers.available(names)

    def ask(self, view: View, request: Request, wanted: Wanted, *, clock: Clock) -> Asked:
        """As the contract says, within the budget."""
        waiting = _Waiting(len(wanted))
        for name, depth in wanted:
            self._calls.put(_Call(waiting, view, request, name, depth, clock))
        if wanted:
            waiting.all.wait(self._budget)
        with waiting.lock:
            waiting.over = True
            asked = dict(waiting.asked)
            running = set(waiting.running)
        for name in running:
            self._breakers.late(name)
        late = [name for name, _ in wanted if name not in asked]
        for name in late:
            _LOG.warning("strategy %s was late; the search goes on without it", name)
        asked |= {name: ([], Run(0, self._budget * 1_000.0, "late")) for name in late}
        return {name: asked[name][0] for name, _ in wanted}, {name: asked[name][1] for name, _ in wanted}

    def close(self) -> None:
        """End the threads that are not busy; the others end with what they do, or with the process."""
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make(self._breakers)


class _Waiting:
    """What a search waits for."""

    def __init__(self, count: int) -> None:
        self.lock, self.all = Lock(), Event()
        self.left, self.over = count, False
        self.running: set[str] = set()
        self.asked: dict[str, tuple[list[Candidate], Run]] = {}


class _Call:
    """One strategy, asked on a thread for a search that may stop waiting."""

    def __init__(self, waiting: _Waiting, view: View, request: Request, name: str, depth: int, clock: Clock) -> None:
        self._waiting, self._view, self._request, self._name, self._depth, self._clock = waiting, view, request, name, depth, clock

    def make(self, breakers: Breakers) -> None:
        waiting, name = self._waiting, self._name
        with waiting.lock:
            if waiting.over:
                return
            begun = breakers.began(name)
            if begun:
                waiting.running.add(name)
        found = _asked(self._view, self._request, name, self._depth, clock=self._clock) if begun else ([], Run(0, 0.0, "failed"))
        with waiting.lock:
            late = waiting.over
            if not late:
                waiting.running.discard(name)
                waiting.asked[name] = found
                waiting.left -= 1
                if not waiting.left:
                    waiting.all.set()
        if begun and late:
            breakers.returned(name)
        elif begun:
            breakers.ended(name, bad=found[1].status != "ok")


def _asked(view: View, request: Request, name: str, depth: int, *, clock: Clock) -> tuple[list[Candidate], Run]:
    started = clock()
    try:
        found = view.retrievers[name].retrieve(request, depth)[:depth] if depth else []
    except Exception:
        _LOG.warning("strategy %s failed; the search goes on without it", name, exc_info=True)
        return [], Run(0, _ms(clock, started), "failed")
    return found, Run(len(found), _ms(clock, started), "ok")


def _ms(clock: Clock, started: float) -> float:
    return max(0.0, (clock() - started) * 1_000.0)
