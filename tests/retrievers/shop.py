"""A small shop of games: catalogue, index and memory that change together, for the tests of retrievers and serving."""

from collections.abc import Iterable

from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from retrievers.catalog import Catalog
from retrievers.dense import DenseRetriever
from retrievers.fresh import FreshRetriever
from retrievers.lexical import LexicalIndex
from retrievers.trigrams import TrigramRetriever
from retrievers.xmr.fitting import Example, fit
from retrievers.xmr.retriever import XmrRetriever
from schemas.candidates import Request
from schemas.entities import AttributeValue, Entity
from schemas.ids import query_class, query_key
from tests.retrievers.hash_encoder import HashEncoder

DAY = 20_000
DAY_MS = 86_400_000
NOW = DAY * DAY_MS


def request(text: str, *, search_id: str = "s-1", page: int = 1, size: int = 10, segment: str = "") -> Request:
    key = query_key(text)
    return Request(
        search_id=search_id, ts=NOW, query=text, query_key=key, query_class=query_class(key), page=page, size=size, segment=segment
    )


def game(number: int, *, title: str | None = None, popularity: float = 0.0, maker: str = "bungie") -> Entity:
    words = ("halo", "racing", "chess", "soccer")
    return Entity(
        entity_id=f"game:{number:03d}",
        entity_type="game",
        title=f"{words[number % 4]} {number}" if title is None else title,
        text="a game with halo inside" if number % 5 == 0 else "a game",
        attributes={"maker": [AttributeValue(value=maker)]},
        popularity=popularity,
        created_at=NOW - number * DAY_MS,
    )


class Shop:
    """Everything a retriever can be built over."""

    def __init__(self, entities: Iterable[Entity] = ()):
        entities = list(entities)
        self.catalog = Catalog(entities)
        self.index = LexicalIndex()
        self.index.put(entities)
        self.dense = DenseRetriever(HashEncoder())
        self.dense.put(entities)
        self.trigrams = TrigramRetriever(entities)
        self.fresh = FreshRetriever(entities)
        self.memory = MemoryReader(Reading(min_clients=2))
        self.nearby = MemoryReader(Reading(min_clients=2))  # where each query is another one with a word more
        self.xmr = XmrRetriever(among=self.catalog)  # fitted anew after every click
        self._clicks: list[Example] = []

    def put(self, *entities: Entity) -> None:
        self.catalog.put(entities)
        self.index.put(entities)
        for one in (self.dense, self.trigrams, self.fresh):
            one.put(entities)

    def click(
        self, text: str, entity_id: str, *, shown: int = 1, clicks: int = 1, people: Iterable[int] = (1, 2), segment: str = ""
    ) -> None:
        """`shown` times at position 1, `clicks` clicks by these people."""
        counts = [shown] + 5 * [0] + [0, clicks] + 8 * [0]
        for memory, key in ((self.memory, query_key(text)), (self.nearby, query_key(f"{text} again"))):
            memory.add(0, {(key, segment, entity_id, DAY): (counts, frozenset(people))})
        self._clicks += [Example(NOW, query_key(text), entity_id, 1.0)] * clicks
        self.xmr.replace(fit(self._clicks))


def games() -> Shop:
    """60 games; people who searched halo clicked some of them, more of the low numbers."""
    shop = Shop(game(number, popularity=float(number % 7)) for number in range(60))
    for number in range(0, 24, 2):
        shop.click("halo", f"game:{number:03d}", shown=10, clicks=1 + (24 - number) // 4)
    return shop
