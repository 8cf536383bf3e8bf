"""The policy content that the records of `state.shares` amount to. No broker, no threads."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from learners.definition import Definition
from learners.models import FinalsModel
from schemas.codec import decode
from schemas.errors import InvalidMessage
from schemas.rows import TallyRow
from schemas.snapshots import Content
from schemas.topics import SHARES
from streams.publishing.publisher import Publisher
from streams.reading.follower import Incoming
from streams.reading.sources import Sources, source_of


class SharesView:
    """Rows of every source partition, added and fitted. Rows are absolute, so the same record twice changes nothing.

    `topic` names the topic in `applied`, with its id: offsets belong to topics by id.
    """

    def __init__(self, definition: Definition, models: Sequence[FinalsModel] = (), *, topic: str = SHARES.name) -> None:
        self.definition, self._topic = definition, topic
        self.publisher = Publisher(definition, models)
        self.applied: dict[str, list[int]] = {}  # TOPIC/PARTITION -> its last offset that is in the fit, as manifests have it
        self.late = 0  # rows that a former owner said after its successor
        self.refused = 0
        self.last_refusal = ""
        self._sources = Sources()
        self._fitted: Content | None = None

    def apply(self, records: Iterable[Incoming]) -> None:
        """Take records in the order of their partitions."""
        rows: defaultdict[int, list[TallyRow]] = defaultdict(list)
        for record in records:
            self.applied[f"{self._topic}/{record.partition}"] = [record.offset]
            try:
                source, epoch, seq = source_of(record.headers)
                row = decode(TallyRow, record.value) if record.value is not None else gone(record.key)
            except InvalidMessage as error:
                self.refused += 1
                self.last_refusal = str(error)
                continue
            if self._sources.accept(source, epoch, seq):
                rows[source].append(row)
            else:
                self.late += 1
        for source, some in rows.items():
            self.publisher.put(source, some)

    def define(self, definition: Definition) -> bool:
        """Fit this definition from now on; whether it is another one."""
        changed = definition != self.definition
        if changed:
            self.definition = definition
            self.publisher.redefine(definition)
        return changed

    def content(self, definition: Definition) -> Content:
        """The policy of this definition as of now; fitted again only when something changed."""
        self.define(definition)
        fresh = self.publisher.refresh(fit=False)
        if fresh is not None or self._fitted is None:
            self._fitted = fresh
        assert self._fitted is not None, "a new publisher always has something to fit"
        return self._fitted


def gone(key: bytes | None) -> TallyRow:
    """The row without sums that a tombstone stands for; the key is the JSON array of a TallyKey. Raises InvalidMessage."""
    try:
        kind, arm, context, hour = json.loads(key or b"")
        return TallyRow(kind=kind, arm=arm, context=context, hour=hour, sums=[])
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidMessage("not a tally key", [f"key: {key!r:.80} ({error!s:.200}); send [kind, arm, context, hour]"]) from None
