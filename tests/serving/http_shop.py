"""A whole service over the small shop, with the loop inside, and how to call it, for the tests of the HTTP API."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from learners.definition import ArmSpec, Definition
from ops.serving.embedded import EmbeddedBackend
from ops.serving.in_use import Makers
from retrievers.lexical import LexicalIndex, LexicalRetriever
from retrievers.memory import MemoryRetriever
from retrievers.popular import PopularRetriever
from schemas.entities import Entity
from schemas.events import Action, Impression
from serving.access import Access, Grant
from serving.http.app import create_app
from serving.kept import Kept
from serving.live import Live
from serving.outcomes import OutcomeSums
from serving.pipeline import Pipeline
from serving.signing import Signer
from serving.site import Crowd, Limits, Site
from tests.retrievers.shop import game

KEY = b"a key of tokens for the tests..."
TOKENS = {"app": ("search", "events"), "page": ("search",), "reader": ("read",), "boss": ("search", "events", "read", "operate")}
GRANTS = [Grant(name, sha256(name.encode()).hexdigest(), scopes) for name, scopes in TOKENS.items()]
DEFINITION = Definition(
    salt="shop", arms=[ArmSpec.of(name, depth=20) for name in ("lexical", "memory", "popular")], reading={"min_clients": 1}
)


def strategies(catalog: Any, memory: Any, missing: Any) -> dict[str, Any]:
    index = LexicalIndex()
    index.put(catalog.values())
    found = [LexicalRetriever(index), MemoryRetriever(memory, among=catalog), PopularRetriever(memory.totals, catalog=catalog)]
    return {one.name: one for one in found}


class Told:
    """A backend's events are noted on their way in; it can be full."""

    def __init__(self, backend: EmbeddedBackend) -> None:
        self._backend = backend
        self.events: list[Impression | Action] = []
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def emit(self, event: Any) -> bool:
        if self.full:
            return False
        self.events.append(event)
        return self._backend.emit(event)


class Clock:
    """Wall time that a test can move."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return int(time.time() * 1000) + self.ahead


@contextmanager
def shop(
    folder: Path, *, grants: Sequence[Grant] = (), limits: Limits | None = None, crowd: Crowd | None = None,
    makers: Makers = strategies, entities: Sequence[Entity] = (),
) -> Iterator["Shop"]:  # fmt: skip
    """A service over these entities, 60 games without, with its state in a folder."""
    backend = EmbeddedBackend(entities or [game(number) for number in range(60)], DEFINITION, folder=folder, makers=makers)
    try:
        yield Shop(Told(backend), grants=grants, limits=limits or Limits(rate=0.0), crowd=crowd)
    finally:
        backend.close()


class Shop:
    """The service as tests see it: `site`, `app`, `backend`, `clock`."""

    def __init__(self, backend: Told, *, grants: Sequence[Grant], limits: Limits, crowd: Crowd | None) -> None:
        self.backend, self.clock, numbers = backend, Clock(), count(1)
        pipeline = Pipeline(backend.view, lambda impression, ts: backend.emit(impression), clock=time.perf_counter)
        self.site = Site(
            name="shop", backend=backend, pipeline=pipeline, kept=Kept(), live=Live(self.clock), outcomes=OutcomeSums(),
            signer=Signer(KEY), access=Access(KEY, grants), limits=limits, breakers=None, crowd=crowd, samples=lambda: b"forage_up 1\n",
            clock=self.clock, new_id=lambda: f"search-{next(numbers)}",
        )  # type: ignore[arg-type]  # fmt: skip
        self.app = create_app(self.site)

    def post(self, path: str, body: object = None, *, token: str = "", **more: Any) -> httpx.Response:
        return self.call("POST", path, token=token, **({"json": body} if body is not None else {}), **more)

    def get(self, path: str, *, token: str = "", **more: Any) -> httpx.Response:
        return self.call("GET", path, token=token, **more)

    def call(self, method: str, path: str, *, token: str = "", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """One request. Every answer that is no success is a refusal in the one shape, with a remedy."""
        headers = ({"authorization": f"Bearer {token}"} if token else {}) | (headers or {})

        async def called() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, headers=headers, **more)

        answer = asyncio.run(called())
        assert answer.status_code != 500
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert set(error) == {"code", "message", "problems"}
            assert error["message"]
        return answer

    def search(self, query: str = "halo", **more: Any) -> dict[str, Any]:
        answer = self.post("/search", {"query": query, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def click(page: dict[str, Any], entity_id: str = "", **more: Any) -> dict[str, Any]:
    """A click on a page's first result, as a browser sends it."""
    first = page["results"][0]["entity_id"]
    return {"type": "action", "action_id": "a-1", "search_id": page["search_id"], "kind": "click", "entity_id": entity_id or first,
            "token": page["token"], **more}  # fmt: skip
