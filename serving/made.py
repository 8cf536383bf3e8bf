"""How a page was made: what each search method was asked for, what it gave, and what of the page nobody else found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from display.numbers import listed, plural
from display.words import method
from serving.kept import Search


@dataclass(frozen=True)
class Part:
    """What one strategy did for a page. `role`: arm, always, shadow or unknown (display.words.ROLES); `status` of STATUSES.

    `chance` of being asked; `wanted` and `returned` items; `on_page`: results of the page that it found, `only_it` those that nobody else
    found; `credit`: its share of the page, each result shared equally among its finders.
    """

    strategy: str
    role: Literal["arm", "always", "shadow", "unknown"]
    chance: float
    asked: bool
    wanted: int
    returned: int
    ms: float
    status: str
    on_page: int
    only_it: int
    credit: float


@dataclass(frozen=True)
class Story:
    """How a page was made: the sentence, and each strategy, asked ones first, by what they gave to the page."""

    sentence: str
    parts: tuple[Part, ...]
    tests: int  # results at test positions


def story(search: Search) -> Story:
    """How the page was made. Every strategy that was available is a part, asked or not."""
    impression = search.page.impression
    decision, results = impression.decision, impression.results
    finders = [{source.strategy for source in one.sources} for one in results]
    parts = []
    if decision is not None:
        shadow = {one.name: one for one in decision.shadow}
        arms, always = {arm.name: arm for arm in decision.arms}, {one.name: one for one in decision.always}
        for name in sorted(decision.available):
            gave = (
                sum(name in some for some in finders), sum(some == {name} for some in finders),
                sum(1.0 / len(some) for some in finders if name in some) / max(1, len(results)),
            )  # fmt: skip
            if name in arms:
                arm = arms[name]
                parts.append(Part(name, "arm", arm.propensity, arm.asked, arm.depth, arm.returned, arm.ms, arm.status, *gave))
            elif name in always:
                on = always[name]
                parts.append(Part(name, "always", 1.0, True, on.depth, on.returned, on.ms, on.status, *gave))
            elif name in shadow:
                parts.append(Part(name, "shadow", shadow[name].p, False, 0, len(shadow[name].found), 0.0, "not_asked", *gave))
            else:
                parts.append(Part(name, "unknown", 0.0, False, 0, 0, 0.0, "not_asked", *gave))
    parts.sort(key=lambda part: (not part.asked, -part.credit, part.strategy))
    tests = sum(one.placement.mode in ("slot", "swap") for one in results)
    return Story(_told(parts, len(results), tests), tuple(parts), tests)


def _told(parts: Sequence[Part], results: int, tests: int) -> str:
    asked = [part for part in parts if part.asked]
    out = [f"{len(asked)} of {plural(len(parts), 'method')} were asked"]
    if broken := [
        f"{method(part.strategy).label} {'was late' if part.status == 'late' else 'failed'}"
        for part in asked
        if part.status in ("late", "failed")
    ]:
        out.append(f"; {listed(broken)}")
    if not results:
        return "".join([*out, "; they found nothing."])
    best = max(asked, key=lambda part: (part.on_page, part.credit), default=None)
    if best is not None and best.on_page:
        out.append(f"; {method(best.strategy).label} found {best.on_page} of the {plural(results, 'result')}")
    if only := sum(part.only_it for part in asked):
        out.append(f", {plural(only, 'was', 'were')} found by one method alone" if only != 1 else ", 1 was found by one method alone")
    if tests:
        out.append(f"; {plural(tests, 'place is a test', 'places are tests')}")
    return "".join(out) + "."
