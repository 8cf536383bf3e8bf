"""Charts as SVG: places worked by hand, gaps stay gaps, names are escaped."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from evaluation.charts import LABEL, LEFT, Frame, Line, both_widths, line_chart

FRAME = Frame(width=348, height=232, top=1.0, per_point=100)  # plot: x from 44 to 244, y from 8 (1.0) to 208 (0.0)


def drawn(*lines: Line, frame: Frame = FRAME) -> ET.Element:
    return ET.fromstring(line_chart("title", "what it says", lines, frame))


def test_points_stand_where_their_values_say():
    path = drawn(Line("a", "learned", [0.5, 1.0])).find("path")
    assert path.attrib == {"class": "line learned", "d": "M144.0 108.0L244.0 8.0"}
    assert LEFT == 44


def test_a_gap_is_not_bridged_and_zero_is_not_a_gap():
    assert drawn(Line("a", "x", [0.0, None, 0.0, 0.0])).find("path").get("d") == "M94.0 208.0M194.0 208.0L244.0 208.0"
    assert drawn(Line("a", "x", [None, None])).find("path").get("d") == ""


def test_values_beyond_the_axis_stay_inside():
    assert drawn(Line("a", "x", [7.0, -7.0])).find("path").get("d") == "M144.0 8.0L244.0 208.0"


def test_axes_begin_at_zero_and_count_searches():
    texts = [one.text for one in drawn(Line("a", "x", [0.5] * 20)).iter("text")]
    assert texts[:5] == ["0", "0.25", "0.5", "0.75", "1"]
    assert texts[5:7] == ["1,000", "2,000"]
    percent = drawn(Line("a", "x", [0.1]), frame=Frame(348, 100, 0.2, 100, percent=True, labelled=False))
    assert [one.text for one in percent.iter("text")][:3] == ["0 %", "10 %", "20 %"]


def test_names_at_the_ends_never_overlap_nor_leave_the_chart():
    for values in ([0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 0.01, 0.0], [1.0, 1.0, 0.99, 1.0]):
        dots = drawn(*(Line(f"n{at}", "x", [value]) for at, value in enumerate(values))).findall("circle")
        places = sorted(float(dot.get("cy")) for dot in dots)
        assert len(places) == 4
        assert all(after - before >= LABEL - 0.01 for before, after in pairwise(places))
        assert places[0] >= 8
        assert places[-1] <= 208


def test_chart_tells_what_it_shows_and_escapes_it():
    svg = line_chart("<b>", "a & b", [Line("<script>", "x", [0.5])], FRAME)
    root = ET.fromstring(svg)  # well formed, whatever the names are
    assert (root.find("title").text, root.find("desc").text) == ("<b>", "a & b")
    assert "<script>" not in svg
    assert root.get("role") == "img"


def test_each_width_is_a_drawing_of_its_own():
    text = both_widths("t", "d", [Line("a", "x", [0.5])], wide=Frame(900, 300, 1.0, 100), narrow=Frame(330, 280, 1.0, 100))
    assert re.findall(r'class="(wide|narrow)"><svg viewBox="0 0 (\d+) ', text) == [("wide", "900"), ("narrow", "330")]
