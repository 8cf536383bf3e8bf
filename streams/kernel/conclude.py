"""What leaves the kernel: finals, amendments, quarantined originals. Each has an id that depends on nothing but its facts."""

import base64
from hashlib import blake2b
from itertools import accumulate

from schemas.base import HOUR_MS
from schemas.codec import decode, encode
from schemas.events import Action, Impression
from schemas.ids import digest
from schemas.outcomes import Amendment, Outcome, Quarantined, Reason
from schemas.topics import OUTCOMES, QUARANTINE
from streams.kernel.changes import TOPIC_OF, Changes, Input, Outgoing, SavedId, SetHash
from streams.kernel.join import Rules
from streams.kernel.packing import unpack
from streams.kernel.search import Search
from streams.kernel.seen_ids import SeenIds

FINAL_BYTES = 600_000  # of pages in one final
ACTION_BYTES = 150_000  # of actions in one final; their rewards by entity take at most as much again
QUARANTINE_BYTES = 600_000  # of an original that are kept; base64 and JSON must fit one record


def hashed_id(kind: str, *parts: str) -> bytes:
    """16 bytes; each part's length is hashed too, so that no two lists of parts share an id."""
    hasher = blake2b(digest_size=16)
    for part in (kind, *parts):
        data = part.encode()
        hasher.update(b"%d:" % len(data) + data)
    return hasher.digest()


class Out:
    """Collects what one batch sends, once per id."""

    def __init__(self, changes: Changes, ids: SeenIds, partition: int) -> None:
        self.changes, self.ids, self.partition = changes, ids, partition

    def remember(self, saved: SavedId) -> None:
        """Keep an id, here and in the store."""
        self.ids.add(saved)
        self.changes.ids.append(saved)

    def final(self, search: Search, close: int, rules: Rules) -> None:
        """Everything of the search until `close`, actions in order of (record time, id); what came later as amendments.

        So do pages beyond FINAL_BYTES and actions beyond ACTION_BYTES in all: a final must fit one Kafka record, whatever was shown
        and done.
        """
        pages = sorted(((fact.time, unpack(fact.value)) for fact in search.pages), key=lambda one: one[0])
        sizes = accumulate(len(value) for _, value in pages)
        fits = [time <= close and size <= max(FINAL_BYTES, len(pages[0][1])) for (time, _), size in zip(pages, sizes, strict=True)]
        inside = [value for (_, value), fit in zip(pages, fits, strict=True) if fit]
        later = [(time, decode(Impression, value)) for (time, value), fit in zip(pages, fits, strict=True) if not fit]
        actions = sorted(search.actions, key=lambda one: (one[0].time, one[1].action_id))
        taken = accumulate(len(fact.value) for fact, _ in actions)
        keep = [fact.time <= close and size <= ACTION_BYTES for (fact, _), size in zip(actions, taken, strict=True)]
        acted = [action for (_, action), kept in zip(actions, keep, strict=True) if kept]
        off_page = 0
        if on := [action.entity_id for action in acted if action.entity_id is not None]:
            shown = {r.entity_id for value in inside for r in decode(Impression, value).results} if later else search.counted.found.keys()
            off_page = sum(entity not in shown for entity in on)
        outcome = Outcome.model_construct(
            final_id=search.final_id, search_id=search.search_id, time=search.t0, closed=close, pages=[], actions=acted,
            rewards=rules.reward(acted), off_page=off_page, client=f"{search.client:016x}",
        )  # fmt: skip
        # The pages are put in as the bytes they came in: they were validated then, and they are most of the message.
        value = encode(outcome).replace(b'"pages":[]', b'"pages":[%s]' % b",".join(inside), 1)
        self._send("final", search.final_id, value, close)
        at_hand = [fact.page for fact in sorted(search.pages, key=lambda one: one.time) if fact.page is not None]
        if len(at_hand) == len(inside) == len(search.pages):
            self.changes.concluded[search.final_id] = outcome.model_copy(update={"pages": at_hand})
        for time, page in later:
            self.amendment(search, page, time)
        for (fact, action), kept in zip(actions, keep, strict=True):
            if not kept:
                self.amendment(search, action, fact.time)

    def amendment(self, search: Search, event: Impression | Action, time: int) -> None:
        """A page or action that joined after the final closed."""
        name = f"page {event.page}" if isinstance(event, Impression) else f"action {event.action_id}"
        id_ = digest("amendment", search.search_id, search.ts, name)
        message = Amendment.model_construct(amendment_id=id_, final_id=search.final_id, time=time, event=event)
        self._send("amendment", id_, encode(message), time)

    def refused(self, topic: Input, value: bytes, time: int, reason: Reason) -> bool:
        """Was it quarantined for this before?"""
        return bool(self.ids.contents(hashed_id("quarantine", digest("quarantine", topic, reason, b"", value)), time))

    def quarantine(self, topic: Input, value: bytes, time: int, reason: Reason, error: str, *, key: bytes = b"") -> None:
        """The original bytes and why they do not count. A repeat has the same id (topic, reason, bytes) and is dropped.

        `key` is that of the record where its bytes name no search: it decided the partition, so it belongs to the id.
        """
        id_ = digest("quarantine", topic, reason, key, value)
        known = hashed_id("quarantine", id_)
        if self.ids.contents(known, time):
            return
        self.remember(SavedId(time // HOUR_MS, known, 0))
        cut = f" (only the first {QUARANTINE_BYTES} of {len(value)} bytes are kept)" if len(value) > QUARANTINE_BYTES else ""
        text = error.encode("utf-8", "replace").decode()[:4000] + cut
        kept = base64.b64encode(value[:QUARANTINE_BYTES]).decode()
        message = Quarantined(quarantine_id=id_, topic=TOPIC_OF[topic], time=time, reason=reason, error=text, value=kept)
        self.changes.sets.setdefault(reason, SetHash()).add(id_)
        self.changes.counters[f"quarantined_{reason}"] += 1
        self.changes.outgoing.append(Outgoing(QUARANTINE.name, self.partition, id_, encode(message), time))

    def forward(self, topic: Input, partition: int, key: str, value: bytes, time: int) -> None:
        """A record on the wrong partition goes to the right one."""
        self.changes.counters["misrouted"] += 1
        self.changes.outgoing.append(Outgoing(TOPIC_OF[topic], partition, key, value, time))

    def _send(self, kind: str, id_: str, value: bytes, time: int) -> None:
        self.changes.sets.setdefault(kind, SetHash()).add(digest(value))
        self.changes.counters[kind] += 1
        self.changes.outgoing.append(Outgoing(OUTCOMES.name, self.partition, id_, value, time))
