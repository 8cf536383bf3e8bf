"""Everything that a server and its pages stand on, as one value: made by `ops`, used by the HTTP API and the console."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from serving.access import Access
from serving.backend import Backend
from serving.breakers import Breakers
from serving.kept import Kept
from serving.live import Live
from serving.outcomes import OutcomeSums
from serving.pipeline import Pipeline
from serving.signing import Signer


@dataclass(frozen=True)
class Limits:
    """What one caller, and all together, may ask of a server.

    `body`: bytes of a request. `slow`: seconds in which a body must have come. `threads`: searches worked on at once; `waiting`: searches
    that may wait for a thread; more are answered 503. `rate`: requests a second of one address, `token_rate` of one API token (it stands
    for many people), twice as many at once; 0 for any number. `origins`: sites whose pages may call /search and /events.
    """

    body: int = 1_000_000
    slow: float = 10.0
    threads: int = 8
    waiting: int = 32
    rate: float = 50.0
    token_rate: float = 1_000.0
    origins: tuple[str, ...] = ()


class Crowd(Protocol):
    """Simulated people who search and click inside the service: the demo's."""

    @property
    def speed(self) -> float:
        """Searches a second; 0 while they rest."""

    @property
    def searches(self) -> int:
        """How many they have made."""

    @property
    def said(self) -> str:
        """Who they are and what they do now, as a sentence."""

    def set_speed(self, speed: float) -> None:
        """Raises InvalidSetting for a speed that is not from 0 to what a crowd can do."""


@dataclass(frozen=True)
class Site:
    """`clock`: wall ms. `new_id`: ids of searches, not to be guessed. `samples`: the metrics as Prometheus reads them."""

    name: str
    backend: Backend
    pipeline: Pipeline
    kept: Kept
    live: Live
    outcomes: OutcomeSums
    signer: Signer
    access: Access
    limits: Limits
    breakers: Breakers | None
    crowd: Crowd | None
    samples: Callable[[], bytes]
    clock: Callable[[], int]
    new_id: Callable[[], str]
