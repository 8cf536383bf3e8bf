"""One search from its first page until t0 + window: its facts, and what they amount to so far.

What a search adds to the sums is a function of the set of its facts. That function's intermediate result (`Counted`) is what a further
fact needs to be counted. It is objects, 4 to 8 KB of them, and most searches never see another fact: so only those that were touched
lately keep it as such. The others sleep, with a tenth of that as bytes, or after a restart with nothing but their facts.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.codec import decode
from schemas.events import Action, ActionKind, Impression, Result
from schemas.ids import final_id, query_class, query_key
from streams.kernel.packing import pack, unpack

MAX_RANK = 100_000


@dataclass(slots=True)
class Fact:
    """A page or action that joined: its record time and original bytes (packed for pages); `page` where it is at hand as an object."""

    time: int
    value: bytes
    page: Impression | None = None


@dataclass(slots=True)
class Counted:
    """What decided a search, and what its pages and actions amount to."""

    key: str
    segment: str
    query_class: str
    schema: str
    decision_id: str
    phi: dict[str, list[int]]  # of asked arms
    asked: frozenset[str]
    found: dict[str, dict[str, int]] = field(default_factory=dict)  # entity -> asked strategy -> best rank
    done: dict[str, set[ActionKind]] = field(default_factory=dict)  # entity -> kinds

    @classmethod
    def of(cls, page: Impression) -> "Counted":
        """Of the page that opens the search, before its results are counted."""
        query = page.query
        key = query.key or query_key(query.text, page.surface)
        decision_id, asked, phi = asked_phi(page)
        return cls(key, page.segment, query.query_class or query_class(key), page.feature_schema, decision_id, phi, asked)

    def same_decision(self, page: Impression) -> bool:
        """Does the page repeat the decision of the first page, in all that is counted?"""
        return (asked_phi(page), page.feature_schema) == ((self.decision_id, self.asked, self.phi), self.schema)

    def show(self, result: Result) -> None:
        """A result was shown: by each strategy that was asked its best rank."""
        ranks: dict[str, int] = {}
        for source in result.sources:
            if source.strategy in self.asked and source.rank < ranks.get(source.strategy, MAX_RANK + 1):
                ranks[source.strategy] = source.rank
        if (old := self.found.get(result.entity_id)) is not None:
            ranks = {name: min(r.get(name, MAX_RANK) for r in (old, ranks)) for name in old.keys() | ranks.keys()}
        self.found[result.entity_id] = ranks

    def do(self, action: Action) -> bool:
        """An action came; whether it is the first of its kind on its entity."""
        if action.entity_id is None:
            return False
        kinds = self.done.setdefault(action.entity_id, set())
        new = action.kind not in kinds
        kinds.add(action.kind)
        return new

    def packed(self) -> bytes:
        done = {entity: sorted(kinds) for entity, kinds in self.done.items()}
        asked = sorted(self.asked)
        plain = [self.key, self.segment, self.query_class, self.schema, self.decision_id, self.phi, asked, self.found, done]
        return pack(json.dumps(plain, ensure_ascii=False).encode())

    @classmethod
    def unpacked(cls, value: bytes) -> "Counted":
        key, segment, class_, schema, decision, phi, asked, found, done = json.loads(unpack(value))
        kinds = {entity: set(some) for entity, some in done.items()}
        return cls(key, segment, class_, schema, decision, phi, frozenset(asked), found, kinds)


def asked_phi(page: Impression) -> tuple[str, frozenset[str], dict[str, list[int]]]:
    """Id of a page's decision, and what strategies learn from: those asked, and the features of the asked arms. Nothing of a page that
    another policy made or helped to make."""
    if (by := page.decision) is None or not by.own:
        return by.decision_id if by else "", frozenset(), {}
    return by.decision_id, frozenset(by.asked()), {arm.name: arm.phi for arm in by.arms if arm.asked and arm.phi}


@dataclass(slots=True, eq=False)
class Search:
    """`pages` and `actions` hold nothing any more once its final was sent. `client` is the keyed hash of its person."""

    search_id: str
    t0: int
    ts: int
    client: int
    pages: list[Fact] = field(default_factory=list)
    actions: list[tuple[Fact, Action]] = field(default_factory=list)
    final: bool = False
    _counted: Counted | bytes | None = None  # None: as the facts say

    @property
    def final_id(self) -> str:
        return final_id(self.search_id, self.ts)

    @property
    def counted(self) -> Counted:
        """What it amounts to; of one that sleeps, a copy that is not kept."""
        if isinstance(self._counted, Counted):
            return self._counted
        return self._from_facts() if self._counted is None else Counted.unpacked(self._counted)

    def wake(self, counted: Counted | None = None) -> Counted:
        """What it amounts to, kept as objects until `sleep`. `counted` is that of a new search."""
        self._counted = counted or self.counted
        return self._counted

    def sleep(self) -> None:
        """Keep bytes only."""
        if isinstance(self._counted, Counted):
            self._counted = self._counted.packed()

    def conclude(self) -> None:
        """Its final was sent: what it amounts to is kept, its facts are not."""
        if self._counted is None:
            self._counted = self._from_facts().packed()
        self.final, self.pages, self.actions = True, [], []

    def close(self, window: int, settle: int) -> int:
        """Record time after which the final goes out: quiet for `settle`, at the latest t0 + `window` (ms)."""
        close = self.t0 + settle
        for time in sorted(fact.time for fact in self._facts()):
            if time > close:
                break
            close = max(close, time + settle)
        return min(close, self.t0 + window)

    def _facts(self) -> Iterable[Fact]:
        yield from self.pages
        for fact, _ in self.actions:
            yield fact

    def _from_facts(self) -> Counted:
        pages = [decode(Impression, unpack(fact.value)) for fact in sorted(self.pages, key=lambda one: one.time)]
        counted = Counted.of(pages[0])
        for page in pages:
            for result in page.results:
                counted.show(result)
        for _, action in self.actions:
            counted.do(action)
        return counted
