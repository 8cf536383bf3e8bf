"""Every chart, with no data, one point, zeros, gaps and much: titled, described, well formed, inside its frame, without inline style."""

import re
import xml.etree.ElementTree as ET

import pytest

from display.charts.bars import Bar, bars, overlap
from display.charts.dumbbell import Pair, dumbbell
from display.charts.intervals import Dot, dot_intervals
from display.charts.line import Line, Mark, over_time
from display.charts.matrix import MatrixRow, matrix
from display.charts.number_line import small_line, weighted_mean
from display.charts.reliability import Bin, reliability
from display.charts.svg import NARROW, WIDE
from display.charts.waterfall import MOST, Step, waterfall
from display.colours import style

LONG = "A title & <name> that is much longer than any screen has room for, as they are in real catalogues"
SUM = {"start": ("any item", -3.8), "end": "expected"}
CASES = [
    (over_time, "none", ([],), {}),
    (over_time, "unknown", ([Line("a", "main", [None, None])],), {}),
    (over_time, "one", ([Line("a", "main", [0.4])],), {}),
    (over_time, "zeros", ([Line("a", "main", [0.0, 0.0]), Line("b", "up", [0.0, 0.0])],), {"counts": [0, 0]}),
    (over_time, "gaps", ([Line("a", "main", [0.1, None, -0.2, None], [0.0, None, -0.3, None], [0.2, None, 0.0, None])],),
     {"marks": [Mark(1, LONG), Mark(2, "b")], "counts": [3, 0, 9, 1], "names": ["Mon", "Tue", "Wed", "Thu"], "zero": "the fixed mix"}),
    (over_time, "much", ([Line(LONG, "m0", [n / 7 for n in range(200)]), Line("b", "m1", [12_345.6] * 200)],), {"percent": True}),
    (bars, "none", ([],), {}),
    (bars, "one", ([Bar("a", 3)],), {}),
    (bars, "zeros", ([Bar("a", 0), Bar("b", 0)],), {}),
    (bars, "gaps", ([Bar(LONG, 1.5, "m0", "2 only it"), Bar("b", None, note="not asked"), Bar("c", -2.0)],), {}),
    (bars, "top", ([Bar("a", 3)],), {"top": 1.0}),
    (overlap, "none", (0, 0, 0), {}),
    (overlap, "one", (0, 10, 0), {}),
    (overlap, "both", (3, 7, 3), {"names": (LONG, "B")}),
    (dot_intervals, "none", ([],), {}),
    (dot_intervals, "one", ([Dot("a", 0.3)],), {"reference": (0.0, "no gain"), "limits": (0.02, 0.98)}),
    (dot_intervals, "zeros", ([Dot("a", 0.0, 0.0, 0.0, 0.0, 0.0)],), {}),
    (dot_intervals, "gaps", ([Dot(LONG, None, note="n 0"), Dot("b", 0.2, 0.1, few="too few (3 of 50)"), Dot("c", -1.0, -2.0, 5.0)],),
     {"low": -1.0, "top": 1.0}),
    (matrix, "none", ([], []), {}),
    (matrix, "one", (["WM"], [MatrixRow("a", [0.5], "1")]), {}),
    (matrix, "zeros", (["WM", "CB"], [MatrixRow("a", [0.0, 0.0], "0", True)]), {}),
    (matrix, "gaps", ([LONG, "CB"], [MatrixRow(LONG, [None, 1.0], "1,200"), MatrixRow("b", [0.4, 0.98], "12", True)]), {}),
    (matrix, "much", ([f"m{n}" for n in range(12)], [MatrixRow(str(row), [row / 9] * 12, "9") for row in range(9)]), {}),
    (waterfall, "none", ([],), SUM),
    (waterfall, "one", ([Step("a", 2.0)],), SUM | {"start_note": "1 in 46", "end_note": "1 in 7"}),
    (waterfall, "zeros", ([Step("a", 0.0)],), {"start": ("any item", 0.0), "end": "expected"}),
    (waterfall, "much", ([Step(f"{LONG} {n}", (-1) ** n * n / 5) for n in range(20)],), SUM),
    (weighted_mean, "none", (0.08, None, 0.08), {}),
    (weighted_mean, "zeros", (0.0, 0.0, 0.0), {}),
    (weighted_mean, "much", (0.08, 3.5, 2.9), {"expected_note": "weight 2", "seen_note": LONG}),
    (dumbbell, "none", ([],), {}),
    (dumbbell, "one", ([Pair("a", 0.1, 0.2, "84")],), {}),
    (dumbbell, "zeros", ([Pair("a", 0.0, 0.0, "0")],), {}),
    (dumbbell, "gaps", ([Pair(LONG, 0.1, None, "0"), Pair("b", 0.3, 0.1, "12,000")],), {}),
    (reliability, "none", ([],), {}),
    (reliability, "zeros", ([Bin(0.0, None, None, None, 0)],), {}),
    (reliability, "one", ([Bin(0.1, 0.1, 0.0, 0.4, 12)],), {}),
    (reliability, "gaps", ([Bin(0.1, None, None, None, 2), Bin(0.5, 0.6, 0.4, 0.8, 300)],), {}),
]  # fmt: skip
IDS = [f"{chart.__name__}-{name}" for chart, name, _, _ in CASES]
CLASSES = set(re.findall(r"\.([a-z]\w*)", style()))


