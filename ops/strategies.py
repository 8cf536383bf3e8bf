"""The retrieval strategies by name, each made only where it is asked for: an encoder takes seconds and half a gigabyte."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from memory_index.reader import MemoryReader
from ops.settings import NAMES, Settings
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from retrievers.dense import DenseRetriever
from retrievers.encoders import CachedEncoder, Encoder, load_encoder
from retrievers.fresh import FreshRetriever
from retrievers.lexical import ALL, TITLE, LexicalIndex, LexicalRetriever
from retrievers.memory import MemoryRetriever
from retrievers.neighbours import NeighbourRetriever
from retrievers.popular import PopularRetriever
from retrievers.trigrams import TrigramRetriever
from retrievers.xmr.retriever import XmrRetriever
from schemas.errors import NotFound


def strategies_of(names: Sequence[str], catalog: Catalog, reader: MemoryReader, config: Settings) -> dict[str, Retriever]:
    """Name -> strategy over the catalogue and the memory. Raises NotFound for an unknown name, or for `dense` without an encoder."""
    index, encoder = cache(partial(_lexical, catalog)), cache(partial(_encoder, config))
    kappa = reader.reading.kappa
    makers: dict[str, Callable[[], Retriever]] = {
        "lexical": lambda: LexicalRetriever(index()),
        "lexical_title": lambda: LexicalRetriever(index(), name="lexical_title", boosts=TITLE),
        "lexical_all": lambda: LexicalRetriever(index(), name="lexical_all", boosts=ALL),
        "trigrams": lambda: TrigramRetriever(catalog.values()),
        "dense": lambda: _dense(catalog, encoder()),
        "memory": lambda: MemoryRetriever(reader, among=catalog, kappa=kappa),
        "neighbours": lambda: NeighbourRetriever(reader, among=catalog, kappa=kappa, encoder=encoder()),
        "popular": lambda: PopularRetriever(reader.totals, catalog=catalog),
        "fresh": lambda: FreshRetriever(catalog.values()),
        "xmr": lambda: XmrRetriever(among=catalog),
    }
    if unknown := set(names) - set(makers):
        raise NotFound(f"no strategy {sorted(unknown)}; choose among {sorted(makers)}")
    return {name: makers[name]() for name in names}


def _lexical(catalog: Catalog) -> LexicalIndex:
    index = LexicalIndex()
    index.put(catalog.values())
    return index


def _encoder(config: Settings) -> Encoder | None:
    """The encoder of this installation, its embeddings kept on disk; None where none is set."""
    return CachedEncoder(load_encoder(config.encoder), config.data / "embeddings") if config.encoder else None


def _dense(catalog: Catalog, encoder: Encoder | None) -> Retriever:
    if encoder is None:
        raise NotFound(f"the strategy dense needs an encoder; set {NAMES['encoder']} to a model's folder or package, or leave dense out")
    retriever = DenseRetriever(encoder)
    retriever.put(catalog.values())
    return retriever
