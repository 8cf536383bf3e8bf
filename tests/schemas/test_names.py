"""Names that must come out the same on every machine: query keys, classes, ids, position bins, hashes."""

import doctest
import json
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ids
from schemas.base import Text
from schemas.ids import client_hash, digest, final_id, position_bin, query_class, query_key

GOLDEN = Path(__file__).parent.parent / "golden" / "query_keys.json"
texts = st.text(max_size=40) | st.text("aZ .!'$:+ıİßﬁ①ﷺ\u0301\u0345", max_size=600) | st.just("ﷺ" * 512)


@pytest.mark.parametrize(("text", "key"), [tuple(pair) for pair in json.loads(GOLDEN.read_text("utf-8"))])
def test_golden_query_keys(text, key):
    assert query_key(text) == key


def test_a_request_without_a_query_is_kept_under_its_surface():
    assert query_key("", "home") == "surface:home"
    assert query_key("  ", "because_you_liked") == "surface:because_you_liked"


@given(texts)
def test_keys_are_stable_short_and_never_empty(text):
    key = query_key(text)
    assert 0 < len(key) <= Text.__metadata__[0].metadata[0].max_length
    assert key == " ".join(key.split())
    if key != "surface:search":
        assert not key.startswith("surface:")
        assert query_key(key) == key
    assert query_key(f"  {text.swapcase()} ") == query_key(text.swapcase())


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_ascii_capitals_and_spaces_do_not_matter(text):
    assert query_key(text.upper()) == query_key(text.lower()) == query_key("\t" + text.lower().replace(" ", "  "))


def test_examples_in_the_docstrings():
    assert doctest.testmod(ids).failed == 0
    assert doctest.testmod(ids).attempted >= 2


@pytest.mark.parametrize(
    ("key", "kind"), [("halo", "1"), ("halo 3", "2d"), ("a b c", "3"), ("a b c d", "many"), ("a b c d e 5", "manyd"), ("5", "1d")]
)
def test_query_class(key, kind):
    assert query_class(key) == kind


@pytest.mark.parametrize(("position", "index"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3), (6, 4), (10, 4), (11, 5), (100_000, 5)])
def test_position_bin(position, index):
    assert position_bin(position) == index


def test_digest_hashes_length_and_bytes_of_every_part():
    by_hand = blake2b(b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\1c", digest_size=16).hexdigest()
    assert digest("ab", "c") == digest(b"ab", "c") == by_hand
    assert digest("a", "bc") != by_hand
    assert digest(12) == digest("12")
    assert final_id("s", 5) == digest("final", "s", 5)


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_digests_of_different_parts_differ(left, right):
    assert (digest(*left) == digest(*right)) == (left == right)


def test_client_hash_is_keyed_and_fits_a_signed_integer():
    by_hand = int(blake2b(b"client", key=b"key", digest_size=8).hexdigest(), 16) // 2
    assert client_hash("client", b"key") == by_hand < 2**63
    assert client_hash("client", b"other") != by_hand
    assert client_hash("\ud800", b"k" * 100) == client_hash("\ud800", b"k" * 64)
