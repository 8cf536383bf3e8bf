"""The learned policy and its ablations: what each leaves out of the whole, for evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from learners.credit import shared_credit
from learners.definition import Definition, PlacementSpec, Selection
from streams.kernel.join import RULES, Rules

Change = Callable[[Definition], Definition]


def _as_it_is(definition: Definition) -> Definition:
    return definition


@dataclass(frozen=True)
class Variant:
    """How one policy differs: its definition, the rules of the state, and whether ranking reads the memory."""

    definition: Change = _as_it_is
    rules: Rules = RULES
    memory: bool = True


def _ask_all(definition: Definition) -> Definition:
    """Every strategy with the highest probability that the floor lets."""
    every = Selection(kind="fixed", fixed={arm.name: 1.0 for arm in definition.arms})
    return definition.model_copy(update={"selection": every})


def _no_memory(definition: Definition) -> Definition:
    return definition.model_copy(update={"arms": [arm for arm in definition.arms if arm.name != "memory"]})


def _no_debiasing(definition: Definition) -> Definition:
    """Whatever was shown counts as looked at."""
    return definition.model_copy(update={"reading": definition.reading.model_copy(update={"theta": [1.0] * 6})})


def _no_placement(definition: Definition) -> Definition:
    rank = definition.rank.model_copy(update={"optimism": 0.0})
    return definition.model_copy(update={"placement": PlacementSpec(slot=0.0, swap=0.0), "rank": rank})


POLICIES = {"learned": Variant(), "ask_all": Variant(_ask_all)}
ABLATIONS = {
    "no_memory": Variant(_no_memory, memory=False),
    "no_debiasing": Variant(_no_debiasing),
    "no_placement": Variant(_no_placement),
    "shared_credit": Variant(rules=replace(RULES, credit=shared_credit)),
}
VARIANTS = POLICIES | ABLATIONS
