"""What a compacted topic holds by key, and what is to be sent so that it holds what it shall."""

from collections.abc import Mapping
from typing import NamedTuple


class Keyed(NamedTuple):
    """A message of a compacted topic; a value of None is a tombstone."""

    key: str
    value: bytes | None


class CompactedTopic:
    """The newest value of each key of a topic with one partition."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, bytes | None]] = {}  # key -> newest offset and its value

    def saw(self, key: str, value: bytes | None, offset: int) -> None:
        """The topic holds this at this offset; what is older than what is known changes nothing."""
        if offset > self._held.get(key, (-1, None))[0]:
            self._held[key] = (offset, value)

    def values(self) -> dict[str, bytes]:
        """What is there, without tombstones."""
        return {key: value for key, (_, value) in self._held.items() if value is not None}

    def unsent(self, wanted: Mapping[str, bytes], *, ours: tuple[str, ...]) -> list[Keyed]:
        """Differences in the order of `wanted`, then tombstones for other keys that begin like one of `ours`. Keys of others stay."""
        held = self.values()
        changed = [Keyed(key, value) for key, value in wanted.items() if held.get(key) != value]
        return changed + [Keyed(key, None) for key in held if key not in wanted and key.startswith(ours)]
