"""Curves over time, one panel below the other, as one SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 900, 170, 70, 150, 46, 22  # px of a panel and its edges
COLOURS = ("#1B5E9B", "#B4560B", "#2E7D4F", "#7A3E9D", "#868D96")
Points = Sequence[tuple[float, float]]  # seconds, value
STYLE = """<style>text { font: 12px system-ui, sans-serif; fill: #1B1F24; } .head { font-weight: 600; } .tick { fill: #5F6872; }
.grid { stroke: #D5D9DF; } .mark { stroke: #C62828; stroke-dasharray: 2 4; } path { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
</style>"""


def panels(title: str, of: Mapping[str, Mapping[str, Points]], *, marks: Sequence[tuple[float, str]], end: float) -> str:
    """Panel by heading, in it a line by name. `marks` are times (s) at which something was done; the axis ends at `end` s."""
    height = TOP + len(of) * (HEIGHT + 40)
    said = "; ".join(f"{head}: {', '.join(lines)}" for head, lines in of.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(said)}</desc>{STYLE}",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="head" x="{LEFT}" y="18">{escape(title)}; red: worker b stopped or killed, and started again</text>',
    ]
    for number, (head, lines) in enumerate(of.items()):
        parts += _panel(head, lines, marks, end, TOP + number * (HEIGHT + 40))
    return "".join([*parts, "</svg>"])


def _panel(head: str, lines: Mapping[str, Points], marks: Sequence[tuple[float, str]], end: float, above: int) -> list[str]:
    top = nice(max((value for points in lines.values() for at, value in points if at <= end), default=1.0))
    bottom, right = above + HEIGHT - BELOW, WIDTH - RIGHT

    def x(at: float) -> float:
        return LEFT + (right - LEFT) * at / end

    def y(value: float) -> float:
        return bottom - (bottom - above) * value / top

    out = [f'<text class="head" x="{LEFT}" y="{above - 6}">{escape(head)}</text>']
    for step in range(5):
        value = top * step / 4
        said = f"{value:,.0f}" if top >= 4 else f"{value:.2g}"
        out.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        out.append(f'<text class="tick" x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{said}</text>')
    for step in range(7):
        text = f"{end * step / 6 / 60:.3g}" + (" min" if step == 6 else "")
        out.append(f'<text class="tick" x="{x(end * step / 6):.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for at, what in marks:
        out.append(f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{above}" y2="{bottom}"><title>{escape(what)}</title></line>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        inside = [f"{x(at):.1f} {y(value):.1f}" for at, value in points if at <= end]
        if inside:
            out.append(f'<path stroke="{colour}" d="M{"L".join(inside)}"/>')
        out.append(f'<path stroke="{colour}" stroke-width="3" d="M{right + 10} {above + 8 + 18 * number}h18"/>')
        out.append(f'<text x="{right + 34}" y="{above + 12 + 18 * number}">{escape(name)}</text>')
    return out


def nice(value: float) -> float:
    """The smallest of 1, 2, 4, 5, 8, 10 times a power of ten that is not below `value`.

    >>> nice(3.1), nice(101.0), nice(0.0)
    (4.0, 200.0, 1.0)
    """
    if value <= 0.0:
        return 1.0
    unit = 10.0 ** (ceil(log10(value)) - 1)
    return next((step * unit for step in (1.0, 2.0, 4.0, 5.0, 8.0, 10.0) if step * unit >= value), 10.0 * unit)
