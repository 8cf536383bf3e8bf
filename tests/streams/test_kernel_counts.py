"""What the kernel counts, row by row, with numbers worked by hand."""

import pytest

from schemas.decisions import Always, Arm, Shadow
from schemas.events import Impression, Query
from schemas.ids import client_hash
from streams.kernel.join import Rules
from tests.streams.searchbox import (
    DAY,
    HOUR,
    LEX,
    MEM,
    MIN,
    RULES,
    WINDOW,
    Box,
    act,
    conclusions,
    counts,
    decision,
    nothing,
    page,
    reasons,
    sums,
)  # fmt: skip

FOUND, SOLE = 1, 2
CLICK = 256


def draws(changes, arm):
    """Non-zero draw sums of an arm as {(bin, column): count}."""
    return {divmod(index, 3): n for index, n in enumerate(sums(changes, "draw", arm)) if n}


def test_an_impression_counts_its_entities_at_their_positions_at_once():
    entities = {f"e{position}": {} for position in range(1, 13)}
    changes = Box().put(page(results=entities))
    bins = {1: 0, 2: 1, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 4, 9: 4, 10: 4, 11: 5, 12: 5}
    assert counts(changes) == {f"e{position}": ({bin_: 1}, {}, 0) for position, bin_ in bins.items()}
    assert {key[:2] + key[3:] for key in changes.memory} == {("halo 3", "", DAY)}
    assert changes.acted == set()


def test_every_asked_arm_counts_its_features_once_with_reward_zero():
    changes = Box().put(page())
    # n, y, y^2, y phi (2), phi phi' = 256 * 256, 256 * 128, 128 * 128
    assert sums(changes, "arm", "lex") == [1, 0, 0, 0, 0, 65536, 32768, 16384]
    assert sums(changes, "arm", "mem") == [1, 0, 0, 0, 0, 65536, -16384, 4096]
    assert draws(changes, "lex") == {(0, 0): 5, (1, 0): 5, (2, 0): 2}  # 12 returned: 1-5, 6-10, 11-12
    assert draws(changes, "mem") == {(0, 0): 3}
    assert set(changes.tallies) == {
        (kind, arm, context, HOUR) for kind, context in (("arm", "f/2"), ("draw", "2d")) for arm in ("lex", "mem")
    }


def test_an_arm_that_was_not_asked_counts_nothing_and_one_that_failed_counts_as_asked():
    skipped = Arm(name="skip", asked=False, propensity=0.3, phi=[1, 2], returned=0, status="not_asked")
    failed = Arm(name="dead", asked=True, propensity=0.3, phi=[1, 2], returned=0, status="failed")
    changes = Box().put(page(results={}, by=decision([skipped, failed])))
    assert sums(changes, "arm", "skip") == sums(changes, "draw", "skip") == []
    assert sums(changes, "arm", "dead") == [1, 0, 0, 0, 0, 1, 2, 4]
    assert draws(changes, "dead") == {}


def test_what_shadow_strategies_found_teaches_nobody():
    plain, heard = Box(), Box()
    skipped = Arm(name="skip", asked=False, propensity=0.3, phi=[1, 2], status="not_asked")
    by = decision([LEX, MEM, skipped])
    shadow = [Shadow(name=name, p=0.05, found=["a", "z"]) for name in ("skip", "new_one")]
    seen = {"a": {"lex": 1}, "z": {"lex": 3, "skip": 1}}  # a source that was not asked
    for event in (page(results=seen, by=by), act("1", at=MIN), act("2", at=MIN, entity="z"), act("3", at=MIN, entity="nowhere")):
        told = event.model_copy(update={"decision": by.model_copy(update={"shadow": shadow})}) if isinstance(event, Impression) else event
        without, with_shadow = plain.put(event), heard.put(told)
        assert {key: one.tolist() for key, one in with_shadow.tallies.items()} == {k: one.tolist() for k, one in without.tallies.items()}
        assert with_shadow.memory == without.memory
        assert {arm for _, arm, _, _ in with_shadow.tallies} <= {"lex", "mem"}


def test_an_action_counts_once_for_each_entity_and_kind():
    box = Box()
    box.put(page())
    first = box.put(act("1", at=MIN))
    assert counts(first) == {"a": ({}, {"click": 1}, 1)}
    assert [clients for _, clients in first.memory.values()] == [frozenset({client_hash("u", b"")})]
    assert first.acted == set(first.memory)
    assert not (again := box.put(act("2", at=2 * MIN))).memory
    assert not again.tallies
    assert counts(box.put(act("3", at=2 * MIN, kind="purchase"))) == {"a": ({}, {"purchase": 1}, 1)}
    assert counts(box.put(act("4", at=2 * MIN, entity="b"))) == {"b": ({}, {"click": 1}, 1)}


