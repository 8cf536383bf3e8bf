"""Whatever bytes come on their topics: views raise nothing, keep the last good, and take the next good one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from memory_index.q2e import Reading
from schemas.codec import encode
from schemas.rows import MemoryRow
from streams.reading.follower import Incoming
from streams.reading.memory_view import MemoryView
from streams.reading.policy_view import PolicyView
from tests.streams.test_views import CONTENTS, publication

ROW = encode(MemoryRow(query_key="halo", segment="", entity_id="e", day=20_000, shown=[1] * 6, acted=[1] * 10, clients=[1, 2]))
KEY, SOURCE = b'["halo","","e",20000]', b"0:1:1"
HOW = st.one_of(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 8)), st.none(), st.binary(max_size=40))


def damaged(data, how):
    """One bit flipped; with 8 instead of a bit cut there; nothing at all; or other bytes."""
    if not isinstance(how, tuple):
        return how
    at, bit = int(how[0] * len(data)), how[1]
    return data[:at] if bit == 8 else data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 20), st.booleans(), HOW)
def test_a_damaged_publication_leaves_the_last_good_policy_or_is_whole(which, in_key, how):
    view = PolicyView()
    view.apply(publication("a", 1))
    records = publication("b", 2)
    one = records[which % len(records)]
    change = {"key": damaged(one.key, how)} if in_key else {"value": damaged(one.value, how)}
    records[which % len(records)] = one._replace(**change)
    view.apply(records)
    wanted = "a" if view.manifest.seq == 1 else "b"
    assert view.content == CONTENTS[wanted]
    assert view.policy.content_id == CONTENTS[wanted].content_id
    assert (view.refused == 0) == (view.last_refusal == "")
    assert view.apply(publication("c", 10**9))
    assert view.content == CONTENTS["c"]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(["key", "value", "source"]), HOW)
def test_a_damaged_row_is_refused_or_a_row_and_stops_nothing(part, how):
    view = MemoryView(Reading(theta=(1.0,) * 6, min_clients=1))
    good = Incoming(0, 0, KEY, ROW, [("src", SOURCE)])
    if part == "source":
        bad = good._replace(headers=[("src", damaged(SOURCE, how) or b"")])
    else:
        bad = good._replace(**{part: damaged(getattr(good, part), how)})
    view.apply([bad])
    view.apply([good._replace(headers=[("src", b"0:%d:1" % 10**18)])])
    assert ("halo", "", "e", 20_000) in {key for _, key, _ in view.reader.shares()}
    assert (view.refused == 0) == (view.last_refusal == "")
