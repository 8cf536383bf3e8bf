"""A whole search path over the small shop, with the real policy, for the tests of serving."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from learners.definition import AlwaysSpec, ArmSpec, Definition, PlacementSpec, Selection
from learners.policy import Policy
from retrievers.base import Retriever
from retrievers.lexical import LexicalRetriever
from retrievers.memory import MemoryRetriever
from retrievers.popular import PopularRetriever
from schemas.candidates import Candidate, Request
from schemas.events import Impression
from serving.pipeline import Pipeline
from serving.view import View
from tests.retrievers.shop import Shop, games

NAMES = ("lexical", "lexical_title", "memory", "popular")


def policy(
    names: Sequence[str] = NAMES,
    *,
    p: float | None = None,
    always: Sequence[str] = (),
    salt: str = "kitchen",
    placement: PlacementSpec | None = None,
) -> Policy:
    """The untrained policy, or a fixed one that asks every arm with probability p."""
    selection = Selection() if p is None else Selection(kind="fixed", fixed=dict.fromkeys(names, p))
    arms = [ArmSpec.of(name, depth=20) for name in names]
    more = {} if placement is None else {"placement": placement}
    definition = Definition(salt=salt, arms=arms, always=[AlwaysSpec(name=name, depth=20) for name in always], selection=selection, **more)
    return Policy.untrained(definition)


def strategies(shop: Shop) -> dict[str, Retriever]:
    found: list[Retriever] = [
        LexicalRetriever(shop.index),
        LexicalRetriever(shop.index, name="lexical_title", boosts={"title": 1.0}),
        MemoryRetriever(shop.memory, among=shop.catalog),
        PopularRetriever(shop.memory.totals, catalog=shop.catalog),
    ]
    return {one.name: one for one in found}


class Broken:
    """A strategy whose index is on fire."""

    name = "memory"

    def retrieve(self, request: Request, depth: int) -> list[Candidate]:
        raise OSError("the disk is gone")


class Kitchen:
    """A pipeline and what it has emitted. Its clock ticks 1/1024 s at every look."""

    def __init__(self, policy: Policy, *, retrievers: Mapping[str, Retriever] | None = None, candidates_p: float = 1.0):
        self.shop = games()
        self.emitted: list[tuple[Impression, int]] = []
        ticks = count()
        clock: Callable[[], float] = lambda: next(ticks) / 1024  # noqa: E731
        self.view = View(policy, self.shop.memory, {**strategies(self.shop), **(retrievers or {})}, self.shop.catalog)
        self.pipeline = Pipeline(
            lambda: self.view, lambda impression, ts: self.emitted.append((impression, ts)), clock=clock, candidates_p=candidates_p
        )
