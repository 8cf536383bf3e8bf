"""A snapshot comes back exactly or is refused by name; whatever happens the reader keeps what it had."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from memory_index.counts import WIDTH, MemoryCounts
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from memory_index.shares import memory_table
from memory_index.snapshot import SCHEMA, load, read_snapshot, table_of, write_snapshot
from schemas.errors import CorruptFile, NotFound, Unavailable
from tests.checks.full_disk import largest_file

APPLIED = {"memory.q2e:0": [12], "memory.q2e:1": [7, 3, 4]}
COUNTS: MemoryCounts = {
    ("halo", "", "a", 100): ([2] * 6 + [0, 2] + [0] * 8, frozenset({1, 2**63 - 1})),
    ("halo", "de", "b", 101): ([1] * 6 + [0] * 10, frozenset()),
    ("mario", "", "a", 99): ([0] * 6 + [0, 1] + [0] * 8, frozenset({5})),
}


def filled(*sources: int) -> MemoryReader:
    reader = MemoryReader(Reading(min_clients=1))
    for source in sources:
        reader.add(source, COUNTS)
    return reader


def answers(reader: MemoryReader) -> list:
    looks = [reader.lookup(query, segment, ["a", "b"]) for query in ("halo", "mario") for segment in ("", "de")]
    return [reader.rows(), reader.newest_day, reader.totals(), reader.totals("de"), reader.entities("halo", ""), *looks]


def write(folder: Path, reader: MemoryReader, seq: int) -> None:
    write_snapshot(folder, table_of(reader), seq=seq, applied=APPLIED, created=1_000)


def test_a_reader_comes_back_with_its_sources(tmp_path: Path) -> None:
    first, second = filled(0, 3), filled()
    write(tmp_path, first, 5)
    manifest = load(tmp_path, second)
    assert (manifest.seq, manifest.rows, manifest.applied, manifest.created) == (5, 6, APPLIED, 1_000)
    assert answers(second) == answers(first)
    assert dict.fromkeys((s, k) for s, k, _ in second.shares()) == dict.fromkeys((s, k) for s, k, _ in first.shares())
    for reader in (first, second):
        reader.add(3, COUNTS)
    assert answers(second) == answers(first)
    assert second.rows() == 6


def test_rows_of_a_store_are_of_source_0_and_none_are_fine(tmp_path: Path) -> None:
    write_snapshot(tmp_path, memory_table(COUNTS), seq=0, applied={}, created=0)
    reader = filled(8)
    load(tmp_path, reader)
    assert sorted((source, key) for source, key, _ in reader.shares()) == [(0, key) for key in sorted(COUNTS)]
    write_snapshot(tmp_path, SCHEMA.empty_table(), seq=1, applied={}, created=0)
    load(tmp_path, reader)
    assert answers(reader) == answers(filled())


def test_the_last_three_files_stay_and_the_manifest_names_the_newest(tmp_path: Path) -> None:
    for seq in range(1, 6):
        write(tmp_path, filled(*range(seq)), seq)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manifest.json", "memory-0000000003.parquet", "memory-0000000004.parquet", "memory-0000000005.parquet",
    ]  # fmt: skip
    assert read_snapshot(tmp_path)[0].num_rows == 15


def test_older_snapshots_are_refused_by_readers_and_writers(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    assert read_snapshot(tmp_path, at_least=5)[1].seq == 5
    with pytest.raises(CorruptFile, match="seq 5, older than 6"):
        read_snapshot(tmp_path, at_least=6)
    with pytest.raises(CorruptFile, match="seq 5, newer than 4"):
        write(tmp_path, filled(0), 4)


def test_no_snapshot_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="start from the topic"):
        read_snapshot(tmp_path)


def test_every_damaged_byte_is_refused_and_the_reader_keeps_what_it_has(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    reader = filled(1, 2)
    before = answers(reader)
    rows, manifest = tmp_path / "memory-0000000005.parquet", tmp_path / "manifest.json"
    good = rows.read_bytes()
    for bad in [good[:0], good[:-1], good + b"x", *(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(0, len(good), 37))]:
        rows.write_bytes(bad)
        with pytest.raises(CorruptFile, match="memory-0000000005"):
            load(tmp_path, reader)
    rows.unlink()
    with pytest.raises(CorruptFile, match="does not read"):
        load(tmp_path, reader)
    rows.write_bytes(good)
    text = manifest.read_bytes()
    flipped = [text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :] for at in range(len(text)) for bit in (1, 2)]  # digits stay digits
    for bad in (b"", text[:-1], text.replace(b"memory_snapshot", b"policy"), text.replace(b'"rows":3', b'"rows":4'), *flipped):
        manifest.write_bytes(bad)
        with pytest.raises(CorruptFile):
            load(tmp_path, reader)
    assert answers(reader) == before
    manifest.write_bytes(text)
    load(tmp_path, reader)
    assert reader.rows() == 3


def test_a_write_cut_off_before_its_manifest_leaves_the_old_snapshot(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    text = (tmp_path / "manifest.json").read_bytes()
    write(tmp_path, filled(0, 1), 6)
    (tmp_path / "manifest.json").write_bytes(text)
    (tmp_path / "memory-0000000007.parquet.tmp").write_bytes(b"half")
    assert read_snapshot(tmp_path)[1].seq == 5


def test_a_damaged_manifest_is_replaced_by_the_next_snapshot_and_never_by_an_older_one(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    (tmp_path / "manifest.json").write_bytes(b"{")
    with pytest.raises(CorruptFile, match="seq 5, newer than 4"):
        write(tmp_path, filled(0), 4)
    write(tmp_path, filled(0, 1), 6)
    assert read_snapshot(tmp_path)[1].seq == 6


def test_a_full_disk_leaves_the_last_snapshot_and_no_half_file(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    with largest_file(1_000), pytest.raises(Unavailable, match=r"memory-0000000006\.parquet is not written .*make room"):
        write(tmp_path, filled(0, 1), 6)
    assert read_snapshot(tmp_path)[1].seq == 5
    assert not list(tmp_path.glob("*.tmp"))
    write(tmp_path, filled(0, 1), 6)
    assert read_snapshot(tmp_path)[1].seq == 6


def test_other_columns_nulls_and_impossible_numbers_are_refused(tmp_path: Path) -> None:
    good = table_of(filled(0))
    null = pa.array([None, "x", "y"], pa.string())
    for bad in (good.drop_columns(["day"]), good.append_column("more", good["day"]), good.set_column(0, "query_key", null)):
        with pytest.raises(CorruptFile):
            write_snapshot(tmp_path, bad, seq=1, applied={}, created=0)
    assert not any(tmp_path.iterdir())
    for column, value in (("shown_1", -1), ("shown_1", 2**31), ("day", -1)):
        at = good.column_names.index(column)
        write_snapshot(tmp_path, good.set_column(at, column, pa.array([value] * 3)), seq=1, applied={}, created=0)
        with pytest.raises(CorruptFile):
            load(tmp_path, filled(0))


def test_the_file_is_plain_parquet(tmp_path: Path) -> None:
    write(tmp_path, filled(0), 5)
    rows = pq.read_table(tmp_path / "memory-0000000005.parquet").to_pylist()
    assert rows[0] == {
        "query_key": "halo", "segment": "", "entity_id": "a", "day": 100, "source": 0, "clients": [1, 2**63 - 1],
        **{f"shown_{at}": 2 for at in range(1, 7)}, **{f"acted_{at}": 2 if at == 2 else 0 for at in range(1, WIDTH - 5)},
    }  # fmt: skip
