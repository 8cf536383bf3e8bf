"""Methods: what each did, and its chance by kind of search; kinds that were searched too seldom say so."""

from dataclasses import replace

import pytest

from learners.definition import AlwaysSpec, ArmSpec, Definition
from learners.fit import fit
from learners.policy import Policy
from serving.console.kinds import beliefs, chances, typical
from serving.console.methods import FEW, facts
from serving.meters import Chance, Meters, Method, Times

NOTHING = Meters(0, 0, {}, {}, None, 0, {}, ())
DEFINITION = Definition(arms=[ArmSpec.of("popular"), ArmSpec.of("dense"), ArmSpec.of("fresh")], always=[AlwaysSpec(name="lexical")])


def method(asked: int, *, places: int, only: int, chances=None, always: int = 0) -> Method:
    times = Times(asked, 1.0, 2.0, 3.0) if asked else None
    return Method(asked, 10 * asked, 0, 0, always, places, only, times, chances or {})


METERS = replace(
    NOTHING,
    searches=100,
    places=1_000,
    methods={
        "lexical": method(100, places=600, only=100, always=100),
        "popular": method(90, places=300, only=210, chances={"1": Chance(60, 0.8, 0.9, 0.98), "2": Chance(40, 0.9, 0.95, 0.98)}),
        "fresh": method(5, places=20, only=0, chances={"1": Chance(60, 0.02, 0.05, 0.1), "2": Chance(FEW - 1, 0.02, 0.02, 0.02)}),
    },
)


def found(meters: Meters = METERS, *, installed=("lexical", "popular", "fresh", "trigrams"), breakers=None):
    return facts(meters, definition=DEFINITION, installed=installed, expected={"1": {"popular": 0.5}}, breakers=breakers or {})


def test_the_sentence_names_who_is_needed_and_who_is_asked_least():
    alone, least = found().sentence.split(". ")
    assert alone == "Most chosen earns most alone: nothing else found 21\N{NO-BREAK SPACE}% of the places shown"
    assert least == "New in is asked least, in 1 in 23 searches."


def test_every_method_has_its_role():
    assert {row.name: row.role for row in found().rows} == {
        "popular": "arm", "fresh": "arm", "lexical": "always", "trigrams": "unknown", "dense": "missing",
    }  # fmt: skip


def test_methods_that_an_engine_of_ones_own_asks_compete_too():
    roles = {row.name: row.role for row in found(installed=()).rows}
    assert roles == {"popular": "arm", "fresh": "arm", "lexical": "always", "dense": "missing"}
    assert found(installed=()).kinds == found().kinds


def test_shares_are_of_the_places_shown_and_unknown_without_any():
    rows = {row.name: row for row in found().rows}
    assert (rows["popular"].found, rows["popular"].only, rows["popular"].offered) == (0.3, 0.21, 100)
    assert (rows["fresh"].only, rows["trigrams"].only) == (0.0, 0.0)
    assert {row.only for row in found(NOTHING).rows} == {None}


def test_a_chance_over_all_kinds_is_weighted_by_searches():
    chance = next(row.chance for row in found().rows if row.name == "popular")
    assert chance is not None
    assert (chance.count, chance.least, round(chance.mean, 9), chance.most) == (100, 0.8, 0.92, 0.98)


def test_kinds_with_too_few_searches_show_the_typical_chance():
    few = replace(METERS, methods={"popular": method(1, places=1, only=1, chances={"1": Chance(FEW - 1, 0.1, 0.1, 0.1)})})
    assert [(kind.kind, kind.few, kind.chances[0]) for kind in found(few).kinds] == [("1", True, 0.5)]
    assert [(kind.kind, kind.searches, kind.few) for kind in found().kinds] == [("1", 60, False), ("2", 40, False)]


def test_nothing_was_searched():
    assert found(NOTHING).sentence == "All methods still stand at the starting chance: nothing has been searched in this time."


@pytest.mark.parametrize(
    ("late", "failed", "said"),
    [(0, 9, "Most chosen needs a look: 9 of 90 calls failed, 0 were late."), (2, 2, "Most chosen earns most alone")],
)
def test_trouble_is_said_from_a_share_of_calls_on(late, failed, said):
    one = replace(METERS.methods["popular"], late=late, failed=failed)
    assert found(replace(METERS, methods={**METERS.methods, "popular": one})).sentence.startswith(said)


def test_a_method_that_rests_is_named():
    assert found(breakers={"fresh": "open"}).sentence == "New in needs a look: left alone for a while: it kept failing or being late."


def test_chances_and_beliefs_of_an_untrained_version():
    content = fit(DEFINITION, {}, 0)
    p = chances(content, ["1", "2d"])
    policy = Policy(content, seq=0)
    assert p["2d"] == policy.probabilities(typical("2d"), available=["popular", "dense", "fresh"])
    known = beliefs(content, "dense", ["1"])
    assert known["1"].sd > 0.0
    assert beliefs(content, "lexical", ["1"]) == {}
