"""From a replay to figures and a table."""

import json

import numpy as np
import pytest

from evaluation.figures import summary
from evaluation.loop import Judged, Replayed
from evaluation.reports import table


def judged(hits, reciprocal, asked):
    return Judged(np.array(hits, dtype=float), np.array(reciprocal, dtype=float), np.arange(len(hits), dtype=float), asked)


def example():
    """Four searches with 1, 2, 1 and 1 clicks; the last two are the second half, the third is of a new query."""
    both, one = ("lexical", "memory"), ("memory",)
    return Replayed(
        "full",
        np.array([1.0, 2.0, 1.0, 1.0]),
        np.array([0.0, 1.0, 0.0, 1.0]),
        {
            "rrf": judged([0, 1, 0, 1], [0, 0.5, 0, 0.25], [both] * 4),
            "learned": judged([1, 2, 0, 1], [1, 1.5, 0, 1], [both, one, one, one]),
        },
    )


def test_known_answers():
    figures = summary(example(), "tiny", settings={"min_clients": 1}, resamples=200)
    assert {key: figures[key] for key in ("dataset", "protocol", "searches", "clicks")} == {
        "dataset": "tiny", "protocol": "full", "searches": 4, "clicks": 5,
    }  # fmt: skip
    everything, second = figures["contenders"]["learned"]["all"], figures["contenders"]["learned"]["second_half"]
    assert everything["overall"]["hit@10"]["mean"] == pytest.approx(4 / 5)
    assert everything["overall"]["mrr@10"]["mean"] == pytest.approx(3.5 / 5)
    assert everything["seen"]["hit@10"]["mean"] == pytest.approx(3 / 3)
    assert everything["unseen"]["hit@10"]["mean"] == pytest.approx(1 / 2)
    assert everything["seen"]["clicks"] == 3
    assert (everything["asked"], second["asked"]) == (5 / 4, 1)
    assert everything["asked_share"] == {"lexical": 0.25, "memory": 1.0}
    assert (everything["ms"], second["ms"]) == (1.5, 2.5)
    assert second["overall"]["hit@10"]["mean"] == pytest.approx(1 / 2)
    assert second["unseen"]["hit@10"]["mean"] == 0.0
    assert everything["minus_rrf"]["mrr@10"]["mean"] == pytest.approx((3.5 - 0.75) / 5)
    assert figures["contenders"]["rrf"]["all"]["minus_rrf"]["hit@10"] == {"mean": 0.0, "low": 0.0, "high": 0.0}


def test_intervals_hold_their_means_and_repeat():
    one, two = (json.dumps(summary(example(), "tiny", settings={}, resamples=200)) for _ in range(2))
    assert one == two
    for points in json.loads(one)["contenders"].values():
        for cell in points.values():
            for stratum in ("overall", "seen", "unseen"):
                for metric in ("hit@10", "mrr@10"):
                    figure = cell[stratum][metric]
                    assert figure["low"] <= figure["mean"] <= figure["high"]


def test_stratum_without_clicks_has_no_figures():
    only_new = Replayed("bandit", np.array([1.0, 1.0]), np.zeros(2), {"learned": judged([1, 0], [1, 0], [()] * 2)})
    figures = summary(only_new, "new", settings={}, resamples=50)
    cell = figures["contenders"]["learned"]["all"]
    assert cell["seen"]["hit@10"] == {"mean": None, "low": None, "high": None}
    assert cell["overall"]["hit@10"]["mean"] == 0.5
    assert "minus_rrf" not in cell
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert "    -  " in table(figures)


def test_table_is_best_first_and_aligned():
    text = table(summary(example(), "tiny", settings={"min_clients": 1}, resamples=50))
    lines = text.splitlines()
    assert lines[0] == "tiny, protocol full: 4 searches, 5 clicks judged"
    assert lines[1] == "  min_clients = 1"
    at = lines.index("all")
    assert lines[at + 1].split()[:2] == ["contender", "hit@10"]
    assert [line.split()[0] for line in lines[at + 3 : at + 5]] == ["learned", "rrf"]
    assert lines[at + 3].split()[1:2] == ["0.8000"]
    assert "+0.4000" in lines[at + 3]
    assert len({len(line) for line in lines[at + 1 : at + 5]}) == 1
    assert "second half" in lines
