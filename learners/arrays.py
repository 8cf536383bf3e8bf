"""numpy arrays in and out of a snapshot's content."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptFile
from schemas.snapshots import DTYPES, Array

_REMEDY = "keep the last good one and publish again"


def pack(values: NDArray[Any]) -> Array:
    """A float64, float32, int32 or uint8 array as it is published. Raises CorruptFile for other dtypes, NaN and infinities."""
    dtype = values.dtype.newbyteorder("<").str
    if dtype not in DTYPES:
        raise CorruptFile(f"an array of dtype {values.dtype} cannot be published; use one of float64, float32, int32, uint8")
    if not np.isfinite(values).all():
        raise CorruptFile("an array with NaN or infinity cannot be published; fit it to finite numbers")
    return Array(dtype, values.shape, np.ascontiguousarray(values, dtype=dtype).tobytes())


def unpack(array: Array | None, *, what: str, dtype: str | None = None, shape: tuple[int | None, ...] | None = None) -> NDArray[Any]:
    """A read-only view of a published array; `what` names it in refusals.

    `dtype` and `shape` are what it must be (None: any; a side of None: any length). Raises CorruptFile on others, on None, NaN and
    infinities.
    """
    if array is None:
        raise CorruptFile(f"snapshot array {what!r} is missing; {_REMEDY}")
    if dtype is not None and array.dtype != dtype:
        raise CorruptFile(f"snapshot array {what!r} has dtype {array.dtype}, expected {dtype}; {_REMEDY}")
    if shape is not None and not _fits(array.shape, shape):
        raise CorruptFile(f"snapshot array {what!r} has shape {array.shape}, expected {shape}; {_REMEDY}")
    values = np.frombuffer(array.data, dtype=array.dtype).reshape(array.shape)
    if array.dtype in ("<f8", "<f4") and not np.isfinite(values).all():
        raise CorruptFile(f"snapshot array {what!r} holds NaN or infinity; {_REMEDY}")
    return values


def _fits(have: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(have) == len(wanted) and all(want is None or side == want for side, want in zip(have, wanted, strict=True))
