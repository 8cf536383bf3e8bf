"""What search processes hold: the policy and the memory as the workers publish them, kept current in the background."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from learners.definition import Definition
from learners.models import theta_of
from learners.policy import Policy
from memory_index.q2e import Reading
from memory_index.reader import MemoryReader
from schemas.errors import CorruptFile, NotFound, Unavailable
from schemas.snapshots import Content
from schemas.topics import MEMORY, POLICY
from streams.clients import Security
from streams.reading.follower import Follower, Incoming
from streams.reading.memory_view import MemoryView
from streams.reading.policy_view import PolicyView

log = logging.getLogger(__name__)

FIRST_WAIT = 10.0  # seconds that the first `current()` waits when it has nothing at all to give
# A row that is gone leaves a tombstone on the topic for 24 h (Kafka's delete.retention.ms); an older file would bring it back to life.
MAX_SNAPSHOT_AGE = 20 * 3600.0


@dataclass(frozen=True)
class Staleness:
    """How old what is in use is. `age`: seconds since the policy was made, or None (memory, or an untrained policy); `lag`: records not yet
    read; `silent`: seconds since the broker last answered; `refused`: messages that failed a check; `last_error`: the newest trouble."""

    age: float | None
    lag: int
    silent: float
    refused: int
    last_error: str


class PolicySubscriber:
    """The newest valid policy of the topic `policy.snapshots`.

    Every byte is checked before a policy is used; the last good one stays in use whatever comes; the highest (publisher_epoch, seq) wins.
    `start` defines the untrained policy that serves until the first snapshot. `memory` is read with the examination that is published
    with the policies. `on_policy` is called with each new policy, in the subscriber's thread.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        start: Definition | None = None,
        memory: "MemorySubscriber | None" = None,
        on_policy: Callable[[Policy], None] | None = None,
        security: Security | None = None,
    ):
        self._untrained = Policy.untrained(start) if start is not None else None
        self._on_policy, self._memory = on_policy, memory
        self._view = PolicyView()
        self._follower = Follower(bootstrap, POLICY.name, handle=self._handle, security=security)

    def current(self) -> Policy:
        """The policy to use now. Waits (10 s at most) only where there is none at all yet and no `start`; then raises Unavailable."""
        policy = self._view.policy or self._untrained
        if policy is None and self._follower.wait(FIRST_WAIT):
            policy = self._view.policy
        if policy is None:
            error = self._follower.progress().last_error or self._view.last_refusal or "none was published"
            raise Unavailable(f"no policy yet ({error}); give start=Definition(...) to serve untrained until there is one")
        return policy

    def content(self) -> Content | None:
        """What the policy in use was made of, with the arrays of all models: strategies that are models take theirs from it. None before
        the first publication."""
        return self._view.content

    def wait(self, timeout: float) -> bool:
        """Wait until all that was published before is read. False when `timeout` seconds were not enough."""
        return self._follower.wait(timeout)

    def staleness(self) -> Staleness:
        """How old the policy in use is, and what hinders a newer one."""
        manifest, progress = self._view.manifest, self._follower.progress()
        age = time.time() - manifest.created / 1000 if manifest is not None else None
        error = progress.last_error or self._view.last_refusal
        return Staleness(age, progress.lag, progress.silent, self._view.refused, error)

    def close(self) -> None:
        """Stop following; `current()` keeps answering with the last policy."""
        self._follower.close()

    def _handle(self, records: Sequence[Incoming]) -> None:
        refused = self._view.refused
        changed = self._view.apply(records)
        if self._view.refused > refused:
            log.error("a policy snapshot was refused, the last good one stays in use: %s", self._view.last_refusal)
        if changed and self._view.policy is not None and self._view.content is not None:
            try:
                if self._memory is not None:
                    self._memory.current().reread(theta_of(self._view.content, self._view.policy.definition))
                if self._on_policy is not None:
                    self._on_policy(self._view.policy)
            except Exception:
                log.exception("on_policy failed; the policy is in use all the same")


