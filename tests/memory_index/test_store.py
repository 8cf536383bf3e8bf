"""The door to DuckDB: whole transactions, one owner, damage set aside and named."""

import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from memory_index.store import Store
from schemas.errors import CorruptFile, Unavailable
from tests.checks.full_disk import largest_file

SQL = ["CREATE TABLE IF NOT EXISTS seen(id VARCHAR NOT NULL, day BIGINT); CREATE TABLE IF NOT EXISTS applied(upto BIGINT)"]


def ids(*names: str) -> pa.Table:
    return pa.table({"id": list(names)})


def held(store: Store) -> list[str]:
    return store.query("SELECT id FROM seen ORDER BY id")["id"].to_pylist()


def test_rows_and_statements_commit_together_and_survive(tmp_path: Path) -> None:
    with Store(tmp_path / "s.duckdb", SQL) as store:
        store.append({"seen": ids("a", "b")}, [("INSERT INTO applied VALUES (?)", [7])])
    with Store(tmp_path / "s.duckdb", SQL) as store:
        assert held(store) == ["a", "b"]
        assert store.query("SELECT upto FROM applied WHERE upto = ?", [7]).to_pylist() == [{"upto": 7}]


def test_statements_run_before_the_appends(tmp_path: Path) -> None:
    with Store(tmp_path / "s.duckdb", SQL) as store:
        store.append({"seen": ids("a", "b")})
        store.append({"seen": ids("c")}, [("DELETE FROM seen", [])])
        assert held(store) == ["c"]


@pytest.mark.parametrize(
    ("tables", "statements"),
    [
        ({"seen": ids("b"), "missing": ids("c")}, []),
        ({"seen": pa.table({"id": ["b"], "other": [1]})}, []),
        ({"seen": pa.table({"id": pa.array([None], pa.string())})}, []),
        ({"seen": ids("b")}, [("DELETE FROM seen", []), ("INSERT INTO applied VALUES (?)", ["no number"])]),
        ({"seen": ids("b")}, [("DELETE FROM seen", []), ("INSERT INTO applied VALUES (?)", [object()])]),
    ],
)
def test_after_an_error_nothing_has_happened(tmp_path: Path, tables: dict, statements: list) -> None:
    with Store(tmp_path / "s.duckdb", SQL) as store:
        store.append({"seen": ids("a")})
        with pytest.raises((duckdb.Error, TypeError)):
            store.append(tables, statements)
        assert held(store) == ["a"]
        store.append({"seen": ids("z")})
        assert held(store) == ["a", "z"]


def test_a_query_may_name_tables_of_the_call_and_nothing_outside(tmp_path: Path) -> None:
    outside = ids("secret")  # a Python variable is no table
    with Store(tmp_path / "s.duckdb", SQL) as store:
        store.append({"seen": ids("a", "b", "c")})
        assert store.query("SELECT id FROM seen SEMI JOIN wanted USING (id)", tables={"wanted": ids("b")}).to_pylist() == [{"id": "b"}]
        for sql in ("FROM wanted", "FROM outside", f"FROM read_text('{__file__}')", "SET threads = 2"):
            with pytest.raises(duckdb.Error):
                store.query(sql)
    assert outside.num_rows == 1


def test_sql_reaches_one_file_fetches_nothing_and_is_bounded_for_good(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a\n1\n")
    with Store(tmp_path / "s.duckdb", SQL) as store:
        for sql in (f"SELECT * FROM read_csv('{tmp_path}/other.csv')", "SELECT * FROM read_text('/etc/hostname')"):
            with pytest.raises(duckdb.PermissionException):
                store.query(sql)
        outside = (f"COPY seen TO '{tmp_path}/out.csv'", f"ATTACH '{tmp_path}/o.duckdb'", "INSTALL httpfs", "LOAD httpfs")
        for sql in (*outside, "SET memory_limit = '8GB'", "SET enable_external_access = true"):
            with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException)):
                store.append({}, [(sql, [])])
        settings = {row["name"]: row["value"] for row in store.query("SELECT name, value FROM duckdb_settings()").to_pylist()}
    bounds = {name: settings[name] for name in ("memory_limit", "max_temp_directory_size", "threads")}
    assert bounds == {"memory_limit": "953.6 MiB", "max_temp_directory_size": "1.8 GiB", "threads": "1"}
    assert settings["temp_directory"] == f"{tmp_path}/s.duckdb.spill"
    assert settings["autoinstall_known_extensions"] == settings["autoload_known_extensions"] == "false"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.csv", "s.duckdb", "s.duckdb.lock"]


