"""Tidying of a partition's file, so that it stays as small as its state: deltas are added up, old rows folded, the expired dropped.

Rows of `memory` stand in runs: transactions append to run 0, a compaction makes one run with a higher number out of it. As in a
log-structured merge tree it takes in those older runs that are not much larger, so that a row is rewritten a logarithm of times and
most compactions touch what is new. A row that was taken away or folded into another stands there as its own negative: it adds up to
zero, which is sent as a tombstone and then dropped.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from learners.tallies import Tallies, add, folded
from memory_index import shares
from memory_index.counts import DAYS_KEPT
from memory_index.store import Store

LARGER = 3  # an older run this many times as large as all younger ones together is left alone
Statement = tuple[str, Sequence[object]]


def add_up_memory(store: Store, *, resent: int) -> Iterator[Statement]:
    """Statements that make one run of the new rows. Rows of zeros go once they are not sent again: after transaction `resent`."""
    sizes = store.query("SELECT run, count(*) AS size FROM memory GROUP BY run ORDER BY run DESC").to_pylist()
    rows = sum(one["size"] for one in sizes if not one["run"])
    if not rows:
        return
    taken = [0]
    for one in sizes:
        if one["run"] and one["size"] <= LARGER * rows:
            taken.append(one["run"])
            rows += one["size"]
        elif one["run"]:
            break
    runs = ", ".join(map(str, taken))
    # A sum of zero over these runs may belong to a row in an older one, and so do the people who stand in it.
    people = f"len(flatten(list(clients))) > 0 AND EXISTS (SELECT 1 FROM memory WHERE run NOT IN ({runs}))"
    yield (
        f"INSERT INTO memory BY NAME {shares.ADDED}, max(seq) AS seq, {sizes[0]['run'] + 1} AS run FROM memory WHERE run IN ({runs}) "
        f"{shares.BY_KEY} HAVING {shares.NOT_ZERO} OR max(seq) > ? OR ({people}) {shares.IN_ORDER}",
        [resent],
    )
    yield f"DELETE FROM memory WHERE run IN ({runs})", []


def fold_memory(store: Store) -> pa.Table:
    """Rows that move what is older than DAYS_KEPT before the newest day into day 0: each old row's negative, and the row itself there."""
    newest = store.query("SELECT coalesce(max(day), 0) AS day FROM memory")["day"][0].as_py()
    old = shares.memory_rows_before(store, newest - DAYS_KEPT)
    taken = old
    for name in shares.COUNTS:
        taken = taken.set_column(taken.schema.get_field_index(name), name, pc.negate(old[name]))
    nobody = pa.array([[]] * len(old), shares.MEMORY_SCHEMA.field("clients").type)
    taken = taken.set_column(taken.schema.get_field_index("clients"), "clients", nobody)
    return pa.concat_tables([taken, old.set_column(3, "day", pa.array(np.zeros(len(old), dtype=np.int64)))]).cast(shares.MEMORY_SCHEMA)


def fold_tallies(store: Store) -> Tallies:
    """Sums that move hours into their days, and days past DAYS_KEPT into hour 0, as `learners.tallies.fold` keeps them."""
    hours = store.query("SELECT DISTINCT hour FROM tallies ORDER BY hour")["hour"].to_pylist()
    moved = {hour: to for hour in hours if (to := folded(hour, hours[-1])) != hour}
    out: Tallies = {}
    for key, sums in shares.tally_rows(store, hours=moved).items() if moved else ():
        if sums.any():
            add(out, {key: -sums})
            add(out, {(*key[:3], moved[key[3]]): sums})
    return out


def add_up_tallies(store: Store, *, resent: int) -> pa.Table:
    """All tallies added up, with the seq of each row's last change."""
    order = "kind, arm, context, hour"
    last = store.query(f"SELECT {order}, max(seq) AS seq FROM tallies GROUP BY {order}")
    seqs = dict(zip(zip(*(last[name].to_pylist() for name in order.split(", ")), strict=True), last["seq"].to_pylist(), strict=True))
    kept = {key: sums for key, sums in shares.tally_rows(store).items() if sums.any() or seqs[key] > resent}
    return shares.tally_table(kept).append_column("seq", pa.array([seqs[key] for key in kept], pa.int64()))
