"""The share of one partition: memory counts and tallies as tables of deltas, added up when read."""

from collections.abc import Iterable, Iterator
from importlib.resources import files

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memory_index.counts import SHOWN, WIDTH, MemoryCounts
from memory_index.store import Store
from schemas.errors import CorruptFile
from schemas.rows import SKETCH, MemoryKey, MemoryRow, TallyKey

Tallies = dict[TallyKey, NDArray[np.int64]]  # layout in schemas.rows.TallyRow

KEYS = ("query_key", "segment", "entity_id", "day")
COUNTS = (*(f"shown_{bin_ + 1}" for bin_ in range(SHOWN)), *(f"acted_{kind + 1}" for kind in range(WIDTH - SHOWN)))
_KEY_FIELDS = [*((name, pa.string()) for name in KEYS[:3]), ("day", pa.int64())]
MEMORY_SCHEMA = pa.schema([*_KEY_FIELDS, *((name, pa.int64()) for name in COUNTS), ("clients", pa.list_(pa.uint64()))])
TALLY_SCHEMA = pa.schema(
    [("kind", pa.string()), ("arm", pa.string()), ("context", pa.string()), ("hour", pa.int64()), ("sums", pa.binary())]
)

_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in COUNTS)
_SKETCH = f"coalesce(list_sort(list_distinct(flatten(list(clients) FILTER (len(clients) > 0))))[1:{SKETCH}], []) AS clients"
ADDED = f"SELECT {', '.join(KEYS)}, {_SUMS}, {_SKETCH}"
NOT_ZERO = " OR ".join(f"sum({name}) <> 0" for name in COUNTS)  # rows that were taken away or folded elsewhere are none
BY_KEY, IN_ORDER = f"GROUP BY {', '.join(KEYS)}", f"ORDER BY {', '.join(KEYS)}"
_ROWS = f"{ADDED} FROM memory {{}} {BY_KEY} HAVING {NOT_ZERO} {IN_ORDER}"


def schema_sql() -> str:
    """CREATE TABLE IF NOT EXISTS of `memory` and `tallies`, for `Store`."""
    return (files("memory_index") / "schema.sql").read_text("utf-8")


def memory_table(deltas: MemoryCounts) -> pa.Table:
    """Deltas as rows for the table `memory`."""
    keys = list(zip(*deltas, strict=True)) or [()] * len(KEYS)
    counts = np.array([counts for counts, _ in deltas.values()], dtype=np.int64).reshape(-1, WIDTH)
    columns = [pa.array(column, type_.type) for column, type_ in zip(keys, MEMORY_SCHEMA, strict=False)]
    columns += [pa.array(counts[:, at]) for at in range(WIDTH)]
    columns.append(pa.array([sorted(clients) for _, clients in deltas.values()], pa.list_(pa.uint64())))
    return pa.Table.from_arrays(columns, schema=MEMORY_SCHEMA)


def tally_table(deltas: Tallies) -> pa.Table:
    """Deltas as rows for the table `tallies`."""
    keys = list(zip(*deltas, strict=True)) or [()] * 4
    columns = [pa.array(column, type_.type) for column, type_ in zip(keys, TALLY_SCHEMA, strict=False)]
    columns.append(pa.array([np.ascontiguousarray(sums, dtype="<i8").tobytes() for sums in deltas.values()], pa.binary()))
    return pa.Table.from_arrays(columns, schema=TALLY_SCHEMA)


def memory_rows(store: Store, keys: Iterable[MemoryKey] | pa.Table | None = None) -> pa.Table:
    """Rows of `memory` added up, sorted by key: sums, and of the union of clients the 8 smallest. All rows, or those of `keys`; a row
    of zeros is none."""
    if keys is None:
        return store.query(_ROWS.format("")).cast(MEMORY_SCHEMA)
    if not isinstance(keys, pa.Table):
        wanted = list(zip(*dict.fromkeys(keys), strict=True)) or [()] * len(KEYS)
        columns = [pa.array(column, type_.type) for column, type_ in zip(wanted, MEMORY_SCHEMA, strict=False)]
        keys = pa.Table.from_arrays(columns, names=list(KEYS))
    sql = _ROWS.format(f"SEMI JOIN forage_keys USING ({', '.join(KEYS)})")
    return store.query(sql, tables={"forage_keys": keys}).cast(MEMORY_SCHEMA)


def memory_rows_before(store: Store, day: int) -> pa.Table:
    """Rows of `memory` of days before `day`, added up, without those that were folded into day 0."""
    return store.query(_ROWS.format("WHERE day > 0 AND day < ?"), [day]).cast(MEMORY_SCHEMA)


def as_counts(table: pa.Table) -> MemoryCounts:
    """A table of added-up rows as counts by key."""
    keys = zip(*(table[name].to_pylist() for name in KEYS), strict=True)
    counts = np.stack([table[name].to_numpy() for name in COUNTS], axis=1).tolist() if table.num_rows else []
    return {key: (sums, frozenset(clients)) for key, sums, clients in zip(keys, counts, table["clients"].to_pylist(), strict=True)}


def as_rows(table: pa.Table) -> Iterator[MemoryRow]:
    """A table of added-up rows as messages, in its order. Trusted: the values are not validated a second time."""
    for (query_key, segment, entity_id, day), (counts, clients) in as_counts(table).items():
        yield MemoryRow.model_construct(
            query_key=query_key,
            segment=segment,
            entity_id=entity_id,
            day=day,
            shown=counts[:SHOWN],
            acted=counts[SHOWN:],
            clients=sorted(clients),
        )


def tally_rows(store: Store, keys: Iterable[TallyKey] | None = None, *, hours: Iterable[int] | None = None) -> Tallies:
    """Rows of `tallies` added up, ordered by key. All rows, or those of `keys` or `hours`. Raises CorruptFile if rows of a key differ in
    length."""
    sql, tables = "SELECT kind, arm, context, hour, sums FROM tallies", {}
    if keys is not None:
        wanted = list(zip(*dict.fromkeys(keys), strict=True)) or [()] * 4
        columns = [pa.array(column, type_.type) for column, type_ in zip(wanted, TALLY_SCHEMA, strict=False)]
        tables = {"forage_keys": pa.Table.from_arrays(columns, names=TALLY_SCHEMA.names[:4])}
        sql += " SEMI JOIN forage_keys USING (kind, arm, context, hour)"
    elif hours is not None:
        tables = {"forage_keys": pa.table({"hour": pa.array(list(hours), pa.int64())})}
        sql += " SEMI JOIN forage_keys USING (hour)"
    rows = store.query(sql, tables=tables)
    out: Tallies = {}
    for *parts, sums in zip(*(rows[name].to_pylist() for name in TALLY_SCHEMA.names), strict=True):
        key, more = (parts[0], parts[1], parts[2], parts[3]), np.frombuffer(sums, dtype="<i8")
        held = out.get(key)
        if held is not None and len(held) != len(more):
            raise CorruptFile(
                f"{store.path}: tallies of {key} have {len(held)} and {len(more)} sums; set the file aside and replay the log"
            )
        out[key] = more.astype(np.int64) if held is None else held + more
    return {key: out[key] for key in sorted(out)}
