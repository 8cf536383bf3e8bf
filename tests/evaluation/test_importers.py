"""The importers of judged data and of UBI: small sources written by hand, and the real ones with their known counts."""

import gzip
import json
from collections import Counter

import pytest

from evaluation.datasets.esci import import_esci
from evaluation.datasets.folder import JUDGMENTS, write
from evaluation.datasets.homedepot import import_homedepot
from evaluation.datasets.rows import Click, Judgment, QueryText
from evaluation.datasets.source import query_id
from evaluation.datasets.ubi import export_ubi, import_ubi
from schemas.entities import Entity
from schemas.errors import CorruptFile, InvalidMessage, NotFound
from schemas.events import Action, Impression, Query, Result

PRODUCT = {
    "title": "Kettle  X", "description": "", "bullet_points": "Boils\nwater", "brand": "Acme", "color": None, "image": "http://x",
    "price": 9.5, "category": ["Home", "Kitchen"], "rating": 4.6, "rating_count": 12, "is_book": False, "query_id": ["67"], "asin": "A1",
    "_id": "internal",
}  # fmt: skip
RATINGS = [("A1", "100.000"), ("A2", "10.000"), ("A3", "1.000"), ("A4", "0.000")]
HOMEDEPOT = b"""id,product_uid,product_title,search_term,relevance
2,7,"L-bracket, 2"" \xb0","angle  bracket",3
3,8,Deck,deck over,2.33
9,7,another title,deck over,1
10,8,Deck,angle bracket,2
11,8,Deck,angle  bracket,1
"""


def esci(folder, products=None, ratings=RATINGS, query="kettle  steel"):
    folder.mkdir()
    products = [PRODUCT | {"asin": f"A{number}"} for number in range(1, 5)] if products is None else products
    (folder / "products.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in products).encode()))
    judged = {"judgmentRatings": [{"query": query, "ratings": [{"docId": name, "rating": value} for name, value in ratings]}]}
    (folder / "judgments.json.gz").write_bytes(gzip.compress(json.dumps(judged, indent=1).encode()))
    return folder


def test_esci(tmp_path):
    dataset = import_esci(esci(tmp_path / "src"), tmp_path / "out")
    (query,) = dataset.queries()
    assert query == QueryText(query_id("kettle steel"), "kettle steel", 1.0)
    assert [(one.entity_id, one.gain) for one in dataset.judgments()] == [("A1", 1.0), ("A2", 0.1), ("A3", 0.01), ("A4", 0.0)]
    kettle = next(iter(dataset.entities()))
    assert (kettle.entity_id, kettle.title, kettle.text, kettle.popularity) == ("A1", "Kettle X", "Boils water", 12.0)
    values = {name: [one.value for one in found] for name, found in kettle.attributes.items()}
    assert values == {"brand": ["Acme"], "category": ["Home", "Kitchen"], "rating": [4.6], "price": [9.5]}
    assert "67" not in kettle.model_dump_json().replace("4.6", "")  # the queries that a product was judged for are the answer
    assert not dataset.has("clicks.csv")
    assert import_esci(tmp_path / "src", tmp_path / "again").digest == dataset.digest


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"ratings": [("A9", "100.000")]}, r"judgments.json.gz: 1 judged products not in products.jsonl.gz, such as A9; download both"),
        ({"ratings": [("A1", "101")]}, r"judgments.json.gz, line 1: .*1.01.*not between 0 and 100.*download it again"),
        ({"ratings": [("A1", "1"), ("A1", "0")]}, r"stands twice"),
        ({"products": [PRODUCT, {"title": "x"}]}, r"products.jsonl.gz, line 2: KeyError\('brand'\)"),
        ({"products": [PRODUCT | {"title": "x" * 2_001}]}, r"products.jsonl.gz, line 1: .*title"),
    ],
)
def test_wrong_esci_is_refused(tmp_path, how, says):
    with pytest.raises(CorruptFile, match=says):
        import_esci(esci(tmp_path / "src", **how), tmp_path / "out")
    (tmp_path / "src" / "products.jsonl.gz").unlink()
    with pytest.raises(NotFound, match=r"products.jsonl.gz is missing; give the folder that holds products.jsonl.gz and judgments.json.gz"):
        import_esci(tmp_path / "src", tmp_path / "out")


