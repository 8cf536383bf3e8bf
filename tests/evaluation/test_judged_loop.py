"""The closed loop on judged queries with a tiny engine: who learns from what, what is judged, and figures worked by hand."""

import itertools

import numpy as np
import pytest

from evaluation.contenders import Contender
from evaluation.judged_contenders import ConvexMemory, fed_contender, field_of, split, static_orders
from evaluation.judged_figures import break_even, judged_summary
from evaluation.judged_loop import Checkpoint, JudgedRun, checkpoints_of, run, static_run
from evaluation.judged_queries import JudgedQuery, Traffic
from evaluation.judged_report import judged_table
from evaluation.loop import Served
from schemas.candidates import Candidate
from schemas.errors import NotFound

QUERIES = [
    JudgedQuery("q0", "game", "game", 0, {"e02": 1.0, "e00": 0.1}),
    JudgedQuery("q1", "game 5", "game 5", 1, {"e05": 1.0}),
    JudgedQuery("q2", "game 7", "game 7", 2, {"e01": 1.0, "e02": 0.5}),
]


def every_click(gains, rng):
    return [at for at, gain in enumerate(gains, 1) if gain == 1.0]


def played(engines, contender, *, queries, tuned=None):
    ticks = itertools.count()
    with engines(contender) as engine:
        engine.probe = lambda request: _probed(engine, request)
        traffic = Traffic(0, 0, queries)
        return run(QUERIES, traffic, engine, contender, tuned=tuned, clicks=every_click, clock=lambda: next(ticks) / 1_000), engine


def _probed(engine, request):
    """What a search would give, with nothing kept of it."""
    log, opened = list(engine.log), dict(engine.open)
    served = engine.search(request)
    engine.log, engine.open = log, opened
    return served


def test_clicks_come_after_their_page_and_are_learned_before_the_next(engines):
    found, engine = played(engines, Contender("learned"), queries=[1, 1])
    # "game 5" finds e05 first: words 2 of 2. One click at position 1, one second later, both times.
    assert [(kind, ts - 1_735_689_600_000, id_) for kind, ts, id_, _ in engine.log] == [
        ("search", 0, "0-0-0"), ("act", 1_000, "0-0-0"), ("search", 18_000, "0-0-1"), ("act", 19_000, "0-0-1"),
    ]  # fmt: skip
    assert engine.clicked == {"game 5": {"e05": 2}}
    assert not engine.pending
    assert found.pages.tolist() == [1.0, 1.0]
    assert found.points[2].ms == 1.0  # the clock of the test is looked at twice a search


def test_what_is_clicked_moves_up_for_seen_queries_only(engines):
    found, engine = played(engines, Contender("learned"), queries=[2, 2, 2])
    # e01 stands second under "game 7" (after e07; ties by id: e00, e01), then memory puts it first.
    third = [query.scores(order)[0] for query, order in ((QUERIES[2], ["e07", "e00", "e01", "e02"]),)]
    assert found.pages[0] == pytest.approx(third[0])
    assert found.pages[1] > found.pages[0]
    assert set(engine.clicked) == {"game 7"}
    assert found.points[3].scores.shape == (3, 4)
    assert found.points[3].scores[0, 0] == pytest.approx(QUERIES[0].scores([f"e{at:02}" for at in range(10)])[0])


def test_checkpoints_are_not_learned_from(engines):
    once, engine = played(engines, Contender("learned"), queries=[0] * 3)
    assert [entry[2] for entry in engine.log if entry[0] == "search"] == ["0-0-0", "0-0-1", "0-0-2"]
    assert list(once.points) == [3]
    assert checkpoints_of(20_000) == [100, 500, 1_000, 5_000, 20_000]
    assert checkpoints_of(700) == [100, 500, 700]
    assert checkpoints_of(50) == [50]


def test_two_runs_are_equal_but_for_time(engines):
    one, _ = played(engines, Contender("learned"), queries=[0, 1, 2, 0])
    two, _ = played(engines, Contender("learned"), queries=[0, 1, 2, 0])
    assert one.pages.tolist() == two.pages.tolist()
    assert one.points[4].scores.tolist() == two.points[4].scores.tolist()


