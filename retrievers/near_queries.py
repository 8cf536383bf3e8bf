"""Past queries near a given one: by their letters and words, and by meaning where there is an encoder."""

from collections.abc import Iterable, Sequence
from itertools import chain
from threading import Lock

import numpy as np

from retrievers.encoders import Encoder
from retrievers.terms import Document, TermIndex
from retrievers.text import tokens
from retrievers.trigrams import grams
from schemas.ids import query_key

SHELF = query_key("", "")  # begins the keys of shelves, which are nobody's words
SCAN = 128  # nearest queries looked at, by each measure
MEANING = 0.3  # weight of the encoder's cosine; 0.5 finds as much and orders it worse (MRR@10 0.530 for 0.537), 1 finds less
AT_ONCE = 2_000  # new queries that one search takes in: 20 ms
ENCODED = 1  # and encodes: 15 ms, unless the encoder remembers the query from the search that became this past query


class NearQueries:
    """Follows a growing list of query keys and says which of them are near a key, with similarities in (0, 1].

        letters(q, d) = sqrt( sum of idf^2 over the terms of both / sum of idf^2 over the terms of q  *  terms of both / terms of d )

    over words and their character pairs and trigrams with end marks; 1 for the same words in any order. idf counts the keys held. That
    is a cosine in which only the query's side is weighted, so that no norm of a past query ever changes. With an encoder, similarity =
    0.7 letters + 0.3 cosine, where a key that is not among the 128 nearest by one measure has 0 there.
    """

    def __init__(self, encoder: Encoder | None = None):
        self._encoder = encoder
        self._terms = TermIndex()
        self._vectors = None
        if encoder is not None:
            from retrievers.vectors import VectorIndex  # hnswlib comes with the encoder's role

            self._vectors = VectorIndex(encoder.dimensions, model_id=encoder.model_id)
        self._names: Sequence[str] = ()
        self._held: set[str] = set()
        self._taken = self._encoded = 0  # of the names
        self._lock = Lock()

    def follow(self, names: Sequence[str], *, at_once: int = AT_ONCE, encoded: int = ENCODED) -> bool:
        """Take in what is new in `names`: the list of last time, longer, or another one. True when nothing is left to do.

        Any thread may call it. If another is at it, this returns at once: nobody waits for a lock.
        """
        if self._follows(names):
            return True
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if names is not self._names:
                self._let_go(self._held.difference(names))
                self._names, self._taken, self._encoded = names, 0, 0
            some = names[self._taken : self._taken + at_once]
            new = [name for name in some if name not in self._held and not name.startswith(SHELF)]
            self._terms.put(Document(name, _terms(name)) for name in new)
            self._held.update(new)
            self._taken += len(some)
            self._encode(names, encoded)
        finally:
            self._lock.release()
        return self._follows(names)

    def near(self, key: str) -> list[tuple[float, str]]:
        """(-similarity, key) of what is near `key` (itself too, if it is held), nearest first, then by key."""
        view = self._terms.view
        found = view.find(_terms(key), power=2)
        covered = found.weights / max(found.known + found.unknown, 1e-300)
        letters = np.sqrt(covered * found.shared / view.lengths[found.numbers])
        near = view.top(found.numbers, np.minimum(letters, 1.0), SCAN)
        if self._encoder is None or self._vectors is None or not len(self._vectors):
            return near
        mixed = {name: (1.0 - MEANING) * minus for minus, name in near}
        for name, cosine in self._vectors.search(self._encoder.queries([key])[0], SCAN):
            mixed[name] = mixed.get(name, 0.0) - MEANING * cosine
        return sorted((minus, name) for name, minus in mixed.items())

    def _follows(self, names: Sequence[str]) -> bool:
        taken = len(names) if names is self._names else -1
        return taken == self._taken and (self._encoder is None or taken == self._encoded)

    def _let_go(self, gone: Iterable[str]) -> None:
        lost = sorted(gone)
        self._terms.put((), gone=lost)
        self._held.difference_update(lost)
        if self._vectors is not None:
            self._vectors.put([], np.empty((0, self._vectors.dimensions), np.float32), remove=lost)

    def _encode(self, names: Sequence[str], most: int) -> None:
        if self._encoder is None or self._vectors is None:
            return
        new: list[str] = []
        while self._encoded < self._taken and len(new) < most:
            name = names[self._encoded]
            self._encoded += 1
            if name in self._held and name not in self._vectors:
                new.append(name)
        if new:
            self._vectors.put(new, self._encoder.queries(new))


def _terms(key: str) -> set[str]:
    words = tokens(key)
    return {f" {word} " for word in words}.union(chain.from_iterable([grams(word, size) for word in words for size in (2, 3)]))
