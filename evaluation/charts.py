"""Charts as inline SVG text: no script, no font, colours by CSS class. Drawn once for wide and once for narrow screens, never scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABEL = 16  # px between labels at the ends of lines
LEFT = 44  # px for the figures of the y axis


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `style` is its CSS class, None in `values` a gap."""

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """Size of a chart in px and what its axes say. The y axis begins at 0 and ends at `top`; `per_point` is what x counts in."""

    width: int
    height: int
    top: float
    per_point: int
    percent: bool = False
    labelled: bool = True  # names at the ends of the lines; else the page has a legend

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - (104 if self.labelled else 10)

    @property
    def bottom(self) -> int:
        return self.height - 24

    def x(self, index: int, points: int) -> float:
        """Px of a point, the end of its window."""
        return LEFT + (self.right - LEFT) * (index + 1) / points

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - 8) * min(1.0, max(0.0, value / self.top))

    def tick(self, value: float) -> str:
        return f"{100 * value:.0f} %" if self.percent else f"{value:.2g}"


def line_chart(title: str, description: str, lines: Sequence[Line], frame: Frame) -> str:
    """An SVG with a title and description that screen readers say, zero-based, gaps where nothing is known."""
    points = max(len(line.values) for line in lines)
    parts = [
        f'<svg viewBox="0 0 {frame.width} {frame.height}" width="{frame.width}" height="{frame.height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>",
        *_axes(frame, points),
        *(f'<path class="line {line.style}" d="{_path(line, frame, points)}"/>' for line in lines),
        *(_labels(lines, frame, points) if frame.labelled else ()),
        "</svg>",
    ]
    return "".join(parts)


def _axes(frame: Frame, points: int) -> list[str]:
    out = []
    for step in range(5) if frame.height > 150 else (0, 2, 4):
        value = frame.top * step / 4
        y = frame.y(value)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{frame.tick(value)}</text>')
    marks = 4 if frame.right > 400 else 2
    for mark in range(1, marks + 1):
        x = LEFT + (frame.right - LEFT) * mark / marks
        text = f"{points * frame.per_point * mark // marks:,}"
        out.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.height - 6}" text-anchor="{"end" if mark == marks else "middle"}">{text}</text>'
        )
    return out


def _path(line: Line, frame: Frame, points: int) -> str:
    out, pen = [], "M"
    for index, value in enumerate(line.values):
        if value is None:
            pen = "M"
            continue
        out.append(f"{pen}{frame.x(index, points):.1f} {frame.y(value):.1f}")
        pen = "L"
    if len(out) == 1:  # one point alone has no length to be seen by
        out.append("h3")
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
