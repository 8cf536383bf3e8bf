"""Checkpoints under a URL, of a folder and of S3: whole or not at all, the newest sound one first, three of them kept."""

import json
import socket
import threading
from dataclasses import replace
from uuid import uuid4

import pyarrow as pa
import pytest
from pyarrow import fs

from memory_index.store import Store
from schemas.errors import CorruptFile, InvalidSetting, Unavailable
from streams import state_store
from streams.state_store import KEEP, Checkpoint, StateStore
from tests.streams.s3_server import S3Server

IDS = {"search.impressions": "i", "search.actions": "a"}
FIRST = Checkpoint(0, 7, {"impressions": 10, "actions": 5}, "worker 1", IDS, 1)


KEY, SECRET = "AKIAEXAMPLEEXAMPLE00", "a-secret-that-nobody-may-see"


class Place:
    """Where a store keeps its files, seen past the store."""

    def __init__(self, url, files, root):
        self.url, self._files, self._root = url, files, f"{root}/partition-0"

    def names(self):
        return sorted(one.base_name for one in self._files.get_file_info(fs.FileSelector(self._root, allow_not_found=True)))

    def read(self, name):
        with self._files.open_input_stream(f"{self._root}/{name}") as file:
            return file.read()

    def write(self, name, data):
        self._files.create_dir(self._root, recursive=True)
        with self._files.open_output_stream(f"{self._root}/{name}") as file:
            file.write(data)

    def delete(self, name):
        self._files.delete_file(f"{self._root}/{name}")

    def damage(self, name, where):
        data = bytearray(self.read(name))
        data[where] ^= 1
        self.write(name, bytes(data))


@pytest.fixture(scope="session")
def s3():
    server = S3Server()
    yield server
    server.kill()


@pytest.fixture
def keys(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def bucket_of(server):
    files = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{server.port}", scheme="http", region="us-east-1", allow_bucket_creation=True)
    bucket = f"b-{uuid4().hex}"
    files.create_dir(bucket)
    return files, bucket


@pytest.fixture(params=["folder", "s3"])
def root(request, tmp_path, keys):
    if request.param == "folder":
        return Place(str(tmp_path / "state"), fs.LocalFileSystem(), str(tmp_path / "state"))
    files, bucket = bucket_of(server := request.getfixturevalue("s3"))
    return Place(server.url(f"{bucket}/state"), files, f"{bucket}/state")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "partition-0.duckdb"
    path.write_bytes(b"state at 15" * 200_000)  # more than one chunk
    return path


def at(impressions, actions, **more):
    return replace(FIRST, next={"impressions": impressions, "actions": actions}, **more)


def test_a_checkpoint_is_read_back_by_another_worker(root, file, tmp_path):
    name = StateStore.at(root.url).write(file, FIRST)
    assert name == "000000000000007-000000000000010-000000000000005-worker_1"
    other = StateStore.at(root.url)
    (best,) = other.best(0, IDS)
    assert (best.partition, best.epoch, best.next, best.owner, best.topic_ids) == (0, 7, FIRST.next, "worker 1", IDS)
    other.fetch(best, tmp_path / "copy.duckdb")
    assert (tmp_path / "copy.duckdb").read_bytes() == file.read_bytes()
    assert not list(tmp_path.glob("*.fetching"))
    assert other.best(1, IDS) == []


def test_the_highest_offsets_come_first_then_the_highest_epoch(root, file):
    store = StateStore.at(root.url)
    written = [at(20, 0, epoch=9), at(20, 5, epoch=8), at(24, 1, epoch=7)]
    for one in written:
        store.write(file, one)
    assert [(one.epoch, *one.next.values()) for one in store.best(0, IDS)] == [(8, 5, 20), (7, 1, 24), (9, 0, 20)]
    assert (store.highest_epoch(0), store.highest_epoch(1)) == (9, 0)


def test_checkpoints_of_other_topics_are_passed_over(root, file):
    store = StateStore.at(root.url)
    store.write(file, FIRST)
    store.write(file, at(90, 90, topic_ids={**IDS, "search.actions": "made anew"}))
    store.write(file, at(80, 80, topic_ids={}))
    assert [one.next for one in store.best(0, IDS)] == [{"actions": 5, "impressions": 10}]


def test_three_are_kept_and_manifests_go_first(root, file):
    store = StateStore.at(root.url)
    for number in range(6):
        store.write(file, at(number, number))
    kept = [f"000000000000007-{n:015d}-{n:015d}-worker_1{end}" for n in range(6 - KEEP, 6) for end in (".duckdb", ".json")]
    assert root.names() == kept
    assert KEEP == 3


@pytest.mark.parametrize("where", [0, 1_500_000, -1])
def test_a_flipped_byte_is_refused_and_the_local_file_stays(root, file, tmp_path, where):
    store, local = StateStore.at(root.url), tmp_path / "local.duckdb"
    name = store.write(file, FIRST)
    root.damage(f"{name}.duckdb", where)
    local.write_bytes(b"mine")
    with pytest.raises(CorruptFile, match=f"checkpoint {name} has other bytes than its manifest says; delete it"):
        store.fetch(store.best(0, IDS)[0], local)
    assert local.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.fetching"))


def test_a_checkpoint_whose_file_is_gone_is_refused(root, file, tmp_path):
    store = StateStore.at(root.url)
    root.delete(f"{store.write(file, FIRST)}.duckdb")
    with pytest.raises(CorruptFile, match="has lost its file"):
        store.fetch(store.best(0, IDS)[0], tmp_path / "local.duckdb")


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"partition":0}', '{"partition":1,"epoch":1,"next":{},"owner":"","topic_ids":{}}'])
def test_a_manifest_that_was_half_written_is_no_checkpoint(root, file, manifest):
    store = StateStore.at(root.url)
    store.write(file, FIRST)
    root.write(f"{at(99, 99).name}.json", manifest.encode())
    assert [one.next["impressions"] for one in store.best(0, IDS)] == [10]


