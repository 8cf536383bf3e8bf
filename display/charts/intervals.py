"""Dots with intervals on one scale, a row each: chances, values that are believed, differences. Never bars with error bars."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, Scale, bounds, breadth, centred, circle, line, nothing, svg, text, ticks
from display.numbers import NOTHING, number

_AXIS = 24


class Dot(NamedTuple):
    """One row: the value, its 95 % interval (thin) and 50 % interval (thick), what stands at the right; None: not known.

    `few`: too little is known to show a value; the row says so instead.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    inner_low: float | None = None
    inner_high: float | None = None
    note: str = ""
    style: str = "main"
    few: str = ""


def dot_intervals(
    title: str, told: str, rows: Sequence[Dot], *, width: int = WIDE, low: float | None = None, top: float | None = None,
    reference: tuple[float, str] | None = None, limits: Sequence[float] = (), said: Callable[[float], str] = number,
) -> str:  # fmt: skip
    """A row for each dot on one axis. `reference`: a dashed line and its word ("no gain"); `limits`: thin marks (0.02 and 0.98)."""
    if not rows:
        return nothing(title, told, width=width)
    values = [value for row in rows for value in (row.value, row.low, row.high)] + [*limits] + ([reference[0]] if reference else [])
    least, most = bounds(values)
    least, most = least if low is None else low, most if top is None else top
    name_room = min(0.36 * width, max(breadth(row.name) for row in rows) + 10)
    note_room = min(0.26 * width, max(breadth(row.note) for row in rows) + 12)
    scale = Scale(least, most, name_room + 6, width - note_room - 6)
    head = 18 if reference else 0
    height = head + ROW * len(rows) + _AXIS
    parts = list(_axis(scale, head, height, limits, said))
    if reference:
        x = scale(reference[0])
        parts += [line(x, head - 2, x, height - _AXIS, "dash"), centred(x, 12, reference[1], "quiet", width=width)]
    for at, row in enumerate(rows):
        parts += _row(row, scale, head + at * ROW, width, name_room)
    return svg(title, told, parts, width=width, height=height)


def _axis(scale: Scale, head: float, height: float, limits: Sequence[float], said: Callable[[float], str]) -> list[str]:
    most = 5 if scale.end - scale.start > 240 else 3
    out = []
    for value in ticks(scale.low, scale.high, most=most):
        x = scale(value)
        out += [line(x, head, x, height - _AXIS, "grid"), text(x, height - 8, said(value), "tick", anchor="middle")]
    return out + [line(scale(value), head, scale(value), height - _AXIS, "mark") for value in limits]


def _row(row: Dot, scale: Scale, top: float, width: int, name_room: float) -> list[str]:
    y = top + ROW / 2
    out = [text(0, y + 4, row.name, room=name_room - 8), text(width, y + 4, row.note, "quiet", anchor="end")]
    if row.value is None or row.few:
        return [*out, text(scale.start + 4, y + 4, row.few or NOTHING, "quiet", room=scale.end - scale.start)]
    if row.low is not None and row.high is not None:
        out.append(line(scale(row.low), y, scale(row.high), y, "thin"))
    if row.inner_low is not None and row.inner_high is not None:
        out.append(line(scale(row.inner_low), y, scale(row.inner_high), y, "thick"))
    return [*out, circle(scale(row.value), y, f"dot {row.style}", 5)]
