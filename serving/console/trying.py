"""A kept search as people look at it: its results one by one, and what the same search would give now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from display.numbers import about, number, one_in
from display.words import PLACEMENTS
from schemas.candidates import Evidence
from schemas.entities import Entity
from schemas.events import Placement, Result
from serving.kept import Search
from serving.pipeline import Page
from serving.site import Site
from serving.view import View

MOST_FIELDS = 3  # attributes that are shown of an item unless others are picked
HARDLY = 0.5  # looks: less is nothing to speak of
NOTHING = Evidence(0.0, 0.0, 0)


@dataclass(frozen=True)
class Thing:
    """An item as a shopper sees it."""

    entity_id: str
    title: str
    kind: str
    fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Row:
    """One result. `test`: what kind of test its place was and with what chance, "" for none; `by_score`: its place by score where that is
    another one. `now`: its place by score at this moment, None where it is no longer found; `moved`: places up by score since the search
    was answered. `score_now` and `known` (what people did with it) are as they are at this moment."""

    thing: Thing
    place: int
    found: Sequence[tuple[str, int]]
    score: float
    test: tuple[str, str]
    by_score: int | None
    acted: Sequence[str]
    now: int | None
    moved: int
    score_now: float | None
    known: str


@dataclass(frozen=True)
class Tried:
    """A search with its rows. `entered`: items that would be on this page now and were not, with their places."""

    search: Search
    rows: Sequence[Row]
    entered: Sequence[tuple[int, Thing]]
    changed: int
    fields: Sequence[str]


def tried(site: Site, search: Search, *, fields: Sequence[str] = ()) -> Tried:
    """The search beside what it would give now, the same strategies asked: what differs was learned since."""
    view = site.backend.view()
    now = again(site, search, view)
    then, after = places(search.page), places(now)
    scores = {one.entity_id: one.score for one in now.ranked}
    results = search.page.impression.results
    memory = view.memory.lookup(search.request.query_key, search.request.segment, [one.entity_id for one in results]) if view.memory else []
    things = [thing(one.entity_id, search.view.catalog, fields) for one in results]
    rows = []
    for one, what, evidence in zip(results, things, memory or [NOTHING] * len(results), strict=True):
        was, now_at = then.get(one.entity_id), after.get(one.entity_id)
        rows.append(
            Row(
                thing=what, place=one.position, found=[(source.strategy, source.rank) for source in one.sources], score=one.score,
                test=test_of(one.placement), by_score=was if was != one.position else None,
                acted=[action.kind for action in search.actions if action.entity_id == one.entity_id],
                now=now_at, moved=was - now_at if was and now_at else 0, score_now=scores.get(one.entity_id), known=known_of(evidence),
            )
        )  # fmt: skip
    entered = [(place, thing(name, view.catalog, fields)) for name, place in _entered(search, now)]
    return Tried(search, rows, entered, sum(row.moved != 0 for row in rows), fields_of(results, search.view.catalog))


def keep(site: Site, search_id: str, page: int) -> Search | None:
    """The search, kept from now on as one that somebody looks at: traffic does not push it out."""
    search = site.kept.get(search_id, page)
    if search is not None:
        site.kept.put(search, looked_at=True)
    return search


def again(site: Site, search: Search, view: View) -> Page:
    """The same search with the same strategies asked, on another view; nothing is recorded."""
    return site.pipeline.search(search.request, decision=search.page.impression.decision, view=view, record=False)


def places(page: Page) -> Mapping[str, int]:
    """Place by score of everything that was found, from 1, tests left out."""
    return {one.entity_id: place for place, one in enumerate(page.ranked, 1)}


def _entered(search: Search, now: Page) -> list[tuple[str, int]]:
    first = (search.request.page - 1) * search.request.size
    was = {one.entity_id for one in search.page.ranked[first : first + search.request.size]}
    was |= {one.entity_id for one in search.page.impression.results}
    there = now.ranked[first : first + search.request.size]
    return [(one.entity_id, place) for place, one in enumerate(there, first + 1) if one.entity_id not in was]


def thing(entity_id: str, catalog: Mapping[str, Entity], fields: Sequence[str] = ()) -> Thing:
    """An item of the catalogue, by its id alone where it is gone."""
    entity = catalog.get(entity_id)
    if entity is None:
        return Thing(entity_id, entity_id, "")
    shown = fields or list(entity.attributes)[:MOST_FIELDS]
    told = [(name, ", ".join(str(one.value) for one in entity.attributes[name])) for name in shown if name in entity.attributes]
    return Thing(entity_id, entity.title or entity_id, entity.entity_type, told)


def fields_of(results: Sequence[Result], catalog: Mapping[str, Entity]) -> list[str]:
    """Names of the attributes that the results have."""
    return sorted({name for one in results if (entity := catalog.get(one.entity_id)) for name in entity.attributes})


def test_of(placement: Placement) -> tuple[str, str]:
    """Which kind of test a place was, and with what chance; empty words for a place by score."""
    if placement.mode == "score":
        return "", ""
    if placement.mode == "team":
        return f"picked by {placement.team.upper()}" if placement.team else "both agree", ""
    return PLACEMENTS[placement.mode].label, one_in(placement.p) if placement.p < 1.0 else ""


def known_of(evidence: Evidence) -> str:
    """What people did with an item for this search, in words."""
    reward, looks = evidence.reward, evidence.examined
    if reward <= 0.0 and looks < HARDLY:
        return "hardly seen yet" if looks > 0.0 else "not seen yet"
    times = f"in {about(looks)} {'look' if round(looks) <= 1 else 'looks'}"
    return f"not chosen {times}" if reward <= 0.0 else f"chosen {number(reward, 2)} {times}"
