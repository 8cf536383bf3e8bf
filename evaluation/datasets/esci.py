"""Amazon ESCI extract: shopping queries with graded judgments (Reddy et al. 2022, "Shopping Queries Dataset", Apache-2.0).

`products.jsonl.gz` holds the catalogue, `judgments.json.gz` the ratings of (query, docId): 100 exact, 10 substitute, 1 complement,
0 irrelevant, as gains 1, 0.1, 0.01, 0. A docId is a product's `asin`. Products also carry `query_id`, the queries that they were judged
for: that is the answer, so it is left out, as are links to images. Judgments name queries by their text: the id of a query is a hash of
it. Ratings and prices were collected apart from any search, so the number of ratings is the popularity that the catalogue states.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.datasets.folder import Dataset, write
from evaluation.datasets.rows import Judgment, QueryText
from evaluation.datasets.source import json_lines, parsed, query_id, whole_json, words
from schemas.entities import AttributeValue, Entity
from schemas.errors import CorruptFile

PRODUCTS, JUDGMENTS = "products.jsonl.gz", "judgments.json.gz"
FILES = (PRODUCTS, JUDGMENTS)


def import_esci(src: Path, out: Path) -> Dataset:
    """Write the dataset folder `out` from the downloaded folder `src`.

    Raises NotFound when a file is missing, CorruptFile when a line does not parse or a judged product is not in the catalogue.
    """
    products = {entity.entity_id: entity for entity in parsed(src / PRODUCTS, json_lines, _entity, files=FILES)}
    (rated,) = parsed(src / JUDGMENTS, whole_json, _rated, files=FILES)
    if unknown := {one.entity_id for _, some in rated for one in some} - products.keys():
        raise CorruptFile(
            f"{src / JUDGMENTS}: {len(unknown)} judged products not in {PRODUCTS}, such as {min(unknown)}; download both again"
        )
    return write(
        out,
        entities=(products[name] for name in sorted(products)),
        queries=[query for query, _ in rated],
        judgments=[one for _, some in rated for one in some],
    )


def _rated(plain: Mapping[str, Any]) -> list[tuple[QueryText, list[Judgment]]]:
    """Queries and what was judged under each, in the order of the file."""
    out = {}
    for one in plain["judgmentRatings"]:
        text = words(one["query"])
        name = query_id(text)
        gains = {rating["docId"]: float(rating["rating"]) / 100.0 for rating in one["ratings"]}
        if wrong := {gain for gain in gains.values() if not 0.0 <= gain <= 1.0}:
            raise ValueError(f"ratings {sorted(wrong)} of query {text!r} are not between 0 and 100")
        if name in out or len(gains) != len(one["ratings"]):
            raise ValueError(f"query {text!r} or one of its products stands twice")
        out[name] = QueryText(name, text, 1.0), [Judgment(name, entity, gain) for entity, gain in gains.items()]
    return list(out.values())


def _entity(plain: Mapping[str, Any]) -> Entity:
    values = {"brand": [plain["brand"]], "color": [plain["color"]], "category": plain["category"]}
    texts = {name: [words(value) for value in some if words(value)] for name, some in values.items()}
    numbers = {name: float(plain[name]) for name in ("rating", "price") if plain[name] is not None}
    attributes = {name: [AttributeValue(value=value) for value in some] for name, some in texts.items() if some}
    attributes |= {name: [AttributeValue(value=value)] for name, value in numbers.items()}
    return Entity(
        entity_id=plain["asin"],
        entity_type="product",
        title=words(plain["title"]),
        text=f"{words(plain['bullet_points'])} {words(plain['description'])}".strip(),
        attributes=attributes,
        popularity=float(plain["rating_count"] or 0),
    )
