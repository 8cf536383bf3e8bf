"""The policy that the records of `policy.snapshots` amount to. No broker, no threads."""

from collections.abc import Iterable

from learners.gate import refusal
from learners.policy import Policy
from schemas.codec import decode
from schemas.errors import CorruptFile, InvalidMessage
from schemas.snapshots import CURRENT, PART, Content, Joiner, Manifest, Part
from streams.reading.follower import Incoming

_WAITING = 20  # manifests whose parts are not here yet; the publisher keeps as many contents


class PolicyView:
    """Parts by name, manifests not yet usable, and the best policy so far: the highest (publisher_epoch, seq) that passed every check."""

    def __init__(self) -> None:
        self.policy: Policy | None = None
        self.manifest: Manifest | None = None
        self.content: Content | None = None
        self.refused = 0
        self.last_refusal = ""
        self._parts: dict[str, bytes] = {}
        self._joiner = Joiner()
        self._waiting: dict[tuple[int, int], Manifest] = {}

    def apply(self, records: Iterable[Incoming]) -> bool:
        """Take records in the order of the topic; True when `policy` changed. Of many manifests only the best is built."""
        for record in records:
            key = (record.key or b"").decode(errors="replace")
            if key.startswith(PART) and record.value is None:
                self._parts.pop(key, None)
            elif key.startswith(PART) and record.value is not None:
                self._parts[key] = record.value
            elif key == CURRENT and record.value is not None:
                self._take(record.value)
        return self._adopt()

    def _take(self, value: bytes) -> None:
        try:
            manifest = decode(Manifest, value)
        except InvalidMessage as error:
            self._refuse(str(error))
            return
        if order(manifest) > self._best():
            self._waiting[order(manifest)] = manifest
            for late in sorted(self._waiting)[:-_WAITING]:
                del self._waiting[late]

    def _adopt(self) -> bool:
        """Build the best manifest whose parts are all here; a refused one is forgotten and the next best tried."""
        for at in sorted(self._waiting, reverse=True):
            manifest = self._waiting[at]
            if all(f"{PART}{sha}" in self._parts for sha in manifest.parts):
                del self._waiting[at]
                if self._build(manifest):
                    self._waiting = {other: kept for other, kept in self._waiting.items() if other > at}
                    return True
        return False

    def _build(self, manifest: Manifest) -> bool:
        try:
            content = self._joiner.join(manifest, lambda sha: decode(Part, self._parts[f"{PART}{sha}"]))
        except (InvalidMessage, CorruptFile) as error:
            self._refuse(f"seq {manifest.seq}: {error}")
            return False
        if why := refusal(content, manifest, running=self.manifest):
            self._refuse(why)
            return False
        policy = Policy(content, seq=manifest.seq, exploration=manifest.exploration)
        self.policy, self.manifest, self.content = policy, manifest, content
        return True

    def _best(self) -> tuple[int, int]:
        return order(self.manifest) if self.manifest else (-1, -1)

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.last_refusal = why


def order(manifest: Manifest) -> tuple[int, int]:
    """What a later publication is higher in."""
    return manifest.publisher_epoch, manifest.seq
