"""Figures of a demo from hand-made searches, and the text, sentences and page made of them."""

import re
from html import escape
from html.parser import HTMLParser

import pytest

from evaluation import demo_sentences as say
from evaluation.demo_figures import Watched, difference, summary, watch, window_of
from evaluation.demo_report import page
from evaluation.demo_text import WIDTH, text
from evaluation.people.listeners import Listener
from schemas.decisions import Arm, Decision

NASTY = '<img src=x onerror="alert(1)">'
ABOUT = {"seed": 3, "people": 12, "catalogue": {"song": 5}, "queries": {"title": 1}, "weights": {"lexical": 0.7, "popular": 0.3}}
DRIFT = {"at": 600, "album": NASTY, "artist": "B & C"}
PAIR = {"title": NASTY, "type": "song", "shown": 20, "clicked": 9, "expected": 0.12, "now": 0.44, "true": 0.5}
PASSED = {
    "memory": {
        "rows": 1_234,
        "pairs": 567,
        "queries": 8,
        "known": [
            {"query": "a & b", "kind": "mood", "searches": 40, "pairs": [PAIR]},
            {"query": "unknown", "kind": "artist", "searches": 1, "pairs": []},
        ],
    },
    "tried": {"pairs": 50, "known": 5, "examples": [{"query": NASTY, "title": "T", "type": "song", "how": "a test place", "clicks": 7}]},
    "examination": {"true": [1.0] + [0.5] * 9, "start": [1.0] + [0.2] * 9, "now": {"curve": [1.0] + [0.45] * 9, "se": [0.0] + [0.1] * 9}},
}


def one(kind="title", learned=0.5, rrf=0.4, convex=0.31, chance=0.9, **more):
    return Watched(
        kind, {"learned": learned, "rrf": rrf, "convex": convex}, {"learned": 0.3, "rrf": 0.2, "convex": 0.1},
        {"lexical": chance, "memory": 0.25}, 2, 0.1, **more,
    )  # fmt: skip


def figures_of(searches, drift=DRIFT, **passed):
    return summary(searches, about=ABOUT, drift=drift, **(PASSED | passed))


