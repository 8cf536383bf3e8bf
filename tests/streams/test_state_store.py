"""Checkpoints under a URL: whole or not at all, the newest sound one first, three of them kept."""

import json
from dataclasses import replace

import pytest

from schemas.errors import CorruptFile, Unavailable
from streams.state_store import KEEP, Checkpoint, StateStore

IDS = {"search.impressions": "i", "search.actions": "a"}
FIRST = Checkpoint(0, 7, {"impressions": 10, "actions": 5}, "worker 1", IDS, 1)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "partition-0.duckdb"
    path.write_bytes(b"state at 15" * 200_000)  # more than one chunk
    return path


def at(impressions, actions, **more):
    return replace(FIRST, next={"impressions": impressions, "actions": actions}, **more)


def damage(path, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


def test_a_checkpoint_is_read_back_by_another_worker(root, file, tmp_path):
    name = StateStore.at(str(root)).write(file, FIRST)
    assert name == "000000000000007-000000000000010-000000000000005-worker_1"
    other = StateStore.at(f"file://{root}")
    (best,) = other.best(0, IDS)
    assert (best.partition, best.epoch, best.next, best.owner, best.topic_ids) == (0, 7, FIRST.next, "worker 1", IDS)
    other.fetch(best, tmp_path / "copy.duckdb")
    assert (tmp_path / "copy.duckdb").read_bytes() == file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.duckdb", "partition-0.duckdb", "state"]
    assert other.best(1, IDS) == []


def test_the_highest_offsets_come_first_then_the_highest_epoch(root, file):
    store = StateStore.at(str(root))
    written = [at(20, 0, epoch=9), at(20, 5, epoch=8), at(24, 1, epoch=7)]
    for one in written:
        store.write(file, one)
    assert [(one.epoch, *one.next.values()) for one in store.best(0, IDS)] == [(8, 5, 20), (7, 1, 24), (9, 0, 20)]
    assert (store.highest_epoch(0), store.highest_epoch(1)) == (9, 0)


def test_checkpoints_of_other_topics_are_passed_over(root, file):
    store = StateStore.at(str(root))
    store.write(file, FIRST)
    store.write(file, at(90, 90, topic_ids={**IDS, "search.actions": "made anew"}))
    store.write(file, at(80, 80, topic_ids={}))
    assert [one.next for one in store.best(0, IDS)] == [{"actions": 5, "impressions": 10}]


def test_three_are_kept_and_manifests_go_first(root, file):
    store = StateStore.at(str(root))
    for number in range(6):
        store.write(file, at(number, number))
    kept = [f"000000000000007-{n:015d}-{n:015d}-worker_1{end}" for n in range(6 - KEEP, 6) for end in (".duckdb", ".json")]
    assert sorted(path.name for path in (root / "partition-0").iterdir()) == kept
    assert KEEP == 3


@pytest.mark.parametrize("where", [0, 1_500_000, -1])
def test_a_flipped_byte_is_refused_and_the_local_file_stays(root, file, tmp_path, where):
    store, local = StateStore.at(str(root)), tmp_path / "local.duckdb"
    name = store.write(file, FIRST)
    damage(root / "partition-0" / f"{name}.duckdb", where)
    local.write_bytes(b"mine")
    with pytest.raises(CorruptFile, match=f"checkpoint {name} has other bytes than its manifest says; delete it"):
        store.fetch(store.best(0, IDS)[0], local)
    assert local.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.fetching"))


def test_a_checkpoint_whose_file_is_gone_is_refused(root, file, tmp_path):
    store = StateStore.at(str(root))
    (root / "partition-0" / f"{store.write(file, FIRST)}.duckdb").unlink()
    with pytest.raises(CorruptFile, match="has lost its file"):
        store.fetch(store.best(0, IDS)[0], tmp_path / "local.duckdb")


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"partition":0}', '{"partition":1,"epoch":1,"next":{},"owner":"","topic_ids":{}}'])
def test_a_manifest_that_was_half_written_is_no_checkpoint(root, file, manifest):
    store = StateStore.at(str(root))
    store.write(file, FIRST)
    (root / "partition-0" / f"{at(99, 99).name}.json").write_text(manifest)
    assert [one.next["impressions"] for one in store.best(0, IDS)] == [10]


def test_a_file_without_a_manifest_is_no_checkpoint(root, file):
    store = StateStore.at(str(root))
    name = store.write(file, FIRST)
    (root / "partition-0" / f"{name}.json").unlink()
    assert store.best(0, IDS) == []
    assert store.write(file, FIRST) == name
    assert len(store.best(0, IDS)) == 1


def test_a_copy_that_was_cut_off_is_deleted_once_a_newer_one_is_whole(root, file):
    """A worker that is killed in the middle of each copy must not fill the store. What a newer owner writes now is left alone."""
    store, folder = StateStore.at(str(root)), root / "partition-0"
    folder.mkdir()
    for one in (FIRST, at(9, 5), at(11, 5), at(0, 0, epoch=8)):
        (folder / f"{one.name}.duckdb").write_bytes(b"cut o")
    name = store.write(file, at(10, 6))
    left = sorted(path.name for path in folder.iterdir())
    assert left == [f"{name}.duckdb", f"{name}.json", f"{at(11, 5).name}.duckdb", f"{at(0, 0, epoch=8).name}.duckdb"]


def test_a_manifest_is_written_once_and_fits_its_file_for_ever(root, file, tmp_path):
    """The same offsets again: the file may have other bytes by then, and a crash between file and manifest must ruin nothing."""
    store = StateStore.at(str(root))
    name = store.write(file, FIRST)
    before = json.loads((root / "partition-0" / f"{name}.json").read_bytes())
    file.write_bytes(b"the same state, compacted")
    assert store.write(file, FIRST) == name
    assert json.loads((root / "partition-0" / f"{name}.json").read_bytes()) == before
    store.fetch(store.best(0, IDS)[0], tmp_path / "copy.duckdb")


def test_the_log_of_a_replaced_file_does_not_outlive_it(root, file, tmp_path):
    store, local = StateStore.at(str(root)), tmp_path / "local.duckdb"
    store.write(file, FIRST)
    (tmp_path / "local.duckdb.wal").write_bytes(b"writes to the old file")
    store.fetch(store.best(0, IDS)[0], local)
    assert not (tmp_path / "local.duckdb.wal").exists()


@pytest.mark.parametrize("url", ["nonsense://x", "/proc/forage"])
def test_a_url_that_cannot_be_used_is_refused_with_the_remedy(url):
    with pytest.raises(Unavailable, match=r"state store .* cannot be used .*give a folder or an s3:// URL"):
        StateStore.at(url)
