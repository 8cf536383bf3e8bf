"""Home Depot product search relevance (Kaggle 2016): search terms, product titles, and a relevance of 1 (irrelevant) to 3 (perfect).

`train.csv.gz` has one judged pair a line, in Latin-1. One entity a `product_uid`, with the title of its first line (few have two). A
relevance r, the mean of at least three people, becomes the gain (r - 1) / 2. Terms that differ only in blanks are one query.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.rows import Judgment, QueryText
from evaluation.datasets.source import Row, parsed, query_id, table, words
from schemas.entities import Entity

PAIRS = "train.csv.gz"


class _Pair(NamedTuple):
    uid: str
    title: str
    term: str
    gain: float


def import_homedepot(src: Path, out: Path) -> Dataset:
    """Write the dataset folder `out` from the downloaded folder `src`; queries and judgments in the order of the file.

    Raises NotFound when the file is missing, CorruptFile when a line does not parse.
    """
    pairs = list(parsed(src / PAIRS, table, _pair, files=[PAIRS], encoding="latin-1"))
    titles = {pair.uid: pair.title for pair in reversed(pairs)}
    return write(
        out,
        entities=(Entity(entity_id=uid, entity_type="product", title=titles[uid]) for uid in sorted(titles)),
        queries=[QueryText(query_id(term), term, 1.0) for term in dict.fromkeys(pair.term for pair in pairs)],
        judgments=_judgments(pairs),
    )


def _judgments(pairs: Sequence[_Pair]) -> list[Judgment]:
    """One judgment a (term, product): the mean where it stands twice."""
    gains: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        gains.setdefault((pair.term, pair.uid), []).append(pair.gain)
    return [Judgment(query_id(term), uid, sum(some) / len(some)) for (term, uid), some in gains.items()]


def _pair(row: Row) -> _Pair:
    relevance = float(row["relevance"])
    if not 1.0 <= relevance <= 3.0:
        raise ValueError(f"relevance {relevance} is not between 1 and 3")
    return _Pair(row["product_uid"], words(row["product_title"]), words(row["search_term"]), round((relevance - 1.0) / 2.0, 4))
