"""Replay: the probabilities of a log, search by search. With the log's salt the policy then draws the logged decisions again."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from learners.selection.selector import Probabilities, within
from schemas.candidates import Request
from schemas.decisions import Decision


class Replay:
    """Logged propensities by search_id. A search or an arm that the log does not hold is asked with 1 - floor."""

    def __init__(self, decisions: Iterable[tuple[str, Decision]], *, floor: float):
        self._logged = {search: {arm.name: arm.propensity for arm in decision.arms} for search, decision in decisions}
        self._floor = floor

    def probabilities(self, request: Request, names: Sequence[str], phi: NDArray[np.float64]) -> Probabilities:
        logged = self._logged.get(request.search_id, {})
        return within(np.array([logged.get(name, 1.0) for name in names], dtype=np.float64), self._floor)
