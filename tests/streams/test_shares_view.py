"""SharesView on records written by hand: rows replace, sources add, what a former owner says late does not count."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import fit
from learners.tallies import arm_context
from schemas.codec import encode
from schemas.rows import TallyRow
from streams.publishing.shares_view import SharesView
from streams.reading.follower import Incoming

OURS = Definition(arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])
OTHER = Definition(arms=[ArmSpec.of("lexical"), ArmSpec.of("memory"), ArmSpec.of("popular")])
D = len(ARM_FEATURES.names)
CONTEXT = arm_context(ARM_FEATURES.hash, D)
_offsets = itertools.count()


def sums(searches):
    """Sums of an arm that was asked so often, with the bias 1 alone, and earned 1/2 each time."""
    out = np.zeros(3 + D + D * (D + 1) // 2, dtype=np.int64)
    out[:4] = searches * np.array([1, 128, 128 * 128, 128 * 256])
    out[3 + D] = searches * 256 * 256
    return out


def row(arm, searches, *, hour=0, src=b"0:1:1", partition=0):
    value = TallyRow(kind="arm", arm=arm, context=CONTEXT, hour=hour, sums=sums(searches).tolist())
    return Incoming(partition, next(_offsets), json.dumps(["arm", arm, CONTEXT, hour]).encode(), encode(value), [("src", src)])


def expected(definition, **searches):
    return fit(definition, {("arm", arm, CONTEXT, 0): sums(count) for arm, count in searches.items()}, 0)


@pytest.fixture
def view():
    return SharesView(OURS)


def test_rows_are_absolute_and_sources_add_up(view):
    assert view.content(OURS) == expected(OURS)
    view.apply([row("lexical", 5), row("lexical", 7, src=b"0:1:2"), row("lexical", 2, src=b"1:1:1", partition=1)])
    assert view.content(OURS) == expected(OURS, lexical=9)
    view.apply([row("lexical", 7, src=b"0:1:2")])
    assert view.content(OURS) == expected(OURS, lexical=9)


def test_what_is_applied_is_the_last_offset_of_each_partition(view):
    some = [row("lexical", 1), row("lexical", 1, src=b"3:1:1", partition=3), row("memory", 1, src=b"0:1:2")]
    view.apply(some)
    assert view.applied == {"state.shares/0": [some[2].offset], "state.shares/3": [some[1].offset]}


def test_what_a_former_owner_says_late_does_not_count(view):
    view.apply([row("lexical", 7, src=b"0:2:5"), row("lexical", 3, src=b"0:1:9"), row("memory", 3, src=b"0:2:4")])
    assert view.content(OURS) == expected(OURS, lexical=7)
    assert view.late == 2


def test_a_tombstone_takes_the_row_away(view):
    told = row("lexical", 7)
    view.apply([told, told._replace(value=None, headers=[("src", b"0:1:2")])])
    assert view.content(OURS) == expected(OURS)
    view.apply([row("lexical", 4, src=b"0:1:3")])
    assert view.content(OURS) == expected(OURS, lexical=4)


def test_another_definition_is_fitted_to_the_same_rows(view):
    view.apply([row("lexical", 7), row("popular", 3)])
    assert view.content(OTHER) == expected(OTHER, lexical=7, popular=3)
    assert view.content(OURS) == expected(OURS, lexical=7)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"value": b"{}"}, "arm"),
        ({"headers": []}, "header src: is missing"),
        ({"value": None, "key": b"k"}, "[kind, arm, context, hour]"),
        ({"value": None, "key": None}, "not a tally key"),
    ],
    ids=["fields", "no-header", "bad-key", "no-key"],
)
def test_a_bad_record_is_counted_and_the_others_go_on(view, bad, said):
    view.apply([row("lexical", 1), row("lexical", 9)._replace(**bad), row("memory", 2)])
    assert view.content(OURS) == expected(OURS, lexical=1, memory=2)
    assert view.refused == 1
    assert said in view.last_refusal


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["lexical", "memory"]), st.integers(0, 50)), max_size=20), st.randoms())
def test_only_the_last_row_of_a_source_counts_whatever_the_batches(told, random):
    view, last = SharesView(OURS), {}
    for seq, (source, arm, searches) in enumerate(told):
        view.apply([row(arm, searches, src=b"%d:1:%d" % (source, seq), partition=source)])
        last[source, arm] = searches
        if random.random() < 0.3:
            view.content(OURS)
    whole = {arm: sum(count for (_, name), count in last.items() if name == arm) for arm in ("lexical", "memory")}
    assert view.content(OURS) == expected(OURS, **whole)
