"""What was chosen lately under other queries: by hand, and against a plain computation of everything anew."""

from random import Random

import pytest

from memory_index.counts import WIDTH, to_row
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from memory_index.snapshot import base_of, table_of
from memory_index.totals import Totals
from schemas.candidates import Recent

CLICK, CART = 7, 9  # indices into the 16 counts
READING = Reading(min_clients=1)
NAMES = ["a", "b", "c", "never"]


def acts(clicks=1, *, carts=0, shown=1):
    """Counts by enough people for all to be read."""
    counts = [0] * WIDTH
    counts[0], counts[CLICK], counts[CART] = shown, clicks, carts
    return counts, frozenset(range(8))


def pays(index):
    return dict(READING.paid).get(index, 0) / 256


def test_by_hand():
    """a: 1 click at age 0 and 2 at age 4 under mario, 4 at age 2 under halo: half-lives of 2 days give 1 + 2/4 and 4/2."""
    reader = MemoryReader(READING)
    assert reader.trends("halo", ["a"]) == [Recent(0.0, 0.0)]
    reader.add(0, {("mario", "", "a", 96): acts(2), ("mario", "de", "a", 100): acts(), ("halo", "fr", "a", 98): acts(4)})
    reader.add(1, {("halo", "", "b", 93): acts(3)})
    week = [2.0 ** (-age / 7.0) for age in range(8)]
    assert reader.trends("zelda", NAMES) == [
        pytest.approx((3.5, 1.0 + 2.0 * week[4] + 4.0 * week[2])), pytest.approx((3.0 * 2.0**-3.5, 1.5)), (0.0, 0.0), (0.0, 0.0),
    ]  # fmt: skip
    assert reader.trends("halo", NAMES[:2]) == [pytest.approx((1.5, 1.0 + 2.0 * week[4])), (0.0, 0.0)]
    assert reader.trends("mario", ["b", "a", "a"]) == [
        pytest.approx((3.0 * 2.0**-3.5, 1.5)), *[pytest.approx((2.0, 4.0 * week[2]))] * 2,
    ]  # fmt: skip


def plain(rows, query, entity, newest):
    """S of an entity over all queries but one, from all rows."""
    out = [0.0, 0.0]
    for (_, other, _, name, day), counts in rows.items():
        if name == entity and other != query:
            for at, half_life in enumerate((2.0, 7.0)):
                reward = counts[CLICK] * pays(CLICK) + counts[CART] * pays(CART)
                out[at] += reward * 2.0 ** (-(newest - day) / half_life)
    return tuple(out)


@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_over_days_it_is_what_a_plain_sum_says(seed):
    """Added, replaced and removed rows of several sources, read between the changes, so that what is kept is put to the test."""
    chance, reader, rows = Random(seed), MemoryReader(READING), {}
    for step in range(120):
        source, query, entity = chance.randrange(2), chance.choice(["halo", "mario", "zelda"]), chance.choice("abc")
        segment, day = chance.choice(["", "de"]), 100 + step // 15 - chance.randrange(3)
        counts, clients = acts(chance.randrange(4), carts=chance.randrange(2))
        key, how = (source, query, segment, entity, day), chance.random()
        if how < 0.5:
            reader.add(source, {key[1:]: (counts, clients)})
            rows[key] = [old + new for old, new in zip(rows.get(key, [0] * WIDTH), counts, strict=True)]
        elif how < 0.8 or key not in rows:
            reader.put(source, [to_row(key[1:], counts, clients)])
            rows[key] = counts
        else:
            reader.put(source, [to_row(key[1:], [0] * WIDTH, ())])
            del rows[key]
        if step == 60:
            reader.replace(base_of(table_of(reader)))
        for asked in ("halo", "never searched"):
            expected = [plain(rows, asked, name, reader.newest_day) for name in NAMES]
            assert [tuple(found) for found in reader.trends(asked, NAMES)] == [pytest.approx(one, abs=1e-9) for one in expected]
            assert all(found.days_2 >= 0.0 and found.days_7 >= 0.0 for found in reader.trends(asked, NAMES))


def test_totals_forget_what_they_kept_when_an_entity_or_the_day_changes():
    totals = Totals(READING)
    assert totals.trends(["a"], 100) == [Recent(0.0, 0.0)]
    totals.change("a", "", {}, {100: 256})
    totals.change("a", "de", {}, {100: 9 * 256})  # another scope: trends are over all segments
    assert totals.trends(["a", "b"], 100) == [Recent(1.0, 1.0), Recent(0.0, 0.0)]
    totals.change("b", "", {}, {98: 512})
    assert totals.trends(["a", "b"], 100) == [Recent(1.0, 1.0), pytest.approx((1.0, 2.0 * 2.0 ** (-2 / 7)))]
    assert totals.trends(["a"], 114) == [pytest.approx((2.0**-7, 0.25))]
    totals.change("a", "", {100: 256}, {})
    assert totals.trends(["a"], 114) == [Recent(0.0, 0.0)]
