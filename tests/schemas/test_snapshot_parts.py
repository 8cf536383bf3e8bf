"""A policy travels in parts: joined again it is the same, and nothing that was damaged on the way is accepted."""

import base64
import json
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import CorruptFile
from schemas.snapshots import DTYPES, PART_BYTES, Array, Content, Joiner, Manifest, Part, join_parts


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


def plain(shape: tuple[int, ...], data: bytes) -> Array:
    return Array("<f8", shape, data)


SMALL = Content({"salt": "s", "arms": ["dense"]}, {"b": plain((3,), b"12345678" * 3), "a": plain((1, 1), b"abcdefgh")})
LARGE = Content({}, {"x": plain((200_000,), noise(1_600_000))})
MODELS = Content(
    {}, {"n": plain((1,), b"12345678"), "rank.w": Array("<f4", (2,), b"abcdefgh"), "xmr.w": Array("|u1", (700_000,), noise(700_000))}
)


def array_of(dtype: str, shape: list[int]) -> st.SearchStrategy[Array]:
    size = DTYPES[dtype] * count(shape)
    return st.binary(min_size=size, max_size=size).map(lambda data: Array(dtype, tuple(shape), data))


arrays = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["rank.w", "rank.b", "xmr.w"]),
    st.tuples(st.sampled_from(sorted(DTYPES)), st.lists(st.integers(0, 3), max_size=3)).flatmap(lambda one: array_of(*one)),
    max_size=4,
)
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
    assert Content(SMALL.definition, SMALL.arrays | {"a": plain((1,), b"abcdefgh")}).content_id != SMALL.content_id  # another shape
    assert Content(SMALL.definition, SMALL.arrays | {"a": Array("|u1", (8,), b"abcdefgh")}).content_id != SMALL.content_id
    assert Content(SMALL.definition, SMALL.arrays | {"a": plain((1, 1), b"abcdefgi")}).content_id != SMALL.content_id
    assert SMALL.content_id == sha256(SMALL.head).hexdigest()