@pytest.fixture(params=[WIDE, NARROW])
def width(request):
    return request.param


@pytest.mark.parametrize(("chart", "name", "data", "more"), CASES, ids=IDS)
def test_it_is_told_well_formed_and_styled_by_class(chart, name, data, more, width):
    svg = chart("A <title>", "what & why", *data, width=width, **more)
    root = ET.fromstring(svg)
    assert (root.get("role"), root.find("title").text, root.find("desc").text) == ("img", "A <title>", "what & why")
    assert not re.search(r"\bstyle=|<style|\bon\w+=|\bid=|href|nan|inf\b", svg.replace(" inf", ""))
    used = {word for one in root.iter() for word in one.get("class", "").split()}
    assert used <= CLASSES, used - CLASSES
    assert chart("A <title>", "what & why", *data, width=width, **more) == svg


@pytest.mark.parametrize(("chart", "name", "data", "more"), CASES, ids=IDS)
def test_it_stays_inside_its_frame_and_is_as_wide_as_was_asked(chart, name, data, more, width):
    root = ET.fromstring(chart("t", "d", *data, width=width, **more))
    wide, high = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert wide <= width or chart is matrix
    for one in root.iter():
        for across, at in (("x", wide), ("cx", wide), ("x1", wide), ("x2", wide), ("y", high), ("cy", high), ("y1", high), ("y2", high)):
            if across in one.attrib:
                assert -1.0 <= float(one.get(across)) <= at + 1.0, (one.tag, one.attrib)
        if one.tag == "rect":
            assert float(one.get("x")) + float(one.get("width")) <= wide + 1.0


@pytest.mark.parametrize(
    "chart", sorted({case[0] for case in CASES} - {waterfall, weighted_mean, overlap, matrix}, key=lambda one: one.__name__)
)
def test_without_data_it_says_so_in_words_and_draws_no_axis(chart):
    root = ET.fromstring(chart("t", "d", []))
    assert next(one.text.lower() for one in root.iter("text")).startswith("no ")
    assert not list(root.iter("line"))


def test_no_data_zero_and_too_few_look_different():
    rows = [Dot("none", None), Dot("zero", 0.0, -0.1, 0.1), Dot("few", 0.3, few="too few (3 of 50)")]
    texts = [one.text for one in ET.fromstring(dot_intervals("t", "d", rows)).iter("text")]
    assert "—" in texts
    assert "too few (3 of 50)" in texts
    assert len(list(ET.fromstring(dot_intervals("t", "d", rows)).iter("circle"))) == 1
    cells = ET.fromstring(matrix("t", "d", ["a", "b", "c"], [MatrixRow("r", [None, 0.0, 0.5], "9")]))
    assert [one.text for one in cells.iter("text")][-4:] == ["—", "0.00", "0.50", "9"]
    assert [one.get("class") for one in cells.iter("rect")] == ["h0", "h2"]


def test_a_waterfall_ends_where_its_steps_lead_and_groups_the_smaller_ones():
    steps = [Step(f"s{n}", n / 10) for n in range(-10, 11)]
    texts = [one.text for one in ET.fromstring(waterfall("t", "d", steps, **SUM)).iter("text")]
    assert texts[-2:] == ["expected", "−3.800"]
    assert len(texts) == 2 * (MOST + 2)
    assert f"{len(steps) - MOST + 1} smaller reasons" in texts
    bars_ = list(ET.fromstring(waterfall("t", "d", [Step("up", 2.0), Step("down", -1.0)], **SUM)).iter("rect"))
    assert [one.get("class") for one in bars_] == ["bar up", "bar down"]
    ends = [(float(one.get("x")), float(one.get("x")) + float(one.get("width"))) for one in bars_]
    assert ends[0][1] == pytest.approx(ends[1][1], abs=0.2)  # what went up begins to go down where it arrived
    assert (ends[1][1] - ends[1][0]) / (ends[0][1] - ends[0][0]) == pytest.approx(0.5, abs=0.01)


def test_a_weighted_mean_lies_between_its_two_points():
    root = ET.fromstring(weighted_mean("t", "d", 0.1, 0.3, 0.25))
    hollow, full = (float(one.get("cx")) for one in root.iter("circle"))
    (seen,) = (float(one.get("x1")) for one in root.iter("line") if one.get("class") == "truth")
    assert hollow < full < seen
    assert (full - hollow) / (seen - hollow) == pytest.approx(0.75, abs=0.01)


def test_a_small_line_says_its_numbers():
    assert ET.fromstring(small_line(0.1, 0.4)).find("title").text == "expected 0.10, now 0.40"
