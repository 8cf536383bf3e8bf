"""Finals as small arrays, and the set of them that is kept: a function of what was concluded, in any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners import finals
from learners.finals import CANDIDATES, ERA_MS, FinalSet, final_of
from schemas.events import Query
from tests.learners.settled import T0, act, amendment, outcome, page, plain, sampled, shown


def test_a_final_by_hand():
    one = page([shown("b", 2, mode="swap", p=0.1), shown("a", 1)], candidates=[sampled("a"), sampled("x"), sampled("y")])
    two = page([shown("c", 3, mode="slot", p=0.25)], number=2, candidates=[sampled("y", features=(9, 9)), sampled("z")])
    final = final_of(outcome([two, one], [act("c"), act("c", n=1), act("y", "purchase"), act("far", "like"), act("b", "viewed")]))
    assert plain(final) == {
        "final_id": outcome([one]).final_id,
        "time": T0,
        "query_key": "halo 3",
        "segment": "g",
        "client": "00ff",
        "rank_version": "r1",
        "entities": ("a", "b", "c", "x", "y", "z"),
        "positions": ("<i4", (6,), [1, 2, 3, 0, 0, 0]),
        "features": ("<i2", (6, 2), [[1, 2], [1, 2], [1, 2], [3, 4], [3, 4], [3, 4]]),
        "rewards": ("<i4", (6,), [0, 0, 256, 0, 1024, 0]),
        "viewed": ("|b1", (6,), [False, True, False, False, False, False]),
        "modes": ("|i1", (6,), [0, 2, 1, 0, 0, 0]),
        "probabilities": ("<f4", (6,), [1.0, np.float32(0.1), 0.25, 1.0, 1.0, 1.0]),
        "off_page": {"far": 512},
        "has_viewed": True,
    }
    assert not final.rewards.flags.writeable


def test_candidates_are_the_first_and_those_with_reward():
    names = [f"n{at:02}" for at in range(CANDIDATES + 10)]
    pages = [page([shown(f"p{n}", n + 1)], number=n + 1, candidates=[sampled(name) for name in names[n::2]]) for n in range(2)]  # 50 a page
    final = final_of(outcome(pages, [act(names[-1])]))
    candidates = [*names[0::2], *names[1::2]]
    assert final.entities == ("p0", "p1", *candidates[:CANDIDATES], names[-1])
    assert final.rewards[-1] == 256


def test_what_a_page_may_lack():
    final = final_of(outcome([page([], query=Query(), surface="home", decision=None)]))
    assert (final.entities, final.features.shape, final.query_key, final.rank_version) == ((), (0, 0), "surface:home", "")
    mixed = final_of(outcome([page([shown("a", 1), shown("b", 2, features=())])]))
    assert mixed.features.shape == (2, 0)


def test_an_entity_that_is_shown_twice_keeps_its_first_place():
    one, two = page([shown("a", 1), shown("b", 2)]), page([shown("b", 3, mode="slot"), shown("c", 4)], number=2)
    assert final_of(outcome([two, one])).entities == ("a", "b", "c")
    assert final_of(outcome([one]), amendment(two)).positions.tolist() == [1, 2, 4]
    assert plain(final_of(outcome([one]), amendment(two))) == plain(final_of(outcome([one, two])))


def test_rewards_are_additive_over_distinct_kinds_amendments_included():
    settled = outcome([page([shown("a", 1)], candidates=[sampled("x")])], [act("a")])
    late = [act("a", n=7), act("a", "purchase"), act("x"), act("far"), act("a", "viewed"), act("a", "purchase", n=8)]
    final = final_of(settled, *(amendment(one) for one in late))
    assert dict(zip(final.entities, final.rewards.tolist(), strict=True)) == {"a": 256 + 1024, "x": 256}
    assert (final.off_page, final.has_viewed, final.viewed.tolist()) == ({"far": 256}, True, [True, False])
    # a page that comes later brings its entity from off the page onto it
    assert final_of(settled, amendment(act("far")), amendment(page([shown("far", 11)], number=2))).off_page == {}


conclusions = st.lists(
    st.one_of(
        st.builds(
            lambda n, kinds: outcome(
                [page([shown("a", 1), shown("b", 2)], search=f"s{n}", candidates=[sampled("x")])],
                [act("a", kind, search=f"s{n}") for kind in kinds],
                search=f"s{n}",
                time=T0 + n * 1_000 + n % 3 * ERA_MS,
            ),
            st.integers(0, 25),
            st.sets(st.sampled_from(["click", "viewed", "purchase"])).map(sorted),
        ),
        st.builds(
            lambda n, kind, entity: amendment(act(entity, kind, n=n, search=f"s{n}"), time=T0 + n * 1_000 + n % 3 * ERA_MS + 5),
            st.integers(0, 25),
            st.sampled_from(["click", "like", "viewed"]),
            st.sampled_from("abxz"),
        ),
        st.builds(
            lambda n, number: amendment(
                page([shown("b", 10 + number), shown(f"p{number}", 20 + number)], number=number, search=f"s{n}"),
                time=T0 + n * 1_000 + n % 3 * ERA_MS + 9,
            ),
            st.integers(0, 25),
            st.integers(2, 3),
        ),
    ),
    max_size=60,
).map(lambda some: list({getattr(one, "amendment_id", one.final_id): one for one in some}.values()))  # an id names one content


def held(some, cap=20):
    kept = FinalSet(cap)
    for one in some:
        kept.add(one)
    return kept


@settings(max_examples=150, deadline=None)
@given(conclusions, st.randoms(use_true_random=False), st.sampled_from([2, 6, 1_000]))
def test_any_order_and_repeats_give_the_same_set(some, random, cap):
    shuffled = some + random.sample(some, len(some) // 2)
    random.shuffle(shuffled)
    one, other = held(some, cap), held(shuffled, cap)
    assert [plain(final) for final in one.sorted()] == [plain(final) for final in other.sorted()]
    assert len(one) == len(other) == len(one.sorted())
    assert len(one) <= cap


@settings(max_examples=100, deadline=None)
@given(conclusions)
def test_while_everything_fits_the_set_is_what_the_messages_say(some):
    outcomes = [one for one in some if one.type == "final"]
    newest = max((one.time // ERA_MS for one in some), default=0)
    young = sorted((one for one in outcomes if one.time // ERA_MS >= newest - 1), key=lambda one: one.final_id)
    late = [one for one in some if one.type == "amendment"]
    expected = [final_of(one, *(a for a in late if a.final_id == one.final_id)) for one in young]
    kept = held(some, 1_000)
    assert [plain(final) for final in kept.sorted()] == [plain(final) for final in expected]
    assert kept.count == len(outcomes) or newest > T0 // ERA_MS + 1


def search(n, time=T0):
    return outcome([page([shown("a", 1)], search=f"s{n}")], search=f"s{n}", time=time)


def test_it_keeps_the_smallest_hashes_of_the_two_newest_eras_and_counts_all():
    kept = FinalSet(200)
    for n in range(3_000):
        kept.add(search(n, T0 + ERA_MS * (n % 3)))
    assert len(kept) == 200
    for era in (1, 2):
        ids = sorted((search(n).final_id for n in range(3_000) if n % 3 == era), key=finals._hash)[:100]
        assert sorted(ids) == [one.final_id for one in kept.sorted() if (one.time - T0) // ERA_MS == era]
    assert kept.count == pytest.approx(2_001, rel=0.15)  # 1 of the era that went, 2,000 to within 1 / sqrt(100)
    before = [plain(one) for one in kept.sorted()]
    kept.add(search(7, T0 - 3 * ERA_MS))
    assert [plain(one) for one in kept.sorted()] == before


def test_the_count_is_exact_until_the_set_is_full():
    kept = FinalSet(1_000)
    for n in range(499):
        kept.add(search(n))
        kept.add(search(n))
        assert kept.count == n + 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3)), max_size=120))
def test_what_is_not_wanted_changes_nothing(some):
    kept = FinalSet(20)
    for n, era in some:
        one, wanted = search(n, T0 + ERA_MS * (era + n % 2)), kept.wants(search(n).final_id, T0 + ERA_MS * (era + n % 2))
        before = [final.final_id for final in kept.sorted()]
        kept.add(one)
        after = [final.final_id for final in kept.sorted()]
        assert wanted or before == after


def test_a_flood_of_amendments_is_bounded_and_still_the_same_in_any_order():
    late = [amendment(act(f"e{n}", search="s1")) for n in range(200)]
    one, other = held([search(1), *late], 10), held([*reversed(late), search(1)], 10)
    assert len(one.sorted()[0].off_page) == finals.LATE
    assert plain(one.sorted()[0]) == plain(other.sorted()[0])
