"""What is known only because something was tried: pairs of a query and an entity that people chose, and that no page would have shown.

A result was *tried* when by its score it would not have stood on the page (a drawn score or a test place brought it there), or when
every strategy that found it was asked against the odds (at a chance below 1/2). A pair is known by trying when all its showings up to its
first click were tried. What people click of it afterwards, wherever it stands then, is thanks to the try.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from display.words import named
from schemas.decisions import Decision
from schemas.entities import Entity
from schemas.events import Result

EXAMPLES = 5
ODDS = 0.5

Pair = tuple[str, str]  # query key, entity


@dataclass(slots=True)
class Find:
    """A pair that is known by trying: how it came to the page, and how often it was chosen since."""

    how: str
    clicks: int


class Tried:
    """Follows a run page by page: `shown` first, then `clicked` for its clicks."""

    def __init__(self) -> None:
        self._plainly: set[Pair] = set()
        self._chosen: set[Pair] = set()
        self._finds: dict[Pair, Find] = {}
        self._how: dict[str, str] = {}

    def shown(self, query_key: str, results: Sequence[Result], decision: Decision, *, by_score: Container[str]) -> None:
        """A page, with the decision behind it, and what would stand on it by score."""
        chance = {arm.name: arm.propensity for arm in decision.arms}
        self._how = {one.entity_id: how_tried(one, chance, by_score=by_score) for one in results}
        self._plainly.update((query_key, entity) for entity, how in self._how.items() if not how)

    def clicked(self, query_key: str, entity: str) -> bool:
        """A click on that page; whether it is thanks to a try."""
        pair = (query_key, entity)
        if pair not in self._chosen:
            self._chosen.add(pair)
            if pair not in self._plainly:
                self._finds[pair] = Find(self._how[entity], 0)
        if find := self._finds.get(pair):
            find.clicks += 1
        return pair in self._finds

    def told(self, catalogue: dict[str, Entity]) -> dict[str, Any]:
        """Counts, and the finds that were chosen most."""
        best = sorted(self._finds.items(), key=lambda pair: (-pair[1].clicks, pair[0]))[:EXAMPLES]
        return {
            "pairs": len(self._chosen),
            "known": len(self._finds),
            "examples": [
                {
                    "query": query, "title": catalogue[entity].title, "type": catalogue[entity].entity_type, "how": find.how,
                    "clicks": find.clicks,
                }
                for (query, entity), find in best
            ],
        }  # fmt: skip


def how_tried(result: Result, chance: dict[str, float], *, by_score: Container[str]) -> str:
    """How a result was tried; "" for one that stands on the page anyway. Strategies without a chance are asked always."""
    if result.entity_id not in by_score:
        return "a test place" if result.placement.mode == "slot" else "a drawn score"
    unlikely = [source.strategy for source in result.sources if chance.get(source.strategy, 1.0) < ODDS]
    if result.sources and len(unlikely) == len(result.sources):
        return f"{named(unlikely[0])}, asked against the odds"
    return ""
