"""Sums of settled searches: the same for the same conclusions in any order, and what is read from them, by hand and by simulation."""

from dataclasses import replace
from math import prod
from random import Random
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.trials.reading import LEAST, Lacking
from learners.trials.settled import COLUMNS, GROUPS
from schemas.base import DAY_MS, HOUR_MS, UNIT
from schemas.decisions import Decision, Trial
from schemas.events import Action, Impression, Placement, Query, Result
from schemas.ids import digest
from schemas.outcomes import Amendment, Outcome
from serving import outcomes
from serving.drafting import Team, draft
from serving.outcomes import OutcomeSums

T0 = 1_767_225_600_000


def decision(arm: str, *, name: str = "t") -> Decision:
    trial = Trial(name=name, arm=arm, p=0.5) if arm else None
    return Decision(decision_id="d", content_id="c", seq=1, available=[], arms=[], rank_version="r", trial=trial)


def page(search: str, teams: str = "....", *, arm: str = "", number: int = 1, text: str = "halo", rate: float = 0.5) -> Impression:
    """Results x1, x2, ... (y1 ... on page 2): a letter of `teams` says who placed each, a dot nobody."""
    results = [
        Result(
            entity_id=f"{'xyz'[number - 1]}{place}", position=place + 10 * (number - 1), score=rate, features=[1],
            placement=Placement(mode="score" if team == "." else "team", team="" if team == "." else team),
        )
        for place, team in enumerate(teams, 1)
    ]  # fmt: skip
    return Impression(search_id=search, page=number, ts=T0, query=Query(text=text), decision=decision(arm), results=results)


def click(search: str, entity: str, kind: str = "click") -> Action:
    return Action(action_id=f"{search} {entity} {kind}", search_id=search, ts=T0, kind=kind, entity_id=entity)


def final(*pages: Impression, actions: tuple[Action, ...] = (), at: int = 0, client: str = "00ff") -> Outcome:
    search = pages[0].search_id
    return Outcome(
        final_id=digest(search), search_id=search, time=T0 + at, closed=T0 + at + 1, pages=list(pages), actions=list(actions),
        rewards={}, off_page=0, client=client,
    )  # fmt: skip


def late(event: Impression | Action, *, at: int = 0) -> Amendment:
    name = f"p{event.page}" if isinstance(event, Impression) else event.action_id
    return Amendment(amendment_id=digest(event.search_id, name), final_id=digest(event.search_id), time=T0 + at, event=event)


def summed(*conclusions: Outcome | Amendment, **options: bool) -> OutcomeSums:
    sums = OutcomeSums(**options)
    for one in conclusions:
        sums.add(one)
    return sums


def columns(sums: OutcomeSums, trial: str = "t", arm: str = "both") -> dict[str, int]:
    total = sum(of.sum(axis=0) for cell, of in sums._sums.items() if (cell.trial, cell.arm) == (trial, arm))
    return dict(zip(COLUMNS, np.asarray(total).tolist(), strict=True))


def state(sums: OutcomeSums) -> tuple[object, ...]:
    parts = (sums._sums, sums._places, sums._tested)
    return tuple({key: value.tolist() for key, value in part.items() if value.any()} for part in parts)


def test_a_shared_page_by_hand() -> None:
    sums = summed(final(page("s", "abba", arm="both"), actions=(click("s", "x1"), click("s", "x2"), click("s", "x2", "like"))))
    assert columns(sums) == {
        "searches": 1, "acted": 1, "empty": 0, "reward": 4 * UNIT, "reward_a": UNIT, "reward_b": 3 * UNIT, "wins_a": 0, "wins_b": 1,
        "places_a": 2, "places_b": 2,
    }  # fmt: skip
    assert sums.places()[:4] == [(1, 1), (1, 1), (1, 0), (1, 0)]
    assert sums.traffic() == outcomes.Traffic(1, 1, 0, 4.0)


def test_what_is_nobodys_pick_or_not_on_the_page_wins_nothing() -> None:
    sums = summed(final(page("s", "a.", arm="both"), actions=(click("s", "x2"), click("s", "elsewhere"), click("s", "x1", "viewed"))))
    told = columns(sums)
    assert (told["acted"], told["wins_a"], told["wins_b"], told["reward"]) == (1, 0, 0, UNIT)


def test_one_search_counts_at_most_so_much() -> None:
    acts = tuple(click("s", f"x{n}", "purchase") for n in range(1, 10))
    told = columns(summed(final(page("s", "aaaaaaaaa", arm="both"), actions=acts)))
    assert told["reward_a"] == told["reward"] == 16 * UNIT


