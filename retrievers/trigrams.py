"""Character trigrams: what is misspelt, run together or in another form is found by the letters that are right."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from retrievers.terms import Document, TermIndex
from retrievers.text import tokens
from schemas.candidates import Candidate, Request
from schemas.entities import Entity

MAX_WORDS = 32  # of a query; a pasted page of text must not occupy a core
MAX_ENTITY_WORDS = 64  # of an entity; in a long text nearly every trigram occurs somewhere
# BM25 with presence for frequency. nDCG@10 on esci_small: titles 0.614 (b = 0.75: 0.605; with frequencies: 0.602; tf-idf cosine: 0.590);
# with short attributes 0.627. k1 from 0.6 to 2 and b from 0.2 to 0.6 stay within 0.007 of that.
K1, B = 1.2, 0.4


class TrigramRetriever:
    """Entities by BM25 over the trigrams (with end marks) of the words of their title and of their attributes of type text:

        sum over trigrams of the query that the entity has of idf * (k1 + 1) / (1 + k1 * (1 - b + b * L / mean L))

    L is the number of distinct trigrams. How often a trigram occurs in an entity does not count. `put` follows the catalogue.

    >>> from tests.retrievers.shop import request
    >>> retriever = TrigramRetriever([Entity(entity_id="a", title="Beyoncé"), Entity(entity_id="b", title="Bee Gees")])
    >>> [one.entity_id for one in retriever.retrieve(request("beyonse"), 1)]
    ['a']
    """

    def __init__(self, entities: Iterable[Entity] = (), *, name: str = "trigrams"):
        self.name = name
        self._index = TermIndex()
        self.put(entities)

    def put(self, entities: Iterable[Entity]) -> None:
        """Adds, replaces and, for tombstones, removes entities; found (or not) as soon as this returns. All or nothing."""
        latest = {entity.entity_id: entity for entity in entities}.values()
        documents = [Document(one.entity_id, trigrams(short_words(one))) for one in latest if not one.deleted]
        self._index.put(documents, gone=[one.entity_id for one in latest if one.deleted])

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        view = self._index.view
        found = view.find(trigrams(tokens(request.query)[:MAX_WORDS]))
        length = view.lengths[found.numbers] / view.mean_length
        return view.best(found.numbers, found.weights * ((K1 + 1.0) / (1.0 + K1 * (1.0 - B + B * length))), depth)


@lru_cache(maxsize=65_536)
def grams(word: str, size: int) -> tuple[str, ...]:
    """Runs of `size` characters of a word with a blank as mark at both ends; the whole where it is shorter.

    >>> grams("halo", 3), grams("x", 4)
    ((' ha', 'hal', 'alo', 'lo '), (' x ',))
    """
    marked = f" {word} "
    return tuple([marked[at : at + size] for at in range(max(1, len(marked) - size + 1))])


def trigrams(words: Iterable[str]) -> set[str]:
    """The distinct trigrams of some words."""
    return set(chain.from_iterable([grams(word, 3) for word in words]))


def short_words(entity: Entity) -> list[str]:
    """The words that name an entity: of its title and its attributes of type text (brand, colour, genre), the first MAX_ENTITY_WORDS."""
    values = [one.value for _, some in sorted(entity.attributes.items()) for one in some if isinstance(one.value, str)]
    return tokens(" ".join([entity.title, *values]))[:MAX_ENTITY_WORDS]
