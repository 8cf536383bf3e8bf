"""What the samples of a soak say: the trend of each figure once it had time to settle, the worst of it, and what was counted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks import soak_plot
from benchmarks.trend import Trend, trend

SETTLED = 480.0  # s: ids, topics, checkpoints and memory rows have reached their size; of short runs the first third
# Figure -> share of its mean, and absolute amount, that it may rise by over the rest of the run and still be flat; whichever is more.
BARS = {
    "memory": (0.1, 20.0),
    "disk": (0.1, 20.0),
    "lag": (0.1, 500.0),
    "latency": (0.1, 50.0),
    "waiting": (0.1, 2_000.0),
    "ids": (0.1, 20_000.0),
}
UNITS = {"memory": "MB", "disk": "MB", "lag": "records", "latency": "ms", "waiting": "messages", "ids": "ids"}


@dataclass(frozen=True)
class Report:
    """`samples` and `events` as they were noted; of `series` each figure's (seconds, value)."""

    rate: float = 0.0
    samples: Sequence[dict] = ()  # type: ignore[type-arg]
    events: Sequence[dict] = ()  # type: ignore[type-arg]
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def counted(self) -> dict | None:  # type: ignore[type-arg]
        """What was counted at the end, None of a run that was cut off."""
        return next((event for event in self.events if event["event"] == "counted"), None)

    @property
    def loaded(self) -> float:
        """Seconds until the load ended."""
        ended = [event["t"] for event in self.events if event["event"] == "the load ended"]
        return ended[0] if ended else max((sample["t"] for sample in self.samples), default=0.0)

    @property
    def settled(self) -> float:
        return min(SETTLED, self.loaded / 3)

    def trends(self) -> dict[str, Trend]:
        """Of each figure with samples enough, between `settled` and `loaded`. A process that was restarted is left out."""
        found = {}
        for name, points in self.series.items():
            inside = [(at, value) for at, value in points if self.settled <= at <= self.loaded]
            share, least = BARS[name.partition(":")[0]]
            if len(inside) >= 3 and name != "memory: worker b":
                found[name] = trend(*zip(*inside, strict=True), share=share, least=least)
        return found

    def latencies(self) -> list[float]:
        return sorted(one for sample in self.samples if sample["t"] <= self.loaded for one in sample["latency"])

    def cores(self) -> dict[str, float]:
        """CPU seconds a second by process, between `settled` and `loaded`; a restarted process counts from its start again."""
        inside = [one for one in self.samples if self.settled <= one["t"] <= self.loaded]
        used: dict[str, float] = {}
        for before, after in pairwise(inside):
            for name, cpu in after["cpu"].items():
                grown = cpu - before["cpu"].get(name, 0.0)
                used[name] = used.get(name, 0.0) + (grown if grown >= 0.0 else cpu)
        return {name: seconds / (inside[-1]["t"] - inside[0]["t"]) for name, seconds in used.items()}

    def table(self) -> str:
        """For people."""
        if not self.samples:
            return "no samples"
        head = f"{'from ' + format(self.settled / 60, '.1f') + ' to ' + format(self.loaded / 60, '.1f') + ' min':<26}{'unit':>9}"
        lines = [f"{head}{'mean':>12}{'highest':>12}{'slope/h':>12}{'grew by':>11}{'bar':>10}  verdict"]
        for name, one in self.trends().items():
            top = max(value for at, value in self.series[name] if self.settled <= at <= self.loaded)
            figures = f"{one.mean:>12,.1f}{top:>12,.1f}{one.slope:>12,.1f}{one.growth:>11,.1f}{one.bar:>10,.1f}"
            lines.append(f"{name:<26}{UNITS[name.partition(':')[0]]:>9}{figures}  {one.verdict}")
        if took := self.latencies():
            p50, p99 = took[len(took) // 2], took[min(len(took) - 1, int(0.99 * len(took)))]
            lines.append(f"action to memory, {len(took)} probes: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, longest {took[-1]:,.0f} ms")
        used = ", ".join(f"{name} {share:.2f}" for name, share in self.cores().items())
        lines.append(f"cores in use, mean: {used}; in all {sum(self.cores().values()):.2f}")
        sent = self.samples[-1]["sent"]
        restarts = sum("SIG" in event["event"] for event in self.events)
        lines.append(
            f"{sent.get('searches', 0):,} searches at {self.rate:,.0f}/s, {sent.get('acted', 0):,} clicks; {restarts} restarts; "
            f"longest checkpoint {max(sample['checkpoint'] for sample in self.samples):.1f} s; policy seq {self.samples[-1]['policy']}"
        )
        lines.append(self._said())
        return "\n".join(lines)

    def _said(self) -> str:
        if self.counted is None:
            return "the run was cut off: nothing was counted"
        wrong = self.counted["wrong"]
        return "; ".join(wrong) if wrong else f"counted exactly what was sent: {self.counted['expected']}"

    def as_json(self) -> str:
        took = self.latencies()
        figures = {name: vars(one) | {"verdict": one.verdict} for name, one in self.trends().items()}
        probes = {"probes": len(took), "p50_ms": median(took) if took else None, "longest_ms": took[-1] if took else None}
        return json.dumps(
            {"rate": self.rate, "trends": figures, "latency": probes, "cores": self.cores(), "counted": self.counted}, indent=1
        )


def report(path: Path) -> Report:
    """Of a file of samples, whole or cut off."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # the last one, cut off
            break
    samples, events = [one for one in lines if "memory" in one], [one for one in lines if "event" in one]
    series: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        for kind in ("memory", "disk"):
            for name, value in sample[kind].items():
                series.setdefault(f"{kind}: {name}", []).append((sample["t"], value))
        for kind in ("lag", "waiting", "ids"):
            series.setdefault(kind, []).append((sample["t"], sample[kind]))
        if sample["latency"]:
            series.setdefault("latency", []).append((sample["t"], median(sample["latency"])))
    series = {name: points for name, points in series.items() if not name.endswith("load")}
    rate = next((event["rate"] for event in events if "rate" in event), 0.0)
    return Report(rate, samples, events, series)


def plot(of: Report) -> str:
    """An SVG: memory, disk, lag and latency over time."""
    panels = {
        "Memory, resident (MB)": {name.partition(": ")[2]: points for name, points in of.series.items() if name.startswith("memory")},
        "Disk (MB)": {name.partition(": ")[2]: points for name, points in of.series.items() if name.startswith("disk")},
        "Lag: records not applied": {"lag": of.series["lag"]},
        "From action to memory, median of 5 s (ms)": {"latency": of.series.get("latency", [])},
    }
    marks = [(event["t"], event["event"]) for event in of.events if "SIG" in event["event"]]
    return soak_plot.panels(f"{of.rate:,.0f} searches a second", panels, marks=marks, end=max(of.loaded, 1.0))
