"""The progressive replay, on logs that can be worked out by hand."""

import itertools
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation.click_log import searches
from evaluation.contenders import contenders
from evaluation.datasets.rows import Click
from evaluation.loop import action_of, replay, request_of, runs
from schemas.errors import InvalidSetting, NotFound
from schemas.ids import query_key

STRATEGIES = ("memory", "lexical")


def click(ts, search_ts, client, query, entity, action="click"):
    return Click(ts, search_ts, client, query, entity, action, None)


def run(engines, clicks, protocol="full", names=()):
    ticks = itertools.count()
    return replay(searches(clicks), contenders(STRATEGIES, names), systems=engines, protocol=protocol, clock=lambda: next(ticks) / 1_000)


def hits(result, name):
    return result.judged[name].hits.tolist()


def reciprocals(result, name):
    return result.judged[name].reciprocal.tolist()


# Ann's page is computed at 10 and clicked at 20 and 21; Bob's is computed at 15, before her clicks, Cid's at 30, after them.
# e11 stands at rank 12 of `lexical`.
STORY = [
    click(20, 10, "ann", "game", "e11"),
    click(21, 10, "ann", "game", "e11", "purchase"),
    click(26, 15, "bob", "Game", "e11"),
    click(31, 30, "cid", "GAME!", "e11"),
    click(32, 30, "cid", "GAME!", "e00"),
]


def test_full_learns_what_was_clicked_off_page(engines):
    result = run(engines, STORY)
    assert hits(result, "learned") == [0, 0, 2]
    assert reciprocals(result, "learned") == [0, 0, 1 + 1 / 2]  # memory holds e11 alone; e00 leads the rest
    assert hits(result, "lexical") == [0, 0, 1]
    assert reciprocals(result, "lexical") == [0, 0, 1]
    assert hits(result, "memory") == [0, 0, 1]
    assert hits(result, "memory_first") == [0, 0, 2]
    # rrf: e11 1/61 + 1/72, e00 1/61
    assert reciprocals(result, "rrf") == [0, 0, 1 + 1 / 2]
    assert result.clicks.tolist() == [1, 1, 2]
    assert result.seen.tolist() == [0, 0, 1]


def test_bandit_hides_what_was_off_page(engines):
    result = run(engines, STORY, "bandit")
    assert hits(result, "learned") == [0, 0, 1]
    assert reciprocals(result, "learned") == [0, 0, 1]  # e11 was on no page: nobody told, e00 leads
    assert result.seen.tolist() == [0, 0, 1]  # strata are those of the log, whatever was revealed
    acts = [entry for entry in engines.made["learned"].log if entry[0] == "act"]
    assert [entry[3] for entry in acts] == [("e00", 1)]


def test_bandit_reveals_each_contender_what_its_own_page_showed(engines):
    # Ann clicks e05, on every page but that of memory alone, which is empty and stays so.
    log = [click(11, 10, "ann", "game", "e05"), click(21, 20, "bob", "game", "e05")]
    result = run(engines, log, "bandit")
    assert reciprocals(result, "learned") == [1 / 6, 1]
    assert reciprocals(result, "memory_first") == [1 / 6, 1]
    assert reciprocals(result, "memory") == [0, 0]
    assert reciprocals(result, "lexical") == [1 / 6, 1 / 6]
    assert sorted(engines.made) == ["learned", "memory", "memory_first", "rrf"]
    assert engines.closed == list(engines.made)
    shown = {name: engine.log[0][3] for name, engine in engines.made.items()}
    assert shown["memory"] == ()
    assert shown["rrf"][:2] == ("e00", "e01")


def test_no_click_of_a_page_helps_another_click_of_it(engines):
    log = [click(20, 10, "ann", "game", "e11"), click(21, 10, "ann", "game", "e10"), click(22, 10, "ann", "game", "e11", "purchase")]
    result = run(engines, log)
    assert all(hits(result, name) == [0] for name in result.judged)


def test_what_is_only_viewed_is_revealed_but_not_judged(engines):
    log = [click(11, 10, "ann", "game", "e05", "viewed"), click(21, 20, "bob", "game", "e05")]
    result = run(engines, log)
    assert result.clicks.tolist() == [0, 1]
    assert hits(result, "learned") == [0, 1]
    assert result.seen.tolist() == [0, 0]
    assert [entry[1] for entry in engines.made["learned"].log if entry[0] == "act"] == [11, 21]


def test_events_come_in_order_of_time_with_positions(engines):
    run(engines, STORY)
    log = engines.made["learned"].log
    assert [entry[:2] for entry in log] == [
        ("search", 10), ("search", 15), ("act", 20), ("act", 21), ("act", 26), ("search", 30), ("act", 31), ("act", 32),
    ]  # fmt: skip
    assert [entry[3] for entry in log if entry[0] == "act"] == [("e11", None), ("e11", None), ("e11", None), ("e11", 1), ("e00", 2)]


def test_everything_is_applied_at_the_end(engines):
    run(engines, STORY)
    engine = engines.made["learned"]
    assert not engine.pending
    assert engine.clicked == {"game": {"e11": 4, "e00": 1}}


