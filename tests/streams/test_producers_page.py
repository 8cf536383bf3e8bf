"""What docs/producers.md promises to producers in other languages: test vectors, smallest events, reasons."""

import json
import re
from pathlib import Path

import pytest

from schemas.codec import decode_event
from schemas.events import Action, Impression
from schemas.outcomes import REASONS
from streams.partitioning import murmur2, partition
from streams.producing.outgoing import outgoing

PAGE = (Path(__file__).parents[2] / "docs" / "producers.md").read_text("utf-8")
VECTORS = re.findall(r"^\| `(.+?)` \| (\d+) \| (-?\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector[0])
def test_vectors_of_the_partition_rule(vector):
    key, (size, signed, positive, of_4, of_8, of_12) = vector[0], map(int, vector[1:])
    hashed = murmur2(key.encode())
    assert (len(key.encode()), hashed - 2**32 * (hashed >> 31), hashed & 0x7FFFFFFF) == (size, signed, positive)
    assert [partition(key, count) for count in (4, 8, 12)] == [of_4, of_8, of_12]


def test_there_are_vectors_of_all_lengths_of_the_tail():
    assert {int(vector[1]) % 4 for vector in VECTORS} == {0, 1, 2, 3}
    assert any(not vector[0].isascii() for vector in VECTORS)


def test_the_smallest_events_are_events_and_go_where_the_page_says():
    found = [decode_event(block.encode()) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
    assert [type(one) for one in found] == [Impression, Action]
    for event in found:
        sent = outgoing(event)
        assert f"| `{event.type}` | `{sent.topic}` |" in PAGE
        assert sent.key == event.search_id == json.loads(sent.value)["search_id"]


def test_every_reason_is_explained():
    assert [reason for reason in REASONS if f"\n| `{reason}` |" not in PAGE] == []
