"""The total order, by hand and against an independent way to sort."""

import math

from hypothesis import given
from hypothesis import strategies as st

from retrievers.base import ordered
from schemas.candidates import Candidate

ids = st.text("abc", min_size=1, max_size=2)
scores = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0]), st.floats())


def test_known_answer() -> None:
    pairs = [("d", 0.0), ("b", 1.0), ("nan", math.nan), ("a", 1.0), ("inf", math.inf), ("c", 2.0), ("minus", -3.0)]
    assert ordered(pairs, 10) == [Candidate("c", 2.0), Candidate("a", 1.0), Candidate("b", 1.0)]
    assert ordered(pairs, 2) == [Candidate("c", 2.0), Candidate("a", 1.0)]
    assert ordered(pairs, 0) == ordered(pairs, -5) == []


def test_twice_found_keeps_the_best() -> None:
    assert ordered([("a", 1.0), ("b", 2.0), ("a", 3.0), ("a", 2.5)], 10) == [Candidate("a", 3.0), Candidate("b", 2.0)]


@given(st.lists(st.tuples(ids, scores)), st.integers(-1, 6))
def test_equals_selecting_the_best_again_and_again(pairs: list[tuple[str, float]], depth: int) -> None:
    left = {(name, score) for name, score in pairs if math.isfinite(score) and score > 0.0}
    out = []
    while left and len(out) < depth:
        best = min(left, key=lambda pair: (-pair[1], pair[0]))
        out.append(best)
        left = {pair for pair in left if pair[0] != best[0]}
    assert [tuple(one) for one in ordered(pairs, depth)] == out
