"""A sum, drawn: where it starts, what each reason adds or takes, where it ends. A table with bars, since people want the numbers too."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, Scale, bounds, breadth, line, nothing, rect, svg, text
from display.numbers import plural, signed

MOST = 8  # rows beyond so many are one: the smaller reasons together
_BAR = 14


class Step(NamedTuple):
    """One reason and what it adds, with its sign."""

    name: str
    adds: float


def waterfall(
    title: str, told: str, steps: Sequence[Step], *, start: tuple[str, float], end: str, width: int = WIDE,
    said: Callable[[float], str] = signed, start_note: str = "", end_note: str = "",
) -> str:  # fmt: skip
    """From `start` (name, value) over the steps to the end, which is their sum. Larger steps first; beyond MOST the smaller are one row.

    Without a step there are two rows. The notes stand below the values of the first and the last row, in words ("1 in 20").
    """
    rows = _shortened(steps)
    total = start[1] + sum(step.adds for step in steps)
    names = [start[0], *(step.name for step in rows), end]
    labels = [said(start[1]), *(said(step.adds) for step in rows), said(total)]
    reached = [start[1]]
    for step in rows:
        reached.append(reached[-1] + step.adds)
    if not names:
        return nothing(title, told, width=width)
    name_room = min(0.46 * width, max(map(breadth, names)) + 10)
    value_room = max(breadth(label, bold=True) for label in [*labels, start_note, end_note]) + 8
    low, high = bounds([*reached, total])
    scale = Scale(low, high, name_room, width - value_room)
    parts: list[str] = [line(scale(0.0), 0, scale(0.0), ROW * len(names), "grid")]
    for at, (name, label) in enumerate(zip(names, labels, strict=True)):
        y, ends = at * ROW, at in (0, len(names) - 1)
        before = 0.0 if ends else reached[at - 1]
        after = (start[1] if at == 0 else total) if ends else reached[at]
        left, right = sorted((scale(before), scale(after)))
        style = "other" if ends else "up" if after >= before else "down"
        parts.append(text(0, y + 18, name, "strong" if ends else "", room=name_room - 8))
        parts.append(rect(left, y + (ROW - _BAR) / 2, max(1.0, right - left), _BAR, f"bar {style}"))
        if at + 1 < len(names):
            parts.append(line(scale(after), y + (ROW + _BAR) / 2, scale(after), y + ROW + (ROW - _BAR) / 2, "frame"))
        parts.append(text(width, y + 18, label, "strong" if ends else "", anchor="end"))
    height = ROW * len(names)
    if start_note or end_note:
        parts.append(text(0, height + 16, f"{start_note} → {end_note}".strip(" →"), "quiet", room=width))
        height += 22
    return svg(title, told, parts, width=width, height=height)


def _shortened(steps: Sequence[Step]) -> list[Step]:
    """By size, the smaller ones as one."""
    order = sorted(steps, key=lambda step: (-abs(step.adds), step.name))
    if len(order) <= MOST:
        return order
    left = order[MOST - 1 :]
    return [*order[: MOST - 1], Step(plural(len(left), "smaller reason"), sum(step.adds for step in left))]
