"""The metrics of a server, as Prometheus reads them."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from ops.telemetry import Sample
from ops.telemetry_http import Exposed
from schemas.events import ACTION_KINDS
from serving.backend import Backend
from serving.breakers import Breakers
from serving.live import Live
from serving.meters import Sums, middle
from streams.faust_app.status import Times

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # s


def exposition(backend: Backend, live: Live, breakers: Breakers) -> Callable[[], bytes]:
    """Gives the metrics as of now, with the process's memory, time and open files."""
    registry = CollectorRegistry()
    registry.register(Exposed(lambda: of_service(backend, live, breakers)))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


def of_service(backend: Backend, live: Live, breakers: Breakers) -> Iterator[Sample]:
    """Samples of a server: what it answered, how its loop stands, what it does without."""
    counts = live.totals()
    flow = backend.flow()
    yield Sample("forage_searches_total", (), counts.get(("searches", "", ""), 0))
    yield Sample("forage_empty_pages_total", (), counts.get(("empty", "", ""), 0))
    yield Sample("forage_search_seconds", (), _seconds(counts))
    yield from (Sample("forage_actions_total", (kind,), counts.get(("action", kind, ""), 0)) for kind in ACTION_KINDS)
    yield from (Sample("forage_refused_requests_total", (key[1],), count) for key, count in counts.items() if key[0] == "refused")
    for status in ("ok", "late", "failed"):
        yield from (Sample("forage_strategy_calls_total", (key[1], status), count) for key, count in counts.items() if key[0] == status)
    yield from (Sample("forage_breaker_open", (name,), float(state != "closed")) for name, state in breakers.states().items())
    yield from (Sample("forage_without", (one.what,), 1.0) for one in {one.what: one for one in backend.troubles()}.values())
    yield from (Sample("forage_stage_total", (one.name,), one.count) for one in flow.stages if one.count is not None)
    if flow.behind is not None:
        yield Sample("forage_behind_records", (), flow.behind)
    yield from _more(backend)


def _seconds(counts: Sums) -> Times:
    """The times of all pages in the buckets of a histogram; a time stands in the middle of its bin."""
    held = [0] * (len(BUCKETS) + 1)
    total = 0.0
    for (what, of, number), count in counts.items():
        if what == "ms" and not of:
            seconds = middle(int(number)) / 1_000.0
            held[bisect_left(BUCKETS, seconds)] += count
            total += count * seconds
    return Times(BUCKETS, tuple(held), total)


def _more(backend: Backend) -> Iterable[Sample]:
    """What only this kind of backend has: followers and producer on Kafka."""
    samples = getattr(backend, "samples", None)
    return samples() if samples is not None else ()
