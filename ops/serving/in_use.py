"""What serves now: catalogue, strategies, and the policy with what it is tried against. Made aside, swapped whole."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from learners.policy import Policy
from memory_index.reader import MemoryReader
from ops.wiring import hand_out
from retrievers.base import Retriever
from retrievers.catalog import Catalog
from schemas.entities import Entity
from schemas.snapshots import Content
from serving import view as serving_view
from serving.backend import Trouble
from serving.view import View

Dress = Callable[[Policy], serving_view.Policy]
Makers = Callable[[Catalog, MemoryReader, Callable[[Trouble], None]], Mapping[str, Retriever]]


class InUse:
    """The view of both backends. Any thread may read `view`; whoever changes it waits for whoever does so now, no search waits.

    `makers` makes the strategies over catalogue and memory, and says what it had to leave out. `dress` makes of each learned policy the
    one that serves, so that an experiment outlives publications.
    """

    def __init__(self, entities: Iterable[Entity], reader: MemoryReader, policy: Policy, *, makers: Makers) -> None:
        self.changing = threading.RLock()
        self.missing: list[Trouble] = []
        self.content: Content | None = None  # what the policy was made of
        self._catalog, self._reader, self._makers, self._policy = Catalog(entities), reader, makers, policy
        self._dress: Dress = lambda policy: policy
        self.view = View(policy, reader, self._made(), self._catalog)

    def adopt(self, policy: Policy, content: Content | None) -> None:
        """Serve by another policy; strategies that are models take their arrays from its content."""
        with self.changing:
            if content is not None:
                hand_out(content, self.view.retrievers.values(), before=self.content)
            self._policy, self.content = policy, content
            self.view = replace(self.view, policy=self._dress(policy))

    def put(self, entities: Iterable[Entity]) -> None:
        """Add, replace and, for tombstones, remove entities: the strategies are built aside over the new catalogue."""
        with self.changing:
            self._catalog.put(entities)
            made = self._made()
            if self.content is not None:
                hand_out(self.content, made.values())
            self.view = replace(self.view, retrievers=made)

    def try_out(self, dress: Dress) -> None:
        """Serve through this from now on."""
        with self.changing:
            self._dress = dress
            self.view = replace(self.view, policy=dress(self._policy))

    def _made(self) -> Mapping[str, Retriever]:
        missing: list[Trouble] = []
        made = self._makers(self._catalog, self._reader, missing.append)
        self.missing = missing
        return made