def test_amendments_add_what_came_late_and_copies_nothing() -> None:
    first, second = page("s", "ab", arm="both"), page("s", "ba", arm="both", number=2)
    whole = summed(final(first, second, actions=(click("s", "x1"), click("s", "y1"))))
    pieces = [final(first, actions=(click("s", "x1"),)), late(second), late(click("s", "y1")), late(click("s", "x1"))]
    assert state(summed(*pieces, *pieces)) == state(whole)
    assert state(summed(*reversed(pieces))) == state(whole)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_order_and_repeats_change_nothing(data: st.DataObject) -> None:
    found: list[Outcome | Amendment] = []
    for number in range(8):
        search = f"s{number}"
        arm = data.draw(st.sampled_from(["", "a", "b", "both"]))
        teams = "abab" if arm == "both" else "...."
        acts = data.draw(st.lists(st.sampled_from(["x1", "x2", "x3", "y1"]), max_size=4))
        early, after = acts[:2], acts[2:]
        found.append(final(page(search, teams, arm=arm), actions=tuple(click(search, one) for one in early), at=number * HOUR_MS // 2))
        found += [late(click(search, one, "play"), at=HOUR_MS) for one in after]
        if data.draw(st.booleans()):
            found.append(late(page(search, teams, arm=arm, number=2), at=HOUR_MS))
    shuffled = data.draw(st.permutations(found + found[:5]))
    assert state(summed(*shuffled)) == state(summed(*found))


def test_a_copy_is_known_two_days_long() -> None:
    sums, many = OutcomeSums(), [final(page(f"s{number}", "ab", arm="both"), at=number * HOUR_MS) for number in range(49)]
    for one in [*many, *many[1:], *many[1:20], final(page("late", "ab", arm="both"), at=5 * HOUR_MS)]:
        sums.add(one)
    whole = sums.result("t")
    assert whole is not None
    assert whole.a.searches == 50


def test_periods_kinds_and_steps() -> None:
    sums = OutcomeSums()
    for number in range(48):
        sums.add(final(page(f"s{number}", "ab", arm="both", text="halo 3" if number % 3 else "halo"), at=number * HOUR_MS))
    sums.add(final(page("other", "..", arm="a"), at=50 * HOUR_MS))
    assert sums.trials() == ["t"]
    whole = sums.result("t", until=T0 + 48 * HOUR_MS)
    assert whole is not None
    assert (whole.kind, whole.a.searches, whole.first, whole.last) == ("interleaved", 48, T0, T0 + 48 * HOUR_MS)
    assert [one.a.searches for one in sums.over_time("t", since=T0, step=DAY_MS)][:2] == [24, 24]
    assert {kind: one.a.searches for kind, one in sums.by_kind("t", since=T0).items()} == {"1": 16, "2d": 32}
    finer = OutcomeSums(every=HOUR_MS // 12)
    for minute in (1, 4, 6, 59):
        finer.add(final(page(f"m{minute}", "ab", arm="both"), at=minute * 60_000))
    assert [one.a.searches for one in finer.over_time("t", since=T0, step=finer.every)] == [2, 1, 1]
    assert sums.kinds() == ["1", "2d"]
    assert sums.traffic(since=T0 + 40 * HOUR_MS).searches == 9
    assert sums.result("t", since=T0 + 60 * HOUR_MS) is None
    assert sums.result("nothing") is None


def test_a_month_is_kept_and_no_more() -> None:
    sums = summed(final(page("old", "ab", arm="both")), final(page("new", "ab", arm="both"), at=31 * DAY_MS))
    sums.add(final(page("older", "ab", arm="both")))
    assert sums.traffic().searches == 1
    kept = summed(final(page("old")), final(page("new"), at=31 * DAY_MS), final(page("older")), forget=False)
    assert kept.traffic().searches == 3


def test_what_is_open_is_bounded_and_what_is_missed_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "OPEN", 2)
    sums = summed(*(final(page(f"s{number}")) for number in range(5)))
    for number in range(5):
        sums.add(late(click(f"s{number}", "x1")))
    assert sums.traffic().acted == 2
    assert sums.missed == 1, "two wait for finals that will not come, the third pushed one out"


def test_predictions_that_come_true() -> None:
    """Chosen with chance look * rate: what is read back is the rate, at every place, and only of pages of the live policy alone."""
    rng, theta, sums = Random(4), [1.0, 0.5, 0.3, 0.2, 0.1, 0.05], OutcomeSums()
    looks = [1.0, 0.5, 0.3, 0.2, 0.2]
    for number in range(4_000):
        rate = (0.07, 0.35)[number % 2]
        one = page(f"s{number}", ".....", rate=rate)
        sums.add(final(one, actions=tuple(click(f"s{number}", f"x{at}") for at, look in enumerate(looks, 1) if rng.random() < look * rate)))
    sums.add(final(page("b", ".....", arm="b", rate=0.9)))
    low, high = sums.predictions(theta)
    assert (low.predicted, high.predicted) == (pytest.approx(0.07, abs=1e-4), pytest.approx(0.35, abs=1e-4))
    assert low.shown == high.shown == 10_000
    assert low.examined == pytest.approx(2_000 * sum(looks))
    for one in (low, high):
        assert one.came.low <= one.predicted <= one.came.high
        assert one.came.high - one.came.low < 0.05


# -- two rankings and simulated people, through finals as the kernel makes them --

PLACES = 8
LOOKS = [1.0 / (place + 1) for place in range(PLACES)]
SEARCHES_EACH = 10


def better_and_worse(rng: Random) -> tuple[list[str], list[str], dict[str, float]]:
    """One query: the relevance of 20 items; one order follows it with some noise, the other with more."""
    relevance = {f"x{n}": min(1.0, max(0.02, rng.gauss(0.3, 0.25))) for n in range(20)}
    a, b = (sorted(relevance, key=lambda one: -relevance[one] - rng.gauss(0.0, noise)) for noise in (0.1, 0.2))
    return a, b, relevance


def shown(search: str, order: list[tuple[str, Team]], rates: list[float], rng: Random, *, trial: Trial, client: str) -> Outcome:
    """A page and its clicks, as a final; `rates`: the chance of a click at each place."""
    results = [
        Result(entity_id=one, position=at, placement=Placement(mode="team" if trial.arm == "both" else "score", team=team))
        for at, (one, team) in enumerate(order[:PLACES], 1)
    ]
    by = decision("").model_copy(update={"trial": trial})
    impression = Impression(search_id=search, ts=T0, query=Query(text="halo"), decision=by, results=results)
    acts = [click(search, one) for (one, _), rate in zip(order, rates, strict=False) if rng.random() < rate]
    return final(impression, actions=tuple(acts), client=client)


def compared(searches: int, *, seed: int, same: bool = False) -> tuple[outcomes.TrialResult, outcomes.TrialResult, float]:
    """The same traffic twice, people split in two halves and pages shared by both rankings; and by how much more searches lead to a
    choice with the better one, by the chances themselves. People differ in how readily they choose."""
    rng, sums, truth = Random(seed), OutcomeSums(), 0.0
    ready = [rng.betavariate(0.8, 1.2) for _ in range(searches // SEARCHES_EACH)]
    for number in range(searches):
        a, b, relevance = better_and_worse(rng)
        b = a if same else b
        client = rng.randrange(len(ready))
        arm: Literal["a", "b"] = "b" if client % 2 else "a"

        def rates(order: list[str], of: dict[str, float] = relevance, mine: float = ready[client]) -> list[float]:
            return [look * mine * of[one] for one, look in zip(order, LOOKS, strict=False)]

        truth += prod(1.0 - rate for rate in rates(b)) - prod(1.0 - rate for rate in rates(a))
        alone = b if arm == "b" else a
        trial = Trial(name="split", arm=arm, p=0.5)
        sums.add(shown(f"split {number}", [(one, "") for one in alone], rates(alone), rng, trial=trial, client=str(client)))
        drafted = draft(a, b, coin=lambda place: rng.random() < 0.5, most=PLACES)
        trial = Trial(name="shared", arm="both", p=0.5)
        sums.add(shown(f"both {number}", drafted, rates([one for one, _ in drafted]), rng, trial=trial, client=str(client)))
    split, both = sums.result("split"), sums.result("shared")
    assert split is not None
    assert both is not None
    return split, both, truth / searches


def test_a_shared_page_tells_with_fewer_searches_than_two_halves_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    split, both, truth = compared(4_000, seed=3)
    assert split.acted is not None
    assert both.acted is not None
    assert both.better == "a"
    # Searches that are needed for a given certainty grow with (half width / difference)^2.
    noise = (split.acted.high - split.acted.value) / truth, (both.acted.high - both.acted.value) / both.acted.value
    ratio = (noise[0] / noise[1]) ** 2
    with capsys.disabled():
        print(f"\nto tell {truth:+.3f} choices a search, split people take {ratio:.0f} times the searches of a shared page")
    assert ratio > 5.0


def test_one_ranking_against_itself_prefers_neither() -> None:
    split, both, truth = compared(2_000, seed=4, same=True)
    assert (split.better, both.better, truth) == ("", "", 0.0)
    for one in (split.acted, split.difference):
        assert one is not None
        assert one.low <= 0.0 <= one.high
    assert both.lacking == Lacking("choices", 0, LEAST["choices"]), "what both would show is nobody's"


def test_groups_are_of_people_not_of_searches() -> None:
    sums = summed(*(final(page(f"s{number}", "ab", arm="both"), client="one") for number in range(50)))
    (of,) = (of for cell, of in sums._sums.items() if cell.trial)
    assert of.shape == (GROUPS, len(COLUMNS))
    assert (of[:, 0] > 0).sum() == 1
    assert replace(sums.results()[0], lacking=None).a.searches == 50
