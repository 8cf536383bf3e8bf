"""Lines over time or place: gaps stay gaps, a band is the interval of its line, a mark says what happened. Names stand at the ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from display.charts.svg import WIDE, Scale, bounds, breadth, centred, circle, nothing, rect, svg, text, ticks
from display.charts.svg import line as rule
from display.numbers import count, number, percent, signed

LABEL = 16  # px between labels at the ends of lines
LEFT = 44  # px for the figures of the y axis
TOP = 8
HEAD = 18  # px above the plot for the word at a mark
STRIP = 30  # px below the axis for counts


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `style` is its colour class (main, up, down, m0..), None in `values` a gap. `low` and `high` bound its band."""

    name: str
    style: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened between two points: a vertical rule after `at` of the points, and a word above it."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Size of a chart in px and what its axes say. The y axis goes from `low` to `top`.

    The x axis says `names` (of some points, as many as there are points), or counts in `per_point`. `counts`: how much is behind each
    point, as a strip below. `zero`: what the zero line means, where `low` is below zero ("same as the fixed mix").
    """

    width: int
    height: int
    top: float
    per_point: int = 1
    low: float = 0.0
    percent: bool = False
    labelled: bool = True  # names at the ends of the lines; else the page has a legend
    marks: tuple[Mark, ...] = ()
    names: Sequence[str] = ()
    counts: Sequence[float] = ()
    zero: str = ""

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - (104 if self.labelled else 10)

    @property
    def bottom(self) -> int:
        return self.height - 24 - (STRIP if self.counts else 0)

    @property
    def ceiling(self) -> int:
        """Where the plot begins: lower where a mark needs room for its word."""
        return TOP + (HEAD if self.marks else 0)

    def x(self, index: float, points: int) -> float:
        """Px of a point, the end of its window."""
        return LEFT + (self.right - LEFT) * (index + 1) / points

    def y(self, value: float) -> float:
        return Scale(self.low, self.top, self.bottom, self.ceiling)(value)

    def tick(self, value: float) -> str:
        if self.percent:
            return percent(value, 0 if self.top - self.low > 0.05 else 1)
        return (
            signed(value, 2 if self.top - self.low > 0.05 else 3).replace("+0.000", "0").replace("+0.00", "0")
            if self.low < 0.0
            else number(value)
        )


def line_chart(title: str, told: str, lines: Sequence[Line], *, frame: Frame) -> str:
    """The lines in a frame that the caller made. The last line is drawn on top."""
    points = max((len(line.values) for line in lines), default=0)
    if not any(value is not None for line in lines for value in line.values):
        return nothing(title, told, width=frame.width)
    parts = [
        *_axes(frame, points),
        *_marks(frame, points),
        *_strip(frame, points),
        *(f'<path class="band {line.style}" d="{_band(line, frame, points)}"/>' for line in lines if line.low),
        *(f'<path class="line {line.style}" d="{_path(line.values, frame, points)}"/>' for line in lines),
        *(_labels(lines, frame, points) if frame.labelled else ()),
    ]
    return svg(title, told, parts, width=frame.width, height=frame.height)


def over_time(
    title: str, told: str, lines: Sequence[Line], *, width: int = WIDE, height: int = 240, names: Sequence[str] = (),
    marks: Sequence[Mark] = (), counts: Sequence[float] = (), percent: bool = False, zero: str = "",
) -> str:  # fmt: skip
    """The lines in a frame that holds all of them and zero. One line has no label at its end: the title says what it is."""
    low, top = bounds([value for line in lines for some in (line.values, line.low, line.high) for value in some])
    frame = Frame(
        width, height + (STRIP if counts else 0), top, low=low, percent=percent, labelled=len(lines) > 1, marks=tuple(marks), names=names,
        counts=counts, zero=zero,
    )  # fmt: skip
    return line_chart(title, told, lines, frame=frame)


def both_frames(title: str, told: str, lines: Sequence[Line], *, wide: Frame, narrow: Frame) -> str:
    """The chart for wide and for narrow screens, each in its frame; the style sheet shows one of them."""
    drawn = [line_chart(title, told, lines, frame=frame) for frame in (wide, narrow)]
    return f'<div class="wide">{drawn[0]}</div><div class="narrow">{drawn[1]}</div>'


def _axes(frame: Frame, points: int) -> list[str]:
    out = []
    for value in ticks(frame.low, frame.top, most=5 if frame.height > 150 else 2):
        y = frame.y(value)
        style = "zero" if frame.low < 0.0 and abs(value) < 1e-9 else "grid"
        out += [rule(LEFT, y, frame.right, y, style), text(LEFT - 5, y + 4, frame.tick(value), "tick", anchor="end")]
    if frame.zero and frame.low <= 0.0 <= frame.top:
        out.append(text(LEFT + 4, frame.y(0.0) - 5, frame.zero, "quiet", room=frame.right - LEFT))
    few = 4 if frame.right > 400 else 2
    named = [(points * mark // few, f"{points * frame.per_point * mark // few:,}") for mark in range(1, few + 1)]
    if frame.names:
        room = (frame.right - LEFT) / points
        every = max(1, ceil((max(map(breadth, frame.names)) + 10) / room))
        named = [(at, name) for at, name in enumerate(frame.names, 1) if (points - at) % every == 0]
    for at, said in named:
        x, last = frame.x(at - 1, points), at == points
        out.append(text(x, frame.height - 6, said, "tick", anchor="end" if last and not frame.labelled else "middle"))
    return out


def _marks(frame: Frame, points: int) -> list[str]:
    """A rule for each mark; its word only where it does not run into the one before."""
    out, free = [], float("-inf")
    for mark in sorted(frame.marks, key=lambda mark: mark.at):
        x = frame.x(mark.at - 1, points)
        out.append(rule(x, frame.ceiling - 4, x, frame.bottom, "mark"))
        half = breadth(mark.text) / 2
        if x - half >= free:
            out.append(centred(x, TOP + 5, mark.text, "tick", width=frame.width))
            free = x + half + 6
    return out


def _strip(frame: Frame, points: int) -> list[str]:
    """Bars below the axis: how much is behind each point."""
    if not frame.counts or not max(frame.counts):
        return []
    most, base, each = max(frame.counts), frame.bottom + STRIP, (frame.right - LEFT) / points
    out = [text(LEFT - 5, base, count(most), "tick", anchor="end")]
    for at, many in enumerate(frame.counts[:points]):
        tall = (STRIP - 8) * many / most
        out.append(rect(frame.x(at - 1, points) + 1, base - tall, max(1.0, each - 2), tall, "bar other"))
    return out


def _path(values: Sequence[float | None], frame: Frame, points: int) -> str:
    out, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        out.append(f"{pen}{frame.x(index, points):.1f} {frame.y(value):.1f}")
        if pen == "M" and (index + 1 == len(values) or values[index + 1] is None):
            out.append("h-3")  # one point alone has no length to be seen by
        pen = "L"
    return "".join(out)


def _band(line: Line, frame: Frame, points: int) -> str:
    """The area between `low` and `high`, a piece for each stretch without a gap."""
    out: list[str] = []
    piece: list[tuple[float, float, float]] = []
    for index, (low, high) in enumerate([*zip(line.low, line.high, strict=True), (None, None)]):
        if low is not None and high is not None:
            piece.append((frame.x(index, points), frame.y(low), frame.y(high)))
        elif piece:
            there = "L".join(f"{x:.1f} {high:.1f}" for x, _, high in piece)
            back = "L".join(f"{x:.1f} {low:.1f}" for x, low, _ in reversed(piece))
            out.append(f"M{there}L{back}Z")
            piece = []
    return "".join(out)


def _labels(lines: Sequence[Line], frame: Frame, points: int) -> list[str]:
    """Each name beside the end of its line, pushed apart where ends are close, with a dot in the line's colour."""
    ends = []
    for line in lines:
        value = next((value for value in reversed(line.values) if value is not None), None)
        if value is not None:
            ends.append((frame.y(value), line))
    ends.sort(key=lambda end: end[0])
    places = [y for y, _ in ends]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + LABEL)
    for index in range(len(places)):  # back up from the bottom edge, as far as it takes
        places[index] = min(places[index], frame.bottom - 2 - LABEL * (len(places) - 1 - index))
    out = []
    for y, (_, line) in zip(places, ends, strict=True):
        out.append(circle(frame.right + 8, y, f"dot {line.style}", 4))
        out.append(text(frame.right + 16, y + 4, line.name, room=frame.width - frame.right - 14))
    return out
