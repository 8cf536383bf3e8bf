"""The model as arrays and the retriever over it: probabilities by hand, refusals, swapping."""

from math import exp

import numpy as np
import pytest

from retrievers.xmr.features import BIAS, features
from retrievers.xmr.retriever import FLOOR, XmrRetriever
from retrievers.xmr.softmax import SoftmaxModel
from schemas.errors import CorruptFile
from schemas.ids import query_key
from tests.retrievers.shop import request


def model(weights, labels=("A", "B", "C")):
    """Arrays of a model: feature id -> {column: weight}."""
    ids = sorted(weights)
    names = [label.encode() for label in labels]
    return {
        "feature_ids": np.array(ids, dtype=np.int32),
        "starts": np.cumsum([0] + [len(weights[one]) for one in ids]).astype(np.int32),
        "columns": np.array([column for one in ids for column in sorted(weights[one])], dtype=np.int32),
        "weights": np.array([weights[one][column] for one in ids for column in sorted(weights[one])], dtype=np.float32),
        "labels": np.frombuffer(b"".join(names), dtype=np.uint8),
        "label_ends": np.cumsum([len(name) for name in names]).astype(np.int32),
    }


FIRST, SECOND, _ = features("a").ids.tolist()  # values 0.7071 each, and 0.15 of the bias
GOOD = model({FIRST: {0: 2**0.5}, SECOND: {0: 2**0.5, 2: -(2**0.5)}, BIAS: {1: 10.0}})


def test_probabilities_by_hand():
    labels, found = SoftmaxModel(GOOD).scores("a")
    logits = np.array([2.0, 1.5, -1.0])  # 1 + 1, 0.15 * 10, -1
    assert labels == ("A", "B", "C")
    assert found.tolist() == pytest.approx((np.exp(logits) / np.exp(logits).sum()).tolist(), rel=1e-6)


def test_a_query_of_which_no_term_is_known_has_no_guess():
    for key in ("zzz", query_key(""), query_key("", "home")):
        assert SoftmaxModel(GOOD).scores(key)[1].tolist() == [0.0, 0.0, 0.0]


def test_a_model_of_which_nothing_is_left_guesses_evenly_among_what_it_knows():
    empty = model({FIRST: {}, BIAS: {}})
    assert SoftmaxModel(empty).scores("a")[1].tolist() == pytest.approx([1 / 3] * 3)


def test_names_of_any_letters_come_back():
    names = ("é", "日本", "a b", "\ud800")
    arrays = model({FIRST: {}}, labels=("x",))
    data = [name.encode("utf-8", "surrogatepass") for name in names]
    arrays["labels"] = np.frombuffer(b"".join(data), dtype=np.uint8)
    arrays["label_ends"] = np.cumsum([len(one) for one in data]).astype(np.int32)
    assert SoftmaxModel(arrays).labels == names


def int32(*values):
    return np.array(values, dtype=np.int32)


WRONG = {
    "an array is missing": {"weights": None},
    "an array too many": {"more": int32(1)},
    "dtype": {"weights": GOOD["weights"].astype(np.float64)},
    "two sides": {"columns": GOOD["columns"].reshape(-1, 1)},
    "no features": {"feature_ids": int32(), "starts": int32(0)},
    "features do not rise": {"feature_ids": GOOD["feature_ids"][::-1].copy()},
    "a feature below 0": {"feature_ids": int32(-1, SECOND, BIAS)},
    "starts too short": {"starts": int32(0, 4)},
    "starts fall": {"starts": int32(0, 3, 2, 4)},
    "starts do not begin at 0": {"starts": int32(1, 1, 3, 4)},
    "starts end early": {"starts": int32(0, 1, 2, 3)},
    "a column beyond": {"columns": int32(0, 0, 3, 1)},
    "a column below 0": {"columns": int32(0, -1, 2, 1)},
    "columns too short": {"columns": GOOD["columns"][:-1]},
    "weights too short": {"weights": GOOD["weights"][:-1]},
    "a weight is infinite": {"weights": np.array([1, np.inf, 1, 1], dtype=np.float32)},
    "a weight is no number": {"weights": np.array([1, np.nan, 1, 1], dtype=np.float32)},
    "labels too long": {"labels": np.frombuffer(b"ABCD", dtype=np.uint8)},
    "no labels": {"labels": np.frombuffer(b"", dtype=np.uint8), "label_ends": int32()},
    "an empty label": {"label_ends": int32(0, 1, 3)},
    "label_ends fall": {"label_ends": int32(2, 1, 3)},
    "a label twice": {"labels": np.frombuffer(b"AAB", dtype=np.uint8)},
    "labels are no text": {"labels": np.frombuffer(b"A\xffB", dtype=np.uint8)},
}


@pytest.mark.parametrize("case", WRONG)
def test_corrupt_arrays_are_refused_and_the_last_model_stays(case):
    xmr = XmrRetriever()
    xmr.replace(GOOD)
    before = xmr.retrieve(request("a"), 10)
    wrong = {name: values for name, values in {**GOOD, **WRONG[case]}.items() if values is not None}
    with pytest.raises(CorruptFile, match="keep the last good one"):
        xmr.replace(wrong)
    assert xmr.retrieve(request("a"), 10) == before != []


def test_retriever_cuts_sorts_and_obeys_the_catalogue():
    xmr = XmrRetriever(among=(catalogue := {"A", "B", "C", "D"}))
    assert (xmr.retrieve(request("a"), 10), xmr.labels) == ([], 0)
    low = float(np.log(FLOOR / 2)) * 2**0.5  # of D, against three even ones
    xmr.replace(model({FIRST: {3: low}}, labels=("C", "B", "A", "D")))
    p = 1 / (3 + exp(low * 2**-0.5))
    assert xmr.labels == 4
    assert xmr.retrieve(request("a"), 10) == [(name, pytest.approx(p)) for name in "ABC"], "D is below the floor, ties go by id"
    catalogue.remove("B")
    assert [one.entity_id for one in xmr.retrieve(request("a"), 10)] == ["A", "C"]
    xmr.replace({})
    assert (xmr.retrieve(request("a"), 10), xmr.labels) == ([], 0)
