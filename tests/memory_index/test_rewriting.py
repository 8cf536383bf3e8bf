"""A DuckDB file written anew: nobody gets in between, and a full disk is left as it was."""

import os
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from memory_index.erasure import rewrite
from memory_index.store import Store
from schemas.errors import Unavailable
from tests.checks.full_disk import largest_file

SQL = ["CREATE TABLE IF NOT EXISTS seen(id VARCHAR)"]


def ids(count: int, *, salt: str = "") -> pa.Table:
    return pa.table({"id": [sha256(f"{salt}{at}".encode()).hexdigest() for at in range(count)]})


def count(store: Store) -> int:
    return store.query("SELECT count(*) AS n FROM seen")["n"][0].as_py()


def test_whoever_waits_for_a_file_does_not_get_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace, met = tmp_path / "p.duckdb", os.replace, []

    def meanwhile(old: Path, new: Path) -> None:
        with pytest.raises(Unavailable, match="one owner at a time"):
            Store(path, SQL)
        replace(old, new)
        with pytest.raises(Unavailable, match="one owner at a time"):
            Store(path, SQL)
        met.append(path)

    with Store(path, SQL) as store:
        store.append({"seen": ids(10)})
        monkeypatch.setattr(os, "replace", meanwhile)
        rewrite(store, SQL)
        store.append({"seen": ids(5, salt="later")})
        with pytest.raises(Unavailable, match="one owner at a time"):
            Store(path, SQL)
    assert met == [path]
    with Store(path, SQL) as store:
        assert count(store) == 15


def test_a_full_disk_keeps_nothing_of_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "p.duckdb"
    with Store(path, SQL) as store:
        store.append({"seen": ids(30_000)})
        store.checkpoint()
        there = sorted(one.name for one in tmp_path.iterdir())
        with largest_file(path.stat().st_size // 2), pytest.raises(Unavailable, match=r"p\.duckdb\.tmp cannot be used now .*free the disk"):
            rewrite(store, SQL)
        assert sorted(one.name for one in tmp_path.iterdir()) == there
        assert count(store) == 30_000
        rewrite(store, SQL)
        store.append({"seen": ids(1, salt="later")})
        assert count(store) == 30_001


def test_a_file_that_cannot_take_the_place_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(old: Path, new: Path) -> None:
        raise OSError("no room")

    with Store(path := tmp_path / "p.duckdb", SQL) as store:
        store.append({"seen": ids(10)})
        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(Unavailable, match="is not written"):
            rewrite(store, SQL)
        assert not list(tmp_path.glob("*.tmp*"))
        store.append({"seen": ids(1, salt="later")})  # it goes on with the old file
        assert (store.path, count(store)) == (path, 11)


def test_what_duckdb_puts_down_meanwhile_is_not_in_the_way(tmp_path: Path) -> None:
    """It makes a folder when a query needs more than its memory; a killed process leaves it."""
    with Store(tmp_path / "p.duckdb", SQL) as store:
        spill = Path(store.query("SELECT current_setting('temp_directory') AS at")["at"][0].as_py())
        spill.mkdir()
        (spill / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"left")
        store.append({"seen": ids(3)})
        rewrite(store, SQL)
        assert (spill.parent, count(store)) == (tmp_path, 3)
