"""Who competes: the learned policy, each strategy alone, and the fixed orders that a search engine would use without learning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retrievers.fusion import rrf
from schemas.candidates import Candidate
from schemas.errors import NotFound

Lists = Mapping[str, Sequence[Candidate]]
Order = Callable[[Lists], list[str]]
LEARNED, RRF, MEMORY_FIRST, MEMORY = "learned", "rrf", "memory_first", "memory"
CONVEX = "convex"  # the fixed mix with the best weights that can be found
RIVALS = (RRF, CONVEX)  # of the demo: what a search engine would do that asks everything and learns nothing

# Their lists depend on the catalogue alone. Whatever is not named here may depend on feedback, so that under the protocol `bandit`,
# where feedback depends on the page, it is replayed in a run of its own: slower, never wrong.
CATALOGUE_ONLY = frozenset({"lexical", "lexical_title", "lexical_all", "dense", "sparse", "structured", "trigrams"})


@dataclass(frozen=True)
class Contender:
    """A way to order candidates. `asks` names the strategies that it asks each time; `order` makes the page order of their lists.
    `order` is None for the learned policy: the system under test decides and ranks by itself."""

    name: str
    asks: tuple[str, ...] = ()
    order: Order | None = None

    @property
    def needs_own_run(self) -> bool:
        """Whether what it finds depends on the pages that were shown, so that its own pages must be shown to judge it."""
        return self.order is None or not CATALOGUE_ONLY.issuperset(self.asks)


def contenders(strategies: Sequence[str], chosen: Sequence[str] = (), *, on_request: Sequence[str] = ()) -> list[Contender]:
    """`learned`, `memory_first` (where there is a memory), `rrf`, then each strategy alone; or only the `chosen` of them, and of the
    other policies that are `on_request`.

    Raises NotFound for a chosen name that is not among them.
    """
    names = tuple(sorted(strategies))
    every = [Contender(name) for name in (LEARNED, *on_request)]
    if MEMORY in names:
        every.append(Contender(MEMORY_FIRST, names, memory_first))
    every += [Contender(RRF, names, by_rrf), *(Contender(name, (name,), _alone(name)) for name in names)]
    if unknown := set(chosen) - {one.name for one in every}:
        raise NotFound(f"no contender {sorted(unknown)}; choose among {[one.name for one in every]}")
    return [one for one in every if (one.name in chosen if chosen else one.name not in on_request)]


def by_rrf(lists: Lists) -> list[str]:
    """Reciprocal rank fusion of all lists."""
    return [candidate.entity_id for candidate in rrf(lists)]


def memory_first(lists: Lists) -> list[str]:
    """What memory knows of the query in its own order, then everything else by rrf: the simple use of a memory."""
    known = [candidate.entity_id for candidate in lists.get(MEMORY, ())]
    return list(dict.fromkeys(known + by_rrf(lists)))


def _alone(name: str) -> Order:
    return lambda lists: [candidate.entity_id for candidate in lists.get(name, ())]
