"""The publisher's core: add the shares of all partitions, fit, publish when something changed. Kafka and the embedded loop both use it."""

from collections.abc import Iterable

import numpy as np

from learners.definition import Definition
from learners.fit import Accumulator
from learners.tallies import Sums, Tallies
from schemas.rows import TallyKey, TallyRow
from schemas.snapshots import Content


class Publisher:
    """Takes deltas (`add`) or absolute rows of a source (`put`); `refresh` gives the policy as of now, or None if nothing changed."""

    def __init__(self, definition: Definition) -> None:
        self._sums = Accumulator(definition)
        self._rows: dict[tuple[int, TallyKey], Sums] = {}
        self._changed = True

    def add(self, tallies: Tallies) -> None:
        """Add sums to the whole."""
        if tallies:
            self._sums.add(tallies)
            self._changed = True

    def put(self, source: int, rows: Iterable[TallyRow]) -> None:
        """Replace rows of one source partition: what is added is the difference to the row's last value."""
        for row in rows:
            key = (row.kind, row.arm, row.context, row.hour)
            sums = np.array(row.sums, dtype=np.int64)
            old = self._rows.get((source, key))
            if old is not None and np.array_equal(old, sums):
                continue  # sent again: nothing to fit, nothing to publish
            self._rows[source, key] = sums
            if old is not None and len(old) != len(sums):  # nothing to subtract from: the old row is taken back, the new one added
                self.add({key: -old})
                old = None
            self.add({key: sums if old is None else sums - old})

    def redefine(self, definition: Definition) -> None:
        """Fit another definition to the rows that were `put`."""
        self._sums = Accumulator(definition)
        for (_, key), sums in self._rows.items():
            self._sums.add({key: sums})
        self._changed = True

    def refresh(self) -> Content | None:
        """The fitted policy, or None when no sum changed since the last refresh."""
        if not self._changed:
            return None
        self._changed = False
        return self._sums.content()
