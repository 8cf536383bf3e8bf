"""Best Buy video game searches, August to October 2011 (Kaggle, "ACM SF Chapter hackathon", small): a real click log.

`products.csv` gives the catalogue; name and description are bags of words in alphabetical order, so phrases mean nothing in it.
`clicks.csv.gz` gives the log: a search is (user, query, query_time), its clicks follow within five minutes. Products that were clicked
but have no row become entities without text: what people do can find them, words cannot. Review averages are an attribute, never
popularity: they were collected after the clicks. `more_queries.csv.gz` (queries without their clicks) is not imported.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.rows import Click
from schemas.entities import AttributeValue, Entity
from schemas.errors import CorruptFile, NotFound

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRODUCTS, LOG = "products.csv", "clicks.csv.gz"
Row = Mapping[str, str]
T = TypeVar("T")


def import_bestbuy(src: Path, out: Path) -> Dataset:
    """Write the dataset folder `out` from the downloaded folder `src`, clicks in the order of their times.

    Raises NotFound when a file is missing, CorruptFile when a line does not parse.
    """
    clicks = sorted(_parsed(src / LOG, _click))
    products = {entity.entity_id: entity for entity in _parsed(src / PRODUCTS, _entity)}
    unknown = {click.entity_id for click in clicks} - products.keys()
    products |= {sku: Entity(entity_id=sku, entity_type="product") for sku in unknown}
    return write(out, entities=(products[sku] for sku in sorted(products)), clicks=clicks)


def _parsed(path: Path, parse: Callable[[Row], T]) -> Iterator[T]:
    if not path.is_file():
        raise NotFound(f"{path} is missing; give the folder that holds {PRODUCTS} and {LOG}")
    number = 1
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):  # noqa: B007
                yield parse(row)
    except (KeyError, ValueError, TypeError, AttributeError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        raise CorruptFile(f"{path}, line {number}: {error!r}; download it again") from None


def _click(row: Row) -> Click:
    return Click(_millis(row["click_time"]), _millis(row["query_time"]), row["user"], row["query"], row["sku"], "click", None)


def _millis(text: str) -> int:
    """Milliseconds of "2011-08-11 04:00:17.02"; the log names no zone, so it is read as UTC."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def _entity(row: Row) -> Entity:
    words = {name: " ".join(row[name].split()) for name in ("manufacturer", "genre", "format")}
    attributes = {name: [AttributeValue(value=value)] for name, value in words.items() if value}
    if row["customerReviewAverage"]:
        attributes["review_average"] = [AttributeValue(value=float(row["customerReviewAverage"]))]
    title, text = " ".join(row["name"].split()), " ".join(row["shortDescription"].split())
    return Entity(entity_id=row["sku"], entity_type="product", title=title, text=text, attributes=attributes)