def test_broken_json_and_cut_files_name_their_line(tmp_path):
    src = esci(tmp_path / "src")
    whole = (src / "products.jsonl.gz").read_bytes()
    (src / "products.jsonl.gz").write_bytes(gzip.compress(gzip.decompress(whole) + b'{"title": '))
    with pytest.raises(CorruptFile, match=r"products.jsonl.gz, line 4: .*line 5 is no JSON"):
        import_esci(src, tmp_path / "out")
    (src / "products.jsonl.gz").write_bytes(whole[:-9])
    with pytest.raises(CorruptFile, match="download it again"):
        import_esci(src, tmp_path / "out")


def test_homedepot(tmp_path):
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(HOMEDEPOT))
    dataset = import_homedepot(tmp_path, tmp_path / "out")
    bracket, deck = query_id("angle bracket"), query_id("deck over")
    assert dataset.queries() == [QueryText(bracket, "angle bracket", 1.0), QueryText(deck, "deck over", 1.0)]
    assert dataset.judgments() == [
        Judgment(bracket, "7", 1.0), Judgment(deck, "8", 0.665), Judgment(deck, "7", 0.0), Judgment(bracket, "8", 0.25),
    ]  # fmt: skip
    assert [(one.entity_id, one.title) for one in dataset.entities()] == [("7", 'L-bracket, 2" °'), ("8", "Deck")]
    for wrong, says in ((b",4\n", "line 2: .*relevance 4.0 is not between 1 and 3"), (b",good\n", "line 2: .*good")):
        (tmp_path / "train.csv.gz").write_bytes(gzip.compress(HOMEDEPOT.replace(b",3\n", wrong)))
        with pytest.raises(CorruptFile, match=says):
            import_homedepot(tmp_path, tmp_path / "out")
    with pytest.raises(NotFound, match=r"train.csv.gz is missing"):
        import_homedepot(tmp_path / "out", tmp_path / "there")


def test_tables_refuse_what_they_could_not_read_back(tmp_path):
    with pytest.raises(InvalidMessage, match=r"queries.tsv, line 2: .*holds a tab or line end"):
        write(tmp_path, entities=[Entity(entity_id="e")], queries=[QueryText("q", "a\tb", 1.0)])
    assert not (tmp_path / JUDGMENTS).exists()


def ubi(folder, queries, events, name="json"):
    folder.mkdir()
    (folder / f"ubi_queries.{name}").write_text("".join(json.dumps(one) + "\n" for one in queries))
    (folder / f"ubi_events.{name}").write_text(json.dumps(events))  # one array
    return folder


QUERIES = [
    {"query_id": "q", "user_query": "jazz", "client_id": "ann", "timestamp": "1970-01-01T00:00:08Z", "query_response_hit_ids": ["b"]},
    {"query_id": "q", "user_query": "jazz", "client_id": "ann", "timestamp": "1970-01-01T00:00:05Z", "query_response_hit_ids": ["a", "b"]},
    {"_source": {"query_id": "r", "user_query": "rock", "timestamp": "1970-01-01T00:00:09Z"}},
]


def event(query, action="click", entity="a", at=10, **more):
    about = {"object": {"object_id": entity, "description": f"Title  of {entity}"}, "position": {"ordinal": 1}}
    return {"query_id": query, "action_name": action, "timestamp": at * 1_000, "event_attributes": about} | more


