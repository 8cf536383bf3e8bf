"""One quantity on a line: what was expected, what was seen, and the weighted mean between the two, a point between two points."""

from display.charts.svg import NARROW, WIDE, Scale, bounds, centred, circle, line, svg, text, ticks
from display.numbers import NOTHING, number, one_in


def weighted_mean(
    title: str, told: str, expected: float, seen: float | None, result: float, *, width: int = WIDE,
    expected_note: str = "", seen_note: str = "", names: tuple[str, str, str] = ("expected", "seen", "score"),
) -> str:  # fmt: skip
    """Expected (open), seen (a tick; None: nobody looked yet) and the result between them (full), each with its word and number."""
    low, high = bounds([expected, seen, result], least=0.1)
    edge = 14
    scale = Scale(low, high, edge, width - edge)
    axis = 66
    parts = [line(edge, axis, width - edge, axis, "zero")]
    for value in ticks(low, high, most=5 if width > NARROW else 4):
        parts += [
            line(scale(value), axis, scale(value), axis + 5, "zero"),
            text(scale(value), axis + 20, number(value), "tick", anchor="middle"),
        ]
    parts.append(line(scale(expected), axis, scale(result), axis, "way"))
    if seen is not None:
        parts.append(line(scale(seen), axis - 9, scale(seen), axis + 9, "truth"))
    parts += [circle(scale(expected), axis, "hollow", 5), circle(scale(result), axis, "full", 5.5)]
    above = _label(names[0], expected, expected_note), _label(names[1], seen, seen_note)
    parts.append(centred(scale(expected), 34, above[0], width=width))
    chance = one_in(result) if 0.0 < result < 1.0 else ""
    parts.append(centred(scale(result), 14, _label(names[2], result, chance), "strong", width=width))
    parts.append(text(edge, 104, above[1]) if seen is None else centred(scale(seen), 104, above[1], width=width))
    return svg(title, told, parts, width=width, height=110)


def small_line(expected: float, now: float, true: float | None = None, *, width: int = 132) -> str:
    """For a cell of a table: a line from 0 to 1 with an open dot for what was expected, a full one for now, a tick for what is true."""
    height, edge = 20, 6
    scale, middle = Scale(0.0, 1.0, edge, width - edge), height // 2
    said = f"expected {expected:.2f}, now {now:.2f}" + ("" if true is None else f", true {true:.2f}")
    parts = [line(edge, middle, width - edge, middle, "grid"), line(scale(expected), middle, scale(now), middle, "way")]
    if true is not None:
        parts.append(line(scale(true), 2, scale(true), height - 2, "truth"))
    parts += [circle(scale(expected), middle, "hollow", 4), circle(scale(now), middle, "full")]
    return svg(said, said, parts, width=width, height=height)


def _label(name: str, value: float | None, note: str) -> str:
    return f"{name} {NOTHING if value is None else number(value)}{f' ({note})' if note else ''}"
