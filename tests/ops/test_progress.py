"""Progress: not too often, and nothing but lines where there is no terminal."""

from io import StringIO

from ops.progress import Progress


class Terminal(StringIO):
    def isatty(self):
        return True


def test_elsewhere_a_line_every_fifteen_seconds():
    now, out = [0.0], StringIO()
    shown = Progress(out, clock=lambda: now[0])
    for second in range(61):
        now[0] = float(second)
        shown("searches", second * 10, 1_200)
    shown.close()
    assert out.getvalue().splitlines() == [
        "searches: 150 of 1,200  12 %, 1 min 45 s to go",  # 10 a second: 1,050 are left
        "searches: 300 of 1,200  25 %, 1 min 30 s to go",
        "searches: 450 of 1,200  37 %, 1 min 15 s to go",
        "searches: 600 of 1,200  50 %, 1 min 00 s to go",
    ]


def test_on_a_terminal_one_line_is_rewritten_and_cleared():
    now, out = [0.0], Terminal()
    shown = Progress(out, clock=lambda: now[0])
    shown("a", 0, 4)
    now[0] = 0.1
    shown("a", 1, 4)  # too soon
    now[0] = 0.2
    shown("a", 2, 4)
    shown.close()
    shown.close()
    assert out.getvalue().replace("\x1b[K", "|") == "\ra: 0 of 4   0 %|\ra: 2 of 4  50 %, 0 s to go|\r|"


def test_without_a_total_it_counts():
    now, out = [0.0], Terminal()
    shown = Progress(out, clock=lambda: now[0])
    shown("sent", 1_234, 0)
    assert out.getvalue() == "\rsent: 1,234\x1b[K"
