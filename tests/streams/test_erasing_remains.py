"""What remains until when follows from what the topics are really set to. Times in ms."""

from schemas.topics import TOPICS, settings
from streams.admin import TopicState
from streams.erasing.remains import remains

DAY = 86_400_000
MIN = 60_000
UNTIL = 1_800_000_000_000


def states(**changed):
    return [TopicState(one.name, "id", 4, settings(one) | changed.get(one.name.replace(".", "_"), {})) for one in TOPICS]


def left(*topics):
    return {one.place: one for one in remains([*topics], until=UNTIL)}


def test_a_record_goes_with_the_last_one_of_its_segment():
    found = left(*states())
    assert found["search.impressions"].until == UNTIL + 7 * DAY + DAY + 6 * MIN
    assert found["search.actions"].until == UNTIL + 30 * MIN + 7 * DAY + DAY + 6 * MIN
    assert found["search.outcomes"].until == UNTIL + 40 * MIN + 30 * DAY + DAY + 6 * MIN
    assert found["search.quarantine"].until == UNTIL + 30 * MIN + 14 * DAY + DAY + 6 * MIN
    short = left(*states(search_outcomes={"retention.ms": "1000", "segment.ms": "2000"}))
    assert short["search.outcomes"].until == UNTIL + 46 * MIN + 3_000


def test_an_imported_log_is_for_ever_until_its_topic_goes():
    one = left(*states(search_impressions={"retention.ms": "-1"}))["search.impressions"]
    assert one.until is None
    assert "retention.ms is -1" in one.note


def test_older_values_of_rows_go_with_compaction():
    one = left(*states(memory_q2e={"delete.retention.ms": "5000"}))["memory.q2e"]
    assert one.until == UNTIL + 30 * MIN + 15 * MIN + 2 * DAY + 5_000 + 6 * MIN
    never = left(*states(memory_q2e={"max.compaction.lag.ms": str(2**63 - 1)}))["memory.q2e"]
    assert (never.until, "topics check" in never.note) == (None, True)


def test_topics_that_are_not_there_hold_nothing():
    places = set(left())
    assert not any("." in place for place in places)
    assert {"workers' folders", "state store", "elsewhere"} <= places
