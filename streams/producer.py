"""`EventProducer`: applications say what they showed and what people did, and never wait for the broker."""

import atexit
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.events import Action, Impression, SuggestAccept, SuggestImpression
from streams.clients import Security
from streams.producing.dispatch import Counters, Dispatcher
from streams.producing.outgoing import checked, outgoing

__all__ = ["Counters", "EventProducer"]

_Plain = Mapping[str, Any]


class EventProducer:
    """Sends events in the order in which they were accepted, at least once; workers count an id once.

    `spill` is a folder of this process alone: what the broker cannot take now waits there, also over a restart; without an outage nothing
    is written. A process that is killed loses at most what it accepted in the last three seconds; a closed one loses nothing. Calls take
    microseconds and may come from any thread. `capacity` is the number of events that wait in memory before the disk is used,
    `security` holds kafka-python's security_protocol, ssl_* and sasl_* settings. Raises Unavailable when `spill` is in use.
    """

    def __init__(self, bootstrap: str, *, spill: Path, capacity: int = 10_000, security: Security | None = None):
        self._dispatcher = Dispatcher(bootstrap, spill=spill, capacity=capacity, security=security)
        atexit.register(self.close, 2.0)

    def impression(self, event: Impression | _Plain) -> bool:
        """Accept a page as it was shown. False when memory and disk are full. Raises InvalidMessage."""
        return self._dispatcher.offer(outgoing(checked(Impression, event)))

    def action(self, event: Action | _Plain) -> bool:
        """Accept what somebody did. False when memory and disk are full. Raises InvalidMessage."""
        return self._dispatcher.offer(outgoing(checked(Action, event)))

    def suggest_impression(self, event: SuggestImpression | _Plain) -> bool:
        """Accept completions as they were shown. False when memory and disk are full. Raises InvalidMessage."""
        return self._dispatcher.offer(outgoing(checked(SuggestImpression, event)))

    def suggest_accept(self, event: SuggestAccept | _Plain) -> bool:
        """Accept that a completion was taken. False when memory and disk are full. Raises InvalidMessage."""
        return self._dispatcher.offer(outgoing(checked(SuggestAccept, event)))

    def counters(self) -> Counters:
        """What became of the events so far."""
        return self._dispatcher.counters()

    def flush(self, timeout: float) -> bool:
        """Wait until everything accepted before the call was sent (or refused for ever). False when `timeout` seconds were not enough."""
        return self._dispatcher.flush(timeout)

    def close(self, timeout: float = 10.0) -> bool:
        """Send what can be sent within `timeout` seconds; the rest stays on disk for the next process. True when nothing is left."""
        atexit.unregister(self.close)
        return self._dispatcher.close(timeout)
