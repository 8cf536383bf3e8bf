"""The Best Buy importer: a small source written by hand, and the real one with its known counts."""

import gzip

import pytest

from evaluation.click_log import searches
from evaluation.contenders import contenders
from evaluation.datasets.bestbuy import import_bestbuy
from evaluation.datasets.rows import Click
from evaluation.loop import replay
from schemas.errors import CorruptFile, NotFound

PRODUCTS = """sku,productId,name,format,shortDescription,manufacturer,genre,active,customerReviewAverage
100,1,360 monopoly xbox,dvdrom ,are illegal monopolies ,Electronic Arts,Board Games  Trivia,false,4.0
101,2,halo,,,,,true,
"""
LOG = """user,sku,category,query,click_time,query_time
bob,101,abcat,halo,1970-01-01 00:00:09,1970-01-01 00:00:08.5
ann,999,abcat,"monopoly, 3",1970-01-01 00:00:02.027,1970-01-01 00:00:01.27
"""


def source(folder, products=PRODUCTS, log=LOG):
    folder.mkdir()
    (folder / "products.csv").write_text(products)
    (folder / "clicks.csv.gz").write_bytes(gzip.compress(log.encode()))
    return folder


def test_small_source(tmp_path):
    dataset = import_bestbuy(source(tmp_path / "src"), tmp_path / "out")
    assert dataset.clicks() == [
        Click(2_027, 1_270, "ann", "monopoly, 3", "999", "click", None),
        Click(9_000, 8_500, "bob", "halo", "101", "click", None),
    ]
    game, halo, unknown = dataset.entities()
    assert (game.entity_id, game.title, game.text, game.popularity) == ("100", "360 monopoly xbox", "are illegal monopolies", 0.0)
    values = {name: [one.value for one in found] for name, found in game.attributes.items()}
    assert values == {"manufacturer": ["Electronic Arts"], "genre": ["Board Games Trivia"], "format": ["dvdrom"], "review_average": [4.0]}
    assert halo.attributes == {}
    assert (unknown.entity_id, unknown.title) == ("999", "")
    again = import_bestbuy(tmp_path / "src", tmp_path / "again")
    assert again.digest == dataset.digest


def test_wrong_source_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r"clicks.csv.gz is missing"):
        import_bestbuy(tmp_path, tmp_path / "out")
    broken = source(tmp_path / "time", log=LOG.replace("00:00:09", "nine"))
    with pytest.raises(CorruptFile, match=r"clicks.csv.gz, line 2: .*nine.*download it again"):
        import_bestbuy(broken, tmp_path / "out")
    no_rating = source(tmp_path / "rating", products=PRODUCTS.replace("4.0", "good"))
    with pytest.raises(CorruptFile, match=r"products.csv, line 2: .*good"):
        import_bestbuy(no_rating, tmp_path / "out")


@pytest.mark.data
def test_real_source(real_source, tmp_path, engines):
    dataset = import_bestbuy(real_source, tmp_path / "out")
    clicks, entities = dataset.clicks(), list(dataset.entities())
    log = searches(clicks)
    assert (len(clicks), len(log), sum(len(one.wanted) for one in log)) == (33_892, 32_249, 33_892)
    assert len(entities) == 437 + 11  # 11 products were clicked and have no row
    assert all(0 < click.ts - click.search_ts < 300_000 for click in clicks)
    engines.titles = {one.entity_id: one.title for one in entities}
    result = replay(log[:3_000], contenders(("lexical", "memory"), ["learned", "lexical", "memory"]), systems=engines, protocol="full")
    assert result.judged["memory"].hits[:300].sum() < result.judged["memory"].hits[-300:].sum()  # it learns
    assert result.judged["learned"].hits.sum() > result.judged["memory"].hits.sum() > 0
    assert result.judged["learned"].hits.sum() > result.judged["lexical"].hits.sum() > 0
