"""PolicyView and MemoryView on records written by hand: what is adopted, what is refused, in any order of arrival."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.arrays import pack
from learners.definition import ArmSpec, Definition
from learners.policy import Policy
from memory_index.q2e import Reading
from schemas.candidates import Candidate, Evidence, Request
from schemas.codec import encode
from schemas.errors import InvalidMessage
from schemas.rows import MemoryRow
from schemas.snapshots import Array, Content, Manifest
from streams.reading.follower import Incoming
from streams.reading.memory_view import MemoryView
from streams.reading.policy_view import PolicyView
from streams.reading.sources import Sources, source_of


def content_of(salt):
    from learners.fit import fit

    return fit(Definition(salt=salt, arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")]), {}, 0)


CONTENTS = {salt: content_of(salt) for salt in "abc"}
_offsets = itertools.count()


def record(key, value):
    return Incoming(0, next(_offsets), key.encode(), value, [])


def publication(salt, seq, *, epoch=0, **more):
    """Records of a snapshot, one of CONTENTS or the given one: parts, then manifest."""
    content = CONTENTS[salt] if isinstance(salt, str) else salt
    parts = content.split()
    manifest = Manifest(
        model="linear", content_id=content.content_id, seq=seq, publisher_epoch=epoch, created=1, feature_schema="f",
        parts=[part.sha256 for part in parts], **more,
    )  # fmt: skip
    return [record(f"part/{part.sha256}", encode(part)) for part in parts] + [record("manifest", encode(manifest))]


def test_a_publication_becomes_the_policy_once():
    view = PolicyView()
    assert view.policy is None
    assert view.apply(publication("a", 1))
    assert (view.policy.content_id, view.policy.seq) == (CONTENTS["a"].content_id, 1)
    assert not view.apply(publication("a", 1))
    assert not view.apply([])
    assert (view.refused, view.last_refusal) == (0, "")


RANK = "rank.weights"  # 2 weights, 5 columns for the one strategy that is not memory, 2 of trends


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (Array("<f8", (8,), bytes(64)), "shape"),
        (Array("<f4", (9,), bytes(36)), "dtype"),
        (Array("<f8", (9,), np.array([0.0] * 8 + [np.nan]).tobytes()), "NaN"),
        (Array("<f8", (3, 3), bytes(72)), "shape"),
    ],
)
def test_weights_of_the_rank_model_that_are_none_are_refused_and_the_last_good_policy_ranks_on(array, words):
    def ranks():
        lists = {"lexical": [Candidate("a", 2.0), Candidate("b", 1.0)]}
        asked = Request(search_id="s", ts=1, query="q", query_key="q")
        return [one.entity_id for one in view.policy.rank(asked, lists, memory=None)]

    good, weights = CONTENTS["a"], np.array([0.0, -8.0] + [0.0] * 7)  # the other way round than the start
    upside_down = Content(good.definition, dict(good.arrays) | {RANK: pack(weights)})
    corrupt = Content(good.definition, dict(good.arrays) | {RANK: array})
    view = PolicyView()
    assert view.apply(publication("a", 1))
    assert ranks() == ["a", "b"]
    assert view.apply(publication(upside_down, 2))
    assert ranks() == ["b", "a"]
    assert not view.apply(publication(corrupt, 3))
    assert (view.refused, view.policy.seq, view.content) == (1, 2, upside_down)
    assert "rank.weights" in view.last_refusal
    assert words in view.last_refusal
    assert ranks() == ["b", "a"]
    assert view.apply(publication("b", 4)), "the next good one is taken"


def test_the_highest_epoch_and_seq_wins_and_a_zombie_publisher_is_ignored():
    view = PolicyView()
    view.apply(publication("a", 7, epoch=1))
    assert view.apply(publication("b", 3, epoch=2))
    assert not view.apply(publication("c", 9, epoch=1))
    assert not view.apply(publication("c", 2, epoch=2))
    assert (view.policy.seq, view.policy.content_id) == (3, CONTENTS["b"].content_id)


def test_of_many_publications_read_at_once_only_the_best_is_built():
    view = PolicyView()
    assert view.apply([*publication("a", 1), *publication("c", 3), *publication("b", 2)])
    assert view.policy.seq == 3
    assert not view.apply([])


def test_a_rollback_names_parts_that_came_long_ago():
    view = PolicyView()
    view.apply(publication("a", 1))
    view.apply(publication("b", 2))
    assert view.apply(publication("a", 3, reason="rollback", pinned=True)[-1:])
    assert view.policy.content_id == CONTENTS["a"].content_id


def test_a_manifest_waits_for_its_parts():
    view = PolicyView()
    *parts, manifest = publication("a", 1)
    assert not view.apply([manifest])
    assert view.policy is None
    assert view.apply(parts)
    assert view.policy.seq == 1
    assert view.refused == 0


def test_a_part_that_was_given_up_is_gone():
    view = PolicyView()
    *parts, manifest = publication("a", 1)
    view.apply([*parts, *(Incoming(0, next(_offsets), part.key, None, []) for part in parts), manifest])
    assert view.policy is None


def changed_part(records):
    part, *rest = records
    return [part._replace(value=part.value.replace(b'"data":"', b'"data":"AAAA')), *rest]


def other_content(records):
    *parts, manifest = records
    row = json.loads(manifest.value) | {"content_id": CONTENTS["c"].content_id}
    return [*parts, manifest._replace(value=json.dumps(row).encode())]


def cut_manifest(records):
    return [*records[:-1], records[-1]._replace(value=records[-1].value[:-9])]


@pytest.mark.parametrize(
    ("damage", "said"), [(changed_part, "has other bytes"), (other_content, "not the content"), (cut_manifest, "cut off")]
)
def test_a_damaged_publication_is_refused_the_last_good_one_kept_and_the_next_one_taken(damage, said):
    view = PolicyView()
    view.apply(publication("a", 1))
    assert not view.apply(damage(publication("b", 2)))
    assert (view.policy.seq, view.refused) == (1, 1)
    assert said in view.last_refusal
    assert view.apply(publication("b", 3))
    assert (view.policy.seq, view.policy.content_id) == (3, CONTENTS["b"].content_id)


def test_when_the_best_of_a_batch_is_damaged_the_next_best_is_taken():
    view = PolicyView()
    assert view.apply([*publication("a", 1), *publication("b", 2), *other_content(publication("a", 3))])
    assert (view.policy.seq, view.refused) == (2, 1)


def test_a_refresh_that_applied_less_is_refused_and_a_rollback_that_did_is_not():
    view = PolicyView()
    view.apply(publication("a", 1, applied={"0": [10, 10]}, reason="refresh"))
    assert not view.apply(publication("b", 2, applied={"0": [9, 10]}, reason="refresh"))
    assert "applied up to [9, 10]" in view.last_refusal
    assert view.apply(publication("b", 3, applied={"0": [9, 10]}, reason="rollback"))


@settings(max_examples=30, deadline=None)
@given(st.permutations([("a", 1), ("b", 2), ("c", 3), ("a", 4)]), st.lists(st.integers(0, 12), max_size=5))
def test_any_order_and_batching_of_publications_ends_with_the_last(order, cuts):
    records = [one for salt, seq in order for one in publication(salt, seq)]
    bounds = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    view = PolicyView()
    for low, high in itertools.pairwise(bounds):
        view.apply(records[low:high])
    assert (view.policy.seq, view.policy.content_id) == (4, CONTENTS["a"].content_id)


def test_the_policy_of_a_topic_is_the_policy_of_its_content():
    view = PolicyView()
    view.apply(publication("a", 1))
    direct = Policy(CONTENTS["a"], seq=1)
    assert view.policy.definition == direct.definition


ROW = MemoryRow(query_key="halo", segment="", entity_id="g1", day=20_000, shown=[2] + 5 * [0], acted=[0, 1] + 8 * [0], clients=[7])


def memory(row, src, *, key=None):
    value = None if row is None else encode(row)
    return Incoming(int(src.split(b":")[0]), next(_offsets), key, value, [] if src == b"-1" else [("src", src)])


def clicked(times):
    return ROW.model_copy(update={"acted": [0, times] + 8 * [0]})


def evidence(view):
    return view.reader.lookup("halo", "", ["g1"])[0]


@pytest.fixture
def view():
    return MemoryView(Reading(theta=(1.0, 0.5, 0.5, 0.5, 0.5, 0.5), min_clients=1))


def test_rows_are_absolute_and_sources_add_up(view):
    view.apply([memory(clicked(1), b"0:1:1"), memory(clicked(2), b"0:1:2"), memory(clicked(1), b"1:1:1")])
    # source 0 says 2 clicks, source 1 says 1, one client: 3 clicks are read of 3 x 1; 2 + 2 times seen on position 1
    assert evidence(view) == Evidence(3.0, 4.0, 1)
    view.apply([memory(clicked(2), b"0:1:2")])
    assert evidence(view) == Evidence(3.0, 4.0, 1)


def test_what_a_former_owner_says_late_does_not_count(view):
    view.apply([memory(clicked(2), b"0:2:5"), memory(clicked(1), b"0:1:9"), memory(clicked(1), b"0:2:4")])
    assert evidence(view) == Evidence(2.0, 2.0, 1)
    assert view.late == 2


def test_a_tombstone_takes_the_row_away(view):
    key = json.dumps(["halo", "", "g1", 20_000]).encode()
    view.apply([memory(ROW, b"0:1:1"), memory(None, b"0:1:2", key=key)])
    assert evidence(view) == Evidence(0.0, 0.0, 0)
    assert view.reader.rows() == 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Incoming(0, 1, b"k", b"{}", [("src", b"0:1:1")]), "query_key"),
        (Incoming(0, 1, b"k", b"\xff\xfe", [("src", b"0:1:1")]), "UTF-8"),
        (Incoming(0, 1, b"k", encode(ROW), []), "header src: is missing"),
        (Incoming(0, 1, b"k", encode(ROW), [("src", b"0:x:1")]), "partition:epoch:seq"),
        (Incoming(0, 1, b"k", None, [("src", b"0:1:1")]), "[query_key, segment, entity_id, day]"),
        (Incoming(0, 1, b"[" * 100_000, None, [("src", b"0:1:1")]), "not a memory key"),
        (Incoming(0, 1, None, None, [("src", b"0:1:1")]), "not a memory key"),
    ],
    ids=["fields", "bytes", "no-header", "bad-header", "bad-key", "deep-key", "no-key"],
)
def test_a_bad_record_is_counted_and_the_others_go_on(view, bad, said):
    view.apply([memory(clicked(1), b"0:1:1"), bad, memory(clicked(2), b"0:1:2")])
    assert evidence(view).reward == 2.0
    assert view.refused == 1
    assert said in view.last_refusal


def test_sources():
    assert source_of([("other", b"x"), ("src", b"3:14:15")]) == (3, 14, 15)
    with pytest.raises(InvalidMessage, match="is missing"):
        source_of([("other", b"x")])
    sources = Sources()
    said = [(0, 1, 5), (0, 1, 5), (0, 1, 4), (1, 1, 1), (0, 2, 1), (0, 1, 9)]
    assert [sources.accept(*one) for one in said] == [True, True, False, True, True, False]
    assert sources.highest == {0: (2, 1), 1: (1, 1)}
