"""Are we better than the fixed mix, and how sure are we?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.charts.bars import Bar, bars
from display.charts.intervals import Dot, dot_intervals
from display.charts.line import Line, Mark
from display.charts.line import over_time as line_over_time
from display.charts.svg import WIDE
from display.numbers import count, percent, plural, signed
from learners.trials.reading import Lacking, TrialResult
from schemas.snapshots import Manifest
from serving.console import versions
from serving.console.drawing import LONG, Period, both, period_of
from serving.console.flow import csv_of
from serving.console.frame import Screen, render
from serving.console.kinds import order_of
from serving.console.methods import kind_label

if TYPE_CHECKING:
    from serving.outcomes import OutcomeSums
    from serving.site import Site

QUESTION = "Are we better than the fixed mix, and how sure are we?"
TIMES = "Difference over time"
HOUR_MS = 3_600_000
STEPS = {"week": 6 * HOUR_MS, "month": 24 * HOUR_MS}  # ms of one point of the line; of a day one slot of the sums
POINTS = 3  # below so many steps there is no line yet
FIXED = {"rrf": "the fixed mix", "convex": "the tuned mix"}
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
        """Of both sides."""
        return searches_of(self.result)

    @property
    def way(self) -> str:
        return "by turns on one page" if self.result.kind == "interleaved" else "two groups of people"


def searches_of(one: TrialResult) -> int:
    """Of both sides; on a shared page each search is both's."""
    return one.a.searches if one.kind == "interleaved" else one.a.searches + one.b.searches


def trial_of(result: TrialResult, manifests: Sequence[Manifest] = ()) -> Trial:
    """An experiment in words. `better` holds at all looks together, so one may look every day."""
    rival = rival_of(result.trial, manifests)
    if result.lacking is not None:
        return Trial(result, rival, "few", lacking(result.lacking))
    if result.better == "a":
        return Trial(result, rival, "ok", "What runs is better: keep it.")
    if result.better == "b":
        return Trial(result, rival, "bad", f"{capital(rival)} is better: see in Methods what changed, and think of going back.")
    return Trial(result, rival, "quiet", "Cannot be told apart yet: let it run.")


def capital(words: str) -> str:
    """With a great first letter, the rest as it is."""
    return words[:1].upper() + words[1:]


def lacking(one: Lacking) -> str:
    """What there is too little of."""
    return f"Not enough {_LACKS[one.what]} yet ({one.have:,} of {one.need:,})"


def rival_of(name: str, manifests: Sequence[Manifest] = ()) -> str:
    """What an experiment tries, by its name: MODE_AGAINST, as the command line makes it; another name as it is.

    >>> rival_of("interleave_rrf"), rival_of("spring sale")
    ('the fixed mix', '“spring sale”')
    """
    against = name.partition("_")[2]
    if against in FIXED:
        return FIXED[against]
    known = next((one.seq for one in manifests if against and one.content_id.startswith(against)), None)
    return f"version {known}" if known is not None else f"“{name}”"


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
        f"{signed(one.always.value)} choices a search, between {signed(one.always.low)} and {signed(one.always.high)}, "
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
    step: int  # ms of each of them
    places: Sequence[tuple[int, int]]


def facts(outcomes: "OutcomeSums", *, since: int, period: Period, manifests: Sequence[Manifest] = (), asked: str = "") -> Facts:
    """What experiments say of a period; `asked` is the name of the one that is looked at, else the newest."""
    trials = [trial_of(one, manifests) for one in outcomes.results(since=since)]
    chosen = next((one for one in trials if one.result.trial == asked), trials[0] if trials else None)
    name = chosen.result.trial if chosen else ""
    step = STEPS.get(period.name, outcomes.every)
    return Facts(
        sentence=verdict(chosen, period.said),
        trials=trials,
        chosen=chosen,
        kinds=_surest_first(outcomes.by_kind(name, since=since)) if chosen else {},
        steps=outcomes.over_time(name, since=since, step=step) if chosen else (),
        step=step,
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
    searches = searches_of(one)
    if one.difference is None:
        few = f"too few: {one.lacking.have:,} of {one.lacking.need:,}" if one.lacking else "too few"
        return Dot(name, None, note=f"{searches:,}", few=few)
    value, inner_low, inner_high = one.difference
    low, high = (one.always.low, one.always.high) if one.always else (inner_low, inner_high)
    style = {"a": "up", "b": "down", "": "main"}[one.better]
    return Dot(name, value, low, high, inner_low, inner_high, note=f"{searches:,}", style=style)


def over_time(found: Facts, decided: Sequence[tuple[int, str]] = ()) -> Markup | None:
    """The difference step by step, with its band; a gap where a step had too little. None while there are too few steps.

    `decided`: when (ms) somebody changed the version, and a word.
    """
    known = [one for one in found.steps if one.difference is not None]
    if len(known) < POINTS:
        return None
    first, last, step = found.steps[0].first, found.steps[-1].first, found.step
    times = list(range(first, last + 1, step))
    at = {one.first: one for one in found.steps}
    some = [at[ts].difference if ts in at else None for ts in times]
    values, low, high = ([one[of] if one else None for one in some] for of in range(3))
    line = Line("difference", "main", values, low, high)
    counts = [float(searches_of(at[ts])) if ts in at else 0.0 for ts in times]
    marks = [Mark((ts - first) // step, said) for ts, said in decided if first <= ts < last + step]
    names = [_when(ts, step) for ts in times]

    def draw(width: int) -> str:
        return line_over_time(
            TIMES, found.sentence, [line], width=width, names=names, marks=marks, counts=counts, zero="no difference"
        )  # fmt: skip

    return both(draw, wide=WIDE)


def _when(ts: int, step: int) -> str:
    at = datetime.fromtimestamp(ts / 1_000.0, UTC)
    return at.strftime("%b %d") if step >= 24 * HOUR_MS else at.strftime("%H:%M")


def by_place(found: Facts) -> Markup | None:
    """How often results were chosen, by place."""
    rows = [
        Bar(f"Place {place}", chosen / shown, note=f"of {count(shown)}")
        for place, (shown, chosen) in enumerate(found.places[:10], 1)
        if shown
    ]
    told = "Share of the results shown at each place that were chosen."

    def draw(width: int) -> str:
        return bars("Chosen by place", told, rows, width=width, said=lambda share: percent(share, 1))

    return both(draw) if rows else None


def routes(site: "Site") -> list[Route]:
    """GET /console/results with ?period= and ?trial=, and its figures as CSV."""

    def read(request: Request) -> tuple[Period, Facts]:
        period = period_of(request, LONG)
        asked = request.query_params.get("trial", "")
        return period, facts(site.outcomes, since=period.since(site.clock()), period=period, manifests=site.backend.versions(), asked=asked)

    def show(request: Request) -> Response:
        period, found = read(request)
        return render(
            request, "results.html", site=site, screen=Screen(QUESTION, found.sentence), answer_lives=True, facts=found, period=period,
            periods=LONG, by_kind=by_kind(found), over_time=over_time(found, decided(site)), by_place=by_place(found),
            kind_label=kind_label, capital=capital, traffic=site.outcomes.traffic(since=period.since(site.clock())),
        )  # fmt: skip

    def table(request: Request) -> Response:
        return csv_of(rows_of(read(request)[1]), "results.csv")

    return [Route("/console/results", show), Route("/console/results.csv", table)]


def decided(site: "Site") -> list[tuple[int, str]]:
    """When somebody changed the version, and its number."""
    found = versions.facts(site.backend.versions(), ago=str).versions
    return [(one.created, f"v{one.number}") for one in found if not one.automatic]


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
