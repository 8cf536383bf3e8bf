"""The last searches of this process: whole, what the console explains and where actions meet the page that they were done on; and for
longer, what further pages of a search repeat."""

import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import NamedTuple, TypeVar

from schemas.candidates import Request
from schemas.codec import decode, encode
from schemas.decisions import Decision
from schemas.events import Action
from serving.pipeline import Page
from serving.view import View

MOST = 500  # whole searches: a union of 300 candidates with its features takes some 100 KB
LOOKED_AT = 100  # whole searches that somebody makes to look at them: traffic does not push them out
TURNED = 20_000  # searches whose pages can be turned, some 2 KB each: 400 s at 50 searches a second
TURNED_BYTES = 100_000_000  # of all of them: a request may bring 150 KB of profile
NOTED = 100  # actions of a search that are noted; a token lets its holder send any number
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Search:
    """One search as it was answered, with the view that answered it. `counted`: whether it was logged, so that people's actions teach;
    a try of the console is not. `actions`: those that came through this process, oldest first."""

    request: Request
    page: Page
    view: View
    counted: bool = True
    actions: tuple[Action, ...] = ()


class Begun(NamedTuple):
    """What further pages of a search repeat: its first request and decision, and whether it counts."""

    request: Request
    decision: Decision
    counted: bool


class Kept:
    """The last searches by (search_id, page). Any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._traffic: OrderedDict[tuple[str, int], Search] = OrderedDict()
        self._looked_at: OrderedDict[tuple[str, int], Search] = OrderedDict()
        self._begun: OrderedDict[str, tuple[Request, bytes, bool]] = OrderedDict()
        self._bytes = 0  # of what is begun, about

    def put(self, search: Search, *, looked_at: bool = False) -> None:
        """Keep a search; the oldest of its kind goes when there is no room. `looked_at`: made to be looked at, not one of many."""
        request, decision = search.request, search.page.impression.decision
        ring, most = (self._looked_at, LOOKED_AT) if looked_at else (self._traffic, MOST)
        packed = zlib.compress(encode(decision), 1) if decision is not None else b""
        with self._lock:
            _put(ring, (request.search_id, request.page), search, most)
            if packed and request.search_id not in self._begun:
                self._begun[request.search_id] = request, packed, search.counted
                self._bytes += _size(request, packed)
                while len(self._begun) > TURNED or self._bytes > TURNED_BYTES:
                    self._bytes -= _size(*self._begun.popitem(last=False)[1][:2])

    def acted(self, action: Action) -> None:
        """Note an action with the page that showed its entity, if that is still kept and has not had its NOTED actions."""
        with self._lock:
            for ring in (self._looked_at, self._traffic):
                for key, search in reversed(ring.items()):
                    if key[0] == action.search_id and any(one.entity_id == action.entity_id for one in search.page.impression.results):
                        if len(search.actions) < NOTED:
                            ring[key] = replace(search, actions=(*search.actions, action))
                        return

    def get(self, search_id: str, page: int = 1) -> Search | None:
        """The search, or None when it is no longer kept."""
        key = search_id, page
        return self._looked_at.get(key) or self._traffic.get(key)

    def begun(self, search_id: str) -> Begun | None:
        """What its further pages repeat, or None when that is no longer kept."""
        held = self._begun.get(search_id)
        return Begun(held[0], decode(Decision, zlib.decompress(held[1])), held[2]) if held is not None else None

    def latest(self, count: int) -> Sequence[Search]:
        """The newest of the traffic first."""
        with self._lock:
            return list(self._traffic.values())[: -count - 1 : -1]


def _put(ring: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    ring[key] = value
    while len(ring) > most:
        ring.popitem(last=False)


def _size(request: Request, packed: bytes) -> int:
    """Of what is kept to turn pages, about, in bytes."""
    said = [*request.recent, *_words(request.profile), *_words(request.context.profile)]
    return 1_000 + len(packed) + len(request.query) + sum(map(len, said))


def _words(profile: Mapping[str, object]) -> list[str]:
    return [text for name, value in profile.items() for text in (name, str(value))]
