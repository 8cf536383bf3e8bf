"""The order of the union: the Q2E posterior, with the prediction from fused scores as its prior.

    fusion = weighted mean over the asked lists of min-max normalised scores (absent = 0)      prior = sigmoid(b0 + a0 * fusion)
    score  = (kappa * prior + S) / (kappa + V)        S and V as memory gives them: a segment's already backed off to all segments

S of a pair counts after `min_clients` distinct clients, V at once: what one person clicked is not everybody's page.
"""

from collections.abc import Mapping, Sequence
from math import exp
from typing import NamedTuple

import numpy as np

from learners.definition import RankSpec, ReadingSpec
from schemas.base import MAX_FEATURE, UNIT
from schemas.candidates import Candidate, Evidence, Memory, Request
from schemas.events import Source
from schemas.q2e import q2e

RANK_FEATURES = ("fusion", "found_share", "best_rank", "prior", "reward", "examined", "clients")
RANK_VERSION = "fusion-1"
NOTHING = Evidence(0.0, 0.0, 0)

Found = tuple[str, int, float]  # strategy, rank, score


class Ranked(NamedTuple):
    """One candidate of the union in its place: `score` is the posterior of `prior` given `evidence`."""

    entity_id: str
    score: float
    prior: float
    evidence: Evidence
    found: tuple[Found, ...]
    features: list[int]

    @property
    def sources(self) -> list[Source]:
        """Who found it, as logged. Built when asked for: most of the union never leaves the process."""
        return [Source.model_construct(strategy=name, rank=rank, score=score) for name, rank, score in self.found]


def fuse(lists: Mapping[str, Sequence[Candidate]], weights: Mapping[str, float] | None = None) -> dict[str, tuple[float, list[Found]]]:
    """Entity -> (fusion in [0, 1], who found it). All scores of a list being equal, each is 1.

    >>> fuse({"a": [Candidate("x", 9.0), Candidate("y", 5.0), Candidate("z", 1.0)], "b": [Candidate("y", 2.0)]})["y"]
    (0.75, [('a', 2, 5.0), ('b', 1, 2.0)])
    """
    total = sum(weights.get(name, 0.0) for name in sorted(lists)) if weights else float(len(lists))
    union: dict[str, tuple[float, list[Found]]] = {}
    for name in sorted(lists):  # sorted: addition of floats must not depend on who answered first
        found = lists[name]
        if not found:
            continue
        share = ((weights.get(name, 0.0) if weights else 1.0) / total) if total else 0.0
        low = min(found, key=_score).score
        span = max(found, key=_score).score - low
        for rank, (entity, score) in enumerate(found, 1):
            value = share * ((score - low) / span) if span else share
            have = union.get(entity)
            if have is None:
                union[entity] = (value, [(name, rank, score)])
            elif have[1][-1][0] != name:  # a strategy that repeats itself counts once
                have[1].append((name, rank, score))
                union[entity] = (have[0] + value, have[1])
    return union


def _score(candidate: Candidate) -> float:
    return candidate.score


def rank_union(
    request: Request, lists: Mapping[str, Sequence[Candidate]], *, memory: Memory | None, rank: RankSpec, reading: ReadingSpec
) -> list[Ranked]:
    """The whole union in order: score descending, then id ascending."""
    union = fuse(lists, rank.weights)
    ids = list(union)
    if not ids:
        return []
    b0, a0, kappa, least = rank.b0, rank.a0, reading.kappa, reading.min_clients
    priors = [1.0 / (1.0 + exp(-(b0 + a0 * fusion))) for fusion, _ in union.values()]
    evidence = [NOTHING] * len(ids) if memory is None else memory.lookup(request.query_key, request.segment, ids)
    # A pair that too few people acted on is no evidence yet, neither for nor against: counting only its views would bury what its first
    # person chose, and it would never meet its second.
    heard = [NOTHING if one.reward > 0.0 and one.clients < least else one for one in evidence]
    scores = [q2e(prior, one.reward, one.examined, kappa) for prior, one in zip(priors, heard, strict=True)]
    features = _features(union, priors, evidence, asked=len(lists))
    page = [
        Ranked(entity, score, prior, one, tuple(union[entity][1]), row)
        for entity, score, prior, one, row in zip(ids, scores, priors, evidence, features, strict=True)
    ]
    page.sort(key=_order)
    return page


def _order(one: Ranked) -> tuple[float, str]:
    return -one.score, one.entity_id


def _features(
    union: Mapping[str, tuple[float, list[Found]]], priors: Sequence[float], evidence: Sequence[Evidence], *, asked: int
) -> list[list[int]]:
    """RANK_FEATURES of each candidate in units of 1/256."""
    rows = [
        (fusion, len(found) / asked, 1.0 / min(rank for _, rank, _ in found), prior, one.reward, one.examined, one.clients / 8)
        for (fusion, found), prior, one in zip(union.values(), priors, evidence, strict=True)
    ]
    grid: list[list[int]] = np.clip(np.rint(np.array(rows) * UNIT), -MAX_FEATURE, MAX_FEATURE).astype(np.int64).tolist()
    return grid
