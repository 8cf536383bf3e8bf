"""Erased people in a kernel: from when on what they searched is not counted any more. What was counted before is taken away by
`streams.erasing`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.base import DAY_MS, HOUR_MS
from schemas.events import Action, Impression
from streams.kernel.changes import SavedId
from streams.kernel.conclude import Out, hashed_id
from streams.kernel.join import Rules, person
from streams.kernel.searches import Searches

KNOWN = 2 * DAY_MS  # ms after the last erasure in which an event of a search that was not counted can still come


class Span(NamedTuple):
    """Searches that began after record time `after` are not counted if that, or the `ts` of their first page, was at `until` or before:
    what was done before an erasure may come after it, from a producer that kept it for a while."""

    after: int
    until: int


def everything_of(people: Mapping[int, int]) -> dict[int, list[Span]]:
    """Spans of a state that begins empty, of people as keyed hash -> until."""
    return {client: [Span(0, until)] for client, until in people.items()}


class ErasedPeople:
    """By keyed hash the spans of those who were erased. A search belongs to the person of its first page, and goes whole."""

    def __init__(self, rules: Rules, spans: Mapping[int, Sequence[Span]]) -> None:
        self._rules, self._spans = rules, spans
        self._latest = max((span.until for some in spans.values() for span in some), default=-KNOWN)

    def takes(self, event: Impression | Action, time: int, searches: Searches, out: Out) -> bool:
        """Is the event, at record time `time`, of a search that does not count? The search is remembered as long as its ids would be."""
        if time > self._latest + KNOWN or searches.alive(event.search_id, time) is not None:
            return False
        known = hashed_id("erased", event.search_id)
        if any(time >= t0 - self._rules.window for t0 in out.ids.contents(known, time)):
            return True
        if not isinstance(event, Impression):
            return False
        client = person(event, self._rules)
        if not any(time > span.after and min(time, event.ts) <= span.until for span in self._spans.get(client, ())):
            return False
        out.remember(SavedId(time // HOUR_MS, known, time))
        searches.forget(event.search_id, time, client, out)
        return True
