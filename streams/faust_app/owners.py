"""The partitions that this worker owns now: opened when they are assigned, closed when they are revoked."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from kafka.errors import KafkaError

from schemas.errors import CorruptFile, NotAllowed, PartitionMismatch, StaleLog, Unavailable
from streams.erasing.eraser import accept, finish, ready
from streams.erasing.erasing import Erasing
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owner import Owner
from streams.faust_app.status import Meter
from streams.moving.reach import Log, check, reaches
from streams.moving.topics import Topics
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore

log = logging.getLogger(__name__)
# s: a zombie holds its files until it wakes and sees that it was put out of the group.
PATIENCE, SILENCE, RETRY = 60.0, 3.0, 0.2
T = TypeVar("T")
Ask = Callable[[int], Awaitable[Log | None]]
Heard = Callable[[Collection[int], Event], Mapping[int, int]]


class Owners(Mapping[int, Owner]):
    """Owners by partition number."""

    def __init__(
        self, config: WorkerConfig, topics: Topics, *, erasures: Mapping[int, int] | None = None, heard: Heard = lambda _, __: {}
    ) -> None:
        """`erasures`: who is to be erased (keyed hash -> until), as they become known. `heard`: by partition, the epochs that the topics of
        rows have heard of; raises KafkaError, Unavailable."""
        self._listens = heard
        self.config, self._topics, self._erasures = config, topics, erasures if erasures is not None else {}
        self.meter = Meter(config.instance or "")
        self._state = StateStore.at(config.state_store) if config.state_store else None
        self._owned: dict[int, Owner] = {}
        self._fresh: dict[int, float] = {}
        self._heard: dict[int, int] = {}
        self._name = config.instance or "worker"
        config.folder.mkdir(parents=True, exist_ok=True)
        if self._state is not None:
            _check_count(self._state, topics)

    def __getitem__(self, partition: int) -> Owner:
        return self._owned[partition]

    def __iter__(self) -> Iterator[int]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)

    async def own(self, partitions: set[int], logs: Mapping[int, Log], *, again: Ask | None = None) -> None:
        """Own exactly these, of which the log has `logs`; `again` asks for that of one. When this fails or is cancelled, some of them may
        be owned."""
        self.release(set(self._owned) - partitions)
        await self._listen(partitions - set(self._owned))
        for partition in sorted(partitions - set(self._owned)):
            self._owned[partition] = await self._open(partition, logs[partition], again)
            self._fresh[partition] = time.monotonic()

    def release(self, partitions: set[int]) -> None:
        """Close those of these that are owned."""
        for partition in partitions & set(self._owned):
            try:
                self._owned.pop(partition).close()
            except (CorruptFile, Unavailable) as error:  # all that could not be noted is up to where messages were acknowledged
                log.warning("partition %d: its next owner sends some messages again: %s", partition, error)
            log.info("partition %d released", partition)

    def look(self, topics: Topics) -> None:
        """See what became of the topics: where those of rows were made anew, all rows are sent again. Raises StaleLog,
        PartitionMismatch."""
        self._topics = self._topics.then(topics)
        for owner in self._owned.values():
            if owner.store.meet_outputs(self._topics.outputs):
                log.warning("partition %d sends all its rows again: their topics were made anew", owner.partition)
                owner.republish(_now())

    def resend_taken_over(self, after: float) -> None:
        """Once, `after` seconds after opening: what was sent before is sent again, over what a zombie may have sent since."""
        for partition, opened in list(self._fresh.items()):
            if time.monotonic() - opened > after:
                del self._fresh[partition]
                if partition in self._owned:
                    self._owned[partition].resend(_now())

    async def checkpoint(self) -> None:
        """Compact every store, and copy it to the state store, which may be far away: batches are applied meanwhile."""
        for owner in list(self._owned.values()):
            if owner.closed:  # revoked while another one was copied
                continue
            started = time.monotonic()
            with self.meter.long(f"the checkpoint of partition {owner.partition}"):
                owner.compact(_now())
                erased = _purged(owner)
            try:
                if self._state is not None:
                    await _in_thread(partial(self._state.write, owner.store.path, _about(owner, self._name), alone=bool(erased)))
            except (OSError, Unavailable) as error:  # the state is safe on this disk; the next round may get through
                self.meter.checkpoint_failed()
                log.warning("partition %d has no new checkpoint (%s); is the state store writable?", owner.partition, error)
            else:
                self.meter.checkpointed(owner.partition, time.monotonic() - started)
                if erased and not owner.closed:
                    owner.change(partial(finish, some=erased, now=_now()))

    async def _listen(self, partitions: set[int]) -> None:
        """Hear the epochs of former owners on other disks: their clocks may have been ahead. Waits for the broker."""
        while partitions:
            try:
                with self.meter.long("reading the last rows that were sent"):
                    self._heard |= await _in_thread(partial(self._listens, partitions))
                return
            except NotAllowed:
                raise
            except (KafkaError, Unavailable):
                await asyncio.sleep(RETRY)

    async def _open(self, partition: int, reach: Log, again: Ask | None) -> Owner:
        """Waits while another owner has the file, or the disk takes nothing. A file that does not read is set aside (that is, renamed):
        the newest checkpoint that does read takes its place, or the log alone."""
        path, started, passed, told = self.config.folder / f"partition-{partition}.duckdb", time.monotonic(), set[str](), False
        while True:
            taken, existed = None, path.exists()
            try:
                with self.meter.long(f"opening partition {partition}"):
                    taken = await _in_thread(partial(self._fetch, path, partition, passed, reach))
                    owner = self._owner(path, partition, reach)
            except StaleLog:  # a former owner may have applied what came after the log was asked for its ends
                if again is None or (newer := await again(partition)) is None:
                    raise
                reach, again = newer, None
            except CorruptFile as error:
                if not existed and taken is None:  # an empty file that does not read: another one would not either
                    raise
                log.error("partition %d: %s", partition, error)
                passed |= {taken} if taken else set()
            except Unavailable as error:
                waited = time.monotonic() - started
                if waited > PATIENCE:
                    raise
                if waited > SILENCE and not told:
                    told = True
                    log.warning("partition %d waits %.0f s at most: %s", partition, PATIENCE, error)
                await asyncio.sleep(RETRY)
            else:
                took = time.monotonic() - started
                self.meter.opened(partition, took)
                log.info("partition %d owned: epoch %d, next %s, %.1f s", partition, owner.store.epoch, owner.next, took)
                return owner

    def _owner(self, path: Path, partition: int, reach: Log) -> Owner:
        store = PartitionStore.open(path, partition, self._topics.partitions)
        try:
            store.check_topics(self._topics.inputs)
            store.meet_outputs(self._topics.outputs)
            if not store.seq and all(one.begin is not None for one in reach.values()):
                store.begin_at({topic: one.begin or 0 for topic, one in reach.items()})
            check(store.next_offsets(), reach, partition=partition)
            now = _now()
            owner = Owner(store, self.config.rules, now=now, above=self._heard.get(partition, 0))
            owner.change(partial(accept, requests=dict(self._erasures)))
            return owner
        except BaseException:
            store.close()
            raise

    def _fetch(self, path: Path, partition: int, passed: set[str], reach: Log, stop: Event) -> str | None:
        """Take the newest sound checkpoint that is ahead of the local file, not among `passed`, and reached by the log; its name. Any
        valid one is right for its offsets: so the local file will do while the state store is away."""
        if self._state is None:
            return None
        try:
            self._heard[partition] = max(self._heard.get(partition, 0), self._state.highest_epoch(partition))
            found = self._state.best(partition, self._topics.inputs)
            checkpoints = [one for one in found if one.partitions == self._topics.partitions]
            local = self._local(path, partition) if checkpoints and path.exists() else -1
            for one in checkpoints:
                if sum(one.next.values()) <= local:
                    break
                if one.name not in passed and reaches(one.next, reach) and self._copied(self._state, one, path, stop):
                    return one.name
        except OSError as error:
            text = f"no checkpoint can be copied to {path} ({error}); make room on that disk, or see that the state store can be read"
            if not path.exists():
                raise Unavailable(text) from error
            log.warning("partition %d goes on with what is on this disk: %s", partition, text)
        return None

    def _local(self, path: Path, partition: int) -> int:
        """How far the local file is; one from before the topics grew is set aside, since the state store has what it was moved to."""
        try:
            with PartitionStore.open(path, partition, self._topics.partitions) as store:
                return sum(store.next_offsets().values())
        except PartitionMismatch as error:
            log.warning("%s is set aside as %s.replaced: %s", path, path.name, error)
            os.replace(path, f"{path}.replaced")
            return -1

    def _copied(self, state: StateStore, checkpoint: Checkpoint, path: Path, stop: Event) -> bool:
        try:
            state.fetch(checkpoint, path, stop=stop)
        except CorruptFile as error:
            log.warning("partition %d: %s", checkpoint.partition, error)
            return False
        log.info("partition %d: took checkpoint %s", checkpoint.partition, checkpoint.name)
        return True


def _check_count(state: StateStore, topics: Topics) -> None:
    """Raises PartitionMismatch when the state store holds a run of these topics from before they grew."""
    for partition in state.partitions():
        counts = {one.partitions for one in state.best(partition, topics.inputs)}
        if counts and topics.partitions not in counts:
            raise PartitionMismatch(
                f"the state store has partition {partition} of {max(counts)}, the topics have {topics.partitions} partitions; stop all "
                f"workers and run `forage topics migrate --partitions {topics.partitions}`"
            )


async def _in_thread(work: Callable[[Event], T]) -> T:
    """What `work` returns, with the event loop free meanwhile. When cancelled, the event that it is given is set, and it is waited for:
    what it does to a partition's file must not go on under the next owner."""
    stop = Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        raise


def _about(owner: Owner, name: str) -> Checkpoint:
    store = owner.store
    return Checkpoint(store.partition, store.epoch, dict(owner.next), name, store.topic_ids(), store.partitions)


def _purged(owner: Owner) -> list[Erasing]:
    """Erasures of which nothing is left in the file now."""
    if some := ready(owner.store, _now()):
        try:
            owner.store.purge(_now())
        except Unavailable as error:
            log.warning("partition %d: the file still holds traces of erased people: %s", owner.partition, error)
            return []
        log.info("partition %d: %d erasures are done, its file was written anew", owner.partition, len(some))
    return some


def _now() -> int:
    return time.time_ns() // 1_000_000
