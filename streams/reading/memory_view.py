"""The memory that the records of `memory.q2e` amount to. No broker, no threads."""

import json
from collections import defaultdict
from collections.abc import Iterable

from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from schemas.codec import decode
from schemas.errors import InvalidMessage
from schemas.rows import MemoryRow
from streams.reading.follower import Incoming
from streams.reading.sources import Sources, source_of


class MemoryView:
    """Rows of every source in a reader. Rows are absolute, so the same record twice changes nothing."""

    def __init__(self, reading: Reading):
        self.reader = MemoryReader(reading)
        self.sources = Sources()
        self.late = 0  # rows that a former owner said after its successor
        self.refused = 0
        self.last_refusal = ""

    def apply(self, records: Iterable[Incoming]) -> None:
        """Take records in the order of their partitions."""
        rows: defaultdict[int, list[MemoryRow]] = defaultdict(list)
        for record in records:
            try:
                source, epoch, seq = source_of(record.headers)
                row = decode(MemoryRow, record.value) if record.value is not None else gone(record.key)
            except InvalidMessage as error:
                self.refused += 1
                self.last_refusal = str(error)
                continue
            if self.sources.accept(source, epoch, seq):
                rows[source].append(row)
            else:
                self.late += 1
        for source, some in rows.items():
            self.reader.put(source, some)


def gone(key: bytes | None) -> MemoryRow:
    """The row of zeros that a tombstone stands for; the key is the JSON array of a MemoryKey. Raises InvalidMessage."""
    try:
        query_key, segment, entity_id, day = json.loads(key or b"")
        return MemoryRow(query_key=query_key, segment=segment, entity_id=entity_id, day=day, shown=[0] * 6, acted=[0] * 10)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidMessage(
            "not a memory key", [f"key: {key!r:.80} ({error!s:.200}); send [query_key, segment, entity_id, day]"]
        ) from None
