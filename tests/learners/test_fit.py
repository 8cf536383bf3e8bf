import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.features import ARM_FEATURES, QUERY_CLASSES, class_index
from learners.fit import Accumulator, fit
from learners.policy import Policy
from learners.tallies import RANK_BINS, TallyBatch, add, fold
from tests.learners.requests import ARMS, definition, request

D = len(ARM_FEATURES.names)
NEWEST = 24 * 100 + 13


def batch(searches):
    """Tallies of (arm, hour, phi, credit, query class, returned, sole)."""
    collected = TallyBatch()
    for arm, hour, phi, credit, query_class, returned, sole in searches:
        collected.asked(arm, ARM_FEATURES.hash, hour, phi)
        collected.credit(arm, ARM_FEATURES.hash, hour, phi, 0, credit)
        if returned:
            collected.draw(arm, query_class, hour, 0, 0, min(5, returned))
        if sole:
            collected.draw(arm, query_class, hour, 0, 2, sole)
    return collected.take()


search = st.tuples(
    st.sampled_from((*ARMS, "unknown_arm")),
    st.integers(0, NEWEST),
    st.lists(st.integers(-256, 256), min_size=D, max_size=D),
    st.integers(0, 4096),
    st.sampled_from((*QUERY_CLASSES, "strange")),
    st.integers(0, 50),
    st.integers(0, 2),
)


def test_nothing_learned_yet():
    policy = Policy(fit(definition(), {}, 0), seq=0)
    assert policy.posteriors.mean[:, 0].tolist() == [0.5] * len(ARMS)
    assert policy.posteriors.n.tolist() == [0.0] * len(ARMS)
    assert set(policy.probabilities(request(), available=ARMS).values()) == {0.98}


def test_known_answer_with_decay():
    phi = [256] + [0] * (D - 1)
    # Half-life 7 days: 4 searches of credit 1.0 seven days ago weigh 2, one of credit 0.5 today weighs 1.
    tallies = batch([("dense", 24 * 3 + 5, phi, 256, "1", 0, 0)] * 4 + [("dense", 24 * 10, phi, 128, "1", 0, 0)])
    fitted = Policy(fit(definition(half_life_hours=168.0), tallies, 24 * 10 + 3), seq=1).posteriors
    row = ARMS.index("dense")
    assert fitted.n[row] == 3.0
    start = (10 + 2 * 1.0 + 1 * 0.5) / (20 + 3)  # the arm's own mean, which its contexts start from
    assert fitted.mean[row, 0] == pytest.approx((20 * start + 2 * 1.0 + 1 * 0.5) / (20 + 3))
    assert fitted.covariance[row, 0, 0] == pytest.approx(1 / 23)


def test_running_record_by_hand():
    # 30 searches of class "1" returned 5 or more and 6 rewarded entities were found by this arm alone.
    tallies = batch([("dense", 0, [256] + [0] * (D - 1), 0, "1", 50, 0)] * 30)
    add(tallies, batch([("dense", 0, [256] + [0] * (D - 1), 0, "1", 0, 1)] * 6))
    policy = Policy(fit(definition(), tallies, 0), seq=1)
    overall = (6 + 10 * 0.5) / (30 + 10)
    column = ARMS.index("dense")
    assert policy._records[class_index("1"), column] == pytest.approx((6 + 10 * overall) / 40)
    assert policy._records[class_index("2"), column] == pytest.approx(overall)
    assert policy._records[class_index("1"), ARMS.index("memory")] == 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(search, max_size=25), st.randoms(use_true_random=False), st.integers(1, 5), st.integers(0, NEWEST))
def test_order_batches_folding_and_increments_change_no_byte(searches, random, parts, folded_at):
    whole = fit(definition(), batch(searches), NEWEST)
    shuffled = searches[:]
    random.shuffle(shuffled)
    shares = [batch(shuffled[start::parts]) for start in range(parts)]
    step_by_step = Accumulator(definition())
    for share in shares:
        step_by_step.add(share)
        step_by_step.content(NEWEST)  # refits only what changed; must not matter
    assert step_by_step.content(NEWEST).canonical() == whole.canonical()
    total = {}
    for share in shares:
        add(total, fold(share, folded_at))
    assert fit(definition(), total, NEWEST).canonical() == whole.canonical()


@settings(max_examples=30, deadline=None)
@given(st.lists(search, max_size=12), st.lists(search, max_size=6))
def test_what_is_taken_back_leaves_no_trace(searches, erased):
    every = Accumulator(definition())
    every.add(batch(searches))
    every.add(batch(erased))
    every.content(NEWEST)
    every.add({key: -sums for key, sums in batch(erased).items()})
    assert every.content(NEWEST).canonical() == fit(definition(), batch(searches), NEWEST).canonical()


def test_other_feature_schemas_and_unknown_arms_are_left_alone():
    phi = [256] + [0] * (D - 1)
    foreign = {("arm", "dense", "another-schema", 5): next(iter(batch([("dense", 5, phi, 256, "1", 0, 0)]).values()))}
    assert fit(definition(), foreign, 5).canonical() == fit(definition(), {}, 5).canonical()
    assert fit(definition(), batch([("gone", 5, phi, 256, "1", 9, 1)]), 5).canonical() == fit(definition(), {}, 5).canonical()


def test_input_is_neither_kept_nor_changed():
    phi = [256] + [0] * (D - 1)
    tallies = batch([("dense", 5, phi, 256, "1", 9, 1)])
    before = {key: sums.copy() for key, sums in tallies.items()}
    every = Accumulator(definition())
    every.add(tallies)
    expected = every.content(5).canonical()
    every.add(tallies)
    every = Accumulator(definition())
    every.add(tallies)
    for sums in tallies.values():
        sums += 1000
    assert every.content(5).canonical() == expected
    assert all(np.array_equal(before[key] + 1000, sums) for key, sums in tallies.items())


def test_first_rank_bin_is_what_a_search_with_results_draws():
    assert RANK_BINS[0] == (1, 5)


def test_age_counts_whole_days_and_a_newer_fact_is_not_worth_more_than_one():
    phi = [256] + [0] * (D - 1)
    row = ARMS.index("dense")
    n = [
        Policy(fit(definition(half_life_hours=24.0), batch([("dense", hour, phi, 0, "1", 0, 0)]), 48), seq=1).posteriors.n[row]
        for hour in (0, 23, 24, 47, 48, 100)
    ]
    assert n == [0.25, 0.25, 0.5, 0.5, 1.0, 1.0]
