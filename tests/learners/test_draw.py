"""Depths that are planned from what draws brought, against a greedy loop that is written down plainly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.arrays import pack, unpack
from learners.draw import LEAST, MOST, RATE, STRENGTH, levels, plan
from learners.features import QUERY_CLASSES, class_index
from learners.fit import fit
from learners.policy import Policy
from learners.tallies import RANK_BINS, TallyBatch
from schemas.errors import CorruptFile
from schemas.snapshots import Content
from tests.learners.requests import ARMS, definition, request

HIGH = [5, 10, 20, 50, 100, 200]
WIDTH = [5, 5, 10, 30, 50, 100]


def evidence(arms, classes=1):
    return np.zeros((arms, classes, len(RANK_BINS), 3))


def full(searches, sole=()):
    """Draws of an arm whose lists are always full to rank 100, and what it alone found by bin."""
    out = np.zeros((len(RANK_BINS), 3))
    out[:5, 0] = [searches * width for width in WIDTH[:5]]
    out[: len(sole), 2] = sole
    return out


def greedy(draws, depths, of):
    """The law, piece by piece: the open piece with the highest expected finds a candidate, the earlier piece and arm on a tie."""
    level, front, rest, depth = levels(draws, depths)[:, of], [0] * len(depths), 0.0, [0] * len(depths)
    searches = draws[..., 0].sum(1) / WIDTH + STRENGTH
    pieces, costs = [], []
    for row, own in enumerate(depths):
        ends = sorted({edge for edge in [*HIGH[:5], own, min(LEAST, own), MOST * own] if edge <= MOST * own})
        reached, worst = [], np.inf
        pieces.append([])
        for begin, end in zip([0, *ends], ends, strict=False):
            bin_ = sum(end > edge for edge in HIGH[:5])
            share = 1.0 if bin_ == 0 else min(1.0, searches[row, bin_ - 1] / searches[row, 0])
            rate = np.inf if end <= min(LEAST, own) else level[row, bin_] * (RATE * own / end)
            worst = min(worst, -np.inf if end > own and level[row, bin_] <= 1.0 else rate)
            pieces[row].append((worst, end - begin))
            reached.append((end - begin) * share)
            rest += (end - begin) * share if end <= own else 0.0
        costs.append(reached)
    while rest > 0:
        ready = [(-pieces[row][at][0], at, row) for row, at in enumerate(front) if at < len(pieces[row]) and pieces[row][at][0] > -np.inf]
        if not ready:
            break
        _, at, row = min(ready)
        share = min(1.0, rest / costs[row][at])
        rest -= costs[row][at]
        depth[row] += int(pieces[row][at][1] * share + 1e-6)
        front[row] += 1
    return depth


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_without_evidence_the_plan_is_the_definition(depths):
    assert plan(evidence(len(depths), 3), depths).tolist() == [[depth] * 3 for depth in depths]


counts = st.lists(st.integers(0, 2_000), min_size=12, max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 120), counts), min_size=1, max_size=4))
def test_the_plan_is_what_the_greedy_loop_gives(arms):
    draws = evidence(len(arms), 2)
    for row, (_, numbers) in enumerate(arms):
        draws[row, 0, :, 0] = np.array(numbers[:6]) * 10
        draws[row, 0, :, 2] = np.array(numbers[6:]) // 10
    depths = [depth for depth, _ in arms]
    made = plan(draws, depths)
    for of in (0, 1):
        assert made[:, of].tolist() == greedy(draws, depths, of)
    assert (made >= np.minimum(LEAST, depths)[:, None]).all()
    assert (made <= MOST * np.array(depths)[:, None]).all()


def test_depth_goes_from_the_arm_that_finds_nothing_to_the_one_that_finds():
    draws = np.stack([full(500, (200, 60, 40, 50, 30)), full(500)])[:, None]
    assert plan(draws, [50, 50]).tolist() == [[90], [10]]  # 100 candidates: ten each to show what they are worth, then the finder's


def test_what_an_arm_finds_only_at_the_top_does_not_deepen_it():
    top = full(500, (300, 60, 5, 0, 0))
    deep = full(500, (20, 20, 40, 60, 50))
    (first,), (second,) = plan(np.stack([top, deep])[:, None], [50, 50]).tolist()
    assert first + second == 100
    assert first < 50 < second


def test_a_class_with_evidence_of_its_own_departs_from_the_arm():
    draws = evidence(2, 2)
    draws[0, 0], draws[1, 0] = full(300, (60, 30, 30, 30, 30)), full(300)
    draws[0, 1], draws[1, 1] = full(300), full(300, (60, 30, 30, 30, 30))
    made = plan(draws, [50, 50])
    assert made[0, 0] > 50 > made[1, 0]
    assert made[1, 1] > 50 > made[0, 1]


def test_an_arm_whose_lists_are_short_takes_no_budget_from_the_others():
    short = np.zeros((len(RANK_BINS), 3))
    short[0] = (2_500, 900, 800)  # five candidates a search and never more, most of them good
    made = plan(np.stack([short, full(500, (80, 40, 30, 30, 0))])[:, None], [50, 50])
    assert made[0, 0] == 100  # it may have what it cannot give
    assert 45 <= made[1, 0] <= 55


def test_levels_by_hand():
    draws = evidence(1, 2)
    draws[0, 0, 0] = (5_000, 60, 30)  # at depth 50 the prior finds 0.002 * 50 / 5 = 0.02 a candidate of ranks 1-5: 100 of 5,000
    arm = (30 + 10) / (100 + 10)
    first = (30 + 10 * arm) / (100 + 10)
    assert levels(draws, [50])[0, 0, 0] == pytest.approx((30 + 10 * first) / 110)
    assert levels(draws, [50])[0, 1, 0] == pytest.approx(first)
    assert levels(draws, [50])[0, 1, 3] == pytest.approx(arm)


def trained():
    batch = TallyBatch()
    for _ in range(300):
        for arm in ARMS:
            batch.drawn(arm, "1", 0, 50)
        batch.draw("dense", "1", 0, 1, 2, 1)
        batch.draw("dense", "1", 0, 3, 2, 1)
    return fit(definition(), batch.take(), 0)


def test_a_policy_plans_by_query_class_and_draws_around_its_plan():
    policy = Policy(trained(), seq=1)
    planned = {arm.name: arm for arm in policy.decide(request("halo"), available=ARMS).arms}
    made = unpack(trained().arrays["draw.plan"], what="draw.plan", dtype="<i4", shape=(4, len(QUERY_CLASSES)))[:, class_index("1")]
    assert [planned[name].planned for name in ARMS] == made.tolist()
    assert planned["dense"].planned == 100 > planned["memory"].planned
    for search in range(40):
        for arm in policy.decide(request("halo", search_id=str(search)), available=ARMS).arms:
            assert arm.depth in ((0,) if not arm.asked else (arm.planned // 2, arm.planned, 2 * arm.planned))


def test_content_of_before_depths_were_planned_uses_the_definition_and_a_broken_plan_is_refused():
    content = trained()
    old = {name: one for name, one in content.arrays.items() if name != "draw.plan"}
    assert {arm.planned for arm in Policy(Content(content.definition, old), seq=1).decide(request(), available=ARMS).arms} == {50}
    shape = (len(ARMS), len(QUERY_CLASSES))
    for broken in (np.ones(2, dtype=np.int32), np.zeros(shape, dtype=np.int32), np.full(shape, 50.0)):
        with pytest.raises(CorruptFile, match=r"'draw\.plan'"):
            Policy(Content(content.definition, old | {"draw.plan": pack(broken)}), seq=1)
