"""The whole loop inside a server: one thread writes, counts and publishes; every other one reads what it made."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Literal

from learners.definition import Definition
from learners.models import theta_of
from learners.policy import Policy
from memory_index.reader import MemoryReader
from ops.serving.in_use import Dress, InUse, Makers
from ops.serving.learning import Event, Learning, Told
from ops.serving.publishing import Publishing
from ops.serving.stages import Stages
from ops.wiring import reading_of
from schemas.entities import Entity
from schemas.errors import ForageError
from schemas.events import Impression
from schemas.snapshots import Content, Manifest
from serving.backend import Flow, Order, Trouble
from serving.view import View
from streams.kernel.join import RULES, Rules

log = logging.getLogger(__name__)

ROOM = 10_000  # events that wait to be written: half a minute of 300 a second
BATCH = 200  # written at once: some 30 ms, so that none waits long
IDLE = 0.1  # s to wait for an event before time itself is looked at
REST = 4  # times as long as a turn took, unless a whole batch waits: a transaction costs the same for one event and for fifty, and a fifth
# of a core is what searches can spare
STEP, LONGEST = 0.05, 0.25  # s of a rest: seen in steps; a click need not be seen sooner
AGAIN = 2.0  # s until a loop that failed is opened again
# Memory answers with a click at once; a policy is a file that is flushed, and what it learns in less time nobody could tell.
PUBLISH_EVERY = 5.0


class EmbeddedBackend:
    """A `serving.backend.Backend` whose state is the folder: log, counts, conclusions, and publications in `snapshots`.

    An accepted event waits in memory until the loop writes it, as a rule some hundredths of a second; then it is in the log on disk, and
    no kill takes it away. `close` writes everything. A new backend on the folder goes on where the last one stopped. When the loop
    fails (a full disk), searches go on with what is there, the trouble says why, and the loop is opened anew from the folder, with the
    events that wait, until that succeeds.

    Raises Unavailable while another process uses the folder.
    """

    mode: Literal["embedded"] = "embedded"

    def __init__(
        self, entities: Iterable[Entity], definition: Definition, *, folder: Path, makers: Makers, rules: Rules = RULES,
        on_conclusion: Told = lambda one: None,
    ) -> None:  # fmt: skip
        self._reader, self._folder, self._rules, self._told = MemoryReader(reading_of(definition)), folder, rules, on_conclusion
        self._stages, self._failed, self._refused = Stages(), "", ""
        self._queue: Queue[Event] = Queue(ROOM)
        self._taken: list[Event] = []
        self._written = 0  # in the log, and not counted yet
        self._closing, self._gate, self._published = threading.Event(), threading.Lock(), -PUBLISH_EVERY
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._publishing = Publishing(folder / "snapshots", definition)
        self._learning = self._open()
        try:
            self._in_use = InUse(entities, self._reader, Policy.untrained(definition), makers=makers)
            self._resume()
        except BaseException:
            self._learning.abandon()
            raise
        self._thread = threading.Thread(target=self._run, name="forage-learning", daemon=True)
        self._thread.start()

    # -- what requests ask for ------------------------------------------------------------------------------------------------

    def view(self) -> View:
        return self._in_use.view

    def emit(self, event: Event) -> bool:
        with self._gate:  # what is accepted is in the queue before `close` looks at it for the last time
            if self._closing.is_set():
                return False
            try:
                self._queue.put_nowait(event)
            except Full:
                return False
        self._stages.passed("received")
        if isinstance(event, Impression):
            self._stages.passed("used")
        return True

    def put(self, entities: Iterable[Entity]) -> None:
        """Add, replace and, for tombstones, remove entities."""
        self._in_use.put(entities)

    def try_out(self, dress: Dress) -> None:
        """Serve through `dress` what was learned: an experiment."""
        self._in_use.try_out(dress)

    # -- what operators ask for -----------------------------------------------------------------------------------------------

    def remembered(self) -> MemoryReader:
        return self._reader

    def versions(self) -> Sequence[Manifest]:
        with self._in_use.changing:
            return self._publishing.list()

    def content(self, content_id: str) -> Content:
        with self._in_use.changing:
            return self._publishing.content(content_id)

    def order(self, action: Order, content_id: str, *, reason: str) -> str:
        with self._in_use.changing:
            manifest, content = self._publishing.order(action, content_id, reason=reason, now=_now())
            self._adopt(manifest, content)
        self._stages.passed("published")
        log.info("%s %s: seq %d is in use; reason: %s", action, content_id[:12], manifest.seq, reason or "none given")
        held = "; nothing newer is published until you release the hold (unpin)" if manifest.pinned else ""
        return f"Version {manifest.content_id[:12]} is in use as number {manifest.seq}{held}."

    def flow(self) -> Flow:
        kinds = dict(self._learning.kinds)
        aside = {name.removeprefix("quarantined_"): kinds.pop(name) for name in [*kinds] if name.startswith("quarantined_")}
        behind = self._queue.qsize() + len(self._taken) + self._written
        return Flow(self._stages.read(), behind, self._learning.counted_up_to, aside, kinds)

    def troubles(self) -> Sequence[Trouble]:
        found = list(self._in_use.missing)
        if self._failed:
            found.append(Trouble("events", f"Nothing is counted now: {self._failed}. Events wait; what is remembered stays in use."))
        elif self._queue.full():
            found.append(Trouble("events", "More events come than can be written; new ones are refused. Send fewer, or use a faster disk."))
        if self._refused:
            found.append(Trouble("policy", f"The last version stays in use: {self._refused}"))
        return found

    def close(self) -> None:
        """Write what was accepted, then stop. Safe to call twice."""
        with self._gate:
            self._closing.set()
        self._thread.join()

    # -- the loop -------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._rest(min(LONGEST, REST * self._turn()))
                self._failed = ""
            except Exception as error:
                log.exception("the loop failed; it is opened anew in %.0f s", AGAIN)
                self._failed = str(error)
                self._recover()
        with suppress(Empty):
            while True:
                self._taken.append(self._queue.get_nowait())
        try:
            if self._failed:  # what waits gets one more chance
                self._learning.abandon()
                self._learning = self._open()
            self._learning.record(self._taken, _now())
            self._learning.close()
        except Exception:
            log.exception("the loop did not end in order; %d events were not written", len(self._taken))
            self._learning.abandon()

    def _turn(self) -> float:
        """Write and count what waits, then publish; the seconds that counting took."""
        self._take()
        began, now = time.monotonic(), _now()
        self._learning.record(self._taken, now)
        self._taken, self._written = [], len(self._taken)
        self._learning.pass_time(now)
        before = self._learning.kinds.total()
        self._learning.step()
        self._stages.counted(self._learning.kinds, changed=self._learning.kinds.total() != before)
        self._written, took = 0, time.monotonic() - began
        self._learning.recall()
        self._learning.fit()
        self._publish(now)
        return took

    def _rest(self, seconds: float) -> None:
        """Let events gather, in steps, so that a whole batch and the end are seen soon."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0 and self._queue.qsize() < BATCH:
            if self._closing.wait(min(left, STEP)):
                return

    def _take(self) -> None:
        """What waits, at most BATCH; what was taken before an error is still there."""
        with suppress(Empty):
            if not self._taken:
                self._taken.append(self._queue.get(timeout=IDLE))
            while len(self._taken) < BATCH:
                self._taken.append(self._queue.get_nowait())

    def _recover(self) -> None:
        """Open the folder again until that succeeds: what is in memory becomes what is on disk."""
        while not self._closing.wait(AGAIN):
            self._learning.abandon()
            try:
                self._learning = self._open()
                return
            except Exception as error:
                self._failed = str(error)

    def _open(self) -> Learning:
        return Learning(self._publishing.definition, self._reader, folder=self._folder, rules=self._rules, now=_now(), told=self._told)

    def _publish(self, now: int) -> None:
        if time.monotonic() - self._published < PUBLISH_EVERY or self._publishing.pinned:
            return
        definition = self._publishing.definition
        content = self._learning.refresh(definition, self._in_use.content)
        if content is None:
            return
        self._published = time.monotonic()
        try:
            with self._in_use.changing:
                if self._publishing.pinned or self._publishing.definition != definition:  # ordered meanwhile: that holds
                    return
                manifest = self._publishing.refresh(content, applied=self._learning.applied, now=now)
                if manifest is not None:
                    self._adopt(manifest, content)
                    self._stages.passed("published")
            self._refused = ""
        except ForageError as error:
            if str(error) != self._refused:
                log.error("no new version, the running one stays: %s", error)
            self._refused = str(error)

    # -- what serves ----------------------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """The last publication serves from the start, and models go on from it."""
        try:
            running = self._publishing.running()
            if running is not None:
                self._adopt(*running)
                self._learning.publisher.keep(running[1])
        except ForageError as error:
            self._refused = str(error)
            log.error("an untrained policy serves until the next version: %s", error)

    def _adopt(self, manifest: Manifest, content: Content) -> None:
        policy = Policy(content, seq=manifest.seq, exploration=manifest.exploration)
        self._reader.reread(theta_of(content, policy.definition))
        self._in_use.adopt(policy, content)
        self._stages.passed("loaded")


def _now() -> int:
    return int(time.time() * 1000)
