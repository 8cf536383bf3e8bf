"""Experiments on the real search path: who answers, what is asked with what probability, what is logged, and who may learn from it."""

from collections import Counter
from dataclasses import replace

import pytest

from learners.definition import NO_TESTS
from learners.draws import uniform
from learners.finals import final_of
from learners.positions import bases_of, moved_table, shown_of
from schemas.candidates import Candidate, Request
from schemas.codec import decode_event, encode
from schemas.decisions import Decision, Trial
from schemas.errors import InvalidSetting
from schemas.outcomes import Outcome
from serving.drafting import chances
from serving.experiments import Drafted, Interleaved, Mix, Split
from serving.view import Policy
from streams.kernel.search import asked_phi
from tests.retrievers.shop import request
from tests.serving.kitchen import NAMES, Kitchen, policy

MIX = Mix("rrf", {"lexical": 20, "lexical_title": 20})
SEARCHES = 400


def asked(number: int, *, client: str | None = None, page: int = 1, size: int = 5) -> Request:
    return replace(request("halo 3", search_id=f"s-{number}", page=page, size=size), client_id=client)


def decided(policy_: Policy, number: int) -> Decision:
    return policy_.decide(asked(number), available=NAMES)


def plain(decision: Decision) -> dict[str, object]:
    """A decision without what differs from one policy to the next that is the same."""
    return decision.model_copy(update={"trial": None}).model_dump()


# -- the fixed mix --


def test_a_mix_asks_everything_that_is_there_and_fuses_it() -> None:
    kitchen = Kitchen(MIX)  # type: ignore[arg-type]  # any policy of serving.view
    page = kitchen.pipeline.search(asked(1))
    decision = decided(MIX, 1)
    assert [(one.name, one.depth) for one in decision.always] == [("lexical", 20), ("lexical_title", 20)]
    assert decision.arms == []
    assert [one.entity_id for one in page.impression.results] == [one.entity_id for one in page.ranked[:5]]
    assert decode_event(encode(page.impression)) == page.impression
    assert MIX.decide(asked(1), available=["lexical"]).asked() == {"lexical"}
    assert Mix("m", {"lexical": 20}, shelf={"popular": 9}).decide(replace(asked(1), query=""), available=NAMES).asked() == {"popular"}
    assert MIX.greedy() is MIX
    with pytest.raises(InvalidSetting, match="no strategies"):
        Mix("empty", {})


def test_weights_order_a_mix() -> None:
    kitchen = Kitchen(policy(p=1.0 - 1e-9))
    lists = {name: kitchen.view.retrievers[name].retrieve(asked(1), 20) for name in ("lexical", "popular")}
    only = Mix("m", {"lexical": 20, "popular": 20}, weights={"popular": 1.0})
    assert [one.entity_id for one in only.rank(asked(1), lists)][:3] == [one.entity_id for one in lists["popular"]][:3]


# -- a split of people --


def test_people_stay_in_their_arm_and_get_that_arms_page() -> None:
    a, b = policy(p=0.5, salt="one"), policy(p=0.9, salt="two")
    split = Split("t", a, b, 0.3)
    seen: Counter[str] = Counter()
    for number in range(SEARCHES):
        trial = split.decide(asked(number, client=f"c-{number}"), available=NAMES).trial
        assert trial is not None
        assert trial.p == pytest.approx(0.3 if trial.arm == "b" else 0.7)
        assert trial == split.decide(asked(number + 1_000, client=f"c-{number}"), available=NAMES).trial
        mine = b if trial.arm == "b" else a
        one = asked(number, client=f"c-{number}")
        assert plain(split.decide(one, available=NAMES)) == plain(mine.decide(one, available=NAMES))
        seen[trial.arm] += 1
    assert abs(seen["b"] - 0.3 * SEARCHES) < 4.5 * (0.21 * SEARCHES) ** 0.5
    kitchens = {"a": Kitchen(a), "b": Kitchen(b), "": Kitchen(split)}  # type: ignore[arg-type]
    for number in range(20):
        one = asked(number, client=f"c-{number}")
        page = kitchens[""].pipeline.search(one)
        decision = page.impression.decision
        assert decision is not None
        assert decision.trial is not None
        assert page.impression.results == kitchens[decision.trial.arm].pipeline.search(one).impression.results


def test_without_a_client_a_search_is_its_own_person() -> None:
    split = Split("t", MIX, MIX, 0.5)
    assert len({split.arm(asked(number)).arm for number in range(40)}) == 2


