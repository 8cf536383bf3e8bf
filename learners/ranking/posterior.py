"""The order of the union: the Q2E posterior, with the rank model's prediction as its prior.

    prior = the rank model's rate (learners.ranking.rank_model)      mean = (kappa * prior + S) / (kappa + V)
    sd    = sqrt(m (1 - m) / (kappa + V + 1)),  m = min(mean, 1)      of a Beta with these counts

S and V as memory gives them: a segment's are already backed off to all segments. A pair that fewer than min_clients people acted on is
no evidence yet, neither for nor against: counting only its views would bury what its first person chose, and it would never meet its
second.

`drawn` orders a page by scores drawn around the means, logistic with that sd times `draw`: what is little known gets seen, in proportion
to how likely it is the best (Thompson sampling by candidate). Only the first DRAWN of the order take part.
"""

from collections.abc import Sequence
from math import exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from learners.definition import Definition
from learners.draws import uniform
from learners.ranking.contributions import Account, contributions
from learners.ranking.features import RankFeatures
from learners.ranking.rank_model import priors, start_of
from learners.ranking.union import Found, Lists, Reals, unite
from schemas.candidates import Evidence, Memory, Request
from schemas.events import Source
from schemas.q2e import q2e

NOTHING = Evidence(0.0, 0.0, 0)
DRAWN = 30  # three pages: what is further down comes up by the slot
_UNIT_SD = sqrt(3.0) / pi  # scale of the logistic distribution with standard deviation 1
_LEAST = 2.0**-53  # draws have 53 bits: what happened is no less likely than one of them, also where a difference rounds to 0


class Ranked(NamedTuple):
    """One candidate of the union in its place: `score` is the posterior mean of `prior` given `evidence`, `sd` its spread. `draw_p` is
    the chance of its place among the drawn scores, 1 where none were drawn."""

    entity_id: str
    score: float
    prior: float
    evidence: Evidence
    found: tuple[Found, ...]
    features: list[int]
    sd: float
    draw_p: float = 1.0

    @property
    def sources(self) -> list[Source]:
        """Who found it, as logged. Built when asked for: most of the union never leaves the process."""
        return [Source.model_construct(strategy=name, rank=rank, score=score) for name, rank, score in self.found]


class Ranker:
    """Ranks by one definition and the weights that were fitted for it (None: the start)."""

    def __init__(self, definition: Definition, weights: Reals | None = None) -> None:
        self.features = RankFeatures.of(definition)
        self._definition = definition
        self._weights = start_of(definition, self.features) if weights is None else weights

    def rank(self, request: Request, lists: Lists, *, memory: Memory | None) -> list[Ranked]:
        """The whole union in order: score descending, then id ascending."""
        union = unite(lists)
        ids, reading = union.ids, self._definition.reading
        if not ids:
            return []
        trends = np.array(memory.trends(request.query_key, ids)) if memory is not None else np.zeros((len(ids), 2))
        evidence = [NOTHING] * len(ids) if memory is None else memory.lookup(request.query_key, request.segment, ids)
        grid = self.features.matrix(union, trends)
        prior = priors(grid, self._weights, self._definition, self.features).tolist()
        kappa, least = reading.kappa, reading.min_clients
        page = []
        for entity, before, one, found, row in zip(ids, prior, evidence, union.found(), grid.tolist(), strict=True):
            heard = _heard(one, least)
            mean = q2e(before, heard.reward, heard.examined, kappa)
            m = min(mean, 1.0)
            page.append(Ranked(entity, mean, before, one, tuple(found), row, sqrt(m * (1.0 - m) / (kappa + heard.examined + 1.0))))
        page.sort(key=_order)
        return page

    def account(self, one: Ranked) -> Account:
        """How the score of a candidate that this ranker ranked comes about."""
        reading = self._definition.reading
        rows = contributions(one.features, self._weights, self._definition, self.features)
        held_back = _heard(one.evidence, reading.min_clients) != one.evidence
        return Account(rows, one.prior, reading.kappa, one.evidence, held_back, one.score)


def drawn(request: Request, ranked: Sequence[Ranked], *, draw: float, salt: str) -> list[Ranked]:
    """The ranking in the order of drawn scores, each with the chance of its place given what was drawn for the others. Deterministic."""
    head = ranked[:DRAWN]
    if draw <= 0.0 or len(head) < 2:
        return list(ranked)
    noisy = sorted((-(one.score + draw * one.sd * _noise(salt, request.search_id, one)), one.entity_id, one) for one in head)
    bounds = [float("inf"), *(-minus for minus, _, _ in noisy), float("-inf")]
    placed = [
        one._replace(draw_p=_between(bounds[at + 2], bounds[at], one, draw)) if one.sd > 0.0 else one
        for at, (_, _, one) in enumerate(noisy)
    ]
    return placed + list(ranked[DRAWN:])


def _heard(evidence: Evidence, least: int) -> Evidence:
    """The evidence that counts: none while fewer than `least` people acted."""
    return NOTHING if evidence.reward > 0.0 and evidence.clients < least else evidence


def _noise(salt: str, search_id: str, one: Ranked) -> float:
    u = uniform("score", salt, search_id, one.entity_id)
    u = min(max(u, _LEAST), 1.0 - _LEAST)
    return _UNIT_SD * log(u / (1.0 - u))


def _between(low: float, high: float, one: Ranked, draw: float) -> float:
    """Chance that the candidate's drawn score lies between two others."""
    scale = draw * one.sd * _UNIT_SD
    below = [1.0 / (1.0 + exp(-max(-700.0, min(700.0, (bound - one.score) / scale)))) for bound in (low, high)]
    return max(_LEAST, below[1] - below[0])


def _order(one: Ranked) -> tuple[float, str]:
    return -one.score, one.entity_id
