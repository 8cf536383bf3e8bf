"""Live searches at a fixed rate, as a process of its own: `python -m benchmarks.soak_load BOOTSTRAP RATE`, until SIGTERM.

Pages of benchmarks.load are made once; each search is one of them under an id and a time of its own, so that sending costs little of the
machine that is measured. Half of the searches get a click, ACTS s after the page. It says each second, and at its end, as a line of JSON,
what the broker acknowledged: searches, results shown, clicks; and what it refused.
"""

import json
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.load import impression
from schemas.codec import encode
from schemas.events import Action
from schemas.ids import digest
from schemas.topics import ACTIONS, IMPRESSIONS

PAGES, QUERIES = 2_000, 500  # so few that within minutes every memory row is there: what grows after that is a leak
ACTS = 2.0
SLOT = 0.02  # s between bursts
SAY = 1.0


@dataclass
class Sent:
    """Acknowledged by the broker; `late` is by how many seconds the sender is behind its rate."""

    searches: int = 0
    shown: int = 0
    acted: int = 0
    failed: int = 0
    late: float = 0.0


@dataclass(frozen=True)
class Page:
    """Bytes of a page between its ids and times."""

    parts: tuple[bytes, ...]
    entities: tuple[str, ...]

    def at(self, search_id: str, ts: int) -> bytes:
        return b"".join(
            (self.parts[0], search_id.encode(), self.parts[1], str(ts).encode(), self.parts[2], search_id.encode(), self.parts[3])
        )


def pages(rng: random.Random) -> list[Page]:
    """PAGES templates; queries by Zipf's law."""
    weights, found = [1 / (rank + 1) for rank in range(QUERIES)], []
    for number, query in enumerate(rng.choices(range(QUERIES), weights=weights, k=PAGES)):
        time_ = 1_700_000_000_000 + number
        page = impression(rng, number, query, time_)
        rest, parts = encode(page), []
        for mark in (page.search_id, str(time_), page.decision.decision_id if page.decision else ""):
            before, found_mark, rest = rest.partition(mark.encode())
            assert found_mark, f"{mark} is not in the page, or not in this order"
            parts.append(before)
        found.append(Page((*parts, rest), tuple(result.entity_id for result in page.results)))
    return found


class Load:
    def __init__(self, bootstrap: str, rate: float) -> None:
        self._rate, self._rng, self.sent, self.stopped = rate, random.Random(1), Sent(), False
        self._pages, self._run = pages(self._rng), f"{time.time_ns():x}"
        self._clicks: deque[tuple[float, str, str]] = deque()  # when, search id, entity
        self._producer = Producer({  # as EventProducer: not idempotent, acknowledged by all; Java's partitioner
            "bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "acks": "all", "compression.type": "gzip", "linger.ms": 20,
            "delivery.timeout.ms": 300_000, "queue.buffering.max.kbytes": 256 * 1024,
        })  # fmt: skip

    def run(self) -> None:
        began, number, said = time.monotonic(), 0, 0.0
        while not self.stopped:
            now = time.monotonic()
            due = int((now - began) * self._rate)
            for one in range(number, due):
                self._search(one, now)
            number = due
            self._act(now)
            self._producer.poll(0)
            self.sent.late = round(time.monotonic() - now, 3)
            if now - said >= SAY:
                said = now
                self.say()
            time.sleep(max(0.0, SLOT - (time.monotonic() - now)))
        self._act(float("inf"))
        self._producer.flush(300)
        self.say()

    def say(self) -> None:
        print(json.dumps(asdict(self.sent)), flush=True)

    def _search(self, number: int, now: float) -> None:
        page, search_id = self._rng.choice(self._pages), digest(self._run, number)
        self._send(IMPRESSIONS.name, search_id, page.at(search_id, time.time_ns() // 1_000_000), self._noted(len(page.entities)))
        if number % 2:
            self._clicks.append((now + ACTS, search_id, page.entities[min(len(page.entities) - 1, int(self._rng.expovariate(0.5)))]))

    def _act(self, now: float) -> None:
        while self._clicks and self._clicks[0][0] <= now:
            _, search_id, entity = self._clicks.popleft()
            action = Action(action_id="click", search_id=search_id, ts=time.time_ns() // 1_000_000, kind="click", entity_id=entity)
            self._send(ACTIONS.name, search_id, encode(action), self._noted(0))

    def _send(self, topic: str, key: str, value: bytes, noted: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                return self._producer.produce(topic, key=key.encode(), value=value, on_delivery=noted)
            except BufferError:  # the broker is slower than we send, or away
                self._producer.poll(0.1)

    def _noted(self, shown: int) -> Callable[[KafkaError | None, Message], None]:
        def noted(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                self.sent.failed += 1
            elif shown:
                self.sent.searches, self.sent.shown = self.sent.searches + 1, self.sent.shown + shown
            else:
                self.sent.acted += 1

        return noted


if __name__ == "__main__":
    load = Load(sys.argv[1], float(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: setattr(load, "stopped", True))
    load.run()
