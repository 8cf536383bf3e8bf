"""Lines: places worked by hand, gaps stay gaps, names are escaped."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from display.charts.line import LABEL, LEFT, Frame, Line, Mark, both_frames, line_chart
from display.charts.number_line import small_line

FRAME = Frame(width=348, height=232, top=1.0, per_point=100)  # plot: x from 44 to 244, y from 8 (1.0) to 208 (0.0)


def drawn(*lines: Line, frame: Frame = FRAME) -> ET.Element:
    return ET.fromstring(line_chart("title", "what it says", lines, frame=frame))


def test_points_stand_where_their_values_say():
    path = drawn(Line("a", "learned", [0.5, 1.0])).find("path")
    assert path.attrib == {"class": "line learned", "d": "M144.0 108.0L244.0 8.0"}
    assert LEFT == 44


def test_a_gap_is_not_bridged_and_zero_is_not_a_gap():
    assert drawn(Line("a", "x", [0.0, None, 0.0, 0.0])).find("path").get("d") == "M94.0 208.0h-3M194.0 208.0L244.0 208.0"
    assert drawn(Line("a", "x", [None, None])).find("path") is None
    assert "No data yet." in [one.text for one in drawn(Line("a", "x", [None, None])).iter("text")]


def test_values_beyond_the_axis_stay_inside():
    assert drawn(Line("a", "x", [7.0, -7.0])).find("path").get("d") == "M144.0 8.0L244.0 208.0"


def test_axes_begin_at_zero_and_count_searches():
    texts = [one.text for one in drawn(Line("a", "x", [0.5] * 20)).iter("text")]
    assert texts[:6] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert texts[6:8] == ["1,000", "2,000"]
    percent = drawn(Line("a", "x", [0.1]), frame=Frame(348, 100, 0.2, 100, percent=True, labelled=False))
    assert [one.text.replace("\N{NO-BREAK SPACE}", " ") for one in percent.iter("text")][:3] == ["0 %", "10 %", "20 %"]


def test_names_at_the_ends_never_overlap_nor_leave_the_chart():
    for values in ([0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 0.01, 0.0], [1.0, 1.0, 0.99, 1.0]):
        dots = drawn(*(Line(f"n{at}", "x", [value]) for at, value in enumerate(values))).findall("circle")
        places = sorted(float(dot.get("cy")) for dot in dots)
        assert len(places) == 4
        assert all(after - before >= LABEL - 0.01 for before, after in pairwise(places))
        assert places[0] >= 8
        assert places[-1] <= 208


def test_chart_tells_what_it_shows_and_escapes_it():
    svg = line_chart("<b>", "a & b", [Line("<script>", "x", [0.5])], frame=FRAME)
    root = ET.fromstring(svg)  # well formed, whatever the names are
    assert (root.find("title").text, root.find("desc").text) == ("<b>", "a & b")
    assert "<script>" not in svg
    assert root.get("role") == "img"


def test_each_width_is_a_drawing_of_its_own():
    text = both_frames("t", "d", [Line("a", "x", [0.5])], wide=Frame(900, 300, 1.0, 100), narrow=Frame(330, 280, 1.0, 100))
    assert re.findall(r'class="(wide|narrow)"><svg [^>]*viewBox="0 0 (\d+) ', text) == [("wide", "900"), ("narrow", "330")]


def test_a_mark_stands_between_its_points_and_makes_room_for_its_word():
    root = drawn(Line("a", "x", [0.5, 0.5, 1.0, 1.0]), frame=Frame(348, 232, 1.0, 100, marks=(Mark(2, "<drift>"),)))
    rule = root.find("line[@class='mark']")
    assert (rule.get("x1"), rule.get("x2")) == ("144.0", "144.0")  # the end of the second of four windows
    assert "<drift>" in [one.text for one in root.iter("text")]
    assert root.find("path").get("d").endswith("L244.0 26.0")


def test_an_axis_may_go_below_zero():
    root = drawn(Line("a", "x", [-0.1, 0.0, 0.1]), frame=Frame(348, 232, 0.1, 100, low=-0.1))
    assert [point.split(" ")[1] for point in re.split("[ML]", root.find("path").get("d"))[1:]] == ["208.0", "108.0", "8.0"]
    assert [one.text for one in root.iter("text")][:5] == ["−0.10", "−0.05", "0", "+0.05", "+0.10"]
    assert root.find("line[@class='zero']").get("y1") == "108.0"


def test_a_band_goes_there_above_and_back_below_and_stops_at_gaps():
    line = Line("a", "x", [0.5, None, 0.5, 0.5], low=[0.0, None, 0.0, 0.5], high=[1.0, None, 1.0, 1.0])
    assert drawn(line).find("path[@class='band x']").get("d") == ("M94.0 8.0L94.0 208.0ZM194.0 8.0L244.0 8.0L244.0 108.0L194.0 208.0Z")


def test_a_number_line_says_its_numbers_and_keeps_inside():
    root = ET.fromstring(small_line(0.0, 1.7, 0.5))
    assert root.find("title").text == "expected 0.00, now 1.70, true 0.50"
    assert [one.get("cx") for one in root.findall("circle")] == ["6.0", "126.0"]
    assert root.find("line[@class='truth']").get("x1") == "66.0"
