"""Why is this item not on the page? The first stage of the search path that lost it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from display.numbers import listed, one_in, ordinal
from display.words import method
from serving.kept import Search

_LOG = logging.getLogger(__name__)
DEEPEST = 1_000  # places of a list in which a missing item is looked for

Stage = Literal["catalogue", "failed", "not_asked", "depth", "not_found", "since", "ranked", "page", "test", "shown"]


class Asked(NamedTuple):
    """One strategy asked again for the missing item: its rank now (None: not among the first DEEPEST), what it was asked for then."""

    strategy: str
    rank: int | None
    asked: bool
    wanted: int
    chance: float
    status: str


@dataclass(frozen=True)
class Lost:
    """The first stage that lost an item, in the order of the search path, and a sentence that says so with what one could do.

    catalogue   it is not in the catalogue            failed     a strategy that finds it failed or was late
    not_asked   only strategies left out find it      depth      an asked strategy has it further down than it was asked for
    not_found   no strategy finds it at all           since      an asked strategy finds it now, and did not then
    ranked      found, on a later page                page       found, on an earlier page
    test        its score puts it on this page, a test or a drawn score did not
    shown       it is not missing: it stands at `place`
    """

    entity_id: str
    title: str
    stage: Stage
    sentence: str
    place: int | None = None
    rank: int | None = None
    asked: tuple[Asked, ...] = ()


def missing(search: Search, entity_id: str) -> Lost:
    """Which stage lost the item. Strategies are asked again where no list has it, to DEEPEST; nothing is logged."""
    title, request = title_of(search, entity_id), search.request
    label = f"“{title}”"
    for one in search.page.impression.results:
        if one.entity_id == entity_id:
            return Lost(entity_id, title, "shown", f"{label} is on this page, at place {one.position}.", place=one.position)
    if entity_id not in search.view.catalog:
        return Lost(entity_id, title, "catalogue", f"{label} is not in the catalogue of this version, so no method can find it.")
    rank = next((at for at, one in enumerate(search.page.ranked, 1) if one.entity_id == entity_id), None)
    if rank is None:
        return _unfound(search, entity_id, title)
    page, of = -(-rank // request.size), len(search.page.ranked)
    scored = f"{label} was found and ranked {ordinal(rank)} of {of:,} by score"
    if page == request.page:
        slot = any(one.placement.mode == "slot" for one in search.page.impression.results)
        why = (
            "a test position brought another item in"
            if slot
            else "scores are drawn a little around what is known, and others came before it"
        )
        return Lost(entity_id, title, "test", f"{scored}, which is on this page; but {why}.", rank=rank)
    if page < request.page:
        return Lost(entity_id, title, "page", f"{scored}: it belongs to page {page}, before this one.", rank=rank)
    return Lost(entity_id, title, "ranked", f"{scored}: that is page {page}. Compare it with an item of this page to see why.", rank=rank)


def _unfound(search: Search, entity_id: str, title: str) -> Lost:
    asked = _again(search, entity_id)
    known = [one for one in asked if one.rank is not None]

    def lost(stage: Stage, said: str) -> Lost:
        return Lost(entity_id, title, stage, f"“{title}” was not found: {said}", asked=asked)

    def named(some: Sequence[Asked]) -> str:
        return listed([f"{method(one.strategy).label} has it at rank {one.rank}" for one in some])

    if broken := [one for one in known if one.asked and one.status in ("failed", "late") and (one.rank or 0) <= one.wanted]:
        states = listed([f"{method(one.strategy).label} {'was late' if one.status == 'late' else 'failed'}" for one in broken])
        return lost("failed", f"{states} in this search, and would have brought it.")
    if now := [one for one in known if one.asked and one.status == "ok" and (one.rank or 0) <= one.wanted]:
        return lost("since", f"{named(now)} now, but did not when this page was made. Search again.")
    if left := [one for one in known if not one.asked and (one.rank or 0) <= one.wanted]:
        chances = listed([f"{one_in(one.chance)} for {method(one.strategy).label}" for one in left])
        return lost("not_asked", f"{named(left)}, but was not asked in this search (chance of being asked: {chances}).")
    if deep := [one for one in known if one.asked]:
        wanted = listed([f"{one.wanted} were wanted of {method(one.strategy).label}" for one in deep])
        return lost("depth", f"{named(deep)}, too far down: {wanted}.")
    if known:
        return lost("not_found", f"no method that was asked has it; {named(known)}, too far down also if it had been asked.")
    return lost("not_found", f"no method has it among its first {DEEPEST:,}. Its title and text may lack the words of the search.")


def _again(search: Search, entity_id: str) -> tuple[Asked, ...]:
    """Every strategy of the view asked once more. One that breaks now has no rank. Strategies that the policy does not know count as
    asked for as much as the deepest other."""
    decision = search.page.impression.decision
    arms = (
        {arm.name: (arm.asked, arm.depth if arm.asked else arm.planned, arm.propensity, arm.status) for arm in decision.arms}
        if decision
        else {}
    )
    always = {one.name: (True, one.depth, 1.0, one.status) for one in decision.always} if decision else {}
    then, out = {**arms, **always}, []
    for name, retriever in sorted(search.view.retrievers.items()):
        asked, wanted, chance, status = then.get(name, (False, 0, 0.0, "not_asked"))
        try:
            listed_now = retriever.retrieve(search.request, DEEPEST)
        except Exception:  # a strategy may break in any way, and is only a row here
            _LOG.warning("strategy %s failed while a missing item was looked for", name, exc_info=True)
            listed_now = []
        rank = next((at for at, one in enumerate(listed_now, 1) if one.entity_id == entity_id), None)
        out.append(Asked(name, rank, asked, wanted, chance, status))
    return tuple(out)


def title_of(search: Search, entity_id: str) -> str:
    """The title of an item; its id where the catalogue has it no more."""
    entity = search.view.catalog.get(entity_id)
    return entity.title if entity else entity_id
