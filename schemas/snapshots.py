"""A policy as plain data: named arrays and a JSON definition, cut into parts that name themselves by their content.

Arrays whose names begin with a model's name and a dot are parts of their own: a model that did not change is not packed, sent or read
again when the rest is published anew.
"""

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import VERSION, Count, Id, Label, Message, Millis
from schemas.errors import CorruptFile

PART_BYTES = 600_000  # of compressed content; base64 and JSON keep it under Kafka's 1 MB a record
MAX_CONTENT = 256_000_000
DTYPES = {"<f8": 8, "<f4": 4, "<i4": 4, "|u1": 1}  # of arrays, as numpy writes them, and bytes of one number
# Keys on the topic: the newest manifest; before a seq, each manifest that is kept; before a sha256, a part.
CURRENT, HISTORY, PART = "manifest", "manifest/", "part/"
_MODEL = "."  # ends the name of a model in the name of its array
_REFUSED = (ValueError, KeyError, TypeError, RecursionError)
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

    `content_id` is the sha256 of the content's head, which holds the definition and the sha256 of every array; equal content has an
    equal id. (`publisher_epoch`, `seq`) orders publications. `since` (hour from which an arm's tallies are read) and `exploration` are
    reading parameters outside the content.
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
class Array:
    """Numbers in C order. `data` has 1, 4 or 8 bytes a number, little-endian. What is computed from it is computed once."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES or any(type(side) is not int or side < 0 for side in self.shape):
            raise ValueError(f"an array has dtype {self.dtype!r} and shape {self.shape}, dtypes are {', '.join(DTYPES)}")
        if len(self.data) != DTYPES[self.dtype] * prod(self.shape):
            raise ValueError(f"an array of dtype {self.dtype} and shape {self.shape} has {len(self.data)} bytes")

    @cached_property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()

    @cached_property
    def parts(self) -> "Sequence[Part]":
        """The array alone as parts."""
        return _parts(self.data)


@dataclass(frozen=True)
class Content:
    """What is published: a JSON definition and named arrays of finite numbers. Equality is equality of `canonical()`."""

    definition: Mapping[str, Any]
    arrays: Mapping[str, Array]

    def holding(self, arrays: Mapping[str, Array]) -> "Content":
        """The same definition with other arrays; what is known of the definition is not computed again."""
        content = Content(self.definition, arrays)
        content.__dict__["_definition_json"] = self._definition_json
        return content

    @cached_property
    def head(self) -> bytes:
        """The bytes that `content_id` is over: sorted JSON of the definition and of each array's name, dtype, shape and sha256."""
        arrays = [[name, one.dtype, list(one.shape), one.sha256] for name, one in sorted(self.arrays.items())]
        return f'{{"arrays":{_json(arrays)},"definition":{self._definition_json}}}'.encode()

    @cached_property
    def _definition_json(self) -> str:
        return _json(self.definition)

    @cached_property
    def content_id(self) -> str:
        return sha256(self.head).hexdigest()

    def canonical(self) -> bytes:
        """The whole content as bytes: the head, then the arrays by name."""
        return _framed(self.head) + b"".join(self.arrays[name].data for name in sorted(self.arrays))

    @classmethod
    def parse(cls, canonical: bytes) -> "Content":
        """Inverse of `canonical`: `parse(c.canonical()) == c`, and bytes of any other form are refused. Raises CorruptFile."""
        cut = _Cut(canonical)
        try:
            content = _content(cut.head(), lambda _, size: cut.take(size))
            if cut.left():
                raise ValueError(f"{cut.left()} bytes are left over")
            return content
        except _REFUSED as error:
            raise CorruptFile(f"snapshot content does not parse ({error}); keep the last good one and publish again") from None

    def split(self) -> list[Part]:
        """The content as parts of at most PART_BYTES compressed bytes: the head with the arrays of no model, then each array of a model,
        by name."""
        return [*self._own, *(part for name in sorted(self.arrays) if _MODEL in name for part in self.arrays[name].parts)]

    @cached_property
    def _own(self) -> Sequence[Part]:
        arrays = [self.arrays[name].data for name in sorted(self.arrays) if _MODEL not in name]
        return _parts(_framed(self.head) + b"".join(arrays))


class Joiner:
    """Contents from their parts, one after the other: arrays of models that were in the last one are taken over without being read."""

    def __init__(self) -> None:
        # By name and first part (arrays of equal bytes share parts): all parts of an array, and the array.
        self._known: dict[tuple[str, str], tuple[list[str], Array]] = {}

    def join(self, manifest: Manifest, part: Callable[[str], Part | None]) -> Content:
        """Content of a manifest; `part` gives a part by sha256. Every byte is checked. Raises CorruptFile."""
        streams, used = _Streams(manifest, part), dict[tuple[str, str], tuple[list[str], Array]]()

        def array(name: str, size: int) -> bytes | Array:
            if _MODEL not in name:
                return own.take(size)
            have = self._known.get((name, streams.next))
            if have is not None and streams.skip(have[0]):
                used[name, have[0][0]] = have
                return have[1]
            first = streams.at
            data = streams.read()
            models[name] = manifest.parts[first : streams.at]
            return data

        models: dict[str, list[str]] = {}
        try:
            own = _Cut(streams.read())
            content = _content(own.head(), array)
            if own.left() or streams.next:
                raise ValueError(f"{own.left()} bytes and {len(manifest.parts) - streams.at} parts are left over")
        except _REFUSED as error:
            raise CorruptFile(f"snapshot seq {manifest.seq} does not parse ({error}); publish again") from None
        if content.content_id != manifest.content_id:
            raise CorruptFile(f"snapshot seq {manifest.seq} is not the content that its manifest names; publish again")
        self._known = used | {(name, shas[0]): (shas, content.arrays[name]) for name, shas in models.items()}
        return content


def join_parts(manifest: Manifest, parts: Mapping[str, Part]) -> Content:
    """Content of a manifest from its parts by sha256; every byte is checked. Raises CorruptFile."""
    return Joiner().join(manifest, parts.get)


class _Cut:
    """Bytes that are taken from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + max(0, size)]
        self._at += len(taken)
        return taken

    def head(self) -> bytes:
        return self.take(int.from_bytes(self.take(8), "big"))

    def left(self) -> int:
        return len(self._data) - self._at


class _Streams:
    """The zlib streams that the parts of a manifest hold one after the other; each begins with a part."""

    def __init__(self, manifest: Manifest, part: Callable[[str], Part | None]) -> None:
        self._manifest, self._part, self._room, self.at = manifest, part, MAX_CONTENT, 0

    @property
    def next(self) -> str:
        """The sha256 of the part that comes next, "" after the last."""
        return self._manifest.parts[self.at] if self.at < len(self._manifest.parts) else ""

    def skip(self, parts: list[str]) -> bool:
        """Pass by these parts if they come next."""
        same = self._manifest.parts[self.at : self.at + len(parts)] == parts
        self.at += len(parts) if same else 0
        return same

    def read(self) -> bytes:
        """The next stream. Raises CorruptFile when it is cut off or longer than its parts."""
        out, unpacker = b"", zlib.decompressobj()
        try:
            while not unpacker.eof and self.next:
                out += unpacker.decompress(self._bytes(self.next), self._room - len(out) + 1)
                self.at += 1
            if not unpacker.eof or unpacker.unused_data or len(out) > self._room:
                raise zlib.error("cut off, too long, or over 256 MB")
        except zlib.error as error:
            raise CorruptFile(f"snapshot seq {self._manifest.seq} does not unpack ({error}); publish again") from None
        self._room -= len(out)
        return out

    def _bytes(self, sha: str) -> bytes:
        part, where = self._part(sha), f"part {sha[:12]} of snapshot seq {self._manifest.seq}"
        if part is None:
            raise CorruptFile(f"{where} is missing; wait for it or publish again")
        try:
            piece = base64.b64decode(part.data, validate=True)
        except ValueError:
            piece = b""
        if sha256(piece).hexdigest() != sha or base64.b64encode(piece).decode() != part.data:
            raise CorruptFile(f"{where} has other bytes; publish again")
        return piece


def _content(head: bytes, take: Callable[[str, int], bytes | Array]) -> Content:
    """The content of a head; `take` gives the array of a name and size in bytes. Raises one of _REFUSED."""
    plain, arrays = json.loads(head), {}
    for name, dtype, shape, sha in plain["arrays"]:
        taken = take(name, DTYPES[dtype] * prod(shape))
        array = taken if isinstance(taken, Array) else Array(dtype, tuple(shape), taken)
        if (array.dtype, list(array.shape), array.sha256) != (dtype, shape, sha):
            raise ValueError(f"array {name} is not the one that the head names")
        arrays[name] = array
    content = Content(plain["definition"], arrays)
    if content.head != head:
        raise ValueError("the head has another form")
    return content


def _json(plain: object) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _framed(head: bytes) -> bytes:
    return len(head).to_bytes(8, "big") + head


def _parts(data: bytes) -> Sequence[Part]:
    packed = zlib.compress(data, 6)
    pieces = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
    return tuple(Part(sha256=sha256(piece).hexdigest(), data=base64.b64encode(piece).decode()) for piece in pieces)
