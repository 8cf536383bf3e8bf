"""What has this search, or this item, learned?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from display.charts.dumbbell import Pair, dumbbell
from display.charts.reliability import Bin, reliability
from display.numbers import about, number, one_in, plural
from learners.definition import ReadingSpec
from learners.models import theta_of
from learners.policy import Ranked, definition_of
from schemas.candidates import Counted, Remembered
from schemas.entities import Entity
from schemas.q2e import q2e
from schemas.snapshots import Content
from serving.console.drawing import REST, both
from serving.console.frame import Screen, render
from serving.console.kinds import in_use
from serving.outcomes import Prediction
from serving.searching import SearchRequest

if TYPE_CHECKING:
    from serving.site import Site

QUESTION = "What has this search, or this item, learned?"
MOST = 12  # rows of a table
DRAWN = 8  # rows of a chart
LATELY = 20  # searches that are listed where none is asked for
EPOCH = date(1970, 1, 1)
SOME = 30  # looks below which a share says little
NEAR = 0.2  # of the expectation, below which what was seen is about what was expected


@dataclass(frozen=True)
class Row:
    """One pair of a search and an item. `expected` None: no method finds the item, so nothing was expected; `seen` None: nobody looked;
    `now` None: no score. `heard`: whether enough different people acted for it to count; `last`: the newest day on which
    it was shown or chosen."""

    query: str
    entity_id: str
    title: str
    expected: float | None
    seen: float | None
    now: float | None
    looks: float
    shown: int
    chosen: int
    clients: int
    heard: bool
    last: date

    @property
    def gap(self) -> float:
        """How far what was seen is from what was expected."""
        return 0.0 if self.seen is None or self.expected is None else abs(self.seen - self.expected)


@dataclass(frozen=True)
class Facts:
    """`of`: the search or the item that was asked for, in words; "" for neither."""

    sentence: str
    rows: Sequence[Row] = ()
    of: str = ""
    more: int = 0


def row_of(query: str, one: Counted, *, title: str, expected: float | None, reading: ReadingSpec) -> Row:
    """What is known about one pair, read as the ranking reads it: evidence of too few people is none yet, neither for nor against."""
    evidence = one.evidence
    heard = evidence.reward <= 0.0 or evidence.clients >= reading.min_clients
    reward, looks = (evidence.reward, evidence.examined) if heard else (0.0, 0.0)
    seen = reward / looks if looks > 0.0 else None
    return Row(
        query=query,
        entity_id=one.entity_id,
        title=title,
        expected=expected,
        seen=seen,
        now=None if expected is None else q2e(expected, reward, looks, reading.kappa),
        looks=evidence.examined,
        shown=sum(one.shown),
        chosen=sum(count for count, pays in zip(one.acted, reading.rewards, strict=True) if pays > 0.0),
        clients=evidence.clients,
        heard=heard,
        last=EPOCH + timedelta(days=one.last_day),
    )


def of_query(query: str, rows: Sequence[Row], *, min_clients: int) -> Facts:
    """What a search has learned."""
    name = f"“{query}”"
    chosen = [row for row in rows if row.chosen]
    heard = [row for row in chosen if row.heard]
    if not rows:
        said = f"Nothing learned for {name} yet: no page of it was shown and counted."
    elif not chosen:
        said = f"For {name} {plural(len(rows), 'item was', 'items were')} shown, and none was chosen yet."
    elif not heard:
        most = max(row.clients for row in chosen)
        said = f"Nothing learned for {name} yet: {most} of {min_clients} different people needed chose something."
    else:
        said = f"{name} has learned about {plural(len(heard), 'item')}. {_best(heard)}"
    return Facts(said, rows[:MOST], name, max(0, len(rows) - MOST))


def _best(rows: Sequence[Row]) -> str:
    """The item about which most was learned: much seen, and far from what was expected."""
    one = max(rows, key=lambda row: (row.gap * row.looks, row.chosen, row.entity_id))
    if one.seen is None:
        return f"{one.title} was chosen {plural(one.chosen, 'time')} where no page showed it."
    looks = f"({about(one.looks)} looks)"
    if one.expected is None:
        return f"{one.title} was chosen {_rate(one.seen)} {looks}; no method expected it."
    if abs(one.seen - one.expected) <= NEAR * one.expected:
        return f"Best known is {one.title}: chosen {_rate(one.seen)}, as expected {looks}."
    way = "more" if one.seen > one.expected else "less"
    return f"{one.title} is chosen {way} than expected: {one_in(one.expected)} was expected, {_rate(one.seen)} was seen {looks}."


def _rate(seen: float) -> str:
    """As a frequency; a purchase pays more than a click, so a rate may exceed 1."""
    return one_in(seen) if seen < 1.0 else f"{number(seen)} times a look"


def of_item(entity_id: str, title: str, rows: Sequence[Row]) -> Facts:
    """What an item has learned."""
    if not rows:
        return Facts(f"No search is known for {title} yet: nobody chose it, or too few different people.", of=title)
    best = max(rows, key=lambda row: (row.seen or 0.0, row.query))
    said = f"People choose {title} for {plural(len(rows), 'search', 'searches')}"
    if best.seen is not None:
        said += f", best for “{best.query}”: {_rate(best.seen)} of those who looked"
    return Facts(f"{said}.", rows[:MOST], title, len(rows) - MOST)


def sharing(min_clients: int) -> str:
    """When what somebody chose is shown to others."""
    if min_clients <= 1:
        return "What one person chose for a search counts for everybody at once."
    return f"What somebody chose is shown to others once {min_clients} different people chose it for the same search."


def days_ago(day: date, now: int) -> str:
    """How long ago a day was; `now` in ms."""
    days = (datetime.fromtimestamp(now / 1_000.0, UTC).date() - day).days
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days:,} days ago"


def lately(memory: Remembered | None, *, min_clients: int) -> Facts:
    """What memory holds as a whole."""
    if memory is None:
        return Facts("There is no memory now: scores are expectations alone.")
    queries, rows = len(memory.queries()), plural(memory.rows(), "pair of a search and an item", "pairs of a search and an item")
    if queries:
        return Facts(f"{plural(queries, 'search has', 'searches have')} learned what people choose, from {rows}.")
    needed = f"by {min_clients} different people" if min_clients > 1 else "by anybody"
    return Facts(f"Nothing learned yet: no item was chosen {needed} for one search. There {'is' if memory.rows() == 1 else 'are'} {rows}.")


def best_of(memory: Remembered, queries: Sequence[str], catalog: Mapping[str, Entity], reading: ReadingSpec) -> list[Row]:
    """The item that people chose most for each search; searches that have none any more are left out."""
    out = []
    for query in queries:
        counted = next(iter(memory.counted(query)), None)
        if counted is not None and counted.evidence.clients >= reading.min_clients:
            out.append(row_of(query, counted, title=title_of(catalog, counted.entity_id), expected=None, reading=reading))
    return out


def title_of(catalog: Mapping[str, Entity], entity_id: str) -> str:
    """The name of an item, its id where the catalogue has it no more."""
    entity = catalog.get(entity_id)
    return entity.title if entity and entity.title else entity_id


def chart(found: Facts) -> Markup | None:
    """Expected and seen of the items about which most was learned: that differ, and were looked at."""
    known = [row for row in found.rows if row.expected is not None]
    known.sort(key=lambda row: (-row.gap * row.looks, -row.looks, row.entity_id))
    pairs = [Pair(row.title, row.expected or 0.0, row.seen, about(row.looks)) for row in known[:DRAWN]]
    return both(lambda width: dumbbell("Expected and seen", found.sentence, pairs, width=width), wide=REST) if pairs else None


@dataclass(frozen=True)
class Check:
    """Do predictions come true? `drawn`: None while there are none."""

    sentence: str
    drawn: Markup | None = None


def check(predictions: Sequence[Prediction]) -> Check:
    """What was said of results against what came of them, corrected for how often people look at a place."""
    some = [one for one in predictions if one.examined >= SOME]
    if not some:
        seen = sum(one.examined for one in predictions)
        return Check(f"Not enough looks yet ({seen:,.0f} of {SOME}) to see whether predictions come true.")
    most = max(some, key=lambda one: one.examined)
    off = [one for one in some if not one.came.low <= one.predicted <= one.came.high]
    said = f"Where we said {one_in(most.predicted)}, it happened {one_in(min(most.came.value, 1.0))} ({about(most.examined)} looks)."
    told = f"{said} {_right(some, off)}"
    bins = [_bin(one) for one in predictions]
    return Check(told, both(lambda width: reliability("Do predictions come true?", told, bins, width=width), wide=REST))


def _bin(one: Prediction) -> Bin:
    if one.examined < SOME:
        return Bin(one.predicted, None, None, None, one.examined)
    return Bin(one.predicted, one.came.value, one.came.low, one.came.high, one.examined)


def _right(some: Sequence[Prediction], off: Sequence[Prediction]) -> str:
    if not off:
        return "Predictions come true: each is within what chance explains."
    high = sum(one.predicted > one.came.high for one in off)
    way = "Too high" if high == len(off) else "Too low" if high == 0 else "Too high or too low"
    return f"{way}: {len(off)} of {plural(len(some), 'size')} of prediction."


def routes(site: "Site") -> list[Route]:
    """GET /console/memory with ?q= (a search), ?item= (an item's id or name), or neither; ?sort=gap or last."""

    def show(request: Request) -> Response:
        asked = {name: request.query_params.get(name, "").strip()[:512] for name in ("q", "item", "sort")}
        memory, content, catalog = site.backend.remembered(), in_use(site.backend), site.backend.view().catalog
        reading = definition_of(content).reading if content else ReadingSpec()
        listed: Sequence[Row] = ()
        if memory is None or not (asked["q"] or asked["item"]):
            found = lately(memory, min_clients=reading.min_clients)
            listed = best_of(memory, list(memory.queries())[: -LATELY - 1 : -1], catalog, reading) if memory else ()
        elif asked["q"]:
            found = _of_query(site, memory, asked["q"], reading)
        else:
            found = _of_item(memory, asked["item"], catalog, reading)
        return render(
            request, "memory.html", site=site, screen=Screen(QUESTION, found.sentence), facts=_sorted(found, asked["sort"]), fields=asked,
            check=None if asked["q"] or asked["item"] else check(site.outcomes.predictions(_theta(content, reading))),
            listed=listed, chart=chart(found) if asked["q"] else None, reading=reading, there=memory is not None,
            sharing=sharing(reading.min_clients), ago=lambda day: days_ago(day, site.clock()),
        )  # fmt: skip

    return [Route("/console/memory", show)]


def _theta(content: Content | None, reading: ReadingSpec) -> Sequence[float]:
    """How often people look at each place: as it was learned, else as the version's definition says."""
    return theta_of(content, definition_of(content)) if content else reading.theta


def _sorted(found: Facts, by: str) -> Facts:
    if by == "last":
        return replace(found, rows=sorted(found.rows, key=lambda row: row.last, reverse=True))
    return replace(found, rows=sorted(found.rows, key=lambda row: -row.gap)) if by == "gap" else found


def _of_query(site: "Site", memory: Remembered, text: str, reading: ReadingSpec) -> Facts:
    """Expectations are those of this moment: the search is made once, uncounted."""
    request = SearchRequest(query=text, explore=False).request(site.new_id(), site.clock())
    view = site.backend.view()
    page = site.pipeline.search(request, view=view, record=False, explore=False)
    expected = {one.entity_id: one.prior for one in page.ranked if isinstance(one, Ranked)}
    rows = [
        row_of(request.query_key, one, title=title_of(view.catalog, one.entity_id), expected=expected.get(one.entity_id), reading=reading)
        for one in memory.counted(request.query_key)
    ]
    return of_query(text, rows, min_clients=reading.min_clients)


def _of_item(memory: Remembered, asked: str, catalog: Mapping[str, Entity], reading: ReadingSpec) -> Facts:
    """By id, else by the whole name. A search is told only where enough different people chose the item for it."""
    entity_id = asked if asked in catalog else next((one for one, entity in catalog.items() if entity.title.lower() == asked.lower()), "")
    if not entity_id:
        return Facts(f"No item has the id or the name “{asked}”. Give one of them whole; Try a search finds items by words.", of=asked)
    rows = []
    for query in memory.queries_of(entity_id, most=MOST):
        counted = next((one for one in memory.counted(query) if one.entity_id == entity_id), None)
        if counted is not None and counted.evidence.clients >= reading.min_clients:
            rows.append(row_of(query, counted, title=title_of(catalog, entity_id), expected=None, reading=reading))
    return replace(of_item(entity_id, title_of(catalog, entity_id), rows), of=f"{title_of(catalog, entity_id)} ({entity_id})")
