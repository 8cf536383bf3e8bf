"""Judged queries in folds, and the traffic that is simulated on them: who searches what when is fixed before anybody answers.

A query's fold is a hash of its id, mod 5. In the run of a fold its queries are unseen: never searched, only judged. Traffic is Zipf's law
(exponent 1) over a seeded order of the others. The same (seed, fold) gives every contender the same searches, times and click draws.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

import numpy as np

from evaluation.datasets.rows import Judgment, QueryText
from evaluation.metrics import Floats, hit, ndcg, recall, reciprocal_rank
from schemas.candidates import Request
from schemas.errors import InvalidSetting
from schemas.ids import digest, query_class, query_key

FOLDS = 5
START = 1_735_689_600_000  # 2025-01-01T00:00Z in ms: some day
GAP = 18_000  # ms between two searches: 200 an event-time hour
CLICK = 1_000  # ms that reading one result takes: the click on position k comes k s after its page
RELEVANT = 0.5  # gain from which hit, mrr and recall call an entity relevant; nDCG takes the gains as they are
METRICS = ("ndcg@10", "mrr@10", "hit@10", "recall@100")


@dataclass(frozen=True)
class JudgedQuery:
    """One query: its fold, and the gain of every judged entity (others have 0)."""

    query_id: str
    text: str
    key: str
    fold: int
    gains: Mapping[str, float]

    @property
    def relevant(self) -> dict[str, float]:
        """The entities that hit, mrr and recall count."""
        return {entity: gain for entity, gain in self.gains.items() if gain >= RELEVANT}

    def scores(self, ranked: Sequence[str]) -> list[float]:
        """METRICS of an order."""
        relevant = self.relevant
        return [
            ndcg(ranked, self.gains, k=10),
            reciprocal_rank(ranked, relevant, k=10),
            hit(ranked, relevant, k=10),
            recall(ranked, relevant, k=100),
        ]

    def request(self, search_id: str, ts: int) -> Request:
        """The first page of a search for it, by a person of whom nothing else is known."""
        return Request(search_id, ts, self.text, self.key, query_class(self.key), client_id=f"person-{search_id}")


def judged_queries(texts: Sequence[QueryText], judgments: Sequence[Judgment], *, most: int = 0) -> list[JudgedQuery]:
    """The queries with a relevant entity, by id; of more than `most` (0: all) those with the smallest hash. Texts of one key are one
    query: the first by id counts. Raises InvalidSetting when fewer than two are left."""
    gains: dict[str, dict[str, float]] = {}
    for one in judgments:
        gains.setdefault(one.query_id, {})[one.entity_id] = one.gain
    found: dict[str, JudgedQuery] = {}
    for query in sorted(texts):
        key, judged = query_key(query.text), gains.get(query.query_id, {})
        if key not in found and max(judged.values(), default=0.0) >= RELEVANT:
            found[key] = JudgedQuery(query.query_id, query.text, key, fold_of(query.query_id), judged)
    chosen = sorted(found.values(), key=lambda one: digest("sample", one.query_id))[: most or None]
    if len(chosen) < 2:
        raise InvalidSetting(f"{len(chosen)} queries have an entity of gain {RELEVANT} or more; evaluation needs at least 2")
    return sorted(chosen, key=lambda one: one.query_id)


def fold_of(query_id: str) -> int:
    """Index of the fold in which a query is unseen."""
    return int(digest("fold", query_id), 16) % FOLDS


@dataclass(frozen=True)
class Traffic:
    """The searches of one (seed, fold): `queries` holds indexes into all judged queries."""

    seed: int
    fold: int
    queries: Sequence[int]

    def search_id(self, index: int) -> str:
        return f"{self.seed}-{self.fold}-{index}"

    def ts(self, index: int) -> int:
        """When a search comes, in ms."""
        return START + index * GAP

    def rng(self, index: int) -> Random:
        """The draws of a search's clicks, the same whatever is shown."""
        return Random(f"clicks {self.search_id(index)}")


def traffic(queries: Sequence[JudgedQuery], *, seed: int, fold: int, searches: int) -> Traffic:
    """Zipf's law over a seeded order of the queries of all other folds. Raises InvalidSetting when there are none."""
    rng = Random(f"traffic {seed} {fold}")
    seen = [index for index, query in enumerate(queries) if query.fold != fold]
    if not seen:
        raise InvalidSetting(f"all {len(queries)} queries are in fold {fold}: none is left to be searched; use more queries")
    order = [index for _, _, index in sorted((rng.random(), queries[index].query_id, index) for index in seen)]
    weights = list(accumulate(1.0 / rank for rank in range(1, len(order) + 1)))
    drawn = (bisect_right(weights, rng.random() * weights[-1]) for _ in range(searches))
    return Traffic(seed, fold, [order[min(place, len(order) - 1)] for place in drawn])


def all_scores(queries: Sequence[JudgedQuery], orders: Sequence[Sequence[str]]) -> Floats:
    """METRICS of each query's order, shape (queries, metrics)."""
    return np.array([query.scores(order) for query, order in zip(queries, orders, strict=True)])
