"""A dataset folder: what is written is read again, and every wrong line is refused by its number, rule and remedy."""

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.datasets.folder import CLICKS, ENTITIES, JUDGMENTS, QUERIES, Dataset, write
from evaluation.datasets.rows import Click, Judgment, QueryText
from schemas.entities import AttributeValue, Entity
from schemas.errors import CorruptFile, InvalidMessage, NotFound

HEAD = "ts,client_id,query,entity_id,action,value\n"
WORDS = st.text(st.characters(codec="utf-8"), max_size=40)
CLICK = st.builds(
    Click,
    ts=st.integers(2**40, 2**48 - 1),
    search_ts=st.none() | st.integers(0, 2**40),
    client_id=WORDS.filter(bool),
    query=WORDS,
    entity_id=WORDS.filter(bool),
    action=st.sampled_from(["click", "purchase", "viewed"]),
    value=st.none() | st.floats(-1e12, 1e12),
)


@given(clicks=st.lists(CLICK, max_size=8), titles=st.lists(WORDS, max_size=4))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(clicks, titles):
    entities = [
        Entity(entity_id=f"e{number}", title=title, attributes={"word": [AttributeValue(value=title)]})
        for number, title in enumerate(titles)
    ]
    with tempfile.TemporaryDirectory() as folder:
        dataset = write(Path(folder), entities=entities, clicks=clicks)
        assert dataset.clicks() == clicks
        assert list(dataset.entities()) == entities


def test_digest_is_of_the_content(tmp_path):
    click = Click(5, 4, "c", "q", "e", "click", None)
    packed = write(tmp_path / "a", entities=[Entity(entity_id="e")], clicks=[click])
    plain = tmp_path / "b"
    plain.mkdir()
    for name in (ENTITIES, CLICKS):
        (plain / name).write_bytes(gzip.decompress((tmp_path / "a" / f"{name}.gz").read_bytes()))
    assert Dataset(plain).digest == packed.digest
    other = write(tmp_path / "c", entities=[Entity(entity_id="e")], clicks=[click._replace(ts=6)])
    assert other.digest != packed.digest
    assert not list((tmp_path / "c").glob("*.tmp"))


def test_equal_data_gives_equal_bytes(tmp_path):
    click = Click(5, 4, "c", "q", "e", "click", 0.5)
    for name in ("a", "b"):
        write(tmp_path / name, entities=[Entity(entity_id="e")], clicks=[click])
    for name in (f"{ENTITIES}.gz", f"{CLICKS}.gz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_judged_dataset(tmp_path):
    (tmp_path / QUERIES).write_text('query_id\ttext\tfrequency\nq1\t12" vinyl\t3\nq2\tjazz\t\n')
    (tmp_path / JUDGMENTS).write_text("query_id\tentity_id\tgain\nq1\te1\t0.1\nq2\te1\t1\n")
    dataset = Dataset(tmp_path)
    assert dataset.queries() == [QueryText("q1", '12" vinyl', 3.0), QueryText("q2", "jazz", 1.0)]
    assert dataset.judgments() == [Judgment("q1", "e1", 0.1), Judgment("q2", "e1", 1.0)]
    assert dataset.has(QUERIES)
    assert not dataset.has(CLICKS)


def test_columns_in_any_order(tmp_path):
    (tmp_path / CLICKS).write_text("action,query,ts,entity_id,client_id\nclick,jazz,7,e,c\n")
    assert Dataset(tmp_path).clicks() == [Click(7, None, "c", "jazz", "e", "click", None)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x,c,q,e,click,\n", ["line 3", "ts: 'x'", "milliseconds"]),
        ("-1,c,q,e,click,\n", ["line 3", "ts: '-1'"]),
        (f"{2**48},c,q,e,click,\n", ["line 3", "ts:"]),
        ("7,c,q,e,tap,\n", ["line 3", "action: 'tap'", "map it"]),
        ("7,c,q,e,other,\n", ["line 3", "action: 'other'"]),
        ("7,c,q,e,click,nan\n", ["line 3", "value: 'nan'", "correct it"]),
        ("7,,q,e,click,\n", ["line 3", "client_id: ''", "fill it"]),
        (f"7,c,{'q' * 513},e,click,\n", ["line 3", "query:", "513 characters"]),
        ("7,c,q,e,click\n", ["line 3", "other columns"]),
        ("7,c,q,e,click,,9\n", ["line 3", "other columns"]),
        ('7,c,"q"x,e,click,\n', ["line 3", "expected after"]),
    ],
)
def test_wrong_click_is_refused_by_line(tmp_path, line, says):
    (tmp_path / CLICKS).write_text(HEAD + "6,c,q,e,click,\n" + line)
    with pytest.raises(InvalidMessage) as caught:
        Dataset(tmp_path).clicks()
    for text in [*says, CLICKS]:
        assert text in str(caught.value)


