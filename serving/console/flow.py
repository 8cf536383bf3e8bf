"""Do events arrive, and do they count?"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.numbers import plural
from display.words import SET_ASIDE, STAGES
from schemas.outcomes import REASONS
from serving.backend import Flow, Trouble
from serving.console.drawing import SHORT, period_of
from serving.console.frame import Screen, render

if TYPE_CHECKING:
    from serving.site import Site

State = Literal["ok", "quiet", "late", "failed", "never", "unknown"]

QUESTION = "Do events arrive, and do they count?"
LATE = 60.0  # seconds without a step that the one before it has taken
SILENT = 30.0  # seconds without a word from the broker
STATES: Mapping[State, str] = {
    "ok": "ok",
    "quiet": "quiet",
    "late": "late",
    "failed": "failed",
    "never": "nothing yet",
    "unknown": "not known here",
}
REMEDIES = {
    "invalid": "`forage quarantine list` names the field; mend what sends it.",
    "ts_out_of_range": "Set the clock of the sender, or send events sooner.",
    "conflict": "Give every event an id of its own.",
    "unmatched": "Send the impression too, with the same search_id.",
    "too_late": "Send actions when they happen, not in one batch at night.",
}
KINDS = {
    "impressions": "pages that were shown",
    "actions": "actions",
    "final": "searches that settled",
    "amendment": "later additions to settled searches",
    "duplicate": "came twice, counted once",
    "redelivered": "read again after a restart, counted once",
    "misrouted": "came on a wrong partition, sent on",
    "off_page": "actions on items that no page of their search showed",
    "erased": "left out: the person asked to be forgotten",
}
CLOCK = "tick"  # says only that time has passed


@dataclass(frozen=True)
class Step:
    """One stage: `count` None where it is not known in this process, `age` in seconds since the last one, None for never or not known."""

    name: str
    means: str
    count: int | None
    age: float | None
    state: State

    @property
    def word(self) -> str:
        return STATES[self.state]


@dataclass(frozen=True)
class Aside:
    """Events that do not count, by reason. `share`: of all received, None where nothing was."""

    code: str
    name: str
    why: str
    todo: str
    count: int
    share: float | None


@dataclass(frozen=True)
class Facts:
    """`aside`: None where it is not known in this process. `behind`: events, None where it is not known; `counted_up_to`: ms, 0 for
    nothing yet, None where it is not known; `lag`: seconds since then."""

    sentence: str
    steps: Sequence[Step]
    behind: int | None
    counted_up_to: int | None
    lag: float | None
    aside: Sequence[Aside] | None
    kinds: Sequence[tuple[str, str, int]] | None
    broker_silent: float | None


def facts(flow: Flow, troubles: Sequence[Trouble], *, now: int) -> Facts:
    """The way of the events and what did not get to its end; `now` in ms."""
    received = next((one.count for one in flow.stages if one.name == "received"), None)
    steps = _steps(flow)
    return Facts(
        sentence=_sentence(flow, steps, troubles, now),
        steps=steps,
        behind=flow.behind,
        counted_up_to=flow.counted_up_to,
        lag=max(0.0, (now - flow.counted_up_to) / 1_000) if flow.counted_up_to else None,
        aside=None if flow.set_aside is None else [_aside(reason, flow.set_aside.get(reason, 0), received) for reason in REASONS],
        kinds=None
        if flow.kinds is None
        else [(kind, KINDS.get(kind, ""), count) for kind, count in sorted(flow.kinds.items()) if kind != CLOCK],
        broker_silent=flow.broker_silent,
    )


def _steps(flow: Flow) -> list[Step]:
    """A stage is late when the one before it went on and it did not, where both are known."""
    out: list[Step] = []
    for stage in flow.stages:
        state: State = "ok"
        if stage.count is None and stage.age is None:
            state = "unknown"
        elif stage.age is None:
            state = "never" if not stage.count else "ok"
        elif stage.age > LATE:
            before = next((one.age for one in reversed(out) if one.age is not None), None)
            state = "late" if before is not None and before < stage.age - LATE else "quiet"
        word = STAGES[stage.name]
        out.append(Step(word.label, word.said, stage.count, stage.age, state))
    return out


def _sentence(flow: Flow, steps: Sequence[Step], troubles: Sequence[Trouble], now: int) -> str:
    known = {stage.name: step for stage, step in zip(flow.stages, steps, strict=True)}
    stuck = [trouble.said for trouble in troubles if trouble.what in ("broker", "events")]
    if stuck:
        return f"Events do not get through: {stuck[0]}"
    if flow.broker_silent is not None and flow.broker_silent > SILENT:
        return f"The broker has said nothing for {flow.broker_silent:,.0f} seconds: what is shown is the last that is known."
    received = known.get("received")
    if received is None or not received.count:
        return "No events yet: nothing has been searched or chosen since this service began, so there is nothing to learn from."
    if (late := next((one for one in steps if one.state == "late"), None)) is not None:
        return f"Events arrive, but “{late.name}” is late: its last step was {late.age:,.0f} seconds ago."
    if flow.behind:
        return f"Events arrive and count; {plural(flow.behind, 'waits', 'wait')} to be counted."
    matched = known.get("matched")
    if matched is not None and matched.count == 0:
        return "Searches arrive, but no actions yet: the system can rank, but not learn from what people choose."
    return (
        "Events arrive and count: none waits."
        if flow.behind == 0
        else "Events arrive; whether all are counted is not known in this process."
    )


def _aside(reason: str, count: int, received: int | None) -> Aside:
    word = SET_ASIDE[reason]
    return Aside(reason, word.label, word.said, REMEDIES[reason], count, count / received if received else None)


def routes(site: "Site") -> list[Route]:
    """GET /console/flow with ?period=, and its figures as CSV."""

    def show(request: Request) -> Response:
        period, troubles = period_of(request, SHORT), site.backend.troubles()
        meters = site.live.read(period.minutes)
        found = facts(site.backend.flow(), troubles, now=site.clock())
        asked = [(name, one) for name, one in meters.methods.items() if one.asked]
        return render(
            request, "flow.html", site=site, screen=Screen(QUESTION, found.sentence), answer_lives=True, facts=found,
            troubles=troubles, methods=sorted(asked, key=lambda pair: -pair[1].asked), period=period, periods=SHORT,
            no_actions=not meters.actions, base=str(request.base_url).rstrip("/"),
        )  # fmt: skip

    def table(request: Request) -> Response:
        return csv_of(rows_of(facts(site.backend.flow(), site.backend.troubles(), now=site.clock())), "data-flow.csv")

    return [Route("/console/flow", show), Route("/console/flow.csv", table)]


def rows_of(found: Facts) -> list[tuple[object, ...]]:
    """What the screen shows as rows: what, of which, count, seconds since the last; empty where it is not known."""
    rows: list[tuple[object, ...]] = [("what", "of", "count", "seconds_ago", "state")]
    rows += [("stage", one.name, one.count, one.age, one.word) for one in found.steps]
    rows += [("set aside", one.code, one.count, None, "") for one in found.aside or ()]
    rows += [("event", kind, count, None, "") for kind, _, count in found.kinds or ()]
    return [*rows, ("behind", "", found.behind, found.lag, "")]


def csv_of(rows: Sequence[Sequence[object]], name: str) -> Response:
    """A file for a spreadsheet. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = StringIO()
    csv.writer(out).writerows([[_cell(one) for one in row] for row in rows])
    return Response(out.getvalue(), media_type="text/csv", headers={"content-disposition": f'attachment; filename="{name}"'})


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
