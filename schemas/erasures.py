"""Erasure requests and what became of them, on the compacted topic `privacy.erasures`. A person stands there under the keyed hash of
`schemas.ids.client_hash`, never under a name."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import VERSION, Count, Label, Message, Millis

Client = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Erasure(Message):
    """Searches of this person that began at record time `until` (ms) or before do not count. Key: `client`, a hash under the key with
    this mark."""

    schema_version: Literal[1] = VERSION
    type: Literal["erasure"] = "erasure"
    client: Client
    until: Millis
    key: Client


class Erased(Message):
    """What one processor (a partition's number, or "publisher") has done about it by wall time `at`. Key: `done/BY/CLIENT`. Its own key for
    people has the mark `key`, "" where it needs none.

    `searches` were taken away. `waiting`: there is something left to do. `before`: what the log of outcomes no longer held, since it
    begins at this time (ms; 0: it begins with its first record), was not taken away.
    """

    schema_version: Literal[1] = VERSION
    type: Literal["erased"] = "erased"
    client: Client
    until: Millis
    by: Label
    at: Millis
    key: Label = ""
    searches: Count = 0
    waiting: bool = False
    before: Millis = 0


def done_key(by: str, client: str) -> str:
    """Key of an `Erased` message."""
    return f"done/{by}/{client}"