def test_credit_goes_to_the_only_finder_and_its_moments_follow():
    box = Box()
    box.put(page())
    click = box.put(act("1"))  # y: 0 -> 256
    assert sums(click, "arm", "lex") == [0, 256, 65536, 256 * 256, 256 * 128, 0, 0, 0]
    assert draws(click, "lex") == {(0, FOUND): 1, (0, SOLE): 1}
    assert sums(click, "arm", "mem") == []
    buy = box.put(act("2", kind="purchase"))  # y: 256 -> 1280
    assert sums(buy, "arm", "lex") == [0, 1024, 1280**2 - 256**2, 1024 * 256, 1024 * 128, 0, 0, 0]
    assert not draws(buy, "lex")  # the entity is found once, whatever is done with it
    both = box.put(act("3", entity="b"))  # lex and mem found it: nobody's credit
    assert sums(both, "arm", "lex") == sums(both, "arm", "mem") == []
    assert (draws(both, "lex"), draws(both, "mem")) == ({(0, FOUND): 1}, {(0, FOUND): 1})
    deep = box.put(act("4", entity="c"))
    assert sums(deep, "arm", "mem") == [0, 256, 65536, 256 * 256, 256 * -64, 0, 0, 0]
    assert draws(deep, "mem") == {(1, FOUND): 1, (1, SOLE): 1}  # rank 7


def test_what_an_always_on_strategy_found_too_is_nobodys_credit():
    by = decision([LEX], always=[Always(name="base", returned=2)])
    box = Box()
    shown = box.put(page(results={"a": {"lex": 1, "base": 1}, "b": {"base": 2}}, by=by))
    assert draws(shown, "base") == {(0, 0): 2}
    assert sums(shown, "arm", "base") == []
    click = box.put(act("1"))
    assert sums(click, "arm", "lex") == []
    alone = box.put(act("2", entity="b"))
    assert (sums(alone, "arm", "base"), draws(alone, "base")) == ([], {(0, FOUND): 1, (0, SOLE): 1})


def test_a_strategy_that_was_not_asked_finds_nothing():
    skipped = Arm(name="skip", asked=False, propensity=0.3, phi=[1, 2])
    box = Box()
    box.put(page(results={"a": {"lex": 1, "skip": 1}}, by=decision([LEX, skipped])))
    click = box.put(act("1"))
    assert (sums(click, "arm", "lex")[1], sums(click, "draw", "skip")) == (256, [])


def test_a_kind_without_reward_is_remembered_and_teaches_no_arm():
    box = Box()
    box.put(page())
    seen = box.put(act("1", kind="viewed"))
    assert (counts(seen), seen.tallies) == ({"a": ({}, {"viewed": 1}, 1)}, {})


def test_credit_of_a_search_ends_at_sixteen():
    # Purchases of 4 each of five entities that lex alone found: 4, 8, 12, 16, 16 rewards.
    box, entities = Box(), [f"e{n}" for n in range(5)]
    box.put(page(results={entity: {"lex": rank} for rank, entity in enumerate(entities, 1)}))
    y = [sums(box.put(act(entity, entity=entity, kind="purchase")), "arm", "lex") for entity in entities]
    assert [row[1:3] for row in y[:4]] == [[1024, (1024 * n) ** 2 - (1024 * n - 1024) ** 2] for n in range(1, 5)]
    assert y[4] == []


def test_an_action_off_the_page_counts_without_credit_and_the_final_says_so():
    box = Box()
    box.put(page())
    off = box.put(act("1", entity="elsewhere"))
    assert (counts(off), off.tallies) == ({"elsewhere": ({}, {"click": 1}, 1)}, {})
    (final,) = conclusions(box.pass_to(WINDOW))
    assert (final.off_page, final.rewards, [action.action_id for action in final.actions]) == (1, {"elsewhere": CLICK}, ["1"])


