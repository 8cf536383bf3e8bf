"""The embedded backend for real: what is accepted counts, is there after a restart and a kill, and goes on when something fails."""

import gc
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ops.serving import embedded
from ops.serving.stages import Stages
from ops.trials import parse_trial, with_trial
from schemas.errors import InvalidSetting, NotFound, Unavailable
from schemas.outcomes import Outcome
from streams.embedded.driver import EmbeddedDriver
from streams.kernel.join import RULES
from tests.checks.full_disk import largest_file
from tests.checks.serving import STRATEGIES, Visitor, backend_on, counted, until
from tests.retrievers.shop import game

ROOT = Path(__file__).parents[2]
QUICK = replace(RULES, settle=300)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Versions come as fast as they are made."""
    monkeypatch.setattr(embedded, "PUBLISH_EVERY", 0.02)
    monkeypatch.setattr(embedded, "AGAIN", 0.05)


def in_use(backend):
    return backend.view().policy.seq


def stages(backend):
    return {one.name: one.count for one in backend.flow().stages}


def test_a_click_is_remembered_learned_and_published(tmp_path):
    concluded = []
    with backend_on(tmp_path, rules=QUICK, on_conclusion=concluded.append) as backend:
        visitor = Visitor(backend)
        page = visitor.search("halo")
        entity = visitor.click(page)
        until(lambda: counted(backend, "halo").get(entity) == (1, 1))
        assert backend.view().memory.entities("halo", "") == [entity]
        final = until(lambda: concluded)[0]
        assert isinstance(final, Outcome)
        assert (final.search_id, final.rewards) == (page.impression.search_id, {entity: 256})
        until(lambda: in_use(backend) >= 1)
        assert [one.seq for one in backend.versions()][-1] == in_use(backend)
        assert backend.content(backend.versions()[-1].content_id[:12]).content_id == backend.view().policy.content_id
        assert {name: stages(backend)[name] for name in ("received", "matched", "counted", "used")} == {
            "received": 2, "matched": 1, "counted": 2, "used": 1,
        }  # fmt: skip
        until(lambda: stages(backend)["learned"] == 1)
        assert (backend.flow().behind, backend.flow().set_aside, list(backend.troubles())) == (0, {}, [])
        assert backend.flow().counted_up_to >= page.impression.ts


def test_the_same_event_again_and_one_that_contradicts_it(tmp_path):
    with backend_on(tmp_path) as backend:
        visitor = Visitor(backend)
        page = visitor.search("halo")
        for place in (1, 1):
            visitor.click(page, place)
        backend.emit(page.impression.model_copy(update={"surface": "other"}))
        until(lambda: backend.flow().set_aside == {"conflict": 1})
        assert backend.flow().kinds["impressions"] == 1


def test_a_restart_goes_on_where_it_stopped(tmp_path):
    with backend_on(tmp_path, rules=QUICK) as backend:
        visitor = Visitor(backend)
        entity, *_ = [visitor.click(visitor.search("halo")) for _ in range(5)]
        until(lambda: backend.flow().behind == 0 and in_use(backend) >= 1)
        visitor.click(visitor.search("chess"))  # perhaps not written yet
    told = []
    with backend_on(tmp_path, rules=QUICK, on_conclusion=told.append) as again:
        assert again.view().policy.content_id == again.versions()[-1].content_id
        assert in_use(again) == again.versions()[-1].seq >= 1
        assert counted(again, "halo")[entity][1] >= 1
        assert sum(acted for _, acted in counted(again, "halo").values()) == 5
        until(lambda: sum(acted for _, acted in counted(again, "chess").values()) == 1)
        until(lambda: len({one.final_id for one in told}) == 6)  # the last day's, and those that were open
        versions = len(again.versions())
        Visitor(again, "w").search("halo")
        until(lambda: len(again.versions()) > versions)


KILLED = """
import sys
from pathlib import Path
from tests.checks.serving import Visitor, backend_on, until
with backend_on(Path(sys.argv[1])) as backend:
    visitor = Visitor(backend)
    while True:
        visitor.click(visitor.search("halo"))
        if visitor.searches % 5 == 0:
            until(lambda: backend.flow().behind == 0)
            print("written", visitor.searches, flush=True)
