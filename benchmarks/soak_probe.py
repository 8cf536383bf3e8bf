"""Probe searches of a soak: how long from an action to a memory that has it, in a subscriber, while all else goes on."""

import threading
import time
from pathlib import Path

from benchmarks.freshness import page
from memory_index.q2e import Reading
from ops.definitions import definition
from schemas.events import Action
from schemas.ids import query_key
from streams.producer import EventProducer
from streams.subscriber import MemorySubscriber, PolicySubscriber

EVERY = 1.0  # s between the ends of two probes
LIMIT = 60.0  # s after which a probe has failed; it counts as so long


class Probe(threading.Thread):
    """A producer, a memory and a policy subscriber, one probe after the other. `answered`: has one been; `policy`: newest seq."""

    def __init__(self, bootstrap: str, spill: Path) -> None:
        super().__init__(name="probe", daemon=True)
        self._events = EventProducer(bootstrap, spill=spill)
        self._memory = MemorySubscriber(bootstrap, reading=Reading(min_clients=1))
        self._policies = PolicySubscriber(bootstrap, start=definition())
        self._took: list[float] = []
        self._over, self._lock = threading.Event(), threading.Lock()
        self.answered, self._asked = False, 0

    def __enter__(self) -> "Probe":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for one in (self._events, self._memory, self._policies):
            one.close()

    @property
    def policy(self) -> int:
        return self._policies.current().seq

    def taken(self) -> list[float]:
        """Milliseconds of the probes since the last call."""
        with self._lock:
            taken, self._took = self._took, []
        return taken

    def stop(self) -> int:
        """No more probes. How many there were."""
        self._over.set()
        self.join(2 * LIMIT)
        self._events.flush(60.0)
        return self._asked

    def run(self) -> None:
        while not self._over.is_set():
            shown = page(self._asked)
            self._asked += 1
            self._events.impression(shown)
            time.sleep(0.05)
            started, key = time.perf_counter(), query_key(shown.query.text)
            self._events.action(Action(action_id="click", search_id=shown.search_id, ts=shown.ts, kind="click", entity_id="shown"))
            while time.perf_counter() - started < LIMIT:
                if self._memory.current().lookup(key, "", ["shown"])[0].reward > 0:
                    self.answered = True
                    break
                time.sleep(0.002)
            with self._lock:
                self._took.append(round(1_000 * (time.perf_counter() - started), 1))
            self._over.wait(EVERY)
