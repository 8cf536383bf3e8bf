"""Embeddings on disk, by model and text: what was encoded once is read back, checked, instead of encoded again.

A folder per model holds `*.vectors` files (retrievers/vector_file.py) that are written once and never changed. Each addition is a
file of its own; files of like size are merged, so there are about log2(n) of them. Several processes may share the folder.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import numpy as np

from retrievers.vector_file import NamedVectors, Vectors, read_vectors, write_vectors
from schemas.errors import CorruptFile, Unavailable
from schemas.ids import digest

SUFFIX = ".vectors"


class EmbeddingCache:
    """Rows of one model under keys. Reads never wait; additions take a lock.

    A file that fails its checks is renamed to `NAME.corrupt`, and its rows are simply not there any more.
    """

    def __init__(self, folder: Path, *, model_id: str, dimensions: int):
        self._folder = folder / digest(model_id, dimensions)
        self._model_id, self._dimensions = model_id, dimensions
        self._lock = Lock()
        self._found: dict[str, tuple[Vectors, int]] = {}
        self._files: list[tuple[Path, NamedVectors]] = []  # large ones first
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{folder} cannot hold embeddings ({error.strerror}); give a folder that can be written") from None
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            self._open(path)
        self._files.sort(key=lambda one: -len(one[1].keys))

    def __len__(self) -> int:
        return len(self._found)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Keys without a row, each once, in the order given."""
        return [key for key in dict.fromkeys(keys) if key not in self._found]

    def rows(self, keys: Sequence[str]) -> Vectors:
        """(n, dimensions); all keys must be there."""
        out = np.empty((len(keys), self._dimensions), np.float32)
        for at, key in enumerate(keys):
            vectors, row = self._found[key]
            out[at] = vectors[row]
        return out

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Keep rows; on disk when this returns. Raises Unavailable if they cannot be written, InvalidSetting if they are no unit rows."""
        with self._lock:
            new = {key: row for key, row in zip(keys, vectors, strict=True) if key not in self._found}
            if not new:
                return
            merged: list[tuple[Path, NamedVectors]] = []
            count = len(new)
            while self._files and len(self._files[-1][1].keys) < 2 * count:
                merged.append(self._files.pop())
                count += len(merged[-1][1].keys)
            for _, held in merged:
                new |= zip(held.keys, held.vectors, strict=True)
            try:
                self._open(self._write(new))
            except BaseException as error:
                self._files += reversed(merged)
                if not isinstance(error, OSError):
                    raise
                raise Unavailable(
                    f"{self._folder} takes no embeddings ({error.strerror}); free some space or give another folder"
                ) from None
            for path, _ in merged:
                path.unlink(missing_ok=True)

    def _write(self, rows: Mapping[str, Vectors]) -> Path:
        keys = sorted(rows)
        path = self._folder / f"{digest(*keys)}-{os.getpid()}{SUFFIX}"  # two processes never write to one name
        write_vectors(path, keys, np.stack([rows[key] for key in keys]), model_id=self._model_id)
        return path

    def _open(self, path: Path) -> None:
        try:
            held = read_vectors(path, model_id=self._model_id, dimensions=self._dimensions)
        except CorruptFile:
            with suppress(OSError):  # gone: another process merged it; not ours to move: it stays, and is not used
                os.replace(path, path.with_name(f"{path.name}.corrupt"))
            return
        self._files.append((path, held))
        self._found.update((key, (held.vectors, row)) for row, key in enumerate(held.keys))
