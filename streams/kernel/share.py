"""One partition's share of the additive state, and the digest over all shares. Shares add; nothing else is ever done to them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from learners.tallies import Tallies, add, fold
from memory_index.counts import DAYS_KEPT, MemoryCounts, merge
from memory_index.counts import add as add_row
from streams.kernel.changes import Changes, SetHash
from streams.kernel.kernel import Kernel


@dataclass
class Share:
    """Sums of everything that one partition applied."""

    memory: MemoryCounts = field(default_factory=dict)
    tallies: Tallies = field(default_factory=dict)
    sets: dict[str, SetHash] = field(default_factory=dict)

    def add(self, more: "Changes | Share") -> None:
        """Add a batch of changes or another share."""
        merge(self.memory, more.memory)
        add(self.tallies, more.tallies)
        for name, more_set in more.sets.items():
            self.sets.setdefault(name, SetHash()).merge(more_set)


def fold_days(memory: MemoryCounts) -> MemoryCounts:
    """The same counts with days older than 90 before the newest added into day 0."""
    newest = max((key[3] for key, (row, _) in memory.items() if any(row)), default=0)
    out: MemoryCounts = {}
    for key, (counts, clients) in memory.items():
        at = key if key[3] >= newest - DAYS_KEPT else (*key[:3], 0)
        add_row(out, at, counts, clients)
    return out


def digest_state(shares: Iterable[Share], kernels: Iterable[Kernel]) -> dict[str, str]:
    """sha256 of a state by part and in all: equal for any split, batching or order of the same facts."""
    whole = Share()
    for share in shares:
        whole.add(share)
    newest = max((key[3] for key, sums in whole.tallies.items() if sums.any()), default=0)
    parts: dict[str, object] = {
        "memory": sorted([*key, row, sorted(clients)] for key, (row, clients) in fold_days(whole.memory).items() if any(row)),
        "tallies": sorted([*key, sums.tolist()] for key, sums in fold(whole.tallies, newest).items() if sums.any()),
        "open": sorted(line for kernel in kernels for line in _waiting(kernel)),
        "sets": sorted([name, one.count, str(one.total)] for name, one in whole.sets.items() if one.count),
    }
    return _hashes(parts)


def _hashes(parts: Mapping[str, object]) -> dict[str, str]:
    out = {name: sha256(json.dumps(part, separators=(",", ":")).encode()).hexdigest() for name, part in parts.items()}
    return out | {"state": sha256("".join(out[name] for name in sorted(out)).encode()).hexdigest()}


def _waiting(kernel: Kernel) -> Iterable[list[object]]:
    """Open searches and held actions, as they would be told from each other."""
    for searches in kernel.searches.open.values():
        for search in searches:
            counted, open_ = search.counted, not search.final
            done = sorted([entity, sorted(kinds)] for entity, kinds in counted.done.items())
            facts = sorted([fact.time, sha256(fact.value).hexdigest()] for fact in search.pages if open_)
            acted = sorted([fact.time, action.action_id] for fact, action in search.actions if open_)
            yield ["search", search.search_id, search.t0, search.final, sorted(counted.found), done, facts, acted]
    for held in kernel.searches.held.values():
        for fact, action in held:
            yield ["held", action.search_id, action.action_id, fact.time, sha256(fact.value).hexdigest()]
