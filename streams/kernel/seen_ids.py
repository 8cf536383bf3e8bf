"""Ids that have counted, in hour buckets of their events' `ts`, each known until its bucket's end + 24 h.

A day of ids is most of what a worker holds in memory: as Python objects each takes some 200 bytes. So all but the newest are kept in
sorted arrays, 28 bytes an id, and looked up by bisection.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from schemas.base import DAY_MS, HOUR_MS
from streams.kernel.changes import SavedId

NEWEST = 50_000  # ids kept as objects, at least; beyond it a sixteenth of all, so that each is sorted in some 16 times at most
_ROW = np.dtype([("first", "<u8"), ("second", "<u8"), ("content", "<i8"), ("bucket", "<i4")])


def expired(bucket: int, time: int) -> bool:
    """Is an id of this hour bucket forgotten at `time`? From then on the 24 h rule refuses any copy of its event."""
    return time > (bucket + 1) * HOUR_MS + DAY_MS


def newest_expired(time: int) -> int:
    """The newest hour bucket that is forgotten at `time`."""
    return (time - DAY_MS - 1) // HOUR_MS - 1


class SeenIds:
    """16-byte ids, each with 63 bits of content. One id has several entries only when it came back after it was forgotten.

    Whether an id is known at record time t is decided by t, not by what was pruned: so the interleaving of the inputs decides nothing.
    """

    def __init__(self, saved: Iterable[SavedId] = (), *, newest: int = NEWEST) -> None:
        self._most_newest = newest
        self._newest: dict[bytes, tuple[tuple[int, int], ...]] = {}
        self._first = array("Q")  # of `_rows`, as what bisect reads fastest
        self._rows = np.empty(0, _ROW)
        self._oldest: int | None = None  # bucket
        for one in saved:
            self.add(one)

    @classmethod
    def of(cls, ids: bytes, contents: NDArray[np.int64], buckets: NDArray[np.int64]) -> "SeenIds":
        """Of columns: ids one after the other, 16 bytes each; contents and hour buckets."""
        seen = cls()
        rows = _rows(ids, contents, buckets)
        seen._replace(rows[np.argsort(rows["first"])])
        seen._oldest = int(buckets.min()) if len(buckets) else None
        return seen

    def add(self, saved: SavedId) -> None:
        self._newest[saved.id] = (*self._newest.get(saved.id, ()), (saved.bucket, saved.content))
        if self._oldest is None or saved.bucket < self._oldest:
            self._oldest = saved.bucket
        if len(self._newest) > max(self._most_newest, len(self._rows) // 16):
            self._sort_in()

    def contents(self, id_: bytes, time: int) -> list[int]:
        """What is kept with the id as far as it is known at record time `time`; empty for an unknown id."""
        known = [content for bucket, content in self._newest.get(id_, ()) if not expired(bucket, time)]
        first = int.from_bytes(id_[:8], "little")
        at = bisect_left(self._first, first)
        while at < len(self._first) and self._first[at] == first:
            _, second, content, bucket = self._rows[at].tolist()
            if second == int.from_bytes(id_[8:], "little") and not expired(bucket, time):
                known.append(content)
            at += 1
        return known

    def prune(self, watermark: int) -> None:
        """Forget buckets that no later record can ask for."""
        if self._oldest is None or not expired(self._oldest, watermark):
            return
        kept = {id_: tuple(one for one in entries if not expired(one[0], watermark)) for id_, entries in self._newest.items()}
        self._newest = {id_: entries for id_, entries in kept.items() if entries}
        self._replace(self._rows[self._rows["bucket"] > newest_expired(watermark)])
        buckets = [bucket for entries in self._newest.values() for bucket, _ in entries]
        if len(self._rows):
            buckets.append(int(self._rows["bucket"].min()))
        self._oldest = min(buckets, default=None)

    def __len__(self) -> int:
        """Entries."""
        return len(self._rows) + sum(map(len, self._newest.values()))

    def _sort_in(self) -> None:
        entries = [(id_, content, bucket) for id_, held in self._newest.items() for bucket, content in held]
        ids, contents, buckets = zip(*entries, strict=True)
        rows = _rows(b"".join(ids), np.array(contents), np.array(buckets))
        merged = np.concatenate([self._rows, rows[np.argsort(rows["first"])]])
        self._newest = {}
        self._replace(merged[np.argsort(merged["first"], kind="stable")])  # two sorted runs: merging them is linear

    def _replace(self, rows: NDArray[np.void]) -> None:
        self._rows = rows
        self._first = array("Q", np.ascontiguousarray(rows["first"]).tobytes())


def _rows(ids: bytes, contents: NDArray[np.int64], buckets: NDArray[np.int64]) -> NDArray[np.void]:
    rows, halves = np.empty(len(contents), _ROW), np.frombuffer(ids, "<u8").reshape(-1, 2)
    rows["first"], rows["second"], rows["content"], rows["bucket"] = halves[:, 0], halves[:, 1], contents, buckets
    return rows
