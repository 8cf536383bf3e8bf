"""A query as a sparse vector: words (1 to 3 in a row) and character trigrams with end marks, hashed."""

from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from retrievers.text import tokens
from schemas.ids import query_key

WIDTH = (
    2**18
)  # ids of features; models keep those that they have seen, so the width costs nothing. 2^14 lost nothing that could be measured
BIAS = WIDTH  # id of the feature that every query has: what is popular
BIAS_VALUE = 0.15  # hit@10 of bestbuy_games is flat from 0.07 to 0.3
SHELF = query_key("", "")  # begins the keys of shelves, which are nobody's words
MAX_WORDS = 32  # of a query; longer ones are pasted text


class Features(NamedTuple):
    """Ids ascending (n,) int32, values (n,) float32: of length 1 without the bias, which comes last. Read-only."""

    ids: NDArray[np.int32]
    values: NDArray[np.float32]


def terms(key: str) -> list[str]:
    """Each term once, sorted: words as "halo 3", trigrams as "#alo"; "^" and "$" mark where a word begins and ends.

    >>> terms("halo 3")
    ['#^3$', '#^ha', '#alo', '#hal', '#lo$', '3', 'halo', 'halo 3']
    """
    words = tokens(key)[:MAX_WORDS]
    rows = {" ".join(words[at : at + size]) for size in (1, 2, 3) for at in range(len(words) - size + 1)}
    marked = [f"^{word}$" for word in words]
    return sorted(rows | {f"#{word[at : at + 3]}" for word in marked for at in range(len(word) - 2)})


@lru_cache(maxsize=20_000)
def features(key: str) -> Features:
    """The vector of a query: every term counts alike (idf changes nothing once a weight is fitted to each). A shelf, which nobody typed,
    has none: only the bias is left."""
    found = () if key.startswith(SHELF) else {crc32(term.encode("utf-8", "surrogatepass")) % WIDTH for term in terms(key)}
    ids = np.array([*sorted(found), BIAS], dtype=np.int32)
    values = np.full(len(ids), 1.0 / np.sqrt(max(1, len(found))), dtype=np.float32)
    values[-1] = BIAS_VALUE
    ids.flags.writeable = values.flags.writeable = False
    return Features(ids, values)