def test_a_file_without_a_manifest_is_no_checkpoint(root, file):
    store = StateStore.at(root.url)
    name = store.write(file, FIRST)
    root.delete(f"{name}.json")
    assert store.best(0, IDS) == []
    assert store.write(file, FIRST) == name
    assert len(store.best(0, IDS)) == 1


def test_a_copy_that_was_cut_off_is_deleted_once_a_newer_one_is_whole(root, file):
    """A worker that is killed in the middle of each copy must not fill the store. What a newer owner writes now is left alone."""
    store = StateStore.at(root.url)
    for one in (FIRST, at(9, 5), at(11, 5), at(0, 0, epoch=8)):
        root.write(f"{one.name}.duckdb", b"cut o")
    name = store.write(file, at(10, 6))
    assert root.names() == [f"{name}.duckdb", f"{name}.json", f"{at(11, 5).name}.duckdb", f"{at(0, 0, epoch=8).name}.duckdb"]


def test_a_manifest_is_written_once_and_fits_its_file_for_ever(root, file, tmp_path):
    """The same offsets again: the file may have other bytes by then, and a crash between file and manifest must ruin nothing."""
    store = StateStore.at(root.url)
    name = store.write(file, FIRST)
    before = json.loads(root.read(f"{name}.json"))
    file.write_bytes(b"the same state, compacted")
    assert store.write(file, FIRST) == name
    assert json.loads(root.read(f"{name}.json")) == before
    store.fetch(store.best(0, IDS)[0], tmp_path / "copy.duckdb")


def test_the_log_of_a_replaced_file_does_not_outlive_it(root, file, tmp_path):
    store, local = StateStore.at(root.url), tmp_path / "local.duckdb"
    store.write(file, FIRST)
    (tmp_path / "local.duckdb.wal").write_bytes(b"writes to the old file")
    store.fetch(store.best(0, IDS)[0], local)
    assert not (tmp_path / "local.duckdb.wal").exists()


@pytest.mark.parametrize("url", ["nonsense://x", "/proc/forage"])
def test_a_url_that_cannot_be_used_is_refused_with_the_remedy(url):
    with pytest.raises(Unavailable, match=r"state store .* cannot be used .*give a folder or an s3:// URL"):
        StateStore.at(url)


class Meanwhile(threading.Event):
    """A copy asks before each piece whether it is to stop: then `does` is done, before the piece `at`."""

    def __init__(self, does, *, at=1, stop=False):
        super().__init__()
        self._does, self._at, self._stop = does, at, stop

    def is_set(self):
        self._at -= 1
        if self._at == -1:
            self._does()
        return self._stop and self._at < 0


