"""What memory adds to dense retrieval: who has learned what when a search is asked, and figures worked by hand."""

import io
import json

import numpy as np
import pytest

from benchmarks import recall
from evaluation.click_log import searches
from evaluation.datasets.folder import write
from evaluation.datasets.rows import Click, Judgment, QueryText
from evaluation.judged_queries import JudgedQuery, fold_of
from evaluation.memory_recall import DENSE, LETTERS, MEANING, MEMORY, MIXES, Past, Recalls, on_clicks, on_judgments
from evaluation.metrics import resample
from evaluation.recall_figures import recall_summary, recall_table
from ops.progress import Progress
from retrievers.dense import DenseRetriever
from retrievers.encoders import CachedEncoder
from schemas.entities import Entity
from schemas.ids import query_key
from tests.retrievers.hash_encoder import HashEncoder

TITLES = {"chess": "chess", "war": "covenant war", "wheel": "steering wheel"}
ENTITIES = [Entity(entity_id=name, title=title) for name, title in TITLES.items()]
BOTH, ALL = f"{DENSE} + {LETTERS}", f"{DENSE} + {MEMORY} + {LETTERS}"


def dense(encoder=None):
    """Finds an entity if the query has a word of its title: with so many dimensions no two words of these tests fall together."""
    made = DenseRetriever(encoder or HashEncoder(4_096))
    made.put(ENTITIES)
    return made


def past(among=frozenset(TITLES)):
    return Past(among, HashEncoder(4_096))


def click(ts, query, entity_id, *, page=None, client="ann", action="click"):
    return Click(ts, page, client, query, entity_id, action, None)


def columns(found):
    return {name: found.scores[:, place].tolist() for place, name in enumerate(MIXES)}


def played(clicks):
    return on_clicks(searches(clicks), dense(), past=past())


def test_dense_finds_by_words():
    found = columns(played([click(10, "a chess game", "chess"), click(20, "board", "chess")]))
    assert found[DENSE] == [1.0, 0.0]


def test_click_log_by_hand():
    found = played(
        [
            click(1_000, "halo", "war", client="ann"),  # nothing is known, and no title has the word
            click(2_000, "halos", "war", client="ben"),  # "halo" is near and lends
            click(3_000, "Halo!", "war", client="cat"),  # the same key as the first: memory knows it, and "halos" lends
            click(4_000, "wheel", "war", client="dan"),  # no letters in common, dense finds another entity
        ]
    )
    assert found.keys == ["halo", "halos", "halo", "wheel"]
    assert found.unseen.tolist() == [True, True, False, True]
    assert found.lendable.tolist() == [0.0, 1.0, 1.0, 1.0]
    by_name = columns(found)
    assert by_name[DENSE] == [0.0, 0.0, 0.0, 0.0]
    assert by_name[f"{DENSE} + {MEMORY}"] == [0.0, 0.0, 1.0, 0.0]
    for near in (LETTERS, MEANING):
        assert by_name[near] == by_name[f"{DENSE} + {near}"] == by_name[f"{DENSE} + {MEMORY} + {near}"] == [0.0, 1.0, 1.0, 0.0]


class Synonyms(HashEncoder):
    """All queries mean the same."""

    def queries(self, texts):
        return super().queries(["one" for _ in texts])


def test_meaning_lends_where_no_letter_is_in_common():
    clicks = [click(1_000, "abcd", "war"), click(2_000, "wxyz", "war", client="ben")]
    found = columns(on_clicks(searches(clicks), dense(), past=Past(TITLES, Synonyms(4_096))))
    assert found[LETTERS] == found[BOTH] == [0.0, 0.0]
    assert found[MEANING] == found[f"{DENSE} + {MEANING}"] == [0.0, 1.0]


def test_a_page_knows_what_was_clicked_before_it_was_computed():
    found = played(
        [
            click(9_000, "halo", "war", page=1_000, client="ann"),
            click(3_000, "halo", "war", page=2_000, client="ben"),  # before ann's click, after her page
            click(5_000, "halo", "war", page=3_000, client="cat"),  # at the moment of ben's click: pages come first
            click(8_000, "halo", "war", page=3_001, client="dan"),
        ]
    )
    assert found.unseen.tolist() == [True, True, True, False]
    assert columns(found)[f"{DENSE} + {MEMORY}"] == [0.0, 0.0, 0.0, 1.0]


