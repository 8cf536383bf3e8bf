"""What a server needs of the loop behind it, whether that runs in the same process or on Kafka. `ops/serving` has both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from schemas.candidates import Remembered
from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from schemas.snapshots import Content, Manifest
from serving.view import View

Order = Literal["promote", "rollback", "pin", "unpin"]
Lacking = Literal["policy", "memory", "encoder", "broker", "events"]


class Trouble(NamedTuple):
    """What the service does without for now: answers go on, and say so. `said` is a sentence with the remedy, for people."""

    what: Lacking
    said: str


@dataclass(frozen=True)
class Stage:
    """One stage on the way of an event: received, matched, counted, learned, published, loaded, used.

    `count`: since this process began, None where it is not known here. `age`: seconds since the last one, None for never or not known.
    """

    name: Literal["received", "matched", "counted", "learned", "published", "loaded", "used"]
    count: int | None
    age: float | None


@dataclass(frozen=True)
class Flow:
    """Do events arrive, and do they count? `behind`: records not applied yet; `counted_up_to`: record time in ms, 0 for nothing yet;
    `set_aside`: records by reason (schemas.outcomes.REASONS) and `kinds`: events by what they came to (duplicate, misrouted, ...).
    None: not known in this process (on Kafka the workers know; `forage doctor --stream` asks them)."""

    stages: Sequence[Stage]
    behind: int | None
    counted_up_to: int | None
    set_aside: Mapping[str, int] | None
    kinds: Mapping[str, int] | None
    broker_silent: float | None = None  # seconds; None without a broker


class Backend(Protocol):
    """The loop behind a server. Every method may be called from any thread and returns at once, `order` within seconds."""

    @property
    def mode(self) -> Literal["embedded", "kafka"]: ...

    def view(self) -> View:
        """What one request uses from beginning to end: immutable, swapped whole."""

    def emit(self, event: Impression | Action | SuggestImpression | SuggestAccept) -> bool:
        """Take an event. Never waits. False when there is no room: the caller must say so to whoever sent it."""

    def remembered(self) -> Remembered | None:
        """The memory as the console reads it."""

    def versions(self) -> Sequence[Manifest]:
        """Publications that are kept, oldest first; the last one is in use."""

    def content(self, content_id: str) -> Content:
        """The content of a publication that is kept. Raises NotFound, CorruptFile."""

    def order(self, action: Order, content_id: str, *, reason: str) -> str:
        """Promote, roll back, pin or unpin; what became of it, as a sentence. Raises NotFound, InvalidSetting, Unavailable."""

    def flow(self) -> Flow: ...

    def troubles(self) -> Sequence[Trouble]:
        """What is missing now; empty when all is there."""
