"""The demo's people inside the service: they search and click in real time, like everybody else who comes to it."""

import logging
import threading
import time
from random import Random

from evaluation.people.listeners import People, clicks
from schemas.errors import ForageError, InvalidSetting
from schemas.events import Action
from serving.recording import record
from serving.searching import SearchRequest, search
from serving.site import Site

log = logging.getLogger(__name__)
FASTEST = 50.0  # searches a second: what is left of a core then is for those who look
REST = 1.0  # s after something failed


class Listeners:
    """A `serving.site.Crowd`: one thread, one search after the other, at the times of a Poisson process. `speed`: searches a second.

    What they want and click is drawn from `rng`; how a page comes about is up to the service.
    """

    def __init__(self, people: People, *, speed: float, rng: Random) -> None:
        self._people, self._rng = people, rng
        self._searches, self._clicks, self._trouble = 0, 0, ""
        self._changed, self._ended = threading.Condition(), False
        self._thread: threading.Thread | None = None
        self._speed = 0.0
        self.set_speed(speed)

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def searches(self) -> int:
        return self._searches

    @property
    def said(self) -> str:
        who = f"{len(self._people.listeners)} made-up listeners"
        if self._trouble:
            return f"{who} try again and again: {self._trouble}"
        now = f"search about {self._speed:g} times a second" if self._speed else "rest"
        return f"{who} {now}; {self._searches:,} searches and {self._clicks:,} clicks of theirs since this server began."

    def set_speed(self, speed: float) -> None:
        if not 0.0 <= speed <= FASTEST:
            raise InvalidSetting(f"speed is {speed}: must be 0 (they rest) to {FASTEST:.0f} searches a second")
        with self._changed:
            self._speed = float(speed)
            self._changed.notify_all()

    def begin(self, site: Site) -> None:
        """Come in."""
        self._thread = threading.Thread(target=self._run, args=(site,), name="forage-crowd", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave; the search under way is finished."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self, site: Site) -> None:
        while self._wait():
            try:
                self._search(site)
                self._trouble = ""
            except Exception as error:
                if not self._trouble:
                    log.warning("a made-up listener could not search", exc_info=not isinstance(error, ForageError))
                self._trouble = str(error)
                time.sleep(REST)

    def _wait(self) -> bool:
        """Until the next search is due; False when it is time to leave. A change of speed counts at once."""
        with self._changed:
            due = None
            while not self._ended:
                speed = self._speed
                if speed and due is None:
                    due = time.monotonic() + self._rng.expovariate(speed)
                if due is not None and (left := due - time.monotonic()) <= 0.0:
                    return True
                self._changed.wait(None if due is None else left)
                if speed != self._speed:
                    due = None
            return False

    def _search(self, site: Site) -> None:
        listener, need = self._people.search(self._rng, 0)
        found = search(site, SearchRequest(query=need.query, client_id=listener.client_id))
        self._searches += 1
        page = [one.entity_id for one in found.results]
        for position, entity in clicks(page, self._people.relevance(listener, need), patience=listener.patience, rng=self._rng):
            record(
                site,
                Action(
                    action_id=f"{found.search_id}-{position}", search_id=found.search_id, ts=site.clock(), kind="click", entity_id=entity,
                    position=position,
                ),
            )  # fmt: skip
            self._clicks += 1