def test_page_after_its_click_is_refused(tmp_path):
    (tmp_path / CLICKS).write_text("ts,search_ts,client_id,query,entity_id,action\n7,8,c,q,e,click\n")
    with pytest.raises(InvalidMessage, match=r"line 2.*search_ts: 8 is after ts 7"):
        Dataset(tmp_path).clicks()


def test_missing_column_names_what_is_needed(tmp_path):
    (tmp_path / CLICKS).write_text("ts,query\n1,q\n")
    with pytest.raises(InvalidMessage, match=r"line 1.*'action', 'client_id', 'entity_id'\] are missing"):
        Dataset(tmp_path).clicks()
    (tmp_path / CLICKS).write_text("")
    with pytest.raises(InvalidMessage, match="are missing"):
        Dataset(tmp_path).clicks()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"entity_id": "b", "titel": "x"}', "titel"),
        ('{"entity_id": "b"', "line 2"),
        ('{"entity_id": "a"}', "'a' stands twice"),
        ('{"entity_id": "b", "popularity": NaN}', "popularity"),
    ],
)
def test_wrong_entity_is_refused_by_line(tmp_path, line, says):
    (tmp_path / ENTITIES).write_text('{"entity_id": "a"}\n' + line + "\n")
    with pytest.raises(InvalidMessage, match="line 2") as caught:
        list(Dataset(tmp_path).entities())
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "says"),
    [("q1\te\t1.5\n", "gain: '1.5'"), ("q1\te\t1\nq1\te\t0\n", "q1 and e stands twice"), ("q9\te\t1\n", r"\['q9'\] not in queries.tsv")],
)
def test_wrong_judgment_is_refused(tmp_path, rows, says):
    (tmp_path / QUERIES).write_text("query_id\ttext\nq1\tjazz\n")
    (tmp_path / JUDGMENTS).write_text("query_id\tentity_id\tgain\n" + rows)
    with pytest.raises(InvalidMessage, match=says):
        Dataset(tmp_path).judgments()


def test_missing_and_corrupt_files(tmp_path):
    with pytest.raises(NotFound, match="forage data import"):
        Dataset(tmp_path / "none")
    with pytest.raises(NotFound, match=r"clicks\.csv is missing"):
        Dataset(tmp_path).clicks()
    whole = gzip.compress((HEAD + "7,c,q,e,click,\n" * 50).encode())
    for bytes_, says in [
        (whole[:-9], "does not unpack"),
        (b"no gzip", "does not unpack"),
        (whole[:-8] + b"\0" * 8, "CRC check failed.*import the dataset again"),
    ]:
        (tmp_path / f"{CLICKS}.gz").write_bytes(bytes_)
        with pytest.raises(CorruptFile, match=says):
            Dataset(tmp_path).clicks()
    (tmp_path / CLICKS).write_text(HEAD)
    with pytest.raises(CorruptFile, match="remove the older one"):
        Dataset(tmp_path).clicks()
    (tmp_path / f"{CLICKS}.gz").unlink()
    (tmp_path / CLICKS).write_bytes(HEAD.encode() + b"7,c,\xff,e,click,\n")
    with pytest.raises(CorruptFile, match="not UTF-8"):
        Dataset(tmp_path).clicks()
