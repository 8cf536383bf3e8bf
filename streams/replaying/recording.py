"""A recorded LOG: the impressions and actions of a run as lines of JSON, to be replayed by any driver into any partition count.

Line: {"topic": "impressions" | "actions", "time": ms, "event": {...}}, sorted by time. Ticks are not recorded: a replay makes its own.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

from schemas.codec import encode
from schemas.errors import CorruptFile, NotFound
from schemas.events import Action, Impression
from streams.kernel.changes import INPUTS, Input


class Line(NamedTuple):
    """One recorded event: input, log time in ms, key (search_id), bytes of the event."""

    topic: Input
    time: int
    key: str
    value: bytes


class Recorder:
    """Writes a LOG. Use as a context manager; events must come in order of time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = _open(path, "wb")

    def write(self, topic: Input, time: int, value: bytes) -> None:
        self._file.write(b'{"topic":"%s","time":%d,"event":%s}\n' % (topic.encode(), time, value))

    def event(self, event: Impression | Action, time: int) -> None:
        """Write an event as `emit` takes it."""
        self.write("impressions" if isinstance(event, Impression) else "actions", time, encode(event))

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_log(path: Path) -> Iterator[Line]:
    """The lines of a LOG. Raises NotFound, or CorruptFile naming the line."""
    if not path.exists():
        raise NotFound(f"no log at {path}; make one with `forage events record {path}` or `forage evaluate loop DIR --record {path}`")
    last = 0
    with _open(path, "rb") as file:
        for number, line in enumerate(_lines(file, path), start=1):
            try:
                head, _, event = line.rstrip(b"\n").partition(b',"event":')
                plain = json.loads(head + b"}")
                topic, time, value = plain["topic"], plain["time"], event[:-1]
                key = json.loads(value)["search_id"]
                if topic not in INPUTS or type(time) is not int or not event.endswith(b"}") or time < last:
                    raise ValueError("topic, time or order")
            except (ValueError, KeyError, TypeError) as error:
                raise CorruptFile(f"{path} line {number} is no recorded event in order of time ({error}); record it again") from None
            last = time
            yield Line(topic, time, key, value)


def _open(path: Path, mode: Literal["rb", "wb"]) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, mode, compresslevel=1) if path.suffix == ".gz" else path.open(mode))


def _lines(file: Iterable[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from file
    except (EOFError, OSError, zlib.error) as error:
        raise CorruptFile(f"{path} is cut off or damaged ({error}); record the log again") from None
