"""Events on their way: a bounded queue, and one thread that tells them in batches until the service has taken them."""

import logging
import time
from collections import deque
from itertools import islice, takewhile
from threading import Condition, Thread

from serving.client.wire import ClientError, Json, Refused, Wire

ROOM = 10_000  # events that wait while the service is away
BATCH = 500  # at once; the service takes 1,000
LINGER = 0.2  # s that an event waits for company
PATIENCE = (0.2, 5.0)  # s between tries: the first, the longest
DEAF = (413, 429, 503)  # refusals of a moment, not of what was said; 413 becomes smaller

_LOG = logging.getLogger(__name__)


class Sender:
    """Tells events to /events. Each keeps its id, so one that is told twice counts once. The thread begins with the first event."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting: deque[tuple[str | None, Json]] = deque()
        self._change = Condition()
        self._thread: Thread | None = None
        self._closing = self._pushed = False

    def put(self, client_id: str | None, event: Json) -> bool:
        """Take an event; False when there is no room, or after `close`."""
        with self._change:
            if self._closing or len(self._waiting) >= ROOM:
                return False
            self._waiting.append((client_id, event))
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
                self._tell(batch)
            except ClientError as error:
                if not isinstance(error, Refused) or error.status in DEAF or error.status >= 500:
                    most = max(1, most // 2) if getattr(error, "status", 0) == 413 else most
                    self._rest(getattr(error, "retry_after", None) or wait)
                    wait = min(2 * wait, PATIENCE[1])
                    continue
                _LOG.error("%d events were refused and are dropped: %s", len(batch), error)
            wait, most = PATIENCE[0], BATCH
            self._told(len(batch))
        self._wire.close()

    def _next(self, most: int) -> list[tuple[str | None, Json]] | None:
        """The oldest events of one client; they wait on until they are told. None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            if len(self._waiting) < most and not self._pushed:
                self._change.wait_for(lambda: len(self._waiting) >= most or self._pushed or self._closing, LINGER)
            self._pushed = False
            return list(islice(takewhile(lambda one: one[0] == self._waiting[0][0], self._waiting), most))

    def _tell(self, batch: list[tuple[str | None, Json]]) -> None:
        client_id, events = batch[0][0], [event for _, event in batch]
        answer = self._wire.post("/events", {"events": events} | ({"client_id": client_id} if client_id is not None else {}))
        for one in answer["refused"]:
            _LOG.error("an event was refused and is dropped: %s", "; ".join(one["problems"]))

    def _told(self, count: int) -> None:
        with self._change:
            for _ in range(count):
                self._waiting.popleft()
            self._change.notify_all()

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._change:
            self._change.wait_for(lambda: self._closing, max(0.0, until - time.monotonic()))
