"""Experiments on live traffic: a policy made of two. `a` is what runs anyway, `b` is what is tried.

Split: each person gets one of the two, by hash, for as long as the experiment runs. Interleaved: on a share of searches both rank, and
their picks alternate on one page (`serving.drafting`); what people choose there says which ranking they prefer, within one search, so it
takes far fewer of them than comparing people with other people does. Mix: what never learns, to be compared with.

Nothing but what is drawn for the experiment itself is added to chance, and all of it is logged: `Decision.trial`, and the `Placement` of
every result. Only `a`'s own pages teach what strategies are worth (`Decision.own`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from learners.draws import uniform
from learners.ranking.contributions import Account
from learners.ranking.union import unite
from retrievers.fusion import convex, rrf
from schemas.candidates import Candidate, Memory, Request
from schemas.decisions import Always, Arm, Decision, Trial
from schemas.errors import InvalidSetting
from schemas.ids import digest
from serving.drafting import Team, chances, draft
from serving.view import Placed, Policy, Ranked

Lists = Mapping[str, Sequence[Candidate]]


class Fused(NamedTuple):
    """One entity of a fixed mix: its fused score and who found it. There is nothing else to know."""

    entity_id: str
    score: float
    found: tuple[tuple[str, int, float], ...]
    features: tuple[int, ...] = ()
    draw_p: float = 1.0


class Seated(NamedTuple):
    """A result in its place of a page on which only the experiment, or nothing, was drawn."""

    one: Ranked
    mode: Any = "score"
    p: float = 1.0
    team: Team = ""


class Mix:
    """A policy that never learns: asks each strategy of `depths` that is available, and ranks by reciprocal rank fusion, or by weights.

    `shelf` is asked instead where there is no query.
    """

    feature_schema = ""

    def __init__(
        self, name: str, depths: Mapping[str, int], *, shelf: Mapping[str, int] | None = None, weights: Mapping[str, float] | None = None
    ) -> None:
        if not depths:
            raise InvalidSetting(f"mix {name!r} has no strategies; name at least one that is there")
        self.name, self._depths, self._shelf, self._weights = name, dict(depths), dict(shelf or depths), weights

    def decide(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> Decision:
        """Everything, always."""
        depths = self._depths if request.query.strip() else self._shelf
        return Decision(
            decision_id=digest("decision", request.search_id, "mix", self.name),
            content_id=f"mix {self.name}",
            seq=0,
            available=sorted(available),
            arms=[],
            always=[Always(name=name, depth=depths[name]) for name in sorted(available) if name in depths],
            rank_version=f"mix {self.name}",
        )

    def rank(self, request: Request, lists: Lists, *, memory: Memory | None = None) -> list[Fused]:
        """The union by fused score descending, then id ascending."""
        union = unite(lists)
        found = dict(zip(union.ids, union.found(), strict=True))
        fused = rrf(lists) if self._weights is None else convex(lists, self._weights)
        return [Fused(entity_id, score, tuple(found[entity_id])) for entity_id, score in fused]

    def place(self, request: Request, ranked: Sequence[Ranked]) -> list[Seated]:
        """The page as it was ranked."""
        first = (request.page - 1) * request.size
        return [Seated(one) for one in ranked[first : first + request.size]]

    def account(self, request: Request, one: Any) -> Account | None:
        """None: a fused score is no expectation."""
        return None

    def greedy(self) -> "Mix":
        """Itself: nothing is left to chance."""
        return self


class Split:
    """`b` for a `share` of people, `a` for all others: drawn by hash of the client, or of the search where there is none."""

    def __init__(self, name: str, a: Policy, b: Policy, share: float) -> None:
        self.name, self.a, self.b, self.share = name, a, b, _checked(share)

    @property
    def feature_schema(self) -> str:
        """The one of `a`: both arms' features are of this code's one schema."""
        return self.a.feature_schema

    def arm(self, request: Request) -> Trial:
        """Which arm answers this person."""
        tried = uniform("bucket", self.name, request.client_id or request.search_id, "arm") < self.share
        return Trial(name=self.name, arm="b" if tried else "a", p=self.share if tried else 1.0 - self.share)

    def decide(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> Decision:
        trial = self.arm(request)
        return self._of(request).decide(request, available=available, memory=memory).model_copy(update={"trial": trial})

    def rank(self, request: Request, lists: Lists, *, memory: Memory | None = None) -> Sequence[Ranked]:
        return self._of(request).rank(request, lists, memory=memory)

    def place(self, request: Request, ranked: Sequence[Any]) -> Sequence[Placed]:
        return self._of(request).place(request, ranked)

    def account(self, request: Request, one: Any) -> Account | None:
        return self._of(request).account(request, one)

    def greedy(self) -> Policy:
        """`a` without chance, and without the experiment."""
        return self.a.greedy()

    def _of(self, request: Request) -> Policy:
        return self.b if self.arm(request).arm == "b" else self.a


class Drafted(list[Ranked]):
    """The union as `a` ranks all of it, with the two orders that are drafted from: ids, best first, of what each policy asked for."""

    def __init__(self, ranked: Sequence[Ranked], orders: tuple[Sequence[str], Sequence[str]]) -> None:
        super().__init__(ranked)
        self.orders = orders


class Interleaved:
    """On a `share` of searches `a` and `b` share the page, drawn by hash of the search; all others are `a`'s, outside the experiment.

    Asked is what either would ask, with that probability, each to its planned depth; either ranks what it would have asked, by its
    scores, so both get what they would have had alone. Neither adds page tests of its own. Features and scores are those of `a` for the
    whole union, so that its models learn from the page what it says about them.
    """

    def __init__(self, name: str, a: Policy, b: Policy, share: float) -> None:
        self.name, self.a, self.b, self.share = name, a, b, _checked(share)

    @property
    def feature_schema(self) -> str:
        """The one of `a`."""
        return self.a.feature_schema

    def shared(self, request: Request) -> bool:
        """Whether both make the page of this search."""
        return uniform("bucket", self.name, request.search_id, "arm") < self.share

    def decide(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> Decision:
        one = self.a.decide(request, available=available, memory=memory)
        if not self.shared(request):
            return one
        other = self.b.decide(request, available=available, memory=memory)
        return either(one, other, Trial(name=self.name, arm="both", p=self.share))

    def rank(self, request: Request, lists: Lists, *, memory: Memory | None = None) -> Sequence[Ranked]:
        ranked = self.a.rank(request, lists, memory=memory)
        if not self.shared(request):
            return ranked
        return Drafted(ranked, (self._order(self.a, request, lists, memory), self._order(self.b, request, lists, memory)))

    def place(self, request: Request, ranked: Sequence[Any]) -> Sequence[Placed]:
        if not isinstance(ranked, Drafted):
            return self.a.place(request, ranked)
        by_id = {one.entity_id: one for one in ranked}
        first, last = (request.page - 1) * request.size, request.page * request.size
        picks = draft(*ranked.orders, coin=lambda place: uniform("team", self.name, request.search_id, str(place)) < 0.5, most=last)
        chance = chances(*ranked.orders, most=last)
        if len(picks) < last:  # what neither asked for, but somebody gave lists of
            left = by_id.keys() - {*ranked.orders[0], *ranked.orders[1]}
            rest = [one.entity_id for one in ranked if one.entity_id in left][: last - len(picks)]
            picks, chance = picks + [(entity_id, "") for entity_id in rest], chance + [{entity_id: 1.0} for entity_id in rest]
        return [
            Seated(by_id[entity_id], "team", chance[place][entity_id], team)
            for place, (entity_id, team) in enumerate(picks)
            if place >= first
        ]

    def account(self, request: Request, one: Any) -> Account | None:
        """By `a`: scores are its own on shared pages, too."""
        return self.a.account(request, one)

    def greedy(self) -> Policy:
        """`a` without chance, and without the experiment."""
        return self.a.greedy()

    def _order(self, policy: Policy, request: Request, lists: Lists, memory: Memory | None) -> list[str]:
        """How a policy alone would have ordered what it would have asked for. Its decision is drawn again: it comes out the same."""
        decision = policy.decide(replace(request, page=1), available=sorted(lists), memory=memory)
        own = {name: lists[name][:depth] for name, depth in _planned(decision).items()}
        return [one.entity_id for one in policy.rank(request, own, memory=memory)]


def either(a: Decision, b: Decision, trial: Trial) -> Decision:
    """The decision to ask what `a` or `b` asks.

    Under one salt both compare the same draw with their probabilities, so either asks with the larger one; under two salts the draws
    are independent. Depths are planned ones, and the larger where both ask. Arms carry no features: nobody learns from them.
    """
    wanted = [_planned(a), _planned(b)]
    depth = {name: max(one.get(name, 0) for one in wanted) for name in wanted[0] | wanted[1]}
    always = {one.name for one in (*a.always, *b.always)}
    p: dict[str, float] = {}
    for arm in (*a.arms, *b.arms):
        q = p.get(arm.name, 0.0)
        p[arm.name] = max(q, arm.propensity) if a.salt == b.salt else q + arm.propensity - q * arm.propensity
    return a.model_copy(
        update={
            "decision_id": digest("decision", a.decision_id, b.decision_id, trial.name),
            "available": sorted({*a.available, *b.available}),
            "arms": [
                Arm(
                    name=name, asked=name in depth, propensity=p[name], planned=depth.get(name, 0), depth=depth.get(name, 0),
                    status="ok" if name in depth else "not_asked",
                )
                for name in sorted(p.keys() - always)
            ],
            "always": [Always(name=name, depth=depth[name]) for name in sorted(always)],
            "shadow": [one for one in a.shadow if one.name not in depth],
            "trial": trial,
        }
    )  # fmt: skip


def _planned(decision: Decision) -> dict[str, int]:
    """Planned depth of what a decision asks."""
    return {arm.name: arm.planned for arm in decision.arms if arm.asked} | {one.name: one.depth for one in decision.always}


def _checked(share: float) -> float:
    if not 0.0 < share < 1.0:
        raise InvalidSetting(f"share is {share}; use a part of the searches above 0 and below 1")
    return share
