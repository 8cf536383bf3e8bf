"""An embedded backend over a small shop, for tests of what stands on it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.definitions import definition
from ops.serving.embedded import EmbeddedBackend
from ops.serving.opening import makers_of
from ops.settings import Settings
from schemas.candidates import Request
from schemas.events import Action
from schemas.ids import query_class, query_key
from serving.pipeline import Page, Pipeline
from tests.retrievers.shop import game

STRATEGIES = ("lexical", "memory", "popular")
GAMES = [game(n) for n in range(12)]


def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `true` gives once it is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)
    return found


@contextmanager
def backend_on(folder: Path, *, strategies: tuple[str, ...] = STRATEGIES, **more: Any) -> Iterator[EmbeddedBackend]:
    """Over the games; lexical is always asked, so that no page is empty."""
    defined = definition(strategies, always=("lexical",), min_clients=1)
    backend = EmbeddedBackend(GAMES, defined, folder=folder, makers=makers_of(strategies, Settings()), **more)
    try:
        yield backend
    finally:
        backend.close()


class Visitor:
    """Searches a backend through the search path and clicks, each search under an id of its own."""

    def __init__(self, backend: Any, name: str = "v") -> None:
        self.backend, self._name, self.searches = backend, name, 0
        self._pipeline = Pipeline(backend.view, lambda impression, ts: self._emitted(impression), clock=time.perf_counter)
        self.refused = 0

    def search(self, text: str) -> Page:
        self.searches += 1
        now, key = int(time.time() * 1000), query_key(text)
        search_id = f"{self._name}-{self.searches}"
        return self._pipeline.search(Request(search_id, now, text, key, query_class(key), client_id=f"{self._name}-{self.searches}"))

    def click(self, page: Page, place: int = 1) -> str:
        """Click the result at a place; its entity."""
        shown = page.impression
        entity = shown.results[place - 1].entity_id
        ts = int(time.time() * 1000)
        taken = self.backend.emit(
            Action(action_id=f"a-{place}", search_id=shown.search_id, ts=ts, kind="click", entity_id=entity, position=place)
        )
        self.refused += not taken
        return entity

    def _emitted(self, impression: Any) -> None:
        self.refused += not self.backend.emit(impression)


def counted(backend: Any, text: str) -> dict[str, tuple[int, int]]:
    """Entity -> how often it was shown and acted on under a query."""
    return {one.entity_id: (sum(one.shown), sum(one.acted)) for one in backend.remembered().counted(query_key(text))}
