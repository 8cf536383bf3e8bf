"""Ids that count once: known for their time, whatever was sorted in or pruned meanwhile."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import DAY_MS, HOUR_MS
from streams.kernel.changes import SavedId
from streams.kernel.seen_ids import SeenIds, expired

START = 470_000 * HOUR_MS
A, B = b"a" * 16, b"a" * 8 + b"b" * 8  # equal in their first half
names = st.sampled_from([A, B, b"c" * 16, bytes(16), b"\xff" * 16])
saved_ids = st.lists(st.builds(SavedId, st.integers(470_000, 470_040), names, st.integers(0, 2**63 - 1)))


def test_an_id_is_known_until_its_hours_end_and_a_day():
    bucket = START // HOUR_MS
    end = START + HOUR_MS + DAY_MS
    assert not expired(bucket, end)
    assert expired(bucket, end + 1)
    ids = SeenIds([SavedId(bucket, A, 1), SavedId(bucket + 1, A, 2), SavedId(bucket, B, 3)])
    assert [sorted(ids.contents(A, time)) for time in (end, end + 1, end + HOUR_MS + 1)] == [[1, 2], [2], []]
    ids.prune(end)
    assert len(ids) == 3
    ids.prune(end + 1)
    assert (len(ids), ids.contents(A, START), ids.contents(B, START)) == (1, [2], [])


@given(saved_ids, st.integers(0, 3), st.integers(0, 70))
def test_sorting_and_pruning_change_nothing_that_may_be_asked(saved, newest, hour):
    """Beside a plain list; what is asked after pruning at a time is asked at that time or later."""
    now = START + hour * HOUR_MS + 1
    seen = SeenIds(newest=newest)
    for at, one in enumerate(saved):
        seen.add(one)
        if at % 3 == 2:
            seen.prune(min(now, START + at * HOUR_MS))
    columns = [np.array([one[at] for one in saved], dtype=np.int64) for at in (2, 0)]
    loaded = SeenIds.of(b"".join(one.id for one in saved), *columns)
    loaded.prune(now)
    for id_ in {one.id for one in saved} | {b"d" * 16}:
        plain = sorted(one.content for one in saved if one.id == id_ and not expired(one.bucket, now))
        assert sorted(seen.contents(id_, now)) == sorted(loaded.contents(id_, now)) == plain
    assert len(loaded) == sum(not expired(one.bucket, now) for one in saved)
