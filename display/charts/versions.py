"""The way of versions: newest on top, joined by a line; going back is a new entry, with a curve to the one whose contents it has."""

from collections.abc import Sequence
from typing import NamedTuple

from display.charts.svg import WIDE, breadth, circle, line, nothing, svg, text

_ROW = 44
_X = 56  # px of the line: curves are drawn to its left


class Version(NamedTuple):
    """One entry: its name, what it is (update, change, went back), chips ("in use", "held"), and the entry that it repeats, by index."""

    name: str
    said: str
    chips: tuple[str, ...] = ()
    again: int | None = None


def versions(title: str, told: str, rows: Sequence[Version], *, width: int = WIDE) -> str:
    """Rows newest first. A filled dot is in use; the curve leads from a way back to its source, if that is still in the list."""
    if not rows:
        return nothing(title, told, width=width, said="No version yet.")
    height = _ROW * len(rows)
    parts = [line(_X, _ROW / 2, _X, height - _ROW / 2, "frame")] if len(rows) > 1 else []
    for at, row in enumerate(rows):
        y = at * _ROW + _ROW / 2
        if row.again is not None and at < row.again < len(rows):
            to, out = row.again * _ROW + _ROW / 2, min(_X - 6, 16 + 8 * (row.again - at))
            parts.append(f'<path class="dash" d="M{_X} {y}C{_X - out} {y} {_X - out} {to} {_X} {to}"/>')
        parts.append(circle(_X, y, "full" if at == 0 else "hollow", 6))
        x = _X + 18
        chips = " ".join(f"[{chip}]" for chip in row.chips)
        name = min(breadth(row.name, bold=True) + 10, (width - x) / 2 if chips else width - x)
        parts.append(text(x, y - 2, row.name, "strong", room=name))
        if chips:
            parts.append(text(x + name, y - 2, chips, room=width - x - name))
        parts.append(text(x, y + 15, row.said, "quiet", room=width - x))
    return svg(title, told, parts, width=width, height=height)
