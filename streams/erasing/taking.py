"""From what was found to one transaction: sums go down by what they went up, people leave the sketches. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from learners.tallies import Tallies, folded
from memory_index.counts import MemoryCounts, sketch
from schemas.base import DAY_MS
from schemas.rows import SKETCH, MemoryKey, TallyKey
from streams.erasing.erasing import Statement
from streams.erasing.finding import Found
from streams.kernel.changes import Changes
from streams.kernel.search import Search

_AT = "query_key = gone.q AND segment = gone.s AND entity_id = gone.e AND day = gone.d"
_GONE = "(SELECT unnest(?::VARCHAR[]) AS q, unnest(?::VARCHAR[]) AS s, unnest(?::VARCHAR[]) AS e, unnest(?::BIGINT[]) AS d) AS gone"
_LEAVES = f"UPDATE memory SET clients = list_filter(clients, lambda one: one <> ?::UBIGINT) FROM {_GONE} WHERE {_AT}"
_FORGET = (
    "DELETE FROM events USING (SELECT unnest(?::VARCHAR[]) AS id, unnest(?::BIGINT[]) AS since) AS gone "
    "WHERE search_id = gone.id AND time >= gone.since"
)


def forgets(searches: Mapping[str, int]) -> list[Statement]:
    """No event of these searches since their time stays saved."""
    return [(_FORGET, [list(searches), list(searches.values())])] if searches else []


def traced(clients: Collection[int], seq: int) -> list[Statement]:
    """Events of these people were deleted in transaction `seq` and linger in the file until it is purged: their erasures are not done."""
    return [("UPDATE erased SET done = false, seq = ? WHERE list_contains(?::BIGINT[], client)", [seq, list(clients)])] if clients else []


def memory_keys(found: Found) -> list[MemoryKey]:
    """Rows to look up: those that lose something, and where they stand if their day was folded."""
    return [*found.changes.memory, *dict.fromkeys((*key[:3], 0) for key in found.changes.memory)]


def tally_keys(found: Found, newest: int) -> list[TallyKey]:
    """The same for tallies; `newest` is the newest hour that the store has."""
    return [at for key in found.changes.tallies for at in dict.fromkeys((key, (*key[:3], folded(key[3], newest))))]


def taken_away(
    found: Found, rows: MemoryCounts, tallies: Collection[TallyKey], *, newest: int, open_: Iterable[Search]
) -> tuple[Changes, list[Statement]]:  # fmt: skip
    """Changes that subtract what was found, and statements that go before them. `rows` and `tallies`: what stands under the keys now;
    `open_`: searches whose window has not passed: who acted in them stays in the sketches."""
    stays = {key: set(people) for key, people in found.others.items()}
    full, erased = any(len(clients) == SKETCH for _, clients in rows.values()), {client for client, _ in found.searches}
    for search in open_:
        if search.client not in erased and not (full and (search.final or search.actions)):  # most need not be unpacked
            continue
        counted = search.counted
        for entity in counted.done:
            if (key := (counted.key, counted.segment, entity, search.ts // DAY_MS)) in found.acted:
                stays.setdefault(key, set()).add(search.client)
    changes = Changes(sets=found.changes.sets, tallies=_negative(found.changes.tallies, tallies, newest))
    leaves: dict[int, list[MemoryKey]] = {}
    for key, (counts, _) in found.changes.memory.items():
        at = key if key in rows else (*key[:3], 0)
        have, clients = rows.get(at, ([0] * len(counts), frozenset()))
        gone = (found.acted.get(key, set()) & clients) - stays.get(key, set())
        for client in gone:
            leaves.setdefault(client, []).append(at)
        back = sketch(stays.get(key, set())) if gone and len(clients) == SKETCH else frozenset()
        taken = [min(count, held) for count, held in zip(counts, have, strict=True)]  # never below 0, whatever the outcomes say
        old, refilled = changes.memory.get(at, ([0] * len(counts), frozenset()))
        changes.memory[at] = ([total - less for total, less in zip(old, taken, strict=True)], sketch(refilled | back))
    searches = {search_id: 0 for _, search_id in found.searches}
    return changes, [*_leave(leaves), *forgets(searches)]


def _negative(sums: Tallies, there: Collection[TallyKey], newest: int) -> Tallies:
    out: Tallies = {}
    for key, one in sums.items():
        kind, arm, context, hour = key
        at = key if key in there else (kind, arm, context, folded(hour, newest))
        out[at] = out[at] - one if at in out else -one
    return out


def _leave(leaves: Mapping[int, Sequence[MemoryKey]]) -> list[Statement]:
    return [(_LEAVES, [client, *map(list, zip(*keys, strict=True))]) for client, keys in leaves.items()]
