"""Events on their way: a bounded queue, and one thread that tells them in batches until the service has taken them."""

import logging
from collections import deque
from itertools import islice, takewhile
from threading import Condition, Thread
from typing import NamedTuple

from serving.client.wire import ClientError, Json, Refused, Wire

ROOM = 10_000  # events that wait while the service is away
BATCH = 500  # at once; the service takes 1,000
LINGER = 0.2  # s that an event waits for company
PATIENCE = (0.2, 5.0)  # s between tries: the first, the longest
DEAF = (413, 429, 503)  # refusals of a moment, not of what was said; 413 becomes smaller

_LOG = logging.getLogger(__name__)


class Event(NamedTuple):
    """An event that waits, and what proves that its search was answered: the search's token and the person it was answered to."""

    plain: Json
    token: str = ""
    client_id: str | None = None


class Sender:
    """Tells events to /events. Each keeps its id, so one that is told twice counts once. The thread begins with the first event.

    A service that trusts this client (it is open, or the API token has the scope events) takes events of many people at once. One that
    does not says so; from then on each event brings its proof, and a batch is of one person.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting: deque[Event] = deque()
        self._change = Condition()
        self._thread: Thread | None = None
        self._closing = self._pushed = self._prove = False

    def put(self, event: Event) -> bool:
        """Take an event; False when there is no room, or after `close`."""
        with self._change:
            if self._closing or len(self._waiting) >= ROOM:
                return False
            self._waiting.append(event)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="forage-events", daemon=True)
                self._thread.start()
            self._change.notify_all()
            return True

    def flush(self, timeout: float) -> bool:
        """Wait until nothing waits; whether that came about in `timeout` seconds."""
        with self._change:
            self._pushed = True
            self._change.notify_all()
            return self._change.wait_for(lambda: not self._waiting, timeout)

    def close(self, timeout: float) -> int:
        """Tell what is left, then stop; how many events were not told."""
        self.flush(timeout)
        with self._change:
            self._closing = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._change:
            if self._waiting:
                _LOG.warning("%d events were not told: the service is away", len(self._waiting))
            return len(self._waiting)

    def _run(self) -> None:
        wait, most = PATIENCE[0], BATCH
        while (batch := self._next(most)) is not None:
            try:
                left = self._tell(batch)
            except ClientError as error:
                if not isinstance(error, Refused) or error.status in DEAF or error.status >= 500:
                    most = max(1, most // 2) if getattr(error, "status", 0) == 413 else most
                    self._rest(getattr(error, "retry_after", None) or wait)
                    wait = min(2 * wait, PATIENCE[1])
                    continue
                _LOG.error("%d events were refused and are dropped: %s", len(batch), error)
                left = []
            wait, most = PATIENCE[0], BATCH
            self._told(len(batch), left)
        self._wire.close()

    def _next(self, most: int) -> list[Event] | None:
        """The oldest events, of one person where each must be proven; they wait on until they are told. None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            if len(self._waiting) < most and not self._pushed:
                self._change.wait_for(lambda: len(self._waiting) >= most or self._pushed or self._closing, LINGER)
            self._pushed = False
            person = self._waiting[0].client_id
            return list(islice(takewhile(lambda one: not self._prove or one.client_id == person, self._waiting), most))

    def _tell(self, batch: list[Event]) -> list[Event]:
        """What must be told again, with its proof."""
        body: Json = {"events": [one.plain | ({"token": one.token} if self._prove and one.token else {}) for one in batch]}
        if self._prove and batch[0].client_id is not None:
            body["client_id"] = batch[0].client_id
        again = []
        for refused in self._wire.post("/events", body)["refused"]:
            event, problems = batch[refused["index"]], refused["problems"]
            if not self._prove and event.token and any(problem.startswith("token: is missing") for problem in problems):
                again.append(event)
            else:
                _LOG.error("an event was refused and is dropped: %s", "; ".join(problems))
        self._prove = self._prove or bool(again)
        return again

    def _told(self, count: int, left: list[Event]) -> None:
        with self._change:
            for _ in range(count):
                self._waiting.popleft()
            self._waiting.extendleft(reversed(left))
            self._pushed = self._pushed or bool(left)
            self._change.notify_all()

    def _rest(self, seconds: float) -> None:
        with self._change:
            self._change.wait_for(lambda: self._closing, seconds)