def test_asked_and_milliseconds(engines):
    result = run(engines, STORY)
    assert result.judged["learned"].asked == [("lexical", "memory")] * 3
    assert result.judged["rrf"].asked == [("lexical", "memory")] * 3
    assert result.judged["memory"].asked == [("memory",)] * 3
    # The clock of the test moves 1 ms a look: the system is looked at once, a guest once for each list and once for its order.
    assert result.judged["learned"].ms.tolist() == pytest.approx([1, 1, 1])
    assert result.judged["memory"].ms.tolist() == pytest.approx([2, 2, 2])
    assert result.judged["rrf"].ms.tolist() == pytest.approx([3, 3, 3])


CLICKS = st.lists(
    st.builds(
        lambda client, start, wait, query, entity: click(start + wait, start, client, query, f"e{entity:02}"),
        st.sampled_from("abc"), st.integers(0, 40), st.integers(0, 20), st.sampled_from(["game", "game 7", "Game"]), st.integers(0, 11),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


@given(clicks=CLICKS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_full_memory_equals_the_log_counted_from_scratch(engines, clicks):
    """What memory finds for a page is what the log says was clicked under its key before that page."""
    log = searches(clicks)
    result = run(engines, clicks, "full", ["learned", "memory"])
    for index, search in enumerate(log):
        before = Counter(
            act.entity_id for other in log for act in other.acts if act.ts < search.ts and query_key(other.query) == query_key(search.query)
        )
        page = sorted(before, key=lambda entity: (-before[entity], entity))[:10]
        assert result.judged["memory"].hits[index] == sum(entity in page for entity in search.wanted)
        assert result.judged["memory"].reciprocal[index] == pytest.approx(sum(1 / (page.index(e) + 1) for e in search.wanted if e in page))
        assert result.seen[index] == bool(before)


@given(clicks=CLICKS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bandit_reveals_exactly_what_was_shown(engines, clicks):
    log = {search.search_id: search for search in searches(clicks)}
    run(engines, clicks, "bandit", ["learned", "lexical"])
    engine = engines.made["learned"]
    shown = {entry[2]: entry[3] for entry in engine.log if entry[0] == "search"}
    revealed = sorted((entry[2], entry[1], *entry[3]) for entry in engine.log if entry[0] == "act")
    assert shown.keys() == log.keys()
    assert revealed == sorted(
        (search_id, act.ts, act.entity_id, shown[search_id].index(act.entity_id) + 1)
        for search_id, search in log.items()
        for act in search.acts
        if act.entity_id in shown[search_id]
    )


def test_two_replays_are_equal(engines):
    one, two = run(engines, STORY, "bandit"), run(engines, STORY, "bandit")
    for name, judged in one.judged.items():
        assert judged.hits.tolist() == two.judged[name].hits.tolist()
        assert judged.reciprocal.tolist() == two.judged[name].reciprocal.tolist()
        assert judged.asked == two.judged[name].asked


def test_progress_is_told(engines):
    told = []
    replay(searches(STORY), contenders(STRATEGIES, ["learned"]), systems=engines, protocol="full", progress=lambda *now: told.append(now))
    assert told == [("learned", 1, 3), ("learned", 2, 3), ("learned", 3, 3)]


def names(plan):
    return [(host.name, [guest.name for guest in guests]) for host, guests in plan]


def test_runs_of_each_protocol():
    field = contenders(["lexical", "memory", "brand_new"])
    assert names(runs(field, "full")) == [("learned", ["memory_first", "rrf", "brand_new", "lexical", "memory"])]
    # `brand_new` is not known to be free of feedback: it gets its own run. `lexical` rides along with the first.
    assert names(runs(field, "bandit")) == [("learned", ["lexical"]), ("memory_first", []), ("rrf", []), ("brand_new", []), ("memory", [])]
    # Each policy has a run of its own, whatever is revealed.
    two = contenders(["lexical", "memory"], ["learned", "ask_all", "rrf"], on_request=["ask_all", "no_memory"])
    assert names(runs(two, "full")) == [("learned", ["rrf"]), ("ask_all", [])]
    assert names(runs(two, "bandit")) == [("learned", []), ("ask_all", []), ("rrf", [])]
    assert "ask_all" not in [one.name for one in contenders(["lexical"], on_request=["ask_all"])]
    static = contenders(["lexical", "dense"], ["rrf", "lexical"])
    assert names(runs(static, "bandit")) == names(runs(static, "full")) == [("rrf", ["lexical"])]


def test_no_memory_first_without_a_memory():
    assert [one.name for one in contenders(["lexical", "dense"])] == ["learned", "rrf", "dense", "lexical"]


def test_request_and_action():
    search = searches([Click(20, 10, "ann", "  Halo 3! ", "e1", "purchase", 9.5)])[0]
    request, action = request_of(search), action_of(search, search.acts[0], ["e0", "e1"])
    assert (request.ts, request.query, request.query_key, request.query_class) == (10, "  Halo 3! ", "halo 3", "2d")
    assert (request.page, request.size, request.client_id) == (1, 10, "ann")
    assert (action.search_id, action.ts, action.kind, action.position) == (search.search_id, 20, "purchase", 2)
    assert action.attributes == {"value": 9.5}


def test_wrong_input_is_refused(engines):
    with pytest.raises(InvalidSetting, match="0 searches"):
        run(engines, [])
    with pytest.raises(NotFound, match=r"no contender \['best'\]; choose among \['learned', 'memory_first', 'rrf', 'lexical', 'memory'\]"):
        contenders(STRATEGIES, ["best"])
