"""Rows by columns, each cell its number on a tint of it: chances of methods by kind of search."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from display.charts.svg import ROW, WIDE, breadth, hatch, nothing, rect, svg, text
from display.colours import heat
from display.numbers import NOTHING, fixed

_CELL, _NARROW_CELL = 60, 44
_HEAD = 24


class MatrixRow(NamedTuple):
    """A row: its cells in the order of the columns (None: never the case), and what stands at its end (how many searches).

    `few`: less than the least number of searches; its cells are hatched.
    """

    name: str
    cells: Sequence[float | None]
    note: str = ""
    few: bool = False


def matrix(
    title: str, told: str, columns: Sequence[str], rows: Sequence[MatrixRow], *, width: int = WIDE,
    said: Callable[[float | None], str] = fixed, note: str = "searches",
) -> str:  # fmt: skip
    """Cells tinted by value (0 to 1) with the number printed. It is as wide as it must be: put it in a box that scrolls."""
    if not columns or not rows:
        return nothing(title, told, width=width)
    cell = _NARROW_CELL if width < 480 else _CELL
    name_room = min(0.36 * width, max(breadth(row.name) for row in rows) + 10)
    note_room = max([breadth(row.note) for row in rows] + [breadth(note)]) + 10
    whole = max(width, int(name_room + cell * len(columns) + note_room))
    cell = min(2 * _CELL, int((whole - name_room - note_room) / len(columns)))
    parts = [text(name_room + cell * (at + 0.5), 14, name, "quiet", anchor="middle", room=cell) for at, name in enumerate(columns)]
    parts.append(text(name_room + cell * len(columns) + note_room, 14, note, "quiet", anchor="end"))
    for at, row in enumerate(rows):
        y = _HEAD + at * ROW
        parts.append(text(0, y + 18, row.name, room=name_room - 8))
        parts += [_cell(value, name_room + cell * column, y, cell, row.few, said) for column, value in enumerate(row.cells)]
        parts.append(text(name_room + cell * len(columns) + note_room, y + 18, row.note, "quiet", anchor="end"))
    return svg(title, told, parts, width=whole, height=_HEAD + ROW * len(rows))


def _cell(value: float | None, x: float, y: float, side: float, few: bool, said: Callable[[float | None], str]) -> str:
    tint = heat(value)
    middle = (x + side / 2, y + 18)
    if value is None:
        return text(*middle, NOTHING, "quiet", anchor="middle")
    if few:
        number = said(value)
        half = breadth(number) / 2 + 3
        under = rect(middle[0] - half, y + 6, 2 * half, ROW - 12, "surface")
        return hatch(x + 1, y + 1, side - 2, ROW - 2) + under + text(*middle, number, anchor="middle")
    box = rect(x + 1, y + 1, side - 2, ROW - 2, tint, rounded=4)
    return box + text(*middle, said(value), f"on{tint[1:]}", anchor="middle")
