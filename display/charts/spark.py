"""A small line beside a number: its way so far, nothing more."""

from collections.abc import Sequence

from display.charts.svg import Scale, bounds, circle, svg, text


def spark(title: str, told: str, values: Sequence[float | None], *, width: int = 120, height: int = 28, zero: bool = True) -> str:
    """A line with a dot at the last value that is known; None is a gap. `zero`: the scale begins at zero."""
    known = [at for at, value in enumerate(values) if value is not None]
    if not known:
        return svg(title, told, [text(0, height / 2 + 4, "no data", "empty")], width=width, height=height)
    low, high = bounds(values, zero=zero)
    up, step = Scale(low, high, height - 5, 5), (width - 10) / max(1, len(values) - 1)
    path, pen = [], "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{5 + at * step:.1f} {up(value):.1f}")
        alone = pen == "M" and (at + 1 == len(values) or values[at + 1] is None)
        path.append("h2" if alone else "")
        pen = "L"
    last = values[known[-1]] or 0.0
    parts = [f'<path class="line main" d="{"".join(path)}"/>', circle(5 + known[-1] * step, up(last), "dot main", 3)]
    return svg(title, told, parts, width=width, height=height)
