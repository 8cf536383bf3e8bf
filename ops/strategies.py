"""The retrieval strategies by name, each made only where it is asked for: an encoder takes seconds and half a gigabyte."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from memory_index.reader import MemoryReader
from ops.own_strategies import OUTSIDE, own_strategy, places_of
from ops.settings import NAMES, Settings, names_of
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
from schemas.errors import ForageError, NotFound

Missing = Callable[[str, ForageError], None]  # strategy, why


def strategies_of(
    names: Sequence[str], catalog: Catalog, reader: MemoryReader, config: Settings, *, missing: Missing | None = None,
    encoder: Callable[[str], Encoder] = load_encoder,
) -> dict[str, Retriever]:  # fmt: skip
    """Name -> strategy over the catalogue and the memory. `names` may be entries as the settings have them, and the settings say where
    those of one's own come from.

    Raises NotFound for an unknown name, and for one that is asked outside. A strategy that cannot be made here (no encoder set, its library
    or model missing or damaged, its own function fails) raises what its maker raises. With `missing` that is told instead, and what cannot
    be made, or is asked outside, is left out: it is not available. `encoder` makes the one that the settings name.
    """
    places, names = places_of((*config.strategies, *names)), names_of(names)
    index, kappa = cache(partial(_lexical, catalog)), reader.reading.kappa
    makers: dict[str, Callable[[], Retriever]] = {
        "lexical": lambda: LexicalRetriever(index()),
        "lexical_title": lambda: LexicalRetriever(index(), name="lexical_title", boosts=TITLE),
        "lexical_all": lambda: LexicalRetriever(index(), name="lexical_all", boosts=ALL),
        "trigrams": lambda: TrigramRetriever(catalog.values()),
        "dense": lambda: _dense(catalog, config, encoder),
        "memory": lambda: MemoryRetriever(reader, among=catalog, kappa=kappa),
        # By letters alone: with an encoder it brings less into the mix of all (benchmarks.recall), and costs an encoding.
        "neighbours": lambda: _neighbours(catalog, reader),
        "popular": lambda: PopularRetriever(reader.totals, catalog=catalog),
        "fresh": lambda: FreshRetriever(catalog.values()),
        "xmr": lambda: XmrRetriever(among=catalog),
    }
    if unknown := set(names) - set(makers) - set(places):
        raise NotFound(f"no strategy {sorted(unknown)}; choose among {sorted(makers)}, or write name=module:function for one of your own")
    makers |= {name: partial(own_strategy, name, place, catalog=catalog, reader=reader) for name, place in places.items()}
    made: dict[str, Retriever] = {}
    for name in names:
        if places.get(name) == OUTSIDE:
            if missing is None:
                raise NotFound(f"strategy {name} is asked outside, where what it finds is not known here; leave it out")
            continue
        try:
            made[name] = makers[name]()
        except ForageError as error:
            if missing is None:
                raise
            missing(name, error)
    return made


def _lexical(catalog: Catalog) -> LexicalIndex:
    index = LexicalIndex()
    index.put(catalog.values())
    return index


def _neighbours(catalog: Catalog, reader: MemoryReader) -> Retriever:
    """With all past queries: what it finds must not hang on how many searches came since it was made."""
    retriever = NeighbourRetriever(reader, among=catalog, kappa=reader.reading.kappa)
    while not retriever.refresh(most=100_000):
        pass
    return retriever


def _dense(catalog: Catalog, config: Settings, encoder: Callable[[str], Encoder]) -> Retriever:
    """With the encoder of this installation, its embeddings kept on disk."""
    if not config.encoder:
        raise NotFound(f"the strategy dense needs an encoder; set {NAMES['encoder']} to a model's folder or package, or leave dense out")
    retriever = DenseRetriever(CachedEncoder(encoder(config.encoder), config.data / "embeddings"))
    retriever.put(catalog.values())
    return retriever
