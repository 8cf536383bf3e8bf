from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import ArmSpec, Definition, Selection
from learners.draw import depth_choices, draw_depth
from learners.draws import uniform
from learners.features import ARM_FEATURES
from learners.fit import Accumulator, fit
from learners.policy import Policy
from learners.selection.replay import Replay
from learners.tallies import TallyBatch
from schemas.candidates import Evidence
from schemas.decisions import Decision
from schemas.errors import CorruptFile, InvalidSetting
from schemas.snapshots import Array, Content
from tests.learners.requests import ARMS, Remembered, definition, request


def half(*names, **more):
    """A policy that asks everything with probability 1/2."""
    return Policy.untrained(definition(*names, selection=Selection(kind="fixed", fixed=dict.fromkeys(names or ARMS, 0.5)), **more))


def test_a_decision_is_what_the_logged_numbers_say():
    policy = half(always=["popular"])
    decision = policy.decide(request(search_id="s-7"), available=[*ARMS, "popular"])
    assert [arm.name for arm in decision.arms] == list(ARMS)
    for arm in decision.arms:
        assert arm.asked == (uniform("ask", "forage", "s-7", arm.name) < arm.propensity)
        if arm.asked:
            assert (arm.depth, arm.depth_p) == draw_depth(50, 0.05, uniform("depth", "forage", "s-7", arm.name))
        else:
            assert (arm.depth, arm.depth_p, arm.status) == (0, 1.0, "not_asked")
    assert decision.asked() == {arm.name for arm in decision.arms if arm.asked} | {"popular"}
    assert decision.content_id == policy.content_id


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.text(min_size=1, max_size=30), st.sets(st.sampled_from((*ARMS, "popular", "new_one"))))
def test_records_built_without_validation_are_valid(query, search_id, available):
    policy = Policy.untrained(definition(always=["popular"]))
    memory = Remembered({"e": Evidence(3.0, 1.0, 2)})
    decision = policy.decide(request(query or "x", search_id=search_id), available=sorted(available), memory=memory)
    assert Decision.model_validate(decision.model_dump()) == decision
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert {arm.name for arm in decision.arms} == available & set(ARMS)


def test_order_and_repetition_of_available_do_not_matter_and_the_same_search_decides_the_same():
    policy = half()
    one = policy.decide(request(), available=ARMS)
    assert policy.decide(request(), available=[*reversed(ARMS), "dense"]) == one
    assert policy.decide(request(page=2), available=ARMS) == one


def test_an_arm_draws_alike_whoever_else_is_available():
    policy = half()
    whole = {arm.name: arm for arm in policy.decide(request(), available=ARMS).arms}
    for name in ARMS:
        assert policy.decide(request(), available=[name]).arms == [whole[name]]


def test_chosen_frequencies_agree_with_logged_probabilities():
    p = {"a": 0.03, "b": 0.3, "c": 0.8}
    policy = Policy.untrained(
        Definition(arms=[ArmSpec.of(name) for name in p], depth_jitter=0.3, selection=Selection(kind="fixed", fixed=p))
    )
    n, asked, depths, pairs = 4000, Counter(), Counter(), 0
    for search in range(n):
        arms = policy.decide(request(search_id=str(search)), available=list(p)).arms
        asked.update(arm.name for arm in arms if arm.asked)
        depths.update((arm.depth, arm.depth_p) for arm in arms if arm.asked)
        pairs += arms[1].asked and arms[2].asked
    for name, expected in p.items():
        assert abs(asked[name] - n * expected) < 3.5 * (n * expected * (1 - expected)) ** 0.5
    assert abs(pairs - n * 0.24) < 3.5 * (n * 0.24 * 0.76) ** 0.5  # independent draws
    assert {depth: round(p, 9) for depth, p in depths} == {25: 0.1, 50: 0.8, 100: 0.1}
    total = sum(asked.values())
    for (_, depth_p), count in depths.items():
        assert abs(count - total * depth_p) < 3.5 * (total * depth_p * (1 - depth_p)) ** 0.5


@pytest.mark.parametrize("plan", [1, 2, 3, 50, 100_000])
def test_depth_probabilities_are_the_lengths_of_their_intervals(plan):
    n, jitter = 3000, 0.3
    seen = Counter(draw_depth(plan, jitter, (step + 0.5) / n) for step in range(n))
    assert sum(p for _, p in seen) == pytest.approx(1.0)
    assert {depth for depth, _ in seen} == set(depth_choices(plan))
    for (_, p), count in seen.items():
        assert count / n == pytest.approx(p, abs=2 / n)


def test_depth_without_jitter_is_the_plan():
    assert {draw_depth(50, 0.0, u) for u in (0.0, 0.5, 1 - 2**-53)} == {(50, 1.0)}


def test_nothing_to_ask_is_logged_as_such():
    decision = half().decide(request(), available=["unheard_of"])
    assert (decision.arms, decision.always, decision.available) == ([], [], ["unheard_of"])
    only_always = Policy.untrained(Definition(arms=[], always=definition(always=["popular"]).always))
    assert only_always.decide(request(), available=["popular"]).asked() == {"popular"}
    assert only_always.probabilities(request(), available=["popular"]) == {}


def test_exploration_of_the_manifest_is_the_least_probability():
    collected = TallyBatch()
    for _ in range(400):
        collected.asked("dense", ARM_FEATURES.hash, 0, ARM_FEATURES.phi(request(), record=0.5, known=0.0))
    content = fit(definition(), collected.take(), 0)
    plain, exploring = Policy(content, seq=1), Policy(content, seq=1, exploration=0.3)
    before, after = (one.probabilities(request(), available=ARMS) for one in (plain, exploring))
    assert before["dense"] < 0.1
    assert after == before | {"dense": 0.3}
    assert set(Policy(content, seq=1, exploration=1.0).probabilities(request(), available=ARMS).values()) == {0.98}
    fixed = Selection(kind="fixed", fixed={"dense": 0.1})
    drawn = Policy(fit(definition(selection=fixed), {}, 0), seq=1, exploration=0.5).probabilities(request(), available=["dense"])
    assert drawn == {"dense": 0.1}