"""


def test_a_killed_server_has_lost_nothing_that_was_written(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        for line in child.stdout:
            if int(line.split()[1]) >= 20:
                break
        os.kill(child.pid, signal.SIGKILL)  # in the middle of the next five
        written = int([line, *child.stdout][-1].split()[1])
    with backend_on(tmp_path) as again:
        clicks = sum(acted for _, acted in counted(again, "halo").values())
        assert written <= clicks <= written + 6
        assert again.flow().kinds.get("duplicate", 0) == 0  # what was not counted was counted now, nothing twice
        visitor = Visitor(again, "w")
        visitor.click(visitor.search("halo"))
        until(lambda: sum(acted for _, acted in counted(again, "halo").values()) == clicks + 1)


def test_rollback_holds_over_a_restart_until_it_is_released(tmp_path):
    with backend_on(tmp_path) as backend:
        visitor = Visitor(backend)
        with pytest.raises(NotFound, match="no older version is kept"):
            backend.order("rollback", "", reason="")
        for _ in range(3):
            visitor.click(visitor.search("halo"))
            seq = in_use(backend)
            until(lambda: in_use(backend) > seq)  # noqa: B023
        first = backend.versions()[0].content_id
        said = backend.order("rollback", first[:12], reason="worse since noon")
        assert said.startswith(f"Version {first[:12]} is in use as number ")
        held = backend.versions()[-1]
        assert (held.content_id, held.pinned, held.reason) == (first, True, "rollback:worse since noon")
        assert backend.view().policy.content_id == first
        visitor.click(visitor.search("halo"))
        until(lambda: backend.flow().behind == 0)
    with backend_on(tmp_path) as again:
        visitor = Visitor(again, "w")
        entity = visitor.click(visitor.search("halo"))
        until(lambda: counted(again, "halo")[entity][1] >= 2)  # memory goes on
        time.sleep(3 * embedded.PUBLISH_EVERY)
        assert again.versions()[-1] == held
        assert (in_use(again), again.view().policy.content_id) == (held.seq, first)
        with pytest.raises(InvalidSetting, match="pinned"):
            again.order("promote", first, reason="")
        again.order("unpin", "", reason="mended")
        until(lambda: again.view().policy.content_id != first)
        assert [one.reason.partition(":")[0] for one in again.versions()][-2:] == ["unpin", "refresh"]
        again.order("pin", "", reason="")
        assert again.versions()[-1].pinned
        with pytest.raises(NotFound, match="forage snapshots list"):
            again.order("rollback", "0" * 64, reason="")


def test_a_disk_that_takes_nothing_stops_learning_not_answering(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(embedded, "ROOM", 8)
    with backend_on(tmp_path) as backend:
        visitor = Visitor(backend)
        visitor.click(visitor.search("halo"))
        until(lambda: backend.flow().behind == 0 and stages(backend)["counted"] == 2)
        before = counted(backend, "halo")
        with largest_file(1), caplog.at_level(logging.CRITICAL):
            page = visitor.search("halo")
            trouble = until(lambda: [one for one in backend.troubles() if one.what == "events"])[0]
            assert trouble.said.startswith("Nothing is counted now: ")
            assert counted(backend, "halo") == before  # what was learned stays
            while backend.emit(page.impression):  # the same again and again: it counts once
                pass
            assert visitor.search("halo").impression.results  # answered, though it could not be logged
            assert visitor.refused == 1
        until(lambda: not backend.troubles())
        until(lambda: backend.flow().behind == 0)
        assert sum(shown for shown, _ in counted(backend, "halo").values()) == 2 * len(page.impression.results)


def test_a_loop_that_could_be_opened_halfway_only_is_opened_when_it_can_be(tmp_path, monkeypatch):
    """Nobody waits for Python to look for garbage: a server makes it look seldom."""
    tick, full = EmbeddedDriver.tick, iter([True, True, False])

    def full_twice(driver, now):
        if next(full, False):
            raise OSError("no room on the disk")
        tick(driver, now)

    gc.disable()
    try:
        with backend_on(tmp_path) as backend:
            monkeypatch.setattr(EmbeddedDriver, "tick", full_twice)
            backend._learning._ticked = 0  # time is passed on with the next turn
            Visitor(backend).search("halo")
            until(lambda: backend.troubles())
            until(lambda: not backend.troubles() and backend.flow().behind == 0)
            assert counted(backend, "halo")
    finally:
        gc.enable()


def test_stages_count_on_when_the_loop_was_opened_anew():
    seen = Stages()
    for impressions in (10, 2, 3):
        seen.counted({"impressions": impressions}, changed=True)
    assert next(one.count for one in seen.read() if one.name == "counted") == 13


def test_a_folder_serves_one_process(tmp_path):
    with backend_on(tmp_path), pytest.raises(Unavailable, match=r"partition-0\.duckdb"), backend_on(tmp_path):
        pass
    with backend_on(tmp_path) as again:
        assert Visitor(again).search("halo").impression.results


def test_new_entities_are_found_and_removed_ones_are_not(tmp_path):
    with backend_on(tmp_path) as backend:
        backend.put([game(50, title="zanzibar")])
        assert Visitor(backend).search("zanzibar").impression.results[0].entity_id == "game:050"
        backend.put([game(50).model_copy(update={"deleted": True})])
        assert "game:050" not in {one.entity_id for one in Visitor(backend, "w").search("zanzibar").ranked}


def test_other_strategies_than_last_time_are_learned_from_the_next_version_on(tmp_path):
    with backend_on(tmp_path) as backend:
        Visitor(backend).search("halo")
        until(lambda: in_use(backend) >= 1)
    with backend_on(tmp_path, strategies=(*STRATEGIES, "fresh")) as again:
        assert "fresh" in until(lambda: again.view().policy.definition.strategies if in_use(again) > 1 else ())
        assert {"lexical", "popular"} <= set(again.view().policy.definition.strategies)


def test_a_promoted_version_decides_what_is_learned_also_after_a_restart(tmp_path):
    with backend_on(tmp_path) as backend:
        Visitor(backend).search("halo")
        until(lambda: in_use(backend) >= 1)
        small = backend.versions()[-1].content_id
    with backend_on(tmp_path, strategies=(*STRATEGIES, "fresh")) as other:
        until(lambda: "fresh" in other.view().policy.definition.strategies)
        other.order("promote", small, reason="fresh was no good")
        Visitor(other, "w").search("halo")
        until(lambda: other.versions()[-1].reason == "refresh")
        assert "fresh" not in other.view().policy.definition.strategies
    with backend_on(tmp_path, strategies=(*STRATEGIES, "fresh")) as again:
        Visitor(again, "x").search("halo")
        seq = in_use(again)
        until(lambda: in_use(again) > seq)
        assert "fresh" not in again.view().policy.definition.strategies


def test_what_is_learned_while_somebody_promotes_does_not_undo_it(tmp_path):
    with backend_on(tmp_path) as backend:
        Visitor(backend).search("halo")
        until(lambda: in_use(backend) >= 1)
        small = backend.versions()[-1].content_id
    with backend_on(tmp_path, strategies=(*STRATEGIES, "fresh")) as other:
        until(lambda: "fresh" in other.view().policy.definition.strategies)
        learn, said = other._learning.refresh, []

        def refresh(*given):
            content = learn(*given)
            if content is not None and not said:
                said.append(other.order("promote", small, reason=""))
            return content

        other._learning.refresh = refresh
        Visitor(other, "w").search("halo")
        until(lambda: said)
        versions = until(lambda: (listed := other.versions())[-1].reason == "refresh" and listed)
        order = [one.reason for one in versions].index("promote")
        assert all("fresh" not in str(other.content(one.content_id).definition) for one in versions[order:])


def test_an_experiment_outlives_publications(tmp_path):
    with backend_on(tmp_path) as backend:
        backend.try_out(with_trial(parse_trial("interleave:rrf:0.5")))
        visitor = Visitor(backend)
        trials = set()
        for _ in range(12):
            decision = visitor.search("halo").impression.decision
            trials.add(decision.trial.name if decision.trial else "")
        until(lambda: backend.versions())
        assert "interleave_rrf" in trials
        pages = [visitor.search("halo").impression.decision for _ in range(12)]
        assert any(one.trial is not None and one.seq > 0 for one in pages)
        until(lambda: backend.flow().behind == 0)
        assert backend.flow().set_aside == {}
