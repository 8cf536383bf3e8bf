"""What memory adds to dense retrieval: recall@10 of dense alone, and fused with memory and with neighbours by one rule for all.

The rule is `rrf` of the lists to DEPTH. Click log: in order of time, each search asked when its page was computed, with what was clicked
before; a search is unseen if nothing was clicked under its query key before it. Judged queries: in the run of a fold the others have been
searched, and one click was made on each of their relevant entities; the queries of the fold are asked. Memory counts clicks alone,
because neither source says what was shown.
"""

from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.click_log import POSITIVE, Search, timeline
from evaluation.judged_queries import START, JudgedQuery
from evaluation.loop import request_of
from evaluation.metrics import Floats, recall
from learners.definition import DEFAULT_DEPTH
from memory_index.counts import SHOWN, WIDTH
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from retrievers.base import Retriever
from retrievers.encoders import Encoder
from retrievers.fusion import Lists, rrf
from retrievers.memory import MemoryRetriever
from retrievers.neighbours import NeighbourRetriever
from schemas.base import DAY_MS
from schemas.candidates import Candidate, Request
from schemas.events import ACTION_KINDS, ActionKind
from schemas.ids import client_hash

FIRST, DEPTH = 10, DEFAULT_DEPTH
MIN_CLIENTS = 1  # as in all of evaluation: what is asked is how much clicks are worth, not when they may be shown to others
DENSE, MEMORY, LETTERS, MEANING = "dense", "memory", "neighbours_letters", "neighbours_encoder"
MIXES = {
    " + ".join(parts): parts
    for parts in (
        (DENSE,), (DENSE, MEMORY), (DENSE, LETTERS), (DENSE, MEMORY, LETTERS), (DENSE, MEANING), (DENSE, MEMORY, MEANING),
        (LETTERS,), (MEANING,),
    )
}  # fmt: skip

Progress = Callable[[int, int], None]  # searches asked, searches in all


@dataclass(frozen=True)
class Recalls:
    """Per search (n,): its query key, whether the query was unseen, recall@10 of each of MIXES (n, mixes), and the share of the wanted
    entities that were acted on under another query before: the most that neighbours could lend."""

    keys: Sequence[str]
    unseen: NDArray[np.bool_]
    scores: Floats
    lendable: Floats


class Past:
    """What people acted on so far, and the strategies that live on it: memory, and neighbours without and with the encoder.

    `among` holds the ids that exist."""

    def __init__(self, among: Container[str], encoder: Encoder) -> None:
        self._reader = MemoryReader(Reading(min_clients=MIN_CLIENTS))
        kappa = self._reader.reading.kappa
        self._neighbours = [
            NeighbourRetriever(self._reader, among=among, kappa=kappa, encoder=one, name=name)
            for name, one in ((LETTERS, None), (MEANING, encoder))
        ]
        self._strategies: list[Retriever] = [MemoryRetriever(self._reader, among=among, kappa=kappa), *self._neighbours]
        self._under: dict[str, set[str]] = {}  # entity -> query keys

    def act(self, key: str, entity_id: str, *, kind: ActionKind, ts: int, client_id: str) -> None:
        """One action at `ts` (ms) for an entity under a query; it counts from the next question on."""
        counts = [0] * WIDTH
        counts[SHOWN + ACTION_KINDS.index(kind)] = 1
        self._reader.add(0, {(key, "", entity_id, ts // DAY_MS): (counts, frozenset({client_hash(client_id, b"")}))})
        self._under.setdefault(entity_id, set()).add(key)

    def lists(self, request: Request) -> dict[str, list[Candidate]]:
        """The list of each strategy; neighbours know every past query."""
        for one in self._neighbours:
            while not one.refresh():
                pass
        return {one.name: one.retrieve(request, DEPTH) for one in self._strategies}

    def lendable(self, key: str, wanted: Collection[str]) -> float:
        """Share of the entities that were acted on under another query."""
        return sum(bool(self._under.get(entity, set()) - {key}) for entity in wanted) / len(wanted)


def on_clicks(log: Sequence[Search], dense: Retriever, *, past: Past, progress: Progress = lambda done, total: None) -> Recalls:
    """Every search of a log (in order of time) whose person clicked something, asked before its own clicks are learned."""
    clicked: set[str] = set()
    rows, alone, done = _Rows(), dict[str, list[Candidate]](), 0
    for index, act in timeline(log):
        search = log[index]
        request = request_of(search)
        if act is not None:
            if act.kind in POSITIVE:
                past.act(request.query_key, act.entity_id, kind=act.kind, ts=act.ts, client_id=search.client_id)
                clicked.add(request.query_key)
            continue
        if search.wanted:
            if search.query not in alone:  # the catalogue does not change
                alone[search.query] = dense.retrieve(request, DEPTH)
            lists = {DENSE: alone[search.query]} | past.lists(request)
            rows.note(request.query_key, lists, search.wanted, unseen=request.query_key not in clicked, past=past)
        done += 1
        progress(done, len(log))
    return rows.recalls()


def on_judgments(
    queries: Sequence[JudgedQuery], dense: Retriever, *, past: Callable[[], Past], progress: Progress = lambda done, total: None
) -> Recalls:
    """Every judged query once, in the run in which its fold is unseen. `past` makes an empty one."""
    rows, done = _Rows(), 0
    for fold in sorted({query.fold for query in queries}):
        known = past()
        for query in queries:
            if query.fold != fold:
                for entity in sorted(query.relevant):
                    known.act(query.key, entity, kind="click", ts=START, client_id=query.query_id)
        for query in queries:
            if query.fold == fold:
                request = query.request(f"recall-{query.query_id}", START)
                lists = {DENSE: dense.retrieve(request, DEPTH)} | known.lists(request)
                rows.note(query.key, lists, list(query.relevant), unseen=True, past=known)
                done += 1
                progress(done, len(queries))
    return rows.recalls()


class _Rows:
    """Searches as they are judged."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._unseen: list[bool] = []
        self._scores: list[list[float]] = []
        self._lendable: list[float] = []

    def note(self, key: str, lists: Lists, wanted: Sequence[str], *, unseen: bool, past: Past) -> None:
        relevant = dict.fromkeys(wanted, 1.0)
        orders = (rrf({name: lists[name] for name in parts}) for parts in MIXES.values())
        self._keys.append(key)
        self._unseen.append(unseen)
        self._scores.append([recall([one.entity_id for one in order], relevant, k=FIRST) for order in orders])
        self._lendable.append(past.lendable(key, wanted))

    def recalls(self) -> Recalls:
        scores = np.array(self._scores, dtype=np.float64).reshape(len(self._keys), len(MIXES))
        return Recalls(self._keys, np.array(self._unseen, dtype=np.bool_), scores, np.array(self._lendable, dtype=np.float64))
