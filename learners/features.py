"""What an arm's model sees of a request: no encoder, twelve integers in units of 1/256.

Context of the query, evidence of memory for it, the arm's running record on this class of query, and their products. The bias
has scale 1, everything else 1/2, so that phi'phi <= 1 + 10/4 < 4 (one_word and many_words exclude each other). All pages of a
search have the same context, hence the page number is no feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.base import UNIT
from schemas.candidates import Memory, Request
from schemas.ids import digest

CONTEXT = ("bias", "one_word", "many_words", "has_digit", "length", "continued", "known", "known_one_word")
RECORD = ("record", "record_one_word", "record_has_digit", "record_known")
QUERY_CLASSES = ("1", "1d", "2", "2d", "3", "3d", "many", "manyd", "")  # as schemas.ids.query_class; "" stands for any other

_HALF = UNIT // 2
_LONGEST = 40  # letters; a query of the length of a line is simply long
_KNOWN_AT = 2.0  # remembered reward at which a query is half known
_KNOWN_FROM = 64  # entities looked up: a query with more is known anyway


def class_index(query_class: str) -> int:
    """Index into QUERY_CLASSES; classes of other people's making share the last."""
    return _CLASS_INDEX.get(query_class, len(QUERY_CLASSES) - 1)


_CLASS_INDEX = {name: index for index, name in enumerate(QUERY_CLASSES)}


def known(request: Request, memory: Memory | None) -> float:
    """How much memory holds for this query, in [0, 1): remembered reward r as r / (r + 2)."""
    if memory is None:
        return 0.0
    entities = memory.entities(request.query_key, request.segment)
    if not entities:
        return 0.0
    evidence = memory.lookup(request.query_key, request.segment, sorted(entities)[:_KNOWN_FROM])
    reward = sum(max(0.0, one.reward) for one in evidence)
    return reward / (reward + _KNOWN_AT)


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """Ordered names; `hash` is what tallies and snapshots are kept under."""

    names: tuple[str, ...] = CONTEXT + RECORD
    version: int = 1

    @property
    def hash(self) -> str:
        return digest("arm-features", self.version, *self.names)

    def phi(self, request: Request, *, record: float, known: float) -> list[int]:
        """Features of one arm. `record` and `known` in [0, 1]."""
        row: list[int] = self.matrix(request, records=np.array([record]), known=known)[0].tolist()
        return row

    def matrix(self, request: Request, *, records: NDArray[np.float64], known: float) -> NDArray[np.int64]:
        """Features of many arms, shape (len(records), d): row k belongs to an arm with record records[k]."""
        key = request.query_key
        words = key.count(" ") + 1
        one_word, digit = words == 1, any(map(str.isdigit, key))
        half_known = round(_HALF * known)
        context = (
            UNIT,
            _HALF * one_word,
            _HALF * (words > 3),
            _HALF * digit,
            round(_HALF * min(len(key), _LONGEST) / _LONGEST),
            _HALF * bool(request.recent),
            half_known,
            half_known * one_word,
        )
        phi = np.empty((len(records), len(context) + len(RECORD)), dtype=np.int64)
        phi[:, : len(context)] = context
        products = records[:, None] * np.array((_HALF, _HALF * one_word, _HALF * digit, _HALF * known))
        phi[:, len(context) :] = np.rint(products)
        return phi


ARM_FEATURES = FeatureSchema()


def as_reals(phi: NDArray[np.int64] | Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Features on the grid as real numbers."""
    return np.asarray(phi, dtype=np.float64) / UNIT
