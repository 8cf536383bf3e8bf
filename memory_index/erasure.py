"""Nothing left of what was deleted: DuckDB files written anew without their free blocks, outcome logs without finals of erased people."""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from memory_index.durable import write_then_rename
from memory_index.outcome_log import rows_of, write
from memory_index.store import Store

AT_ONCE = 100_000  # rows


def rewrite(store: Store, schema_sql: Sequence[str]) -> None:
    """The same tables in a new file, which takes the place of the old one: what was deleted lingers in no free block and no WAL.

    Nobody else can have the file meanwhile. The old file is there until the new one is whole; then, and after Unavailable, `store` goes on
    with what is there. Raises as Store does.
    """
    path = store.path

    def fill(to: Path) -> None:
        _unlink(to)  # of a rewriting that was cut off
        with Store(to, schema_sql) as copy:
            for name in store.query("SELECT table_name AS name FROM duckdb_tables()")["name"].to_pylist():
                _copy(name, store, copy)
            copy.checkpoint()
        Path(f"{to}.lock").unlink()
        store.checkpoint()
        store.disconnect()  # its WAL is gone with this: none may meet the new file

    try:
        write_then_rename(path, fill)
    except BaseException:
        with suppress(OSError):  # half a file must not keep the disk full
            _unlink(path.with_name(f"{path.name}.tmp"))
        raise
    finally:
        store.connect()


def _unlink(path: Path) -> None:
    for end in ("", ".wal", ".lock"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def _copy(name: str, store: Store, copy: Store) -> None:
    end = store.query(f'SELECT coalesce(max(rowid), -1) + 1 AS size FROM "{name}"')["size"][0].as_py()
    for start in range(0, end, AT_ONCE):
        copy.append({name: store.query(f'SELECT * FROM "{name}" WHERE rowid >= ? AND rowid < ?', [start, start + AT_ONCE])})


def erase_outcomes(folder: Path, people: Mapping[str, int]) -> int:
    """Write those files of an outcome log (memory_index.outcome_log) anew that hold finals of these people, keyed hashes in 16 hex digits,
    from record time (ms) or before; amendments to them go, too. Returns how many finals went. Raises CorruptFile."""
    finals: set[str] = set()
    for path in sorted(folder.glob("*.parquet")):
        rows = rows_of(path, ["id", "type", "time", "client"]).to_pylist()
        finals |= {row["id"] for row in rows if row["type"] == "final" and row["time"] <= people.get(row["client"], -1)}
    for path in sorted(folder.glob("*.parquet")) if finals else ():
        rows = rows_of(path)
        gone = [_of(row, finals) for row in rows.select(["id", "type", "body"]).to_pylist()]
        if any(gone):
            left = rows.filter(pa.array([not one for one in gone]))
            if left.num_rows:
                write(folder, left)
            path.unlink()
    return len(finals)


def _of(row: Mapping[str, Any], finals: Collection[str]) -> bool:
    return (row["id"] if row["type"] == "final" else json.loads(row["body"])["final_id"]) in finals
