"""Shows a running demo: a dashboard that redraws itself in place on a terminal, a plain line a window anywhere else."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from evaluation.demo_figures import Watched, window_of
from evaluation.demo_screen import ASCII, Glyphs, Part, Scene, Style, drift_line, line, lines
from ops.demo import Audience

COLUMNS = 80
EVERY = 0.25  # s between two drawings; more often only flickers
COLOURS: dict[Style, str] = {"head": "1", "learned": "1", "topical": "38;5;111", "spearfishing": "38;5;173", "dim": "2"}


def audience(stream: TextIO, env: Mapping[str, str] = os.environ, *, clock: Callable[[], float] = time.monotonic) -> Audience:
    """The dashboard where the stream is a terminal that can move its cursor and has room, else lines. NO_COLOR is honoured."""
    if stream.isatty() and env.get("TERM", "dumb") != "dumb":
        size = os.get_terminal_size(stream.fileno())
        return Dashboard(stream, columns=size.columns or COLUMNS, rows=size.lines or 24, coloured=not env.get("NO_COLOR"), clock=clock)
    return Lines(stream)


class Lines(Audience):
    """One line a window."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._scene = stream, Scene({}, 1, 0, ())

    def begins(self, about: Mapping[str, Any], *, searches: int, drift_at: int, strategies: Sequence[str]) -> None:
        self._scene = Scene(about, searches, drift_at, strategies)
        entities = sum(about["catalogue"].values())
        self._say(
            f"A music catalogue of {entities} items and {about['people']} people, made from seed {about['seed']}; "
            f"{searches:,} searches, each learned from before the next."
        )

    def saw(self, watched: Sequence[Watched]) -> None:
        done, total = len(watched), self._scene.searches
        if done % window_of(total) == 0 or done == total:
            self._say(line(self._scene, watched))
        if done == self._scene.drift_at:
            self._say(drift_line(self._scene))

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class Dashboard(Audience):
    """The screen, drawn over itself; its last state stays."""

    def __init__(self, stream: TextIO, *, columns: int, rows: int, coloured: bool, clock: Callable[[], float]) -> None:
        self._stream, self._clock = stream, clock
        self._columns, self._rows, self._coloured = min(columns, COLUMNS), rows - 1, coloured
        self._glyphs = Glyphs() if "utf" in (stream.encoding or "").lower() else ASCII
        self._scene = Scene({}, 1, 0, ())
        self._drawn, self._height = -EVERY, 0
        self._watched: Sequence[Watched] = ()

    def begins(self, about: Mapping[str, Any], *, searches: int, drift_at: int, strategies: Sequence[str]) -> None:
        self._scene = Scene(about, searches, drift_at, strategies)
        self._stream.write("\x1b[?25l")  # no cursor that jumps about

    def saw(self, watched: Sequence[Watched]) -> None:
        self._watched = watched
        now = self._clock()
        if now - self._drawn >= EVERY:
            self._drawn = now
            self._draw()

    def ends(self) -> None:
        if self._watched:
            self._draw()
        self._stream.write("\x1b[?25h\n")
        self._stream.flush()

    def _draw(self) -> None:
        """One write for the whole screen; each line replaces its old self, nothing is cleared in between."""
        shown = lines(self._scene, self._watched, self._glyphs)[: self._rows]
        up = f"\x1b[{self._height}A" if self._height else ""
        self._stream.write("\r" + up + "".join(self._painted(parts) + "\x1b[K\n" for parts in shown))
        self._stream.flush()
        self._height = len(shown)

    def _painted(self, parts: Sequence[Part]) -> str:
        out, left = "", self._columns
        for part in parts:
            text = part.text[:left]
            left -= len(text)
            colour = COLOURS.get(part.style) if self._coloured else None
            out += f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text
        return out
