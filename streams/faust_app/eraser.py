"""Erasures in a worker: noted between batches, looked up in a thread beside the work, taken away in a transaction."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from schemas.errors import Unavailable
from streams.erasing.eraser import Task, accept, look, take_away, task
from streams.erasing.finding import Found
from streams.erasing.requests import Requests
from streams.erasing.scanning import scan
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owner import Owner
from streams.faust_app.owners import Owners

log = logging.getLogger(__name__)
EVERY = 1.0  # s between looks at what was asked for and what is due
REST = 30.0  # s for a partition whose outcomes could not be read: to say what is due reads all its rows, which holds the worker up


class Eraser:
    """`step` does what is due for every owned partition. `stop` ends a search of the outcomes early: its end is not waited for."""

    def __init__(
        self, config: WorkerConfig, owners: Owners, requests: Requests, *, stop: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._config, self._owners, self._requests, self._stop, self._clock = config, owners, requests, stop, clock
        self._noted: dict[Owner, int] = {}  # the count of requests that each has noted
        self._rest: dict[Owner, float] = {}  # until when (clock) each is left alone

    async def step(self) -> None:
        """One round."""
        count = self._requests.count
        for owner in list(self._owners.values()):
            if not owner.closed and self._noted.get(owner) != count:
                owner.change(partial(accept, requests=dict(self._requests.until)))
                self._noted[owner] = count
        self._noted = {owner: noted for owner, noted in self._noted.items() if not owner.closed}
        self._rest = {owner: until for owner, until in self._rest.items() if until > self._clock() and not owner.closed}
        for owner in list(self._owners.values()):
            if not owner.closed and owner not in self._rest and (given := task(owner.store, owner.kernel)) is not None:
                await self._take_away(owner, given)

    async def _take_away(self, owner: Owner, given: Task) -> None:
        started = self._clock()
        try:
            found = await asyncio.to_thread(self._look, owner, given)
        except Unavailable as error:
            log.warning("partition %d: erasures wait: %s", owner.partition, error)
            self._rest[owner] = self._clock() + REST
            return
        if owner.closed or self._stop():
            return
        owner.change(partial(take_away, given=given, found=found, now=_now()))
        log.info(
            "partition %d: %d searches of %d erased people were taken away, %.1f s", owner.partition, len(found.searches), len(given.due),
            self._clock() - started,
        )  # fmt: skip

    def _look(self, owner: Owner, given: Task) -> Found:
        begin = [0]
        stop = partial(_either, self._stop, owner)
        values = scan(self._config.bootstrap, owner.partition, began=lambda ms: begin.append(ms), stop=stop, security=self._config.security)
        found = look(given, values, owner.rules)
        found.begin = begin[-1]
        return found


def _either(stop: Callable[[], bool], owner: Owner) -> bool:
    return stop() or owner.closed


def _now() -> int:
    return time.time_ns() // 1_000_000
