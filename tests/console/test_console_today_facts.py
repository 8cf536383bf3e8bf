"""Today: five numbers, what is wrong as sentences, what changed."""

from dataclasses import replace

import pytest

from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.registry import manifest_of
from serving.backend import Flow, Stage, Trouble
from serving.console import results
from serving.console.drawing import DAY
from serving.console.today import facts
from serving.meters import Meters, Method, Times
from serving.outcomes import OutcomeSums, Traffic

NOW = 10_000_000_000
NOTHING = Meters(0, 0, {}, {}, None, 0, {}, ())
BUSY = replace(NOTHING, searches=400, ms=Times(420, 4.0, 12.0, 30.0))
FLOW = Flow([Stage(name, 30, 1.0) for name in ("received", "matched", "counted", "learned", "published", "loaded", "used")], 0, NOW, {}, {})
CONTENT = fit(Definition(arms=[ArmSpec.of("lexical")]), {}, 0)


def published(seq: int, *, reason: str = "refresh", pinned: bool = False, created: int = NOW - 5_000):
    return manifest_of(CONTENT, seq=seq, publisher_epoch=0, created=created, applied={}, reason=reason, pinned=pinned)


SETTLED = Traffic(300, 120, 6, 130.0)


def found(meters: Meters = BUSY, *, traffic=SETTLED, flow=FLOW, troubles=(), manifests=(), breakers=None):
    return facts(
        meters, found=results.facts(OutcomeSums(), since=0, period=DAY), traffic=traffic, flow=flow, troubles=troubles,
        manifests=manifests, breakers=breakers or {}, period=DAY, now=NOW,
    )  # fmt: skip


def test_a_quiet_day_has_no_problem_and_five_numbers():
    day = found()
    assert day.problems == []
    assert [(one.label, one.value) for one in day.numbers] == [
        ("Difference to a fixed mix", "—"),
        ("Searches with a choice", "40.0\N{NO-BREAK SPACE}%"),
        ("Searches", "400"),
        ("95 of 100 answered within", "12 ms"),
        ("Events counted", "30"),
    ]
    assert all(one.href.startswith("/console/") for one in day.numbers)


def test_nothing_has_been_searched():
    day = found(NOTHING, traffic=Traffic(0, 0, 0, 0.0))
    assert day.sentence.startswith("No searches yet.")
    assert [one.value for one in day.numbers] == ["—", "—", "0", "—", "30"]


def test_what_is_missing_is_said_with_its_remedy():
    day = found(troubles=[Trouble("memory", "No memory yet; start the worker.")])
    assert [(one.tone, one.said) for one in day.problems] == [("warn", "No memory yet; start the worker.")]


def method(asked: int, failed: int) -> Method:
    return Method(asked, 0, 0, failed, 0, 0, 0, None, {})


@pytest.mark.parametrize(("asked", "failed", "told"), [(100, 5, True), (100, 4, False), (49, 49, False)])
def test_a_method_is_a_problem_from_one_call_in_twenty_on(asked, failed, told):
    day = found(replace(BUSY, methods={"dense": method(asked, failed)}))
    assert [one.said for one in day.problems] == (
        [f"Meaning match failed {failed} times and was late 0 times of 100 calls."] if told else []
    )


def test_a_method_that_rests_is_said_once():
    day = found(replace(BUSY, methods={"dense": method(100, 50)}), breakers={"dense": "open", "lexical": "closed"})
    assert [one.said for one in day.problems] == ["Meaning match is left alone for a while: it kept failing or being late."]
    assert day.problems[0].href == "/console/methods?method=dense#method"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"empty": 40}, "1 in 10 searches found nothing (40 of 400)."),
        ({"ms": Times(400, 100.0, 900.0, 1_000.0)}, "Answers are slow: 5 of 100 took longer than 900 ms."),
        ({"refused": {"too_many": 60, "no_room": 2}}, "62 requests were refused, most of them as “too many”."),
    ],
)
def test_searches_that_go_wrong(change, said):
    assert [one.said for one in found(replace(BUSY, **change)).problems] == [said]


def test_a_late_stage_is_a_problem_unless_its_cause_was_named():
    late = replace(FLOW, stages=[replace(one, age=600.0) if one.name == "learned" else one for one in FLOW.stages])
    assert [one.said for one in found(flow=late).problems] == ["“Learned” is late: the last one was 10 min ago."]
    named = found(flow=late, troubles=[Trouble("broker", "The broker is away.")])
    assert [one.said for one in named.problems] == ["The broker is away."]


def test_a_hold_is_a_problem_that_can_be_ended_from_here():
    day = found(manifests=[published(1), published(2, reason="rollback: promo week", pinned=True)])
    assert "Version 2 is held" in day.problems[0].said
    assert day.problems[0].href.startswith("/console/versions?hold=release")


def test_what_changed_are_the_last_update_and_what_people_decided():
    old = published(1, created=NOW - 3 * 86_400_000)
    day = found(manifests=[old, published(2, reason="rollback: promo week"), published(3), published(4)])
    assert [one.said for one in day.changes] == [
        "Version 4: automatic update, same contents as version 1",
        "Version 2: went back: “promo week”, same contents as version 1",
    ]
