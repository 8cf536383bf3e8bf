import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features import ARM_FEATURES, QUERY_CLASSES, FeatureSchema, class_index, known
from schemas.base import MAX_FEATURE
from schemas.candidates import Evidence
from schemas.ids import query_class
from tests.learners.requests import Remembered, request


def test_known_answer():
    # One word, 4 of 40 letters (0.1), no digit, a session with history, half known, record 0.25.
    phi = ARM_FEATURES.phi(request("halo", recent=["e1"]), record=0.25, known=0.5)
    assert dict(zip(ARM_FEATURES.names, phi, strict=True)) == {
        "bias": 256,
        "one_word": 128,
        "many_words": 0,
        "has_digit": 0,
        "length": 13,  # 12.8
        "continued": 128,
        "known": 64,
        "known_one_word": 64,
        "record": 32,
        "record_one_word": 32,
        "record_has_digit": 0,
        "record_known": 16,
    }


@given(st.text(max_size=60), st.lists(st.floats(0, 1), max_size=5), st.floats(0, 1), st.booleans())
def test_within_its_bounds_and_the_same_alone_or_among_others(query, records, known_, history):
    asked = request(query or "x", recent=["e"] if history else [])
    rows = ARM_FEATURES.matrix(asked, records=np.array(records), known=known_)
    assert rows.shape == (len(records), len(ARM_FEATURES.names))
    for record, row in zip(records, rows.tolist(), strict=True):
        assert row == ARM_FEATURES.phi(asked, record=record, known=known_)
        assert sum(x * x for x in row) <= 4 * 256 * 256
        assert max(map(abs, row)) <= MAX_FEATURE


def test_every_page_of_a_search_has_the_same_features():
    one, two = request("long query with many words", page=1), request("long query with many words", page=2)
    assert ARM_FEATURES.phi(one, record=0.3, known=0.2) == ARM_FEATURES.phi(two, record=0.3, known=0.2)


def test_known_is_the_squashed_reward_of_what_may_be_served():
    assert known(request(), None) == 0.0
    assert known(request(), Remembered()) == 0.0
    assert known(request(), Remembered({"a": Evidence(1.0, 5.0, 3), "b": Evidence(1.0, 0.0, 2)})) == 0.5  # 2 / (2 + 2)


@pytest.mark.parametrize("query", ["a", "1", "a b", "a 2", "a b c", "a b 3", "a b c d", "a b c 4", "a b c d e f g"])
def test_classes_are_those_of_the_schemas(query):
    assert QUERY_CLASSES[class_index(query_class(query))] == query_class(query)


def test_unheard_of_classes_share_one_place():
    assert class_index("brand-new") == class_index("") == len(QUERY_CLASSES) - 1


def test_hash_follows_names_and_version():
    assert FeatureSchema().hash == ARM_FEATURES.hash
    assert len({FeatureSchema().hash, FeatureSchema(version=2).hash, FeatureSchema(names=("bias",)).hash}) == 3


@pytest.mark.parametrize(
    ("query", "one", "many"), [("a", 128, 0), ("a b", 0, 0), ("a b c", 0, 0), ("a b c d", 0, 128), ("a b c d e", 0, 128)]
)
def test_word_counts_follow_the_classes(query, one, many):
    phi = dict(zip(ARM_FEATURES.names, ARM_FEATURES.phi(request(query), record=0.0, known=0.0), strict=True))
    assert (phi["one_word"], phi["many_words"]) == (one, many)
