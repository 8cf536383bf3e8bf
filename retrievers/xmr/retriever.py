"""Entities that people wanted under queries that share words and letters with this one."""

from collections.abc import Container

import numpy as np

from retrievers.base import ordered
from retrievers.xmr.softmax import Arrays, SoftmaxModel
from schemas.candidates import Candidate, Request

FLOOR = 0.0005  # probabilities below it are no find


class XmrRetriever:
    """By the model's probability of an entity given the query, at least FLOOR. `among` holds the ids that exist now: a model outlives
    entities. Before there is a model, and where it knows no term of the query, nothing is found.
    """

    def __init__(self, *, among: Container[str] | None = None, name: str = "xmr"):
        self.name = name
        self._among = among
        self._model: SoftmaxModel | None = None

    @property
    def labels(self) -> int:
        """Entities that the model knows, 0 without a model."""
        return len(self._model.labels) if self._model else 0

    def replace(self, arrays: Arrays) -> None:
        """Take another model in one step, from the arrays of `fitting.fit` (names without prefix); none: no model.

        Raises CorruptFile and keeps the model that it has. One thread calls it, any number retrieve meanwhile.
        """
        self._model = SoftmaxModel(arrays) if arrays else None

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        model, among = self._model, self._among
        if model is None or depth <= 0:
            return []
        labels, probabilities = model.scores(request.query_key)
        found = [(labels[at], float(probabilities[at])) for at in np.flatnonzero(probabilities >= FLOOR).tolist()]
        return ordered([one for one in found if among is None or one[0] in among], depth)
