"""Charts on a page: drawn once for wide and once for narrow screens, never scaled; and the time that a page is about."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request

from display.charts.svg import NARROW

MOST, REST, HALF = 610, 276, 460  # px of a chart on 1280: in eight columns of twelve, in four, in half of them


def both(draw: Callable[[int], str], *, wide: int = MOST) -> Markup:
    """A chart for wide and for narrow screens; `draw` takes px and gives SVG. The style sheet shows one of the two."""
    return Markup(f'<div class="wide">{draw(wide)}</div><div class="narrow">{draw(NARROW)}</div>')


class Period(NamedTuple):
    """The last `minutes`, in words, and by its name in addresses."""

    name: str
    minutes: int
    said: str

    def since(self, now: int) -> int:
        """Its beginning, both in ms."""
        return now - self.minutes * 60_000


HOUR, DAY = Period("hour", 60, "hour"), Period("day", 1_440, "24 hours")
WEEK, MONTH = Period("week", 7 * 1_440, "7 days"), Period("month", 30 * 1_440, "30 days")
SHORT, LONG = (HOUR, DAY), (DAY, WEEK, MONTH)  # of what this process has counted; of what came of searches


def period_of(request: Request, periods: Sequence[Period]) -> Period:
    """The period of an address, ?period=hour; a day where it names none of `periods`."""
    asked = request.query_params.get("period", "")
    return next((one for one in periods if one.name == asked), DAY)
