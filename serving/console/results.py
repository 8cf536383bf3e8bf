"""Are we better than the fixed mix, and how sure are we?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.charts.bars import Bar, bars
from display.charts.intervals import Dot, dot_intervals
from display.charts.line import Frame, Line, line_chart
from display.numbers import count, interval, percent, plural, signed
from display.words import CONTENDERS
from learners.trials.reading import Lacking, TrialResult
from serving.console.drawing import LONG, Period, both, period_of
from serving.console.flow import csv_of
from serving.console.frame import Screen, render
from serving.console.kinds import order_of
from serving.console.methods import kind_label

if TYPE_CHECKING:
    from serving.outcomes import OutcomeSums
    from serving.site import Site

QUESTION = "Are we better than the fixed mix, and how sure are we?"
HOUR_MS = 3_600_000
STEPS = {"day": 1, "week": 6, "month": 24}  # hours of one point of the line, by period
POINTS = 3  # below so many steps there is no line yet
_LACKS = {"searches": "searches", "people": "different people", "choices": "searches with a choice"}


@dataclass(frozen=True)
class Trial:
    """One experiment: `result` as it was read, `rival` what is tried beside what runs, `tone` for the eye, `decision` in words."""

    result: TrialResult
    rival: str
    tone: str
    decision: str

    @property
    def searches(self) -> int:
        """Of both sides; on a shared page each search is both's."""
        return self.result.a.searches if self.result.kind == "interleaved" else self.result.a.searches + self.result.b.searches

    @property
    def way(self) -> str:
        return "by turns on one page" if self.result.kind == "interleaved" else "two groups of people"


def trial_of(result: TrialResult) -> Trial:
    """An experiment in words. `better` holds at all looks together, so one may look every day."""
    rival = rival_of(result.trial)
    if result.lacking is not None:
        return Trial(result, rival, "few", lacking(result.lacking))
    if result.better == "a":
        return Trial(result, rival, "ok", "What runs is better: keep it.")
    if result.better == "b":
        return Trial(result, rival, "bad", f"{rival} is better: look into Methods for what changed, and think of going back.")
    return Trial(result, rival, "quiet", "Cannot be told apart yet: let it run.")


def lacking(one: Lacking) -> str:
    """What there is too little of."""
    return f"Not enough {_LACKS[one.what]} yet ({one.have:,} of {one.need:,})"


def rival_of(name: str) -> str:
    """What an experiment tries, by its name: a word of the dictionary where one stands in it.

    >>> rival_of("interleave:rrf:0.2"), rival_of("spring sale")
    ('Mix by rank', '“spring sale”')
    """
    known = next((word for word in re.split(r"[^a-z0-9]+", name.lower()) if word in CONTENDERS), None)
    return CONTENDERS[known].label if known else f"“{name}”"


def verdict(trial: Trial | None, period: str) -> str:
    """Today's and this page's sentence."""
    if trial is None:
        return (
            f"No comparison ran in the last {period}, so nobody can say whether search got better. Start the service with "
            "--trial interleave:rrf:0.2 to compare with a fixed mix on every fifth search."
        )
    one = trial.result
    if one.lacking is not None or one.always is None:
        have = f"{lacking(one.lacking)}" if one.lacking else "Not enough yet"
        return f"{have} to compare with {trial.rival}: no verdict before that."
    told = (
        f"{signed(one.always.value)} choices a search, between {interval(one.always.low, one.always.high)}, "
        f"from {plural(trial.searches, 'search', 'searches')} in the last {period}"
    )
    if one.better == "a":
        return f"Better than {trial.rival}: {told}."
    if one.better == "b":
        return f"Not as good as {trial.rival}: {told}."
    return f"No difference to {trial.rival} can be told yet: {told}."


@dataclass(frozen=True)
class Facts:
    """`trials`: newest first; `kinds`: of the chosen one, the surest gain first. `places`: (shown, chosen) at each place from 1."""

    sentence: str
    trials: Sequence[Trial]
    chosen: Trial | None
    kinds: Mapping[str, TrialResult]
    steps: Sequence[TrialResult]
    places: Sequence[tuple[int, int]]


def facts(outcomes: "OutcomeSums", *, since: int, period: Period, asked: str = "") -> Facts:
    """What experiments say of a period; `asked` is the name of the one that is looked at, else the newest."""
    trials = [trial_of(one) for one in outcomes.results(since=since)]
    chosen = next((one for one in trials if one.result.trial == asked), trials[0] if trials else None)
    name = chosen.result.trial if chosen else ""
    step = STEPS[period.name] * HOUR_MS
    return Facts(
        sentence=verdict(chosen, period.said),
        trials=trials,
        chosen=chosen,
        kinds=_surest_first(outcomes.by_kind(name, since=since)) if chosen else {},
        steps=outcomes.over_time(name, since=since, step=step) if chosen else (),
        places=outcomes.places(since=since),
    )


