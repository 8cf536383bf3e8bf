"""What is new: the newest of the catalogue on a shelf, and for a search what has just come out and has nobody's clicks yet."""

from collections.abc import Iterable

import numpy as np

from retrievers.terms import Document, TermIndex
from retrievers.text import tokens
from retrievers.trigrams import MAX_WORDS, short_words
from schemas.candidates import Candidate, Request
from schemas.entities import Entity

HALF_AGE_MS = 30 * 86_400_000  # as old, an entity counts half; the half-life with which memory forgets
MATCHED = 0.5  # share of the query, by idf, that an entity must have: half a title in common, not one common word


class FreshRetriever:
    """Entities with a `created_at`, by how much of the query they have and how near to the request they came out:

        score = matched / (1 + |ts - created_at| / 30 days),   matched = idf of the shared words / idf of the query's known words

    An empty query is a shelf: all entities, matched = 1, so the newest come first. A query finds only what has at least half of it in
    the words of its title and text attributes; words that no entity has ("newest") ask for nothing and do not count. Ages count from
    the request's `ts`, so a replay of an old log finds what was new then, and a date far in the future is as little fresh as one long
    ago. The decay is hyperbolic because that never reaches zero: the old stay in order. `put` follows the catalogue.
    """

    def __init__(self, entities: Iterable[Entity] = (), *, name: str = "fresh"):
        self.name = name
        self._index = TermIndex()
        self.put(entities)

    def put(self, entities: Iterable[Entity]) -> None:
        """Adds, replaces and, for tombstones or where `created_at` is missing, removes entities. All or nothing."""
        latest = {entity.entity_id: entity for entity in entities}.values()
        documents = [
            Document(one.entity_id, short_words(one), float(one.created_at))
            for one in latest
            if not one.deleted and one.created_at is not None
        ]
        self._index.put(documents, gone={one.entity_id for one in latest} - {one.document_id for one in documents})

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        view, words = self._index.view, tokens(request.query)[:MAX_WORDS]
        if words:
            found = view.find(words)
            matched = found.weights / found.known if found.known else found.weights
            kept = matched >= MATCHED
            numbers, matched = found.numbers[kept], np.minimum(matched[kept], 1.0)
        else:
            numbers = view.everything()
            matched = np.ones(len(numbers))
        age = np.abs(view.values[numbers] - request.ts)
        return view.best(numbers, matched / (1.0 + age / HALF_AGE_MS), depth)
