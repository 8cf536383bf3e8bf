"""Words against words: BM25 over named fields (tantivy), while entities come, change and go.

The score of an entity is the sum over fields of boost x BM25(field), k1 = 1.2, b = 0.75 (Robertson and Zaragoza 2009; these two
are fixed in tantivy). Deleted and replaced entities are never found, but count in the document frequencies until tantivy merges
their segment.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from threading import Lock

import tantivy

from retrievers.base import ordered
from retrievers.text import tokens
from schemas.candidates import Candidate, Request
from schemas.entities import Entity
from schemas.errors import InvalidSetting

FIELDS = ("title", "text", "attributes")
BOOSTS = {"title": 3.0}  # any other field 1: a word of the title says most (Best Buy clicks: MRR@10 0.623, with 1 everywhere 0.599)
TITLE = {"title": 1.0}  # boosts of `lexical_title`
ALL = dict.fromkeys(FIELDS, 1.0)  # boosts of `lexical_all`: untuned, so that what the two find differs and is weighed by who learns
MAX_WORDS = 32  # of a query; a pasted page of text must not occupy a core
SPARE = 16  # fetched beyond the depth, so that most ties at the cut are seen in one go
HEAP = 32_000_000  # bytes that the writer fills before it starts a new segment
_SHOULD = tantivy.Occur.Should


class LexicalIndex:
    """An index in memory, shared by the retrievers over it. `fields`: `title`, `text`, `attributes` (all values), or an attribute's name.

    One writer at a time (`put` takes a lock), any number of readers: each search uses the view of the last commit.
    """

    def __init__(self, fields: Sequence[str] = FIELDS):
        if not fields or len(set(fields)) != len(fields):
            raise InvalidSetting(f"fields of a lexical index are {list(fields)}; name at least one, each once")
        self.fields = tuple(fields)
        builder = tantivy.SchemaBuilder()
        # Signed: in 0.27.0 a delete by term of an unsigned field deletes nothing, without an error.
        builder.add_integer_field("ordinal", indexed=True, fast=True)
        for number in range(len(fields)):
            # Texts come as our own tokens with blanks between: user text never meets a query parser.
            builder.add_text_field(f"f{number}", tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        self._index.config_reader("manual")
        # One thread: the same entities in the same order give the same segments and so the same scores.
        self._writer = self._index.writer(heap_size=HEAP, num_threads=1)
        self._lock = Lock()
        self._ordinals: dict[str, int] = {}
        self._ids: list[str] = []  # grows only: a search that is under way may still read an old number
        self._searcher = self._index.searcher()

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def put(self, entities: Iterable[Entity]) -> None:
        """Adds, replaces and, for tombstones, removes entities; found (or not) as soon as this returns. All or nothing.

        A commit costs milliseconds whatever its size: send what came together as one batch.
        """
        with self._lock:
            try:
                for entity in entities:
                    self._write(entity)
                self._writer.commit()
            except BaseException:
                self._writer.rollback()
                raise
            self._index.reload()
            self._searcher = self._index.searcher()

    def _write(self, entity: Entity) -> None:
        ordinal = self._ordinals.get(entity.entity_id)
        if ordinal is not None:
            self._writer.delete_documents_by_term("ordinal", ordinal)
        if entity.deleted:
            return
        if ordinal is None:
            ordinal = self._ordinals[entity.entity_id] = len(self._ids)
            self._ids.append(entity.entity_id)
        document = tantivy.Document()
        document.add_integer("ordinal", ordinal)
        for number, field in enumerate(self.fields):
            document.add_text(f"f{number}", " ".join(tokens(field_text(entity, field))))
        self._writer.add_document(document)

    def search(self, words: Sequence[str], depth: int, *, boosts: Mapping[str, float]) -> list[Candidate]:
        """Entities with any of the words in any of the boosted fields, in the total order."""
        searcher = self._searcher
        clauses = [(_SHOULD, self._clause(word, field, boost)) for word in words for field, boost in boosts.items()]
        if depth <= 0 or not clauses or not searcher.num_docs:
            return []
        query, limit = tantivy.Query.boolean_query(clauses), depth + SPARE
        while True:  # tantivy breaks ties by its own numbers: fetch until no tie crosses the cut
            hits = searcher.search(query, limit, count=False).hits
            if len(hits) < limit or hits[-1][0] < hits[depth - 1][0]:
                break
            limit *= 16
        cut = hits[depth - 1][0] if len(hits) > depth else 0.0
        kept = [hit for hit in hits if hit[0] >= cut]
        ordinals = searcher.fast_field_values("ordinal", [address for _, address in kept])
        found = [(self._ids[ordinal], hit[0]) for ordinal, hit in zip(ordinals, kept, strict=True)]
        if len(found) > 2 * depth + SPARE:  # thousands may tie at the cut: choose among them by id before anything is sorted
            above = [pair for pair in found if pair[1] > cut]
            tied = nsmallest(depth - len(above), (pair[0] for pair in found[len(above) :]))
            found = above + [(name, cut) for name in tied]
        return ordered(found, depth)

    def _clause(self, word: str, field: str, boost: float) -> tantivy.Query:
        term = tantivy.Query.term_query(self._schema, f"f{self.fields.index(field)}", word, "freq")
        return term if boost == 1.0 else tantivy.Query.boost_query(term, boost)


class LexicalRetriever:
    """BM25 over the boosted fields of an index. `boosts`: field -> factor above 0; left out, all fields of the index by BOOSTS."""

    def __init__(self, index: LexicalIndex, *, name: str = "lexical", boosts: Mapping[str, float] | None = None):
        self.name = name
        self._index = index
        self._boosts = dict(boosts) if boosts is not None else {field: BOOSTS.get(field, 1.0) for field in index.fields}
        for field, boost in self._boosts.items():
            if field not in index.fields:
                raise InvalidSetting(f"{name} boosts field {field!r}, the index has {list(index.fields)}; add the field to the index")
            if not 0.0 < boost <= 1_000.0:
                raise InvalidSetting(
                    f"{name} boosts field {field!r} by {boost}; use a factor above 0, at most 1000, or leave the field out"
                )

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        words = list(dict.fromkeys(tokens(request.query)))[:MAX_WORDS]
        return self._index.search(words, depth, boosts=self._boosts)


def field_text(entity: Entity, field: str) -> str:
    """The text of one field: title, text, all attribute values, or the values of one attribute."""
    if field == "title":
        return entity.title
    if field == "text":
        return entity.text
    chosen = entity.attributes.values() if field == "attributes" else [entity.attributes.get(field, [])]
    return " ".join(str(one.value) for values in chosen for one in values if one.value is not None and not isinstance(one.value, bool))
