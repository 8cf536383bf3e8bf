"""Prepared lists: prefixes of what the strategy finds, timed as if made now, and never wrong beyond their depth."""

from evaluation.judged_queries import JudgedQuery
from evaluation.prepared import DEPTH, PreparedRetriever, prepare
from schemas.candidates import Candidate, Request

QUERIES = [JudgedQuery("q", "jazz", "jazz", 0, {"e": 1.0}), JudgedQuery("r", "few", "few", 0, {"e": 1.0})]


class Counting:
    """Finds e0000, e0001, ... to the depth; three for `few`. Counts how often it was asked."""

    name = "lexical"

    def __init__(self):
        self.asked = []

    def retrieve(self, request, depth):
        self.asked.append((request.query_key, depth))
        return [Candidate(f"e{at:04}", 1.0 / (1 + at)) for at in range(min(depth, 3 if request.query_key == "few" else 5_000))]


def request(key):
    return Request("s", 0, key, key)


def test_prefixes_and_beyond():
    real, ticks = Counting(), iter(range(100))
    told = []
    lists = prepare([real], QUERIES, clock=lambda: float(next(ticks)), progress=lambda *now: told.append(now))
    assert told == [(1, 2), (2, 2)]
    assert len(real.asked) == 2
    made = []
    prepared = PreparedRetriever("lexical", lists["lexical"], lambda: made.append(real) or real)
    fresh = Counting()
    for key in ("jazz", "few"):
        for depth in (0, 1, 50, DEPTH):
            assert prepared.retrieve(request(key), depth) == fresh.retrieve(request(key), depth)
    assert prepared.spent == 8.0  # a second each by the clock of the test
    assert prepared.retrieve(request("few"), DEPTH + 1) == fresh.retrieve(request("few"), DEPTH + 1)  # the list was whole
    assert not made
    assert prepared.retrieve(request("jazz"), DEPTH + 1) == fresh.retrieve(request("jazz"), DEPTH + 1)
    assert prepared.retrieve(request("else"), 3) == fresh.retrieve(request("else"), 3)
    assert len(made) == 1  # made once, when it was needed
    prepared.retrieve(request("jazz"), 5).clear()
    assert len(prepared.retrieve(request("jazz"), 5)) == 5
