"""The union, its fusion and the order of the page against the formulas written out. Constants are read where they are set."""

from math import exp, log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import RankSpec, ReadingSpec
from learners.policy import Policy
from learners.ranking.union import unite
from schemas.candidates import Candidate, Evidence, Recent
from schemas.events import Result
from tests.learners.requests import Remembered, definition, request

LISTS = {
    "lexical": [Candidate("a", 9.0), Candidate("b", 5.0), Candidate("c", 1.0)],
    "memory": [Candidate("b", 0.4)],
    "dense": [],
}
READING = ReadingSpec(kappa=4.0, min_clients=2)
START, FLAT = RankSpec(), RankSpec(b0=0.0, a0=0.0)  # FLAT: every prior is 1/2


def ranked(lists, evidence=None, *, rank=START, reading=READING, recent=None, **more):
    policy = Policy.untrained(definition("lexical", "memory", "dense", rank=rank, reading=reading))
    return policy.rank(request(**more), lists, memory=None if evidence is None else Remembered(evidence, recent or {}))


def sigmoid(z):
    return 1.0 / (1.0 + exp(-z))


def start(fusion):
    return sigmoid(START.b0 + START.a0 * fusion)


def test_the_union_of_three_lists_by_hand():
    union = unite(LISTS)
    assert (union.ids, union.strategies) == (("a", "b", "c"), ("dense", "lexical", "memory"))
    assert union.ranks.tolist() == [[0, 1, 0], [0, 2, 1], [0, 3, 0]]
    assert union.scores.tolist() == [[0.0, 9.0, 0.0], [0.0, 5.0, 0.4], [0.0, 1.0, 0.0]]
    assert union.normed.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.0]]
    assert union.found() == [[("lexical", 1, 9.0)], [("lexical", 2, 5.0), ("memory", 1, 0.4)], [("lexical", 3, 1.0)]]


def test_an_entity_that_stands_twice_in_a_list_counts_at_its_best_place():
    union = unite({"a": [Candidate("x", 4.0), Candidate("y", 3.0), Candidate("x", 2.0)]})
    assert (union.ids, union.ranks.tolist(), union.scores.tolist()) == (("x", "y"), [[1], [2]], [[4.0], [3.0]])
    assert union.normed.tolist() == [[1.0], [0.5]]


def test_search_one_is_equal_weight_fusion_over_all_that_was_asked_but_memory():
    # Min-max in lexical: a 1, b 1/2, c 0. Two lists count: dense failed and was asked; memory is evidence, not relevance.
    page = {one.entity_id: one for one in ranked(LISTS)}
    assert [one.entity_id for one in ranked(LISTS)] == ["a", "b", "c"]
    for entity, fusion in (("a", 1 / 2), ("b", 1 / 4), ("c", 0.0)):
        assert page[entity].prior == page[entity].score == pytest.approx(start(fusion))
        assert page[entity].draw_p == 1.0
    assert page["b"].found == (("lexical", 2, 5.0), ("memory", 1, 0.4))
    assert ranked({"memory": LISTS["memory"]})[0].prior == pytest.approx(start(0.0))


def test_weights_count_over_the_asked_lists_only():
    weighted = RankSpec(weights={"lexical": 0.6, "dense": 0.2, "memory": 0.2})
    lists = {"lexical": LISTS["lexical"], "dense": [Candidate("b", 0.4)]}
    page = {one.entity_id: one.prior for one in ranked(lists, rank=weighted)}
    # Normed scores stand on the grid of 1/256, on which these are exact.
    assert page["b"] == pytest.approx(sigmoid(weighted.b0 + weighted.a0 * (0.75 * 0.5 + 0.25)))
    alone = {one.entity_id: one.prior for one in ranked({"lexical": LISTS["lexical"]}, rank=weighted)}
    assert alone["a"] == pytest.approx(sigmoid(weighted.b0 + weighted.a0))


def test_evidence_replaces_the_prior():
    # kappa 4: c = (2 + 3) / (4 + 2) = 5/6, a = (2 + 0) / (4 + 6) = 1/5. sd of a Beta: sqrt(m (1 - m) / (kappa + V + 1)).
    evidence = {"c": Evidence(3.0, 2.0, 5), "a": Evidence(0.0, 6.0, 0)}
    page = ranked(LISTS, evidence, rank=FLAT)
    assert [(one.entity_id, one.score) for one in page] == [("c", pytest.approx(5 / 6)), ("b", 0.5), ("a", pytest.approx(0.2))]
    assert page[0].evidence == Evidence(3.0, 2.0, 5)
    assert [one.sd for one in page] == pytest.approx([sqrt(5 / 36 / 7), sqrt(1 / 4 / 5), sqrt(4 / 25 / 11)])


def test_more_reward_than_looks_is_certain_and_keeps_its_order():
    page = ranked(LISTS, {"a": Evidence(16.0, 1.0, 5), "c": Evidence(12.0, 1.0, 5)}, rank=FLAT)
    assert [(one.entity_id, one.sd) for one in page[:2]] == [("a", 0.0), ("c", 0.0)]
    assert page[0].score > page[1].score > 1.0


