"""Arrays in and out of contents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from learners.arrays import pack, unpack
from schemas.errors import CorruptFile
from schemas.snapshots import Array


@given(st.sampled_from(["f8", "f4", "i4", "u1"]).flatmap(lambda dtype: arrays(dtype, array_shapes(min_dims=0, min_side=0, max_dims=3))))
def test_what_was_packed_comes_out(values):
    if not np.isfinite(values).all():
        with pytest.raises(CorruptFile, match="NaN or infinity"):
            pack(values)
        return
    out = unpack(pack(values), what="x", dtype=values.dtype.str, shape=values.shape)
    assert np.array_equal(out, values)
    assert (out.dtype, out.shape, out.flags.writeable) == (values.dtype, values.shape, False)


def test_strides_and_byte_order_do_not_matter():
    values = np.arange(6, dtype=">f8").reshape(2, 3)
    assert pack(values.T) == pack(np.array([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))


@pytest.mark.parametrize("dtype", ["i8", "f2", "?", "U1", "O"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(CorruptFile, match="cannot be published; use one of float64, float32, int32, uint8"):
        pack(np.zeros(2, dtype=dtype))


@pytest.mark.parametrize(
    ("array", "wanted", "words"),
    [
        (None, {}, "'rank.w' is missing; keep the last good one"),
        (pack(np.zeros(3)), {"dtype": "<f4"}, "'rank.w' has dtype <f8, expected <f4"),
        (pack(np.zeros((3, 2))), {"shape": (3,)}, r"'rank.w' has shape \(3, 2\), expected \(3,\)"),
        (pack(np.zeros((3, 2))), {"shape": (None, 3)}, "expected"),
        (Array("<f4", (1,), b"\0\0\x80\x7f"), {}, "'rank.w' holds NaN or infinity"),
    ],
)
def test_what_is_not_as_expected_is_refused(array, wanted, words):
    with pytest.raises(CorruptFile, match=words):
        unpack(array, what="rank.w", **wanted)


def test_a_side_of_any_length():
    assert unpack(pack(np.zeros((5, 2))), what="x", shape=(None, 2)).shape == (5, 2)
