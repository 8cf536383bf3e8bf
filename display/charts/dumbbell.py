"""Two values of each thing on one scale, joined: expected ○—● seen. Sorted by the caller, the largest gap first."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, Scale, bounds, breadth, centred, circle, line, nothing, svg, text, ticks
from display.numbers import number

_HEAD, _AXIS, _TALL = 22, 24, 40


class Pair(NamedTuple):
    """One row: before, after (None: not known yet), and what stands at its right."""

    name: str
    before: float
    after: float | None
    note: str = ""


def dumbbell(
    title: str, told: str, rows: Sequence[Pair], *, width: int = WIDE, names: tuple[str, str] = ("expected", "seen"), note: str = "looks",
    said: Callable[[float], str] = number,
) -> str:  # fmt: skip
    """An open dot for before, a full one for after. What is not known yet has the open dot alone."""
    if not rows:
        return nothing(title, told, width=width)
    low, high = bounds([value for row in rows for value in (row.before, row.after)])
    name_room = max(breadth(row.name) for row in rows) + 10
    note_room = max([breadth(row.note) for row in rows] + [breadth(note)]) + 12
    above = name_room + note_room > 0.6 * width  # then names stand above their dots, not beside them
    tall, middle = (_TALL, _TALL - 12) if above else (ROW, ROW // 2)
    scale = Scale(low, high, 8, width - 8) if above else Scale(low, high, name_room + 6, width - note_room - 6)
    height = _HEAD + tall * len(rows) + _AXIS
    parts = [circle(6, 10, "hollow"), text(14, 14, names[0]), circle(30 + breadth(names[0]), 10, "full")]
    parts += [text(38 + breadth(names[0]), 14, names[1]), text(width, 14, note, "quiet", anchor="end")]
    for value in ticks(low, high, most=5 if width > 400 else 4):
        x = scale(value)
        parts += [line(x, _HEAD, x, height - _AXIS, "grid"), centred(x, height - 8, said(value), "tick", width=width)]
    for at, row in enumerate(rows):
        top = _HEAD + at * tall
        y, base = top + middle, top + 18
        parts += [text(0, base, row.name, room=width - note_room), text(width, base, row.note, "quiet", anchor="end")]
        if row.after is not None:
            parts.append(line(scale(row.before), y, scale(row.after), y, "way"))
        parts.append(circle(scale(row.before), y, "hollow"))
        if row.after is not None:
            parts.append(circle(scale(row.after), y, "full"))
    return svg(title, told, parts, width=width, height=height)
