"""Fair shares worked by hand, against the definition of Shapley's value, and on what a searching loop emits."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.fair_share_table import plain, table
from learners.fair_share import WINDOW, Account, fair_shares
from schemas.decisions import Shadow
from schemas.events import CandidateSample, Source
from schemas.outcomes import Outcome
from tests.streams.searchbox import LEX, MEM, MIN, Box, act, conclusions, decision, page


def shares(*events):
    account = Account()
    for event in events:
        account.take(event, event.ts)
    return account.report()


def test_by_hand():
    # a: lex alone. b: both. c: mem alone. Clicks on a and b, a purchase (4) of b, and a click on what nobody found.
    report = shares(page(), act("1"), act("2", entity="b"), act("3", entity="b", kind="purchase"), act("4", entity="nowhere"))
    lex, mem = report.strategies
    assert (report.searches, report.reward) == (1, 7.0)
    assert (lex.name, lex.asked, lex.found, lex.rewarded, lex.sole, lex.reward, lex.fair) == ("lex", 1, 2, 2, 1, 6.0, 3.5)
    assert (mem.name, mem.asked, mem.found, mem.rewarded, mem.sole, mem.reward, mem.fair) == ("mem", 1, 2, 1, 0, 5.0, 2.5)
    assert (lex.overlap, mem.overlap) == ({"mem": 0.5}, {"lex": 0.5})
    assert report.shadow == ()


def test_the_same_action_counts_once_and_a_late_one_not_at_all():
    twice = shares(page(), act("1"), act("2", at=MIN), act("3", at=WINDOW + 1, kind="like"), act("4", search="unknown"))
    assert twice.reward == 1.0
    assert shares(page(by=None), act("1")).strategies == ()


def test_later_pages_add_finders_and_ask_nobody_again():
    second = page(number=2, at=MIN, first=4, results={"a": {"mem": 9}, "d": {"lex": 4}})
    report = shares(page(), second, act("1", at=MIN))
    lex, mem = report.strategies
    assert (report.searches, lex.asked, lex.found, mem.found) == (1, 1, 3, 3)
    assert (lex.sole, lex.fair, mem.fair) == (0, 0.5, 0.5)
    assert lex.overlap == {"mem": pytest.approx(2 / 3)}


def heard(found, *, sampled=True):
    by = decision([LEX, MEM]).model_copy(update={"shadow": [Shadow(name="dense", p=0.05, found=found)]})
    rest = [CandidateSample(entity_id="deep", score=0.1, sources=[Source(strategy="lex", rank=40, score=1.0)])] if sampled else []
    return page(by=by, candidates=rest)


def test_what_a_shadow_strategy_would_have_added():
    events = [act("1", entity="x"), act("2", entity="a"), act("3", entity="x", kind="like"), act("4", entity="y")]
    report = shares(heard(["a", "deep", "x", "z"]), *events)
    (dense,) = report.shadow
    assert (dense.name, dense.asked, dense.found, dense.known, dense.rewarded, dense.only) == ("dense", 1, 4, 2, 2, 1)
    assert shares(heard(["a", "x"], sampled=False), *events).shadow == (), "it is not known what else was found"


worlds = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from(["lex", "mem", "den"]))), st.sets(st.sampled_from("abcdef"))
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_fair_shares_are_shapley_values(world):
    """The mean over all orders of asking of what a strategy adds to the reward that was found."""
    names = ["den", "lex", "mem"]
    by = decision([LEX, MEM, LEX.model_copy(update={"name": "den"})])
    events = []
    for number, (found, clicked) in enumerate(world):
        results = {entity: dict.fromkeys(sorted(finders), 1) for entity, finders in sorted(found.items())}
        events += [page(f"s{number}", results=results, by=by)] + [act(entity, search=f"s{number}", entity=entity) for entity in clicked]
    report = shares(*events)

    def worth(asked):
        return sum(bool(finders & asked) for found, clicked in world for entity, finders in found.items() if entity in clicked)

    for one in report.strategies:
        added = [
            worth(set(order[: order.index(one.name) + 1])) - worth(set(order[: order.index(one.name)])) for order in permutations(names)
        ]
        assert one.fair == pytest.approx(sum(added) / len(added))
    assert sum(one.fair for one in report.strategies) == pytest.approx(worth(set(names)))


def test_finals_give_what_their_events_give():
    box = Box()
    for event in (page(), act("1", at=MIN), act("2", at=2 * MIN, entity="b")):
        box.put(event)
    finals = [one for one in conclusions(box.pass_to(2 * WINDOW)) if isinstance(one, Outcome)]
    assert len(finals) == 1
    assert fair_shares(finals) == shares(page(), act("1", at=MIN), act("2", at=2 * MIN, entity="b"))


def test_the_table_and_the_data_say_the_same():
    report = shares(heard(["a", "x"]), act("1"), act("2", entity="b"), act("3", entity="x"))
    text = table(report)
    assert "1 searches, 3.0 reward" in text
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert lines["lex"] == ["lex", "1", "3", "2", "1", "50.0%", "33%"]
    assert lines["mem"] == ["mem", "1", "2", "1", "0", "16.7%", "50%"]
    assert lines["dense"] == ["dense", "1", "2", "50.0%", "2", "1"]
    assert plain(report)["strategies"][0]["fair"] == 1.5
    assert table(shares()) == table(Account().report())
