"""Explanations over real searches of a loop that has learned: sums are exact, and they are those of the served page."""

from collections.abc import Iterator
from math import log
from random import Random

import pytest

from evaluation.people.catalogue import TODAY, catalogue
from evaluation.people.drift import drift
from evaluation.people.listeners import clicks, people
from learners.definition import RankSpec
from ops.definitions import definition
from ops.demo import request_of
from ops.wiring import EmbeddedLoop
from schemas.errors import NotFound
from schemas.events import Action
from serving.explaining import START, explain, missing, story
from serving.kept import Search

SEED, LEARN, WATCH = 5, 130, 40
STRATEGIES = ("lexical", "trigrams", "memory", "neighbours", "popular", "xmr")
EXACT = 1e-6


def searches(loop: EmbeddedLoop, count: int) -> Iterator[Search]:
    """People search and click, and the loop learns after each search."""
    change = drift(catalogue(SEED), SEED)
    crowd, rng = people(change, SEED), Random(f"searches {SEED}")
    for number in range(count):
        listener, need = crowd.search(rng, 0)
        request = request_of(f"s{number}", TODAY + number * 900_000, need.query, client_id=listener.client_id)
        view = loop.view
        page = loop.search(request)
        yield Search(request, page, view)
        shown = [one.entity_id for one in page.impression.results]
        for place, entity in clicks(shown, crowd.relevance(listener, need), patience=listener.patience, rng=Random(f"{number}")):
            ts = request.ts + 1_000 * place
            loop.emit(Action(action_id=f"{number}-{place}", search_id=request.search_id, ts=ts, kind="click", entity_id=entity), ts)
        loop.step()


@pytest.fixture(scope="module")
def learned() -> list[Search]:
    loop = EmbeddedLoop(catalogue(SEED).entities, definition(STRATEGIES, min_clients=2), clock=lambda: 0.0)
    some = list(searches(loop, LEARN + WATCH))[LEARN:]
    loop.close()
    return some


def test_what_is_explained_has_a_fitted_model_and_memory(learned):
    kept = [explain(one, result.entity_id) for one in learned for result in one.page.impression.results]
    assert len(kept) > 300
    assert sum(one.memory.share > 0.3 for one in kept) > 30
    assert any(one.memory.held_back for one in kept), "somebody was alone with a choice"
    start = RankSpec().b0
    assert all(one.reasons[0].adds != start for one in kept), "fitted"


def test_rows_sum_to_the_log_odds_of_what_was_expected(learned):
    for search in learned:
        for one in search.page.ranked:
            prior = one.prior
            rows = explain(search, one.entity_id).reasons
            assert rows[0].name == START
            assert sum(row.adds for row in rows) == pytest.approx(log(prior / (1.0 - prior)), abs=EXACT)


def test_the_weighted_mean_is_the_served_score(learned):
    for search in learned:
        for result in search.page.impression.results:
            memory = explain(search, result.entity_id).memory
            reward, looks = (0.0, 0.0) if memory.held_back else (memory.reward, memory.looks)
            mean = (memory.kappa * memory.expected + reward) / (memory.kappa + looks)
            assert mean == pytest.approx(memory.result, abs=EXACT)
            assert memory.result == pytest.approx(result.score, abs=EXACT)


def test_a_difference_sums_to_the_difference_of_the_scores_and_is_with_the_item_above(learned):
    for search in learned:
        places = {one.position: one for one in search.page.impression.results}
        for place, result in places.items():
            above = explain(search, result.entity_id).above
            if place == 1:
                assert above is None
                continue
            other = places[place - 1]
            assert (above.entity_id, above.place) == (other.entity_id, place - 1)
            assert sum(row.adds for row in above.rows) == pytest.approx(result.score - other.score, abs=EXACT)
            sizes = [abs(row.adds) for row in above.rows]
            assert sizes == sorted(sizes, reverse=True)


def test_any_two_items_can_be_compared(learned):
    first, *_, last = learned[0].page.ranked
    there = explain(learned[0], first.entity_id, against=last.entity_id).above
    back = explain(learned[0], last.entity_id, against=first.entity_id).above
    assert there.total == -back.total == first.score - last.score


def test_tests_are_said_with_their_chance_and_with_the_place_by_score(learned):
    tests = [(search, one) for search in learned for one in search.page.impression.results if one.placement.mode != "score"]
    assert tests
    for search, result in tests:
        told = explain(search, result.entity_id)
        assert "was a test" in told.test
        assert " in " in told.test
        assert "as a test" in told.sentence
        assert told.placement == result.placement
    search, result = next((s, r) for s in learned for r in s.page.impression.results if r.placement.mode == "score")
    assert explain(search, result.entity_id).test == ""


def test_finders_come_by_rank_and_all_asked_methods_are_told(learned):
    for search in learned:
        top = search.page.impression.results[0]
        told = explain(search, top.entity_id)
        assert {row.strategy for row in told.found} == search.page.impression.decision.asked()
        ranks = [row.rank for row in told.found if row.rank is not None]
        assert ranks == sorted(ranks)
        assert {(row.strategy, row.rank) for row in told.found if row.rank} == {(one.strategy, one.rank) for one in top.sources}


def test_what_nobody_found_is_not_explained(learned):
    with pytest.raises(NotFound, match="which stage lost it"):
        explain(learned[0], "nothing")
    assert missing(learned[0], "nothing").stage == "catalogue"


def test_the_story_counts_what_the_page_holds(learned):
    for search in learned:
        told, impression = story(search), search.page.impression
        assert {part.strategy for part in told.parts} == set(impression.decision.available)
        assert {part.strategy for part in told.parts if part.asked} == impression.decision.asked()
        assert sum(part.credit for part in told.parts) == pytest.approx(1.0 if impression.results else 0.0)
        assert sum(part.only_it for part in told.parts) == sum(len(one.sources) == 1 for one in impression.results)
        assert all(part.returned == len(search.page.lists[part.strategy]) for part in told.parts if part.asked)
        assert told.tests == sum(one.placement.mode != "score" for one in impression.results)
        assert told.sentence.endswith(".")
