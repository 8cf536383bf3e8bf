"""A policy travels in parts: joined again it is the same, and nothing that was damaged on the way is accepted."""

import base64
import json
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import CorruptFile
from schemas.snapshots import PART_BYTES, Content, Manifest, Part, join_parts


def manifest(content: Content, parts: list[Part], **more) -> Manifest:
    fields = {"model": "m", "content_id": content.content_id, "seq": 7, "publisher_epoch": 1, "created": 0, "feature_schema": "f"}
    return Manifest(**fields | {"parts": [part.sha256 for part in parts]} | more)


def named(parts: list[Part]) -> dict[str, Part]:
    return {part.sha256: part for part in parts}


def part_of(piece: bytes) -> Part:
    return Part(sha256=sha256(piece).hexdigest(), data=base64.b64encode(piece).decode())


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join(sha256(str(at).encode()).digest() for at in range(size // 32))


SMALL = Content({"salt": "s", "arms": ["dense"]}, {"b": ((3,), b"12345678" * 3), "a": ((1, 1), b"abcdefgh")})
LARGE = Content({}, {"x": ((200_000,), noise(1_600_000))})

arrays = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.lists(st.integers(0, 3), max_size=3).flatmap(
        lambda shape: st.tuples(
            st.just(tuple(shape)), st.binary(min_size=8 * count(shape), max_size=8 * count(shape))
        )
    ),
    max_size=4,
)  # fmt: skip
definitions = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner, max_size=2),
    ),
    max_size=3,
)


def count(shape: list[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


@given(definitions, arrays)
def test_any_content_survives_the_journey(definition, held):
    content = Content(definition, held)
    parts = content.split()
    assert Content.parse(content.canonical()) == content
    assert join_parts(manifest(content, parts), named(parts)) == content


def test_content_id_is_over_content_and_not_over_its_order():
    turned = Content(dict(reversed(SMALL.definition.items())), dict(reversed(SMALL.arrays.items())))
    assert turned.content_id == SMALL.content_id
    assert Content(SMALL.definition, SMALL.arrays | {"a": ((1,), b"abcdefgh")}).content_id != SMALL.content_id  # another shape


def test_large_content_is_cut_into_parts_that_fit_a_record():
    parts = LARGE.split()
    assert len(parts) == 3
    assert all(len(part.data) * 3 // 4 <= PART_BYTES + 2 for part in parts)
    assert join_parts(manifest(LARGE, parts), named(parts)) == LARGE


def test_every_flipped_byte_of_the_data_is_refused():
    [part] = SMALL.split()
    for at in range(len(part.data)):
        for new in "A/= é":
            if part.data[at] != new:
                data = part.data[:at] + new + part.data[at + 1 :]
                with pytest.raises(CorruptFile, match="seq 7"):
                    join_parts(manifest(SMALL, [part]), {part.sha256: Part(sha256=part.sha256, data=data)})


def test_every_flipped_byte_of_the_content_is_refused_even_under_its_right_name():
    """A publisher that damages the content before it names the parts: the manifest's content_id finds it."""
    packed = zlib.compress(SMALL.canonical())
    for at in range(len(packed)):
        broken = part_of(packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :])
        with pytest.raises(CorruptFile, match="publish again"):
            join_parts(manifest(SMALL, [broken]), named([broken]))


def test_missing_swapped_and_foreign_parts_are_refused():
    first, second, third = LARGE.split()
    whole = manifest(LARGE, [first, second, third])
    with pytest.raises(CorruptFile, match=f"part {second.sha256[:12]} of snapshot seq 7 is missing; wait for it"):
        join_parts(whole, named([first, third]))
    with pytest.raises(CorruptFile, match="has other bytes; publish again"):
        join_parts(whole, named([first, third]) | {second.sha256: third})
    with pytest.raises(CorruptFile, match="publish again"):
        join_parts(manifest(LARGE, [second, first, third]), named([first, second, third]))
    [other] = SMALL.split()
    with pytest.raises(CorruptFile, match="is not the content that its manifest names"):
        join_parts(manifest(LARGE, [other]), named([other]))


def test_cut_and_lengthened_tails_are_refused():
    parts = LARGE.split()
    with pytest.raises(CorruptFile, match="cut off, too long, or over 256 MB"):
        join_parts(manifest(LARGE, parts[:2]), named(parts))
    packed = zlib.compress(SMALL.canonical())
    for piece in (packed[:-1], packed[:5], packed + b"x", b""):
        broken = part_of(piece)
        with pytest.raises(CorruptFile, match="does not unpack"):
            join_parts(manifest(SMALL, [broken]), named([broken]))


def head(text: str, rest: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "big") + text.encode() + rest


BROKEN = {
    "empty": b"",
    "length only": (100).to_bytes(8, "big"),
    "no object": head("[]"),
    "no definition": head('{"arrays":[]}'),
    "no arrays": head('{"definition":{}}'),
    "number as arrays": head('{"arrays":1,"definition":{}}'),
    "array cut off": head('{"arrays":[["a",[2]]],"definition":{}}', b"12345678"),
    "bytes left over": head('{"arrays":[["a",[1]]],"definition":{}}', b"123456789"),
    "negative sides": head('{"arrays":[["a",[-1,-1]]],"definition":{}}', b"12345678"),
    "side no whole number": head('{"arrays":[["a",[1.0]]],"definition":{}}', b"12345678"),
    "truth as side": head('{"arrays":[["a",[true]]],"definition":{}}', b"12345678"),
    "array twice": head('{"arrays":[["a",[1]],["a",[1]]],"definition":{}}', b"12345678" * 2),
    "arrays out of order": head('{"arrays":[["b",[1]],["a",[1]]],"definition":{}}', b"12345678" * 2),
    "spaces": head('{"arrays": [], "definition": {}}'),
    "more in the head": head('{"arrays":[],"definition":{},"x":1}'),
    "NaN": head('{"arrays":[],"definition":{"x":NaN}}'),
    "deep": head('{"arrays":[],"definition":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "huge side": head('{"arrays":[["a",[' + "9" * 4_000 + ']]],"definition":{}}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_content_of_any_other_form_is_refused(name):
    with pytest.raises(CorruptFile, match=r"does not parse .*keep the last good one and publish again"):
        Content.parse(BROKEN[name])


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_as_content(tail, cut):
    canonical = SMALL.canonical()
    value = canonical[:cut] + tail
    if value != canonical:
        with pytest.raises(CorruptFile):
            Content.parse(value)


def test_the_head_is_plain_json():
    size = int.from_bytes(SMALL.canonical()[:8], "big")
    assert json.loads(SMALL.canonical()[8 : 8 + size]) == {
        "arrays": [["a", [1, 1]], ["b", [3]]],
        "definition": {"arms": ["dense"], "salt": "s"},
    }
    assert SMALL.canonical()[8 + size :] == b"abcdefgh" + b"12345678" * 3
