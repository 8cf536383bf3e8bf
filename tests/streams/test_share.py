"""Shares add; ids are known as long as they can be asked for; the digest sees every fact and no split of them."""

from hypothesis import given
from hypothesis import strategies as st

from streams.kernel.changes import Changes, SetHash
from streams.kernel.kernel import Kernel
from streams.kernel.packing import pack, unpack
from streams.kernel.share import DAYS_KEPT, Share, digest_state, fold_days
from streams.kernel.watermark import Clock
from tests.streams.searchbox import RULES, act, page, record

ROW = [1] + [0] * 15
NEWEST = 20_000


def key(entity, day=NEWEST):
    return ("q", "", entity, day)


def test_shares_add_counts_join_clients_and_leave_what_they_add_alone():
    share = Share()
    changes = Changes(memory={key("a"): (list(ROW), frozenset({5, 9}))})
    for clients in ({5, 9}, {1, 5}, set(range(20, 30))):
        share.add(Changes(memory={key("a"): (list(ROW), frozenset(clients))}))
    share.add(changes)
    assert share.memory == {key("a"): ([4] + [0] * 15, frozenset({1, 5, 9, 20, 21, 22, 23, 24}))}
    assert changes.memory == {key("a"): (ROW, frozenset({5, 9}))}


def test_days_older_than_ninety_before_the_newest_are_one():
    old, edge = NEWEST - DAYS_KEPT - 1, NEWEST - DAYS_KEPT
    memory = {key("a", day): (list(ROW), frozenset({day})) for day in (NEWEST, edge, old, old - 300)}
    folded = fold_days(memory)
    assert folded == {
        key("a"): (ROW, {NEWEST}), key("a", edge): (ROW, {edge}), key("a", 0): ([2] + [0] * 15, {old, old - 300}),
    }  # fmt: skip
    assert all(counts == ROW for counts, _ in memory.values())
    assert fold_days(folded) == folded


def test_the_digest_is_of_folded_memory():
    """A store may fold what is old before its own newest day; another share may have a newer one."""
    old = Share(memory={key("a", NEWEST - 200): (list(ROW), frozenset())})
    folded = Share(memory={key("a", 0): (list(ROW), frozenset())})
    newest = Share(memory={key("b"): (list(ROW), frozenset())})
    assert digest_state([old, newest], []) == digest_state([newest, folded], [])
    assert digest_state([old], []) != digest_state([folded], [])


@given(st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), min_size=1), st.randoms())
def test_a_hash_of_a_set_knows_no_order_and_no_split(ids, rng):
    whole, left, right = SetHash(), SetHash(), SetHash()
    for id_ in ids:
        whole.add(id_)
    for id_ in rng.sample(ids, len(ids)):
        (left if rng.random() < 0.5 else right).add(id_)
    left.merge(right)
    assert left == whole
    whole.add(ids[0])
    assert left != whole


def test_the_digest_sees_each_part_of_the_state():
    kernel, base = Kernel(0, 1, RULES), digest_state([Share()], [Kernel(0, 1, RULES)])
    kernel.apply([record(0, page(), 0)])
    held = Kernel(0, 1, RULES)
    held.apply([record(0, act("1"), 0)])
    changed = {
        "memory": digest_state([Share(memory={key("a"): (ROW, frozenset())})], [Kernel(0, 1, RULES)]),
        "sets": digest_state([Share(sets={"final": SetHash(1, 7)})], [Kernel(0, 1, RULES)]),
        "open": digest_state([Share()], [kernel]),
    }
    for part, digest in changed.items():
        assert {name for name in base if digest[name] != base[name]} == {part, "state"}
    assert digest_state([Share()], [held])["open"] not in (base["open"], changed["open"]["open"])


def test_the_clock_runs_with_the_slower_input_and_never_back():
    clock = Clock({"actions": 50})
    assert [clock.advance("impressions", time) for time in (10, 70, 60)] == [10, 70, 70]
    assert clock.watermark == 50
    assert [clock.advance("actions", time) for time in (40, 90)] == [50, 90]
    assert clock.watermark == 70


@given(st.binary())
def test_what_is_packed_is_unpacked(value):
    assert unpack(pack(value)) == value
