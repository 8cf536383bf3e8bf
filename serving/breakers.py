"""Circuit breakers of the strategies: what keeps failing, or keeps being late, is left alone for a while.

Closed: asked as ever. Open, after FAILURES bad calls in a row, or when at least half of at least ENOUGH calls in the last WINDOW seconds
were bad: not available. Half open, when REST seconds are over: available to one search at a time; a good call closes it, a bad one opens
it for twice as long. Nygard, Release It! (2007), chapter 5.

Two rules beyond the book. A strategy that has STUCK calls still running after their searches stopped waiting is not asked again until
one returns, so that a strategy that hangs cannot take all threads. And where none would be left, all are asked that do not hang (Envoy
calls it panic mode): an empty page helps nobody.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

FAILURES = 5
WINDOW = 30.0  # seconds
ENOUGH = 20
REST, MOST_REST = 5.0, 60.0  # seconds: soon enough for a hiccup, rare enough for an outage
STUCK = 2

State = Literal["closed", "open", "half_open"]


@dataclass
class _Breaker:
    recent: deque[tuple[float, bool]] = field(default_factory=deque)  # (time, bad), the last WINDOW seconds
    bad: int = 0  # among them
    in_a_row: int = 0
    opened: float | None = None
    rest: float = REST
    running: int = 0
    stuck: int = 0  # of those running

    def state(self, now: float) -> State:
        if self.opened is None:
            return "closed"
        return "half_open" if now >= self.opened + self.rest else "open"

    def available(self, now: float) -> bool:
        state = self.state(now)
        return not self.hangs and (state == "closed" or (state == "half_open" and self.running == 0))

    @property
    def hangs(self) -> bool:
        return self.stuck >= STUCK

    def count(self, now: float, *, bad: bool) -> None:
        state = self.state(now)
        if state == "half_open":
            self._open(now, min(2.0 * self.rest, MOST_REST)) if bad else self._close()
        if state != "closed":
            return
        self.recent.append((now, bad))
        self.bad += bad
        while self.recent[0][0] <= now - WINDOW:
            self.bad -= self.recent.popleft()[1]
        self.in_a_row = self.in_a_row + 1 if bad else 0
        if self.in_a_row >= FAILURES or (len(self.recent) >= ENOUGH and 2 * self.bad >= len(self.recent)):
            self._open(now, REST)

    def _open(self, now: float, rest: float) -> None:
        self.opened, self.rest = now, rest
        self.recent.clear()
        self.bad = self.in_a_row = 0

    def _close(self) -> None:
        self.opened, self.rest = None, REST


class Breakers:
    """A breaker for each strategy that was ever asked. `clock` counts seconds and never steps back. Any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._all: dict[str, _Breaker] = {}

    def available(self, names: Sequence[str]) -> list[str]:
        """Those of the names that can be asked now, in their order."""
        with self._lock:
            now, new = self._clock(), _Breaker()
            of = {name: self._all.get(name, new) for name in names}
            return [name for name in names if of[name].available(now)] or [name for name in names if not of[name].hangs]

    def states(self) -> dict[str, State]:
        """The state of every strategy that was ever asked, by name; one that hangs is open."""
        with self._lock:
            now = self._clock()
            return {name: "open" if one.hangs else one.state(now) for name, one in sorted(self._all.items())}

    def began(self, name: str) -> bool:
        """A call begins. False: it must not, too many earlier ones have not returned."""
        with self._lock:
            one = self._all.setdefault(name, _Breaker())
            one.running += not one.hangs
            return not one.hangs

    def ended(self, name: str, *, bad: bool) -> None:
        """A call returned in time, or failed."""
        with self._lock:
            one = self._all[name]
            one.running -= 1
            one.count(self._clock(), bad=bad)

    def late(self, name: str) -> None:
        """Nobody waits for a running call any more."""
        with self._lock:
            self._all[name].stuck += 1
            self._all[name].count(self._clock(), bad=True)

    def returned(self, name: str) -> None:
        """A call that was late has returned."""
        with self._lock:
            one = self._all[name]
            one.running -= 1
            one.stuck -= 1
