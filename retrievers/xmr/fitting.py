"""Fits the linear softmax query -> entity by stochastic gradient descent in two passes, in an order that the examples themselves give.

Loss of a query x with the distribution t over its entities: -sum_l t_l log softmax(W x)_l, its gradient (softmax(W x) - t) x'.

1. Every example by itself, the oldest first, step 2: what an online learner would know that saw each action as it came, the newest best.
   An entity is a label from its first example on.
2. Every query once, its examples added up with weight 2^(-age / 7 days), the query acted on last comes last, step 0.3: takes out the
   noise that large steps leave, in particular in queries with many examples.

Chosen on bestbuy_games, played in order of time with a fit every 500 searches and everybody's clicks read: hit@10 0.912, MRR@10 0.736;
0.692 and 0.498 where the query was not clicked before. An online learner that is looked at as seldom has 0.914, 0.724, 0.695, 0.487; at
every search 0.922, 0.737, 0.707, 0.503. Without the second pass MRR@10 is 1.3 points lower; without trigrams 5 points of hit@10 are lost
on new queries. On searches 20,000 to 28,000 half-lives of 14 and 30 days or none cost 0.2, 0.4, 0.6 points of hit@10 and 0.5, 1.0, 1.2
of MRR@10.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrievers.xmr.features import features
from schemas.base import DAY_MS

# The softmax bends by at most 1/2 and |x|^2 is 1.02, so a step below 4 / 1.02 never grows what it corrects (Boehning 1992).
FIRST_STEP, SECOND_STEP = 2.0, 0.3
HALF_LIFE_DAYS = 7.0
PRUNE = 0.05  # smaller weights go: seven of eight, without a change in quality up to 0.1
# Bounds on work and memory. 30,000 examples of 20 features with 400 labels are 240 million products, 0.9 s; at the bounds a fit takes
# 2.5 s and 200 MB. Where they bind, the labels with the least decayed weight go: 30,000 such examples leave room for 1,600 labels.
MAX_PRODUCTS, MAX_CELLS = 1_000_000_000, 50_000_000

Weights = NDArray[np.float32]  # (features, labels)
Row = tuple[NDArray[np.intp], NDArray[np.float32]]  # rows of `Weights` and values of a query


class Example(NamedTuple):
    """Somebody wanted the entity under the query. `time` in ms; `weight` in clicks: above 1 it counts more in the second pass only."""

    time: int
    query_key: str
    entity_id: str
    weight: float


def fit(examples: Iterable[Example]) -> dict[str, NDArray[Any]]:
    """The arrays of a `softmax.SoftmaxModel`, none without examples. A function of the multiset of examples, on one thread: no BLAS."""
    ordered = sorted(one for one in examples if one.weight > 0.0)
    if not ordered:
        return {}
    newest, half_life = ordered[-1].time, HALF_LIFE_DAYS * DAY_MS
    faded = [one.weight * 2.0 ** ((one.time - newest) / half_life) for one in ordered]
    vectors = {key: features(key) for key in {one.query_key for one in ordered}}
    ids = np.unique(np.concatenate([vector.ids for vector in vectors.values()]))
    products = sum(len(vectors[one.query_key].ids) for one in ordered)
    columns = _columns(ordered, faded, most=max(1, min(MAX_PRODUCTS // products, MAX_CELLS // len(ids))))
    rows = {key: (np.searchsorted(ids, vector.ids), vector.values) for key, vector in vectors.items()}
    weights = np.zeros((len(ids), len(columns)), dtype=np.float32)
    _first_pass(weights, ordered, rows, columns)
    _second_pass(weights, ordered, rows, columns, faded)
    return _arrays(weights, ids, columns)


def _columns(ordered: Sequence[Example], faded: Sequence[float], *, most: int) -> dict[str, int]:
    """Entity -> column, in the order of their first examples; the `most` entities with the largest sums of decayed weight."""
    sums: dict[str, list[float]] = {}
    for one, weight in zip(ordered, faded, strict=True):
        sums.setdefault(one.entity_id, []).append(weight)
    best = set(sorted(sums, key=lambda entity: (-fsum(sums[entity]), entity))[:most])
    return {entity: column for column, entity in enumerate(entity for entity in sums if entity in best)}


def _first_pass(weights: Weights, ordered: Sequence[Example], rows: Mapping[str, Row], columns: Mapping[str, int]) -> None:
    known = 0
    for one in ordered:
        column = columns.get(one.entity_id)
        if column is not None:
            known = max(known, column + 1)
            _step(weights, rows[one.query_key], column, 1.0, known=known, size=FIRST_STEP * min(1.0, one.weight))


def _second_pass(
    weights: Weights, ordered: Sequence[Example], rows: Mapping[str, Row], columns: Mapping[str, int], faded: Sequence[float]
) -> None:
    wanted: dict[str, dict[int, list[float]]] = {}
    for one, weight in zip(ordered, faded, strict=True):
        if one.entity_id in columns:
            entities = wanted.pop(one.query_key, {})
            entities.setdefault(columns[one.entity_id], []).append(weight)
            wanted[one.query_key] = entities  # now the last one
    for key, entities in wanted.items():
        sums = np.array([fsum(entities[column]) for column in sorted(entities)])
        size = SECOND_STEP * min(1.0, float(sums.sum()))
        _step(weights, rows[key], sorted(entities), sums / sums.sum(), known=len(columns), size=size)


def _step(weights: Weights, row: Row, labels: int | Sequence[int], target: float | NDArray[np.float64], *, known: int, size: float) -> None:
    """weights -= size * (softmax(W x) - target) x', over the first `known` labels; `target` belongs to `labels`, of the rest it is 0."""
    at, values = row
    block = weights[at, :known]
    slope = np.einsum("f,fl->l", values, block)
    slope -= np.maximum.reduce(slope)
    np.exp(slope, out=slope)
    slope /= np.add.reduce(slope)
    slope[labels] -= target
    slope *= np.float32(size)
    block -= np.multiply.outer(values, slope)
    weights[at, :known] = block


def _arrays(weights: Weights, ids: NDArray[np.int32], columns: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """What is large enough, feature by feature."""
    large = np.abs(weights) >= PRUNE
    names = [entity.encode("utf-8", "surrogatepass") for entity in columns]
    return {
        "feature_ids": ids.astype(np.int32),
        "starts": np.concatenate([[0], np.cumsum(large.sum(axis=1))]).astype(np.int32),
        "columns": np.nonzero(large)[1].astype(np.int32),
        "weights": weights[large],
        "labels": np.frombuffer(b"".join(names), dtype=np.uint8),
        "label_ends": np.cumsum([len(name) for name in names]).astype(np.int32),
    }
