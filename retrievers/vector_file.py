"""Named unit vectors in one file, checked to the last bit before anything in it is believed.

    MAGIC (16 bytes) | SHA-256 of all that follows (32) | count (8, big-endian) | dimensions (8) | vectors | names

The vectors are little-endian float32, shape (count, dimensions); the names are JSON: {"model_id": text, "keys": [text, ...]}.
All in one file, so that no crash leaves a description beside another one's data.
"""

import json
import mmap
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memory_index.durable import write_then_rename
from schemas.errors import CorruptFile, InvalidSetting

Vectors = NDArray[np.float32]

MAGIC = b"FORAGE.VECTORS.1"
START = 64  # where the vectors begin: aligned, or each product would copy them first
NEAR_ONE = 1e-3  # the length of a row may miss 1 by this much; a row of zeros stands for a text that says nothing
_CHECKED = 16_384  # rows at a time


class NamedVectors(NamedTuple):
    """Row i of `vectors` (n, dimensions) belongs to `keys[i]`. The rows lie in the file: they cannot be written to."""

    keys: list[str]
    vectors: Vectors


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows (n, d) brought to length 1, as float32; a row of zeros, NaN or infinity becomes zeros."""
    given = np.asarray(vectors, dtype=np.float64)
    lengths = np.sqrt((given * given).sum(axis=1, keepdims=True))
    units: NDArray[np.float64] = np.divide(given, lengths, out=np.zeros_like(given), where=(lengths > 0.0) & np.isfinite(lengths))
    return units.astype(np.float32)


def are_units(vectors: Vectors) -> bool:
    """Whether every row has length 1 (nearly) or 0."""
    for first in range(0, len(vectors), _CHECKED):
        rows = vectors[first : first + _CHECKED].astype(np.float64)
        lengths = np.sqrt((rows * rows).sum(axis=1))
        if not np.all((np.abs(lengths - 1.0) <= NEAR_ONE) | (lengths == 0.0)):  # false for NaN and infinity, too
            return False
    return True


def write_vectors(path: Path, keys: Sequence[str], vectors: Vectors, *, model_id: str) -> None:
    """Write n different keys with their rows (n, dimensions): whole or not at all, also in a power cut. Raises InvalidSetting."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    count, dimensions = rows.shape
    if not are_units(rows) or len(set(keys)) != count:
        raise InvalidSetting(f"{path.name} is to hold rows of {model_id} that are not of length 1, or a key twice; make them unit rows")
    shape = count.to_bytes(8, "big") + dimensions.to_bytes(8, "big")
    names = json.dumps({"model_id": model_id, "keys": list(keys)}).encode()
    digest = sha256(shape)
    digest.update(rows.data)
    digest.update(names)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.writelines((MAGIC, digest.digest(), shape))
            rows.tofile(file)
            file.write(names)

    write_then_rename(path, write)


def read_vectors(path: Path, *, model_id: str, dimensions: int) -> NamedVectors:
    """Keys and rows of a file. Raises CorruptFile unless it is whole, unchanged, and of this model and dimension."""
    try:
        return _read(path, model_id, dimensions)
    except OSError as error:
        problem = f"does not read ({error.strerror})"
    except _Damaged as error:
        problem = str(error)
    raise CorruptFile(f"{path} {problem}; it is not used: make it again from the texts")


class _Damaged(Exception):
    """What is wrong with a file."""


def _read(path: Path, model_id: str, dimensions: int) -> NamedVectors:
    with path.open("rb") as file:
        if file.seek(0, 2) < START:
            raise _Damaged(f"has {file.tell()} bytes, too few for a file of vectors")
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data = memoryview(held)
    if data[:16] != MAGIC:
        raise _Damaged("is no file of vectors")
    if sha256(data[48:]).digest() != data[16:48]:
        raise _Damaged("holds other bytes than its SHA-256 names")
    count, stated = int.from_bytes(data[48:56], "big"), int.from_bytes(data[56:START], "big")
    if stated != dimensions:
        raise _Damaged(f"holds vectors of {stated} dimensions, not {dimensions}")
    end = START + 4 * count * dimensions
    if end > len(data):
        raise _Damaged(f"has {len(data)} bytes, too few for {count} vectors")
    keys = _keys(bytes(data[end:]), model_id, count)
    vectors = np.frombuffer(held, dtype="<f4", count=count * dimensions, offset=START).reshape(count, dimensions)
    if not are_units(vectors):
        raise _Damaged("holds vectors that are not of length 1")
    return NamedVectors(keys, vectors)


def _keys(data: bytes, model_id: str, count: int) -> list[str]:
    try:
        names = json.loads(data)
        stated, keys = names["model_id"], names["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _Damaged(f"holds names that do not read ({error!r:.100})") from None
    if stated != model_id:
        raise _Damaged(f"holds vectors of {stated!r:.200}, not of {model_id!r}")
    if not isinstance(keys, list) or not all(type(key) is str for key in keys) or len(set(keys)) != len(keys) or len(keys) != count:
        raise _Damaged(f"does not hold {count} different keys")
    return keys