def test_one_persons_click_is_not_everybodys_page():
    evidence = {"c": Evidence(3.0, 2.0, 1)}
    # neither for nor against: what its first person chose keeps the prior and the spread that it had
    once = {one.entity_id: one for one in ranked(LISTS, evidence, rank=FLAT)}["c"]
    assert (once.score, once.sd) == pytest.approx((0.5, sqrt(1 / 4 / 5)))
    assert ranked(LISTS, evidence, rank=FLAT, reading=ReadingSpec(kappa=4.0, min_clients=1))[0][:2] == ("c", pytest.approx(5 / 6))
    unloved = ranked(LISTS, {"c": Evidence(0.0, 6.0, 0)}, rank=FLAT)[-1]
    assert unloved[:2] == ("c", pytest.approx(0.2)), "views without any reward count, whoever looked"


def test_ties_go_by_id():
    lists = {"lexical": [Candidate(name, 1.0) for name in ("c", "a", "b")], "memory": [Candidate("0", 1.0), Candidate("z", 1.0)]}
    assert [one.entity_id for one in ranked(lists, rank=FLAT)] == ["0", "a", "b", "c", "z"]


@pytest.mark.parametrize("lists", [{}, {"lexical": []}, {"lexical": [], "memory": []}])
def test_nothing_found_is_an_empty_page(lists):
    assert ranked(lists, {"a": Evidence(1.0, 1.0, 9)}) == []
    assert unite(lists).normed.shape == (0, len(lists))


def test_features_are_logged_on_the_grid():
    policy = Policy.untrained(definition("lexical", "memory", "dense"))
    found = policy.rank(request(), LISTS, memory=Remembered({}, {"b": Recent(1.0, 100.0)}))
    row = dict(zip(policy._ranker.features.names, {one.entity_id: one for one in found}["b"].features, strict=True))
    assert {name: value for name, value in row.items() if value} == {
        "dense.missed": 256, "lexical.found": 256, "lexical.rank": 128, "lexical.score": 128, "lexical.level": round(64 * log(5.0)),
        "trend_2": round(64 * log(2.0)), "trend_7": round(64 * log(101.0)),
    }  # fmt: skip


candidates = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1e6, 1e6), max_size=8).map(
    lambda found: [Candidate(*one) for one in sorted(found.items(), key=lambda one: (-one[1], one[0]))]
)
remembered = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Evidence, st.floats(0, 50), st.floats(0, 50), st.integers(0, 8)), max_size=8
)
trends = st.dictionaries(st.sampled_from("abcdefgh"), st.builds(Recent, st.floats(0, 1e9), st.floats(0, 1e9)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["lexical", "memory", "dense"]), candidates), remembered, trends)
def test_equals_the_formulas_written_out(lists, evidence, recent):
    page = ranked(lists, evidence, recent=recent)
    expected = {}
    asked = [found for name, found in lists.items() if name != "memory"]
    for entity in {one.entity_id for found in lists.values() for one in found}:
        fusion = 0.0
        for found in asked:
            scores = {one.entity_id: one.score for one in found}
            if entity in scores:
                low, high = min(scores.values()), max(scores.values())
                normed = 1.0 if high == low else (scores[entity] - low) / (high - low)
                fusion += round(256 * normed) / 256 / len(asked)
        s, v, clients = evidence.get(entity, Evidence(0.0, 0.0, 0))
        s, v = (0.0, 0.0) if s > 0 and clients < 2 else (s, v)
        mean = (4 * start(fusion) + s) / (4 + v)
        m = min(mean, 1.0)
        expected[entity] = (mean, sqrt(m * (1 - m) / (4 + v + 1)))
    assert {one.entity_id for one in page} == expected.keys()
    for one in page:
        assert (one.score, one.sd) == pytest.approx(expected[one.entity_id], rel=1e-9, abs=1e-9)
    assert [(one.score, one.entity_id) for one in page] == sorted(((one.score, one.entity_id) for one in page), key=lambda x: (-x[0], x[1]))
    for position, one in enumerate(page, 1):  # what goes into the log is valid
        result = Result(entity_id=one.entity_id, position=position, score=one.score, sources=one.sources, features=one.features)
        assert Result.model_validate_json(result.model_dump_json()) == result
        assert {source.strategy for source in one.sources} == {name for name, found in lists.items() if one.entity_id in dict(found)}


def test_order_of_the_lists_does_not_matter_to_the_last_bit():
    lists = {
        name: [Candidate(f"e{i}", 0.1 * (i * 7 % 10) + shift) for i in range(10)] for name, shift in zip("abcde", range(5), strict=True)
    }
    policy = Policy.untrained(definition(*"abcde", rank=RankSpec(weights=dict(zip("abcde", (0.1, 0.2, 0.3, 0.15, 0.25), strict=True)))))
    one, other = (policy.rank(request(), given, memory=None) for given in (lists, dict(reversed(lists.items()))))
    assert one == other
    assert len({two.score for two in one}) > 3