def test_large_content_is_cut_into_parts_that_fit_a_record():
    parts = LARGE.split()
    assert len(parts) == 3
    assert all(len(part.data) * 3 // 4 <= PART_BYTES + 2 for part in parts)
    assert join_parts(manifest(LARGE, parts), named(parts)) == LARGE


def test_an_array_of_a_model_is_parts_of_its_own():
    """So what did not change keeps its parts, whatever else is published anew."""
    own, rank, *xmr = MODELS.split()
    assert len(xmr) == 2
    changed = Content({"salt": "t"}, MODELS.arrays | {"n": plain((1,), b"87654321"), "rank.w": Array("<f4", (2,), b"abcdefgi")})
    parts = changed.split()
    assert parts[2:] == xmr
    assert parts[0] != own
    assert parts[1] != rank
    assert join_parts(manifest(changed, parts), named(parts)) == changed


def test_parts_that_were_in_the_last_content_are_not_asked_for_again():
    joiner, asked = Joiner(), []

    def ask(parts):
        return lambda sha: asked.append(sha) or named(parts).get(sha)

    first = joiner.join(manifest(MODELS, MODELS.split()), ask(MODELS.split()))
    assert asked == [part.sha256 for part in MODELS.split()]
    asked.clear()
    changed = Content({}, MODELS.arrays | {"n": plain((1,), b"87654321"), "a.new": plain((0,), b"")})
    second = joiner.join(manifest(changed, changed.split()), ask(changed.split()))
    assert asked == [part.sha256 for part in changed.split()[:2]]
    assert (first, second) == (MODELS, changed)
    assert second.arrays["xmr.w"] is first.arrays["xmr.w"]
    asked.clear()
    joiner.join(manifest(SMALL, SMALL.split()), ask(SMALL.split()))
    assert joiner.join(manifest(MODELS, MODELS.split()), ask(MODELS.split())) == MODELS
    assert len(asked) == 5  # what was not in the last one is read again


def test_arrays_of_equal_bytes_share_parts_and_stay_apart():
    twins = Content({}, {"xmr.columns": Array("<i4", (0,), b""), "xmr.weights": Array("<f4", (0,), b"")})
    joiner = Joiner()
    assert joiner.join(manifest(twins, twins.split()), named(twins.split()).get) == twins
    assert joiner.join(manifest(twins, twins.split()), named(twins.split()).get) == twins  # the next refresh, arrays unchanged


def test_known_parts_do_not_help_a_manifest_that_names_other_bytes():
    joiner = Joiner()
    joiner.join(manifest(MODELS, MODELS.split()), named(MODELS.split()).get)
    other = Content({}, MODELS.arrays | {"xmr.w": Array("|u1", (700_000,), bytes(700_000))})
    mixed = [*other.split()[:2], *MODELS.split()[2:]]  # the head of one, the array of another
    with pytest.raises(CorruptFile, match=r"array xmr\.w is not the one that the head names"):
        joiner.join(manifest(other, mixed), named(mixed).get)
    with pytest.raises(CorruptFile, match="1 parts are left over"):
        joiner.join(manifest(MODELS, [*MODELS.split(), MODELS.split()[1]]), named(MODELS.split()).get)


def test_an_array_says_what_it_holds():
    for dtype, shape, data in [("<f8", (2,), bytes(8)), ("<i8", (1,), bytes(8)), ("|u1", (-1,), b""), ("|u1", (True,), b"x")]:
        with pytest.raises(ValueError, match="dtype"):
            Array(dtype, shape, data)


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


def listed(*names: str, shape: str = "[1]", data: bytes = b"12345678", dtype: str = '"<f8"') -> str:
    """A head that lists arrays of these names, all with the same bytes."""
    sha = sha256(data).hexdigest()
    arrays = ",".join(f'["{name}",{dtype},{shape},"{sha}"]' for name in names)
    return '{"arrays":[' + arrays + '],"definition":{}}'


BROKEN = {
    "empty": b"",
    "length only": (100).to_bytes(8, "big"),
    "no object": head("[]"),
    "no definition": head('{"arrays":[]}'),
    "no arrays": head('{"definition":{}}'),
    "number as arrays": head('{"arrays":1,"definition":{}}'),
    "array cut off": head(listed("a", shape="[2]", data=b"12345678" * 2), b"12345678"),
    "other bytes": head(listed("a"), b"12345679"),
    "bytes left over": head(listed("a"), b"123456789"),
    "negative sides": head(listed("a", shape="[-1,-1]"), b"12345678"),
    "side no whole number": head(listed("a", shape="[1.0]"), b"12345678"),
    "truth as side": head(listed("a", shape="[true]"), b"12345678"),
    "no dtype": head(listed("a", dtype="null"), b"12345678"),
    "dtype of objects": head(listed("a", dtype='"|O"'), b"12345678"),
    "list as dtype": head(listed("a", dtype='["<f8"]'), b"12345678"),
    "array twice": head(listed("a", "a"), b"12345678" * 2),
    "arrays out of order": head(listed("b", "a"), b"12345678" * 2),
    "spaces": head('{"arrays": [], "definition": {}}'),
    "more in the head": head('{"arrays":[],"definition":{},"x":1}'),
    "NaN": head('{"arrays":[],"definition":{"x":NaN}}'),
    "deep": head('{"arrays":[],"definition":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "huge side": head(listed("a", shape="[" + "9" * 4_000 + "]")),
}


def test_the_head_that_the_broken_ones_vary_is_a_good_one():
    assert Content.parse(head(listed("a"), b"12345678")) == Content({}, {"a": plain((1,), b"12345678")})


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
        "arrays": [
            ["a", "<f8", [1, 1], sha256(b"abcdefgh").hexdigest()],
            ["b", "<f8", [3], sha256(b"12345678" * 3).hexdigest()],
        ],
        "definition": {"arms": ["dense"], "salt": "s"},
    }
    assert SMALL.canonical()[8 + size :] == b"abcdefgh" + b"12345678" * 3
