"""A soak's samples, whole or cut off, say what they say."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import soak_plot
from benchmarks.soak_report import plot, report


def sample(at: float, *, memory: float, latency: list[float]) -> dict[str, object]:
    return {
        "t": at, "memory": {"worker a": memory, "worker b": 10.0 * at, "load": 50.0}, "cpu": {"worker a": 0.5 * at, "worker b": at % 100.0},
        "disk": {"topics": 100.0}, "lag": 3, "waiting": 5, "ids": 7, "latency": latency, "sent": {"searches": 9, "acted": 4},
        "checkpoint": 0.2, "policy": 2,
    }  # fmt: skip


def written(path: Path, *, growth: float, end: str) -> Path:
    lines = [{"t": 0.0, "event": "start", "minutes": 30, "rate": 500.0}]
    lines += [sample(5.0 * at, memory=300.0 + growth * at, latency=[40.0, 60.0, 50.0]) for at in range(1, 361)]
    lines += [{"t": 900.0, "event": "SIGKILL of worker b"}]
    path.write_text("\n".join(map(json.dumps, lines)) + end)
    return path


COUNTED = "\n".join(map(json.dumps, [{"t": 1801, "event": "the load ended"}, {"t": 1900, "event": "counted", "wrong": [], "expected": {}}]))


def test_what_grows_is_told_from_what_does_not(tmp_path):
    found = report(written(tmp_path / "soak", growth=0.5, end="\n" + COUNTED))
    verdicts = {name: one.verdict for name, one in found.trends().items()}
    assert verdicts == {
        "memory: worker a": "growing",
        "disk: topics": "flat",
        "lag": "flat",
        "waiting": "flat",
        "ids": "flat",
        "latency": "flat",
    }
    assert found.trends()["memory: worker a"].slope == pytest.approx(0.5 * 720)
    assert found.trends()["latency"].mean == 50.0
    assert "counted exactly" in found.table()


def test_cores_of_a_process_that_began_again(tmp_path):
    cores = report(written(tmp_path / "soak", growth=0.0, end="")).cores()
    assert cores["worker a"] == pytest.approx(0.5)
    assert 0.9 < cores["worker b"] < 1.0  # what it used between its last sample and its end is not known


def test_a_file_that_was_cut_off_has_its_plot(tmp_path):
    found = report(written(tmp_path / "soak", growth=0.0, end='\n{"t": 1805.0, "mem'))
    assert "cut off" in found.table()
    root = ElementTree.fromstring(plot(found))
    heads = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "head"]
    assert [head.split(",")[0].split(":")[0].split(" (")[0] for head in heads[1:]] == ["Memory", "Disk", "Lag", "From action to memory"]
    assert len([node for node in root.iter("{http://www.w3.org/2000/svg}line") if node.get("class") == "mark"]) == 4


def test_nothing_at_all(tmp_path):
    (tmp_path / "soak").write_text("")
    assert report(tmp_path / "soak").table() == "no samples"


def test_axes_end_at_round_figures():
    assert [soak_plot.nice(value) for value in (0.0, 0.9, 3.1, 101.0, 5_000.0)] == [1.0, 1.0, 4.0, 200.0, 5_000.0]
