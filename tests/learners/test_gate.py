import numpy as np
import pytest

from learners.fit import fit
from learners.gate import refusal
from schemas.snapshots import Array, Content, Manifest
from tests.learners.requests import definition

CONTENT = fit(definition(), {}, 0)


def manifest(content=CONTENT, seq=2, reason="refresh", **applied):
    return Manifest(
        model="selection-1",
        content_id=content.content_id,
        seq=seq,
        publisher_epoch=0,
        created=0,
        feature_schema="x",
        parts=["0" * 64],
        applied=applied,
        reason=reason,
    )


def with_array(name, values):
    return Content(CONTENT.definition, {**CONTENT.arrays, name: Array("<f8", values.shape, values.astype("<f8").tobytes())})


def test_a_good_refresh_is_accepted():
    assert refusal(CONTENT, manifest()) is None
    assert refusal(CONTENT, manifest(p0=[5, 5], p1=[9, 9]), running=manifest(seq=1, p0=[5, 4])) is None


@pytest.mark.parametrize("applied", [{}, {"p0": [4, 9]}, {"p0": [5]}])
def test_a_refresh_that_knows_less_is_refused_a_rollback_is_not(applied):
    running = manifest(seq=1, p0=[5, 4])
    assert "source p0" in refusal(CONTENT, manifest(**applied), running=running)
    assert refusal(CONTENT, manifest(reason="rollback", **applied), running=running) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (with_array("mean", np.full((4, 12), np.inf)), "NaN or infinity"),
        (with_array("mean", np.zeros((4, 3))), "shape"),
        (with_array("examination.theta", np.ones(5)), "'examination.theta' has shape"),
        (with_array("examination.theta", np.full(6, 1.5)), "must be probabilities"),
        (with_array("rank.w", np.array([1.0, np.nan])), "'rank.w' holds NaN or infinity"),
        (with_array("covariance", -np.tile(np.eye(12), (4, 1, 1))), "makes no policy"),
        (Content({}, CONTENT.arrays), "feature schema None"),
        (Content({**CONTENT.definition, "policy": 5}, CONTENT.arrays), "makes no policy"),
        (Content({k: v for k, v in CONTENT.definition.items() if k != "policy"}, CONTENT.arrays), "makes no policy"),
    ],
)
def test_content_that_cannot_run_is_refused(bad, words):
    assert words in refusal(bad, manifest(bad))


def test_content_of_another_manifest_is_refused():
    assert "not the one" in refusal(fit(definition(salt="other"), {}, 0), manifest())


def test_noise_that_is_no_variance_is_refused():
    bad = with_array("sigma2", np.full(4, -1.0))
    assert "'sigma2' must be above 0" in refusal(bad, manifest(bad))


def test_a_source_that_was_made_anew_replaces_the_old_one_partition_by_partition():
    running = manifest(seq=1, **{"state.shares/old/0": [50], "state.shares/old/1": [60], "control/c": [3]})
    both = {"state.shares/new/0": [0], "state.shares/new/1": [2], "control/c": [3]}
    assert refusal(CONTENT, manifest(**both), running=running) is None
    for missing in both:
        less = {name: at for name, at in both.items() if name != missing}
        assert f"source {missing.replace('new', 'old')}" in refusal(CONTENT, manifest(**less), running=running)
    assert "state.shares/new/1" in refusal(CONTENT, manifest(seq=3, **{**both, "state.shares/new/1": [1]}), running=manifest(**both))