def test_credit_reaches_an_action_whose_entity_a_later_page_shows():
    box = Box()
    box.put(page())
    assert not box.put(act("1", entity="late", at=1)).tallies
    second = box.put(page(number=2, at=MIN, results={"late": {"lex": 60}}, first=11))
    assert sums(second, "arm", "lex") == [0, 256, 65536, 65536, 32768, 0, 0, 0]  # no second n, no second phi phi'
    assert draws(second, "lex") == {(4, FOUND): 1, (4, SOLE): 1}  # rank 60; what was drawn counted with page 1
    assert counts(second) == {"late": ({5: 1}, {}, 0)}


def test_a_second_page_can_take_credit_away_again():
    box = Box()
    box.put(page(results={"a": {"lex": 8}}))
    box.put(act("1"))
    second = box.put(page(number=2, at=MIN, results={"a": {"lex": 3, "mem": 1}}, first=11))
    assert sums(second, "arm", "lex") == [0, -256, -65536, -65536, -32768, 0, 0, 0]
    # lex's best rank is 3 now; mem found it too, so it is no longer lex's alone
    assert draws(second, "lex") == {(1, FOUND): -1, (1, SOLE): -1, (0, FOUND): 1}
    assert draws(second, "mem") == {(0, FOUND): 1}


def test_an_impression_without_a_decision_teaches_memory_only():
    box = Box()
    changes = box.put(page(by=None))
    assert (set(counts(changes)), changes.tallies) == ({"a", "b", "c"}, {})
    click = box.put(act("1"))
    assert (counts(click), click.tallies) == ({"a": ({}, {"click": 1}, 1)}, {})


def test_an_action_on_nothing_is_kept_for_the_final_alone():
    box = Box()
    box.put(page())
    assert not box.put(act("1", entity=None, kind="other", name="scrolled")).memory
    (final,) = conclusions(box.pass_to(WINDOW))
    assert ([action.name for action in final.actions], final.rewards, final.off_page) == (["scrolled"], {}, 0)


def test_rows_are_kept_by_the_first_pages_key_segment_and_day():
    box = Box()
    first = box.put(page(query=Query(text="x", key="k"), segment="de"))
    assert {key[:2] + key[3:] for key in first.memory} == {("k", "de", DAY)}
    later = page(number=2, at=MIN, results={"z": {}}, first=11, query=Query(text="other"), segment="fr")
    later = later.model_copy(update={"ts": later.ts - 20 * 3_600_000})
    second = box.put(later, at=MIN)
    assert {key[:2] + key[3:] for key in second.memory} == {("k", "de", DAY)}
    assert {key[1:2] + key[3:] for key in box.put(act("1", at=MIN)).memory} == {("de", DAY)}


@pytest.mark.parametrize(
    ("more", "who"), [({}, "u"), ({"session_id": "v"}, "u"), ({"client_id": None, "session_id": "v"}, "v"), ({"client_id": None}, "s")]
)
def test_people_are_counted_by_client_else_session_else_search_under_a_keyed_hash(more, who):
    rules = Rules(rewards=RULES.rewards, client_key=b"secret")
    box = Box(rules=rules)
    box.put(page(**more))
    ((_, clients),) = box.put(act("1")).memory.values()
    assert clients == {client_hash(who, b"secret")} != {client_hash(who, b"")}


def test_a_held_action_counts_as_if_it_had_come_after_its_impression():
    early, late = Box(), Box()
    assert not early.put(act("1", at=-MIN)).memory
    held = early.put(page())
    late.put(page())
    direct = late.put(act("1", at=-MIN), at=0)
    assert counts(held)["a"] == ({0: 1}, {"click": 1}, 1)
    assert counts(direct) == {"a": ({}, {"click": 1}, 1)}
    assert sums(held, "arm", "lex") == [1, 256, 65536, 65536, 32768, 65536, 32768, 16384]
    assert sums(direct, "arm", "lex") == [0, 256, 65536, 65536, 32768, 0, 0, 0]


def test_features_of_another_length_are_kept_apart_and_stop_nothing():
    box = Box()
    box.put(page())
    odd = Arm(name="lex", asked=True, propensity=0.7, phi=[256, 128, 7], returned=0)
    changes = box.put(page("t", by=decision([odd])))
    assert {key: len(one) for key, one in changes.tallies.items() if key[0] == "arm"} == {("arm", "lex", "f/3", HOUR): 12}
    assert reasons(changes) == []


def test_a_tick_moves_time_and_nothing_else():
    box = Box()
    box.put(page())
    changes = box.pass_to(5 * MIN)
    assert nothing(changes)
    assert (changes.counters["tick"], changes.next) == (2, {"impressions": 2, "actions": 1})
