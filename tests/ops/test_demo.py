"""The demo, small: the same twice, learning from the clicks, and telling what it wrote."""

import io

import pytest

from evaluation.demo_text import text
from evaluation.people.needs import KINDS
from ops.demo import FROM_FEEDBACK, STRATEGIES, Audience, run
from ops.demo_terminal import Lines
from schemas.errors import InvalidSetting

SEARCHES = 400
HALF = 2  # windows of a hundred before the drift


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    stream = io.StringIO()
    return run(seed=5, searches=SEARCHES, out=tmp_path_factory.mktemp("demo") / "new", audience=Lines(stream)), stream.getvalue()


def test_same_seed_same_page_byte_for_byte(tmp_path):
    first, second, other = (
        run(seed=seed, searches=60, out=tmp_path / name, audience=Audience()) for seed, name in ((5, "a"), (5, "b"), (6, "c"))
    )
    assert first.figures == second.figures
    assert first.page.read_bytes() == second.page.read_bytes()
    assert other.figures != first.figures


def test_it_learns(demo):
    """Memory alone, empty at first, finds what people chose; Forage's pages gain on a mix that does not learn."""
    figures = demo[0].figures
    memory, gained = figures["quality"]["memory"], figures["minus"]["convex"]["mean"]
    assert memory[HALF - 1] > 2 * memory[0]
    assert sum(gained[HALF:]) > sum(gained[:HALF])


def test_the_new_album_comes_out_halfway_and_is_found(demo):
    figures = demo[0].figures
    drift, album = figures["drift"], figures["places"]["album"]
    assert (drift["at"], drift["window"]) == (SEARCHES // 2, HALF)
    assert album["on"][:HALF] == album["best"][:HALF] == [0.0] * HALF
    assert album["on"][-1] > 0.0
    assert min(album["best"][HALF:]) > 0.0


def test_nobody_wants_playlists_after_the_drift(demo):
    best = demo[0].figures["places"]["ready_made"]["best"]
    assert min(best[:HALF]) > 0.0
    assert best[HALF:] == [0.0] * HALF


def test_the_tuned_mix_uses_no_feedback(demo):
    weights = demo[0].figures["weights"]
    assert weights.keys() <= set(STRATEGIES) - FROM_FEEDBACK
    assert sum(weights.values()) == pytest.approx(1.0)


def test_figures_say_what_memory_holds(demo):
    memory = demo[0].figures["memory"]
    assert memory["rows"] >= memory["pairs"] > 1_000
    assert [one["kind"] for one in memory["known"]] == ["mood", "artist", "mistake"]
    assert sum(bool(one["pairs"]) for one in memory["known"]) >= 2
    for one in memory["known"]:
        for pair in one["pairs"]:
            assert 2 <= pair["clicked"] <= pair["shown"] <= one["searches"]  # counts after two different people
            assert 0.0 <= pair["true"] <= 1.0  # what was chosen before the drift may be of no use after it
            assert 0.0 < pair["expected"] < 1.0


def test_chances_are_within_the_floor(demo):
    kinds = demo[0].figures["kinds"]
    assert list(kinds) == list(KINDS)
    for one in kinds.values():
        assert one["chance"].keys() <= set(STRATEGIES)
        assert all(0.02 - 1e-9 < p < 0.98 + 1e-9 for chances in (one["chance"], one["first"]) for p in chances.values())


def test_progress_is_told_while_it_runs_and_the_page_is_where_it_says(demo):
    result, told = demo
    first, *lines = told.splitlines()
    assert [line.split()[0] for line in lines] == ["100", "200", "drift:", "300", "400"]
    assert f"{sum(result.figures['catalogue'].values())} items" in first
    assert result.page.name == "demo.html"
    assert f"{result.figures['memory']['pairs']:,}" in result.page.read_text("utf-8")
    assert text(result.figures).count("\n") > 30


def test_no_searches_are_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="searches is 0; use at least 1"):
        run(seed=1, searches=0, out=tmp_path, audience=Audience())


def test_one_search_is_enough_for_a_page(tmp_path):
    result = run(seed=1, searches=1, out=tmp_path, audience=Audience())
    assert result.figures["searches"] == 1
    assert result.figures["drift"] is None
    assert "</html>" in result.page.read_text("utf-8")
    assert text(result.figures)
