"""Pages in the order of drawn scores: what comes out, and that `draw_p` is the chance of it."""

from collections import Counter, defaultdict
from math import exp, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.definition import PlacementSpec
from learners.policy import Policy
from learners.ranking.posterior import DRAWN, NOTHING, Ranked, drawn
from schemas.candidates import Candidate
from schemas.events import Placement
from tests.learners.requests import definition, request

SCALE = sqrt(3.0) / pi  # of the logistic distribution with sd 1


def one(name, score, sd):
    return Ranked(name, score, score, NOTHING, (("dense", 1, 1.0),), [], sd)


def ranking(*rows):
    return sorted((one(*row) for row in rows), key=lambda it: (-it.score, it.entity_id))


def draw_of(ranked, search="s-1", *, draw=1.0, salt="forage"):
    return drawn(request(search_id=search), ranked, draw=draw, salt=salt)


MANY = ranking(*((f"e{at:02}", 0.9 - 0.01 * at, 0.1) for at in range(DRAWN + 20)))


def test_without_a_draw_it_is_the_ranking():
    assert draw_of(MANY, draw=0.0) == MANY
    assert draw_of(MANY[:1]) == MANY[:1]
    assert draw_of([]) == []


def test_the_same_search_draws_the_same_and_others_differ():
    assert draw_of(MANY) == draw_of(MANY)
    orders = {tuple(it.entity_id for it in draw_of(MANY, f"s-{number}")) for number in range(20)}
    orders |= {tuple(it.entity_id for it in draw_of(MANY, salt="other"))}
    assert len(orders) == 21


def test_all_of_the_union_stays_once_and_only_the_head_moves():
    for number in range(20):
        placed = draw_of(MANY, f"s-{number}", draw=3.0)
        assert placed[DRAWN:] == MANY[DRAWN:]
        assert sorted(it._replace(draw_p=1.0) for it in placed) == sorted(MANY)


def test_two_candidates_by_hand():
    """a is drawn around 0.4 with sd 0.2 (and half of it), b is certain at 0.5: P(a first) = 1 / (1 + exp(0.1 / scale))."""
    pair = ranking(("a", 0.4, 0.2), ("b", 0.5, 0.0))
    for draw in (1.0, 0.5):
        first = 1.0 / (1.0 + exp(0.1 / (draw * 0.2 * SCALE)))
        n, wins = 2_000, 0
        for number in range(n):
            placed = draw_of(pair, f"s-{number}", draw=draw)
            wins += placed[0].entity_id == "a"
            chances = {it.entity_id: it.draw_p for it in placed}
            assert chances == {"a": pytest.approx(first if placed[0].entity_id == "a" else 1.0 - first), "b": 1.0}
        assert abs(wins - n * first) < 4.0 * sqrt(n * first * (1.0 - first))


@pytest.mark.parametrize("search", ["s-1", "s-2"])
def test_draw_p_is_how_often_a_candidate_comes_to_its_place_when_it_alone_is_drawn_again(search):
    """Draws are by the name: another name for one candidate draws it anew and leaves the others as they were."""
    rest, n = [("b", 0.5, 0.1), ("c", 0.45, 0.05), ("d", 0.3, 0.3), ("e", 0.1, 0.02)], 4_000
    places, said = Counter(), defaultdict(set)
    for number in range(n):
        placed = draw_of(ranking((f"x{number}", 0.42, 0.2), *rest), search)
        at = next(at for at, it in enumerate(placed) if it.entity_id[0] == "x")
        places[at] += 1
        said[at].add(placed[at].draw_p)
        assert [it.entity_id for it in placed if it.entity_id[0] != "x"] == [
            it.entity_id for it in draw_of(ranking(("x", 0.42, 0.2), *rest), search) if it.entity_id != "x"
        ]
    assert all(len(values) == 1 for values in said.values()), "it depends on the place and on the others alone"
    chances = {at: values.pop() for at, values in said.items()}
    assert sum(chances.values()) == pytest.approx(1.0, abs=0.01), "places it never came to are rare"
    for at, p in chances.items():
        assert abs(places[at] - n * p) < 4.0 * sqrt(n * p * (1.0 - p)) + 1.0


scored = st.lists(
    st.tuples(st.one_of(st.floats(0.0, 17.0), st.sampled_from([0.5, 0.25])), st.one_of(st.floats(1e-9, 0.5), st.sampled_from([0.0, 0.1]))),
    max_size=60,
)


@given(scored, st.floats(0.01, 4.0), st.integers(0, 10**6))
def test_every_draw_p_is_a_probability_that_can_be_logged(rows, draw, search):
    ranked = ranking(*((f"e{at}", score, sd) for at, (score, sd) in enumerate(rows)))
    placed = draw_of(ranked, f"s-{search}", draw=draw)
    assert sorted(it.entity_id for it in placed) == sorted(it.entity_id for it in ranked)
    for it in placed:
        assert Placement(draw_p=it.draw_p).draw_p == it.draw_p
        assert it.sd > 0.0 or it.draw_p == 1.0


def test_no_room_between_its_neighbours_is_still_no_chance_of_zero():
    """b is drawn to where a and c stand, which are certain: the difference of their bounds is 0, a logged probability never is."""
    wins = next(
        search
        for search in (f"s-{number}" for number in range(50))
        if draw_of(ranking(("b", 0.5, 0.1), ("z", 0.5, 0.0)), search)[0][0] == "b"
    )
    low, high = 0.5, 1.5  # bisect for the drawn score of b: the highest certain score that still comes behind it
    for _ in range(100):
        middle = (low + high) / 2.0
        ahead = draw_of(ranking(("b", 0.5, 0.1), ("z", middle, 0.0)), wins)[0].entity_id == "b"
        low, high = (middle, high) if ahead else (low, middle)
    placed = draw_of(ranking(("a", low, 0.0), ("b", 0.5, 0.1), ("c", low, 0.0)), wins)
    assert [it.entity_id for it in placed] == ["a", "b", "c"]
    assert 0.0 < placed[1].draw_p < 1e-9


def test_the_pages_of_a_policy_follow_the_draw():
    spec = PlacementSpec(draw=2.0, slot=0.0, swap=0.0)
    policy = Policy.untrained(definition("dense", "lexical", placement=spec))
    lists = {"dense": [Candidate(f"e{at:02}", 1.0 / at) for at in range(1, 41)]}
    ranked = policy.rank(request(), lists, memory=None)
    whole = draw_of(ranked, draw=2.0)
    pages = [policy.place(request(page=number, size=15), ranked) for number in (1, 2, 3)]
    assert [it.one for page in pages for it in page] == whole
    assert {(it.mode, it.p) for page in pages for it in page} == {("score", 1.0)}
    assert [it.entity_id for it in whole] != [it.entity_id for it in ranked]
