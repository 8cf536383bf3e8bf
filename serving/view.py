"""Everything that one search reads, as one immutable value: a search holds its view from beginning to end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from learners.ranking.contributions import Account
from retrievers.base import Retriever
from schemas.candidates import Candidate, Memory, Request
from schemas.decisions import Decision
from schemas.entities import Entity
from schemas.errors import InvalidSetting

MAX_RETRIEVERS = 32  # an impression has room for so many sources of one result
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Ranked(Protocol):
    """One entity of the ranked union: who found it (strategy, rank from 1, score), and the ranker's features in units of 1/256."""

    @property
    def entity_id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def found(self) -> Sequence[tuple[str, int, float]]: ...
    @property
    def features(self) -> Sequence[int]: ...
    @property
    def draw_p(self) -> float: ...


class Placed(Protocol):
    """A ranked entity in its place of the page: how it came there, and with what probability."""

    @property
    def one(self) -> Ranked: ...
    @property
    def mode(self) -> Literal["score", "slot", "swap", "team"]: ...
    @property
    def p(self) -> float: ...
    @property
    def team(self) -> Literal["", "a", "b"]: ...


class Policy(Protocol):
    """What serving needs of a policy; learners.policy.Policy is one."""

    @property
    def feature_schema(self) -> str:
        """Hash of the schema of the arms' features."""

    def decide(self, request: Request, *, available: Sequence[str], memory: Memory | None = None) -> Decision:
        """Which of the available strategies to ask, how deep, with what probability. The same for the same search and content."""

    def rank(self, request: Request, lists: Mapping[str, Sequence[Candidate]], *, memory: Memory | None = None) -> Sequence[Ranked]:
        """The union of the asked lists, each entity once, best first."""

    def place(self, request: Request, ranked: Sequence[Any]) -> Sequence[Placed]:
        """The results of the requested page of a ranking that `rank` gave, tests included."""

    def greedy(self) -> "Policy":
        """The same policy without chance: it asks what it would more likely ask than not, and tests nothing on the page."""

    def account(self, request: Request, one: Any) -> Account | None:
        """How the score of one that `rank` gave for this request comes about; None for a mix that adds nothing up."""


@dataclass(frozen=True)
class View:
    """Policy, memory (None: nothing remembered), strategies by name, and the catalogue (for the types of the entities)."""

    policy: Policy
    memory: Memory | None
    retrievers: Mapping[str, Retriever]
    catalog: Mapping[str, Entity]

    def __post_init__(self) -> None:
        for name, retriever in self.retrievers.items():
            if name != retriever.name or not _NAME.fullmatch(name):
                raise InvalidSetting(f"strategy {retriever.name!r} stands under {name!r}; use one name of a-z, 0-9 and _ for both")
        if len(self.retrievers) > MAX_RETRIEVERS:
            raise InvalidSetting(f"{len(self.retrievers)} strategies, at most {MAX_RETRIEVERS} fit an impression; leave some out")

    @property
    def available(self) -> tuple[str, ...]:
        """Names of the strategies that can be asked, sorted. Taken once, before anything is drawn."""
        return tuple(sorted(self.retrievers))
