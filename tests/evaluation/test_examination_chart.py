"""The examination chart: places worked by hand, bars as long as their errors, well formed."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from evaluation.charts import LEFT, Frame
from evaluation.examination_chart import BARS, examination_chart, examination_figure

NS = "{http://www.w3.org/2000/svg}"
FRAME = Frame(width=348, height=232, top=1.0, per_point=1)  # plot: x from 44 to 244, y from 8 (1.0) to 208 (0.0)
CURVE, SE = [1.0, 0.5, 0.25, 0.0], [0.0, 0.1, 0.05, 0.2]


def drawn(**more):
    return ET.fromstring(examination_chart(CURVE, SE, start=[1.0, 0.5], frame=FRAME, **more))


def paths(root, name):
    return [one.get("d") for one in root.iter(f"{NS}path") if one.get("class") == name]


def test_curves_stand_where_their_values_say():
    root = drawn(truth=[1.0, 0.6, 0.3, 0.1])
    assert LEFT == 44
    assert paths(root, "line estimate")[0] == "M94.0 8.0L144.0 108.0L194.0 158.0L244.0 208.0"
    assert paths(root, "line start")[0] == "M94.0 8.0L144.0 108.0"
    assert paths(root, "line truth")[0] == "M94.0 8.0L144.0 88.0L194.0 148.0L244.0 188.0"


def test_bars_are_as_long_as_their_errors_and_stay_inside():
    bars = paths(drawn(), "bar")
    assert len(bars) == 3  # the first place is 1 by definition
    low, high = map(float, re.match(r"M144.0 ([\d.]+)V([\d.]+)M", bars[0]).groups())
    assert (low - high) / 200 == pytest.approx(2 * BARS * 0.1, abs=1e-3)
    assert bars[2].startswith(f"M244.0 208.0V{208 - 200 * BARS * 0.2:.1f}")


def test_without_a_truth_there_is_none_in_it():
    text = examination_chart(CURVE, SE, start=[1.0])
    assert "Truth" not in text
    assert "true" not in text
    names = [one.text for one in drawn(truth=CURVE).iter(f"{NS}text") if one.get("class") is None]
    assert names == ["Estimate", "Truth", "Start"]


def test_it_says_what_it_shows():
    said = drawn(truth=CURVE).find(f"{NS}desc").text
    assert "Place 2: 0.50 plus or minus 0.20, true 0.50" in said


@pytest.mark.parametrize("places", [10, 20])
def test_place_numbers_do_not_run_into_each_other(places):
    for frame in re.findall(r"<svg.*?</svg>", examination_figure([1.0] * places, [0.1] * places, start=[1.0] * places), re.S):
        ticks = [one for one in ET.fromstring(frame).iter(f"{NS}text") if one.get("text-anchor") == "middle"]
        at = [float(one.get("x")) for one in ticks]
        assert min(b - a for a, b in pairwise(at)) >= 20
        assert (ticks[0].text, ticks[-1].text) == ("1", str(places))


def test_each_width_is_a_drawing_of_its_own():
    text = examination_figure(CURVE, SE, start=CURVE)
    assert re.findall(r'class="(wide|narrow)"><svg [^>]*viewBox="0 0 (\d+) ', text) == [("wide", "640"), ("narrow", "334")]
