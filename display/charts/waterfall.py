"""A sum, drawn: where it starts, what each reason adds or takes, where it ends. A table with bars, since people want the numbers too.

The axis is not cut at zero but begins where the sum does: log-odds of zero mean nothing by themselves (1 in 2), so only steps are bars, and
start and end are points.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, Scale, breadth, circle, line, rect, svg, text
from display.numbers import plural, signed

MOST = 8  # rows beyond so many are one: the smaller reasons together
_BAR = 14
_TALL = 44  # px of a row whose name stands above its bar, where there is no room beside it


class Step(NamedTuple):
    """One reason and what it adds, with its sign."""

    name: str
    adds: float


def waterfall(
    title: str, told: str, steps: Sequence[Step], *, start: tuple[str, float], end: str, width: int = WIDE,
    said: Callable[[float], str] = signed, start_note: str = "", end_note: str = "",
) -> str:  # fmt: skip
    """From `start` (name, value) over the steps to the end, which is their sum. Larger steps first; beyond MOST the smaller are one row.

    The notes stand in brackets behind the names of the first and the last row: what their values mean ("1 in 20").
    """
    rows = _shortened(steps)
    reached = [start[1]]
    for step in rows:
        reached.append(reached[-1] + step.adds)
    names = [_noted(start[0], start_note), *(step.name for step in rows), _noted(end, end_note)]
    values = [start[1], *(step.adds for step in rows), reached[-1]]
    labels = [said(value) for value in values]
    name_room, value_room = (max(breadth(one, bold=True) for one in some) + 10 for some in (names, labels))
    above = name_room + value_room > 0.7 * width
    tall, bar_y = (_TALL, _TALL - _BAR - 6) if above else (ROW, (ROW - _BAR) // 2)
    scale = Scale(min(reached), max(reached), 8 if above else name_room, width - 8 if above else width - value_room - 8)
    parts = []
    for at, (name, label) in enumerate(zip(names, labels, strict=True)):
        y, edge = at * tall, at in (0, len(names) - 1)
        after = reached[min(at, len(reached) - 1)]
        style = "strong" if edge else ""
        parts.append(text(0, y + 18, name, style, room=width - value_room if above else name_room))
        parts.append(text(width, y + 18, label, style, anchor="end"))
        if at + 1 < len(names) and not above:
            parts.append(line(scale(after), y + bar_y + _BAR / 2, scale(after), y + tall + bar_y + _BAR / 2, "frame"))
        if edge:
            parts.append(circle(scale(after), y + bar_y + _BAR / 2, "full"))
        else:
            left, right = sorted((scale(reached[at - 1]), scale(after)))
            parts.append(rect(left, y + bar_y, max(1.0, right - left), _BAR, f"bar {'up' if values[at] >= 0.0 else 'down'}"))
    return svg(title, told, parts, width=width, height=tall * len(names))


def _noted(name: str, note: str) -> str:
    return f"{name} ({note})" if note else name


def _shortened(steps: Sequence[Step]) -> list[Step]:
    """By size, the smaller ones as one."""
    order = sorted(steps, key=lambda step: (-abs(step.adds), step.name))
    if len(order) <= MOST:
        return order
    left = order[MOST - 1 :]
    return [*order[: MOST - 1], Step(plural(len(left), "smaller reason"), sum(step.adds for step in left))]
