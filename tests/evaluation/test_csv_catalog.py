"""A catalogue from a CSV file: every kind of field, every kind of wrong row, and that nothing is ever half written."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from evaluation.datasets.csv_catalog import Columns, Source, Wrong, entities, import_csv, survey
from evaluation.datasets.folder import Dataset
from ops.cli import app
from schemas.errors import CorruptFile, InvalidSetting, NotFound

SHOP = """sku,name,kind,about,brand,colours,price,code,sold,since
A1,Kettle  X,product,"Boils
water, fast",Acme,red|blue,19.5,007,12,2026-11-21
A2,Toaster,product,,Acme,,20,008,,2026-11-21T01:00:00+01:00

A3,Lamp,,"A ""bright"" lamp",,white,,009,0.5,1969
"""
COLUMNS = Columns("sku", "name", ("about",), ("brand", "colours", "price", "code"), "kind", "sold", "since")


def source(path, text, columns=COLUMNS, *, encoding="utf-8", **more):
    (path / "shop.csv").write_bytes(text.encode(encoding))
    return Source(path / "shop.csv", columns, **more)


def values(entity):
    return {name: [one.value for one in some] for name, some in entity.attributes.items()}


def test_each_column_becomes_what_it_is(tmp_path):
    given = source(tmp_path, SHOP)
    found = survey(given)
    assert (found.good, found.wrong, found.numbers) == (3, 0, {"price"})  # 007 is a code
    kettle, toaster, lamp = import_csv(given, found, tmp_path / "out").entities()
    assert (kettle.entity_id, kettle.title, kettle.entity_type, kettle.text) == ("A1", "Kettle X", "product", "Boils water, fast")
    assert values(kettle) == {"brand": ["Acme"], "colours": ["red", "blue"], "price": [19.5], "code": ["007"]}
    assert (kettle.popularity, kettle.created_at) == (12.0, 1_795_219_200_000)
    assert (toaster.popularity, toaster.created_at, toaster.text) == (0.0, 1_795_219_200_000, "")
    assert values(toaster) == {"brand": ["Acme"], "price": [20], "code": ["008"]}
    assert (lamp.text, lamp.entity_type, lamp.created_at) == ('A "bright" lamp', "", 0)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found_by_the_first_line(tmp_path, delimiter):
    given = source(tmp_path, delimiter.join(["id", "title"]) + "\n" + delimiter.join(["a", "Halo, again"]), Columns())
    assert [one.title for one in survey(given).first] == ["Halo, again"]


def test_what_spreadsheets_write_is_read(tmp_path):
    marked = source(tmp_path, "\ufeffid,title\r\na,Zoë\r\n", Columns())
    assert [one.title for one in survey(marked).first] == ["Zoë"]
    old = source(tmp_path, "id;title\r\na;Zoë\r\n", Columns(), encoding="cp1252")
    with pytest.raises(CorruptFile, match="save it as UTF-8 or give --encoding cp1252"):
        survey(old)
    assert [one.title for one in survey(Source(old.path, Columns(), encoding="cp1252")).first] == ["Zoë"]


@pytest.mark.parametrize(
    ("row", "line", "why"),
    [
        ("A9,Lamp,product", 2, "has 3 fields, the first line has 10"),
        (",Lamp,,,,,,,,", 2, "sku is empty"),
        ("A9, ,,,,,,,,", 2, "name is empty"),
        ("A9,Lamp,,,,,,,many,", 2, "sold: 'many' is not a number from 0 on"),
        ("A9,Lamp,,,,,,,-1,", 2, "sold: '-1' is not a number from 0 on"),
        ("A9,Lamp,,,,,,,,soon", 2, "since: 'soon' is no date; write 2026-11-21"),
        ("A9,Lamp,,,,,,,,\nA9,Lamp again,,,,,,,,", 3, "sku 'A9' stands on line 2 already"),
        ('A1,Lamp,,"two\nlines",,,,,,\nA9,,,,,,,,,', 4, "name is empty"),
        (f"{'A' * 300},Lamp,,,,,,,,", 2, "entity_id: "),
        ('A1,Lamp,,,,,,,,\nA9,"Lamp,,,,,,,,\n\n', 3, "a quote is opened and never closed"),
        ('A9,"Lamp" 2,,,,,,,,\nA1,Lamp,,,,,,,,', 2, "a quote stands inside a quoted field; write it twice"),
        (f"A9,Lamp,,{'x' * 140_000},,,,,,", 2, "a field has over 131,072 characters"),
    ],
)
def test_a_wrong_row_is_told_by_the_line_it_begins_on(tmp_path, row, line, why):
    given = source(tmp_path, SHOP.splitlines()[0] + "\n" + row)
    (wrong,) = [one for one in entities(given, set()) if isinstance(one, Wrong)]
    assert wrong.line == line
    assert wrong.why.startswith(why)
    with pytest.raises(CorruptFile, match=r"nothing is written, wrong rows: 1 of \d; correct them, or leave them out with --skip-bad"):
        import_csv(given, survey(given), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "columns", "error", "why"),
    [
        ("", Columns(), CorruptFile, "is empty; its first line must name the columns"),
        ("id,title,id\n", Columns(), CorruptFile, r"columns \['id'\] twice"),
        ("sku,name\nA,Lamp\n", Columns(), NotFound, "has no column 'id', 'title'; it has sku, name; name those that you mean"),
        ("id,title\n", Columns(), CorruptFile, "no row that is an entity"),
    ],
)
def test_a_file_without_a_catalogue_is_refused_with_what_it_has(tmp_path, text, columns, error, why):
    given = source(tmp_path, text, columns)
    with pytest.raises(error, match=why):
        import_csv(given, survey(given), tmp_path / "out")


@pytest.mark.parametrize("more", [{"encoding": "latin-99"}, {"delimiter": "::"}])
def test_an_unknown_encoding_or_delimiter_is_refused(tmp_path, more):
    with pytest.raises(InvalidSetting, match="write --encoding utf-8 or cp1252, --delimiter ';' or tab"):
        survey(replace(source(tmp_path, SHOP), **more))


def run(*words):
    return CliRunner().invoke(app, ["data", "import", "csv", *map(str, words)])


def named(file):
    return (file, "--id", "sku", "--title", "name", "--text", "about", "--attributes", "brand,price", "--attributes", "colours")


def test_a_preview_shows_and_writes_nothing(tmp_path):
    file = source(tmp_path, SHOP + "A4,,,,,,,,,\n").path
    result = run(*named(file), "--preview", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "title        Kettle X" in result.stdout
    assert "attributes   brand: Acme; price: 19.5; colours: red, blue" in result.stdout
    assert "entities: 3, wrong rows: 1; nothing was written\nread as numbers: price" in result.stdout
    assert result.stderr == "line 7: name is empty; every row needs one\n"
    assert not (tmp_path / "out").exists()


def test_an_import_stops_at_wrong_rows_unless_they_may_be_left_out(tmp_path):
    file, out = source(tmp_path, SHOP + "A4,,,,,,,,,\n" * 30).path, tmp_path / "out"
    stopped = run(*named(file), "--out", out)
    assert stopped.exit_code == 1
    assert "line 7: name is empty" in stopped.stderr
    assert "and 10 more" in stopped.stderr
    assert not out.exists()
    went_on = run(*named(file), "--out", out, "--skip-bad")
    assert went_on.stdout == f"{out}: 3 entities, left out: 30 wrong rows\nnext: forage serve --data {out}\n"
    assert [one.entity_id for one in Dataset(out).entities()] == ["A1", "A2", "A3"]
    plain = json.loads(run(*named(file), "--out", out, "--skip-bad", "--json").stdout)
    assert (plain["entities"], plain["wrong"], plain["wrong_rows"][0]["line"]) == (3, 30, 7)


def test_where_to_write_is_asked_for(tmp_path):
    result = run(*named(source(tmp_path, SHOP).path))
    assert result.exit_code == 1
    assert "give --out DIR" in result.stderr
