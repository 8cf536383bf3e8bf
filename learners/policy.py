"""The policy of one snapshot: `decide` which strategies to ask and how deep, `rank` what they found. numpy only, no locks, no state.

With no arm asked and nothing always-on available, nothing is asked: the decision says so and the page is empty. Filling such a page from
elsewhere would make the logged probabilities a lie; who wants no empty pages declares a strategy `always`.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Self

import numpy as np

from learners.arrays import unpack
from learners.definition import NO_TESTS, ArmSpec, Definition
from learners.draw import draw_depth
from learners.draws import uniform
from learners.features import ARM_FEATURES, QUERY_CLASSES, as_reals, class_index, known
from learners.fit import fit
from learners.ranking.contributions import Account
from learners.ranking.placement import Placed, place
from learners.ranking.posterior import Ranked, Ranker, drawn
from learners.selection.arm import Posteriors
from learners.selection.epsilon_greedy import EpsilonGreedy
from learners.selection.fixed import Fixed
from learners.selection.selector import Selector
from learners.selection.thompson import Thompson
from schemas.candidates import Candidate, Memory, Request
from schemas.decisions import Always, Arm, Decision, Shadow
from schemas.errors import CorruptFile
from schemas.ids import digest
from schemas.snapshots import Content

__all__ = ["Placed", "Policy", "Ranked"]

SHADOW_P = 0.05  # of asking a strategy that was not asked, off the critical path
_ARM_FIELDS = set(Arm.model_fields)
_DECISION_FIELDS = set(Decision.model_fields)


class Policy:
    """What a content decides. `seq` is the publication it came with, for the log; `selector` replaces the content's own (replay).

    `exploration` is the manifest's: the least probability of asking an arm. It touches neither a selector that was given nor fixed
    probabilities.
    """

    def __init__(self, content: Content, *, seq: int, selector: Selector | None = None, exploration: float = 0.0):
        self.content_id = content.content_id
        self.seq = seq
        self.definition = definition_of(content)
        self.posteriors, self._records = arrays_of(content, arms=len(self.definition.arms))
        self._arms = {arm.name: row for row, arm in enumerate(self.definition.arms)}
        self._plan = plan_of(content, [arm.depth for arm in self.definition.arms])
        self._selector = selector or selector_of(self.definition, self.posteriors)
        learns = selector is None and self.definition.selection.kind != "fixed"
        self._least = min(exploration, 1.0 - self.definition.floor) if learns else 0.0
        self._ranker = ranker_of(self.definition, content)
        self._greedy = False

    @classmethod
    def untrained(cls, definition: Definition) -> Self:
        """The policy before any snapshot (seq 0): it asks nearly everything, and ranks by fusion and memory."""
        return cls(fit(definition, {}, 0), seq=0)

    def greedy(self) -> Self:
        """The same policy without chance: it asks the arms that it would more likely ask than not (where there are none and nothing
        is asked always, the likeliest), each with probability 1, to their planned depths, and tests nothing on the page. An arm that it
        does not ask could not have been asked: it stands in no decision.
        """
        greedy = copy(self)
        greedy.definition = self.definition.model_copy(update={"depth_jitter": 0.0, "placement": NO_TESTS})
        greedy._greedy = True
        return greedy

    @property
    def feature_schema(self) -> str:
        """Hash of the features in `Arm.phi`: what an impression logs as its feature_schema."""
        return ARM_FEATURES.hash

    def decide(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> Decision:
        """Which of the `available` strategies to ask, each by its own draw, and how deep; and which of the others to ask in the shadow.

        `available` is fixed before the draw; its order does not matter, and names that the policy does not know are only logged. The
        same request and evidence under the same content give the same decision. Later pages of a search repeat the logged decision:
        memory and `recent` may have changed in between.
        """
        can = set(available)
        arms = [arm for arm in self.definition.arms if arm.name in can]
        drawn = self._draw(request, arms, memory) if arms else []
        always = [Always(name=one.name, depth=one.depth) for one in self.definition.always if one.name in can]
        asked = {arm.name for arm in drawn if arm.asked} | {one.name for one in always}
        return Decision.model_construct(
            _DECISION_FIELDS,
            decision_id=digest("decision", request.search_id, self.content_id),
            content_id=self.content_id,
            seq=self.seq,
            salt=self.definition.salt,
            available=sorted(can),
            arms=drawn,
            always=always,
            shadow=self._shadow(request.search_id, can - asked),
            rank_version=self._ranker.features.version,
        )

    def probabilities(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> dict[str, float]:
        """The probability of asking each available arm: exactly what `decide` draws from."""
        arms = [arm for arm in self.definition.arms if arm.name in set(available)]
        return dict(zip([arm.name for arm in arms], self._probabilities(request, arms, memory)[1], strict=True)) if arms else {}

    def rank(self, request: Request, lists: Mapping[str, Sequence[Candidate]], *, memory: Memory | None = None) -> list[Ranked]:
        """The union of the asked lists (a failed one is an empty list), best first, ties by id. Nothing is drawn."""
        return self._ranker.rank(request, lists, memory=memory)

    def place(self, request: Request, ranked: Sequence[Ranked]) -> list[Placed[Ranked]]:
        """The results of the requested page of a ranking, with its tests and their probabilities; the same for the same search and
        ranking, so that the pages of a search fit together."""
        spec, salt = self.definition.placement, self.definition.salt
        order = drawn(request, ranked, draw=spec.draw, salt=salt)
        return place(request, order, spec=spec, salt=salt, uncertainty=_sd)

    def account(self, request: Request, one: Ranked) -> Account:
        """How the score of a candidate that `rank` gave for this request comes about."""
        return self._ranker.account(one)

    def _probabilities(self, request: Request, arms: Sequence[ArmSpec], memory: Memory | None) -> tuple[list[list[int]], list[float]]:
        rows = slice(None) if len(arms) == len(self._arms) else [self._arms[arm.name] for arm in arms]
        records = self._records[class_index(request.query_class), rows]
        phi = ARM_FEATURES.matrix(request, records=records, known=known(request, memory))
        p = self._selector.probabilities(request, [arm.name for arm in arms], as_reals(phi))
        if self._greedy:
            least = 0.5 if self.definition.always else min(0.5, p.max())  # who never explores would get an empty page every time
            return phi.tolist(), (p >= least).astype(np.float64).tolist()
        return phi.tolist(), np.maximum(p, self._least).tolist()

    def _shadow(self, search_id: str, left: set[str]) -> list[Shadow]:
        """What is asked for the log alone, among the available strategies that are not asked, those the policy does not know included."""
        salt = self.definition.salt
        return [Shadow(name=name, p=SHADOW_P) for name in sorted(left) if uniform("shadow", salt, search_id, name) < SHADOW_P]

    def _draw(self, request: Request, arms: Sequence[ArmSpec], memory: Memory | None) -> list[Arm]:
        salt, search_id, jitter = self.definition.salt, request.search_id, self.definition.depth_jitter
        phi, probabilities = self._probabilities(request, arms, memory)
        plan = self._plan[class_index(request.query_class)]
        drawn = []
        for arm, row, p in zip(arms, phi, probabilities, strict=True):
            if p == 0.0:
                continue
            asked = uniform("ask", salt, search_id, arm.name) < p
            planned = plan[self._arms[arm.name]]
            depth, depth_p = draw_depth(planned, jitter, uniform("depth", salt, search_id, arm.name)) if asked else (0, 1.0)
            drawn.append(
                Arm.model_construct(
                    _ARM_FIELDS,
                    name=arm.name,
                    asked=asked,
                    propensity=p,
                    phi=row,
                    planned=planned,
                    depth=depth,
                    depth_p=depth_p,
                    returned=0,
                    ms=0.0,
                    status="ok" if asked else "not_asked",
                )
            )
        return drawn


def _sd(one: Ranked) -> float:
    return one.sd


def ranker_of(definition: Definition, content: Content) -> Ranker:
    """The ranker with the weights of the content, or the start if it has none. Raises CorruptFile when they do not fit the definition."""
    ranker = Ranker(definition)
    if "rank.weights" not in content.arrays:
        return ranker
    weights = unpack(content.arrays["rank.weights"], what="rank.weights", dtype="<f8", shape=(2 + len(ranker.features.names),))
    return Ranker(definition, weights)


_parsed: tuple[object, Definition] | None = None  # the last plain definition and what it says: refreshes bring the same object


def definition_of(content: Content) -> Definition:
    """The definition inside a content. Raises CorruptFile when it is of another feature schema, InvalidSetting when it does not parse."""
    if content.definition.get("feature_schema") != ARM_FEATURES.hash:
        raise CorruptFile(
            f"snapshot content has feature schema {content.definition.get('feature_schema')!r}, this code has {ARM_FEATURES.hash!r}; "
            "run the version of forage that published it, or publish again with this one"
        )
    global _parsed
    plain = content.definition["policy"]
    if _parsed is None or plain is not _parsed[0]:
        _parsed = plain, Definition.parse(plain)
    return _parsed[1]


def arrays_of(content: Content, *, arms: int) -> tuple[Posteriors, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """(posteriors, running records of shape (classes, arms)). Raises CorruptFile on a missing, misshapen or non-finite array."""
    d = len(ARM_FEATURES.names)
    shapes = {"mean": (arms, d), "covariance": (arms, d, d), "sigma2": (arms,), "n": (arms,), "record": (arms, len(QUERY_CLASSES))}
    arrays = {name: unpack(content.arrays.get(name), what=name, dtype="<f8", shape=shape) for name, shape in shapes.items()}
    if not ((arrays["sigma2"] > 0.0).all() and (arrays["n"] >= 0.0).all()):
        raise CorruptFile("snapshot array 'sigma2' must be above 0 and 'n' at least 0; keep the last good one and publish again")
    record = np.ascontiguousarray(arrays.pop("record").T)
    return Posteriors(**arrays), record


def plan_of(content: Content, depths: Sequence[int]) -> list[list[int]]:
    """Planned depth by (query class, arm); the definition's where the content was made before depths were planned."""
    if "draw.plan" not in content.arrays:
        return [list(depths)] * len(QUERY_CLASSES)
    plan = unpack(content.arrays["draw.plan"], what="draw.plan", dtype="<i4", shape=(len(depths), len(QUERY_CLASSES)))
    if not ((plan >= 1) & (plan <= 100_000)).all():
        raise CorruptFile("snapshot array 'draw.plan' holds a depth that is not 1 to 100000; keep the last good one and publish again")
    out: list[list[int]] = plan.T.tolist()
    return out


def selector_of(definition: Definition, posteriors: Posteriors) -> Selector:
    """The selector that the definition names."""
    names, costs = [arm.name for arm in definition.arms], {arm.name: arm.cost for arm in definition.arms}
    match definition.selection.kind:
        case "thompson":
            return Thompson(names, posteriors, costs=costs, floor=definition.floor)
        case "epsilon_greedy":
            return EpsilonGreedy(names, posteriors, costs=costs, floor=definition.floor, epsilon=definition.selection.epsilon)
        case "fixed":
            return Fixed(definition.selection.fixed, floor=definition.floor)
