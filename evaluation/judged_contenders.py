"""Who competes on judged queries, and how each is run.

`learned` and its variants are policies: the system decides and ranks by itself. Contenders that read the memory have a run of their own,
too: their pages, their clicks. What depends on the catalogue alone (each strategy, `rrf`, `convex`, `oracle`) has one order a query.
`convex` and `oracle` know judgments; `convex_memory` knows those of the seen queries, whenever it is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluation.contenders import CATALOGUE_ONLY, MEMORY, MEMORY_FIRST, RRF, Contender, Lists, by_rrf, contenders, memory_first
from evaluation.judged_queries import JudgedQuery
from evaluation.metrics import ndcg
from retrievers.fusion import convex
from schemas.errors import NotFound

CONVEX, CONVEX_MEMORY, ORACLE = "convex", "convex_memory", "oracle"
MEMORY_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # tried for convex_memory
Weights = Mapping[str, float]


class Tuned(Protocol):
    """A contender whose order is tuned on judgments in the middle of its run."""

    def tune(self, seen: Sequence[tuple[Lists, Mapping[str, float]]]) -> None:
        """Take the best setting for these (lists, gains)."""


@dataclass(frozen=True)
class Field:
    """The contenders of an evaluation by how they are run, in the order in which they are reported."""

    policies: tuple[str, ...]
    fed: tuple[str, ...]
    static: tuple[str, ...]

    @property
    def running(self) -> tuple[str, ...]:
        """Those with runs of their own."""
        return self.policies + self.fed


def split(strategies: Sequence[str]) -> tuple[list[str], list[str]]:
    """(those that depend on the query alone, those that learn), each sorted."""
    fixed = sorted(CATALOGUE_ONLY.intersection(strategies))
    return fixed, sorted(set(strategies) - set(fixed))


def field_of(strategies: Sequence[str], *, policies: Sequence[str], on_request: Sequence[str], chosen: Sequence[str] = ()) -> Field:
    """The `chosen` contenders; by default all but the policies `on_request` (ablations) and `memory` alone, whose pages start empty,
    so that nobody can click on them. `convex` is always among them. Raises NotFound for an unknown name."""
    fixed, learning = split(strategies)
    if not fixed:
        raise NotFound(f"none of the strategies {sorted(strategies)} depends on the catalogue alone: there is nothing to compare with")
    fed = [CONVEX_MEMORY, MEMORY_FIRST] * (MEMORY in learning) + learning
    static = [CONVEX, RRF, *fixed, ORACLE]
    if unknown := set(chosen) - {*policies, *on_request, *fed, *static}:
        raise NotFound(f"no contender {sorted(unknown)}; choose among {[*policies, *on_request, *fed, *static]}")

    def taken(names: Sequence[str], default: bool = True) -> list[str]:
        return [name for name in names if (name in chosen if chosen else default and name != MEMORY)]

    return Field(
        (*taken(policies), *taken(on_request, default=False)),
        tuple(taken(fed)),
        (CONVEX, *taken(static[1:])),
    )


def static_orders(
    name: str, queries: Sequence[JudgedQuery], lists: Sequence[Lists], *, weights: Weights
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """(the order, the strategies asked) of each query; `weights` are those of the mix."""
    asks: Sequence[str] = (name,) if name in CATALOGUE_ONLY else sorted(lists[0])
    orders: list[Sequence[str]] = []
    for query, found in zip(queries, lists, strict=True):
        if name == CONVEX:
            orders.append([one.entity_id for one in convex(found, weights)])
        elif name == RRF:
            orders.append(by_rrf(found))
        elif name == ORACLE:
            pooled = {one.entity_id for some in found.values() for one in some}
            orders.append(sorted(pooled, key=lambda entity: (-query.gains.get(entity, 0.0), entity)))
        else:
            orders.append([one.entity_id for one in found[name]])
    return orders, [asks] * len(queries)


def fed_contender(name: str, strategies: Sequence[str], *, weights: Weights) -> tuple[Contender, Tuned | None]:
    """A contender that reads what people did. It asks the fixed strategies and the memory, or itself alone."""
    fixed, _ = split(strategies)
    asks = (*fixed, MEMORY)
    if name == CONVEX_MEMORY:
        mix = ConvexMemory(weights)
        return Contender(name, asks, mix.order), mix
    if name == MEMORY_FIRST:
        return Contender(name, asks, memory_first), None
    return contenders(strategies, [name])[0], None


class ConvexMemory:
    """convex + w S / (kappa + V): the tuned mix with the raw memory added. w starts at 1 and is tuned on MEMORY_WEIGHTS."""

    def __init__(self, weights: Weights):
        self._weights, self.weight = weights, 1.0

    def order(self, lists: Lists) -> list[str]:
        return _added(*self._parts(lists), self.weight)

    def tune(self, seen: Sequence[tuple[Lists, Mapping[str, float]]]) -> None:
        parts = [(*self._parts(lists), gains) for lists, gains in seen]

        def quality(weight: float) -> tuple[float, float]:
            return sum(ndcg(_added(base, memory, weight)[:10], gains, k=10) for base, memory, gains in parts), -weight

        self.weight = max(MEMORY_WEIGHTS, key=quality)

    def _parts(self, lists: Lists) -> tuple[dict[str, float], dict[str, float]]:
        base = convex({name: found for name, found in lists.items() if name != MEMORY}, self._weights)
        return dict(base), dict(lists.get(MEMORY, ()))


def _added(base: Mapping[str, float], memory: Mapping[str, float], weight: float) -> list[str]:
    scores = dict(base)
    for entity, score in memory.items():
        scores[entity] = scores.get(entity, 0.0) + weight * score
    return sorted(scores, key=lambda entity: (-scores[entity], entity))
