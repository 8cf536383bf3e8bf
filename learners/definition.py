"""What a policy is, apart from what it has learned: the JSON half of a snapshot's content. Changing it is a release."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from learners.rewards import rewards_by_kind
from schemas.base import Label, Message, Name, Rank
from schemas.errors import InvalidSetting
from schemas.explain import explain

# Reward units an asked search, by kind: what is looked up costs less than an index, and an encoder more.
DEFAULT_COST = {"dense": 0.04, "memory": 0.005, "popular": 0.005, "xmr": 0.005, "fresh": 0.005}
OTHER_COST = 0.02
DEFAULT_DEPTH = 50
# Mean of 1/position over the bins 1, 2, 3, 4-5, 6-10; 11+ is read as position 15.
THETA = (1.0, 1 / 2, 1 / 3, (1 / 4 + 1 / 5) / 2, (1 / 6 + 1 / 7 + 1 / 8 + 1 / 9 + 1 / 10) / 5, 1 / 15)

Positive = Annotated[float, Field(gt=0.0, le=1e6)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ArmSpec(Message):
    """A strategy that competes. Arms of one `kind` lend each other their start; `cost` is in reward units an asked search."""

    name: Name
    kind: Label
    cost: Annotated[float, Field(ge=0.0, le=16.0)] = OTHER_COST
    depth: Rank = DEFAULT_DEPTH

    @classmethod
    def of(cls, name: str, kind: str | None = None, *, depth: int = DEFAULT_DEPTH) -> "ArmSpec":
        """An arm with the default cost of its kind; the kind is the name's first word unless given."""
        kind = kind or name.partition("_")[0]
        return cls(name=name, kind=kind, cost=DEFAULT_COST.get(kind, OTHER_COST), depth=depth)


class AlwaysSpec(Message):
    """A strategy that is asked on every request and competes for nothing."""

    name: Name
    depth: Rank = DEFAULT_DEPTH


class Selection(Message):
    """How models become probabilities. `epsilon` goes with epsilon_greedy, `fixed` (arm -> probability) with fixed."""

    kind: Literal["thompson", "epsilon_greedy", "fixed"] = "thompson"
    epsilon: Share = 0.1
    fixed: Annotated[dict[Name, Share], Field(max_length=64)] = {}


class RankSpec(Message):
    """prior = sigmoid(b0 + a0 * fusion + w'x), w fitted on finals; `weights` (strategy -> weight) None means equal weights in fusion."""

    b0: Annotated[float, Field(ge=-20.0, le=20.0)] = -3.8
    a0: Annotated[float, Field(ge=-20.0, le=20.0)] = 5.0
    weights: Annotated[dict[Name, Share], Field(max_length=64)] | None = None


class PlacementSpec(Message):
    """Tests on the page, each with its probability in the log; all 0 turn them off.

    `draw`: the page is in the order of scores drawn around the posterior means, with so many posterior standard deviations. `slot` gives
    one place of 3..10 to a candidate from outside the page, `swap` exchanges one pair of neighbours.
    """

    draw: Annotated[float, Field(ge=0.0, le=4.0)] = 0.25
    slot: Share = 0.05
    swap: Share = 0.1


NO_TESTS = PlacementSpec(draw=0.0, slot=0.0, swap=0.0)


class ReadingSpec(Message):
    """How memory counts are read: examination by position bin, reward by ACTION_KINDS, days to half weight, weight of the prior."""

    theta: Annotated[list[Share], Field(min_length=6, max_length=6)] = list(THETA)
    rewards: Annotated[list[Annotated[float, Field(ge=0.0, le=16.0)]], Field(min_length=10, max_length=10)] = rewards_by_kind()
    half_life_days: Positive = 30.0
    kappa: Positive = 2.0
    min_clients: Annotated[int, Field(ge=0, le=8)] = 2


class Definition(Message):
    """Arms, always-on strategies and every constant that a decision or an order depends on."""

    salt: Label = "forage"
    arms: Annotated[list[ArmSpec], Field(max_length=64)]
    always: Annotated[list[AlwaysSpec], Field(max_length=64)] = []
    floor: Annotated[float, Field(gt=0.0, le=0.5)] = 0.02
    depth_jitter: Share = 0.05
    half_life_hours: Positive = 14 * 24.0
    selection: Selection = Selection()
    rank: RankSpec = RankSpec()
    placement: PlacementSpec = PlacementSpec()
    reading: ReadingSpec = ReadingSpec()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [arm.name for arm in self.arms] + [one.name for one in self.always]
        if len(set(names)) != len(names):
            raise ValueError("a strategy stands twice in arms and always; keep one of them")
        if not names:
            raise ValueError("no strategies; list at least one in arms or always")
        return self

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of all strategies, arms first."""
        return tuple([arm.name for arm in self.arms] + [one.name for one in self.always])

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> "Definition":
        """A definition from plain data. Raises InvalidSetting with one line per problem."""
        try:
            return cls.model_validate(dict(plain))
        except ValidationError as error:
            raise InvalidSetting("not a policy definition: " + "; ".join(explain(error))) from None
