"""A server with everything behind it, from opening its backend to closing it in the right order."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice

from learners.definition import DEFAULT_DEPTH
from memory_index.reader import MemoryReader
from ops.serving.crowd import Listeners
from ops.serving.embedded import EmbeddedBackend
from ops.serving.in_use import Makers
from ops.serving.running import Server, ended_by_signals
from ops.serving.site import check_exposed, site_and_threads
from ops.serving.subscribed import SubscribedBackend
from ops.settings import Settings
from ops.strategies import strategies_of
from ops.trials import RRF, parse_trial, with_trial
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from retrievers.encoder_process import EncoderProcess
from schemas.candidates import Request
from schemas.errors import ForageError
from schemas.ids import query_class, query_key
from serving.backend import Trouble
from serving.outcomes import OutcomeSums
from serving.site import Site

WARM = 3  # searches before the first one of somebody
FIRST_WAIT = 10.0  # s for the versions on Kafka

log = logging.getLogger(__name__)


def makers_of(names: Sequence[str], config: Settings) -> Makers:
    """What makes these strategies; one that cannot be made is told as a trouble, and left out. An encoder is started once."""
    encoder = cache(EncoderProcess)

    def make(catalog: Catalog, reader: MemoryReader, lacking: Callable[[Trouble], None]) -> Mapping[str, Retriever]:
        def missing(name: str, why: ForageError) -> None:
            log.warning("strategy %s is not available: %s", name, why)
            lacking(Trouble("encoder", f"The strategy {name} is not available: {why}"))

        return strategies_of(names, catalog, reader, config, missing=missing, encoder=encoder)

    return make


def try_out(backend: EmbeddedBackend | SubscribedBackend, trial: str) -> None:
    """Begin an experiment, from what the command line says of it. Raises InvalidSetting, NotFound (no such version is kept)."""
    plan = parse_trial(trial)
    if isinstance(backend, SubscribedBackend) and plan.against != RRF:
        backend.wait(FIRST_WAIT)
    backend.try_out(with_trial(plan, content=None if plan.against == RRF else backend.content(plan.against)))


@contextmanager
def opened(
    backend: EmbeddedBackend | SubscribedBackend, config: Settings, *, name: str, outcomes: OutcomeSums, crowd: Listeners | None = None,
    candidates_p: float = 1.0,
) -> Iterator[Site]:  # fmt: skip
    """The site over a backend. At the end the crowd leaves first, then what was put off is done, then the backend is closed: nothing that
    was accepted is lost."""
    try:
        site, threads = site_and_threads(backend, config, name=name, crowd=crowd, outcomes=outcomes, candidates_p=candidates_p)
        try:
            warm_up(site)
            if crowd is not None:
                crowd.begin(site)
            yield site
        finally:
            if crowd is not None:
                crowd.close()
            threads.close()
    finally:
        backend.close()


def warm_up(site: Site) -> None:
    """Some searches that nobody learns from: a strategy's first call loads what it needs, and would be late for whoever searches first."""
    view = site.backend.view()
    for number, entity in enumerate(islice(view.catalog.values(), WARM)):
        text = entity.title or entity.entity_id
        key = query_key(text)
        request = Request(f"warm-up-{number}", site.clock(), text, key, query_class(key))
        for strategy in view.retrievers.values():
            with suppress(Exception):  # it says what is wrong when somebody searches
                strategy.retrieve(request, DEFAULT_DEPTH)
        site.pipeline.search(request, record=False)


def serve(site: Site, *, host: str, port: int, said: Callable[[str], None]) -> None:
    """Answer at an address until Ctrl-C or SIGTERM; `said` hears its URL once it is bound. Raises InvalidSetting, Unavailable."""
    check_exposed(host, open_=site.access.open)
    server = Server(site, host=host, port=port)
    said(server.url)
    with ended_by_signals(server.end):
        server.run()
