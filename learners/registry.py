"""Snapshots on disk: contents by their content_id, manifests by seq. Nothing is changed in place; what does not verify is never used.

    contents/CONTENT_ID       zlib of the canonical content
    manifests/SEQ.json        one publication each, and below it the sha256 of its line; rollback, promotion and pin are publications too

One process writes (the publisher). Ages count between the `created` of manifests, never from a clock.
"""

import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from learners.arrays import unpack
from learners.fit import MODEL
from learners.gate import REFRESH, refusal
from schemas.base import DAY_MS, HOUR_MS
from schemas.codec import decode, encode
from schemas.errors import CorruptFile, ForageError, InvalidMessage, InvalidSetting, NotFound, Unavailable
from schemas.snapshots import MAX_CONTENT, Content, Manifest

KEEP_CONTENTS = 20
KEEP_MS = 10 * DAY_MS

_log = logging.getLogger(__name__)
Which = int | str | None  # a seq, a content_id (or the beginning of one), or the newest


class Registry:
    """The snapshots of one folder, made if it is not there."""

    def __init__(self, folder: Path):
        self._contents, self._folder = folder / "contents", folder / "manifests"
        self._contents.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._manifests = {one.seq: one for path in sorted(self._folder.glob("*.json")) if (one := _manifest(path)) is not None}
        # A manifest that does not read still owns its seq: numbers are never given twice.
        self._last = max([int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdigit()], default=0)

    def publish(
        self,
        content: Content,
        *,
        created: int,
        publisher_epoch: int = 0,
        applied: Mapping[str, Sequence[int]] | None = None,
        reason: str = REFRESH,
    ) -> Manifest:
        """Publish content under the next seq. Raises InvalidSetting while pinned, or when the gate refuses it."""
        if reason == REFRESH and (current := self.current) is not None and current.pinned:
            raise InvalidSetting(f"seq {current.seq} is pinned, so nothing newer is published; `unpin` resumes")
        return self._publish(content, created=created, publisher_epoch=publisher_epoch, applied=applied or {}, reason=reason, pinned=False)

    def store(self, content: Content) -> str:
        """Keep a content without publishing it (a release that waits for `promote`); its content_id."""
        content_id = content.content_id
        if not (self._contents / content_id).exists():
            _write(self._contents / content_id, zlib.compress(content.canonical(), 6))
        return content_id

    @property
    def current(self) -> Manifest | None:
        """The newest publication."""
        return self._manifests[max(self._manifests)] if self._manifests else None

    def content(self, content_id: str) -> Content:
        """A stored content, verified byte by byte. Raises NotFound, CorruptFile."""
        path = self._contents / content_id
        if not path.is_file():
            raise NotFound(f"content {content_id[:12]} is not in {self._contents}; `forage snapshots list` or GET /snapshots shows what is")
        try:
            unpacker = zlib.decompressobj()
            canonical = unpacker.decompress(path.read_bytes(), MAX_CONTENT)
            content = Content.parse(canonical) if unpacker.eof and not unpacker.unused_data else None
        except (zlib.error, CorruptFile):
            content = None
        if content is None or content.content_id != content_id:
            raise CorruptFile(f"{path} holds other bytes than its name says; delete it and roll back to another snapshot")
        return content

    def load(self, which: Which = None) -> tuple[Manifest, Content]:
        """A publication by seq or content_id; None: the newest that verifies. Raises NotFound, and CorruptFile when asked by name."""
        if which is not None:
            manifest = self.find(which)
            return manifest, self.content(manifest.content_id)
        for seq in sorted(self._manifests, reverse=True):
            try:
                return self._manifests[seq], self.content(self._manifests[seq].content_id)
            except ForageError as error:
                _log.warning("snapshot seq %d is passed over: %s", seq, error)
        raise NotFound(f"no snapshot in {self._folder} verifies; publish one, or start from the untrained policy")

    def find(self, which: int | str) -> Manifest:
        """The newest publication with this seq or this content_id (8 hex digits suffice). Raises NotFound."""
        return find(self.list(), which, where=self._folder)

    def rollback(self, to: int | str, *, created: int, why: str = "", publisher_epoch: int = 0) -> Manifest:
        """Publish old content under a new seq and pin it: refreshes stop until `unpin`. `why` stands in the manifest, as for all orders."""
        return self._again(self.find(to), created=created, publisher_epoch=publisher_epoch, reason=_reason("rollback", why), pinned=True)

    def pin(self, *, created: int, why: str = "", publisher_epoch: int = 0) -> Manifest:
        """Keep what runs: refreshes stop until `unpin`."""
        return self._again(self._running(), created=created, publisher_epoch=publisher_epoch, reason=_reason("pin", why), pinned=True)

    def unpin(self, *, created: int, why: str = "", publisher_epoch: int = 0) -> Manifest:
        """Refreshes resume."""
        return self._again(self._running(), created=created, publisher_epoch=publisher_epoch, reason=_reason("unpin", why), pinned=False)

    def promote(self, content_id: str, *, created: int, why: str = "", publisher_epoch: int = 0) -> Manifest:
        """Publish a stored content as a release. Raises InvalidSetting while pinned."""
        current = self.current
        if current is not None and current.pinned:
            raise InvalidSetting(f"seq {current.seq} is pinned; `unpin` first, then promote {content_id[:12]}")
        applied = current.applied if current is not None else {}
        return self._publish(
            self.content(content_id), created=created, publisher_epoch=publisher_epoch, applied=applied, reason=_reason("promote", why),
            pinned=False,
        )  # fmt: skip

    def list(self) -> Sequence[Manifest]:
        """Publications that are kept, oldest first."""
        return tuple(self._manifests[seq] for seq in sorted(self._manifests))

    def _running(self) -> Manifest:
        if (current := self.current) is None:
            raise NotFound(f"nothing was published in {self._folder} yet; publish first")
        return current

    def _again(self, old: Manifest, *, created: int, publisher_epoch: int, reason: str, pinned: bool) -> Manifest:
        content = self.content(old.content_id)
        return self._publish(content, created=created, publisher_epoch=publisher_epoch, applied=old.applied, reason=reason, pinned=pinned)

    def _publish(
        self, content: Content, *, created: int, publisher_epoch: int, applied: Mapping[str, Sequence[int]], reason: str, pinned: bool
    ) -> Manifest:
        manifest = manifest_of(
            content, seq=self._last + 1, publisher_epoch=publisher_epoch, created=created, applied=applied, reason=reason, pinned=pinned
        )
        if why := refusal(content, manifest, running=self.current):
            raise InvalidSetting(f"snapshot is not published: {why}")
        self.store(content)
        line = encode(manifest)
        _write(self._folder / f"{manifest.seq:012d}.json", line + b"\n" + _seal(line))
        self._manifests[manifest.seq], self._last = manifest, manifest.seq
        self._forget(created)
        return manifest

    def _forget(self, now: int) -> None:
        """Keep the publications of the last 20 contents, and of 10 days every order and the last one of every hour; then drop contents
        that only what goes has named."""
        newest = list(reversed(self.list()))
        contents = set(tuple(dict.fromkeys(one.content_id for one in newest))[:KEEP_CONTENTS])
        hours = last_of_hours(newest, since=now - KEEP_MS)
        ordered = {one.seq for one in newest if one.reason != REFRESH and one.created >= now - KEEP_MS}
        old = [one for one in newest if one.content_id not in contents and one.seq not in hours | ordered]
        for one in old:
            (self._folder / f"{one.seq:012d}.json").unlink(missing_ok=True)
            del self._manifests[one.seq]
        for content_id in {one.content_id for one in old} - {one.content_id for one in self._manifests.values()}:
            (self._contents / content_id).unlink(missing_ok=True)


