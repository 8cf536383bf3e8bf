"""What was decided for a request, with the probability of everything that was drawn."""

from operator import not_
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Count, GridInt, Id, Label, Message, Name, Probability

Status = Literal["ok", "failed", "late", "not_asked"]


class Arm(Message):
    """One strategy of a decision. `phi` is the feature vector of the draw (units of 1/256).

    `propensity` is the probability with which the arm was *asked* (not of what happened): an arm that was
    not asked logs the same number. `depth` is what was drawn, `depth_p` the probability of that depth.
    """

    name: Name
    asked: bool
    propensity: Probability
    phi: Annotated[list[GridInt], Field(max_length=128)] = []
    planned: Count = 0
    depth: Count = 0
    depth_p: Probability = 1.0
    returned: Count = 0
    ms: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    status: Status = "ok"


class Always(Message):
    """A strategy that is asked on every request: it is no arm, it competes for nothing."""

    name: Name
    depth: Count = 0
    returned: Count = 0
    ms: Annotated[float, Field(ge=0.0, le=1e9)] = 0.0
    status: Status = "ok"


class Shadow(Message):
    """A strategy asked off the critical path with probability `p`, and the entities that it found."""

    name: Name
    p: Probability
    found: Annotated[list[Id], Field(max_length=100)] = []


class Trial(Message):
    """The experiment that a search is part of, and which of its two arms answers it: `a` is what runs anyway, `b` what is tried, `both`
    share one page. `p` is the chance of this arm for this search."""

    name: Name
    arm: Literal["a", "b", "both"]
    p: Probability


class Decision(Message):
    """Which of the available strategies were asked, how deep, and by which policy.

    `trial` is left out of the bytes where there is none: messages without experiments are those of before there were any.
    """

    decision_id: Id
    content_id: Label
    seq: Count
    salt: Label = ""
    available: Annotated[list[Name], Field(max_length=64)]
    arms: Annotated[list[Arm], Field(max_length=64)]
    always: Annotated[list[Always], Field(max_length=64)] = []
    shadow: Annotated[list[Shadow], Field(max_length=64)] = []
    rank_version: Label = ""
    trial: Annotated[Trial | None, Field(exclude_if=not_)] = None

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [arm.name for arm in self.arms] + [one.name for one in self.always]
        if len(set(names)) != len(names):
            raise ValueError("each strategy stands once in arms or always; remove the repeated one")
        if unknown := set(names) - set(self.available):
            raise ValueError(f"{sorted(unknown)} not in available; list every strategy that could have been asked")
        return self

    def asked(self) -> set[str]:
        """Names of the strategies that were asked, always-on ones included."""
        return {arm.name for arm in self.arms if arm.asked} | {one.name for one in self.always}

    @property
    def own(self) -> bool:
        """Whether the policy that runs anyway made the whole page. Only such pages say what its strategies are worth to it: beside another
        policy's choice of strategies or order the same strategy finds and earns something else."""
        return self.trial is None or self.trial.arm == "a"
