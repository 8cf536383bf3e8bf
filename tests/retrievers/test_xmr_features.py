"""Features of a query: terms by hand, unit length, what must come out the same on every machine."""

from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrievers.xmr.features import BIAS, BIAS_VALUE, WIDTH, features, terms
from schemas.ids import query_key


def test_terms_by_hand():
    words = ["call", "call of", "call of duty", "duty", "of", "of duty"]
    trigrams = ["#^ca", "#^du", "#^of", "#all", "#cal", "#dut", "#ll$", "#of$", "#ty$", "#uty"]
    assert terms("call of duty") == trigrams + words
    assert terms("a a") == ["#^a$", "a", "a a"]
    assert terms("a b c d") == sorted(["a", "b", "c", "d", "a b", "b c", "c d", "a b c", "b c d", "#^a$", "#^b$", "#^c$", "#^d$"])
    assert terms("Beyoncé") == terms("beyonce")
    assert terms("") == []


def test_features_by_hand():
    found = features("a")
    ids = sorted([crc32(b"a") % WIDTH, crc32(b"#^a$") % WIDTH])
    assert found.ids.tolist() == [*ids, BIAS]
    assert found.values.tolist() == pytest.approx([2**-0.5, 2**-0.5, BIAS_VALUE])


def test_the_hash_is_the_same_everywhere():
    """Published models hold these ids: another number here would make every one of them read wrongly."""
    assert features("halo 3").ids.tolist() == HALO_3


HALO_3 = [27671, 32305, 62331, 78529, 89495, 167579, 194949, 206521, 262144]


def test_a_shelf_and_an_empty_query_have_the_bias_alone():
    for key in (query_key("", "home"), "", " "):
        assert features(key).ids.tolist() == [BIAS]


@given(st.text(max_size=600))
def test_any_query_has_rising_ids_and_length_one(text):
    ids, values = features(query_key(text))
    assert (ids.dtype, values.dtype) == (np.int32, np.float32)
    assert (np.diff(ids) > 0).all()
    assert 0 <= ids[0] <= ids[-1] == BIAS
    assert len(ids) == 1 or float((values[:-1] ** 2).sum()) == pytest.approx(1.0, abs=1e-5)


def test_what_is_lent_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        features("halo").values[0] = 9.0
