"""A policy as plain data: named float64 arrays and a JSON definition, cut into parts that name themselves by their content."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import VERSION, Count, Id, Label, Message, Millis
from schemas.errors import CorruptFile

PART_BYTES = 600_000  # of compressed content; base64 and JSON keep it under Kafka's 1 MB a record
MAX_CONTENT = 256_000_000
# Keys on the topic: the newest manifest; before a seq, each manifest that is kept; before a sha256, a part.
CURRENT, HISTORY, PART = "manifest", "manifest/", "part/"
Offset = Annotated[int, Field(ge=-1, lt=2**63, description="last offset that is in the state, -1 for none")]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(Message):
    """A piece of content; its key on the topic is `part/SHA256` of `data` before base64."""

    schema_version: Literal[1] = VERSION
    type: Literal["part"] = "part"
    sha256: Sha
    data: str


class Manifest(Message):
    """Closes a snapshot: readers trust nothing that a manifest does not name.

    `content_id` is the sha256 of the uncompressed content; equal content has an equal id. (`publisher_epoch`, `seq`) orders
    publications. `since` (hour from which an arm's tallies are read) and `exploration` are reading parameters outside the content.
    """

    schema_version: Literal[1] = VERSION
    type: Literal["manifest"] = "manifest"
    model: Label
    content_id: Sha
    seq: Count
    publisher_epoch: Count
    created: Millis
    feature_schema: Label
    parts: Annotated[list[Sha], Field(min_length=1, max_length=1_000)]
    applied: dict[Label, Annotated[list[Offset], Field(max_length=2)]] = {}
    since: dict[Id, Count] = {}
    exploration: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    pinned: bool = False
    reason: Label = ""


class Command(Message):
    """An order to the publisher on the topic `control`."""

    schema_version: Literal[1] = VERSION
    type: Literal["command"] = "command"
    command_id: Id
    action: Literal["promote", "rollback", "pin", "unpin"]
    content_id: Label = ""
    ts: Millis
    reason: Label = ""


@dataclass(frozen=True)
class Content:
    """What is published: a JSON definition and named arrays of finite float64. Equality is equality of `canonical()`."""

    definition: Mapping[str, Any]
    arrays: Mapping[str, tuple[tuple[int, ...], bytes]]  # name -> (shape, little-endian float64)

    def canonical(self) -> bytes:
        """The bytes that `content_id` is over: sorted JSON head, then the arrays by name."""
        head = {"definition": self.definition, "arrays": [[name, list(self.arrays[name][0])] for name in sorted(self.arrays)]}
        text = json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return len(text).to_bytes(8, "big") + text + b"".join(self.arrays[name][1] for name in sorted(self.arrays))

    @property
    def content_id(self) -> str:
        return sha256(self.canonical()).hexdigest()

    @classmethod
    def parse(cls, canonical: bytes) -> "Content":
        """Inverse of `canonical`: `parse(c.canonical()) == c`, and bytes of any other form are refused. Raises CorruptFile."""
        try:
            size = int.from_bytes(canonical[:8], "big")
            head, at, arrays = json.loads(canonical[8 : 8 + size]), 8 + size, {}
            for name, shape in head["arrays"]:
                if any(type(side) is not int or side < 0 for side in shape):
                    raise ValueError(f"array {name} has the shape {shape}")
                end = at + 8 * prod(shape)
                arrays[name], at = (tuple(shape), canonical[at:end]), end
            content = cls(head["definition"], arrays)
            if at != len(canonical) or content.canonical() != canonical:
                raise ValueError("bytes are missing, left over or in another order")
            return content
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CorruptFile(f"snapshot content does not parse ({error}); keep the last good one and publish again") from None

    def split(self) -> list[Part]:
        """The content as parts of at most PART_BYTES compressed bytes."""
        packed = zlib.compress(self.canonical(), 6)
        pieces = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
        return [Part(sha256=sha256(piece).hexdigest(), data=base64.b64encode(piece).decode()) for piece in pieces]


def join_parts(manifest: Manifest, parts: Mapping[str, Part]) -> Content:
    """Content of a manifest from its parts by sha256; every byte is checked. Raises CorruptFile."""
    packed = b""
    for sha in manifest.parts:
        if sha not in parts:
            raise CorruptFile(f"part {sha[:12]} of snapshot seq {manifest.seq} is missing; wait for it or publish again")
        try:
            piece = base64.b64decode(parts[sha].data, validate=True)
        except ValueError:
            piece = b""
        if sha256(piece).hexdigest() != sha or base64.b64encode(piece).decode() != parts[sha].data:
            raise CorruptFile(f"part {sha[:12]} of snapshot seq {manifest.seq} has other bytes; publish again")
        packed += piece
    try:
        unpacker = zlib.decompressobj()
        canonical = unpacker.decompress(packed, MAX_CONTENT)
        if not unpacker.eof or unpacker.unused_data:
            raise zlib.error("cut off, too long, or over 256 MB")
    except zlib.error as error:
        raise CorruptFile(f"snapshot seq {manifest.seq} does not unpack ({error}); publish again") from None
    if sha256(canonical).hexdigest() != manifest.content_id:
        raise CorruptFile(f"snapshot seq {manifest.seq} is not the content that its manifest names; publish again")
    return Content.parse(canonical)
