"""Do predictions come true? What was said against what happened, by bins; on the diagonal it came true."""

from collections.abc import Sequence
from typing import NamedTuple

from display.charts.svg import WIDE, Scale, bounds, circle, line, nothing, rect, svg, text, ticks
from display.numbers import count, number

_LEFT, _RIGHT, _TOP = 44, 12, 10
_COUNTS = 46  # px of the strip of counts, below the axis
_WIDEST = 400  # px: both axes have one scale, so a wide screen needs no wider square


class Bin(NamedTuple):
    """Predictions of about one size: their mean, how often it happened (None: too few to say) with its 95 % interval, and how many."""

    said: float
    happened: float | None
    low: float | None
    high: float | None
    many: float


def reliability(title: str, told: str, bins: Sequence[Bin], *, width: int = WIDE) -> str:
    """A square with the diagonal, a dot with interval for each bin; below it bars of how many predictions each bin holds."""
    if not any(one.many for one in bins):
        return nothing(title, told, width=width)
    width = min(width, _WIDEST)
    _, high = bounds([value for one in bins for value in (one.said, one.happened, one.high)], least=0.01)
    side = width - _LEFT - _RIGHT
    across, up = Scale(0.0, high, _LEFT, width - _RIGHT), Scale(0.0, high, _TOP + side, _TOP)
    bottom = _TOP + side
    parts: list[str] = []
    for value in ticks(0.0, high, most=5 if width > 360 else 4):
        parts += [
            line(_LEFT, up(value), width - _RIGHT, up(value), "grid"),
            text(_LEFT - 6, up(value) + 4, number(value), "tick", anchor="end"),
        ]
        parts.append(text(across(value), bottom + 18, number(value), "tick", anchor="middle"))
    parts.append(line(across(0.0), up(0.0), across(high), up(high), "dash"))
    parts.append(text(width - _RIGHT - 4, up(high) + 26, "came true", "quiet", anchor="end"))
    parts.append(text(_LEFT, bottom + 36, "said, and below it how many", "quiet", room=side))
    parts.append(text(_LEFT + 4, _TOP + 12, "happened", "quiet"))
    most, base = max(one.many for one in bins), bottom + 44 + _COUNTS
    for one in bins:
        x, tall = across(one.said), (_COUNTS - 14) * one.many / most
        if one.low is not None and one.high is not None:
            parts.append(line(x, up(one.low), x, up(one.high), "thin"))
        if one.happened is not None:
            parts.append(circle(x, up(one.happened), "dot main", 5))
        parts.append(rect(x - 5, base - tall, 10, tall, "bar other"))
    parts += [line(_LEFT, base, width - _RIGHT, base, "zero"), text(_LEFT - 6, base - _COUNTS + 18, count(most), "tick", anchor="end")]
    return svg(title, told, parts, width=width, height=base + 4)
