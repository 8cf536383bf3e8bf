"""Figures of a demo from hand-made searches, and the text and page made of them."""

import re
from html import escape
from html.parser import HTMLParser

import pytest

from evaluation.demo_figures import Watched, summary, watch, window_of
from evaluation.demo_report import page
from evaluation.demo_text import text, verdict
from evaluation.people.listeners import Listener
from schemas.decisions import Arm, Decision

NASTY = '<img src=x onerror="alert(1)">'
ABOUT = {"seed": 3, "people": 12, "catalogue": {"song": 5}, "queries": {"title": 1}}
PAIR = {"title": NASTY, "type": "song", "shown": 20, "clicked": 9, "expected": 0.12, "now": 0.44, "true": 0.5}
MEMORY = {
    "rows": 1_234,
    "pairs": 567,
    "queries": 8,
    "known": [
        {"query": "a & b", "kind": "mood", "searches": 40, "pairs": [PAIR]},
        {"query": "unknown", "kind": "artist", "searches": 1, "pairs": []},
    ],
}


def one(kind="title", learned=0.5, rrf=0.4, chance=0.9, asked=2, explored=0.0):
    return Watched(
        kind, {"learned": learned, "rrf": rrf}, {"learned": 0.3, "rrf": 0.2}, {"lexical": chance, "memory": 0.25}, asked, explored
    )


@pytest.fixture(scope="module")
def figures():
    """400 searches of three kinds: learned gets from 0.2 to 0.6, rrf stays at 0.4; nobody searches by artist."""
    kinds = ("title", "mood", "mistake", "title")
    return summary([one(kinds[n % 4], learned=0.2 + n // 100 * 0.4 / 3) for n in range(400)], about=ABOUT, memory=MEMORY)


def test_windows_are_a_twentieth_but_at_least_a_hundred():
    assert [window_of(searches) for searches in (1, 99, 100, 1_999, 4_000)] == [1, 99, 100, 100, 200]


def test_figures_by_hand(figures):
    assert (figures["window"], figures["settled"]) == (100, 100)
    assert figures["quality"]["learned"] == pytest.approx([0.2, 1 / 3, 7 / 15, 0.6])
    assert figures["quality"]["rrf"] == pytest.approx([0.4] * 4)
    assert figures["top3"]["learned"] == pytest.approx([30.0] * 4)
    assert figures["ahead"] == pytest.approx({"mean": 0.2, "low": 0.2, "high": 0.2})
    title, artist = figures["kinds"]["title"], figures["kinds"]["artist"]
    assert (title["searches"], title["chance"]["lexical"], title["quality"]["learned"]) == (50, pytest.approx(0.9), pytest.approx(0.6))
    assert artist["searches"] == 0
    assert artist["quality"] == {"learned": None, "rrf": None}
    assert artist["over_time"]["memory"] == [None] * 4


def test_a_search_is_judged_by_what_its_person_wanted():
    arms = [
        Arm(name="lexical", asked=True, propensity=0.9), Arm(name="memory", asked=False, propensity=0.7),
        Arm(name="popular", asked=True, propensity=0.1), Arm(name="dense", asked=False, propensity=0.2),
    ]  # fmt: skip
    decision = Decision(decision_id="d", content_id="c", seq=1, available=["dense", "lexical", "memory", "popular"], arms=arms)
    pages = {"learned": ["a", "b"], "rrf": ["b", "x", "y", "a"]}
    seen = watch("mood", pages, {"a": 0.8, "b": 0.4}, Listener("l", frozenset(), 2), decision)
    best = 0.8 + 0.4 * 0.6309298  # 1 / log2(3)
    assert seen.quality == pytest.approx({"learned": 1.0, "rrf": (0.4 + 0.8 * 0.4306766) / best}, rel=1e-6)  # 1 / log2(5)
    assert seen.top3 == pytest.approx({"learned": 0.8 + 0.4 * 2**-0.7, "rrf": 0.4})
    assert (seen.asked, seen.explored) == (2, 0.5)  # memory was likely and left out, popular unlikely and asked


@pytest.mark.parametrize(
    ("rrf", "word"),
    [([0.4, 0.4], "AHEAD of"), ([0.6, 0.6], "BEHIND"), ([0.4, 0.6], "NOT YET AHEAD of")],
)
def test_verdict_says_what_the_interval_says(rrf, word):
    searches = [one(rrf=rrf[n % 2]) for n in range(400)]
    told = summary(searches, about=ABOUT, memory=MEMORY)
    assert verdict(told).startswith(f"{word} the fixed mix")
    assert f">{word.removesuffix(' AHEAD of').removesuffix(' of')}<" in page(told)


def test_text_holds_the_figures(figures):
    told = text(figures)
    assert "went from 0.20 to 0.60" in told
    assert re.search(r"title +50 +90 % -> 90 % +25 % -> 25 %", told)
    assert re.search(r"artist +0 +- -> - +- -> -", told)
    assert re.search(r"1-100 +0\.200 +0\.400 +30 +20 +2\.00 +0 %", told)
    assert "Memory: 1,234 rows, 567 pairs" in told
    assert re.search(r"\(song\) +20 +9 +0\.12 +0\.44 +0\.50", told)
    assert "nothing known yet" in told


class Tags(HTMLParser):
    """Every element that opens and what is still open at the end."""

    VOID = frozenset({"meta", "line", "path", "circle", "br"})

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_holds_the_figures_and_closes_what_it_opens(figures):
    html = page(figures)
    for figure in ("0.20 → 0.60", "1,234", "567", "400 times", "+0.200", "0.600", "forage demo --seed 3 --searches 400", "−"):
        assert figure in html
    assert "$" not in html
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    charts = [attrs for tag, attrs in tags.seen if tag == "svg"]
    assert len(charts) == 12  # quality, a panel for each of four kinds, tries: each wide and narrow
    assert all(attrs["role"] == "img" for attrs in charts)


def test_page_escapes_names(figures):
    html = page(figures)
    assert NASTY not in html
    assert escape(NASTY) in html
    assert "“a &amp; b”" in html


def test_page_needs_nothing_else(figures):
    html = page(figures)
    assert not re.search(r"https?:|//|@import|url\(|<script|<link|<img|<iframe", html.replace(escape(NASTY), ""))
    assert "prefers-color-scheme: dark" in html
    assert len(html) < 300_000


def test_every_narrow_chart_fits_a_screen_of_360_px(figures):
    """12 px of margin on both sides, and 16 more inside a card."""
    widths = [int(width) for width in re.findall(r'class="narrow"><svg viewBox="0 0 (\d+)', page(figures))]
    assert len(widths) == 6
    assert max(widths) <= 360 - 2 * 12
    assert sorted(widths)[3] <= 360 - 2 * 12 - 16
