"""What the kernel concludes: finals, amendments to them, and messages that could not count."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import VERSION, Count, Id, Label, Message, Millis
from schemas.events import Action, Impression

Reason = Literal["invalid", "ts_out_of_range", "conflict", "unmatched", "too_late"]
REASONS: tuple[Reason, ...] = ("invalid", "ts_out_of_range", "conflict", "unmatched", "too_late")


class Outcome(Message):
    """A search that has settled: its pages, every action until it closed, rewards in units of 1/256 by entity.

    `client` is the keyed hash of the person; `off_page` counts actions on entities that no page showed.
    """

    schema_version: Literal[1] = VERSION
    type: Literal["final"] = "final"
    final_id: Id
    search_id: Id
    time: Millis
    closed: Millis
    pages: Annotated[list[Impression], Field(min_length=1)]
    actions: list[Action]
    rewards: dict[Id, Count]
    off_page: Count
    client: Label


class Amendment(Message):
    """A page or an action that came within the window but after its final."""

    schema_version: Literal[1] = VERSION
    type: Literal["amendment"] = "amendment"
    amendment_id: Id
    final_id: Id
    time: Millis
    event: Annotated[Impression | Action, Field(discriminator="type")]


Conclusion = Annotated[Outcome | Amendment, Field(discriminator="type")]


class Quarantined(Message):
    """A message that does not count, with its original bytes (base64) and why."""

    schema_version: Literal[1] = VERSION
    type: Literal["quarantined"] = "quarantined"
    quarantine_id: Id
    topic: Label
    time: Millis
    reason: Reason
    error: Annotated[str, Field(max_length=4096)]
    value: str
