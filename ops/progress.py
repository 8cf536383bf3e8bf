"""Progress of long work on stderr: one line that rewrites itself on a terminal, else a line now and then."""

import time
from collections.abc import Callable
from typing import TextIO

ON_TERMINAL, ELSEWHERE = 0.2, 15.0  # s between two lines


class Progress:
    """Call it with the name of the work, what is done and what there is in all; `close` ends the line."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._every = ON_TERMINAL if stream.isatty() else ELSEWHERE
        self._name, self._began, self._said, self._open = "", 0.0, 0.0, False

    def __call__(self, name: str, done: int, total: int) -> None:
        now = self._clock()
        if name != self._name:
            self.close()
            self._name, self._began, self._said = name, now, now - (self._every if self._stream.isatty() else 0.0)
        if now - self._said < self._every:
            return
        self._said = now
        line = f"{name}: {done:,}"
        if total:
            line += f" of {total:,} {100 * done // total:3d} %"
        if total and done:
            line += f", {_duration((now - self._began) / done * (total - done))} to go"
        if self._stream.isatty():
            self._stream.write(f"\r{line}\x1b[K")
            self._open = True
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def of(self, name: str) -> Callable[[int, int], None]:
        """The progress of one piece of work, for callers that give no name."""
        return lambda done, total: self(name, done, total)

    def close(self) -> None:
        """Clear the line that is still being rewritten."""
        if self._open:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._open, self._name = False, ""


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
