"""Counts and ages of the stages that an event passes, for `serving.backend.Flow`."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from serving.backend import Stage

Name = Literal["received", "matched", "counted", "learned", "published", "loaded", "used"]
NAMES: tuple[Name, ...] = ("received", "matched", "counted", "learned", "published", "loaded", "used")
# What the kernel counts (streams.kernel) as the stages name it: an action that counts has met its search.
OF: Mapping[Name, tuple[str, ...]] = {"matched": ("actions",), "counted": ("impressions", "actions"), "learned": ("final", "amendment")}


class Stages:
    """Every number is written by one thread at a time or may miss one; they tell whether something moves, they do not keep books."""

    def __init__(self) -> None:
        self._count: dict[str, int] = dict.fromkeys(NAMES, 0)
        self._last: dict[str, float] = {}
        self._heard: dict[str, int] = {}  # of the kernels; a loop that is opened anew counts from 0

    def passed(self, name: Name, count: int = 1) -> None:
        """So many more passed a stage just now."""
        self._count[name] += count
        self._last[name] = time.monotonic()

    def counted(self, kinds: Mapping[str, int], *, changed: bool) -> None:
        """What the kernels have counted up to now."""
        if changed:
            for name, of in OF.items():
                total, before = sum(kinds.get(kind, 0) for kind in of), self._heard.get(name, 0)
                if (more := total - before if total >= before else total) > 0:
                    self.passed(name, more)
                self._heard[name] = total

    def read(self, *, unknown: Collection[Name] = ()) -> Sequence[Stage]:
        """All stages in order; of some it is not known in this process how many passed."""
        now = time.monotonic()
        return [
            Stage(name, None if name in unknown else self._count[name], now - self._last[name] if name in self._last else None)
            for name in NAMES
        ]
