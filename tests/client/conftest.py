"""A real service over a handful of things, on a free port of loopback, with the sites whose pages may call it."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ops.definitions import definition
from ops.serving.embedded import EmbeddedBackend
from ops.serving.opening import makers_of, opened
from ops.serving.running import Server
from ops.settings import Settings
from schemas.entities import Entity
from serving.outcomes import OutcomeSums
from serving.site import Site

TITLES = (
    "halo reach", "halo wars", "halo infinite", "halo odst", "gears of war", "god of war", "mario kart", "zelda", "fifa soccer",
    "halo legends", "halo combat evolved", "halo spartan assault",
)  # fmt: skip
STRATEGIES = ("lexical", "memory", "popular")
API_TOKEN = "a token of sixteen letters or more"


@dataclass(frozen=True)
class Service:
    """A running service. `pages`: a site elsewhere whose pages are files of `folder`."""

    url: str
    site: Site

    def counted(self, query: str, entity_id: str):
        """What memory counts for a query and an entity, None for nothing."""
        found = [one for one in self.site.backend.remembered().counted(query) if one.entity_id == entity_id]
        return found[0] if found else None


@contextmanager
def serving(folder, *, origins=(), tokens="", strategies=STRATEGIES, entities=None):
    """A service with its state in `folder`."""
    config = Settings(data=folder, origins=origins)
    if tokens:
        (folder / "tokens").write_text(f"shop {sha256(API_TOKEN.encode()).hexdigest()} {tokens}\n")
        config = replace(config, api_tokens_file=str(folder / "tokens"))
    things = entities or [Entity(entity_id=f"g{n}", entity_type="game", title=title, popularity=20.0 - n) for n, title in enumerate(TITLES)]
    outcomes = OutcomeSums()
    backend = EmbeddedBackend(
        things, definition(strategies, min_clients=1), folder=folder / "loop", makers=makers_of(strategies, config),
        on_conclusion=outcomes.add,
    )  # fmt: skip
    with opened(backend, config, name="Games", outcomes=outcomes) as site:
        server = Server(site, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, name="client-tests-server")
        thread.start()
        try:
            yield Service(server.url.rstrip("/"), site)
        finally:
            server.end()
            thread.join()


@contextmanager
def pages(folder):
    """Another site: the files of a folder, at an origin of its own."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *given):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, name="client-tests-pages")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """An open service."""
    with serving(tmp_path_factory.mktemp("service")) as one:
        yield one


@pytest.fixture
def within():
    """`within(check)`: what `check()` gives once that is true; fails after ten seconds."""

    def wait(check, *, seconds=10.0):
        pause = threading.Event()
        for _ in range(int(seconds / 0.02)):
            if found := check():
                return found
            pause.wait(0.02)
        raise AssertionError("it did not come about in time")

    return wait