def test_time_of_prepared_lists_counts(engines):
    with engines(Contender("learned")) as engine:
        engine.probe = lambda request: _probed(engine, request)
        search = engine.search
        engine.search = lambda request: Served(*_parts(search(request)), seconds=0.5)
        found = run(QUERIES, Traffic(0, 0, [0]), engine, Contender("learned"), clock=lambda: 0.0)
    assert found.points[1].ms == 500.0


def _parts(served):
    return served.ranked, served.asked


def lists(**found):
    return {name: [Candidate(*one) for one in some] for name, some in found.items()}


def test_convex_memory_adds_what_people_did():
    mix = ConvexMemory({"lexical": 1.0})
    found = lists(lexical=[("a", 4.0), ("b", 2.0), ("c", 0.0)], memory=[("c", 0.4), ("z", 0.2)])
    assert mix.order(found) == ["a", "b", "c", "z"]  # 1, 0.5, 0 + 1 * 0.4, 0.2
    mix.weight = 4.0
    assert mix.order(found) == ["c", "a", "z", "b"]  # 1.6, 1, 0.8, 0.5
    mix.tune([(found, {"c": 1.0, "a": 0.5})])
    assert mix.weight == 4.0  # the smallest that puts c first
    mix.tune([(found, {"a": 1.0, "b": 0.5})])
    assert mix.weight == 0.0


def test_tuned_on_seen_queries_only(engines):
    class Heard:
        def tune(self, seen):
            self.gains = [gains for _, gains in seen]

    contender, _ = fed_contender("memory_first", ["lexical", "memory"], weights={"lexical": 1.0})
    heard = Heard()
    played(engines, contender, queries=[1, 2], tuned=heard)
    assert heard.gains == [QUERIES[1].gains, QUERIES[2].gains]


def test_static_orders():
    found = [lists(dense=[("b", 1.0), ("a", 0.5)], lexical=[("c", 2.0), ("b", 1.0)])] * 3
    assert static_orders("dense", QUERIES, found, weights={})[0][0] == ["b", "a"]
    assert static_orders("convex", QUERIES, found, weights={"dense": 0.4, "lexical": 0.6})[0][0] == ["c", "b", "a"]
    orders, asked = static_orders("oracle", [JudgedQuery("q", "q", "q", 0, {"a": 1.0, "z": 1.0})] * 3, found, weights={})
    assert orders[0] == ["a", "b", "c"]
    assert asked[0] == ["dense", "lexical"]
    assert static_orders("dense", QUERIES, found, weights={})[1][0] == ("dense",)


def test_field():
    names = ["lexical_title", "memory", "dense", "popular"]
    assert split(names) == (["dense", "lexical_title"], ["memory", "popular"])
    every = field_of(names, policies=["learned"], on_request=["no_memory"])
    assert (every.policies, every.fed) == (("learned",), ("convex_memory", "memory_first", "popular"))
    assert every.static == ("convex", "rrf", "dense", "lexical_title", "oracle")
    some = field_of(names, policies=["learned"], on_request=["no_memory"], chosen=["no_memory", "memory", "rrf"])
    assert (some.policies, some.fed, some.static) == (("no_memory",), ("memory",), ("convex", "rrf"))
    with pytest.raises(NotFound, match=r"no contender \['best'\]; choose among"):
        field_of(names, policies=[], on_request=[], chosen=["best"])
    with pytest.raises(NotFound, match="nothing to compare with"):
        field_of(["memory"], policies=[], on_request=[])


# -- figures ------------------------------------------------------------------------------------------------------------------


def judged(name, fold, values, pages):
    """A run whose checkpoint has these nDCG of the three queries; the other metrics are 1."""
    scores = np.column_stack([values, np.ones((3, 3))])
    return JudgedRun(name, 0, fold, np.array(pages), {len(pages): Checkpoint(scores, 2.0, 3.0)})


def example():
    """Folds 0 and 1: q0, then q1 is unseen."""
    return [
        judged("convex", 0, [0.5, 0.4, 0.6], [0.4, 0.6]),
        judged("convex", 1, [0.5, 0.4, 0.8], [0.5, 0.5]),
        judged("learned", 0, [0.6, 0.5, 0.7], [0.2, 0.9]),
        judged("learned", 1, [0.8, 0.2, 1.0], [0.6, 0.6]),
    ]


