"""Horizontal bars from zero, longest first as the caller sorted them; and two sets that overlap."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, Scale, bounds, breadth, line, nothing, rect, svg, text
from display.numbers import NOTHING, number

_BAR = 14
_GAP = 2  # px of surface between fills that touch


class Bar(NamedTuple):
    """One bar: `style` is a colour class of the style sheet (m0.., up, down, main), `note` stands behind its value."""

    name: str
    value: float | None
    style: str = "main"
    note: str = ""


def bars(
    title: str, told: str, rows: Sequence[Bar], *, width: int = WIDE, top: float | None = None, said: Callable[[float], str] = number
) -> str:
    """A row for each bar, its value beside it. `top`: the end of the scale, else that of the data. A value of None says so."""
    if not rows:
        return nothing(title, told, width=width)
    labels = [NOTHING if row.value is None else said(row.value) for row in rows]
    name_room = min(0.42 * width, max(breadth(row.name) for row in rows) + 8)
    value_room = max(breadth(f"{label} {row.note}") for label, row in zip(labels, rows, strict=True)) + 8
    value_room = min(value_room, 0.4 * width)
    low, high = bounds([row.value for row in rows])
    scale = Scale(low, high if top is None else max(top, low + 1e-9), name_room, width - value_room)
    zero, parts = scale(0.0), []
    for at, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y = at * ROW
        parts.append(text(0, y + 18, row.name, room=name_room - 8))
        end = zero
        if row.value is not None:
            end = scale(row.value)
            parts.append(rect(min(zero, end), y + (ROW - _BAR) / 2, abs(end - zero), _BAR, f"bar {row.style}"))
        parts.append(text(max(zero, end) + 6, y + 18, f"{label} {row.note}".strip(), "quiet" if row.value is None else ""))
    height = ROW * len(rows)
    return svg(title, told, [*parts, line(zero, 0, zero, height, "zero")], width=width, height=height)


def overlap(title: str, told: str, only_a: int, both: int, only_b: int, *, width: int = WIDE, names: tuple[str, str] = ("A", "B")) -> str:
    """One bar of three parts: only the first page, both, only the second; lengths are counts."""
    total = only_a + both + only_b
    if total == 0:
        return nothing(title, told, width=width, said="Neither page has a result.")
    parts, x = [], 0.0
    shares = ((only_a, "up", f"only {names[0]}", "start"), (both, "other", "both", "middle"), (only_b, "down", f"only {names[1]}", "end"))
    shown = [share for share in shares if share[0]]
    room = width - _GAP * (len(shown) - 1)
    for many, style, _, _ in shown:
        parts.append(rect(x, 22, room * many / total, 20, f"bar {style}"))
        x += room * many / total + _GAP
    for (many, _, name, anchor), at in zip(shares, (0.0, width / 2, float(width)), strict=True):
        parts.append(text(at, 14, f"{name} {many}", anchor=anchor, room=width / 3))
    return svg(title, told, parts, width=width, height=44)
