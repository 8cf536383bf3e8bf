"""A small whole search engine that learns, for the replay: plain, deterministic, independent of what `ops` builds."""

from collections import Counter
from contextlib import contextmanager

import pytest

from evaluation.loop import Served
from schemas.candidates import Candidate

DEPTH = 50


class TinyEngine:
    """`lexical` counts common words, `memory` clicks under the query as of the last step. The learned policy: memory, then lexical."""

    strategies = ("lexical", "memory")

    def __init__(self, titles, contender):
        self.titles, self.contender = titles, contender
        self.clicked = {}
        self.pending, self.log, self.open = [], [], {}

    def retrieve(self, strategy, request):
        if strategy == "memory":
            scores = self.clicked.get(request.query_key, {})
        else:
            words = set(request.query_key.split())
            scores = {entity: len(words & set(title.split())) for entity, title in self.titles.items()}
        order = sorted((-score, entity) for entity, score in scores.items() if score > 0)
        return [Candidate(entity, float(-score)) for score, entity in order[:DEPTH]]

    def search(self, request):
        asks = self.contender.asks or self.strategies
        lists = {name: self.retrieve(name, request) for name in asks}
        if self.contender.order:
            ranked = self.contender.order(lists)
        else:
            ranked = list(dict.fromkeys(one.entity_id for name in ("memory", "lexical") for one in lists[name]))
        self.open[request.search_id] = request.query_key
        self.log.append(("search", request.ts, request.search_id, tuple(ranked[:10])))
        return Served(ranked, asks)

    def act(self, action):
        self.log.append(("act", action.ts, action.search_id, (action.entity_id, action.position)))
        self.pending.append((self.open[action.search_id], action.entity_id))

    def step(self):
        for key, entity in self.pending:
            self.clicked.setdefault(key, Counter())[entity] += 1
        self.pending = []


class Engines:
    """The factory that a replay asks for systems; keeps them for inspection."""

    def __init__(self, titles):
        self.titles, self.made, self.closed = titles, {}, []

    @contextmanager
    def __call__(self, contender):
        self.made[contender.name] = TinyEngine(self.titles, contender)
        yield self.made[contender.name]
        self.closed.append(contender.name)


@pytest.fixture
def engines():
    """Twelve entities titled "game NUMBER": the query `game` finds all of them, e00 to e09 on its page, e10 and e11 behind it."""
    return Engines({f"e{number:02}": f"game {number}" for number in range(12)})
