"""Charts as inline SVG text: no script, no font, colours by CSS class. Drawn once for wide and once for narrow screens, never scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABEL = 16  # px between labels at the ends of lines
LEFT = 44  # px for the figures of the y axis
TOP = 8
HEAD = 18  # px above the plot for the word at a mark


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `style` is its CSS class, None in `values` a gap. `low` and `high`, where given, bound its band."""

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
    """Size of a chart in px and what its axes say. The y axis goes from `low` to `top`; `per_point` is what x counts in."""

    width: int
    height: int
    top: float
    per_point: int
    low: float = 0.0
    percent: bool = False
    labelled: bool = True  # names at the ends of the lines; else the page has a legend
    mark: Mark | None = None

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - (104 if self.labelled else 10)

    @property
    def bottom(self) -> int:
        return self.height - 24

    @property
    def ceiling(self) -> int:
        """Where the plot begins: lower where a mark needs room for its word."""
        return TOP + (HEAD if self.mark else 0)

    def x(self, index: int, points: int) -> float:
        """Px of a point, the end of its window."""
        return LEFT + (self.right - LEFT) * (index + 1) / points

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.top - self.low)
        return self.bottom - (self.bottom - self.ceiling) * min(1.0, max(0.0, share))

    def tick(self, value: float) -> str:
        if self.percent:
            return f"{100 * value:.3g} %"
        return f"{value + 0.0:+.2f}".replace("-", "−").replace("+0.00", "0") if self.low < 0.0 else f"{value:.2g}"


def line_chart(title: str, description: str, lines: Sequence[Line], frame: Frame) -> str:
    """An SVG with a title and description that screen readers say, gaps where nothing is known."""
    points = max(len(line.values) for line in lines)
    parts = [
        f'<svg viewBox="0 0 {frame.width} {frame.height}" width="{frame.width}" height="{frame.height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>",
        *_axes(frame, points),
        *_mark(frame, points),
        *(f'<path class="band {line.style}" d="{_band(line, frame, points)}"/>' for line in lines if line.low),
        *(f'<path class="line {line.style}" d="{_path(line.values, frame, points)}"/>' for line in lines),
        *(_labels(lines, frame, points) if frame.labelled else ()),
        "</svg>",
    ]
    return "".join(parts)


def _axes(frame: Frame, points: int) -> list[str]:
    out = []
    for step in range(5) if frame.height > 150 else (0, 2, 4):
        value = frame.low + (frame.top - frame.low) * step / 4
        y = frame.y(value)
        zero = " zero" if frame.low < 0.0 and abs(value) < 1e-9 else ""
        out.append(f'<line class="grid{zero}" x1="{LEFT}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{frame.tick(value)}</text>')
    marks = 4 if frame.right > 400 else 2
    for mark in range(1, marks + 1):
        x = LEFT + (frame.right - LEFT) * mark / marks
        text = f"{points * frame.per_point * mark // marks:,}"
        out.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.height - 6}" text-anchor="{"end" if mark == marks else "middle"}">{text}</text>'
        )
    return out


def _mark(frame: Frame, points: int) -> list[str]:
    if frame.mark is None:
        return []
    x = frame.x(frame.mark.at - 1, points)
    return [
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.ceiling - 4}" y2="{frame.bottom}"/>',
        f'<text class="tick" x="{x:.1f}" y="{TOP + 5}" text-anchor="middle">{escape(frame.mark.text)}</text>',
    ]


def _path(values: Sequence[float | None], frame: Frame, points: int) -> str:
    out, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        out.append(f"{pen}{frame.x(index, points):.1f} {frame.y(value):.1f}")
        pen = "L"
    if len(out) == 1:  # one point alone has no length to be seen by
        out.append("h3")
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
        at = max((index for index, value in enumerate(line.values) if value is not None), default=None)
        value = None if at is None else line.values[at]
        if value is not None:
            ends.append((frame.y(value), line))
    ends.sort(key=lambda end: end[0])
    places = [y for y, _ in ends]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + LABEL)
    for index in range(len(places)):  # back up from the bottom edge, as far as it takes
        places[index] = min(places[index], frame.bottom - 2 - LABEL * (len(places) - 1 - index))
    return [
        f'<circle class="dot {line.style}" cx="{frame.right + 8}" cy="{y:.1f}" r="4"/>'
        f'<text class="name" x="{frame.right + 16}" y="{y + 4:.1f}">{escape(line.name)}</text>'
        for y, (_, line) in zip(places, ends, strict=True)
    ]


def both_widths(title: str, description: str, lines: Sequence[Line], *, wide: Frame, narrow: Frame) -> str:
    """The chart for wide and for narrow screens; the style sheet shows one of them."""
    return (
        f'<div class="wide">{line_chart(title, description, lines, wide)}</div>'
        f'<div class="narrow">{line_chart(title, description, lines, narrow)}</div>'
    )


def number_line(expected: float, now: float, true: float) -> str:
    """A small line from 0 to 1: an open dot for what was expected, a full one for what is thought now, a tick for what is true."""
    width, height, edge = 132, 20, 6

    def x(value: float) -> str:
        return f"{edge + (width - 2 * edge) * min(1.0, max(0.0, value)):.1f}"

    middle = height // 2
    said = f"expected {expected:.2f}, now {now:.2f}, true {true:.2f}"
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"><title>{said}</title>'
        f'<line class="grid" x1="{edge}" x2="{width - edge}" y1="{middle}" y2="{middle}"/>'
        f'<line class="way" x1="{x(expected)}" x2="{x(now)}" y1="{middle}" y2="{middle}"/>'
        f'<line class="truth" x1="{x(true)}" x2="{x(true)}" y1="2" y2="{height - 2}"/>'
        f'<circle class="hollow" cx="{x(expected)}" cy="{middle}" r="4"/><circle class="full" cx="{x(now)}" cy="{middle}" r="4.5"/></svg>'
    )
