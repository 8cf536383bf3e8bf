"""One open search: its pages and actions so far, and what they add to the sums. What it adds is a function of the set of its
facts; an arriving fact contributes the difference of that function."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from learners.credit import Credit, marginal_credit
from learners.rewards import REWARDS
from learners.tallies import TallyBatch, rank_bin
from memory_index.counts import SHOWN, WIDTH, sketch
from schemas.base import DAY_MS, HOUR_MS
from schemas.events import ACTION_KINDS, Action, ActionKind, Impression
from schemas.ids import client_hash, final_id, position_bin, query_class, query_key
from schemas.rows import MemoryKey
from streams.kernel.changes import Changes

MAX_RANK = 100_000
ACTED = {kind: SHOWN + index for index, kind in enumerate(ACTION_KINDS)}  # column of each kind in a memory row


@dataclass(frozen=True)
class Rules:
    """What makes two runs comparable: part of the state's definition, the same in every worker."""

    rewards: Mapping[ActionKind, int]  # units of 1/256
    window: int = 30 * 60_000  # ms in which a page or action can still join its search
    settle: int = 10 * 60_000  # ms of quiet after which a search is final
    client_key: bytes = field(default=b"", repr=False)  # people are counted under keyed hashes
    credit: Credit = marginal_credit  # other kinds are for evaluation

    def reward(self, actions: Iterable[Action]) -> dict[str, int]:
        """Reward per entity in units of 1/256: additive over distinct (entity, kind)."""
        pairs = sorted({(action.entity_id, action.kind) for action in actions if action.entity_id is not None})
        out: dict[str, int] = {}
        for entity, kind in pairs:
            out[entity] = out.get(entity, 0) + self.rewards.get(kind, 0)
        return out


RULES = Rules(rewards=REWARDS)  # of everything that `forage` runs


@dataclass(slots=True)
class Fact:
    """A page or action that joined: its record time and original bytes (packed for pages); `page` where it is at hand as an object."""

    time: int
    value: bytes
    page: Impression | None = None


@dataclass(slots=True)
class Search:
    """A search from its first page until t0 + window. After its final `pages` and `actions` hold nothing any more."""

    search_id: str
    t0: int
    ts: int
    bucket: int
    key: str
    segment: str
    query_class: str
    client: int
    schema: str
    phi: dict[str, list[int]]  # of asked arms
    asked: frozenset[str]
    decision_id: str
    found: dict[str, dict[str, int]] = field(default_factory=dict)  # entity -> asked strategy -> best rank
    done: dict[str, set[ActionKind]] = field(default_factory=dict)  # entity -> kinds
    pages: list[Fact] = field(default_factory=list)
    actions: list[tuple[Fact, Action]] = field(default_factory=list)
    final: bool = False

    @property
    def final_id(self) -> str:
        return final_id(self.search_id, self.ts)

    def same_decision(self, page: Impression) -> bool:
        """Does the page repeat the decision of the first page, in all that is counted?"""
        return (_asked_phi(page), page.feature_schema) == ((self.decision_id, self.asked, self.phi), self.schema)

    def rewards(self, rules: Rules) -> dict[str, int]:
        """Reward per entity, shown or not: additive over distinct kinds."""
        return {entity: sum(rules.rewards.get(kind, 0) for kind in kinds) for entity, kinds in self.done.items()}

    def close(self, rules: Rules) -> int:
        """Record time after which the final goes out: quiet for `settle`, at the latest t0 + window."""
        close = self.t0 + rules.settle
        for time in sorted(fact.time for fact in self._facts()):
            if time > close:
                break
            close = max(close, time + rules.settle)
        return min(close, self.t0 + rules.window)

    def _facts(self) -> Iterable[Fact]:
        yield from self.pages
        for fact, _ in self.actions:
            yield fact


def _asked_phi(page: Impression) -> tuple[str, frozenset[str], dict[str, list[int]]]:
    """Id of a page's decision, the strategies asked, and the features of the asked arms."""
    if (by := page.decision) is None:
        return "", frozenset(), {}
    return by.decision_id, frozenset(by.asked()), {arm.name: arm.phi for arm in by.arms if arm.asked and arm.phi}


def person(page: Impression, rules: Rules) -> int:
    """The keyed hash that a page's person is counted under: of the client, else of the session, else of the search."""
    return client_hash(page.client_id or page.session_id or page.search_id, rules.client_key)


