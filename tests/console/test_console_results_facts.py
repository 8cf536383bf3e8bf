"""Results: the verdict of an experiment in words, and what is shown where nothing can be said."""

from dataclasses import replace

import pytest

from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.registry import manifest_of
from learners.trials.reading import Estimate, Lacking, Side, TrialResult
from serving.console import results
from serving.console.drawing import DAY
from serving.console.results import Facts, rival_of, trial_of, verdict
from serving.outcomes import OutcomeSums

HOUR = results.HOUR_MS
SIDE = Side(searches=1_200, acted=0.4, reward=0.5, empty=0.01, places=5.0)
AHEAD = TrialResult(
    "interleave_rrf", "interleaved", 0, HOUR, SIDE, replace(SIDE, reward=0.4), 700,
    difference=Estimate(0.1, 0.06, 0.14), acted=Estimate(0.05, 0.01, 0.09), always=Estimate(0.1, 0.03, 0.17), better="a", lacking=None,
)  # fmt: skip
BEHIND = replace(AHEAD, difference=Estimate(-0.1, -0.14, -0.06), always=Estimate(-0.1, -0.17, -0.03), better="b")
OPEN = replace(AHEAD, always=Estimate(0.1, -0.01, 0.21), better="")
FEW = replace(AHEAD, difference=None, acted=None, always=None, better="", lacking=Lacking("people", 12, 20))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (AHEAD, "Better than the fixed mix: +0.100 choices a search, between +0.030 and +0.170, from 1,200 searches in the last 24 hours."),
        (BEHIND, "Not as good as the fixed mix: −0.100 choices a search"),
        (OPEN, "No difference to the fixed mix can be told yet: +0.100 choices a search, between −0.010"),
        (FEW, "Not enough different people yet (12 of 20) to compare with the fixed mix: no verdict before that."),
    ],
)
def test_the_verdict_goes_by_the_interval_that_holds_at_every_look(result, said):
    assert verdict(trial_of(result), "24 hours").startswith(said)


def test_without_an_experiment_nobody_can_say():
    assert verdict(None, "7 days").startswith("No comparison ran in the last 7 days, so nobody can say")


def test_searches_of_two_groups_add_up():
    assert trial_of(AHEAD).searches == 1_200
    assert trial_of(replace(AHEAD, kind="split")).searches == 2_400


@pytest.mark.parametrize(("result", "tone"), [(AHEAD, "ok"), (BEHIND, "bad"), (OPEN, "quiet"), (FEW, "few")])
def test_every_outcome_has_words_and_a_tone_of_its_own(result, tone):
    trial = trial_of(result)
    assert (trial.tone, bool(trial.decision)) == (tone, True)


def test_a_version_is_named_by_its_number():
    content = fit(Definition(arms=[ArmSpec.of("lexical")]), {}, 0)
    kept = [manifest_of(content, seq=38, publisher_epoch=0, created=1, applied={}, reason="refresh", pinned=False)]
    assert rival_of(f"split_{content.content_id[:12]}", kept) == "version 38"
    assert rival_of(f"split_{'0' * 12}", kept) == f"“split_{'0' * 12}”"


def found(*trials: TrialResult, kinds=None, steps=()) -> Facts:
    told = [trial_of(one) for one in trials]
    return Facts("said", told, told[0] if told else None, kinds or {}, steps, HOUR, [(100, 40), (100, 10)])


def test_charts_say_what_is_too_few():
    chart = str(results.by_kind(found(AHEAD, kinds={"1": FEW, "2": BEHIND})))
    assert "too few: 12 of 20" in chart
    assert 'class="dot up"' in chart
    assert 'class="dot down"' in chart
    assert results.by_kind(found()) is None


def test_the_line_begins_with_three_steps_and_keeps_its_gaps():
    steps = [replace(AHEAD, first=at * HOUR, last=(at + 1) * HOUR) for at in (0, 1, 3, 5)]
    assert results.over_time(found(AHEAD, steps=steps[:2])) is None
    line = str(results.over_time(found(AHEAD, steps=steps)))
    assert line.count("05:00") == 2  # once for wide, once for narrow screens


def test_figures_for_a_spreadsheet():
    rows = results.rows_of(found(AHEAD, FEW, kinds={"1": BEHIND}))
    assert rows[1][:6] == ("interleave_rrf", "", 1_200, 1_200, 0.5, 0.4)
    assert rows[2][6:] == (None, None, None)
    assert rows[3][1] == "1"


def test_nothing_has_settled():
    nothing = results.facts(OutcomeSums(), since=0, period=DAY)
    assert nothing.chosen is None
    assert results.by_place(nothing) is None
