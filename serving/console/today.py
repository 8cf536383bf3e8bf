"""Is search getting better, and is anything wrong?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from display.numbers import count, duration, interval, milliseconds, one_in, percent, plural, signed
from display.words import LACKING, method
from learners.trials.reading import LEAST
from schemas.errors import ForageError
from schemas.snapshots import Manifest
from serving.backend import Flow, Trouble
from serving.breakers import State
from serving.console import flow as flow_screen
from serving.console import results, versions
from serving.console.drawing import DAY, LONG, Period, period_of
from serving.console.frame import Screen, may, posted, render
from serving.console.methods import RESTING
from serving.meters import Meters

if TYPE_CHECKING:
    from serving.outcomes import Traffic
    from serving.site import Site

QUESTION = "Is search getting better, and is anything wrong?"
Tone = Literal["bad", "warn"]

EMPTY = 0.05  # share of searches without a result from which it is a problem
BAD_CALLS = 0.05  # share of a method's calls that failed or were late, likewise
ENOUGH = 50  # searches or calls before a share is one
SLOW = 500.0  # ms at p95
CHANGES = 6  # versions that are listed
SPEEDS = (0.0, 1.0, 5.0, 20.0)  # searches a second that the demo offers


class Number(NamedTuple):
    """One number of the page: what it is, its value ("—" with the reason in `under` where it is not known), and the screen it opens."""

    label: str
    value: str
    unit: str
    under: str
    href: str


class Problem(NamedTuple):
    """A sentence about what is wrong, and where to look."""

    tone: Tone
    said: str
    href: str
    link: str


class Change(NamedTuple):
    """Something that changed: when (ms) and what."""

    at: int
    said: str


@dataclass(frozen=True)
class Facts:
    """`changes`: decisions of people and the last update, newest first."""

    sentence: str
    numbers: Sequence[Number]
    problems: Sequence[Problem]
    changes: Sequence[Change]


def facts(
    meters: Meters,
    *,
    found: results.Facts,
    traffic: "Traffic",
    flow: Flow,
    troubles: Sequence[Trouble],
    manifests: Sequence[Manifest],
    breakers: Mapping[str, State],
    period: Period,
    now: int,
) -> Facts:
    """The day at a glance. `meters`: of this process, a day at most; `found` and `traffic`: what came of searches in the period."""
    if not meters.searches and not traffic.searches:
        sentence = (
            "No searches yet. Send one from Try a search, or run the demo. Whether search gets better is known after some "
            f"{LEAST['searches']:,} searches that are compared with a fixed mix."
        )
    else:
        sentence = results.verdict(found.chosen, period.said)
    return Facts(
        sentence=sentence,
        numbers=_numbers(meters, found.chosen, traffic, flow, period),
        problems=[*_missing(troubles), *_methods(meters, breakers), *_searches(meters), *_events(flow, troubles, now), *_held(manifests)],
        changes=_changes(manifests, period.since(now)),
    )


def _numbers(meters: Meters, trial: results.Trial | None, traffic: "Traffic", flow: Flow, period: Period) -> list[Number]:
    query = f"?period={period.name}"
    always = trial.result.always if trial else None
    if trial is None:
        gain = Number("Difference to a fixed mix", "—", "", "no comparison is running", f"/console/results{query}")
    elif always is None:
        gain = Number(f"Difference to {trial.rival}", "—", "", trial.decision, f"/console/results{query}")
    else:
        under = f"{interval(always.low, always.high)}, {plural(trial.searches, 'search', 'searches')}"
        gain = Number(f"Difference to {trial.rival}", signed(always.value), "choices a search", under, f"/console/results{query}")
    acted = traffic.acted / traffic.searches if traffic.searches else None
    settled = f"of {plural(traffic.searches, 'search', 'searches')} that settled" if traffic.searches else "none has settled yet"
    counted = next((one.count for one in flow.stages if one.name == "counted"), None)
    this = "since this process began, 24 hours at most"
    return [
        gain,
        Number("Searches with a choice", percent(acted, 1), "", settled, f"/console/results{query}"),
        Number("Searches", count(meters.searches), "", this, "/console/methods"),
        Number("95 of 100 answered within", milliseconds(meters.ms.p95 if meters.ms else None), "", this, "/console/flow"),
        Number(
            "Events counted", count(counted), "", "since this process began" if counted is not None else "the workers know", "/console/flow"
        ),
    ]


def _missing(troubles: Sequence[Trouble]) -> list[Problem]:
    return [
        Problem("bad" if one.what in ("policy", "events") else "warn", one.said, "/console/flow", LACKING[one.what].label)
        for one in troubles
    ]


def _methods(meters: Meters, breakers: Mapping[str, State]) -> list[Problem]:
    out = []
    for name in sorted({*meters.methods, *breakers}):
        one, href = meters.methods.get(name), f"/console/methods?method={name}#method"
        bad = one.late + one.failed if one else 0
        if resting := RESTING.get(breakers.get(name, "closed")):
            out.append(Problem("bad", f"{method(name).label} is {resting}.", href, "See the method"))
        elif one and one.asked >= ENOUGH and bad / one.asked >= BAD_CALLS:
            what = f"failed {plural(one.failed, 'time')} and was late {plural(one.late, 'time')}"
            out.append(Problem("warn", f"{method(name).label} {what} of {plural(one.asked, 'call')}.", href, "See the method"))
    return out


def _searches(meters: Meters) -> list[Problem]:
    out = []
    if meters.searches >= ENOUGH and meters.empty / meters.searches >= EMPTY:
        said = f"{one_in(meters.empty / meters.searches)} searches found nothing ({meters.empty:,} of {meters.searches:,})."
        out.append(Problem("warn", said, "/console/methods", "See what methods find"))
    if meters.ms and meters.ms.count >= ENOUGH and meters.ms.p95 > SLOW:
        said = f"Answers are slow: 5 of 100 took longer than {milliseconds(meters.ms.p95)}."
        out.append(Problem("warn", said, "/console/flow", "See the times of methods"))
    refused = sum(meters.refused.values())
    if refused >= ENOUGH:
        most = max(meters.refused, key=lambda kind: (meters.refused[kind], kind))
        said = f"{plural(refused, 'request was', 'requests were')} refused, most of them as “{most.replace('_', ' ')}”."
        out.append(Problem("warn", said, "/console/flow", "See what arrives"))
    return out


def _events(flow: Flow, troubles: Sequence[Trouble], now: int) -> list[Problem]:
    """Late stages; not where a missing part was named already."""
    if any(one.what in ("broker", "events") for one in troubles):
        return []
    late = [one for one in flow_screen.facts(flow, (), now=now).steps if one.state == "late"]
    return [
        Problem("warn", f"“{one.name}” is late: the last one was {duration(one.age)} ago.", "/console/flow", "See the way of events")
        for one in late
    ]


def _held(manifests: Sequence[Manifest]) -> list[Problem]:
    if not manifests or not manifests[-1].pinned:
        return []
    said = f"Version {manifests[-1].seq} is held: what is learned meanwhile waits until somebody releases the hold."
    return [Problem("warn", said, "/console/versions?hold=release#release", "Release it")]


def _changes(manifests: Sequence[Manifest], since: int) -> list[Change]:
    """The newest update, and what people decided, since a time."""
    found = versions.facts(manifests, ago=str).versions
    told = [one for at, one in enumerate(found) if one.created >= since and (at == 0 or not one.automatic)]
    return [Change(one.created, f"{one.name}: {one.said}") for one in told[:CHANGES]]


def routes(site: "Site") -> list[Route]:
    """GET /console/today with ?period=; POST /console/today/speed of the demo's listeners."""

    def show(request: Request) -> Response:
        return _page(site, request)

    def speed(request: Request, fields: Mapping[str, str]) -> Response:
        if site.crowd is None or not may(request, site, "operate"):
            return _page(
                site, request, problem="Nobody's speed can be set here: sign in with a token that has the right “operate”.", status=403
            )
        try:
            site.crowd.set_speed(float(fields.get("speed", "")))
        except (ValueError, ForageError) as error:
            said = str(error) if isinstance(error, ForageError) else f"“{fields.get('speed', '')}” is no number"
            return _page(site, request, problem=said, status=422)
        return RedirectResponse("/console/today", 303)

    return [Route("/console/today", show), Route("/console/today/speed", posted(speed), methods=["POST"])]


def _page(site: "Site", request: Request, *, problem: str = "", status: int = 200) -> Response:
    period, now, backend = period_of(request, LONG), site.clock(), site.backend
    since = period.since(now)
    meters = site.live.read(min(period.minutes, DAY.minutes))
    found = facts(
        meters,
        found=results.facts(site.outcomes, since=since, period=period, manifests=backend.versions()),
        traffic=site.outcomes.traffic(since=since),
        flow=backend.flow(),
        troubles=backend.troubles(),
        manifests=backend.versions(),
        breakers=site.breakers.states() if site.breakers else {},
        period=period,
        now=now,
    )
    crowd = site.crowd
    return render(
        request, "today.html", site=site, screen=Screen(QUESTION, found.sentence), status=status, answer_lives=True, facts=found,
        period=period, periods=LONG, problem=problem, crowd=crowd, speeds=SPEEDS, speed=crowd.speed if crowd else 0.0,
        operate=may(request, site, "operate"),
        newest=meters.newest[:5], used=meters.searches > 0, ago=_ago(now),
    )  # fmt: skip


def _ago(now: int) -> Callable[[int], str]:
    return lambda ms: f"{duration((now - ms) / 1_000)} ago"
