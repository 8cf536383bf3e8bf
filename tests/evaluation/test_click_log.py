"""Which clicks belong to one search, and the order in which a replay sees everything."""

from hypothesis import given
from hypothesis import strategies as st

from evaluation.click_log import WINDOW_MS, searches, timeline
from evaluation.datasets.rows import Click


def click(ts, search_ts, client, query, entity, action="click"):
    return Click(ts, search_ts, client, query, entity, action, None)


LOG = [
    click(30, 10, "ann", "jazz", "x"),
    click(20, 10, "ann", "jazz", "y"),
    click(25, 10, "bob", "jazz", "x"),
    click(26, 12, "ann", "jazz", "x"),
]


def test_a_search_is_client_query_and_time():
    found = searches(LOG)
    assert sorted((one.client_id, one.ts, [act.entity_id for act in one.acts]) for one in found) == [
        ("ann", 10, ["y", "x"]),
        ("ann", 12, ["x"]),
        ("bob", 10, ["x"]),
    ]
    assert [one.ts for one in found] == [10, 10, 12]
    assert len({one.search_id for one in found}) == 3


@given(st.permutations(LOG))
def test_order_of_the_file_does_not_matter(log):
    assert searches(log) == searches(LOG)


def test_the_same_line_twice_is_one_action():
    assert searches([*LOG, LOG[0]]) == searches(LOG)


def test_without_search_times_a_search_lasts_a_window():
    log = [click(ts, None, "ann", "jazz", f"e{ts}") for ts in (100, 100 + WINDOW_MS, 101 + WINDOW_MS, 200 + WINDOW_MS)]
    found = searches([*log, click(150, None, "ann", "rock", "r")])
    assert [(one.query, one.ts, len(one.acts)) for one in found] == [("jazz", 100, 2), ("rock", 150, 1), ("jazz", 101 + WINDOW_MS, 2)]


def test_wanted_are_distinct_and_positive():
    log = [
        click(3, 1, "ann", "q", "b"),
        click(4, 1, "ann", "q", "a"),
        click(5, 1, "ann", "q", "b", "purchase"),
        click(6, 1, "ann", "q", "c", "viewed"),
    ]
    assert searches(log)[0].wanted == ["b", "a"]


def test_timeline_is_by_time_and_pages_come_first():
    log = searches([click(20, 10, "ann", "jazz", "x"), click(30, 20, "bob", "jazz", "y"), click(20, 5, "eve", "jazz", "z")])
    seen = [(log[index].client_id, act.entity_id if act else None) for index, act in timeline(log)]
    assert seen[:3] == [("eve", None), ("ann", None), ("bob", None)]  # bob's page at 20 before the clicks at 20
    assert sorted(seen[3:5]) == [("ann", "x"), ("eve", "z")]
    assert seen[5] == ("bob", "y")
