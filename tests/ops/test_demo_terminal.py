"""The dashboard on a made-up terminal: it draws over itself, never wider nor higher than the terminal, and leaves it as it was."""

import io
import re

import pytest

from evaluation.demo_figures import Watched
from ops.demo_terminal import Dashboard, Lines, audience

ABOUT = {"seed": 3, "people": 12, "catalogue": {"song": 5}, "album": "Umbrellas of Valparaiso", "artist": "Merriweather & Castellan"}
STRATEGIES = ("lexical", "lexical_title", "trigrams", "memory", "neighbours", "popular", "xmr", "fresh")
CODE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._said = encoding

    @property
    def encoding(self):
        return self._said

    def isatty(self):
        return True


def searches(count):
    quality, chance = {"learned": 0.5, "rrf": 0.4, "convex": 0.45}, dict.fromkeys(STRATEGIES, 0.98)
    more = {"outside": 0.1, "moved": 0.2, "clicks": 2, "thanks": 1, "album": (1, 1)}
    return [Watched(("mood", "title")[n % 2], quality, quality, chance, 8, 0.1, **more) for n in range(count)]


def run(stream, *, columns=80, rows=24, coloured=True, count=400):
    now = iter(range(10_000))
    shown = Dashboard(stream, columns=columns, rows=rows, coloured=coloured, clock=lambda: next(now))
    shown.begins(ABOUT, searches=count, drift_at=count // 2, strategies=STRATEGIES)
    done = searches(count)
    for at in range(50, count + 1, 50):
        shown.saw(done[:at])
    shown.ends()
    return stream.getvalue()


def screens(told):
    """The drawings, without their codes."""
    return [CODE.sub("", one).splitlines() for one in re.split(r"\r(?:\x1b\[\d+A)?", told)[1:]]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24), (80, 10), (200, 50)])
def test_it_fits_the_terminal(columns, rows):
    for screen in screens(run(Terminal(), columns=columns, rows=rows)):
        assert len(screen) <= rows
        assert max(map(len, screen)) <= min(80, columns)


def test_nothing_is_cut_at_80_columns_and_24_rows():
    last = screens(run(Terminal()))[-1]
    assert "AHEAD: +0.100 ± 0.000 (mix by rank), +0.050 ± 0.000 (tuned mix)" in last
    assert [line.split("  ")[0] for line in last if line.endswith(" 98 %    ")] == [
        "Word match", "Title match", "Letter match", "Chosen before", "Similar searches", "Most chosen", "Learned match", "New in",
    ]  # fmt: skip
    assert any("playlists are out" in line for line in last)
    assert any(line.startswith("NEW ALBUM") and line.endswith("1.00") for line in last)


def test_each_drawing_goes_up_by_its_own_height_and_the_cursor_comes_back():
    told = run(Terminal())
    ups = [int(up) for up in re.findall(r"\x1b\[(\d+)A", told)]
    assert len(set(ups)) == 1
    assert ups[0] == len(screens(told)[0])
    assert told.startswith("\x1b[?25l")
    assert told.endswith("\x1b[?25h\n")
    assert "\x1b[2J" not in told  # clearing is what flickers


def test_colour_and_letters_can_be_left_out():
    assert "\x1b[1m" in run(Terminal())
    assert not re.search(r"\x1b\[[\d;]*m", run(Terminal(), coloured=False))
    assert run(Terminal(encoding="ascii")).count("#") > 100
    assert "█" not in run(Terminal(encoding="ascii"))


def test_it_is_drawn_four_times_a_second_at_most():
    stream = Terminal()
    times = iter(n * 0.01 for n in range(1_000))
    shown = Dashboard(stream, columns=80, rows=24, coloured=False, clock=lambda: next(times))
    shown.begins(ABOUT, searches=400, drift_at=200, strategies=STRATEGIES)
    done = searches(400)
    for at in range(1, 101):  # one second
        shown.saw(done[:at])
    assert 4 <= len(screens(stream.getvalue())) <= 5


def test_a_pipe_and_a_dumb_terminal_get_lines():
    assert isinstance(audience(io.StringIO(), {"TERM": "xterm"}), Lines)
    assert isinstance(audience(Terminal(), {"TERM": "dumb"}), Lines)
    assert isinstance(audience(Terminal(), {}), Lines)
