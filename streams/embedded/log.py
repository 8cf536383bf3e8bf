"""The log of the embedded driver in the place of Kafka's topics, one partition number for both inputs: an append-only SQLite table, or,
where nothing is to outlive the process, what is not applied yet."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import CorruptFile, PartitionMismatch
from schemas.events import Event
from streams.kernel.changes import INPUTS, Input, Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log(topic TEXT, partition INTEGER, position INTEGER, time INTEGER, value BLOB,
                               PRIMARY KEY (topic, partition, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shape(partitions INTEGER);
"""


class SqliteLog:
    """Records by (topic, partition, offset). One writer; `commit` makes what was appended durable."""

    def __init__(self, path: Path, partitions: int) -> None:
        """Raises PartitionMismatch when the file was made with another partition count."""
        self.partitions = partitions
        try:
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_SCHEMA)
            row = self._db.execute("SELECT partitions FROM shape").fetchone()
            ends = self._db.execute("SELECT topic, partition, max(position) + 1 FROM log GROUP BY topic, partition").fetchall()
        except sqlite3.DatabaseError as error:
            raise CorruptFile(f"{path} is not a log ({error}); move it away to start anew, or restore it from a copy") from None
        if row is None:
            self._db.execute("INSERT INTO shape VALUES (?)", [partitions])
        elif row[0] != partitions:
            self._db.close()
            raise PartitionMismatch(f"{path} has {row[0]} partitions, asked for {partitions}; use {row[0]}, or start with a new folder")
        self._end: dict[tuple[str, int], int] = {(topic, partition): end for topic, partition, end in ends}

    def append(self, topic: Input, partition: int, time: int, value: bytes, event: Event | None = None) -> int:
        """Append one record; returns its offset. The file holds the bytes alone."""
        offset = self._end.get((topic, partition), 0)
        self._db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", [topic, partition, offset, time, value])
        self._end[topic, partition] = offset + 1
        return offset

    def read(self, topic: Input, partition: int, start: int, limit: int) -> list[Record]:
        """At most `limit` records from offset `start` on."""
        rows = self._db.execute(
            "SELECT position, time, value FROM log WHERE topic = ? AND partition = ? AND position >= ? ORDER BY position LIMIT ?",
            [topic, partition, start, limit],
        )
        return [Record(topic, position, time, value) for position, time, value in rows]

    def end(self, topic: Input, partition: int) -> int:
        """The offset that the next record gets."""
        return self._end.get((topic, partition), 0)

    def replace(self, places: Sequence[tuple[Input, int, int]], value: bytes) -> None:
        """Put another value in the place of records (topic, partition, offset), and leave nothing of the old ones in the file."""
        self._db.commit()
        self._db.execute("PRAGMA secure_delete=ON")
        sql = "UPDATE log SET value = ? WHERE topic = ? AND partition = ? AND position = ?"
        self._db.executemany(sql, ((value, *place) for place in places))
        self._db.commit()
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def commit(self) -> None:
        self._db.commit()

    def close(self) -> None:
        self._db.commit()
        self._db.close()

    def abandon(self) -> None:
        """Close without what was not committed."""
        self._db.close()


class MemoryLog:
    """The same without a file. A record is forgotten when a later one is read: whoever reads from an offset has applied what is below."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._records: dict[tuple[Input, int], list[Record]] = {(topic, p): [] for topic in INPUTS for p in range(partitions)}
        self._end = dict.fromkeys(self._records, 0)

    def append(self, topic: Input, partition: int, time: int, value: bytes, event: Event | None = None) -> int:
        """Append one record; returns its offset. `event` is what the bytes say, where the writer has it at hand."""
        offset = self._end[topic, partition]
        self._records[topic, partition].append(Record(topic, offset, time, value, event=event))
        self._end[topic, partition] = offset + 1
        return offset

    def read(self, topic: Input, partition: int, start: int, limit: int) -> list[Record]:
        """At most `limit` records from offset `start` on."""
        records = self._records[topic, partition]
        del records[: max(0, start - self._end[topic, partition] + len(records))]
        return records[:limit]

    def end(self, topic: Input, partition: int) -> int:
        """The offset that the next record gets."""
        return self._end[topic, partition]

    def commit(self) -> None:
        """Nothing to do: what is appended is there."""

    def close(self) -> None:
        """Nothing to do."""

    def abandon(self) -> None:
        """Nothing to do."""