def test_a_second_owner_is_refused_until_the_first_closes(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    first = Store(path, SQL)
    program = (
        f"from memory_index.store import Store\nfrom schemas.errors import Unavailable\n"
        f"try: Store({str(path)!r}, [])\nexcept Unavailable: raise SystemExit(3)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 3
    with pytest.raises(Unavailable, match="one owner at a time"):
        Store(path, SQL)
    first.append({"seen": ids("a")})
    first.close()
    first.close()
    with Store(path, SQL) as store:
        assert held(store) == ["a"]


def test_a_lock_of_duckdb_alone_is_unavailable_too(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    program = f"import duckdb\ncon = duckdb.connect({str(path)!r})\nprint('open', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(Unavailable, match="lock"):
            Store(path, SQL)
        other.communicate("\n")
    Store(path, SQL).close()


def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="writable folder"):
        Store(tmp_path / "missing" / "s.duckdb", SQL)
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable):
        Store(tmp_path / "folder", SQL)
    assert (tmp_path / "folder").is_dir()


def test_commits_outlive_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    program = f"""
import os, signal, pyarrow as pa
from memory_index.store import Store
store = Store({str(path)!r}, {SQL!r})
for at in range(5):
    store.append({{"seen": pa.table({{"id": [str(at)]}})}})
store._con.execute("BEGIN")
store._con.execute("INSERT INTO seen VALUES ('open', 0)")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == -signal.SIGKILL
    with Store(path, SQL) as store:
        assert held(store) == ["0", "1", "2", "3", "4"]


def written(path: Path) -> None:
    """A file with ten rows in it and ten in its WAL, as a killed process leaves it."""
    program = f"""
import os, signal, pyarrow as pa
from memory_index.store import Store
store = Store({str(path)!r}, {SQL!r})
store.append({{"seen": pa.table({{"id": [str(at) for at in range(10)]}})}})
store.checkpoint()
store.append({{"seen": pa.table({{"id": [str(at) for at in range(10, 20)]}})}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], timeout=60)


@pytest.mark.parametrize("damage", ["garbage", "cut", "flip", "wal"])
def test_a_damaged_file_is_set_aside_and_a_new_one_starts(tmp_path: Path, damage: str) -> None:
    path, wal = tmp_path / "s.duckdb", tmp_path / "s.duckdb.wal"
    written(path)
    data, log = bytearray(path.read_bytes()), bytearray(wal.read_bytes())
    if damage == "garbage":
        data = bytearray(b"not a database" * 1000)
    elif damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flip":
        data[8192 + 500] ^= 0xFF
    else:
        log[len(log) // 2] ^= 0xFF
    path.write_bytes(data)
    wal.write_bytes(log)
    with pytest.raises(CorruptFile, match=r"s\.duckdb\.corrupt-1: open again"):
        Store(path, SQL)
    assert (tmp_path / "s.duckdb.corrupt-1").read_bytes() == data
    assert (tmp_path / "s.duckdb.wal.corrupt-1").read_bytes() == log
    with Store(path, SQL) as store:
        assert held(store) == []
    path.write_bytes(b"garbage again")
    with pytest.raises(CorruptFile, match="corrupt-2"):
        Store(path, SQL)
    assert sorted(os.listdir(tmp_path)) == [
        "s.duckdb.corrupt-1", "s.duckdb.corrupt-2", "s.duckdb.lock", "s.duckdb.wal.corrupt-1",
    ]  # fmt: skip


def test_damage_found_while_reading_is_set_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    with Store(path, SQL) as store:
        store.append({"seen": pa.table({"id": [f"name {at * at}" for at in range(200_000)]})})
    data = bytearray(path.read_bytes())
    for at in range(12288 + 4096, len(data), 262144):  # once in each block after the three headers
        data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match="corrupt-1"), Store(path, SQL) as store:
        store.query("SELECT max(id) FROM seen")
    assert not path.exists()


@pytest.mark.parametrize("when", ["commit", "checkpoint"])
def test_a_full_disk_is_no_damage(tmp_path: Path, when: str) -> None:
    """The file stays where it is: set aside, it would take everything that was learned with it."""
    path = tmp_path / "s.duckdb"
    rows = pa.table({"id": [sha256(str(at).encode()).hexdigest() for at in range(30_000)]})
    with Store(path, SQL) as store:
        store.append({"seen": ids("a")})
        store.checkpoint()
        if when == "checkpoint":
            store.append({"seen": rows})
        with largest_file(path.stat().st_size + 100_000), pytest.raises(Unavailable, match=r"cannot be used now .*free the disk"):
            store.append({"seen": rows}) if when == "commit" else store.checkpoint()
    assert not list(tmp_path.glob("*.corrupt-*"))
    with Store(path, SQL) as store:
        assert len(held(store)) == (1 if when == "commit" else 30_001)
