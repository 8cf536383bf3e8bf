"""The learned policy and its ablations: what each leaves out of the whole, for evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from learners.credit import shared_credit
from learners.definition import NO_TESTS, Definition, Selection
from learners.examination import Examination
from learners.models import FinalsModel
from learners.ranking.rank_model import RankModel
from ops.definitions import models_of
from streams.kernel.join import RULES, Rules

Change = Callable[[Definition], Definition]


def _as_it_is(definition: Definition) -> Definition:
    return definition


@dataclass(frozen=True)
class Variant:
    """How one policy differs: its definition, the rules of the state, whether ranking reads the memory, what is fitted on finals."""

    definition: Change = _as_it_is
    rules: Rules = RULES
    memory: bool = True
    models: Callable[[Sequence[str]], tuple[FinalsModel, ...]] = models_of


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
    return definition.model_copy(update={"placement": NO_TESTS})


def _without(left_out: type) -> Callable[[Sequence[str]], tuple[FinalsModel, ...]]:
    return lambda strategies: tuple(one for one in models_of(strategies) if not isinstance(one, left_out))


def _no_balance(strategies: Sequence[str]) -> tuple[FinalsModel, ...]:
    """A search counts like any other, however often its query is searched."""
    return tuple(RankModel(balanced=False) if isinstance(one, RankModel) else one for one in models_of(strategies))


POLICIES = {"learned": Variant(), "ask_all": Variant(_ask_all)}
ABLATIONS = {
    "no_memory": Variant(_no_memory, memory=False),
    "no_rank_model": Variant(models=_without(RankModel)),
    "no_debiasing": Variant(_no_debiasing, models=_without(Examination)),
    "no_placement": Variant(_no_placement),
    "no_balance": Variant(models=_no_balance),
    "shared_credit": Variant(rules=replace(RULES, credit=shared_credit)),
}
VARIANTS = POLICIES | ABLATIONS
FIXED = Variant(models=lambda strategies: ())  # for contenders with an order of their own: nothing is fitted that nobody reads
