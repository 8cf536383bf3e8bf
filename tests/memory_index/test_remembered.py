"""The memory looked through: counts are those that were put in, whatever source, day or segment they came by."""

from random import Random

from memory_index.counts import WIDTH
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from schemas.candidates import Evidence

READING = Reading(kappa=2.0, min_clients=2)
CLICK = 7


def counts(shown: int = 0, clicks: int = 0) -> list[int]:
    return [shown] + 6 * [0] + [clicks] + 8 * [0]


def reader(*rows: tuple[int, str, str, str, int, list[int], set[int]]) -> MemoryReader:
    made = MemoryReader(READING)
    for source, query, segment, entity, day, some, clients in rows:
        made.add(source, {(query, segment, entity, day): (some, frozenset(clients))})
    return made


def test_counts_of_all_sources_days_and_segments_are_added():
    held = reader(
        (0, "halo", "", "a", 100, counts(3, 1), {1}), (1, "halo", "de", "a", 102, counts(4, 2), {2}),
        (0, "halo", "", "b", 101, counts(9), set()),
    )  # fmt: skip
    one, two = held.counted("halo")
    assert (one.entity_id, one.shown, one.acted, one.first_day, one.last_day) == (
        "a",
        (7, 0, 0, 0, 0, 0),
        tuple(counts(0, 3)[6:]),
        100,
        102,
    )
    assert one.evidence == held.lookup("halo", "", ["a"])[0]
    assert (two.entity_id, two.shown, two.evidence.reward) == ("b", (9, 0, 0, 0, 0, 0), 0.0)
    (german,) = held.counted("halo", "de")
    assert (german.entity_id, sum(german.shown), german.first_day) == ("a", 4, 102)
    assert german.evidence == held.lookup("halo", "de", ["a"])[0]
    assert held.counted("mario") == held.counted("halo", "fr") == []


def test_order_is_by_reward_then_showings_then_id():
    held = reader(
        (0, "q", "", "c", 1, counts(5), set()), (0, "q", "", "b", 1, counts(5), set()), (0, "q", "", "a", 1, counts(9), set()),
        (0, "q", "", "z", 1, counts(1, 1), {1, 2}),
    )  # fmt: skip
    assert [one.entity_id for one in held.counted("q")] == ["z", "a", "b", "c"]


def test_counts_say_too_what_too_few_people_did():
    held = reader((0, "q", "", "a", 1, counts(1, 1), {1}))
    assert held.counted("q")[0].evidence == Evidence(1.0, 1.0, 1)
    assert held.queries_of("a", most=9) == []


def test_queries_of_an_item_most_rewarded_first():
    held = reader(
        (0, "rare", "", "a", 9, counts(1, 2), {1, 2}), (0, "often", "", "a", 9, counts(1, 6), {1, 2}),
        (0, "alone", "", "a", 9, counts(1, 6), {1}), (0, "other", "", "b", 9, counts(1, 6), {1, 2}),
    )  # fmt: skip
    assert held.queries_of("a", most=9) == ["often", "rare"]
    assert held.queries_of("a", most=1) == ["often"]
    assert held.queries_of("nothing", most=9) == []
    held.put(0, [])
    held.add(0, {("rare", "", "a", 10): (counts(0, 50), frozenset({3, 4, 5, 6, 7, 8, 9, 10}))})
    assert held.queries_of("a", most=9) == ["rare", "often"]


def test_sums_are_those_of_a_plain_dict():
    rng, held, plain = Random(3), MemoryReader(READING), {}
    for _ in range(300):
        key = (rng.choice("pq"), rng.choice(["", "de"]), rng.choice("abc"), rng.randrange(90, 95))
        some = [rng.randrange(3) for _ in range(WIDTH)]
        held.add(rng.randrange(3), {key: (some, frozenset({rng.randrange(20)}))})
        sums, days = plain.setdefault((key[0], key[2]), ([0] * WIDTH, set()))
        sums[:] = [one + two for one, two in zip(sums, some, strict=True)]
        days.add(key[3])
    for query in "pq":
        for one in held.counted(query):
            sums, days = plain[query, one.entity_id]
            assert [*one.shown, *one.acted] == sums
            assert (one.first_day, one.last_day) == (min(days), max(days))
    assert sum(len(held.counted(query)) for query in "pq") == len(plain)
