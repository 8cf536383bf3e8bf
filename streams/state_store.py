"""Checkpoints of partitions under a URL (a folder, or S3 through pyarrow.fs), so that a worker with an empty disk can take one over.

A checkpoint is a copy of the partition's file; its manifest is written after it, once, and names its size and sha256.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import IO
from urllib.parse import parse_qsl, urlsplit

from pyarrow import fs

from schemas.errors import CorruptFile, InvalidSetting, Unavailable
from streams.kernel.changes import INPUTS, Input

KEEP = 3  # checkpoints of a partition
CHUNK = 1 << 20
NEVER = Event()
CONNECT, ANSWER = 3.0, 5.0  # s; asked three times, a store that is gone holds one round up for half a minute
HEADERS = 3 * 4096  # bytes of a DuckDB file that every checkpoint changes; until the next one it writes only to blocks that are free
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)-(.+)\.json")
_FOLDER = re.compile(r"partition-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint is of: a partition of so many; offsets not applied yet, by input, under topics with these ids; the owner's epoch
    and name."""

    partition: int
    epoch: int
    next: Mapping[Input, int]
    owner: str
    topic_ids: Mapping[str, str]
    partitions: int
    size: int = 0
    sha256: str = ""

    @property
    def name(self) -> str:
        """EPOCH-OFFSETS-OWNER, zero-padded so that names sort."""
        offsets = "-".join(f"{self.next[topic]:015d}" for topic in INPUTS)
        return f"{self.epoch:015d}-{offsets}-{_plain(self.owner)}"


class StateStore:
    """Folder `partition-N` under the root for each partition."""

    def __init__(self, files: fs.FileSystem, root: str) -> None:
        self._files, self._root = files, root.rstrip("/")

    @classmethod
    def at(cls, url: str) -> "StateStore":
        """The store of a folder, a file:// or an s3:// URL. Keys for S3 come from where AWS's tools look: environment, files, role.
        Raises Unavailable, InvalidSetting."""
        shown = _shown(url)
        try:
            files, root = _s3(url) if url.startswith("s3://") else _other(url)
            files.create_dir(root, recursive=True)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"state store {shown} cannot be used ({_why(error, url)}); give a folder or an s3:// URL that this worker may write"
            ) from None
        return cls(files, root)

    def write(self, path: Path, about: Checkpoint, stop: Event = NEVER, *, alone: bool = False) -> str:
        """Copy a partition's file as of its own last checkpoint, and then write the manifest. Returns the name.

        The file may be in use meanwhile: what is committed goes to its WAL. Raises Unavailable when the WAL was folded into it on the way.
        So is a copy that is stopped. A checkpoint that is there already is left alone: its manifest would not fit the new copy until it
        is written too. `alone`: older ones must not stay, nor one of the same offsets: they hold people that were erased.
        """
        folder = self._folder(about.partition)
        if about.name in self._names(about.partition):
            if not alone:
                return about.name
            self._delete(f"{folder}/{about.name}.json")
        self._files.create_dir(folder, recursive=True)
        hasher, size, copy = sha256(), 0, f"{folder}/{about.name}.duckdb"
        try:
            with path.open("rb") as source, self._files.open_output_stream(copy) as target:
                before = source.read(HEADERS)
                source.seek(0)
                while chunk := _read(source, stop):
                    hasher.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
            if _headers(path) != before:
                raise Unavailable(f"{path} was folded while it was copied to {about.name}; the next round copies it again")
        except (OSError, Unavailable):
            with suppress(OSError):  # half a copy must not take the room that the next one needs
                self._delete(copy)
            raise
        manifest = {**asdict(about), "size": size, "sha256": hasher.hexdigest()}
        with self._files.open_output_stream(f"{folder}/{about.name}.json") as target:
            target.write(json.dumps(manifest, sort_keys=True).encode())
        self._tidy(about, keep=1 if alone else KEEP)
        return about.name

    def best(self, partition: int, topic_ids: Mapping[str, str]) -> list[Checkpoint]:
        """Checkpoints of these topics, of any partition count, that with the highest offsets first; damaged and foreign manifests are
        passed over."""
        found = [self._read(partition, name) for name in self._names(partition)]
        fit = [one for one in found if one is not None and all(one.topic_ids.get(t) == topic_ids[t] for t in topic_ids)]
        return sorted(fit, key=lambda one: (sum(one.next.values()), one.epoch), reverse=True)

    def highest_epoch(self, partition: int) -> int:
        """The highest epoch that a checkpoint of the partition names, 0 for none."""
        return max((int(name.partition("-")[0]) for name in self._names(partition)), default=0)

    def partitions(self) -> list[int]:
        """Numbers of the partitions that have a folder here."""
        return sorted(int(found[1]) for info in self._listed(self._root) if (found := _FOLDER.fullmatch(info.base_name)))

    def try_write(self) -> None:
        """Write a file and delete it. Raises OSError."""
        trial = f"{self._root}/.trial-{os.getpid()}"
        with self._files.open_output_stream(trial) as target:
            target.write(b"x")
        self._files.delete_file(trial)

    def written(self, partition: int) -> float | None:
        """When the partition's newest manifest was written (wall s), None for none."""
        times = [info.mtime.timestamp() for info in self._listed(self._folder(partition)) if _NAME.fullmatch(info.base_name)]
        return max(times, default=None)

    def fetch(self, checkpoint: Checkpoint, path: Path, stop: Event = NEVER) -> None:
        """Replace the local file by the checkpoint, whole or not at all. Raises CorruptFile when its bytes are not what it says, or
        are gone; Unavailable when stopped."""
        part, hasher = path.with_suffix(".fetching"), sha256()
        stored = f"{self._folder(checkpoint.partition)}/{checkpoint.name}.duckdb"
        if self._files.get_file_info(stored).type == fs.FileType.NotFound:
            raise CorruptFile(f"checkpoint {checkpoint.name} has lost its file; delete its manifest, an older one is taken until then")
        try:
            with self._files.open_input_stream(stored) as source, part.open("wb") as target:
                while chunk := _read(source, stop):
                    hasher.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
        except (OSError, Unavailable):
            part.unlink(missing_ok=True)
            raise
        if hasher.hexdigest() != checkpoint.sha256:
            part.unlink()
            raise CorruptFile(
                f"checkpoint {checkpoint.name} has other bytes than its manifest says; delete it, an older one is taken until then"
            )
        wal = Path(f"{path}.wal")
        if wal.exists():
            shutil.move(wal, f"{wal}.replaced")
        os.replace(part, path)

    def _names(self, partition: int) -> list[str]:
        found = self._listed(self._folder(partition))
        return sorted(info.base_name[: -len(".json")] for info in found if _NAME.fullmatch(info.base_name))

    def _listed(self, folder: str) -> list[fs.FileInfo]:
        return list(self._files.get_file_info(fs.FileSelector(folder, allow_not_found=True)))

    def _tidy(self, newest: Checkpoint, *, keep: int) -> None:
        """Delete all but the last checkpoints, and copies older than the newest that were cut off before their manifest."""
        folder, names = self._folder(newest.partition), self._names(newest.partition)
        for old in names[:-keep]:
            for end in (".json", ".duckdb"):  # the manifest first: a file without one is no checkpoint
                self._delete(f"{folder}/{old}{end}")
        for info in self._listed(folder):
            name = info.base_name.removesuffix(".duckdb")
            if info.base_name.endswith(".duckdb") and name not in names and name < newest.name:
                self._delete(info.path)

    def _read(self, partition: int, name: str) -> Checkpoint | None:
        try:
            with self._files.open_input_stream(f"{self._folder(partition)}/{name}.json") as source:
                plain = json.loads(source.read())
            found = Checkpoint(**plain)
            return found if found.partition == partition and found.name == name else None  # else a damaged one
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def _folder(self, partition: int) -> str:
        return f"{self._root}/partition-{partition}"

    def _delete(self, path: str) -> None:
        if self._files.get_file_info(path).type != fs.FileType.NotFound:
            self._files.delete_file(path)


