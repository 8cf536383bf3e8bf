"""Events go from memory to the broker, or over the disk while it is away; whoever offers one never waits."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.clients import RETRY, Security, retry_after, told
from streams.producing.delivery import SILENT_AFTER, Delivery, is_final
from streams.producing.outgoing import Envelope
from streams.producing.spill import Spill

log = logging.getLogger(__name__)

WINDOW = 500  # events under way at once
AWAY_AFTER = 1.0  # seconds without an acknowledgement until what waits goes to disk


@dataclass(frozen=True)
class Counters:
    """What became of the events. accepted + recovered = sent + failed + queued; `spilled` of them passed over the disk.

    `recovered` were on disk from an earlier process, `failed` were refused by the broker for ever and stand in `events.rejected`,
    `dropped` were never accepted because memory and disk were full. `spilled_bytes` are on disk now. `last_error` is what the broker or
    the disk said last.
    """

    accepted: int = 0
    recovered: int = 0
    sent: int = 0
    spilled: int = 0
    failed: int = 0
    dropped: int = 0
    queued: int = 0
    spilled_bytes: int = 0
    last_error: str = ""


class Dispatcher:
    """One thread that sends in order, one window after the other: what waits in memory first, then what is on disk.

    While anything is on disk, new events go there too: order is kept without looking at keys.
    """

    def __init__(self, bootstrap: str, *, spill: Path, capacity: int, security: Security | None):
        self._spill = Spill(spill)
        self._rejected = spill / "events.rejected"
        self._bootstrap, self._security = bootstrap, security
        self._delivery = Delivery(bootstrap, security)
        self._capacity = capacity
        self._queue: deque[Envelope] = deque()  # older than everything on disk
        self._on_disk = len(self._spill) > 0
        self._changed = threading.Condition()
        self._count = dict.fromkeys(("accepted", "sent", "spilled", "failed", "dropped"), 0)
        self._recovered = len(self._spill)
        self._last_error = ""
        self._away = self._closing = self._given_up = False
        self._thread = threading.Thread(target=self._run, name="forage-producer", daemon=True)
        self._thread.start()

    def offer(self, event: Envelope) -> bool:
        """Accept an event; False when memory and disk are full, or after `close`."""
        with self._changed:
            if self._closing:
                return self._drop("the producer is closed")
            if not self._on_disk and len(self._queue) < self._capacity:
                self._queue.append(event)
            else:
                try:
                    self._spill.append(event)
                except OSError as error:
                    return self._drop(str(error))
                self._on_disk = True
                self._count["spilled"] += 1
            self._count["accepted"] += 1
            self._changed.notify_all()
            return True

    def counters(self) -> Counters:
        """What became of the events so far."""
        with self._changed:
            queued = self._accepted() - self._settled()
            spilled, error = self._spill.size, self._last_error
            return Counters(recovered=self._recovered, queued=queued, spilled_bytes=spilled, last_error=error, **self._count)

    def flush(self, timeout: float) -> bool:
        """Wait until everything accepted before the call was sent (or refused for ever). False when `timeout` seconds were not enough."""
        with self._changed:
            target = self._accepted()
            return self._changed.wait_for(lambda: self._settled() >= target, timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Send what can be sent within `timeout` seconds; the rest stays on disk for the next process. True when nothing is left."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.flush(timeout)
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
        self._thread.join()
        return self.counters().queued == 0

    def _accepted(self) -> int:
        return self._count["accepted"] + self._recovered

    def _settled(self) -> int:
        return self._count["sent"] + self._count["failed"]

    def _drop(self, reason: str) -> bool:
        if self._count["dropped"] == 0:
            log.error("an event was dropped, and so will be all that follow it until this is over: %s", reason)
        self._count["dropped"] += 1
        self._last_error = reason
        return False

    def _run(self) -> None:
        """The sender: one window after the other, from memory first, then from disk. Nothing ends it but `close`."""
        while not self._given_up:
            try:
                if (taken := self._take()) is None:
                    break
                self._send(*taken)
            except Exception as error:  # a folder that cannot be read or tidied now, a client that broke: what waits is kept
                self._stumbled(error)
        for step in (self._keep_the_rest, self._delivery.discard, self._spill.close):
            try:
                step()
            except Exception as error:
                log.error("the producer ends with trouble: %r", error)
                self._last_error = repr(error)

    def _stumbled(self, error: Exception) -> None:
        if self._last_error != repr(error):
            log.exception("sending goes on after trouble with %s or the client", self._rejected.parent)
        with self._changed:
            self._last_error = repr(error)
            self._changed.wait_for(lambda: self._given_up, RETRY)

    def _keep_the_rest(self) -> None:
        if self._queue:
            self._to_disk([])
        if self._queue:
            log.error("%d events end with this process: %s does not take them; make room there", len(self._queue), self._rejected.parent)

    def _take(self) -> tuple[list[Envelope], bool] | None:
        """The next events and whether they stand on disk; None at the end."""
        with self._changed:
            while True:
                if self._on_disk and not self._queue and not len(self._spill):
                    self._on_disk = False  # first: events of which nothing waits on disk need none
                    self._spill.clear()
                if self._given_up or (self._closing and not self._queue and not self._on_disk):
                    return None
                if self._queue:
                    return [self._queue.popleft() for _ in range(min(WINDOW, len(self._queue)))], False
                if self._on_disk:
                    break
                self._changed.wait()
        window = self._spill.peek(WINDOW)
        if not window:
            raise OSError(f"{len(self._spill)} events on disk are not there any more: somebody else changed {self._rejected.parent}")
        return window, True

    def _send(self, window: Sequence[Envelope], from_disk: bool) -> None:
        left = dict(enumerate(window))
        try:
            while left:
                for index, error in self._attempt(left, SILENT_AFTER if from_disk else AWAY_AFTER).items():
                    self._settle(left.pop(index), error)
                with self._changed:
                    self._changed.notify_all()
                if left and (self._given_up or not from_disk):
                    break
        except BaseException:
            with self._changed:
                if not from_disk:
                    self._queue.extendleft(reversed(left.values()))
            raise
        if from_disk:
            self._spill.advance(min(left, default=len(window)))
        elif left:
            self._to_disk(list(left.values()))

    def _attempt(self, left: Mapping[int, Envelope], patience: float) -> dict[int, Exception | None]:
        """What is settled for ever: None for sent, else why not. A client that leaves anything open is thrown away."""
        try:
            attempt = self._delivery.hand_over(left)
        except Exception as error:
            return self._broker_is_away(error)
        end = time.monotonic() + patience
        while not attempt.wait(0.05) and time.monotonic() < end and not self._given_up:
            pass
        fates = attempt.result()
        settled = {index: error for index, error in fates.items() if error is None or is_final(error)}
        if len(settled) < len(left):
            self._broker_is_away(next((e for e in fates.values() if e), TimeoutError(f"no answer within {patience} s")))
        elif self._away:
            self._away = False
            log.warning("the broker takes events again; %d wait", self._accepted() - self._settled())
        return settled

    def _broker_is_away(self, error: Exception) -> dict[int, Exception | None]:
        self._delivery.discard()
        text = told(error, self._bootstrap, security=self._security)
        if not self._away and not self._given_up:
            log.warning("the broker takes no events now, they wait on disk: %s", text)
        self._away, self._last_error = True, text
        with self._changed:
            self._changed.wait_for(lambda: self._given_up, retry_after(error))
        return {}

    def _settle(self, event: Envelope, error: Exception | None) -> None:
        if error is not None:
            row = {"error": repr(error), "topic": event.topic, "key": event.key, "value": event.value.decode(errors="replace")}
            try:
                with self._rejected.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                log.error("an event was refused for ever and stands in %s: %r", self._rejected, error)
            except OSError as full:  # one refused event must not stop all that follow it
                log.error("an event of %r was refused for ever (%r), and %s does not take it: %r", event.key, error, self._rejected, full)
            self._last_error = repr(error)
        with self._changed:
            self._count["sent" if error is None else "failed"] += 1

    def _to_disk(self, window: list[Envelope]) -> None:
        """Move what waits in memory to disk, before what is there; back to memory when the disk does not take it."""
        with self._changed:
            waiting = [*window, *self._queue]
            self._queue.clear()
            on_disk, self._on_disk = self._on_disk, True
        try:
            self._spill.prepend(waiting)
        except OSError as error:
            log.error("what waits stays in memory, the disk does not take it: %r", error)
            with self._changed:
                self._queue.extendleft(reversed(waiting))
                self._on_disk, self._last_error = on_disk or len(self._spill) > 0, repr(error)
        else:
            with self._changed:
                self._count["spilled"] += len(waiting)