@pytest.fixture(scope="module")
def figures():
    """1,200 searches of three kinds: learned gets from 0.2 to 0.75, the mixes stay; nobody searches by artist. The album comes at 600."""
    kinds = ("title", "mood", "mistake", "title")
    return figures_of(
        [
            one(
                kinds[n % 4], learned=0.2 + n // 100 * 0.05, chance=0.9 if kinds[n % 4] != "mood" else 0.6, clicks=2, thanks=n % 2,
                album=(n // 1_000, n // 600), ready_made=(2 - n // 600, 0),
            )
            for n in range(1_200)
        ]
    )  # fmt: skip


def test_windows_are_a_fortieth_but_at_least_a_hundred():
    assert [window_of(searches) for searches in (1, 99, 100, 3_999, 8_000)] == [1, 99, 100, 100, 200]


def test_figures_by_hand(figures):
    assert (figures["window"], figures["settled"], figures["drift"]["window"]) == (100, 300, 6)
    assert figures["quality"]["learned"] == pytest.approx([0.2 + 0.05 * n for n in range(12)])
    assert figures["quality"]["rrf"] == pytest.approx([0.4] * 12)
    assert figures["top3"]["learned"] == pytest.approx([30.0] * 12)
    assert figures["ahead"]["rrf"]["mean"] == pytest.approx(0.3)
    assert figures["minus"]["convex"]["mean"] == pytest.approx([0.05 * n - 0.11 for n in range(12)])
    assert figures["minus"]["convex"]["low"] == pytest.approx(figures["minus"]["convex"]["high"])  # all searches of a window are alike
    title, artist = figures["kinds"]["title"], figures["kinds"]["artist"]
    assert (title["searches"], title["chance"]["lexical"], title["quality"]["learned"]) == (150, pytest.approx(0.9), pytest.approx(0.7))
    assert artist["searches"] == 0
    assert artist["quality"] == {"learned": None, "rrf": None, "convex": None}
    assert artist["over_time"]["memory"] == [None] * 12
    topical, spear = (figures["groups"][group] for group in ("topical", "spearfishing"))
    assert (topical["searches"], spear["searches"]) == (75, 225)
    assert (topical["chance"]["lexical"], spear["chance"]["lexical"]) == (pytest.approx(0.6), pytest.approx(0.9))
    assert figures["clicks"] == pytest.approx([2.0] * 12)
    assert figures["thanks"] == pytest.approx([0.25] * 12)
    assert figures["places"]["album"] == {"on": [0.0] * 10 + [1.0] * 2, "best": [0.0] * 6 + [1.0] * 6}
    assert figures["places"]["ready_made"]["on"] == [2.0] * 6 + [1.0] * 6


def test_an_interval_by_hand():
    mean, half = difference([one(learned=0.5), one(learned=0.7)], "rrf")  # 0.1 and 0.3: mean 0.2, standard error 0.1
    assert (mean, half) == (pytest.approx(0.2), pytest.approx(0.196))
    assert difference([one(learned=0.5)], "rrf")[1] == 0.0


def test_a_search_is_judged_by_what_its_person_wanted():
    arms = [
        Arm(name="lexical", asked=True, propensity=0.9), Arm(name="memory", asked=False, propensity=0.7),
        Arm(name="popular", asked=True, propensity=0.1), Arm(name="dense", asked=False, propensity=0.2),
    ]  # fmt: skip
    decision = Decision(decision_id="d", content_id="c", seq=1, available=["dense", "lexical", "memory", "popular"], arms=arms)
    pages = {"learned": ["a", "b"], "rrf": ["b", "x", "y", "a"]}
    seen = watch(
        "mood", pages, {"a": 0.8, "b": 0.4}, Listener("l", {}, 2), by=decision, by_score=["c", "a"], album=frozenset({"a", "z"}),
        ready_made=frozenset({"x"}),
    )  # fmt: skip
    best = 0.8 + 0.4 * 0.6309298  # 1 / log2(3)
    assert seen.quality == pytest.approx({"learned": 1.0, "rrf": (0.4 + 0.8 * 0.4306766) / best}, rel=1e-6)  # 1 / log2(5)
    assert seen.top3 == pytest.approx({"learned": 0.8 + 0.4 * 2**-0.7, "rrf": 0.4})
    assert (seen.asked, seen.against) == (2, 0.5)  # memory was likely and left out, popular unlikely and asked
    assert (seen.outside, seen.moved, seen.album, seen.ready_made) == (0.5, 0.5, (1, 1), (0, 0))


@pytest.mark.parametrize(
    ("rrf", "convex", "word"),
    [
        ([0.4, 0.4], [0.3, 0.3], "AHEAD"), ([0.6, 0.6], [0.3, 0.3], "BEHIND"), ([0.4, 0.6], [0.3, 0.3], "NOT YET"),
        ([0.3, 0.3], [0.4, 0.6], "NOT YET"), ([0.4, 0.6], [0.6, 0.6], "BEHIND"),
    ],
)  # fmt: skip
def test_verdict_says_what_the_intervals_say(rrf, convex, word):
    told = figures_of([one(rrf=rrf[n % 2], convex=convex[n % 2]) for n in range(400)], drift=None)
    assert say.verdict(told).word == word
    assert f">{word}<" in page(told)
    assert text(told).startswith(f"{word}: ")


def test_sentences_are_computed(figures):
    assert say.quality(figures).startswith("Its pages have been ahead of the mix by rank in every window since search 500. ")
    assert "since search 300." in say.quality(figures)
    assert "page quality was 0.40 in the 300 searches before it, 0.55 in the 300 after it, and 0.70" in say.drifted(figures)
    assert "500 searches after it came out" in say.album(figures)
    assert "went down: from 2.0 a page before the drift to 1.0" in say.ready_made(figures)
    assert "Word match differs most: asked for 60 % of topical and 90 % of spearfishing" in say.asked(figures).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "no method's chance on topical searches has moved" in say.moved(figures)
    assert "5 (10 %) are known only because something was tried" in say.tried(figures).replace("\N{NO-BREAK SPACE}", " ")
    assert say.examination(figures) == "The estimate is right: over the 10 places it is off by 0.04 on average, the start by 0.27."
    assert say.memory(figures) == (
        "For 1 of these 1 pairs what happened moved the score nearer to the truth: it was off by 0.38 on average, now by 0.06."
    )
    assert say.by_kind(figures) == "Against the better of the two fixed mixes: ahead of it on a mood, a title and something with a slip."
    assert say.weights(figures) == "Tuned mix: Word match 0.7 and Most chosen 0.3"


def test_sentences_say_when_there_is_nothing_to_say():
    short = figures_of([one()] * 50, drift=None, tried={"pairs": 3, "known": 0, "examples": []}, memory=PASSED["memory"] | {"known": []})
    words = {
        say.drifted: "too short",
        say.album: "too short",
        say.ready_made: "too short",
        say.tried: "none is known",
        say.memory: "Nothing",
    }
    for sentence, word in words.items():
        assert word in sentence(short)
    lost = figures_of([one(rrf=0.9)] * 200, drift=None)
    assert "not ahead of the mix by rank at the end" in say.quality(lost)
    assert say.by_kind(lost) == "Against the better of the two fixed mixes: behind it on a title."
    assert "level with it on a title" in say.by_kind(figures_of([one(rrf=0.503)] * 200, drift=None))


def test_text_holds_the_figures(figures):
    told = text(figures).replace("\N{NO-BREAK SPACE}", " ")
    assert "went from 0.20 to 0.75" in told.replace("\n", " ")
    assert re.search(r"Word match +60 % +— +— +90 % +90 % +—", told)
    assert re.search(r"Mix by rank +0\.400 +— +— +0\.400 +0\.400 +—", told)
    assert "Memory: 1,234 rows, 567 pairs" in told
    assert re.search(r"\(song\) +20 +9 +0\.12 +0\.44 +0\.50", told)
    assert "nothing known yet" in told
    assert max(map(len, told.splitlines())) <= WIDTH


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
    for figure in (
        "0.20 → 0.75",
        "1,234",
        "567",
        "40 times",
        "+0.300",
        "+0.30",
        "0.70",
        "forage demo --no-serve --seed 3 --searches 1200",
        "−",
        ">drift<",
    ):
        assert figure in html
    assert "$" not in html
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    wide = re.findall(r'class="wide"><svg', html)
    assert len(wide) == 11  # quality, two differences, two of places, two strategies, three of tries, examination
    assert all(attrs.get("role") == "img" or attrs.get("aria-hidden") for tag, attrs in tags.seen if tag == "svg")


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
    html = page(figures)
    alone, carded = (
        [int(width) for width in re.findall(rf'(?s){before}<div class="wide">.*?class="narrow"><svg [^>]*viewBox="0 0 (\d+)', html)]
        for before in ("<figure>", "</h3>")
    )
    assert (len(alone), len(carded)) == (2, 9)
    assert max(alone) <= 360 - 2 * 12
    assert max(carded) <= 360 - 2 * 12 - 16
