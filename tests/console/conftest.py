"""A real service with its console, and a real Chromium that can reach nothing else."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from evaluation.people.catalogue import catalogue
from evaluation.people.drift import drift
from evaluation.people.listeners import clicks, people
from ops.definitions import definition
from ops.serving.embedded import EmbeddedBackend
from ops.serving.opening import makers_of, opened
from ops.serving.running import Server
from ops.settings import Settings
from schemas.events import Action
from serving.outcomes import OutcomeSums
from serving.recording import record
from serving.searching import SearchRequest, search
from serving.site import Site
from streams.kernel.join import RULES

STRATEGIES = ("lexical", "lexical_title", "trigrams", "memory", "popular", "fresh")
SEARCHES = 60  # by made-up people before anybody looks: memory and numbers have something to show
SIZES = {"narrow": (360, 780), "wide": (1280, 860)}
# Rules of axe-core that mean that somebody cannot use the page.
SERIOUS = {"serious", "critical"}


@dataclass(frozen=True)
class Console:
    """A running service. `people` made SEARCHES searches and clicked as they do."""

    url: str
    site: Site
    queries: list = field(default_factory=list)  # those of `people` that found more than three pages

    def search(self, query, *, client="tester", counted=True, **more):
        """One search through the service's own path."""
        return search(self.site, SearchRequest(query=query, client_id=client, **more), counted=counted)

    def click(self, answer, place=1):
        """A click on a result of an answer."""
        one = answer.results[place - 1]
        record(
            self.site,
            Action(
                action_id=f"{answer.search_id}-{place}", search_id=answer.search_id, ts=self.site.clock(), kind="click",
                entity_id=one.entity_id, position=place,
            ),
        )  # fmt: skip
        return one


@contextmanager
def running(folder, *, grants="", searches=SEARCHES, seed=7, makers=None):
    """A service over the demo's catalogue on a free port of loopback, state in `folder`. `makers` makes other strategies."""
    config = replace(Settings(), data=folder, api_tokens_file=grants)
    music = catalogue(seed)
    plain = definition(STRATEGIES)
    plain = plain.model_copy(update={"reading": plain.reading.model_copy(update={"min_clients": 1})})
    outcomes = OutcomeSums()
    backend = EmbeddedBackend(
        music.entities, plain, folder=folder / "loop", makers=makers or makers_of(STRATEGIES, config),
        rules=replace(RULES, settle=2_000), on_conclusion=outcomes.add,
    )  # fmt: skip
    with opened(backend, config, name="Forage", outcomes=outcomes) as site:
        server = Server(site, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, name="console-server")
        thread.start()
        console = Console(server.url.rstrip("/"), site)
        try:
            _visited(console, people(drift(music, seed), seed), searches)
            yield console
        finally:
            server.end()
            thread.join()


def _visited(console, crowd, count):
    rng = Random("visitors")
    for _ in range(count):
        listener, need = crowd.search(rng, 0)
        answer = console.search(need.query, client=listener.client_id)
        if len(console.site.kept.get(answer.search_id).page.ranked) > 30:
            console.queries.append(need.query)
        page = [one.entity_id for one in answer.results]
        for place, _ in clicks(page, crowd.relevance(listener, need), patience=listener.patience, rng=rng):
            console.click(answer, place)


@pytest.fixture(scope="session")
def start():
    """`with start(folder) as console`: one more service."""
    return running


@pytest.fixture(scope="session")
def console(tmp_path_factory):
    """The service that all screens are looked at."""
    with running(tmp_path_factory.mktemp("console")) as one:
        yield one


@pytest.fixture(scope="session")
def query(console):
    """A text that people searched, with more than three pages of results."""
    return console.queries[0]


@dataclass
class Window:
    """A page of a browser that reaches one service alone. `strayed`: what it asked of anybody else; `wrong`: errors it met."""

    page: object
    console: Console
    strayed: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def open(self, path):
        """Load a screen; returns the page."""
        answer = self.page.goto(self.console.url + path, wait_until="load")
        assert answer is not None
        return self.page


@pytest.fixture
def window(chromium, console):
    """`window(size="wide", dark=False, scripts=True)` opens a Window on the console; at the end nothing may have strayed or gone wrong."""
    made, contexts = [], []

    def build(size="wide", *, dark=False, scripts=True, at=console):
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", java_script_enabled=scripts,
            reduced_motion="reduce",
        )  # fmt: skip
        one = Window(context.new_page(), at)
        context.route("**/*", lambda route: _only(route, at.url, one.strayed))
        one.page.on("console", lambda said: one.wrong.append(said.text) if said.type in ("error", "warning") else None)
        one.page.on("pageerror", lambda error: one.wrong.append(str(error)))
        contexts.append(context)
        made.append(one)
        return one

    yield build
    for context in contexts:
        context.close()
    assert [one.strayed for one in made if one.strayed] == [], "a screen asks something of another address"
    assert [one.wrong for one in made if one.wrong] == [], "a screen reports errors"


def _only(route, ours, strayed):
    if route.request.url.startswith(ours + "/"):
        route.continue_()
    else:
        strayed.append(route.request.url)
        route.abort()


@pytest.fixture(scope="session")
def fits():
    """Whether a page fits its window: nothing to scroll sideways but what is made to."""

    def check(page):
        over = page.evaluate(
            """() => {
              const wide = document.documentElement.clientWidth;
              if (document.documentElement.scrollWidth <= wide) return [];
              return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > wide + 1)
                .map((one) => one.tagName + "." + one.className).slice(0, 5);
            }"""
        )
        assert over == [], f"the page is wider than its window: {over}"

    return check


@pytest.fixture(scope="session")
def accessible():
    """Whether axe-core finds nothing serious on a page."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def check(page):
        found = axe.run(page).response["violations"]
        serious = [f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]
        assert serious == []

    return check
