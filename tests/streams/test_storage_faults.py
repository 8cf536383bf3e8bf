"""Bits that flip and bytes that are missing, at random places of what a worker has on disk: damage is named, or the state is right for its
offsets; never a wrong one.

DuckDB 2.0 keeps a checksum of each block of 256 kB, of both headers and of each entry of the WAL, and checks it when it reads them. What
nothing covers is room that no row uses, where a flip changes nothing, and the end of a WAL: cut off there, the file is that of an earlier
transaction, which is a right state too: the log has the rest.
"""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import CorruptFile
from streams.kernel.kernel import Kernel
from streams.kernel.share import digest_state
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore
from tests.streams.searchbox import RULES, records

IDS = {"search.impressions": "i", "search.actions": "a"}


def state_of(store):
    return tuple(store.next_offsets().values()), digest_state([store.share()], [store.kernel(RULES)])


class Written:
    """A file with a WAL beside it, as a killed worker leaves them, and the digest after each of its transactions, by offsets."""

    def __init__(self, path, digests):
        self.data, self.wal, self.digests = path.read_bytes(), Path(f"{path}.wal").read_bytes(), digests


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "partition-0.duckdb"
    log, kernel = records(7), Kernel(0, 1, RULES)
    with PartitionStore.open(path, 0, 1) as store:
        digests = dict([state_of(store)])
        for at in range(0, len(log), 20):
            store.commit(kernel.apply(log[at : at + 20]))
            digests.update([state_of(store)])
            if at < len(log) / 2:
                store.compact(RULES, 0)
        return Written(path, digests)


def damaged(data, place, how):
    """`place` in [0, 1) of the bytes; `how`: a bit to flip, or 8 to cut everything from there on."""
    at, out = int(place * len(data)), bytearray(data)
    if how == 8:
        return bytes(out[:at])
    out[at] ^= 1 << how
    return bytes(out)


PLACES, HOWS = st.floats(0, 1, exclude_max=True), st.integers(0, 8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(["file", "headers", "wal"]), PLACES, HOWS)
def test_a_damaged_file_is_named_or_right_for_its_offsets(written, tmp_path_factory, part, place, how):
    path = tmp_path_factory.mktemp("damaged") / "partition-0.duckdb"
    data, wal = written.data, written.wal
    if part == "wal":
        wal = damaged(wal, place, how)
    elif part == "file":
        data = damaged(data, place, how)
    else:  # three blocks of 4 kB, which say where everything else is
        data = damaged(data[:12_288], place, how) + (b"" if how == 8 else data[12_288:])
    path.write_bytes(data)
    Path(f"{path}.wal").write_bytes(wal)
    try:
        with PartitionStore.open(path, 0, 1) as store:
            offsets, digest = state_of(store)
    except CorruptFile:
        assert not path.exists()
        assert path.with_name("partition-0.duckdb.corrupt-1").exists()
    else:
        assert written.digests[offsets] == digest
    finally:
        shutil.rmtree(path.parent)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(["copy", "manifest"]), PLACES, HOWS)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path_factory, part, place, how):
    folder = tmp_path_factory.mktemp("state")
    store, local = StateStore.at(str(folder / "state")), folder / "local.duckdb"
    newest = Checkpoint(partition=0, partitions=1, epoch=9, next={"impressions": 20, "actions": 20}, owner="worker", topic_ids=IDS)
    (folder / "newest").write_bytes(random.Random(1).randbytes(5_000))
    (folder / "older").write_bytes(b"older")
    older = store.write(folder / "older", replace(newest, next={"impressions": 10, "actions": 10}))
    name = store.write(folder / "newest", newest)
    hurt = folder / "state" / "partition-0" / f"{name}.{'duckdb' if part == 'copy' else 'json'}"
    hurt.write_bytes(damaged(hurt.read_bytes(), place, how))
    for one in store.best(0, IDS):
        try:
            store.fetch(one, local)
        except CorruptFile:
            assert one.name == name
        else:
            assert local.read_bytes() == (b"older" if one.name == older else (folder / "newest").read_bytes())
            break
    assert local.exists()
    shutil.rmtree(folder)
