"""What a search adds to the sums: a function of the set of its facts; an arriving fact contributes the difference of that function."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from learners.credit import Credit, marginal_credit
from learners.rewards import REWARDS
from learners.tallies import TallyBatch, rank_bin
from memory_index.counts import SHOWN, WIDTH, sketch
from schemas.base import DAY_MS, HOUR_MS
from schemas.events import ACTION_KINDS, Action, ActionKind, Impression
from schemas.ids import client_hash, position_bin
from schemas.rows import MemoryKey
from streams.kernel.changes import Changes
from streams.kernel.search import Counted, Search

ACTED = {kind: SHOWN + index for index, kind in enumerate(ACTION_KINDS)}  # column of each kind in a memory row
Given = tuple[dict[str, int], dict[tuple[str, int, int], int]]  # credit by strategy; found and sole by (strategy, bin, column)


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


def person(page: Impression, rules: Rules) -> int:
    """The keyed hash that a page's person is counted under: of the client, else of the session, else of the search."""
    return client_hash(page.client_id or page.session_id or page.search_id, rules.client_key)


def open_search(page: Impression, time: int, rules: Rules) -> Search:
    """The search that this page, the first of its id, opens at record time `time`."""
    search = Search(page.search_id, time, page.ts, person(page, rules))
    search.wake(Counted.of(page))
    return search


class Adder:
    """Adds what facts contribute into one batch of changes."""

    def __init__(self, changes: Changes, rules: Rules) -> None:
        self.changes, self.rules, self.tallies = changes, rules, TallyBatch()

    def opened(self, search: Search, page: Impression) -> None:
        """Once per search: every asked arm was asked with phi, and drew what it returned."""
        counted, hour = search.wake(), search.ts // HOUR_MS
        for arm, phi in counted.phi.items():
            self.tallies.asked(arm, counted.schema, hour, phi)
        if page.decision:
            arms, always = page.decision.arms, page.decision.always
            returned = {arm.name: arm.returned for arm in arms} | {one.name: one.returned for one in always}
            for strategy in counted.asked:
                self.tallies.drawn(strategy, counted.query_class, hour, returned[strategy])

    def page(self, search: Search, page: Impression) -> None:
        """A page was shown: its entities were seen at their positions, and credit may now reach actions that came before it."""
        counted, day = search.wake(), search.ts // DAY_MS
        before = self._credit(counted) if counted.done else None
        for result in page.results:
            self._row((counted.key, counted.segment, result.entity_id, day))[0][position_bin(result.position)] += 1
            counted.show(result)
        if before is not None:
            self._difference(search.ts // HOUR_MS, counted, before)

    def action(self, search: Search, action: Action) -> None:
        """An action joined: it counts once per (entity, kind)."""
        if action.entity_id is None:
            return
        counted = search.wake()
        before = self._credit(counted)
        if not counted.do(action):
            return
        key = (counted.key, counted.segment, action.entity_id, search.ts // DAY_MS)
        counts, clients = self._row(key)
        counts[ACTED[action.kind]] += 1
        self.changes.memory[key] = (counts, sketch(clients | {search.client}))
        self.changes.acted.add(key)
        self._difference(search.ts // HOUR_MS, counted, before)

    def finish(self) -> None:
        """Put the batch's tallies into the changes."""
        self.changes.tallies = self.tallies.take()

    def _row(self, key: MemoryKey) -> tuple[list[int], frozenset[int]]:
        row = self.changes.memory.get(key)
        if row is None:
            row = self.changes.memory[key] = ([0] * WIDTH, frozenset())
        return row

    def _credit(self, counted: Counted) -> Given:
        """What the search's actions so far give: credit per strategy, and found and sole counts per (strategy, bin, column)."""
        rewards = {entity: sum(self.rules.rewards.get(kind, 0) for kind in kinds) for entity, kinds in counted.done.items()}
        hits: dict[tuple[str, int, int], int] = {}
        for entity, reward in rewards.items():
            by = counted.found.get(entity, {}) if reward else {}
            for strategy, rank in by.items():
                for column in (1, 2) if len(by) == 1 else (1,):
                    at = (strategy, rank_bin(rank), column)
                    hits[at] = hits.get(at, 0) + 1
        return self.rules.credit(counted.found, rewards), hits

    def _difference(self, hour: int, counted: Counted, before: Given) -> None:
        after = self._credit(counted)
        for arm in after[0].keys() | before[0].keys():
            old, new = before[0].get(arm, 0), after[0].get(arm, 0)
            if old != new and arm in counted.phi:
                self.tallies.credit(arm, counted.schema, hour, counted.phi[arm], old, new)
        for at in after[1].keys() | before[1].keys():
            strategy, bin_, column = at
            if change := after[1].get(at, 0) - before[1].get(at, 0):
                self.tallies.draw(strategy, counted.query_class, hour, bin_, column, change)
