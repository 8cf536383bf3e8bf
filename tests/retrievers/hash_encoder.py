"""An encoder without a model: words fall into dimensions by hash. Texts with common words are near, others at about a right angle."""

from collections.abc import Sequence

import numpy as np

from retrievers.text import tokens
from retrievers.vector_file import Vectors, unit_rows
from schemas.ids import digest


class HashEncoder:
    """Counts of words, each under a sign and a dimension that its hash gives. `encoded` lists every text that it was asked for."""

    def __init__(self, dimensions: int = 32, *, model_id: str = "hash"):
        self.dimensions, self.model_id = dimensions, model_id
        self.encoded: list[str] = []

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self.documents(texts)

    def documents(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        rows = np.zeros((len(texts), self.dimensions))
        for row, text in zip(rows, texts, strict=True):
            for word in tokens(text):
                number = int(digest(word), 16)
                row[number // 2 % self.dimensions] += 1.0 if number % 2 else -1.0
        return unit_rows(rows)
