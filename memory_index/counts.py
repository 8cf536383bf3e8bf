"""Counts as deltas in memory: exact sums, and sketches of at most the 8 smallest client hashes. Merging is associative and commutative."""

from collections.abc import Iterable, Sequence

from schemas.rows import POSITION_BINS, SKETCH, MemoryKey, MemoryRow

SHOWN = len(POSITION_BINS)
DAYS_KEPT = 90  # older days, counted from the newest, are kept under day 0 and read with weight 0
WIDTH = SHOWN + 10  # shown by position bin, then acted in the order of ACTION_KINDS

Counts = tuple[list[int], frozenset[int]]
MemoryCounts = dict[MemoryKey, Counts]


def sketch(clients: Iterable[int]) -> frozenset[int]:
    """The 8 smallest distinct hashes: the number of distinct clients is known exactly up to 8.

    >>> sorted(sketch([3, 1, 3, 2]))
    [1, 2, 3]
    """
    distinct = frozenset(clients)
    return distinct if len(distinct) <= SKETCH else frozenset(sorted(distinct)[:SKETCH])


def add(into: MemoryCounts, key: MemoryKey, counts: Sequence[int], clients: Iterable[int] = ()) -> None:
    """Add 16 counts (6 shown, 10 acted) and the clients who acted to the row of `key`. `counts` is not kept.

    Raises ValueError if `counts` has another length.
    """
    held = into.get(key)
    if held is None:
        if len(counts) != WIDTH:
            raise ValueError(f"{len(counts)} counts for {key}, a row has {WIDTH}; give 6 shown, then 10 acted")
        into[key] = (list(counts), sketch(clients))
        return
    sums, known = held
    for index, (total, count) in enumerate(zip(sums, counts, strict=True)):
        if count:
            sums[index] = total + count
    if clients and not known.issuperset(new := frozenset(clients)):
        into[key] = (sums, sketch(known | new))


def merge(into: MemoryCounts, more: MemoryCounts) -> None:
    """Add all of `more` to `into`; `more` stays as it is and shares nothing with `into`."""
    for key, (counts, clients) in more.items():
        add(into, key, counts, clients)


def to_row(key: MemoryKey, counts: Sequence[int], clients: Iterable[int]) -> MemoryRow:
    """The message of one row, its sketch ascending."""
    query_key, segment, entity_id, day = key
    return MemoryRow(
        query_key=query_key,
        segment=segment,
        entity_id=entity_id,
        day=day,
        shown=list(counts[:SHOWN]),
        acted=list(counts[SHOWN:]),
        clients=sorted(sketch(clients)),
    )
