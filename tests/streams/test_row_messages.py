"""A memory row written from columns has the bytes that its schema writes."""

from hypothesis import given
from hypothesis import strategies as st

from memory_index.counts import SHOWN, WIDTH
from memory_index.shares import memory_table
from schemas.codec import decode, encode
from schemas.rows import MemoryRow
from streams.faust_app.owner import row_key
from streams.faust_app.rows import memory_messages

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
COUNT = st.integers(0, 2**53)
KEY = st.tuples(TEXT, TEXT, TEXT, st.integers(0, 30_000))
ROW = st.tuples(st.lists(COUNT, min_size=WIDTH, max_size=WIDTH), st.frozensets(st.integers(0, 2**63 - 1), max_size=8))


@given(st.dictionaries(KEY, ROW, min_size=1, max_size=5))
def test_columns_and_schema_write_the_same_bytes(counts):
    expected = [
        (
            row_key(*key),
            encode(
                MemoryRow.model_construct(
                    query_key=key[0],
                    segment=key[1],
                    entity_id=key[2],
                    day=key[3],
                    shown=sums[:SHOWN],
                    acted=sums[SHOWN:],
                    clients=sorted(who),
                )
            ),
        )
        for key, (sums, who) in counts.items()
    ]
    assert list(memory_messages(memory_table(counts))) == expected


def test_control_characters_quotes_and_other_scripts_come_back():
    key = ('a"b\\c\n\t\x01\x7f\u2028', "é", "食べ物 🎮", 3)
    (written, value), *_ = memory_messages(memory_table({key: ([1] * WIDTH, frozenset({7, 3}))}))
    row = decode(MemoryRow, value)
    assert (row.query_key, row.segment, row.entity_id, row.day) == key
    assert (row.clients, written) == ([3, 7], row_key(*key))
