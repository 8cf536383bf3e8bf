"""State is a function of the set of accepted facts: order, batching, splitting, crashes and merging decide nothing."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests_histories import MINUTE, START, Line, action, histories, impression, run

from schemas.codec import encode

MANY = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
ORDERS = st.lists(st.integers(0, 7), min_size=1, max_size=8)


@MANY
@given(histories(), ORDERS, st.sampled_from([1, 2, 3, 7, 1000]), st.sampled_from([1, 2, 4, 8]), st.integers(0, 3))
def test_interleaving_batches_partitions_and_restarts_decide_nothing(history, order, batch, partitions, restart):
    history = [line for line in history if line.place != "elsewhere"]
    assert run(history, partitions, batch, order, restart_every=restart) == run(history, 1, 1, [0])


def calm(rng: random.Random) -> list[Line]:
    """Searches whose events all come within five minutes, so that any order of the log is allowed by the window."""
    lines = []
    for search in range(5):
        for page in range(1, rng.randint(1, 3) + 1):
            at = START + rng.randint(0, 5) * MINUTE
            lines.append(Line("impressions", at, f"s{search}", encode(impression(search, page, START + search))))
        for number in range(rng.randint(0, 6)):
            at = START + rng.randint(0, 5) * MINUTE
            kind = rng.choice(["click", "viewed", "purchase"])
            lines.append(Line("actions", at, f"s{search}", encode(action(search, number, at, entity=rng.randint(0, 8), kind=kind))))
    return sorted(lines, key=lambda line: line.time)


@FEW
@given(st.integers(0, 10**9))
def test_any_order_that_the_window_allows_gives_the_same_sums(seed):
    rng = random.Random(seed)
    history = calm(rng)
    shuffled = rng.sample(history, len(history))
    shuffled = [Line(line.topic, old.time, line.place, line.value) for line, old in zip(shuffled, history, strict=True)]
    before, after = run(history, 1, 1, [0]), run(shuffled, 2, 3, [1, 0])
    assert (before["memory"], before["tallies"]) == (after["memory"], after["tallies"])


@FEW
@given(st.integers(0, 10**9))
def test_misrouted_records_are_forwarded_and_count_as_if_sent_right(seed):
    rng = random.Random(seed)
    history = calm(rng)
    astray = [Line(line.topic, line.time, f"key {rng.randint(0, 20)}", line.value) for line in history]
    before, after = run(history, 4, 2, [0]), run(astray, 4, 2, [0])
    assert (before["memory"], before["tallies"]) == (after["memory"], after["tallies"])


@FEW
@given(st.integers(0, 10**9))
def test_digest_sees_a_removed_or_altered_fact_and_not_a_doubled_one(seed):
    rng = random.Random(seed)
    history = calm(rng)
    at = rng.randrange(len(history))
    line = history[at]
    digest = run(history, 2, 2, [0])["state"]
    assert run(history[:at] + history[at + 1 :], 2, 2, [0])["state"] != digest
    assert run(history[: at + 1] + history[at:], 2, 2, [0])["state"] == digest
    altered = line.value.replace(b'"page":', b'"page":1') if line.topic == "impressions" else line.value.replace(b'"kind":"', b'"kind":"x')
    assert run([*history[:at], Line(line.topic, line.time, line.place, altered), *history[at + 1 :]], 2, 2, [0])["state"] != digest
