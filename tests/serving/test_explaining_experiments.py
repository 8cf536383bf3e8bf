"""What is explained where another policy than one that learns made the page: a fixed mix, a split of people, two rankings by turns."""

import pytest

from serving.experiments import Interleaved, Mix, Split
from serving.explaining import explain, story
from serving.kept import Search
from tests.retrievers.shop import request
from tests.serving.kitchen import NAMES, Kitchen, policy

MIX = Mix("rrf", dict.fromkeys(NAMES, 20))


def searched(made, **more) -> Search:
    kitchen = Kitchen(made)
    asked = request("halo", **more)
    return Search(asked, kitchen.pipeline.search(asked), kitchen.view)


def test_a_fixed_mix_has_no_sum_but_its_finders_and_the_difference_of_its_scores():
    search = searched(MIX)
    first, second = search.page.impression.results[:2]
    told = explain(search, second.entity_id)
    assert (told.reasons, told.memory, told.test) == ((), None, "")
    assert told.sentence.startswith("Second, found by ")
    assert told.above.entity_id == first.entity_id
    assert [row.name for row in told.above.rows] == ["score"]
    assert told.above.total == pytest.approx(second.score - first.score)
    assert {part.role for part in story(search).parts} == {"always"}


def test_a_split_explains_by_the_policy_that_answered():
    learned = searched(Split("half", policy(), MIX, 0.0001))
    mixed = searched(Split("half", policy(), MIX, 0.9999))
    assert learned.page.impression.decision.trial.arm == "a"
    assert mixed.page.impression.decision.trial.arm == "b"
    assert explain(learned, learned.page.ranked[0].entity_id).memory is not None
    assert explain(mixed, mixed.page.ranked[0].entity_id).memory is None


def test_a_page_by_turns_is_explained_by_the_scores_of_what_runs_anyway():
    search = searched(Interleaved("turns", policy(p=0.98), MIX, 0.9999))
    assert search.page.impression.decision.trial.arm == "both"
    for result in search.page.impression.results:
        told = explain(search, result.entity_id)
        assert told.memory.result == pytest.approx(result.score, abs=1e-6)
        assert told.placement.mode == "team"
        assert "in turns" in told.test
        assert "in turns" in told.sentence
    assert story(search).tests == 0
