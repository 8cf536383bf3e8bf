"""How a publisher stands, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What a publishing process did, over all of its turns. `fit_seconds`: of the last fit of the models."""

    published: int = 0
    refused: int = 0
    fit_seconds: float = 0.0


@dataclass(frozen=True)
class PublisherStatus:
    """`active`: it publishes now; what follows `fit_seconds` is only known then. `seq` and `created` (wall ms) are of the running policy,
    0 before the first; `lag`: records of each topic that are not read yet; `silent`: s since the broker last answered."""

    active: bool = False
    published: int = 0
    refused: int = 0
    fit_seconds: float = 0.0
    seq: int = 0
    created: int = 0
    finals: int = 0
    lag: Mapping[str, int] = field(default_factory=dict)
    silent: float = 0.0
