"""Checkpoints of partitions under a URL (a folder, or S3 through pyarrow.fs), so that a worker with an empty disk can take one over.

A checkpoint is a copy of the partition's file; its manifest is written after it, once, and names its size and sha256.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pyarrow import fs

from schemas.errors import CorruptFile, Unavailable
from streams.kernel.changes import INPUTS, Input

KEEP = 3  # checkpoints of a partition
CHUNK = 1 << 20
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)-(.+)\.json")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint is of: offsets not applied yet, by input, under topics with these ids; the owner's epoch and name."""

    partition: int
    epoch: int
    next: Mapping[Input, int]
    owner: str
    topic_ids: Mapping[str, str]
    size: int = 0
    sha256: str = ""

    @property
    def name(self) -> str:
        """EPOCH-OFFSETS-OWNER, zero-padded so that names sort."""
        offsets = "-".join(f"{self.next[topic]:015d}" for topic in INPUTS)
        return f"{self.epoch:012d}-{offsets}-{re.sub(r'[^A-Za-z0-9_.]', '_', self.owner)}"


class StateStore:
    """Folder `partition-N` under the root for each partition."""

    def __init__(self, files: fs.FileSystem, root: str) -> None:
        self._files, self._root = files, root.rstrip("/")

    @classmethod
    def at(cls, url: str) -> "StateStore":
        """The store of a URL or local folder. Raises Unavailable."""
        try:
            files, root = fs.FileSystem.from_uri(url if "://" in url else Path(url).absolute().as_uri())
            files.create_dir(root, recursive=True)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"state store {url} cannot be used ({error}); give a folder or an s3:// URL that this worker may write"
            ) from None
        return cls(files, root)

    def write(self, path: Path, about: Checkpoint) -> str:
        """Copy a partition's file (right after its own checkpoint: no WAL) and then write the manifest. Returns the name.

        A checkpoint that is there already is left alone: its manifest would not fit the new copy until it is written too.
        """
        folder = self._folder(about.partition)
        if about.name in self._names(about.partition):
            return about.name
        self._files.create_dir(folder, recursive=True)
        hasher, size, copy = sha256(), 0, f"{folder}/{about.name}.duckdb"
        try:
            with path.open("rb") as source, self._files.open_output_stream(copy) as target:
                while chunk := source.read(CHUNK):
                    hasher.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
        except OSError:
            with suppress(OSError):  # half a copy must not take the room that the next one needs
                self._delete(copy)
            raise
        manifest = {**_plain(about), "size": size, "sha256": hasher.hexdigest()}
        with self._files.open_output_stream(f"{folder}/{about.name}.json") as target:
            target.write(json.dumps(manifest, sort_keys=True).encode())
        self._tidy(about)
        return about.name

    def best(self, partition: int, topic_ids: Mapping[str, str]) -> list[Checkpoint]:
        """Checkpoints of these topics, that with the highest offsets first; damaged and foreign manifests are passed over."""
        found = [self._read(partition, name) for name in self._names(partition)]
        fit = [one for one in found if one is not None and all(one.topic_ids.get(t) == topic_ids[t] for t in topic_ids)]
        return sorted(fit, key=lambda one: (sum(one.next.values()), one.epoch), reverse=True)

    def highest_epoch(self, partition: int) -> int:
        """The highest epoch that a checkpoint of the partition names, 0 for none."""
        return max((int(name.partition("-")[0]) for name in self._names(partition)), default=0)

    def fetch(self, checkpoint: Checkpoint, path: Path) -> None:
        """Replace the local file by the checkpoint, whole or not at all. Raises CorruptFile when its bytes are not what it says, or
        are gone."""
        part, hasher = path.with_suffix(".fetching"), sha256()
        stored = f"{self._folder(checkpoint.partition)}/{checkpoint.name}.duckdb"
        if self._files.get_file_info(stored).type == fs.FileType.NotFound:
            raise CorruptFile(f"checkpoint {checkpoint.name} has lost its file; delete its manifest, an older one is taken until then")
        try:
            with self._files.open_input_stream(stored) as source, part.open("wb") as target:
                while chunk := source.read(CHUNK):
                    hasher.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
        except OSError:
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
        found = self._files.get_file_info(fs.FileSelector(self._folder(partition), allow_not_found=True))
        return sorted(info.base_name[: -len(".json")] for info in found if _NAME.fullmatch(info.base_name))

    def _tidy(self, newest: Checkpoint) -> None:
        """Delete all but the last checkpoints, and copies older than the newest that were cut off before their manifest."""
        folder, names = self._folder(newest.partition), self._names(newest.partition)
        for old in names[:-KEEP]:
            for end in (".json", ".duckdb"):  # the manifest first: a file without one is no checkpoint
                self._delete(f"{folder}/{old}{end}")
        for info in self._files.get_file_info(fs.FileSelector(folder)):
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


def _plain(about: Checkpoint) -> dict[str, object]:
    return {
        "partition": about.partition, "epoch": about.epoch, "next": dict(about.next), "owner": about.owner,
        "topic_ids": dict(about.topic_ids),
    }  # fmt: skip