def _s3(url: str) -> tuple[fs.FileSystem, str]:
    """The query may hold region, scheme, endpoint_override and tls_ca_file_path, as pyarrow has them."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = {"region", "scheme", "endpoint_override", "tls_ca_file_path"}
    keys = "@" in url.partition("?")[0]  # not in netloc alone: a secret may hold a /, where that would end
    if keys or given.keys() - known:
        wrong = "a key before the bucket (or an @ in its path)" if keys else f"the option {min(given.keys() - known)}"
        raise InvalidSetting(
            f"state store {_shown(url)} has {wrong}; keys are taken from AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY (or AWS's files, or a role), and only {', '.join(sorted(known))} may follow the ?"
        )
    files = fs.S3FileSystem(connect_timeout=CONNECT, request_timeout=ANSWER, **given)
    return files, f"{parts.netloc}{parts.path}".rstrip("/")


def _other(url: str) -> tuple[fs.FileSystem, str]:
    if "://" in url and not url.startswith("file://"):  # pyarrow knows more, and would look for credentials for minutes
        raise Unavailable(f"state store {_shown(url)} cannot be used (no such kind of store); give a folder or an s3:// URL")
    files, root = fs.FileSystem.from_uri(url if "://" in url else Path(url).absolute().as_uri())
    return files, root


def _shown(url: str) -> str:
    """Without what may be keys: all before an @, and the options. A folder's name may hold both."""
    scheme, sep, place = url.partition("?")[0].partition("://")
    return f"{scheme}://{place.rpartition('@')[2]}" if sep and scheme != "file" else url


def _why(error: Exception, url: str) -> str:
    """What went wrong, without the URL as it was given, which Arrow repeats, and the key that AWS's answers may name."""
    return re.sub(r"\b[A-Z0-9]{16,}\b", "***", str(error).replace(url, _shown(url)))[:400]


def _read(source: IO[bytes], stop: Event) -> bytes:
    if stop.is_set():
        raise Unavailable("the copy of a checkpoint was stopped; the next owner of the partition makes another")
    return source.read(CHUNK)


def _headers(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(HEADERS)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "_", name)
