"""What settled searches say to the model: who wanted which entity under which query, as far as it may be told to others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrievers.xmr.fitting import Example, fit
from schemas.base import UNIT

ACTS_PER_CLIENT = 3  # examples that one person gives for one pair, the newest; as memory reads them


class Settled(Protocol):
    """What is read of a final (learners.finals.Final)."""

    @property
    def time(self) -> int: ...
    @property
    def query_key(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def entities(self) -> Sequence[str]: ...
    @property
    def rewards(self) -> NDArray[np.int32]: ...
    @property
    def off_page(self) -> Mapping[str, int]: ...


class Reading(Protocol):
    @property
    def min_clients(self) -> int: ...


class Rules(Protocol):
    """What is read of a definition (learners.definition.Definition)."""

    @property
    def reading(self) -> Reading: ...


class XmrFit:
    """A model of finals (learners.models.FinalsModel): its arrays are those of `fitting.fit`."""

    name = "xmr"

    def fit(self, finals: Sequence[Settled], definition: Rules, fitted: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Of finals in any order; what was fitted before plays no part."""
        return fit(examples(finals, min_clients=definition.reading.min_clients))


def examples(finals: Sequence[Settled], *, min_clients: int) -> list[Example]:
    """An example for each entity with reward of a search, on the page or off it, weighing its reward in clicks.

    A pair of query and entity counts when at least `min_clients` distinct people rewarded it: what one person typed is not told to
    others. Of one person's searches the newest 3 count for a pair. Order as the pairs come.
    """
    pairs: defaultdict[tuple[str, str], defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for one in finals:
        rewarded = one.rewards.nonzero()[0].tolist()
        wanted = {one.entities[at]: int(one.rewards[at]) for at in rewarded} | dict(one.off_page)
        for entity, reward in wanted.items():
            if reward > 0:
                pairs[one.query_key, entity][one.client].append((one.time, reward))
    return [
        Example(time, key, entity, reward / UNIT)
        for (key, entity), people in pairs.items()
        if len(people) >= min_clients
        for acts in people.values()
        for time, reward in sorted(acts)[-ACTS_PER_CLIENT:]
    ]
