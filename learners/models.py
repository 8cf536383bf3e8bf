"""Models that are not sums: each is fitted anew to the finals, and its arrays stand in the policy's content as "NAME.ARRAY"."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learners.arrays import pack, unpack
from learners.definition import Definition
from learners.finals import Final
from schemas.errors import CorruptFile
from schemas.rows import POSITION_BINS
from schemas.snapshots import Array, Content

log = logging.getLogger(__name__)
THETA = "examination.theta"  # array that memory is read with
FIRST_FITS, EVERY = (50, 100, 250), 500  # finals at which models are fitted; early ones cost little and help most

Fitted = Mapping[str, NDArray[np.generic]]


class FinalsModel(Protocol):
    """A model that is a function of a set of finals.

    `fit` gets the finals by id ascending, and in `fitted` the arrays of the models that were fitted before it ("NAME.ARRAY"). It gives
    its arrays (float64, float32, int32 or uint8) by names without prefix; none when there is nothing to say yet.
    """

    @property
    def name(self) -> str: ...

    def fit(self, finals: Sequence[Final], definition: Definition, fitted: Fitted) -> Fitted: ...


def fits_due(finals: int) -> int:
    """How often models were to be fitted by the time that so many finals were seen.

    >>> [fits_due(n) for n in (49, 50, 100, 250, 499, 500, 999, 1_000)]
    [0, 1, 2, 3, 3, 4, 4, 5]
    """
    return sum(finals >= first for first in FIRST_FITS) + finals // EVERY


def fit_models(
    models: Sequence[FinalsModel], finals: Sequence[Final], definition: Definition, last: Mapping[str, Array]
) -> dict[str, Array]:
    """The arrays of all models, fitted in their order. A model that raises is logged, and its arrays of `last` stay."""
    out: dict[str, Array] = {}
    for model in models:
        try:
            fitted = model.fit(finals, definition, {name: unpack(array, what=name) for name, array in out.items()})
            out |= {f"{model.name}.{name}": pack(values) for name, values in sorted(fitted.items())}
        except Exception:  # one model that fails must not end publishing
            log.exception("model %s was not fitted to %d finals; its last arrays stay", model.name, len(finals))
            out |= {name: array for name, array in last.items() if name.startswith(f"{model.name}.")}
    return out


def theta_of(content: Content, definition: Definition) -> tuple[float, ...]:
    """The chance of examination by position bin that memory is to be read with: as estimated, else the definition's. Raises CorruptFile."""
    if THETA not in content.arrays:
        return tuple(definition.reading.theta)
    theta = unpack(content.arrays[THETA], what=THETA, dtype="<f8", shape=(len(POSITION_BINS),))
    if not ((theta >= 0.0) & (theta <= 1.0)).all():
        raise CorruptFile(f"snapshot array {THETA!r} is {theta.tolist()}, must be probabilities; keep the last good one and publish again")
    return tuple(theta.tolist())
