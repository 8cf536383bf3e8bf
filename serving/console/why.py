"""Why is this item at this place?"""

from collections.abc import Mapping
from functools import partial
from math import exp
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from display.charts.number_line import weighted_mean
from display.charts.waterfall import Step, waterfall
from display.numbers import about, number, one_in, plural, signed
from schemas.errors import NotFound
from serving.console.drawing import both as drawn
from serving.console.finding import meant
from serving.console.frame import Screen, render
from serving.console.trying import keep, thing
from serving.explaining import Difference, Explanation, explain, title_of
from serving.kept import Search
from serving.lost import missing
from serving.site import Site

WIDTH = 520  # px of a chart on wide screens, where the other column stands beside it


def routes(site: Site) -> list[BaseRoute]:
    """GET /console/why/{search_id}/{entity_id}."""

    def show(request: Request) -> Response:
        search_id, entity_id = request.path_params["search_id"], request.path_params["entity_id"]
        page = request.query_params.get("page", "1")
        search = keep(site, search_id, int(page) if page.isascii() and page.isdigit() and len(page) < 5 else 1)
        if search is None:
            raise NotFound(
                "The explanation is gone: the last searches of this server are kept, and this one is no longer among them. Search again."
            )
        if all(one.entity_id != entity_id for one in search.page.ranked):
            lost = missing(search, entity_id)
            screen = Screen(f"Why is “{lost.title}” not here?", lost.sentence)
            return render(request, "why_not.html", site=site, screen=screen, **_around(search, entity_id))
        than = request.query_params.get("than", "").strip()
        other = next((one.entity_id for one in meant(search.view.catalog, than)), than) if than else None
        known = {one.entity_id for one in search.page.ranked}
        told = explain(search, entity_id, against=other if other in known else None)
        return render(
            request, "why.html", site=site, screen=Screen(_question(told), told.sentence), told=told, than=than,
            not_ranked=bool(than) and other not in known, **_drawn(told), **_around(search, entity_id),
        )  # fmt: skip

    return [Route("/console/why/{search_id}/{entity_id:path}", show)]


def _question(told: Explanation) -> str:
    return f"Why is “{told.title}” at place {told.place}?" if told.place else f"Why is “{told.title}” not on this page?"


def _around(search: Search, entity_id: str) -> Mapping[str, Any]:
    """What stands around an explanation: the item, its page, its neighbours."""
    shown = [one.entity_id for one in search.page.impression.results]
    at = shown.index(entity_id) if entity_id in shown else None
    return {
        "search": search,
        "item": thing(entity_id, search.view.catalog),
        "before": shown[at - 1] if at else None,
        "after": shown[at + 1] if at is not None and at + 1 < len(shown) else None,
        "named": partial(title_of, search),
        "chosen": sum(action.entity_id == entity_id for action in search.actions),
    }


def _drawn(told: Explanation) -> Mapping[str, Any]:
    """The pictures and their sentences."""
    return {
        "expectation": _expectation(told),
        "memory": _memory(told),
        "memory_said": _memory_said(told),
        "start": one_in(_chance(told.reasons[0].adds)) if told.reasons else "",
        "versus": _versus(told.above) if told.above else "",
    }


def _chance(points: float) -> float:
    return 1.0 / (1.0 + exp(-max(-700.0, min(700.0, points))))


def _expectation(told: Explanation) -> Markup:
    """The sum in points; what it starts and ends at also as a chance, since rows do not add up in per cent."""
    if not told.reasons or told.memory is None:
        return Markup()
    start, *rest = told.reasons
    first, last = one_in(_chance(start.adds)), one_in(told.memory.expected)
    said = f"Any item starts at {first}; with {plural(len(rest), 'reason')} {last} is expected."
    steps = [Step(one.said, one.adds) for one in rest]

    def draw(width: int) -> str:
        return waterfall(
            "What was expected, as a sum of points", said, steps, start=("any item", start.adds), end="expected", width=width,
            said=partial(signed, digits=2), start_note=first, end_note=last,
        )  # fmt: skip

    return drawn(draw, wide=WIDTH)


def _memory(told: Explanation) -> Markup:
    it = told.memory
    if it is None:
        return Markup()
    seen, looks = (None, "") if it.held_back or it.seen is None else (it.seen, f"weight {number(it.looks, 2)}")
    return drawn(
        lambda width: weighted_mean(
            "The score between what was expected and what was seen", _memory_said(told), it.expected, seen, it.result, width=width,
            expected_note=f"weight {number(it.kappa, 2)}", seen_note=looks,
        ),
        wide=WIDTH,
    )  # fmt: skip


def _memory_said(told: Explanation) -> str:
    it = told.memory
    if it is None:
        return "The policy of this page mixes lists by fixed weights: there is no memory in its scores."
    if it.held_back:
        return f"{plural(it.clients, 'person', 'people')} chose it for this search, too few to count yet: the score is what was expected."
    if it.seen is None:
        return "Nobody has seen this item for this search yet: its score is the expectation alone."
    return (
        f"Expected {number(it.expected)}, which counts like {number(it.kappa)} looks; seen {number(it.seen)} in {about(it.looks)} "
        f"{'look' if round(it.looks) <= 1 else 'looks'}: together {number(it.result)}."
    )


def _versus(than: Difference) -> str:
    """The difference in a sentence."""
    more = "higher" if than.total > 0 else "lower" if than.total < 0 else "the same"
    if not than.total:
        return f"Both scores are the same as far as they go; “{than.title}” stands elsewhere by its id or by a test."
    rows = [one for one in than.rows if one.adds * than.total > 0][:2]
    because = " and ".join(f"{one.said} ({signed(one.adds, 4)})" for one in rows)
    return f"Its score is {number(abs(than.total))} {more} than that of “{than.title}”, mostly by {because}."
