"""What erased people contributed, out of finals and amendments: a search adds a function of its facts (streams.kernel.join), so the same
function over the facts of its final says what to subtract. Pure: bytes in, sums out."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from schemas.base import DAY_MS
from schemas.codec import decode_conclusion
from schemas.events import Action, Impression
from schemas.ids import digest
from schemas.outcomes import Amendment, Outcome
from schemas.rows import MemoryKey
from streams.erasing.erasing import Erasing
from streams.kernel.changes import Changes, SetHash
from streams.kernel.join import Adder, Rules, open_search
from streams.kernel.search import Search

# How our conclusions begin and end. Few of millions are decoded.
_CLIENT = re.compile(rb'"client":"([0-9a-f]{16})"\}$')
_AMENDS = re.compile(rb'\{"schema_version":1,"type":"amendment","amendment_id":"([^"\\]+)","final_id":"([^"\\]+)"')


@dataclass
class Found:
    """`changes` are what the searches had added (their sets: as taken away). `acted` says who of the erased acted on a row, `others` who
    else did, as far as it was asked for; `searches` are (client, search id) of what is taken away, with the time of their first page."""

    changes: Changes = field(default_factory=Changes)
    acted: dict[MemoryKey, set[int]] = field(default_factory=dict)
    others: dict[MemoryKey, set[int]] = field(default_factory=dict)
    searches: dict[tuple[int, str], int] = field(default_factory=dict)
    begin: int = 0  # ms; what was concluded before was not there to be looked at


class Finder:
    """Takes the conclusions of one partition, in the order of their log, any of them again.

    `due`: what is to be taken away, of searches whose window had passed at `watermark`; `known`: all erasures of the partition; `began`:
    the record time that its state begins at; `full`: rows whose sketch holds an erased person and is full, so that who else acted on them
    has to be found.
    """

    def __init__(
        self, due: Sequence[Erasing], rules: Rules, *, known: Iterable[Erasing], watermark: int, began: int = 0,
        full: Collection[MemoryKey] = (),
    ) -> None:  # fmt: skip
        self._due, self._hashes = {(one.client, one.until) for one in due}, {one.client for one in due}
        self._erasings: dict[bytes, list[Erasing]] = {}
        for one in known:
            if one.client in self._hashes:
                self._erasings.setdefault(b"%016x" % one.client, []).append(one)
        self._rules, self._passed, self._began, self._full = rules, watermark - rules.window, began, set(full)
        self._entities = re.compile(b"|".join(_as_json(key[2]) for key in full)) if full else None
        self._found = Found()
        self._adder = Adder(self._found.changes, rules)
        self._taken: dict[str, Search] = {}  # by final id
        self._others: dict[str, Search] = {}
        self._seen: set[str] = set()  # ids of what was decoded

    def take(self, value: bytes) -> None:
        """One message of `search.outcomes`. Raises InvalidMessage."""
        if (amends := _AMENDS.match(value)) is not None:
            if amends[2].decode() in self._taken.keys() | self._others.keys():
                self._amendment(decode_conclusion(value), value)
            return
        client = _CLIENT.search(value)
        ours = self._erasings.get(client[1], []) if client else []
        if ours or (self._entities is not None and self._entities.search(value)):
            self._final(decode_conclusion(value), value, ours)

    def found(self) -> Found:
        """All that was found; take no more after it."""
        self._adder.finish()
        for search in self._taken.values():
            for entity in search.counted.done:
                self._found.acted.setdefault(_row(search, entity), set()).add(search.client)
        for search in self._others.values():
            for entity in search.counted.done:
                if (key := _row(search, entity)) in self._full or search.client in self._hashes:
                    self._found.others.setdefault(key, set()).add(search.client)
        return self._found

    def _final(self, final: Outcome, value: bytes, ours: list[Erasing]) -> None:
        if final.final_id in self._seen:
            return
        self._seen.add(final.final_id)
        search = open_search(final.pages[0], final.time, self._rules)
        search.client = int(final.client, 16)  # under the key of that time
        if final.time < self._began or any(not self._counted(search, one) for one in ours):
            return
        if not any(self._to_take(search, one) for one in ours):
            self._others[final.final_id] = search
            _follow(search, final.actions)
            return
        self._taken[final.final_id] = search
        self._found.searches[search.client, search.search_id] = search.t0
        self._adder.opened(search, final.pages[0])
        for page in final.pages:
            self._adder.page(search, page)
        for action in final.actions:
            self._adder.action(search, action)
        self._take_away("final", value)

    def _amendment(self, amendment: Amendment, value: bytes) -> None:
        if amendment.amendment_id in self._seen:
            return
        self._seen.add(amendment.amendment_id)
        if (search := self._taken.get(amendment.final_id)) is not None:
            self._add(search, amendment.event)
            self._take_away("amendment", value)
        elif isinstance(amendment.event, Action):
            _follow(self._others[amendment.final_id], [amendment.event])

    def _add(self, search: Search, event: Impression | Action) -> None:
        if isinstance(event, Impression):
            self._adder.page(search, event)
        else:
            self._adder.action(search, event)

    def _take_away(self, kind: str, value: bytes) -> None:
        self._found.changes.sets.setdefault(kind, SetHash()).take_away(digest(value))

    def _counted(self, search: Search, one: Erasing) -> bool:
        """False for what another owner concluded, and this state left out or took away before."""
        return not one.means(search.t0, search.ts) or (one.through <= search.t0 + self._rules.window and search.t0 <= one.after)

    def _to_take(self, search: Search, one: Erasing) -> bool:
        return (one.client, one.until) in self._due and one.means(search.t0, search.ts) and search.t0 < self._passed


def _follow(search: Search, actions: Iterable[Action]) -> None:
    for action in actions:
        if action.entity_id is not None:
            search.wake().do(action)


def _as_json(text: str) -> bytes:
    return re.escape(json.dumps(text, ensure_ascii=False).encode())


def _row(search: Search, entity: str) -> MemoryKey:
    return search.counted.key, search.counted.segment, entity, search.ts // DAY_MS
