"""A server on Kafka: policy and memory come from the workers, events go to them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal
from uuid import uuid4

from learners.definition import Definition
from learners.policy import Policy
from memory_index.reader import MemoryReader
from ops.serving.in_use import Dress, InUse, Makers
from ops.serving.learning import Event, Told
from ops.serving.stages import Stages
from ops.telemetry import Sample, of_producer, of_subscriber
from ops.wiring import reading_of
from schemas.base import DAY_MS
from schemas.entities import Entity
from schemas.errors import InvalidMessage, Unavailable
from schemas.events import Action, Impression, SuggestImpression
from schemas.snapshots import Command, Content, Manifest
from schemas.topics import OUTCOMES, POLICY
from serving.backend import Flow, Order, Trouble
from serving.view import View
from streams.clients import Security
from streams.producer import EventProducer
from streams.publishing.concluding import conclusion_of
from streams.publishing.publications import Publications, place_order
from streams.reading.follower import Follower, Incoming
from streams.subscriber import MemorySubscriber, PolicySubscriber

log = logging.getLogger(__name__)

AWAY = 5.0  # s of silence after which the broker counts as away; it is asked every second
OBEYED = 10.0  # s that a publisher may take to act on an order
LOOK = 0.1
SAID = 60.0  # s for which a loss of events is told


class SubscribedBackend:
    """A `serving.backend.Backend` over the topics. It starts, and answers, also while no broker is there: untrained and without memory
    until it comes; afterwards with the last of both. Events that cannot be sent wait in `folder`, for this process alone.

    `on_conclusion` hears what was concluded in the last day and from now on, in a thread of its own, some of it twice.
    Raises Unavailable while another process uses the folder.
    """

    mode: Literal["kafka"] = "kafka"

    def __init__(
        self, entities: Iterable[Entity], definition: Definition, *, bootstrap: str, folder: Path, makers: Makers,
        on_conclusion: Told = lambda one: None, security: Security | None = None,
    ) -> None:  # fmt: skip
        self._bootstrap, self._security, self._told = bootstrap, security, on_conclusion
        self._stages, self._concluded_up_to = Stages(), 0
        self._dropped = (0, -SAID)  # events that were lost, and when that was noticed
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._producer = EventProducer(bootstrap, spill=folder / "events", security=security)
        self._memory = MemorySubscriber(bootstrap, reading=reading_of(definition), security=security)
        self._in_use = InUse(entities, self._memory.current(), Policy.untrained(definition), makers=makers)
        with self._in_use.changing:  # a policy may come before this is complete
            self._policy = PolicySubscriber(bootstrap, start=definition, memory=self._memory, on_policy=self._adopt, security=security)
        self._publications, self._reading = Publications(), threading.Lock()
        self._followers = [
            Follower(bootstrap, POLICY.name, handle=self._published, security=security),
            Follower(bootstrap, OUTCOMES.name, handle=self._conclude, security=security, since=_now() - DAY_MS),
        ]

    # -- what requests ask for ------------------------------------------------------------------------------------------------

    def view(self) -> View:
        return self._in_use.view

    def emit(self, event: Event) -> bool:
        if isinstance(event, Impression):
            taken = self._producer.impression(event)
        elif isinstance(event, Action):
            taken = self._producer.action(event)
        elif isinstance(event, SuggestImpression):
            taken = self._producer.suggest_impression(event)
        else:
            taken = self._producer.suggest_accept(event)
        if taken:
            self._stages.passed("received")
            if isinstance(event, Impression):
                self._stages.passed("used")
        return taken

    def put(self, entities: Iterable[Entity]) -> None:
        """Add, replace and, for tombstones, remove entities."""
        self._in_use.put(entities)

    def try_out(self, dress: Dress) -> None:
        """Serve through `dress` what was learned: an experiment."""
        self._in_use.try_out(dress)

    # -- what operators ask for -----------------------------------------------------------------------------------------------

    def remembered(self) -> MemoryReader:
        return self._memory.current()

    def versions(self) -> Sequence[Manifest]:
        with self._reading:
            return self._publications.list()

    def content(self, content_id: str) -> Content:
        with self._reading:
            return self._publications.content(content_id)

    def order(self, action: Order, content_id: str, *, reason: str) -> str:
        if content_id and action == "rollback":
            content_id = self._named(content_id)
        command = Command(command_id=str(uuid4()), action=action, content_id=content_id, ts=_now(), reason=reason)
        place_order(self._bootstrap, command, security=self._security)
        mark, until = f"{action}:{command.command_id}", time.monotonic() + OBEYED
        while time.monotonic() < until:
            for one in self.versions():
                if one.reason == mark:
                    held = "; nothing newer is published until you release the hold (unpin)" if one.pinned else ""
                    return f"Version {one.content_id[:12]} is in use as number {one.seq}{held}."
            time.sleep(LOOK)
        raise Unavailable(
            f"the order was placed, but nothing was published in {OBEYED:.0f} s: it was refused (the publisher's log says why), or no "
            "`forage worker` runs; it acts on the order once it runs"
        )

    def flow(self) -> Flow:
        policy, memory = self._policy.staleness(), self._memory.staleness()
        silent = max(policy.silent, memory.silent)
        return Flow(self._stages.read(unknown=("matched", "counted")), memory.lag, self._concluded_up_to, None, None, silent)

    def troubles(self) -> Sequence[Trouble]:
        found = list(self._in_use.missing)
        counters, policy, memory = self._producer.counters(), self._policy.staleness(), self._memory.staleness()
        if (silent := max(policy.silent, memory.silent)) > AWAY:
            why = policy.last_error or memory.last_error or counters.last_error or "no answer"
            found.append(
                Trouble(
                    "broker", f"Kafka has not answered for {silent:.0f} s ({why}). Searches go on with what is there; events wait here."
                )
            )
        if counters.dropped > self._dropped[0]:
            self._dropped = (counters.dropped, time.monotonic())
        if time.monotonic() - self._dropped[1] < SAID:
            found.append(Trouble("events", f"{counters.dropped} events were lost: memory and disk are full. Make room in the data folder."))
        if self._in_use.content is None:
            said = "No version was published yet: an untrained one is in use. Is a `forage worker` running?"
            found.append(Trouble("policy", said))
        if not self._memory.wait(0.0):
            found.append(Trouble("memory", "What is remembered is still being read; pages get better once it is there."))
        return found

    def samples(self) -> Iterable[Sample]:
        """Metrics of the followers and the producer."""
        yield from of_subscriber("policy", self._policy.staleness())
        yield from of_subscriber("memory", self._memory.staleness())
        yield from of_producer(self._producer.counters())

    def wait(self, timeout: float) -> bool:
        """Wait until what was published before is read. False when `timeout` seconds were not enough."""
        until = time.monotonic() + timeout
        waits: list[Callable[[float], bool]] = [self._policy.wait, self._memory.wait, self._followers[0].wait]
        return all(one(max(0.0, until - time.monotonic())) for one in waits)

    def close(self) -> None:
        """Send what can be sent within some seconds; the rest stays on disk for the next start."""
        self._producer.close(2.0)
        for follower in self._followers:
            follower.close()
        self._policy.close()
        self._memory.close()

    # -- what comes -----------------------------------------------------------------------------------------------------------

    def _adopt(self, policy: Policy) -> None:
        with self._in_use.changing:
            self._in_use.adopt(policy, self._policy.content())
        self._stages.passed("loaded")

    def _published(self, records: Sequence[Incoming]) -> None:
        with self._reading:
            before = len(self._publications.list())
            self._publications.take(records)
            if (more := len(self._publications.list()) - before) > 0:
                self._stages.passed("published", more)

    def _conclude(self, records: Sequence[Incoming]) -> None:
        for record in records:
            try:
                one = conclusion_of(record.value, lambda *_: True)
            except InvalidMessage:  # the publisher says so
                continue
            if one is not None:
                self._told(one)
                self._stages.passed("learned")
                self._concluded_up_to = max(self._concluded_up_to, one.time)

    def _named(self, content_id: str) -> str:
        """The whole id of a publication that is kept. Raises NotFound."""
        with self._reading:
            return self._publications.find(content_id).content_id


def _now() -> int:
    return int(time.time() * 1000)
