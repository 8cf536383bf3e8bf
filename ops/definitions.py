"""What is learned where nobody says otherwise: the definition of a policy, and the models beside it. No retriever is loaded for this: a
publisher needs none of their libraries."""

from collections.abc import Sequence

from learners.definition import AlwaysSpec, ArmSpec, Definition, ReadingSpec
from learners.examination import Examination
from learners.models import FinalsModel
from learners.ranking.rank_model import RankModel
from ops.settings import Settings, names_of
from retrievers.xmr.finals import XmrFit

STRATEGIES = Settings().strategies


def definition(
    strategies: Sequence[str] = STRATEGIES, *, always: Sequence[str] = (), min_clients: int = 2, salt: str = "forage"
) -> Definition:
    """Each strategy an arm of its default cost and depth, or always on. `strategies`: names, or entries as the settings have them."""
    arms = [ArmSpec.of(name) for name in names_of(strategies) if name not in always]
    reading = ReadingSpec(min_clients=min_clients)
    return Definition(arms=arms, always=[AlwaysSpec(name=name) for name in always], reading=reading, salt=salt)


def always_of(strategies: Sequence[str]) -> tuple[str, ...]:
    """What a server asks whatever was learned: `lexical`, where it is one of several. Independent draws can leave a search with nothing
    asked, once in twenty with two strategies, and nobody wants an empty page for that."""
    names = names_of(strategies)
    return ("lexical",) if "lexical" in names and len(names) > 1 else ()


def models_of(strategies: Sequence[str] = STRATEGIES) -> tuple[FinalsModel, ...]:
    """What is fitted on finals for these strategies, in this order: each sees what those before it found."""
    return (Examination(), RankModel(), *([XmrFit()] if "xmr" in names_of(strategies) else []))
