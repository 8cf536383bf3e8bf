"""From counts to evidence: the arithmetic by hand, the bound on spam, the back-off, and what order may not change."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_index.counts import WIDTH
from memory_index.q2e import NOTHING, Reading, back_off, evidence, q2e, rewards_by_day
from schemas.candidates import Evidence
from schemas.errors import InvalidSetting
from schemas.events import ACTION_KINDS

READING = Reading(half_life_days=10.0, kappa=3.0)
CLICK, PURCHASE = 6 + ACTION_KINDS.index("click"), 6 + ACTION_KINDS.index("purchase")
ROWS = st.lists(
    st.tuples(
        st.integers(90, 100), st.lists(st.integers(0, 6), min_size=WIDTH, max_size=WIDTH), st.frozensets(st.integers(0, 12), max_size=9)
    ),
    max_size=8,
)


def row(**at: int) -> list[int]:
    counts = [0] * WIDTH
    for name, value in at.items():
        counts[{"first": 0, "fourth": 3, "click": CLICK, "purchase": PURCHASE}[name]] = value
    return counts


def test_default_theta_is_the_mean_of_one_over_position() -> None:
    assert Reading().theta == pytest.approx((1.0, 0.5, 1 / 3, 0.225, (1 / 6 + 1 / 7 + 1 / 8 + 1 / 9 + 1 / 10) / 5, 1 / 15))


def test_evidence_by_hand() -> None:
    rows = [
        (100, row(first=4, click=2), [1, 2]),  # weight 1: S 2, V 4
        (90, row(fourth=8, purchase=1), [3]),  # one half-life old, weight 1/2: S 4 / 2, V 8 * 0.225 / 2
    ]
    found = evidence(rows, 100, READING)
    assert found == pytest.approx((4.0, 4.9, 3))
    assert q2e(0.5, found, 3.0) == pytest.approx((3.0 * 0.5 + 4.0) / (3.0 + 4.9))
    assert evidence(rows, 110, READING) == pytest.approx((2.0, 2.45, 3))
    assert evidence([], 100, READING) == NOTHING
    assert q2e(0.25, NOTHING, 3.0) == 0.25


def test_an_estimate_may_exceed_one_and_keeps_its_order() -> None:
    wanted, more = Evidence(30.0, 1.0, 8), Evidence(60.0, 1.0, 8)
    assert 1.0 < q2e(0.5, wanted, 3.0) < q2e(0.5, more, 3.0)


def test_at_most_three_acts_a_client_are_read_and_the_newest_of_them() -> None:
    rows = [(99, row(click=2), [1]), (100, row(click=2, purchase=1), [1])]
    days, clients = {100: rows[1][1], 99: rows[0][1]}, 1
    assert rewards_by_day(days, clients, READING) == {100: 2 * 256 + 1024, 99: 256}
    assert rewards_by_day(days, 8, READING) == {100: 2 * 256 + 1024, 99: 2 * 256}
    assert evidence([(100, row(click=50), [])], 100, READING).reward == 0.0
    assert evidence([(100, row(click=50), [1, 2])], 100, READING).reward == 6.0
    assert evidence([(100, row(click=50), range(8))], 100, READING).reward == 50.0


@given(ROWS, st.randoms())
def test_order_and_split_of_rows_change_no_bit(rows: list, random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert evidence(shuffled, 100, READING) == evidence(rows, 100, READING)
    split = [(day, [n // 2 for n in counts], who) for day, counts, who in rows]
    split += [(day, [n - n // 2 for n in counts], who) for day, counts, who in rows]
    assert evidence(split, 100, READING) == evidence(rows, 100, READING)


@given(ROWS)
def test_evidence_is_the_formula(rows: list) -> None:
    clients = set().union(*(who for _, _, who in rows))
    reward = examined = 0.0
    left = [3 * len(clients) if len(clients) < 8 else 10**9 for _ in ACTION_KINDS]
    for day, counts, _ in sorted(rows, key=lambda one: -one[0]):
        weight = 0.5 ** ((100 - day) / 10.0)
        examined += weight * sum(t * n for t, n in zip(READING.theta, counts[:6], strict=True))
        for kind, acted in enumerate(counts[6:]):
            read = min(acted, left[kind])
            left[kind] -= read
            reward += weight * READING.rewards[kind] * read
    assert evidence(rows, 100, READING) == pytest.approx((reward, examined, min(len(clients), 8)))


NUMBERS = st.floats(0.0, 100.0)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(0.0, 1.0), st.floats(0.5, 10.0))
def test_backed_off_evidence_has_the_parents_estimate_as_prior(
    s: float, v: float, more_s: float, more_v: float, prior: float, k: float
) -> None:
    part, whole = Evidence(s, v, 2), Evidence(s + more_s, v + more_v, 5)
    both = back_off(part, whole, k)
    assert q2e(prior, both, k) == pytest.approx(q2e(q2e(prior, whole, k), part, k))
    assert both.clients == 5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"theta": (1.0,)}, "theta"),
        ({"theta": (1.5, 0, 0, 0, 0, 0)}, "theta"),
        ({"rewards": (1.0,)}, "rewards"),
        ({"rewards": (0.1,) * 10}, "multiples of 1/256"),
        ({"half_life_days": 0.0}, "half_life_days"),
        ({"kappa": float("inf")}, "kappa"),
        ({"min_clients": 9}, "min_clients"),
    ],
)
def test_a_reading_out_of_range_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        Reading(**wrong)
