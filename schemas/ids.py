"""Names that must come out the same everywhere: query keys, classes, ids of conclusions, positions of keys."""

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

from schemas.rows import POSITION_BINS

_SPACE = re.compile(r"\s+")
_SHELF = "surface:"  # begins the keys of requests without a query
MAX_KEY = 512


def _strip_edges(token: str) -> str:
    """Take punctuation off both ends of a word unless a letter-less word would vanish or a name would lose itself (C++, A$AP)."""
    start, end = 0, len(token)
    while start < end and unicodedata.category(token[start])[0] == "P":
        start += 1
    while end > start and unicodedata.category(token[end - 1])[0] == "P":
        end -= 1
    return token[start:end] or token


def query_key(text: str, surface: str = "search") -> str:
    """The key that memory is kept under: NFKC, casefold, single spaces, punctuation off the edges of words, never empty.

    >>> query_key("  The  Beatles! "), query_key("!!!"), query_key("P!nk"), query_key("C++"), query_key("", "home")
    ('the beatles', '!!!', 'p!nk', 'c++', 'surface:home')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    key = " ".join(_strip_edges(token) for token in _SPACE.split(folded.strip()) if token)
    if key.startswith(_SHELF):  # typed by somebody: it must not reach the memory of a shelf
        return query_key(key.replace(":", " ", 1), surface)
    return query_key(key[:MAX_KEY], surface) if len(key) > MAX_KEY else key or f"{_SHELF}{surface}"


def query_class(key: str) -> str:
    """A coarse kind of query, known before anything is retrieved: words (1, 2, 3, many) and whether a digit is in it.

    >>> query_class("halo 3"), query_class("battlefield")
    ('2d', '1')
    """
    words = key.count(" ") + 1
    return (str(words) if words < 4 else "many") + ("d" if any(letter.isdigit() for letter in key) else "")


def digest(*parts: str | bytes | int) -> str:
    """32 hex digits over the parts; lengths are hashed too, so that ("ab", "c") and ("a", "bc") differ."""
    hasher = blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.hexdigest()


def final_id(search_id: str, ts: int) -> str:
    """Id of the final of a search; `ts` is that of its first page."""
    return digest("final", search_id, ts)


@lru_cache(maxsize=1_000)
def position_bin(position: int) -> int:
    """Index into POSITION_BINS."""
    return next(index for index, (low, high) in enumerate(POSITION_BINS) if low <= position <= high)


def key_mark(key: bytes) -> str:
    """16 hex digits by which two can see whether they have the same key for people, without telling it."""
    return f"{client_hash('the key itself', key):016x}"


def client_hash(client_id: str, key: bytes) -> int:
    """63 bits of a keyed hash: people are counted, never named."""
    return int.from_bytes(blake2b(client_id.encode("utf-8", "surrogatepass"), key=key[:64], digest_size=8).digest(), "big") >> 1