def test_what_is_not_positive_teaches_nothing():
    found = played([click(1_000, "halo", "war", action="dismiss"), click(2_000, "halo", "war", client="ben")])
    assert found.keys == ["halo"], "a search where nothing was wanted is not judged"
    assert found.unseen.tolist() == [True]
    assert found.lendable.tolist() == [0.0]


def test_recall_is_over_what_the_search_wanted():
    found = played([click(1_000, "chess", "chess", page=900), click(1_001, "chess", "war", page=900)])
    assert columns(found)[DENSE] == [0.5]


def test_an_entity_that_is_gone_is_not_lent():
    clicks = [click(1_000, "halo", "war"), click(2_000, "halos", "war", client="ben")]
    found = on_clicks(searches(clicks), dense(), past=past(among={"chess"}))
    assert columns(found)[BOTH] == [0.0, 0.0]


def test_ranks_are_fused_by_one_rule():
    """Twelve entities by dense and twelve others lent, all of one score: by id, so the fused ten are the first five of both."""
    found = [Entity(entity_id=f"d{number:02}", title="halos") for number in range(12)]
    lent = [click(number, "halo", f"e{number:02}", client=f"p{number}") for number in range(12)]
    made = DenseRetriever(HashEncoder(4_096))
    made.put(found)
    asked = [click(9_000, "halos", name, page=8_000) for name in ("d00", "d04", "d05", "e04", "e05")]
    known = Past({one.entity_id for one in found + lent}, HashEncoder(4_096))
    last = {name: scores[-1] for name, scores in columns(on_clicks(searches(lent + asked), made, past=known)).items()}
    assert last[DENSE] == last[f"{DENSE} + {MEMORY}"] == 3 / 5
    assert last[LETTERS] == last[MEANING] == 2 / 5
    assert last[BOTH] == last[ALL] == 3 / 5  # d00, d04 and e04


def judged(name, text, fold, **gains):
    return JudgedQuery(name, text, query_key(text), fold, gains)


def test_judgments_by_hand():
    queries = [
        judged("q0", "halo", 0, war=1.0, wheel=0.4),
        judged("q1", "halos", 1, war=0.5, chess=1.0),
        judged("q2", "halo 2", 1, wheel=0.6),
    ]
    found = on_judgments(queries, dense(), past=past)
    assert found.keys == ["halo", "halos", "halo 2"]
    assert found.unseen.all()
    # q0 gets war, chess (q1) and wheel (q2); q1 and q2 get war alone: what is below 0.5 was not clicked, and q2 is unseen with q1.
    assert found.lendable.tolist() == [1.0, 0.5, 0.0]
    by_name = columns(found)
    assert by_name[DENSE] == by_name[f"{DENSE} + {MEMORY}"] == [0.0, 0.0, 0.0]
    for name in (LETTERS, MEANING, BOTH, ALL):
        assert by_name[name] == [1.0, 0.5, 0.0]


def recalls(keys, unseen, dense_scores, all_scores):
    scores = np.zeros((len(keys), len(MIXES)))
    scores[:, list(MIXES).index(DENSE)], scores[:, list(MIXES).index(ALL)] = dense_scores, all_scores
    return Recalls(keys, np.array(unseen, dtype=bool), scores, np.full(len(keys), 0.25))


