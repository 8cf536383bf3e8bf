"""What workers applied, read from their logs while they run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_APPLIED = re.compile(rb"applied (\d+): \[(\d+), (\d+)\] to \[(\d+), (\d+)\] in ([\d.]+) s at ([\d.]+)")
_OWNED = re.compile(rb"partition (\d+) owned: epoch \d+, next \{'impressions': (\d+), 'actions': (\d+)\}")


@dataclass(frozen=True)
class Transaction:
    """One transaction: records of both inputs, how long it took and when it ended (wall seconds), and in which log it stands."""

    partition: int
    records: int
    seconds: float
    at: float
    log: str

    @property
    def began(self) -> float:
        return self.at - self.seconds


class Applied:
    """Logs of workers, each read on from where it was read to before. Without `keep`, transactions are not kept."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._read: dict[Path, int] = {}
        self.next: dict[int, tuple[int, int]] = {}  # by partition, offsets not applied yet, of impressions and actions
        self.transactions: list[Transaction] = []

    def look(self, *logs: Path) -> "Applied":
        for path in logs:
            with path.open("rb") as log:
                log.seek(self._read.get(path, 0))
                whole = log.read().rpartition(b"\n")[0]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for number, a, b, c, d, took, at in _APPLIED.findall(whole):
                records = int(c) + int(d) - int(a) - int(b)
                if self._keep:
                    self.transactions.append(Transaction(int(number), records, float(took), float(at), str(path)))
                self._reached(int(number), (int(c), int(d)))
            for number, c, d in _OWNED.findall(whole):
                self._reached(int(number), (int(c), int(d)))
        return self

    @property
    def records(self) -> int:
        """Records applied, each counted once."""
        return sum(sum(pair) for pair in self.next.values())

    def behind(self, ends: Mapping[tuple[str, int], int], inputs: tuple[str, str]) -> int:
        """Records below the end offsets by (topic, partition) that are not applied; `inputs` names impressions, then actions."""
        none = (0, 0)
        return sum(max(0, end - self.next.get(number, none)[inputs.index(topic)]) for (topic, number), end in ends.items())

    def _reached(self, number: int, ends: tuple[int, int]) -> None:
        self.next[number] = max(self.next.get(number, (0, 0)), ends, key=sum)
