"""Another examination curve: what was counted is read anew, as a reader that always had that curve reads it."""

from dataclasses import replace
from random import Random

import pytest

from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from memory_index.snapshot import base_of, table_of
from schemas.errors import InvalidSetting

READING, OTHER = Reading(min_clients=1), (1.0, 0.9, 0.8, 0.6, 0.5, 0.1)
ENTITIES = ["a", "b", "c"]


def rows(seed):
    rng = Random(seed)
    keys = [(q, s, e, day) for q in ("halo", "mario") for s in ("", "de") for e in ENTITIES for day in (100, 103)]
    return {key: ([rng.randrange(4) for _ in range(6)] + [0, rng.randrange(3)] + [0] * 8, frozenset({rng.randrange(9)})) for key in keys}


def answers(reader):
    seen = [reader.lookup(query, segment, ENTITIES) for query in ("halo", "mario") for segment in ("", "de", "fr")]
    served = [sorted(reader.served(query, segment)) for query in ("halo", "mario") for segment in ("", "de")]
    return seen, reader.totals(), reader.entities("halo", "de"), served


@pytest.mark.parametrize("based", [False, True])
def test_it_answers_like_a_reader_that_always_had_the_curve(based):
    readers = [MemoryReader(READING), MemoryReader(replace(READING, theta=OTHER))]
    for one in readers:
        if based:
            filled = MemoryReader(READING)
            filled.add(0, rows(1))
            one.replace(base_of(table_of(filled)))
        one.add(1, rows(2))
    given, other = (answers(one) for one in readers)
    assert given[0] != other[0]
    readers[0].reread(OTHER)
    assert answers(readers[0]) == other
    for one in readers:
        one.add(1, {("halo", "", "a", 103): ([0, 0, 5] + [0] * 13, frozenset())})
    assert answers(readers[0]) == answers(readers[1])
    for one in readers:
        one.reread(READING.theta)
    assert answers(readers[0]) == answers(readers[1])


def test_a_curve_that_is_none_is_refused_and_the_old_one_stays():
    reader = MemoryReader(READING)
    with pytest.raises(InvalidSetting, match="theta"):
        reader.reread([2.0] * 6)
    assert reader.reading == READING