def test_replay_draws_the_logged_decisions_again():
    logged = [(f"s-{i}", half().decide(request(search_id=f"s-{i}"), available=ARMS)) for i in range(30)]
    content = Policy.untrained(definition())
    replayed = Policy(_content(content), seq=9, selector=Replay(logged, floor=0.02))
    for search, decision in logged:
        again = replayed.decide(request(search_id=search), available=ARMS)
        assert [(arm.asked, arm.propensity) for arm in again.arms] == [(arm.asked, arm.propensity) for arm in decision.arms]


def _content(policy):
    return Accumulator(policy.definition).content(0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d, a: (d | {"feature_schema": "old"}, a), CorruptFile, "feature schema 'old'"),
        (lambda d, a: (d | {"policy": d["policy"] | {"floor": 0.0}}, a), InvalidSetting, "floor"),
        (lambda d, a: (d, {name: one for name, one in a.items() if name != "mean"}), CorruptFile, "'mean' is missing"),
        (lambda d, a: (d, a | {"n": Array("<f8", (2,), bytes(16))}), CorruptFile, "'n' has shape"),
        (lambda d, a: (d, a | {"n": Array("<f8", (4,), np.array([1.0, np.nan, 0, 0]).tobytes())}), CorruptFile, "NaN"),
        (lambda d, a: (d, a | {"rank.weights": Array("<f8", (18,), bytes(144))}), CorruptFile, "'rank.weights' has shape"),
        (lambda d, a: (d, a | {"rank.weights": Array("<f8", (19,), b"\xff" * 152)}), CorruptFile, "'rank.weights' holds NaN"),
    ],
)
def test_content_that_makes_no_policy_is_refused(change, error, words):
    good = _content(Policy.untrained(definition()))
    with pytest.raises(error, match=words):
        Policy(Content(*change(dict(good.definition), dict(good.arrays))), seq=1)


def test_a_policy_survives_its_canonical_bytes():
    content = _content(Policy.untrained(definition()))
    again = Policy(Content.parse(content.canonical()), seq=3)
    assert again.definition == definition()
    assert again.decide(request(), available=ARMS) == Policy(content, seq=3).decide(request(), available=ARMS)


def test_useless_arms_are_dropped_and_good_ones_kept():
    """Known truth: `lexical_title` alone earns a click in 30 % of its searches, `dense` nothing, 200 searches an hour."""
    arms = ("lexical_title", "dense")
    learning, rng = Accumulator(definition(*arms)), np.random.default_rng(3)
    policy = Policy(learning.content(0), seq=0)
    late = Counter()
    for search in range(1200):
        decision, tallies = policy.decide(request("halo", search_id=str(search)), available=arms), TallyBatch()
        for arm in decision.arms:
            late[arm.name] += arm.asked and search >= 1000
            if arm.asked:
                tallies.asked(arm.name, ARM_FEATURES.hash, search // 200, arm.phi)
                if arm.name == "lexical_title" and rng.random() < 0.3:
                    tallies.credit(arm.name, ARM_FEATURES.hash, search // 200, arm.phi, 0, 256)
        learning.add(tallies.take())
        if search % 10 == 0:
            policy = Policy(learning.content(), seq=search)
    assert late["lexical_title"] > 180
    assert late["dense"] < 20
    exploring = Policy(learning.content(), seq=1, exploration=0.6)
    assert exploring.probabilities(request("halo"), available=arms)["dense"] == 0.6
    assert exploring.greedy().probabilities(request("halo"), available=arms) == {"lexical_title": 1.0, "dense": 0.0}


def test_greedy_asks_what_it_would_more_likely_ask_than_not_and_says_it_was_certain():
    fixed = {"lexical": 0.5, "dense": 0.49, "memory": 0.9}
    policy = Policy.untrained(definition(*fixed, selection=Selection(kind="fixed", fixed=fixed), depth_jitter=1.0))
    greedy = policy.greedy()
    for number in range(50):
        asked = request(search_id=f"s-{number}")
        decision = greedy.decide(asked, available=[*fixed])
        assert [(arm.name, arm.asked, arm.propensity, arm.depth, arm.depth_p) for arm in decision.arms] == [
            ("lexical", True, 1.0, 50, 1.0),
            ("memory", True, 1.0, 50, 1.0),
        ]
        assert Decision.model_validate(decision.model_dump()) == decision
        assert (decision.available, decision.content_id) == (sorted(fixed), policy.content_id)
        assert greedy.probabilities(asked, available=[*fixed]) == {"lexical": 1.0, "dense": 0.0, "memory": 1.0}
        assert greedy.greedy().decide(asked, available=[*fixed]) == decision
    assert policy.probabilities(request(), available=[*fixed]) == fixed, "the policy itself is as it was"


def test_greedy_asks_the_likeliest_where_none_is_likely_since_the_same_people_would_get_an_empty_page_every_time():
    fixed = {"lexical": 0.3, "dense": 0.4, "memory": 0.2}
    greedy = Policy.untrained(definition(*fixed, selection=Selection(kind="fixed", fixed=fixed))).greedy()
    assert greedy.probabilities(request(), available=[*fixed]) == {"lexical": 0.0, "dense": 1.0, "memory": 0.0}
    assert greedy.probabilities(request(), available=["lexical", "memory"]) == {"lexical": 1.0, "memory": 0.0}
