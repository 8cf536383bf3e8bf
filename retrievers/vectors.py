"""Nearest vectors by cosine, while vectors come, change and go.

Small: one matrix product, exact. Large: a graph (hnswlib; Malkov and Yashunin 2018) over most rows, and exact over the few that changed
since it was built. The graph is never changed, because hnswlib's add and query may not run together and its resize crashes readers:
a new one is built aside and swapped in. It is never read from a file either, where a hostile one would write over the heap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from retrievers.base import ordered
from retrievers.vector_file import Vectors, read_vectors, unit_rows, write_vectors
from schemas.candidates import Candidate
from schemas.errors import InvalidSetting

EXACT_UP_TO = 20_000  # vectors: 384 dimensions take 3 ms there, less than encoding the query; a graph 1.5 ms at recall@50 0.98
CHURN = 0.07  # share of rows dead or not in the graph before a new one is built: beyond it a rebuild is cheaper than what it saves
MIN_CHURN = 256  # rows: below this nothing is worth a rebuild
M, EF_CONSTRUCTION, EF = 16, 100, 200  # links per node; list lengths while building and searching: 0.4 ms a vector, 1.5 ms a search
SPARE = 16  # fetched beyond the depth, so that most ties at the cut are seen in one go
SEED = 1

_Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _View:
    """What one search sees. `matrix` has more rows than `count`: later ones are filled in for later views, earlier ones never change."""

    matrix: Vectors
    ids: list[str]  # grows only
    count: int
    alive: NDArray[np.bool_]  # (count,)
    live: int
    graph: Any  # hnswlib.Index over rows 0 to `in_graph`, or None
    in_graph: int

    @property
    def churn(self) -> int:
        return self.count - self.live + (self.count - self.in_graph if self.graph is not None else 0)

    def near(self, query: Vectors, depth: int) -> _Rows:
        """Rows among which the nearest `depth` are (in the graph: nearly always)."""
        found = self._in_graph(query, depth) if self.graph is not None else None
        return self._exact(0, query, depth) if found is None else np.concatenate([found, self._exact(self.in_graph, query, depth)])

    def _exact(self, first: int, query: Vectors, depth: int) -> _Rows:
        scores = self.matrix[first : self.count] @ query
        scores[~self.alive[first:]] = -np.inf
        if not len(scores):
            return np.empty(0, np.int64)
        at = max(len(scores) - depth, 0)
        cut = max(float(np.partition(scores, at)[at]), 0.0)
        return np.flatnonzero(scores >= cut - _noise(len(query))) + first  # each is scored again, row by row

    def _in_graph(self, query: Vectors, depth: int) -> _Rows | None:
        """Live rows out of the graph, at least `depth` and all that tie with the last; None where going through all rows is better."""
        wanted = max(EF, depth + SPARE)
        while 4 * wanted <= self.in_graph:
            try:
                labels, distances = self.graph.knn_query(query, k=wanted, num_threads=1)
            except RuntimeError:  # fewer than wanted can be reached, as among thousands of equal vectors
                return None
            rows: _Rows = labels[0].astype(np.int64)
            live = self.alive[rows]
            if live.sum() >= depth and distances[0, -1] > distances[0, live][depth - 1] + _noise(len(query)):
                return rows[live]
            wanted *= 4
        return None


def _noise(dimensions: int) -> float:
    """What two float32 products of the same unit vectors can differ by: the last bits depend on where a row stands."""
    return 2.0 * dimensions * 2.0**-24


class VectorIndex:
    """Vectors under ids. One writer at a time (`put` takes a lock), any number of readers that never wait.

    `model_id` says whose vectors these are; it is checked when a file is loaded. Up to `exact_up_to` vectors the answer is exact and
    depends only on what is held; above, a near one can be missed, and which one depends on the order of changes, too.
    """

    def __init__(self, dimensions: int, *, model_id: str = "", exact_up_to: int = EXACT_UP_TO):
        if dimensions < 1:
            raise InvalidSetting(f"dimensions of a vector index are {dimensions}: must be 1 or more; take those of the encoder")
        self.dimensions, self.model_id = dimensions, model_id
        self._exact_up_to = exact_up_to
        self._lock = Lock()
        self._rows: dict[str, int] = {}  # of the live ones; for the writer
        self._view: _View
        self._renew([], np.empty((0, dimensions), np.float32))

    def __len__(self) -> int:
        return self._view.live

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def put(self, ids: Sequence[str], vectors: Vectors, *, remove: Iterable[str] = ()) -> None:
        """Take `remove` out, then add or replace; found (or not) as soon as this returns, all or nothing.

        `vectors` (n, dimensions) of any length above zero: they are made unit vectors. A row of zeros has no direction, so it is
        never found. Raises InvalidSetting for another shape, NaN or infinity.
        The change that passes 7 % churn builds anew before it returns: 0.4 ms a vector above `exact_up_to`, next to nothing below.
        """
        units, gone = self._units(ids, vectors), list(remove)
        with self._lock:
            view, rows = self._view, self._rows
            alive = np.concatenate([view.alive, units.any(axis=1)])
            new: dict[str, int] = {}
            for row, key in enumerate(ids, view.count):
                if key in new:  # twice in one batch: the later one holds
                    alive[new[key]] = False
                new[key] = row
            alive[[rows[key] for key in {*gone, *new} if key in rows]] = False
            matrix = _with_room(view.matrix, view.count, len(alive))
            matrix[view.count : len(alive)] = units
            view.ids.extend(ids)
            self._view = _View(matrix, view.ids, len(alive), alive, int(alive.sum()), view.graph, view.in_graph)
            for key in gone:
                rows.pop(key, None)
            for key, row in new.items():
                if alive[row]:
                    rows[key] = row
                else:
                    rows.pop(key, None)
            self._rebuild_if_due()

    def search(self, vector: Vectors, depth: int) -> list[Candidate]:
        """The nearest by cosine in the total order, at most `depth`; what is at a right angle or beyond is no hit.

        The score is summed in float64 from the stored float32 rows, so equal vectors score equal wherever they stand.
        Raises InvalidSetting for a vector of another dimension, NaN or infinity; a vector of zeros finds nothing.
        """
        query, view = self._units(["the query"], np.reshape(vector, (1, -1)))[0], self._view
        if depth <= 0 or not view.live or not query.any():
            return []
        rows = view.near(query, depth)
        scores = (view.matrix[rows].astype(np.float64) * query).sum(axis=1)
        return ordered(((view.ids[row], score) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)), depth)

    def save(self, path: Path) -> None:
        """Write ids and vectors to a file (retrievers/vector_file.py), sorted by id; the graph is built again by `load`."""
        with self._lock:
            ids, matrix = self._sorted()
        write_vectors(path, ids, matrix, model_id=self.model_id)

    @classmethod
    def load(cls, path: Path, dimensions: int, *, model_id: str = "", exact_up_to: int = EXACT_UP_TO) -> "VectorIndex":
        """An index as it was saved. Raises CorruptFile for a file that is damaged, or of another model or dimension."""
        ids, vectors = read_vectors(path, model_id=model_id, dimensions=dimensions)
        index = cls(dimensions, model_id=model_id, exact_up_to=exact_up_to)
        index._renew(ids, np.array(vectors))
        return index

    def _units(self, ids: Sequence[str], vectors: Vectors) -> Vectors:
        """Rows of length 1 (or 0), as float32."""
        given = np.asarray(vectors, dtype=np.float32)
        if given.shape != (len(ids), self.dimensions):
            raise InvalidSetting(f"vectors have shape {given.shape}, not {(len(ids), self.dimensions)}; give a row per id, of one model")
        if not (good := np.isfinite(given).all(axis=1)).all():
            raise InvalidSetting(f"the vector of {ids[int(np.argmin(good))]!r} holds NaN or infinity; leave it out, or look at the encoder")
        return unit_rows(given)

    def _sorted(self) -> tuple[list[str], Vectors]:
        ids = sorted(self._rows)
        return ids, self._view.matrix[[self._rows[key] for key in ids]]

    def _rebuild_if_due(self) -> None:
        view = self._view
        outgrown = view.graph is None and view.live > self._exact_up_to
        if outgrown or view.churn > max(MIN_CHURN, CHURN * view.count):
            self._renew(*self._sorted())  # by id: the graph depends on what is held, not on how it came

    def _renew(self, ids: list[str], matrix: Vectors) -> None:
        graph = _graph(matrix) if len(ids) > self._exact_up_to else None
        self._rows = {key: row for row, key in enumerate(ids)}
        count = len(ids)
        self._view = _View(matrix, ids, count, np.ones(count, np.bool_), count, graph, count if graph is not None else 0)


def _with_room(matrix: Vectors, count: int, wanted: int) -> Vectors:
    """The matrix itself if it has `wanted` rows, else a larger one that begins with its first `count`."""
    if wanted <= len(matrix):
        return matrix
    larger = np.empty((wanted + wanted // 4 + 64, matrix.shape[1]), np.float32)
    larger[:count] = matrix[:count]
    return larger


def _graph(matrix: Vectors) -> Any:
    """hnswlib's graph over the rows. One thread: the same rows in the same order give the same graph."""
    graph = hnswlib.Index("ip", matrix.shape[1])
    graph.init_index(len(matrix), M=M, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
    graph.set_num_threads(1)
    graph.add_items(matrix, np.arange(len(matrix)))
    graph.set_ef(EF)
    return graph