class MemorySubscriber:
    """The memory of the topic `memory.q2e`, all partitions added; lookups meanwhile never wait.

    `snapshot` is a folder of `save`: then only what came after it is read from the topic (needs pyarrow). One that is missing, damaged or
    over 20 hours old is left aside and the topic read whole.
    """

    def __init__(self, bootstrap: str, *, reading: Reading, snapshot: Path | None = None, security: Security | None = None):
        self._view = MemoryView(reading)
        self._lock = threading.Lock()  # between the thread that reads the topic and `save`
        self._not_used = ""
        start, topic_id = self._load(snapshot) if snapshot is not None else ({}, "")
        self._follower = Follower(
            bootstrap, MEMORY.name, handle=self._handle, start=start, topic_id=topic_id, anew=self._leave_aside, security=security
        )

    def current(self) -> MemoryReader:
        """The memory: one object for ever, brought up to date in the background."""
        return self._view.reader

    def wait(self, timeout: float) -> bool:
        """Wait until all that was published before is read. False when `timeout` seconds were not enough."""
        return self._follower.wait(timeout)

    def lag(self) -> int:
        """Records on the topic that are not yet read, as of the broker's last answer."""
        return self._follower.progress().lag

    def staleness(self) -> Staleness:
        """How far behind the memory is."""
        progress = self._follower.progress()
        error = progress.last_error or self._view.last_refusal or self._not_used
        return Staleness(None, progress.lag, progress.silent, self._view.refused, error)

    def save(self, folder: Path, *, seq: int) -> None:
        """Write what is held as a Parquet snapshot from which another process can start. `seq` must grow. Needs pyarrow."""
        from memory_index.snapshot import table_of, write_snapshot

        with self._lock:
            table, positions, highest = table_of(self._view.reader), self._follower.positions(), dict(self._view.sources.highest)
        topic = f"{MEMORY.name}/{self._follower.topic_id}"
        applied = {f"{topic}/{number}": [at, *highest.get(number, (0, 0))] for number, at in positions.items()}
        write_snapshot(folder, table, seq=seq, applied=applied, created=int(time.time() * 1000))

    def close(self) -> None:
        """Stop following; the reader keeps what it holds."""
        self._follower.close()

    def _handle(self, records: Sequence[Incoming]) -> None:
        with self._lock:
            self._view.apply(records)

    def _leave_aside(self) -> None:
        """The snapshot is of another topic than the broker's. Once that was read, what is held stays, and is said again."""
        if self.wait(0.0):
            return
        from memory_index.snapshot import SCHEMA, base_of

        with self._lock:
            self._view.reader.replace(base_of(SCHEMA.empty_table()))
            self._view.sources.highest.clear()
        self._not_used = f"the memory snapshot is of a topic {MEMORY.name} that was deleted; write a new one"

    def _load(self, folder: Path) -> tuple[dict[int, int], str]:
        """Offsets to go on from, by partition, and the id of their topic; none when the snapshot is not to be used."""
        from memory_index.snapshot import base_of, read_snapshot

        try:
            table, manifest = read_snapshot(folder)
            if (age := time.time() - manifest.created / 1000) > MAX_SNAPSHOT_AGE:
                raise CorruptFile(f"{folder} is {age / 3600:.0f} hours old, at most 20 are safe; write a new snapshot")
            base, (topic_id, applied) = base_of(table), _applied(folder, manifest.applied)
        except (NotFound, CorruptFile) as error:
            log.warning("the memory snapshot is not used, the topic is read whole: %s", error)
            self._not_used = str(error)
            return {}, ""
        self._view.reader.replace(base)
        for number, (_, epoch, seq) in applied.items():
            self._view.sources.accept(number, epoch, seq)
        return {number: at for number, (at, _, _) in applied.items()}, topic_id


def _applied(folder: Path, applied: Mapping[str, Sequence[int]]) -> tuple[str, dict[int, tuple[int, int, int]]]:
    """Id of the topic, and by partition: offset to go on from, and the source's highest epoch and seq. Raises CorruptFile."""
    try:
        places = {tuple(name.removeprefix(f"{MEMORY.name}/").split("/")): numbers for name, numbers in applied.items()}
        (topic_id,) = {id_ for id_, _ in places} or {""}
        return topic_id, {int(number): (at, epoch, seq) for (_, number), (at, epoch, seq) in places.items()}
    except ValueError:
        raise CorruptFile(
            f"{folder} does not say from which offsets of {MEMORY.name} to go on; write it with MemorySubscriber.save"
        ) from None