def last_of_hours(newest_first: Sequence[Manifest], *, since: int) -> set[int]:
    """The seq of the last publication of every hour from `since` (ms) on: what people go back to, when there is one every few seconds."""
    return set({one.created // HOUR_MS: one.seq for one in reversed(newest_first) if one.created >= since}.values())


def find(manifests: Sequence[Manifest], which: int | str, *, where: object) -> Manifest:
    """The last of the manifests with this seq or this content_id (8 hex digits suffice). Raises NotFound."""
    if isinstance(which, int):
        found = [one for one in manifests if one.seq == which]
    else:
        found = [one for one in manifests if len(which) >= 8 and one.content_id.startswith(which)]
    if not found:
        raise NotFound(f"snapshot {which} is not in {where}; `forage snapshots list` or GET /snapshots shows seq and content_id")
    if len({one.content_id for one in found}) > 1:
        raise NotFound(f"snapshot {which} names {len(found)} contents; give more digits of the content_id")
    return found[-1]


def _reason(action: str, why: str) -> str:
    """`ACTION:WHY` as long as a label may be."""
    return f"{action}:{why}"[:128] if why else action


def manifest_of(
    content: Content, *, seq: int, publisher_epoch: int, created: int, applied: Mapping[str, Sequence[int]], reason: str, pinned: bool
) -> Manifest:
    """The manifest of one publication of a content."""
    return Manifest(
        model=str(content.definition.get("model", MODEL)),
        content_id=content.content_id,
        seq=seq,
        publisher_epoch=publisher_epoch,
        created=created,
        feature_schema=str(content.definition.get("feature_schema", "")),
        parts=[part.sha256 for part in content.split()],
        applied={source: [*offsets] for source, offsets in applied.items()},
        since=since_of(content),
        pinned=pinned,
        reason=reason,
    )


def since_of(content: Content) -> dict[str, int]:
    """Arms whose tallies are read from an hour on, because they have changed; for people, the content itself is fitted so already."""
    if "since" not in content.arrays:
        return {}
    names = [arm["name"] for arm in content.definition["policy"]["arms"]]
    hours = unpack(content.arrays["since"], what="since", dtype="<i4", shape=(len(names),)).tolist()
    return {name: hour for name, hour in zip(names, hours, strict=True) if hour > 0}


def _manifest(path: Path) -> Manifest | None:
    line, _, seal = path.read_bytes().partition(b"\n")
    if seal != _seal(line):
        _log.warning("%s is passed over: its bytes are not those that were written", path)
        return None
    try:
        manifest = decode(Manifest, line)
    except InvalidMessage as error:
        _log.warning("%s is passed over: %s", path, error)
        return None
    if path.stem != f"{manifest.seq:012d}":
        _log.warning("%s is passed over: it says seq %d", path, manifest.seq)
        return None
    return manifest


def _seal(line: bytes) -> bytes:
    return sha256(line).hexdigest().encode()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a new file beside it, then renamed, both flushed to disk. Raises Unavailable when the disk does not take it."""
    fresh = path.with_name(path.name + ".tmp")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        with suppress(OSError):  # half a file must not take the room that the next one needs
            fresh.unlink(missing_ok=True)
        raise Unavailable(f"{path} is not written ({error}); make room on that disk, or give a folder that can be written") from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
