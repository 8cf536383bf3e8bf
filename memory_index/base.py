"""Many rows in few arrays: the immutable part of what a reader holds, sorted by query, a fraction of the size of objects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory_index.counts import WIDTH
from memory_index.pairs import Held, Pair, Query, RowKey
from schemas.errors import CorruptFile


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of strings: row i holds `values[codes[i]]`."""

    values: list[str]
    codes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows in any order, as columns: texts, source and day (n), counts (n, 16), clients of row i = clients[bounds[i]:bounds[i + 1]]."""

    query: Texts
    segment: Texts
    entity: Texts
    place: NDArray[np.int64]  # (n, 2): source, day
    counts: NDArray[np.int32]
    clients: NDArray[np.int64]
    bounds: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Base:
    """Columns with the rows of each query together: `starts[name]` is its first row and one past its last, through `order`."""

    columns: Columns
    order: NDArray[np.int64]
    starts: dict[str, tuple[int, int]]
    newest_day: int

    @classmethod
    def of(cls, columns: Columns) -> "Base":
        """Index columns by query. Raises CorruptFile if their shapes do not agree or a count is negative."""
        rows = len(columns.query.codes)
        lengths = {len(columns.segment.codes), len(columns.entity.codes), len(columns.place), len(columns.counts), len(columns.bounds) - 1}
        if lengths != {rows} or columns.counts.shape != (rows, WIDTH):
            raise CorruptFile(f"memory columns hold {sorted(lengths | {rows})} rows: all must hold as many; write the snapshot again")
        if any(part.size and part.min() < 0 for part in (columns.counts, columns.place, columns.clients)):
            raise CorruptFile("memory columns hold a negative count, source or day, or a client of 64 bits; write the snapshot again")
        order = np.argsort(columns.query.codes, kind="stable")
        codes, first, many = np.unique(columns.query.codes[order], return_index=True, return_counts=True)
        spans = zip(codes.tolist(), first.tolist(), many.tolist(), strict=True)
        starts = {columns.query.values[code]: (start, start + count) for code, start, count in spans}
        return cls(columns, order, starts, int(columns.place[:, 1].max()) if rows else 0)

    def __len__(self) -> int:
        return len(self.order)

    def query(self, query_key: str) -> Query | None:
        """All rows of a query as pairs, or None."""
        if query_key not in self.starts:
            return None
        start, end = self.starts[query_key]
        return Query().changed({name: Pair(rows) for name, rows in self._pairs(self.order[start:end])})

    def paid(self, kinds: Iterable[int]) -> Iterator[tuple[str, str, Pair]]:
        """(query, entity, pair) where a count is in one of the columns `kinds`, holding only rows with such a count or clients."""
        columns = self.columns
        acted = columns.counts[:, list(kinds)].any(axis=1) | (np.diff(columns.bounds) > 0)
        rows = self.order[acted[self.order]]
        if not len(rows):
            return
        for chunk in np.split(rows, np.flatnonzero(np.diff(columns.query.codes[rows])) + 1):
            query_key = columns.query.values[columns.query.codes[chunk[0]]]
            for name, held in self._pairs(chunk):
                yield query_key, name, Pair(held)

    def _pairs(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, dict[RowKey, Held]]]:
        columns, pairs = self.columns, dict[str, dict[RowKey, Held]]()
        entities, segments = columns.entity.codes[rows].tolist(), columns.segment.codes[rows].tolist()
        places, counts = columns.place[rows].tolist(), columns.counts[rows].tolist()
        low, high = columns.bounds[rows].tolist(), columns.bounds[rows + 1].tolist()
        for at, (entity, segment, (source, day)) in enumerate(zip(entities, segments, places, strict=True)):
            who = frozenset(columns.clients[low[at] : high[at]].tolist()) if high[at] > low[at] else frozenset()
            key = (source, columns.segment.values[segment], day)
            pairs.setdefault(columns.entity.values[entity], {})[key] = (tuple(counts[at]), who)
        yield from pairs.items()