@pytest.fixture
def used(tmp_path):
    """A partition's file that is open: some MB as of its last checkpoint."""
    with Store(tmp_path / "used.duckdb", ["CREATE TABLE IF NOT EXISTS facts(fact VARCHAR)"]) as store:
        add(store, 100_000)
        store.checkpoint()
        yield store


def add(store, count):
    store.append({"facts": pa.table({"fact": [uuid4().hex for _ in range(count)]})})


def test_what_is_committed_while_a_file_is_copied_waits_for_the_next_copy(root, used, tmp_path):
    assert used.path.stat().st_size > 2 * state_store.CHUNK
    store = StateStore.at(root.url)
    store.write(used.path, FIRST, Meanwhile(lambda: add(used, 50_000)))
    store.fetch(store.best(0, IDS)[0], tmp_path / "copy.duckdb")
    with Store(tmp_path / "copy.duckdb", []) as copy:
        assert copy.query("SELECT count(*) AS n FROM facts")["n"][0].as_py() == 100_000
    assert used.query("SELECT count(*) AS n FROM facts")["n"][0].as_py() == 150_000


def test_a_file_that_is_folded_while_it_is_copied_is_no_checkpoint(root, used):
    def fold():
        add(used, 10)
        used.checkpoint()

    store = StateStore.at(root.url)
    with pytest.raises(Unavailable, match="was folded while it was copied"):
        store.write(used.path, FIRST, Meanwhile(fold))
    assert root.names() == []
    assert store.write(used.path, FIRST) == FIRST.name


def test_a_copy_that_is_stopped_leaves_nothing(root, file, tmp_path):
    store, local = StateStore.at(root.url), tmp_path / "local.duckdb"
    with pytest.raises(Unavailable, match="was stopped"):
        store.write(file, FIRST, Meanwhile(lambda: None, stop=True))
    assert root.names() == []
    store.write(file, FIRST)
    with pytest.raises(Unavailable, match="was stopped"):
        store.fetch(store.best(0, IDS)[0], local, Meanwhile(lambda: None, stop=True))
    assert not local.exists()


def test_a_server_that_goes_away_in_the_middle_leaves_no_manifest_and_the_next_round_is_whole(file, keys):
    server = S3Server()
    try:
        files, bucket = bucket_of(server)
        store = StateStore.at(server.url(f"{bucket}/state"))
        with pytest.raises(OSError, match=r"Could not connect|NETWORK_CONNECTION"):
            store.write(file, FIRST, Meanwhile(server.kill))
        server.start()  # it has forgotten everything
        files.create_dir(bucket)
        assert store.best(0, IDS) == []
        assert store.write(file, FIRST) == FIRST.name
    finally:
        server.kill()


def test_wrong_keys_are_refused_and_said_nowhere(keys):
    server = S3Server(refusing=True)
    try:
        with pytest.raises(Unavailable, match=r"state store s3://bucket/state cannot be used .*ACCESS_DENIED") as caught:
            StateStore.at(server.url("bucket/state"))
    finally:
        server.kill()
    assert KEY not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(keys, monkeypatch):
    monkeypatch.setattr(state_store, "ANSWER", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        with pytest.raises(Unavailable, match="cannot be used"):
            StateStore.at(f"s3://bucket/state?endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http&region=us-east-1")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://KEY:hidden@bucket/state", r"s3://bucket/state has a key before the bucket .*; keys are taken from AWS_ACCESS_KEY_ID"),
        ("s3://bucket/state?secret_key=hidden", r"s3://bucket/state has the option secret_key; .*only endpoint_override, region"),
    ],
)
def test_keys_in_a_url_are_refused_and_not_repeated(url, words):
    with pytest.raises(InvalidSetting, match=words) as caught:
        StateStore.at(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["s3", "S3", "s3a", "gs"])
@pytest.mark.parametrize("options", ["", "?secret_key=Zh1dden"])
def test_a_secret_with_a_slash_in_a_url_is_said_nowhere(scheme, options):
    url = f"{scheme}://AKIAEXAMPLE:wJalr/XUt@bucket/x{options}"
    with pytest.raises((InvalidSetting, Unavailable), match=rf"state store {scheme}://bucket/x\b") as caught:
        StateStore.at(url)
    assert not [part for part in ("AKIA", "wJalr", "XUt", "Zh1dden") if part in str(caught.value)]
    assert isinstance(caught.value, InvalidSetting) or scheme != "s3"
