"""The metrics of a process at an address that Prometheus reads. Off unless an address is given."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ops.telemetry import METRICS, Sample
from schemas.errors import Unavailable


class Exposed(Collector):
    """Reads `sources` whenever somebody asks. For a process of your own: `REGISTRY.register(Exposed(lambda: of_producer(...)))`."""

    def __init__(self, *sources: Callable[[], Iterable[Sample]]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """One family for each metric that has samples."""
        found: defaultdict[str, list[Sample]] = defaultdict(list)
        for source in self._sources:
            for sample in source():
                found[sample.name].append(sample)
        for name, samples in found.items():
            yield _family(name, samples)

    def describe(self) -> Iterator[Family]:
        """Nothing: a registry asks for values otherwise."""
        return iter(())


def _family(name: str, samples: Iterable[Sample]) -> Family:
    metric = METRICS[name]
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
        for sample in samples:
            bounds, counts, total = sample.value  # type: ignore[misc]
            ends = [*map(str, bounds), "+Inf"]
            histogram.add_metric(sample.labels, list(zip(ends, accumulate(counts), strict=True)), total)
        return histogram
    family: CounterMetricFamily | GaugeMetricFamily
    family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(name, metric.help, labels=metric.labels)
    for sample in samples:
        family.add_metric(sample.labels, float(sample.value))  # type: ignore[arg-type]
    return family


def serve(where: tuple[str, int], source: Callable[[], Iterable[Sample]]) -> None:
    """Answer at this host and port until the process ends, with the process's memory, time and open files too. Raises Unavailable."""
    registry = CollectorRegistry()
    registry.register(Exposed(source))
    ProcessCollector(registry=registry)
    host, port = where
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise Unavailable(
            f"metrics cannot be served at {host}:{port} ({error.strerror}); give --metrics a free port of this host"
        ) from None