def _surest_first(kinds: Mapping[str, TrialResult]) -> dict[str, TrialResult]:
    """By the lower bound of the difference; kinds with too few searches last."""

    def rank(kind: str) -> tuple[bool, float, int]:
        found = kinds[kind].difference
        return found is None, -found.low if found else 0.0, order_of(kind)

    return {kind: kinds[kind] for kind in sorted(kinds, key=rank)}


def by_kind(found: Facts) -> Markup | None:
    """The difference of the whole and of each kind of search, with intervals, around no difference."""
    if found.chosen is None:
        return None
    title, whole = f"Difference to {found.chosen.rival}", found.chosen.result
    rows = [_dot("All searches", whole), *(_dot(kind_label(kind), one) for kind, one in found.kinds.items())]

    def draw(width: int) -> str:
        no_gain = (0.0, "no difference")
        return dot_intervals(title, found.sentence, rows, width=width, reference=no_gain, said=lambda value: signed(value, 2))

    return both(draw)


def _dot(name: str, one: TrialResult) -> Dot:
    searches = one.a.searches if one.kind == "interleaved" else one.a.searches + one.b.searches
    if one.difference is None:
        few = f"too few: {one.lacking.have:,} of {one.lacking.need:,}" if one.lacking else "too few"
        return Dot(name, None, note=f"{searches:,}", few=few)
    value, low, high = one.difference
    return Dot(name, value, low, high, note=f"{searches:,}", style="up" if low > 0.0 else "down" if high < 0.0 else "main")


def over_time(found: Facts, hours: int) -> Markup | None:
    """The difference step by step, with its band; a gap where a step had too little. None while there are too few steps."""
    known = [one for one in found.steps if one.difference is not None]
    if len(known) < POINTS:
        return None
    first, last = found.steps[0].first, found.steps[-1].first
    at = {one.first: one.difference for one in found.steps}
    all_of = [at.get(ts) for ts in range(first, last + 1, hours * HOUR_MS)]
    values = [one.value if one else None for one in all_of]
    low, high = [one.low if one else None for one in all_of], [one.high if one else None for one in all_of]
    most = max(abs(value) for value in (*low, *high) if value is not None)
    line = Line("difference", "main", values, low, high)
    return both(
        lambda width: line_chart(
            "Difference over time", found.sentence, [line],
            Frame(width, 220, top=most, low=-most, per_point=hours, labelled=False),
        )
    )  # fmt: skip


def by_place(found: Facts) -> Markup | None:
    """How often results were chosen, by place."""
    rows = [
        Bar(f"Place {place}", chosen / shown, note=f"of {count(shown)}")
        for place, (shown, chosen) in enumerate(found.places[:10], 1)
        if shown
    ]
    told = "Share of the results shown at each place that were chosen."

    def draw(width: int) -> str:
        return bars("Chosen by place", told, rows, width=min(width, 460), said=lambda share: percent(share, 1))

    return both(draw) if rows else None


def routes(site: "Site") -> list[Route]:
    """GET /console/results with ?period= and ?trial=, and its figures as CSV."""

    def read(request: Request) -> tuple[Period, Facts]:
        period = period_of(request, LONG)
        asked = request.query_params.get("trial", "")
        return period, facts(site.outcomes, since=period.since(site.clock()), period=period, asked=asked)

    def show(request: Request) -> Response:
        period, found = read(request)
        hours = STEPS[period.name]
        return render(
            request, "results.html", site=site, screen=Screen(QUESTION, found.sentence), facts=found, period=period, periods=LONG,
            by_kind=by_kind(found), over_time=over_time(found, hours), hours=hours, by_place=by_place(found), kind_label=kind_label,
            traffic=site.outcomes.traffic(since=period.since(site.clock())),
        )  # fmt: skip

    def table(request: Request) -> Response:
        return csv_of(rows_of(read(request)[1]), "results.csv")

    return [Route("/console/results", show), Route("/console/results.csv", table)]


def rows_of(found: Facts) -> list[tuple[object, ...]]:
    """The experiments, and the kinds of searches of the chosen one, as rows; empty where something is not known."""
    rows: list[tuple[object, ...]] = [
        ("trial", "query_class", "searches_a", "searches_b", "reward_a", "reward_b", "difference", "low", "high")
    ]
    pairs = [("", one.result) for one in found.trials] + list(found.kinds.items())
    for kind, one in pairs:
        known = one.difference or (None, None, None)
        rows.append((one.trial, kind, one.a.searches, one.b.searches, one.a.reward, one.b.reward, *known))
    return rows