def test_two_experiments_do_not_divide_people_alike() -> None:
    """Else the second would compare exactly the people of the first's arms."""
    one, two = Split("one", MIX, MIX, 0.5), Split("two", MIX, MIX, 0.5)
    both = Counter((one.arm(asked(0, client=str(n))).arm, two.arm(asked(0, client=str(n))).arm) for n in range(2_000))
    assert all(abs(count - 500) < 4.5 * 375**0.5 for count in both.values())


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_no_part_is_refused(share: float) -> None:
    for make in (Split, Interleaved):
        with pytest.raises(InvalidSetting, match="above 0 and below 1"):
            make("t", MIX, MIX, share)


# -- two policies on one page --


@pytest.mark.parametrize("salts", [("one", "one"), ("one", "two")])
def test_the_union_is_asked_as_often_as_it_says(salts: tuple[str, str]) -> None:
    """One salt: either asks with the larger probability. Two: the draws are independent."""
    a, b = policy(p=0.3, salt=salts[0]), policy(p=0.6, salt=salts[1])
    both = Interleaved("t", a, b, 0.999)
    expected = 0.6 if salts[0] == salts[1] else 0.3 + 0.6 - 0.18
    times: Counter[str] = Counter()
    shared = 0
    for number in range(SEARCHES * 5):
        decision = decided(both, number)
        if decision.trial is None:
            continue
        shared += 1
        assert [arm.propensity for arm in decision.arms] == pytest.approx([expected] * len(NAMES))
        assert decision.asked() == decided(a, number).asked() | decided(b, number).asked()
        times.update(decision.asked())
    for name in NAMES:
        assert abs(times[name] - expected * shared) < 4.5 * (expected * (1 - expected) * shared) ** 0.5, name


def test_beside_a_mix_what_it_asks_is_always_asked() -> None:
    both = Interleaved("t", policy(p=0.3), MIX, 0.999)
    decision = next(one for number in range(9) if (one := decided(both, number)).trial)
    assert {one.name for one in decision.always} == {"lexical", "lexical_title"}
    assert {arm.name for arm in decision.arms} == {"memory", "popular"}
    assert all(arm.phi == [] for arm in decision.arms)
    assert decision.trial == Trial(name="t", arm="both", p=0.999)
    assert set(decision.available) == set(NAMES)
    assert not {one.name for one in decision.shadow} & decision.asked()


def test_the_page_is_drafted_from_what_either_would_have_shown() -> None:
    a, b = policy(p=0.7, placement=NO_TESTS), policy(p=0.4, salt="other", placement=NO_TESTS)
    kitchens = [Kitchen(one) for one in (a, b)]
    both = Kitchen(Interleaved("t", a, b, 0.5))  # type: ignore[arg-type]
    shared = same = 0
    for number in range(60):
        alone = [kitchen.pipeline.search(asked(number)) for kitchen in kitchens]
        page = both.pipeline.search(asked(number))
        impression = page.impression
        assert impression.decision is not None
        assert decode_event(encode(impression)) == impression
        if impression.decision.trial is None:
            assert impression == kitchens[0].pipeline.search(asked(number)).impression
            continue
        shared += 1
        assert isinstance(page.ranked, Drafted)
        for order, own in zip(page.ranked.orders, alone, strict=True):
            assert own.impression.decision is not None
            if all(arm.depth == arm.planned for arm in own.impression.decision.arms if arm.asked):  # shared pages draw no depths
                assert [*order] == [one.entity_id for one in own.ranked]
                same += 1
        chance = chances(*page.ranked.orders, most=5)
        for at, result in enumerate(impression.results):
            assert result.placement.mode == "team"
            assert result.placement.p == chance[at][result.entity_id]
            assert result.placement.draw_p == 1.0
        teams = [result.placement.team for result in impression.results]
        assert abs(teams.count("a") - teams.count("b")) <= 1
    assert 12 < shared < 48
    assert same > shared


def test_pages_of_a_shared_search_fit_together() -> None:
    kitchen = Kitchen(Interleaved("t", policy(p=0.9), MIX, 0.999))  # type: ignore[arg-type]
    first = kitchen.pipeline.search(asked(3, size=4))
    second = kitchen.pipeline.search(asked(3, size=4, page=2), decision=first.impression.decision)
    whole = kitchen.pipeline.search(asked(3, size=8))
    drawn = [(one.entity_id, one.position, one.placement) for page in (first, second) for one in page.impression.results]
    assert drawn == [(one.entity_id, one.position, one.placement) for one in whole.impression.results]
    assert second.impression.decision == first.impression.decision


