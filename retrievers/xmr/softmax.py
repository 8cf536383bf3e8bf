"""The fitted model: p(entity | query) = softmax(W x), W sparse. Plain arrays in, checked; probabilities out."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrievers.xmr.features import BIAS, features
from schemas.errors import CorruptFile

Arrays = Mapping[str, NDArray[Any]]
_DTYPES = {
    "feature_ids": np.int32,  # (D,) ascending
    "starts": np.int32,  # (D + 1,) where the weights of a feature begin, and where the last end
    "columns": np.int32,  # (nnz,) label of each weight, ascending within a feature
    "weights": np.float32,  # (nnz,)
    "labels": np.uint8,  # entity ids one after the other, UTF-8
    "label_ends": np.int32,  # (L,) where each id ends
}


class SoftmaxModel:
    """Reads the arrays of `fitting.fit` (their names, dtypes and shapes stand in `_DTYPES`). Raises CorruptFile. Never changes."""

    def __init__(self, arrays: Arrays):
        self._ids, self._starts, self._columns, self._weights, labels, ends = _checked(arrays)
        self.labels = _names(labels, ends)
        _ask(len(self._columns) == 0 or 0 <= self._columns.min() <= self._columns.max() < len(self.labels), "columns beyond the labels")

    def scores(self, query_key: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """(labels, probability of each (L,), which add up to 1). All are 0 where no term of the query is known: not even a guess."""
        asked = features(query_key)
        at = np.searchsorted(self._ids, asked.ids)
        known = self._ids[np.minimum(at, len(self._ids) - 1)] == asked.ids
        logits = np.zeros(len(self.labels))
        if not (known & (asked.ids != BIAS)).any():
            return self.labels, logits
        rows = at[known]
        first, last = self._starts[rows].tolist(), self._starts[rows + 1].tolist()
        columns = np.concatenate([self._columns[a:b] for a, b in zip(first, last, strict=True)])
        weights = np.concatenate([self._weights[a:b] for a, b in zip(first, last, strict=True)])
        weights *= np.repeat(asked.values[known], np.subtract(last, first))
        logits += np.bincount(columns, weights, minlength=len(logits))
        np.exp(logits - logits.max(), out=logits)
        logits /= logits.sum()
        return self.labels, logits


def _checked(arrays: Arrays) -> list[NDArray[Any]]:
    _ask(arrays.keys() == _DTYPES.keys(), f"arrays {sorted(arrays)} instead of {sorted(_DTYPES)}")
    for name, dtype in _DTYPES.items():
        _ask(arrays[name].dtype == dtype and arrays[name].ndim == 1, f"{name} of dtype {arrays[name].dtype} and {arrays[name].ndim} sides")
    ids, starts, columns, weights, _, _ = found = [arrays[name] for name in _DTYPES]
    _ask(len(ids) > 0 and ids[0] >= 0 and bool((np.diff(ids) > 0).all()), "feature_ids that do not rise")
    _ask(len(starts) == len(ids) + 1 and starts[0] == 0 and bool((np.diff(starts) >= 0).all()), "starts that do not fit feature_ids")
    _ask(starts[-1] == len(columns) == len(weights), "other numbers of columns and weights than starts says")
    _ask(bool(np.isfinite(weights).all()), "weights that are not finite")
    return found


def _names(labels: NDArray[np.uint8], ends: NDArray[np.int32]) -> tuple[str, ...]:
    """The entity ids. They are not empty and each stands once."""
    rises = len(ends) > 0 and ends[0] > 0 and bool((np.diff(ends) > 0).all()) and ends[-1] == len(labels)
    _ask(rises, "label_ends that do not cut labels")
    data, cuts = labels.tobytes(), [0, *ends.tolist()]
    try:
        names = tuple(data[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(cuts))
    except UnicodeDecodeError:
        _ask(False, "labels that are not UTF-8")
    _ask(len(set(names)) == len(names), "a label twice")
    return names


def _ask(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CorruptFile(f"the xmr model has {otherwise}; keep the last good one and publish again")
