"""Judged queries in folds and their traffic; the golden list pins the simulation that figures are compared under."""

import json
from collections import Counter
from pathlib import Path

import pytest

from evaluation.datasets.rows import Judgment, QueryText
from evaluation.judged_queries import GAP, START, JudgedQuery, fold_of, judged_queries, traffic
from schemas.errors import InvalidSetting

GOLDEN = Path(__file__).parents[1] / "golden" / "judged_traffic.json"


def field(count):
    texts = [QueryText(f"q{number:03}", f"query {number}", 1.0) for number in range(count)]
    return judged_queries(texts, [Judgment(one.query_id, f"e-{one.query_id}", 1.0) for one in texts])


def test_golden_traffic():
    """The first 100 searches of two (seed, fold): which query, in which fold, and the draws of its ten positions."""
    queries = field(150)
    found = []
    for seed, fold in ((0, 0), (2, 3)):
        made = traffic(queries, seed=seed, fold=fold, searches=100)
        rngs = [made.rng(index) for index in range(100)]
        found.append(
            {
                "seed": seed,
                "fold": fold,
                "queries": [queries[place].query_id for place in made.queries],
                "draws": [[round(rng.random(), 6) for _ in range(10)] for rng in rngs],
                "ids": [made.search_id(0), made.search_id(99)],
                "times": [made.ts(0), made.ts(99)],
            }
        )
    assert found == json.loads(GOLDEN.read_text())


def test_folds_by_id_and_traffic_on_seen_queries_alone():
    queries = field(150)
    assert Counter(query.fold for query in queries).keys() == {0, 1, 2, 3, 4}
    for fold in range(5):
        made = traffic(queries, seed=1, fold=fold, searches=500)
        assert all(queries[place].fold != fold for place in made.queries)
        assert made.queries != traffic(queries, seed=2, fold=fold, searches=500).queries
        assert made.queries[:100] == traffic(queries, seed=1, fold=fold, searches=100).queries
    assert queries[0].fold == fold_of("q000")


def test_traffic_follows_zipf():
    queries = [JudgedQuery(f"q{number}", str(number), str(number), 1, {"e": 1.0}) for number in range(4)]
    counts = sorted(Counter(traffic(queries, seed=0, fold=0, searches=25_000).queries).values(), reverse=True)
    assert [count / 25_000 for count in counts] == pytest.approx([0.48, 0.24, 0.16, 0.12], abs=0.012)  # 1/k over 1 + 1/2 + 1/3 + 1/4


def test_searches_are_18_seconds_apart_and_by_new_people():
    made = traffic(field(10), seed=0, fold=0, searches=3)
    assert [made.ts(index) - START for index in range(3)] == [0, GAP, 2 * GAP]
    assert 3_600_000 / GAP == 200
    requests = [field(10)[0].request(made.search_id(index), made.ts(index)) for index in range(3)]
    assert len({one.client_id for one in requests}) == len({one.search_id for one in requests}) == 3


def test_what_is_judged():
    query = JudgedQuery("q", "q", "q", 0, {"a": 1.0, "b": 0.1, "c": 0.5})
    assert query.scores(["b", "x", "c"]) == [pytest.approx((0.1 + 0.5 / 2) / (1 + 0.5 / 1.584963 + 0.1 / 2), rel=1e-5), 1 / 3, 1.0, 0.5]
    assert query.scores([]) == [0.0, 0.0, 0.0, 0.0]


def test_queries_without_a_relevant_entity_or_of_one_key_are_left_out():
    texts = [QueryText("a", "Jazz", 1.0), QueryText("b", "jazz!", 1.0), QueryText("c", "rock", 1.0), QueryText("d", "pop", 1.0)]
    judged = [Judgment(name, "e", gain) for name, gain in (("a", 1.0), ("b", 1.0), ("c", 0.4), ("d", 0.5))]
    assert [one.query_id for one in judged_queries(texts, judged)] == ["a", "d"]
    with pytest.raises(InvalidSetting, match="1 queries have an entity of gain"):
        judged_queries(texts, judged, most=1)
    assert len(judged_queries([*texts, QueryText("e", "x", 1.0)], [*judged, Judgment("e", "e", 1.0)], most=2)) == 2


def test_all_queries_in_the_unseen_fold_are_refused():
    queries = [JudgedQuery(f"q{number}", "x", "x", 2, {"e": 1.0}) for number in range(3)]
    with pytest.raises(InvalidSetting, match="all 3 queries are in fold 2"):
        traffic(queries, seed=0, fold=2, searches=5)
