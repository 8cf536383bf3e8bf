"""A queue on disk for events that the broker cannot take now. It outlives the process that wrote it.

A folder of segments, each a text file of lines (streams.producing.outgoing). New segments get higher numbers; what is older than
everything on disk is put before it under a lower number. A segment is deleted when all of it was sent, so a process that dies
sends at most one segment again: events carry ids and count once. Lines are written with one system call and not synced: they survive the
death of the process, not a power cut in the same moment; a torn line is found by its CRC.
"""

import fcntl
import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from schemas.errors import Unavailable
from streams.producing.outgoing import Envelope, from_line, to_line

SEGMENT_BYTES = 1 << 20
LIMIT_BYTES = 1 << 30  # about 100,000 impressions of 10 KB; a disk filled by us would stop the application
_FIRST = 10**9  # room for lower numbers


class Spill:
    """First in, first out. One thread at a time may `append`; meanwhile one other may `prepend`, `peek` and `advance`.

    Raises Unavailable when another process uses the folder or it cannot be written; `append` and `prepend` raise OSError when the disk
    takes no more.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT_BYTES):
        self._folder, self._limit = folder, limit
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what people did, for this user alone
            self._lock = (folder / "lock").open("w")
        except OSError as error:
            raise Unavailable(f"spill folder {folder} cannot be used ({error.strerror}); give a folder that can be written") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Unavailable(f"spill folder {folder} is in use by another process; give each process its own") from None
        numbers = sorted(int(path.stem) for path in folder.glob("*.spill"))
        self._reading = numbers[0] if numbers else _FIRST
        self._writing = numbers[-1] + 1 if numbers else _FIRST
        self._oldest = self._reading  # the first segment that was not deleted
        # Each of these is changed by one thread only, so that none needs a lock.
        self._appended_bytes = self._appended = 0
        self._prepended_bytes = sum(self._path(number).stat().st_size for number in numbers)
        self._prepended = sum(_lines(self._path(number)) for number in numbers)
        self._deleted_bytes = self._taken = 0
        self._writer: BinaryIO | None = None
        self._reader: BinaryIO | None = None
        self._ahead: deque[tuple[int, Envelope]] = deque()  # read, not yet advanced over; with the segment it stands in

    def __len__(self) -> int:
        return self._appended + self._prepended - self._taken

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._appended_bytes + self._prepended_bytes - self._deleted_bytes

    def append(self, event: Envelope) -> None:
        """Put an event behind all others."""
        line = to_line(event)
        if self.size + len(line) > self._limit:
            raise OSError(f"spill folder {self._folder} holds {self.size} bytes, at most {self._limit}; bring the broker back")
        if self._writer is not None and self._writer.tell() >= SEGMENT_BYTES:
            self._writer.close()
            self._writer, self._writing = None, self._writing + 1
        if self._writer is None:
            self._writer = self._path(self._writing).open("ab", buffering=0)
        at = self._writer.tell()
        try:
            written, why = self._writer.write(line), "it is full"
        except OSError as error:
            written, why = 0, str(error)
        if written != len(line):
            self._writer.truncate(at)
            raise OSError(f"no room on the disk of {self._folder} ({why}); make room or bring the broker back")
        self._appended_bytes += len(line)
        self._appended += 1

    def prepend(self, events: Sequence[Envelope]) -> None:
        """Put events before all others: whole or not at all. Only while nothing was peeked at."""
        assert self._reader is None
        assert not self._ahead
        data = b"".join(map(to_line, events))
        if self.size + len(data) > self._limit:
            raise OSError(f"spill folder {self._folder} has no room for {len(data)} bytes more; bring the broker back")
        number = self._reading - 1
        unfinished = self._path(number).with_suffix(".tmp")
        try:
            unfinished.write_bytes(data)
            unfinished.rename(self._path(number))
        except OSError:
            with suppress(OSError):  # what was written of it must not keep the disk full
                unfinished.unlink(missing_ok=True)
            raise
        if self._reader is not None:
            self._reader.close()
        self._reader, self._reading = None, number
        self._oldest = number
        self._prepended_bytes += len(data)
        self._prepended += len(events)

    def peek(self, count: int) -> list[Envelope]:
        """The first events, at most `count`; they stay until `advance`."""
        while len(self._ahead) < count and (line := self._next_line()):
            self._ahead.append((self._reading, from_line(line)))
        return [event for _, event in islice(self._ahead, count)]

    def advance(self, count: int) -> None:
        """Forget the first `count` events that were peeked at, and delete the segments that hold nothing else."""
        for _ in range(count):
            self._ahead.popleft()
        self._taken += count
        needed = self._ahead[0][0] if self._ahead else self._reading
        self._delete(range(self._oldest, needed))
        self._oldest = needed  # not before: what could not be deleted is tried again

    def clear(self) -> None:
        """Start afresh, once everything was taken and nobody appends."""
        assert not len(self)
        for one in (self._writer, self._reader):
            if one is not None:
                one.close()
        self._writer = self._reader = None
        used, self._writing = range(self._oldest, self._writing + 1), self._writing + 1
        self._reading = self._writing  # so that what cannot be deleted is not read again
        self._delete(used)
        self._reading = self._writing = self._oldest = _FIRST

    def close(self) -> None:
        """Sync what was written and let another process have the folder."""
        for one in (self._writer, self._reader):
            if one is not None:
                if one.writable():
                    os.fsync(one.fileno())
                one.close()
        self._lock.close()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010}.spill"

    def _delete(self, numbers: Iterable[int]) -> None:
        for path in map(self._path, numbers):
            if path.exists():
                size = path.stat().st_size
                path.unlink()
                self._deleted_bytes += size

    def _next_line(self) -> bytes:
        """The next line, b"" when there is none yet. A cut line counts only where no one can still be writing it."""
        while True:
            whole = self._reading < self._writing  # asked before reading: what is read after it holds all there will be
            if self._reader is None and self._path(self._reading).exists():
                self._reader = self._path(self._reading).open("rb")
            line = self._reader.readline() if self._reader else b""
            if line.endswith(b"\n") or (line and whole):
                return line
            if not whole:
                if self._reader and line:
                    self._reader.seek(-len(line), os.SEEK_CUR)
                return b""
            if self._reader:
                self._reader.close()
            self._reader, self._reading = None, self._reading + 1


def _lines(path: Path) -> int:
    data = path.read_bytes()
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)
