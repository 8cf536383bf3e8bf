"""The demo, small: the same twice, learning from the clicks, and telling what it wrote."""

import pytest

from evaluation.demo_text import text
from evaluation.people.listeners import KINDS
from ops.demo import run
from schemas.errors import InvalidSetting


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    lines = []
    return run(seed=5, searches=600, out=tmp_path_factory.mktemp("demo") / "new", progress=lines.append), lines


def test_same_seed_same_page_byte_for_byte(tmp_path):
    first, second, other = (
        run(seed=seed, searches=60, out=tmp_path / name, progress=lambda line: None) for seed, name in ((5, "a"), (5, "b"), (6, "c"))
    )
    assert first.figures == second.figures
    assert first.page.read_bytes() == second.page.read_bytes()
    assert other.figures != first.figures


def test_it_learns(demo):
    """Memory alone, empty at first, finds what people chose; all of Forage's pages together draw more clicks."""
    figures = demo[0].figures
    memory, learned = figures["quality"]["memory"], figures["quality"]["learned"]
    assert memory[-1] > memory[0] + 0.1
    assert sum(learned[-3:]) > sum(learned[:3])
    assert figures["asked"][-1] < figures["asked"][0]


def test_figures_say_what_memory_holds(demo):
    memory = demo[0].figures["memory"]
    assert memory["rows"] >= memory["pairs"] > 1_000
    assert [one["kind"] for one in memory["known"]] == ["artist", "mood", "mistake"]
    assert sum(bool(one["pairs"]) for one in memory["known"]) >= 2
    for one in memory["known"]:
        for pair in one["pairs"]:
            assert 2 <= pair["clicked"] <= pair["shown"] <= one["searches"]  # counts after two different people
            assert 0.0 < pair["true"] <= 1.0
            assert 0.0 < pair["expected"] < 1.0


def test_chances_are_within_the_floor(demo):
    kinds = demo[0].figures["kinds"]
    assert kinds.keys() == KINDS.keys()
    for one in kinds.values():
        assert one["chance"].keys() == {"lexical", "memory", "popular"}
        assert all(0.02 - 1e-9 < p < 0.98 + 1e-9 for chances in (one["chance"], one["first"]) for p in chances.values())


def test_progress_is_told_while_it_runs_and_the_page_is_where_it_says(demo):
    result, lines = demo
    assert [line.split()[0] for line in lines[1:]] == ["100", "200", "300", "400", "500", "600"]
    assert "400 entities" in lines[0]
    assert result.page.name == "demo.html"
    assert f"{result.figures['memory']['pairs']:,}" in result.page.read_text("utf-8")
    assert text(result.figures).count("\n") > 30


def test_no_searches_are_refused(tmp_path):
    with pytest.raises(InvalidSetting, match="searches is 0; use at least 1"):
        run(seed=1, searches=0, out=tmp_path, progress=lambda line: None)


def test_one_search_is_enough_for_a_page(tmp_path):
    result = run(seed=1, searches=1, out=tmp_path, progress=lambda line: None)
    assert result.figures["searches"] == 1
    assert "</html>" in result.page.read_text("utf-8")
    assert text(result.figures)
