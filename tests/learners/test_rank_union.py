from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import RankSpec, ReadingSpec
from learners.policy import Policy
from learners.ranking.posterior import RANK_FEATURES, fuse
from schemas.candidates import Candidate, Evidence
from schemas.events import Result
from tests.learners.requests import Remembered, definition, request

LISTS = {
    "lexical": [Candidate("a", 9.0), Candidate("b", 5.0), Candidate("c", 1.0)],
    "memory": [Candidate("b", 0.4)],
    "dense": [],
}
READING = ReadingSpec(kappa=4.0, min_clients=2)


def ranked(lists, evidence=None, *, rank=None, reading=READING, **more):
    policy = Policy.untrained(definition("lexical", "memory", "dense", rank=rank or RankSpec(), reading=reading))
    return policy.rank(request(**more), lists, memory=None if evidence is None else Remembered(evidence))


def test_search_one_is_equal_weight_fusion():
    # Min-max in lexical: a 1, b 1/2, c 0; alone in its list: 1. Over three asked lists, the failed one included.
    page = {one.entity_id: one for one in ranked(LISTS)}
    assert [one.entity_id for one in ranked(LISTS)] == ["b", "a", "c"]
    assert page["b"].prior == page["b"].score == pytest.approx(1 / (1 + exp(3.8 - 5 * (0.5 + 1) / 3)))
    assert page["c"].prior == pytest.approx(1 / (1 + exp(3.8)))
    assert page["b"].found == (("lexical", 2, 5.0), ("memory", 1, 0.4))


def test_evidence_replaces_the_prior():
    # b0 = a0 = 0: every prior is 1/2. kappa 4: c = (2 + 3) / (4 + 2) = 5/6, a = (2 + 0) / (4 + 6) = 1/5.
    evidence = {"c": Evidence(3.0, 2.0, 5), "a": Evidence(0.0, 6.0, 0)}
    page = ranked(LISTS, evidence, rank=RankSpec(b0=0.0, a0=0.0))
    assert [(one.entity_id, one.score) for one in page] == [("c", pytest.approx(5 / 6)), ("b", 0.5), ("a", pytest.approx(0.2))]
    assert page[0].evidence == Evidence(3.0, 2.0, 5)


def test_one_persons_click_is_not_everybodys_page():
    evidence = {"c": Evidence(3.0, 2.0, 1)}
    flat = RankSpec(b0=0.0, a0=0.0)
    # neither for nor against: what its first person chose keeps the prior that it had
    assert {one.entity_id: one.score for one in ranked(LISTS, evidence, rank=flat)}["c"] == pytest.approx(0.5)
    assert ranked(LISTS, evidence, rank=flat, reading=ReadingSpec(kappa=4.0, min_clients=1))[0][:2] == ("c", pytest.approx(5 / 6))


def test_ties_go_by_id():
    lists = {"lexical": [Candidate(name, 1.0) for name in ("c", "a", "b")]}
    assert [one.entity_id for one in ranked(lists)] == ["a", "b", "c"]


def test_weights_count_over_the_asked_lists_only():
    weights = {"lexical": 0.6, "memory": 0.2, "xmr": 0.2}
    lists = {name: LISTS[name] for name in ("lexical", "memory")}
    assert fuse(lists, weights)["b"][0] == pytest.approx(0.75 * 0.5 + 0.25 * 1.0)
    assert fuse({"unweighted": LISTS["lexical"]}, weights)["a"][0] == 0.0


@pytest.mark.parametrize("lists", [{}, {"lexical": []}, {"lexical": [], "memory": []}])
def test_nothing_found_is_an_empty_page(lists):
    assert ranked(lists, {"a": Evidence(1.0, 1.0, 9)}) == []


def test_features_are_logged_on_the_grid():
    row = dict(zip(RANK_FEATURES, ranked(LISTS, {"b": Evidence(9.0, 1.5, 4)})[0].features, strict=True))
    assert row == {"fusion": 128, "found_share": 171, "best_rank": 256, "prior": 55, "reward": 1024, "examined": 384, "clients": 128}


candidates = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1e6, 1e6), max_size=8).map(
    lambda found: [Candidate(*one) for one in sorted(found.items(), key=lambda one: (-one[1], one[0]))]
)
remembered = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Evidence, st.floats(0, 50), st.floats(0, 50), st.integers(0, 8)), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["lexical", "memory", "dense"]), candidates), remembered)
def test_equals_the_formulas_written_out(lists, evidence):
    page = ranked(lists, evidence)
    expected = {}
    for entity in {one.entity_id for found in lists.values() for one in found}:
        fusion = 0.0
        for found in lists.values():
            scores = {one.entity_id: one.score for one in found}
            if entity in scores:
                low, high = min(scores.values()), max(scores.values())
                fusion += (1.0 if high == low else (scores[entity] - low) / (high - low)) / len(lists)
        s, v, clients = evidence.get(entity, Evidence(0.0, 0.0, 0))
        prior = 1 / (1 + exp(3.8 - 5 * fusion))
        s, v = (0.0, 0.0) if s > 0 and clients < 2 else (s, v)
        expected[entity] = (4 * prior + s) / (4 + v)
    assert {one.entity_id: one.score for one in page} == pytest.approx(expected)
    assert [(one.score, one.entity_id) for one in page] == sorted(((one.score, one.entity_id) for one in page), key=lambda x: (-x[0], x[1]))
    for position, one in enumerate(page, 1):  # what goes into the log is valid
        result = Result(entity_id=one.entity_id, position=position, score=one.score, sources=one.sources, features=one.features)
        assert Result.model_validate_json(result.model_dump_json()) == result
        assert {source.strategy for source in one.sources} == {name for name, found in lists.items() if one.entity_id in dict(found)}


def test_order_of_the_lists_does_not_matter_to_the_last_bit():
    lists = {
        name: [Candidate(f"e{i}", 0.1 * (i * 7 % 10) + shift) for i in range(10)] for name, shift in zip("abcde", range(5), strict=True)
    }
    assert ranked(lists) == ranked(dict(reversed(lists.items())))