def test_figures_by_hand():
    figures = judged_summary(example(), QUERIES, "tiny", settings={"depth": 50}, resamples=300)
    learned = figures["contenders"]["learned"]["2"]
    assert {key: figures[key] for key in ("dataset", "protocol", "searches", "queries")} == {
        "dataset": "tiny", "protocol": "bandit", "searches": 2, "queries": 3,
    }  # fmt: skip
    assert learned["seen"]["ndcg@10"]["mean"] == pytest.approx((0.5 + 0.7 + 0.8 + 1.0) / 4)
    assert learned["unseen"]["ndcg@10"]["mean"] == pytest.approx((0.6 + 0.2) / 2)
    seen_convex = (0.4 + 0.6 + 0.5 + 0.8) / 4
    assert learned["minus_convex"]["seen"]["ndcg@10"]["mean"] == pytest.approx(0.75 - seen_convex)
    assert learned["minus_convex"]["seen"]["percent"]["mean"] == pytest.approx(100 * (0.75 / seen_convex - 1))
    assert learned["minus_convex"]["unseen"]["percent"]["mean"] == pytest.approx(100 * (0.4 / 0.45 - 1))
    assert learned["regret"] == pytest.approx(-((0.2 - 0.4 + 0.9 - 0.6) + 0.2) / 2)
    assert (learned["asked"], learned["ms"]) == (2.0, 3.0)
    assert figures["break_even"] == {"learned": {"median": 1.5, "worst": 2, "runs": [2, 1]}}
    assert figures["contenders"]["convex"]["2"]["minus_convex"]["seen"]["percent"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert set(learned["seen"]) == {"ndcg@10", "mrr@10", "hit@10", "recall@100"}
    for stratum in ("seen", "unseen"):
        figure = learned[stratum]["ndcg@10"]
        assert figure["low"] <= figure["mean"] <= figure["high"]


def test_break_even():
    assert break_even(np.array([0.0, 0.0])) == 1
    assert break_even(np.array([-1.0, 0.5, 0.5])) == 3
    assert break_even(np.array([1.0, -3.0, 1.0])) is None
    runs = [
        judged("convex", 0, [0.5] * 3, [0.5, 0.5]), judged("convex", 1, [0.5] * 3, [0.5, 0.5]),
        judged("weak", 0, [0.5] * 3, [0.4, 0.5]), judged("weak", 1, [0.5] * 3, [0.5, 0.6]),
    ]  # fmt: skip
    figures = judged_summary(runs, QUERIES, "tiny", settings={}, resamples=20)
    assert figures["break_even"]["weak"] == {"median": 1, "worst": None, "runs": [None, 1]}
    assert "never" in judged_table(figures)


def test_table_is_best_first_and_aligned():
    text = judged_table(judged_summary(example(), QUERIES, "tiny", settings={"depth": 50}, resamples=20))
    lines = text.splitlines()
    assert lines[0] == "tiny, 3 judged queries, protocol bandit: 2 searches"
    assert lines[1] == "  depth = 50"
    at = lines.index("after 2 searches")
    assert [line.split()[0] for line in lines[at + 3 : at + 5]] == ["learned", "convex"]
    assert "+30.4" in lines[at + 3]
    assert len({len(line) for line in lines[at + 1 : at + 5]}) == 1


def test_static_run_is_its_orders_on_the_traffic():
    traffic = Traffic(0, 1, [2, 0, 2])
    orders = [["e02"], ["e05"], ["x", "e01"]]
    found = static_run("rrf", QUERIES, traffic, orders=orders, asked=np.array([1.0, 2.0, 3.0]), ms=np.array([4.0, 5.0, 6.0]))
    second = QUERIES[2].scores(["x", "e01"])[0]
    assert found.pages.tolist() == [second, QUERIES[0].scores(["e02"])[0], second]
    assert (found.points[3].asked, found.points[3].ms) == (pytest.approx(7 / 3), pytest.approx(16 / 3))