def test_figures_by_hand():
    found = recalls(["b", "a", "b", "b"], [True, True, False, False], [0.0, 1.0, 0.5, 0.5], [1.0, 1.0, 1.0, 0.0])
    figures = recall_summary(found, "tiny", protocol="by hand", settings={"data": "x"})
    unseen, every = figures["strata"]["unseen"], figures["strata"]["all"]
    assert (unseen["searches"], unseen["queries"], unseen["lendable"]) == (2, 2, 0.25)
    assert (every["searches"], every["queries"]) == (4, 2)
    assert unseen["lists"][ALL]["minus_dense"]["mean"] == 0.5
    assert every["lists"][DENSE]["recall@10"]["mean"] == 0.5
    assert every["lists"][ALL]["recall@10"]["mean"] == 0.75
    assert every["lists"][DENSE]["minus_dense"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    # Of the queries, a (1 search, 1 of 1) and b (3 searches, 2 of 3 against 1 of 3), two are drawn: aa, ab, bb.
    assert every["lists"][ALL]["minus_dense"]["low"] == 0.0
    assert every["lists"][ALL]["minus_dense"]["high"] == pytest.approx(1 / 3)
    assert every["lists"][ALL]["recall@10"]["low"] == pytest.approx(2 / 3)


def test_the_interval_is_the_paired_bootstrap():
    chance = np.random.default_rng(3)
    one, two = chance.random(60), chance.random(60)
    figures = recall_summary(recalls([f"k{at:02}" for at in range(60)], [True] * 60, one, two), "tiny", protocol="p", settings={})
    assert set(figures["strata"]) == {"unseen"}, "all would be the same"
    drawn = resample(np.stack([one, two], axis=1), np.ones((60, 2)))
    low, high = np.quantile(drawn[:, 1] - drawn[:, 0], [0.025, 0.975])
    less = figures["strata"]["unseen"]["lists"][ALL]["minus_dense"]
    assert less == pytest.approx({"mean": two.mean() - one.mean(), "low": low, "high": high})


def test_table():
    figures = recall_summary(recalls(["a", "b"], [True, False], [0.0, 0.5], [1.0, 0.5]), "tiny", protocol="by hand", settings={"data": "x"})
    lines = recall_table(figures).splitlines()
    assert lines[0] == "tiny: by hand"
    assert "  data = x" in lines
    assert any(line.startswith("  fused by = rrf, k = 60, of the lists to depth 50") for line in lines)
    assert "unseen: 1 searches, 1 queries; 0.250 of what they want was acted on under another query before" in lines
    row = next(line.split() for line in lines if line.startswith(ALL))
    assert row[-4:] == ["1.0000", "1.0000..1.0000", "+1.0000", "+1.0000..+1.0000"]


def test_figures_of_nothing():
    found = on_clicks([], dense(), past=past())
    figures = recall_summary(found, "tiny", protocol="by hand", settings={})
    assert figures["strata"]["unseen"]["lists"][DENSE]["recall@10"] == {"mean": None, "low": None, "high": None}
    assert "unseen: 0 searches" in recall_table(figures)


def test_whole_run_on_both_kinds_of_data(tmp_path):
    log = write(tmp_path / "log", entities=ENTITIES, clicks=[click(1_000, "halo", "war"), click(2_000, "halos", "war", client="ben")])
    queries = [QueryText(f"q{at}", text, 1.0) for at, text in enumerate(["halo", "halos", "halo 2", "halo 3", "a halo"])]
    judged = write(
        tmp_path / "judged", entities=ENTITIES, queries=queries, judgments=[Judgment(one.query_id, "war", 1.0) for one in queries]
    )
    assert len({fold_of(one.query_id) for one in queries}) > 1
    for dataset, wanted in ((log, 0.5), (judged, 1.0)):
        recall.check(dataset, queries=0)
        runs = []
        for folder in ("one", "two", "two"):  # the last one with every embedding there
            encoder = CachedEncoder(HashEncoder(4_096), tmp_path / dataset.name / folder)
            runs.append(recall.run(dataset, encoder, queries=0, told=Progress(io.StringIO())))
        assert runs[0] == runs[1] == runs[2] == json.loads(json.dumps(runs[0]))
        lists = runs[0]["strata"]["unseen"]["lists"]
        assert (lists[DENSE]["recall@10"]["mean"], lists[ALL]["recall@10"]["mean"]) == (0.0, wanted)


def test_command_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.delenv("FORAGE_ENCODER", raising=False)
    with pytest.raises(SystemExit, match="is not a folder; write one with"):
        recall.main([str(tmp_path / "none")])
    write(tmp_path / "bare", entities=ENTITIES)
    with pytest.raises(SystemExit, match=r"holds neither clicks.csv nor judgments.tsv; use a dataset"):
        recall.main([str(tmp_path / "bare")])
    write(tmp_path / "log", entities=ENTITIES, clicks=[click(1_000, "halo", "war")])
    with pytest.raises(SystemExit, match="no encoder is set, dense retrieval needs one; set FORAGE_ENCODER to a model's folder or package"):
        recall.main([str(tmp_path / "log")])
    with pytest.raises(SystemExit, match="--queries 5 is for judged queries, and this dataset holds clicks; leave it out"):
        recall.main([str(tmp_path / "log"), "--queries", "5"])
