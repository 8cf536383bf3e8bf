"""Files of vectors: what is not whole and unchanged is refused, whatever was done to it."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrievers.vector_file import MAGIC, START, are_units, read_vectors, unit_rows, write_vectors
from schemas.errors import CorruptFile, InvalidSetting

KEYS = ["a", "b", "ü\n\u2028", ""]
ROWS = unit_rows(np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "good.vectors"
    write_vectors(path, KEYS, ROWS, model_id="m")
    return path


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match="make it again from the texts") as caught:
        read_vectors(path, model_id="m", dimensions=6)
    return str(caught.value)


def sealed(count: int, dimensions: int, rows: bytes, names: bytes) -> bytes:
    """What somebody writes who knows the format: the sum is right, the content is not."""
    rest = count.to_bytes(8, "big") + dimensions.to_bytes(8, "big") + rows + names
    return MAGIC + sha256(rest).digest() + rest


def names(*keys: object, model_id: object = "m") -> bytes:
    return json.dumps({"model_id": model_id, "keys": keys}).encode()


def test_reads_what_was_written_bit_by_bit(good) -> None:
    keys, vectors = read_vectors(good, model_id="m", dimensions=6)
    assert keys == KEYS
    assert vectors.tobytes() == ROWS.tobytes()
    assert not vectors.flags.writeable
    assert [path.name for path in good.parent.iterdir() if path.suffix == ".tmp"] == []


def test_layout(good) -> None:
    """Worked by hand: 16 + 32 + 8 + 8 bytes, 4 rows of 6 floats of 4 bytes, then the names."""
    data = good.read_bytes()
    assert (data[:16], START) == (b"FORAGE.VECTORS.1", 64)
    assert data[64 : 64 + 4 * 6 * 4] == ROWS.astype("<f4").tobytes()
    assert json.loads(data[64 + 96 :]) == {"model_id": "m", "keys": KEYS}


def test_every_flipped_bit_is_seen(good, tmp_path) -> None:
    data = good.read_bytes()
    for at in range(len(data)):
        refused(tmp_path / "bad", data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])


def test_every_cut_and_every_addition_is_seen(good, tmp_path) -> None:
    data = good.read_bytes()
    for end in range(len(data)):
        refused(tmp_path / "bad", data[:end])
    refused(tmp_path / "bad", data + b" ")


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused(data, tmp_path) -> None:
    refused(tmp_path / "bad", data)
    refused(tmp_path / "bad", MAGIC + sha256(data).digest() + data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sealed(2**60, 6, b"", names()), "too few for"),
        (sealed(2**64 - 1, 6, ROWS.tobytes(), names("a")), "too few for"),
        (sealed(4, 2**62, ROWS.tobytes(), names(*KEYS)), "dimensions, not 6"),
        (sealed(4, 6, ROWS.tobytes(), b"[" * 100_000), "do not read"),
        (sealed(4, 6, ROWS.tobytes(), b"null"), "do not read"),
        (sealed(4, 6, ROWS.tobytes(), names(*KEYS, model_id="other")), "of 'other', not of 'm'"),
        (sealed(4, 6, ROWS.tobytes(), names("a", "b", "a", "c")), "4 different keys"),
        (sealed(4, 6, ROWS.tobytes(), names("a", "b", 3, "c")), "4 different keys"),
        (sealed(4, 6, ROWS.tobytes(), names("a")), "4 different keys"),
        (sealed(4, 6, (2 * ROWS).tobytes(), names(*KEYS)), "not of length 1"),
        (sealed(4, 6, np.full((4, 6), np.nan, "<f4").tobytes(), names(*KEYS)), "not of length 1"),
        (sealed(4, 6, np.full((4, 6), np.inf, "<f4").tobytes(), names(*KEYS)), "not of length 1"),
    ],
)
def test_hostile_content_under_a_right_sum_is_refused(tmp_path, data: bytes, why: str) -> None:
    assert why in refused(tmp_path / "bad", data)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CorruptFile, match="does not read"):
            read_vectors(path, model_id="m", dimensions=6)


@pytest.mark.parametrize(("keys", "vectors"), [(["a", "a"], ROWS[:2]), (["a"], 3 * ROWS[:1]), (["a"], np.full((1, 6), np.nan))])
def test_what_could_not_be_read_is_not_written(tmp_path, keys, vectors) -> None:
    with pytest.raises(InvalidSetting, match="not of length 1, or a key twice"):
        write_vectors(tmp_path / "new", keys, vectors, model_id="m")
    assert list(tmp_path.iterdir()) == []


def test_unit_rows() -> None:
    """3-4-5 by hand; what has no direction becomes zeros."""
    given = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1], [1e-30, 0], [1e38, 0]], np.float32)
    assert unit_rows(given).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0], [0, 0], [0, 0], [1, 0], [1, 0]]
    assert are_units(unit_rows(given))
    assert not are_units(given[:1])