def test_ubi(tmp_path):
    events = [
        event("q", client_id="ann"),
        event("q", "impression", "z", at=6),
        {"_source": event("r", "add_to_cart", "c", at=7, session_id="s")},  # before its query: its page is not known
        event("unknown", "purchase", "d"),
        event("unknown", "purchase", "d", user_query="pop", client_id="eve"),
        event(None),
        event("q", "page_exit"),
        {"query_id": "q", "action_name": "click", "timestamp": 9_000},
    ]
    dataset = import_ubi(ubi(tmp_path / "src", QUERIES, events), tmp_path / "out")
    assert dataset.clicks() == [
        Click(6_000, 5_000, "q", "jazz", "z", "viewed", None),
        Click(7_000, None, "s", "rock", "c", "add_to_cart", None),
        Click(10_000, 5_000, "ann", "jazz", "a", "click", None),
        Click(10_000, None, "eve", "pop", "d", "purchase", None),
    ]
    titles = {one.entity_id: one.title for one in dataset.entities()}
    assert titles == {"a": "Title of a", "b": "", "c": "Title of c", "d": "Title of d", "z": "Title of z"}


def test_wrong_ubi_is_refused(tmp_path):
    with pytest.raises(CorruptFile, match=r"ubi_events.ndjson, line 2: .*timestamp: is missing"):
        import_ubi(ubi(tmp_path / "time", QUERIES, [event("q"), event("q") | {"timestamp": None}], "ndjson"), tmp_path / "out")
    with pytest.raises(CorruptFile, match=r"ubi_queries.json, line 1: .*is list, not a JSON object"):
        import_ubi(ubi(tmp_path / "list", [[[]]], []), tmp_path / "out")
    with pytest.raises(NotFound, match=r"ubi_queries is missing; give the folder that holds ubi_queries and ubi_events as one of .json"):
        import_ubi(tmp_path, tmp_path / "out")
    both = ubi(tmp_path / "both", QUERIES, [])
    (both / "ubi_queries.jsonl").write_text("")
    with pytest.raises(NotFound, match=r"holds \['ubi_queries.json', 'ubi_queries.jsonl'\], keep one"):
        import_ubi(both, tmp_path / "out")


def test_what_is_exported_is_imported(tmp_path):
    page = Impression(
        search_id="s", ts=5_000, application="shop", client_id="ann", query=Query(text="jazz"), results=[Result(entity_id="e", position=1)]
    )
    click = Action(action_id="x", search_id="s", ts=6_000, kind="click", entity_id="e", position=1)
    assert export_ubi([page, click], tmp_path / "ubi") == (1, 1)
    with gzip.open(tmp_path / "ubi" / "ubi_events.ndjson.gz") as packed:
        (said,) = [json.loads(line) for line in packed]
    assert (said["application"], said["client_id"], said["action_name"]) == ("shop", "ann", "click")
    assert import_ubi(tmp_path / "ubi", tmp_path / "out").clicks() == [Click(6_000, 5_000, "ann", "jazz", "e", "click", None)]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "read", "counts"),
    [("esci_small", import_esci, (6_764, 150, 6_678)), ("homedepot", import_homedepot, (54_667, 11_793, 74_062))],
)
def test_real_judgments(real_data, tmp_path, name, read, counts):
    dataset = read(real_data(name), tmp_path / "out")
    queries, judged = dataset.queries(), dataset.judgments()
    assert (sum(1 for _ in dataset.entities()), len(queries), len(judged)) == counts
    if name == "esci_small":
        assert Counter(one.gain for one in judged) == {1.0: 3_389, 0.1: 1_898, 0.01: 305, 0.0: 1_086}


@pytest.mark.data
def test_real_ubi(real_data, tmp_path):
    dataset = import_ubi(real_data("ubi_sample"), tmp_path / "out")
    assert Counter(one.action for one in dataset.clicks()) == {"viewed": 1_988, "click": 326, "add_to_cart": 207}
    assert sum(1 for _ in dataset.entities()) == 1_169
