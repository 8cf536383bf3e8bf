"""A click log as searches: which clicks belong to one page, when that page was computed, and in which order everything happened."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evaluation.datasets.rows import Click
from schemas.events import ActionKind
from schemas.ids import digest

WINDOW_MS = 30 * 60_000  # without search_ts: later clicks of the same person and query are a new search (the join window)
POSITIVE = frozenset({"click", "play", "add_to_cart", "purchase", "like", "dwell_10s", "dwell_60s"})


class Act(NamedTuple):
    """One action of a search."""

    ts: int
    entity_id: str
    kind: ActionKind
    value: float | None


@dataclass(frozen=True, slots=True)
class Search:
    """One page and what was done with it. `wanted`: the distinct entities that something positive was done to, in order of time."""

    search_id: str
    ts: int
    client_id: str
    query: str
    acts: tuple[Act, ...]

    @property
    def wanted(self) -> list[str]:
        return list(dict.fromkeys(act.entity_id for act in self.acts if act.kind in POSITIVE))


def searches(clicks: Iterable[Click]) -> list[Search]:
    """Group clicks by (client, query, search_ts), ordered by time, then id.

    Where the log has no search_ts, a search starts with the first click of a client under a query and takes in that client's clicks
    under it for WINDOW_MS; its page is taken to be as old as that first click.
    """
    groups: dict[tuple[str, str, int], set[Act]] = {}
    started: dict[tuple[str, str], int] = {}
    for click in sorted(clicks, key=lambda one: (one.ts, one.entity_id, one.action)):
        start = click.search_ts
        if start is None:
            start = started.get((click.client_id, click.query), -1)
            if start < 0 or click.ts - start > WINDOW_MS:
                start = started[click.client_id, click.query] = click.ts
        act = Act(click.ts, click.entity_id, click.action, click.value)
        groups.setdefault((click.client_id, click.query, start), set()).add(act)  # the same line twice is one action
    found = [_search(client, query, ts, acts) for (client, query, ts), acts in groups.items()]
    return sorted(found, key=lambda one: (one.ts, one.search_id))


def _search(client: str, query: str, ts: int, acts: set[Act]) -> Search:
    order = sorted(acts, key=lambda act: (act.ts, act.entity_id, act.kind, act.value or 0.0))
    return Search(digest("search", client, query, ts), ts, client, query, tuple(order))


def timeline(log: Sequence[Search]) -> Iterator[tuple[int, Act | None]]:
    """(index of the search, None) when its page is computed, (index, act) when the act happens; by time, at equal times pages first."""
    events: list[tuple[int, int, str, int, int]] = []
    for index, search in enumerate(log):
        events.append((search.ts, 0, search.search_id, index, -1))
        events.extend((act.ts, 1, search.search_id, index, place) for place, act in enumerate(search.acts))
    for _, _, _, index, place in sorted(events):
        yield index, (log[index].acts[place] if place >= 0 else None)