def test_coins_are_those_that_anyone_can_throw_again() -> None:
    kitchen = Kitchen(Interleaved("t", policy(p=0.9), MIX, 0.999))  # type: ignore[arg-type]
    for number in range(30):
        page = kitchen.pipeline.search(asked(number))
        result = page.impression.results[0]
        assert isinstance(page.ranked, Drafted)
        if result.placement.team:
            assert result.placement.team == ("a" if uniform("team", "t", f"s-{number}", "0") < 0.5 else "b")


def test_lists_that_neither_asked_for_come_last_and_are_not_lost() -> None:
    """An engine of one's own may give lists under names that no policy knows."""
    both = Interleaved("t", policy(p=1.0 - 1e-9), MIX, 0.999)
    lists = {
        "lexical": [Candidate("x", 2.0), Candidate("y", 1.0)],
        "engine": [Candidate("z", 9.0), Candidate("x", 3.0), Candidate("w", 1.0)],
    }
    one = asked(3)
    placed = both.place(one, both.rank(one, lists))
    assert {it.one.entity_id for it in placed[:2]} == {"x", "y"}
    assert [(it.one.entity_id, it.team, it.p) for it in placed[2:]] in ([("z", "", 1.0), ("w", "", 1.0)], [("w", "", 1.0), ("z", "", 1.0)])
    assert {len(both.place(replace(one, page=page, size=3), both.rank(one, lists))) for page in (1, 2)} == {1, 3}


def test_without_exploring_there_is_no_experiment() -> None:
    live = policy(p=0.9)
    for one in (Interleaved("t", live, MIX, 0.999), Split("t", MIX, live, 0.5), Split("t", live, MIX, 0.999)):
        page = Kitchen(one).pipeline.search(asked(1), explore=False)  # type: ignore[arg-type]
        assert page.impression.decision is not None
        assert page.impression.decision.trial is None
        assert {result.placement.mode for result in page.impression.results} == {"score"}


# -- who learns from it --


def pages(policy_: Policy, count: int = 40) -> list[Outcome]:
    kitchen = Kitchen(policy_)  # type: ignore[arg-type]
    out = []
    for number in range(count):
        page = kitchen.pipeline.search(asked(number)).impression
        out.append(
            Outcome(
                final_id=f"{number:032x}", search_id=page.search_id, time=page.ts, closed=page.ts, pages=[page], actions=[],
                rewards={page.results[number % 5].entity_id: 256}, off_page=0, client="0",
            )
        )  # fmt: skip
    return out


def test_shared_pages_say_nothing_about_places() -> None:
    finals = [final_of(one) for one in pages(Interleaved("t", policy(p=0.9), MIX, 0.999))]
    shown = shown_of(finals)
    assert (shown.p < 1.0).any()
    assert not bases_of(shown).any()
    assert len(moved_table(shown, bases_of(shown)).shown) == 0
    assert all(one.rank_version for one in finals), "no rank version would pass for a page that somebody else ranked"


def test_only_the_live_policys_own_pages_teach_strategies() -> None:
    live = policy(p=0.9)
    for one in pages(Interleaved("t", live, MIX, 0.5)) + pages(Split("t", live, policy(p=0.9, salt="o"), 0.5)):
        decision = one.pages[0].decision
        assert decision is not None
        own = decision.trial is None or decision.trial.arm == "a"
        assert decision.own == own
        assert (asked_phi(one.pages[0]) == (decision.decision_id, frozenset(), {})) == (not own)


def test_shared_pages_teach_the_rank_model_of_the_live_policy() -> None:
    """Its features of everything that was asked, and its version: what is true of a page is true whoever chose what stands on it."""
    live = policy(p=0.9)
    widths = {one.features.shape[1] for one in map(final_of, pages(Interleaved("t", live, MIX, 0.999)))}
    (alone,) = {one.features.shape[1] for one in map(final_of, pages(live))}
    assert widths == {alone}
    assert {one.rank_version for one in map(final_of, pages(Interleaved("t", live, MIX, 0.5)))} == {
        final_of(pages(live, 1)[0]).rank_version
    }
    assert {final_of(one).rank_version for one in pages(Split("t", live, MIX, 0.999))} == {"mix rrf"}
