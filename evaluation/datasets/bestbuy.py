"""Best Buy video game searches, August to October 2011 (Kaggle, "ACM SF Chapter hackathon", small): a real click log.

`products.csv` gives the catalogue; name and description are bags of words in alphabetical order, so phrases mean nothing in it.
`clicks.csv.gz` gives the log: a search is (user, query, query_time), its clicks follow within five minutes. Products that were clicked
but have no row become entities without text: what people do can find them, words cannot. Review averages are an attribute, never
popularity: they were collected after the clicks. `more_queries.csv.gz` (queries without their clicks) is not imported.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.rows import Click
from evaluation.datasets.source import Row, parsed, table, words
from schemas.entities import AttributeValue, Entity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRODUCTS, LOG = "products.csv", "clicks.csv.gz"
FILES = (PRODUCTS, LOG)


def import_bestbuy(src: Path, out: Path) -> Dataset:
    """Write the dataset folder `out` from the downloaded folder `src`, clicks in the order of their times.

    Raises NotFound when a file is missing, CorruptFile when a line does not parse.
    """
    clicks = sorted(parsed(src / LOG, table, _click, files=FILES))
    products = {entity.entity_id: entity for entity in parsed(src / PRODUCTS, table, _entity, files=FILES)}
    unknown = {click.entity_id for click in clicks} - products.keys()
    products |= {sku: Entity(entity_id=sku, entity_type="product") for sku in unknown}
    return write(out, entities=(products[sku] for sku in sorted(products)), clicks=clicks)


def _click(row: Row) -> Click:
    return Click(_millis(row["click_time"]), _millis(row["query_time"]), row["user"], row["query"], row["sku"], "click", None)


def _millis(text: str) -> int:
    """Milliseconds of "2011-08-11 04:00:17.02"; the log names no zone, so it is read as UTC."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def _entity(row: Row) -> Entity:
    values = {name: words(row[name]) for name in ("manufacturer", "genre", "format")}
    attributes = {name: [AttributeValue(value=value)] for name, value in values.items() if value}
    if row["customerReviewAverage"]:
        attributes["review_average"] = [AttributeValue(value=float(row["customerReviewAverage"]))]
    return Entity(
        entity_id=row["sku"], entity_type="product", title=words(row["name"]), text=words(row["shortDescription"]), attributes=attributes
    )
