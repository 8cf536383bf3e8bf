"""Event time of a partition: what has passed, and which ids are still remembered."""

from collections.abc import Iterable, Mapping

from schemas.base import DAY_MS, HOUR_MS
from streams.kernel.changes import INPUTS, Input, SavedId


class Clock:
    """Record times of the two inputs: running maxima, since append times may step back. Nothing here reads a wall clock."""

    def __init__(self, times: Mapping[Input, int] | None = None) -> None:
        self.times: dict[Input, int] = {topic: (times or {}).get(topic, 0) for topic in INPUTS}

    def advance(self, topic: Input, time: int) -> int:
        """The record time of a record of `topic` with log time `time`."""
        self.times[topic] = max(self.times[topic], time)
        return self.times[topic]

    @property
    def watermark(self) -> int:
        """Every record with a smaller record time has been seen, in both inputs."""
        return min(self.times.values())


class SeenIds:
    """Ids that have counted, in hour buckets of their events' `ts`, each known until its bucket's end + 24 h.

    Whether an id is known at record time t is decided by t, not by what was pruned: so the interleaving of the inputs decides nothing.
    """

    def __init__(self, saved: Iterable[SavedId] = ()) -> None:
        self._ids: dict[bytes, tuple[tuple[int, int], ...]] = {}  # several entries only when an id came back after it was forgotten
        self._buckets: dict[int, list[bytes]] = {}
        for one in saved:
            self.add(one)

    def add(self, saved: SavedId) -> None:
        self._ids[saved.id] = (*self._ids.get(saved.id, ()), (saved.bucket, saved.content))
        self._buckets.setdefault(saved.bucket, []).append(saved.id)

    def contents(self, id_: bytes, time: int) -> list[int]:
        """What is kept with the id as far as it is known at record time `time`; empty for an unknown id."""
        return [content for bucket, content in self._ids.get(id_, ()) if not expired(bucket, time)]

    def prune(self, watermark: int) -> None:
        """Forget buckets that no later record can ask for."""
        for bucket in [bucket for bucket in self._buckets if expired(bucket, watermark)]:
            for id_ in self._buckets.pop(bucket):
                if left := tuple(one for one in self._ids.get(id_, ()) if one[0] != bucket):
                    self._ids[id_] = left
                else:
                    self._ids.pop(id_, None)

    def __len__(self) -> int:
        return len(self._ids)


def expired(bucket: int, time: int) -> bool:
    """Is an id of this hour bucket forgotten at `time`? From then on the 24 h rule refuses any copy of its event."""
    return time > (bucket + 1) * HOUR_MS + DAY_MS
