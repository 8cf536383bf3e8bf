"""The examination curve as inline SVG: what was estimated with its error bars, beside the start and, where it is known, the truth.

Drawn like `evaluation.charts`, for wide and for narrow screens; it brings its own style, which takes the colours of the page it stands in
and has its own where there are none, so it is a picture of its own too (docs).
"""

from collections.abc import Sequence
from html import escape

from evaluation.charts import LEFT, Frame

BARS = 1.96  # standard errors on each side: a 95 % interval
WIDE, NARROW = Frame(640, 280, 1.0, 1), Frame(334, 240, 1.0, 1)
NAMES = {"start": "Start", "truth": "Truth", "estimate": "Estimate"}  # in drawing order: what matters is on top

STYLE = """<style>
.examination text { font: 12px system-ui, sans-serif; fill: var(--ink, #1B1F24); } .examination .tick { fill: var(--ink3, #5F6872); }
.examination .grid { stroke: var(--hair, #D5D9DF); } .examination .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.examination .start { stroke: var(--other, #868D96); stroke-dasharray: 6 4; } .examination .truth { stroke: var(--two, #B4560B); }
.examination .estimate { stroke: var(--ink, #1B1F24); stroke-width: 3; }
.examination .bar { fill: none; stroke: var(--ink, #1B1F24); stroke-width: 1.5; }
</style>"""


def examination_chart(
    curve: Sequence[float], se: Sequence[float], *, start: Sequence[float], truth: Sequence[float] | None = None, frame: Frame = WIDE
) -> str:
    """An SVG of the chance that a result is looked at, by place, as many as `curve` has. `start` and `truth` may be shorter."""
    series = {"start": start[: len(curve)], "truth": () if truth is None else truth[: len(curve)], "estimate": curve}
    series = {name: values for name, values in series.items() if len(values)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="examination" viewBox="0 0 {frame.width} {frame.height}" '
        f'width="{frame.width}" height="{frame.height}" role="img">',
        f"<title>Who looks how far</title><desc>{escape(said(curve, se, truth=truth))}</desc>{STYLE}",
        *_grid(frame, len(curve)),
        *(f'<path class="line {name}" d="{_path(values, frame, len(curve))}"/>' for name, values in series.items()),
        *_bars(curve, se, frame),
        *_legend(list(reversed(series)), frame),
        "</svg>",
    ]
    return "".join(parts)


def examination_figure(curve: Sequence[float], se: Sequence[float], *, start: Sequence[float], truth: Sequence[float] | None = None) -> str:
    """The chart for wide and for narrow screens; the style sheet of the page shows one of them."""
    wide, narrow = (examination_chart(curve, se, start=start, truth=truth, frame=frame) for frame in (WIDE, NARROW))
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def said(curve: Sequence[float], se: Sequence[float], *, truth: Sequence[float] | None = None) -> str:
    """The chart in words, for those who do not see it.

    >>> said([1.0, 0.5], [0.0, 0.1], truth=[1.0, 0.6])
    'Chance that a result is looked at, the first being 1. Place 2: 0.50 plus or minus 0.20, true 0.60.'
    """
    places = [at for at in (2, 3, 5, 10, 20) if at <= len(curve)]
    each = [
        f"Place {at}: {curve[at - 1]:.2f} plus or minus {BARS * se[at - 1]:.2f}"
        + (f", true {truth[at - 1]:.2f}" if truth is not None and at <= len(truth) else "")
        for at in places
    ]
    return ". ".join(["Chance that a result is looked at, the first being 1", *each]) + "."


def _grid(frame: Frame, points: int) -> list[str]:
    out = []
    for step in range(5):
        y = frame.y(frame.top * step / 4)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{frame.tick(frame.top * step / 4)}</text>')
    every = 1 if points * 24 <= frame.right - LEFT else 5  # 24 px: two digits and air
    for place in [at for at in range(1, points + 1) if at == 1 or at % every == 0]:
        out.append(f'<text class="tick" x="{frame.x(place - 1, points):.1f}" y="{frame.height - 6}" text-anchor="middle">{place}</text>')
    return out


def _path(values: Sequence[float], frame: Frame, points: int) -> str:
    return "M" + "L".join(f"{frame.x(at, points):.1f} {frame.y(value):.1f}" for at, value in enumerate(values))


def _bars(curve: Sequence[float], se: Sequence[float], frame: Frame) -> list[str]:
    """An upright line with two caps at each place whose error is not 0; what leaves the axis is cut."""
    out = []
    for at, (value, error) in enumerate(zip(curve, se, strict=True)):
        if error > 0.0:
            x, low, high = frame.x(at, len(curve)), frame.y(value - BARS * error), frame.y(value + BARS * error)
            out.append(f'<path class="bar" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"/>')
    return out


def _legend(names: Sequence[str], frame: Frame) -> list[str]:
    """Names in the right margin: curves meet at their ends, where no label would find its place."""
    out = []
    for at, name in enumerate(names):
        y = 16 + 18 * at
        out.append(f'<path class="line {name}" d="M{frame.right + 8} {y}h20"/>')
        out.append(f'<text x="{frame.right + 34}" y="{y + 4}">{NAMES[name]}</text>')
    return out
