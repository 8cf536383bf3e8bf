"""Memory: what was expected, what was seen, and when it counts."""

from datetime import date

import pytest

from learners.definition import ReadingSpec
from learners.trials.reading import Estimate
from schemas.candidates import Counted, Evidence
from schemas.q2e import q2e
from serving.console.memory import check, days_ago, lately, of_item, of_query, row_of, sharing
from serving.outcomes import Prediction

READING = ReadingSpec(kappa=2.0, min_clients=2)


def counted(*, reward=3.0, examined=6.0, clients=3, clicks=3, entity="album:1"):
    return Counted(entity, (4, 2, 0, 0, 0, 0), (5, clicks, 0, 0, 0, 0, 0, 0, 0, 0), 20_000, 20_412, Evidence(reward, examined, clients))


def row(expected: float | None = 0.1, title: str = "Linen", **more):
    return row_of("red dress", counted(**more), title=title, expected=expected, reading=READING)


def test_the_score_is_what_was_expected_replaced_by_what_was_seen():
    one = row()
    assert (one.seen, one.now, one.shown, one.chosen) == (0.5, q2e(0.1, 3.0, 6.0, 2.0), 6, 3)  # viewing pays nothing
    assert one.last == date(2025, 11, 20)


def test_what_too_few_people_chose_changes_no_score():
    one = row(clients=1)
    assert (one.seen, one.now, one.heard) == (None, 0.1, False)


def test_views_without_a_choice_count_against_an_item():
    one = row(reward=0.0, clients=0, clicks=0)
    assert (one.seen, one.heard) == (0.0, True)
    assert one.now == q2e(0.1, 0.0, 6.0, 2.0)


def test_an_item_that_nothing_finds_has_no_score():
    assert (row(expected=None).now, row(expected=None).seen) == (None, 0.5)


ONE = "“red dress” has learned about 1 item."
LOOKS = "(about 6 looks)"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "Nothing learned for “red dress” yet: no page of it was shown and counted."),
        ([row(reward=0.0, clients=0, clicks=0)], "For “red dress” 1 item was shown, and none was chosen yet."),
        ([row(clients=1)], "Nothing learned for “red dress” yet: 1 of 2 different people needed chose something."),
        ([row()], f"{ONE} Linen is chosen more than expected: 1 in 10 was expected, 1 in 2 was seen {LOOKS}."),
        ([row(reward=9.0)], f"{ONE} Linen is chosen more than expected: 1 in 10 was expected, 1.5 times a look was seen {LOOKS}."),
        ([row(reward=0.6)], f"{ONE} Best known is Linen: chosen 1 in 10, as expected {LOOKS}."),
        ([row(examined=0.0)], f"{ONE} Linen was chosen 3 times where no page showed it."),
        ([row(expected=None)], f"{ONE} Linen was chosen 1 in 2 {LOOKS}; no method expected it."),
    ],
)
def test_what_a_search_has_learned(rows, said):
    assert of_query("red dress", rows, min_clients=2).sentence == said


def test_the_item_that_differs_most_is_told():
    assert " Linen is chosen more " in of_query("red dress", [row(reward=0.6, title="Wool"), row()], min_clients=2).sentence


def test_what_an_item_has_learned():
    nobody = "No search is known for Linen yet: nobody chose it, or too few different people."
    assert of_item("album:1", "Linen", []).sentence == nobody
    known = "People choose Linen for 1 search, best for “red dress”: 1 in 2 of those who looked."
    assert of_item("album:1", "Linen", [row()]).sentence == known


def test_no_memory_is_not_an_empty_one():
    assert lately(None, min_clients=2).sentence == "There is no memory now: scores are expectations alone."


@pytest.mark.parametrize(("people", "said"), [(1, "counts for everybody at once"), (3, "once 3 different people chose it")])
def test_when_a_choice_is_shared(people, said):
    assert said in sharing(people)


@pytest.mark.parametrize(("day", "said"), [(20_412, "today"), (20_411, "yesterday"), (20_400, "12 days ago"), (20_413, "today")])
def test_days(day, said):
    assert days_ago(date.fromordinal(date(1970, 1, 1).toordinal() + day), 20_412 * 86_400_000 + 5) == said


def predicted(rate: float, came: float, *, looks: float = 100.0) -> Prediction:
    return Prediction(rate, Estimate(came, came - 0.05, came + 0.05), looks, 200)


@pytest.mark.parametrize(
    ("some", "said"),
    [
        ([], "Not enough looks yet (0 of 30)"),
        ([predicted(0.1, 0.1, looks=12.0)], "Not enough looks yet (12 of 30)"),
        ([predicted(0.1, 0.1)], "Where we said 1 in 10, it happened 1 in 10 (about 100 looks). Predictions come true"),
        ([predicted(0.2, 0.1), predicted(0.5, 0.5)], "Where we said 1 in 5, it happened 1 in 10 (about 100 looks). Too high: 1 of 2"),
        ([predicted(0.2, 0.4), predicted(0.5, 0.7)], "Where we said 1 in 5, it happened 2 in 5 (about 100 looks). Too low: 2 of 2"),
    ],
)
def test_whether_predictions_come_true(some, said):
    found = check(some)
    assert found.sentence.startswith(said)
    assert (found.drawn is None) is said.startswith("Not enough")