def open_search(page: Impression, time: int, rules: Rules) -> Search:
    """The search that this page, the first of its id, opens."""
    query = page.query
    key = query.key or query_key(query.text, page.surface)
    decision_id, asked, phi = _asked_phi(page)
    return Search(
        search_id=page.search_id, t0=time, ts=page.ts, bucket=page.ts // HOUR_MS, key=key, segment=page.segment,
        query_class=query.query_class or query_class(key), client=person(page, rules), schema=page.feature_schema,
        phi=phi, asked=asked, decision_id=decision_id,
    )  # fmt: skip


class Adder:
    """Adds what facts contribute into one batch of changes."""

    def __init__(self, changes: Changes, rules: Rules) -> None:
        self.changes, self.rules, self.tallies = changes, rules, TallyBatch()

    def opened(self, search: Search, page: Impression) -> None:
        """Once per search: every asked arm was asked with phi, and drew what it returned."""
        hour = search.ts // HOUR_MS
        for arm, phi in search.phi.items():
            self.tallies.asked(arm, search.schema, hour, phi)
        if page.decision:
            arms, always = page.decision.arms, page.decision.always
            returned = {arm.name: arm.returned for arm in arms} | {one.name: one.returned for one in always}
            for strategy in search.asked:
                self.tallies.drawn(strategy, search.query_class, hour, returned[strategy])

    def page(self, search: Search, page: Impression) -> None:
        """A page was shown: its entities were seen at their positions, and credit may now reach actions that came before it."""
        before = self._credit(search) if search.done else None
        found, asked = search.found, search.asked
        for result in page.results:
            self._row(search, result.entity_id)[0][position_bin(result.position)] += 1
            ranks: dict[str, int] = {}
            for source in result.sources:
                if source.strategy in asked and source.rank < ranks.get(source.strategy, MAX_RANK + 1):
                    ranks[source.strategy] = source.rank
            if (old := found.get(result.entity_id)) is not None:
                ranks = {name: min(r.get(name, MAX_RANK) for r in (old, ranks)) for name in old.keys() | ranks.keys()}
            found[result.entity_id] = ranks
        if before is not None:
            self._difference(search, before)

    def action(self, search: Search, action: Action) -> None:
        """An action joined: it counts once per (entity, kind)."""
        if action.entity_id is None:
            return
        kinds = search.done.setdefault(action.entity_id, set())
        if action.kind in kinds:
            return
        before = self._credit(search)
        kinds.add(action.kind)
        key = self._key(search, action.entity_id)
        counts, clients = self._row(search, action.entity_id)
        counts[ACTED[action.kind]] += 1
        self.changes.memory[key] = (counts, sketch(clients | {search.client}))
        self.changes.acted.add(key)
        self._difference(search, before)

    def finish(self) -> None:
        """Put the batch's tallies into the changes."""
        self.changes.tallies = self.tallies.take()

    def _key(self, search: Search, entity: str) -> MemoryKey:
        return (search.key, search.segment, entity, search.ts // DAY_MS)

    def _row(self, search: Search, entity: str) -> tuple[list[int], frozenset[int]]:
        key = self._key(search, entity)
        row = self.changes.memory.get(key)
        if row is None:
            row = self.changes.memory[key] = ([0] * WIDTH, frozenset())
        return row

    def _credit(self, search: Search) -> tuple[dict[str, int], dict[tuple[str, int, int], int]]:
        """What the search's actions so far give: credit per strategy, and found and sole counts per (strategy, bin, column)."""
        rewards = search.rewards(self.rules)
        hits: dict[tuple[str, int, int], int] = {}
        for entity, reward in rewards.items():
            by = search.found.get(entity, {}) if reward else {}
            for strategy, rank in by.items():
                for column in (1, 2) if len(by) == 1 else (1,):
                    at = (strategy, rank_bin(rank), column)
                    hits[at] = hits.get(at, 0) + 1
        return self.rules.credit(search.found, rewards), hits

    def _difference(self, search: Search, before: tuple[dict[str, int], dict[tuple[str, int, int], int]]) -> None:
        after, hour = self._credit(search), search.ts // HOUR_MS
        for arm in after[0].keys() | before[0].keys():
            old, new = before[0].get(arm, 0), after[0].get(arm, 0)
            if old != new and arm in search.phi:
                self.tallies.credit(arm, search.schema, hour, search.phi[arm], old, new)
        for at in after[1].keys() | before[1].keys():
            strategy, bin_, column = at
            if change := after[1].get(at, 0) - before[1].get(at, 0):
                self.tallies.draw(strategy, search.query_class, hour, bin_, column, change)
