"""What all charts share: the frame with title and description, text that fits, scales, and the picture of having no data.

Every chart is a function `chart(title, told, data, *, width)`: `told` is the sentence that the chart shows, for those who do not see it,
None a gap, never zero. Colours and lines come from the classes of `display/charts.css`, all below `.chart`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10

WIDE, NARROW = 680, 312  # px: beside a page of 720 and more, and of 360
ROW = 28  # px of a row of text
_LETTER = 6.6  # px of a letter at 12 px, on average
_WIDE_LETTER = 7.4  # of one of a bold or capital text


def svg(title: str, told: str, parts: Iterable[str], *, width: int, height: int, style: str = "") -> str:
    """A whole picture. Everything in `parts` is markup already."""
    return (
        f'<svg class="chart{f" {style}" if style else ""}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, said: str, style: str = "", *, anchor: str = "start", room: float | None = None) -> str:
    """A line of text on its base line; cut with an ellipsis where it has not the `room` (px)."""
    said = said if room is None else fitted(said, room)
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={chr(34)}{style}{chr(34)}" if style else ""}{turned}>{escape(said)}</text>'


def centred(x: float, y: float, said: str, style: str = "", *, width: float) -> str:
    """A line of text around x, pushed in from the edges of a picture so wide, and cut where it is longer than that."""
    half = min(breadth(said, bold=style == "strong"), width) / 2
    return text(min(max(x, half), width - half), y, said, style, anchor="middle", room=width)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def rect(x: float, y: float, width: float, height: float, style: str, *, rounded: float = 0.0) -> str:
    corner = f' rx="{rounded:g}"' if rounded else ""
    return f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}"{corner}/>'


def circle(x: float, y: float, style: str, radius: float = 4.5) -> str:
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def hatch(x: float, y: float, width: float, height: float) -> str:
    """Slanted lines over a box: too little is known. Drawn, not a pattern: patterns need ids, which clash on a page with many charts."""
    step, parts = 7.0, []
    at = step
    while at < width + height:
        x1, y1 = (x + at, y) if at <= width else (x + width, y + at - width)
        x2, y2 = (x, y + at) if at <= height else (x + at - height, y + height)
        parts.append(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")
        at += step
    return f'<path class="hatch" d="{"".join(parts)}"/>'


def nothing(title: str, told: str, *, width: int, said: str = "No data yet.") -> str:
    """The chart without data: its frame and why it is empty, never an empty axis."""
    return svg(title, told or said, [text(0, 18, said, "empty", room=width)], width=width, height=ROW)


def breadth(said: str, *, bold: bool = False) -> float:
    """Roughly how many px a text takes: no font is measured on the server."""
    return len(said) * (_WIDE_LETTER if bold else _LETTER)


def fitted(said: str, room: float) -> str:
    """
    >>> fitted("A very long name of something", 80.0)
    'A very long…'
    """
    if breadth(said) <= room:
        return said
    return said[: max(1, int(room / _LETTER) - 1)].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on px from `start` to `end`; what lies beyond stays at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))

    def inside(self, value: float) -> bool:
        return self.low <= value <= self.high


def bounds(values: Iterable[float | None], *, least: float = 0.0, zero: bool = True) -> tuple[float, float]:
    """Round ends of an axis that holds all values, and zero: an axis that is cut says something false. Never of no length."""
    known = [value for value in values if value is not None and isfinite(value)]
    low, high = min([0.0, *known] if zero else known or [0.0]), max([least, *known] if zero else known or [1.0])
    if high <= low:
        low, high = (low, low + 1.0) if low >= 0.0 else (low, 0.0)
    step = step_of(low, high)
    return floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step


def step_of(low: float, high: float, *, most: int = 5) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts a span in at most `most` parts.

    >>> step_of(0.0, 1.0), step_of(0.0, 0.07), step_of(-3.0, 30.0)
    (0.2, 0.02, 10.0)
    """
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    factor = next((one for one in (1, 2, 5) if raw <= one * power * (1 + 1e-9)), 10)
    return float(f"{factor * power:.6g}")


def ticks(low: float, high: float, *, most: int = 5) -> Sequence[float]:
    """Round values from end to end."""
    step = step_of(low, high, most=most)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{at * step:.12g}") for at in range(first, last + 1)]
