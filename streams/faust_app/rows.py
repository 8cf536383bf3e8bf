"""Memory rows as messages, straight from a table's columns: the same bytes as `encode(MemoryRow(...))`, without an object for each of
some ten rows of every search."""

from collections.abc import Iterator
from json.encoder import encode_basestring as quoted

import numpy as np
import pyarrow as pa

from memory_index.shares import COUNTS, KEYS
from schemas.rows import POSITION_BINS

_SHOWN = len(POSITION_BINS)
_BYTES = (
    '{{"schema_version":1,"query_key":%s,"segment":%s,"entity_id":%s,"day":%d,"shown":[{}],"acted":[{}],"clients":[%s]}}'
).format(*(",".join(["%d"] * count) for count in (_SHOWN, len(COUNTS) - _SHOWN)))  # fmt: skip


def memory_messages(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Key and value of each row of an added-up table (memory_index.shares.MEMORY_SCHEMA), in its order."""
    counts = np.stack([table[name].to_numpy() for name in COUNTS], axis=1).tolist()
    rows = zip(*(table[name].to_pylist() for name in (*KEYS, "clients")), counts, strict=True)
    for query, segment, entity, day, clients, sums in rows:
        query, segment, entity = quoted(query), quoted(segment), quoted(entity)
        value = _BYTES % (query, segment, entity, day, *sums, ",".join(map(str, sorted(clients))))
        yield f"[{query},{segment},{entity},{day}]", value.encode()
