"""Which methods earn their place, for which kind of search?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.charts.intervals import Dot, dot_intervals
from display.charts.matrix import MatrixRow, matrix
from display.numbers import listed, one_in, percent
from display.words import in_full, method
from learners.definition import Definition
from learners.policy import definition_of
from schemas.snapshots import Content
from serving.breakers import State
from serving.console.drawing import HALF, REST, SHORT, both, period_of
from serving.console.frame import Screen, render
from serving.console.kinds import beliefs, chances, in_use, order_of
from serving.kept import Search
from serving.meters import Chance, Meters, Method, Times

if TYPE_CHECKING:
    from serving.site import Site

QUESTION = "Which methods earn their place, for which kind of search?"
KINDS = ("1", "2", "3", "many")  # that stand in the table also before anybody has searched them
NARROWEST = 470  # px of the table on wide screens: it grows with the methods
LOOKED_THROUGH = 200  # newest searches, for examples
ALIKE = 0.05  # chances that differ by less are the same to a reader
Z50, Z95 = 0.674, 1.96  # standard deviations of a normal distribution

Role = Literal["arm", "always", "unknown", "missing"]

FEW = 20  # searches of a kind below which a mean chance says little
TROUBLED = 0.05  # share of a method's calls that are late or failed from which the page says so
RESTING: Mapping[State, str] = {
    "open": "left alone for a while: it kept failing or being late",
    "half_open": "being tried again, one search at a time",
}
NOTE = (
    "Chances are independent; they do not add up to 100 %. Success rates of methods are not comparable, since each was asked for "
    "different searches."
)


@dataclass(frozen=True)
class Row:
    """One method. `offered`: searches in which it could be asked; `chance`: over all of them, None where it does not compete or nothing
    was searched; `only`: share of the places of pages that nothing else found, `found`: that it found; None without places."""

    name: str
    role: Role
    offered: int
    asked: int
    chance: Chance | None
    found: float | None
    only: float | None
    ms: Times | None
    late: int
    failed: int
    resting: str

    @property
    def troubled(self) -> bool:
        """Late or failed often enough to say so."""
        return bool(self.resting) or (self.asked > 0 and (self.late + self.failed) / self.asked >= TROUBLED)


@dataclass(frozen=True)
class Kind:
    """One kind of searches: how many, and the chance of each method of `Facts.names`; None where it was never available.

    `few`: too few searches; the chances are then those of a typical search under the version in use, as far as they are known.
    """

    kind: str
    searches: int
    chances: Sequence[float | None]
    few: bool


@dataclass(frozen=True)
class Facts:
    """`names`: methods that compete, in the order of `rows`, which begin with the one that finds most alone."""

    sentence: str
    rows: Sequence[Row]
    names: Sequence[str]
    kinds: Sequence[Kind]


def facts(
    meters: Meters,
    *,
    definition: Definition | None,
    installed: Sequence[str],
    expected: Mapping[str, Mapping[str, float]],
    breakers: Mapping[str, State],
) -> Facts:
    """What methods did in a period. `installed`: those of the view. `expected`: kind -> method -> chance for a typical search, for kinds
    that were searched too seldom."""
    roles = _roles(definition, installed, meters)
    rows = [_row(name, role, meters, breakers) for name, role in roles.items()]
    rows.sort(key=lambda row: (-(row.only or 0.0), -(row.found or 0.0), row.name))
    names = [row.name for row in rows if row.role == "arm"]
    return Facts(_sentence(rows, meters.searches), rows, names, _kinds(meters, names, expected))


def _roles(definition: Definition | None, installed: Sequence[str], meters: Meters) -> dict[str, Role]:
    arms = {arm.name for arm in definition.arms} if definition else {name for name, one in meters.methods.items() if one.chances}
    always = {one.name for one in definition.always} if definition else {name for name, one in meters.methods.items() if one.always}
    roles: dict[str, Role] = {}
    for name in sorted({*arms, *always, *installed, *meters.methods}):
        known: Role = "arm" if name in arms else "always" if name in always else "unknown"
        roles[name] = known if name in installed or name in meters.methods else "missing"  # an engine of one's own may ask it
    return roles


def _row(name: str, role: Role, meters: Meters, breakers: Mapping[str, State]) -> Row:
    one = meters.methods.get(name) or Method(0, 0, 0, 0, 0, 0, 0, None, {})
    return Row(
        name=name,
        role=role,
        offered=sum(chance.count for chance in one.chances.values()) + one.always,
        asked=one.asked,
        chance=_over_all(one.chances.values()) if one.chances else None,
        found=one.places / meters.places if meters.places else None,
        only=one.only / meters.places if meters.places else None,
        ms=one.ms,
        late=one.late,
        failed=one.failed,
        resting=RESTING.get(breakers.get(name, "closed"), ""),
    )


def _over_all(some: Collection[Chance]) -> Chance:
    count = sum(one.count for one in some)
    mean = sum(one.count * one.mean for one in some) / count
    return Chance(count, min(one.least for one in some), mean, max(one.most for one in some))


def _kinds(meters: Meters, names: Sequence[str], expected: Mapping[str, Mapping[str, float]]) -> list[Kind]:
    searched = {kind for name in names for kind in (meters.methods[name].chances if name in meters.methods else ())}
    out = []
    for kind in sorted(searched | expected.keys(), key=order_of):
        by_name = {name: meters.methods[name].chances.get(kind) if name in meters.methods else None for name in names}
        searches = max((one.count for one in by_name.values() if one), default=0)
        few = searches < FEW
        start = expected.get(kind, {})
        cells = [
            one.mean if (one := by_name[name]) is not None and not (few and name in start) else start.get(name) if few else None
            for name in names
        ]
        out.append(Kind(kind, searches, cells, few))
    return out


def _sentence(rows: Sequence[Row], searches: int) -> str:
    troubled = [row for row in rows if row.troubled]
    if troubled:
        worst = max(troubled, key=lambda row: (row.late + row.failed, row.name))
        what = worst.resting or f"{worst.failed:,} of {worst.asked:,} calls failed, {worst.late:,} were late"
        others = f" So {'does' if len(troubled) == 2 else 'do'} {listed([method(row.name).label for row in troubled if row is not worst])}."
        return f"{method(worst.name).label} needs a look: {what}.{others if len(troubled) > 1 else ''}"
    if not searches:
        return "All methods still stand at the starting chance: nothing has been searched in this time."
    alone = next((row for row in rows if row.only), None)
    said = (
        f"{method(alone.name).label} earns most alone: nothing else found {percent(alone.only)} of the places shown"
        if alone
        else ("No method is needed alone: every place shown was found by two or more")
    )
    likely = {row.name: row.chance.mean for row in rows if row.chance is not None}
    least = min(likely, key=lambda name: (likely[name], name), default="")
    if likely and max(likely.values()) - likely[least] < ALIKE:
        return f"{said}. All are asked about equally often."
    return f"{said}. {method(least).label} is asked least, in {one_in(likely[least])} searches." if likely else f"{said}."


@dataclass(frozen=True)
class Helped:
    """A search in which a method alone found what somebody then chose."""

    query: str
    search_id: str
    entity_id: str
    position: int


def helped(name: str, searches: Sequence[Search], *, told: Sequence[str], most: int = 5) -> list[Helped]:
    """Newest first, each query once. `told`: search texts that may be shown; what one person alone searched is not."""
    out: dict[str, Helped] = {}
    for one in searches:
        query = one.request.query
        if query not in told or query in out:
            continue
        chosen = {action.entity_id for action in one.actions if action.kind not in ("viewed", "dismiss")}
        for result in one.page.impression.results:
            if result.entity_id in chosen and [source.strategy for source in result.sources] == [name]:
                out[query] = Helped(query, one.request.search_id, result.entity_id, result.position)
                break
    return list(out.values())[:most]


def kind_label(kind: str) -> str:
    """A kind in the first column of a table."""
    words = in_full(kind)
    return words[:1].upper() + words[1:]


def routes(site: "Site") -> list[Route]:
    """GET /console/methods with ?period=, ?method= (the one looked at) and ?kind=."""

    def show(request: Request) -> Response:
        period, view, content = period_of(request, SHORT), site.backend.view(), in_use(site.backend)
        meters = site.live.read(period.minutes)
        found = facts(
            meters,
            definition=definition_of(content) if content else None,
            installed=view.available,
            expected=chances(content, KINDS) if content else {},
            breakers=site.breakers.states() if site.breakers else {},
        )
        asked = request.query_params
        chosen = next((row for row in found.rows if row.name == asked.get("method")), found.rows[0] if found.rows else None)
        most = max(found.kinds, key=lambda one: one.searches, default=None)
        kind = next((one for one in found.kinds if one.kind == asked.get("kind")), most)
        return render(
            request, "methods.html", site=site, screen=Screen(QUESTION, found.sentence), facts=found, period=period, periods=SHORT,
            chosen=chosen, kind=kind, note=NOTE, few=FEW, kind_label=kind_label, sort=asked.get("sort", ""),
            rows=sorted(found.rows, key=lambda row: -row.asked) if asked.get("sort") == "asked" else found.rows,
            matrix=_matrix(found), of_kind=_of_kind(kind, found.names) if kind else None,
            detail=_detail(chosen, found, meters, content) if chosen else None,
            helped=helped(chosen.name, site.kept.latest(LOOKED_THROUGH), told=meters.newest) if chosen else [],
        )  # fmt: skip

    return [Route("/console/methods", show)]


def _matrix(found: Facts) -> Markup:
    rows = [MatrixRow(kind_label(one.kind), one.chances, f"{one.searches:,}", one.few) for one in found.kinds]
    codes = [method(name).code for name in found.names]
    return both(lambda width: matrix("Chance of being asked, by kind of search", found.sentence, codes, rows, width=width), wide=NARROWEST)


def _of_kind(kind: Kind, names: Sequence[str]) -> Markup:
    dots = [Dot(method(name).label, p, style=f"m{method(name).colour}") for name, p in zip(names, kind.chances, strict=True)]
    told = f"Chance of each method for {in_full(kind.kind)}, over {kind.searches:,} searches."
    return both(lambda width: dot_intervals("Chance of being asked", told, dots, width=width, low=0.0, top=1.0), wide=REST)


@dataclass(frozen=True)
class Detail:
    """Two charts of one method, by kind: its chance (a decision) and what it is believed to earn (a belief). Never on one axis."""

    chance: Markup
    value: Markup | None
    cost: float | None
    floor: float | None


def _detail(row: Row, found: Facts, meters: Meters, content: Content | None) -> Detail | None:
    if row.role != "arm":
        return None
    definition = definition_of(content) if content else None
    floor = definition.floor if definition else None
    style, of = f"m{method(row.name).colour}", meters.methods[row.name].chances if row.name in meters.methods else {}
    at = found.names.index(row.name)
    dots = []
    for kind in found.kinds:
        seen = of.get(kind.kind)
        low, high = (seen.least, seen.most) if seen and not kind.few else (None, None)
        dots.append(Dot(kind_label(kind.kind), kind.chances[at], low, high, note=f"{kind.searches:,}", style=style))
    limits = (floor, 1.0 - floor) if floor is not None else ()
    told = f"Chance of asking {method(row.name).label}, by kind of search; the line goes from the least to the greatest."
    chance = both(lambda width: dot_intervals("Chance of being asked", told, dots, width=width, low=0.0, top=1.0, limits=limits), wide=HALF)
    if content is None or definition is None:
        return Detail(chance, None, None, floor)
    cost = next(arm.cost for arm in definition.arms if arm.name == row.name)
    known = beliefs(content, row.name, [kind.kind for kind in found.kinds])
    values = [
        Dot(kind_label(kind), mean, mean - Z95 * sd, mean + Z95 * sd, mean - Z50 * sd, mean + Z50 * sd, style=style)
        for kind, (mean, sd) in known.items()
    ]
    said = f"What {method(row.name).label} is believed to earn in a search, by kind, with its 50 % and 95 % interval, beside its cost."
    value = both(lambda width: dot_intervals("Believed to earn", said, values, width=width, reference=(cost, "no gain")), wide=HALF)
    return Detail(chance, value, cost, floor)
