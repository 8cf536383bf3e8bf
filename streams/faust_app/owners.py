"""The partitions that this worker owns now: opened when they are assigned, closed when they are revoked."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.errors import CorruptFile, StaleLog, Unavailable
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owner import Owner
from streams.kernel.changes import TOPIC_OF, Input
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore

log = logging.getLogger(__name__)
LOCK_TRIES, LOCK_WAIT = 300, 0.2  # a zombie holds its files until it wakes and sees that it was put out of the group
Starts = Mapping[int, Mapping[Input, int]]  # by partition, the first offset of each input that the log still has


class Owners(Mapping[int, Owner]):
    """Owners by partition number."""

    def __init__(self, config: WorkerConfig, *, partitions: int, topic_ids: Mapping[str, str]) -> None:
        self._config, self._partitions, self._topic_ids = config, partitions, topic_ids
        self._state = StateStore.at(config.state_store) if config.state_store else None
        self._owned: dict[int, Owner] = {}
        self._fresh: dict[int, float] = {}
        config.folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, partition: int) -> Owner:
        return self._owned[partition]

    def __iter__(self) -> Iterator[int]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)

    async def own(self, partitions: set[int], starts: Starts) -> None:
        """Own exactly these. When this fails or is cancelled, some of them may be owned."""
        self.release(set(self._owned) - partitions)
        for partition in sorted(partitions - set(self._owned)):
            self._owned[partition] = await self._open(partition, starts)
            self._fresh[partition] = time.monotonic()

    def release(self, partitions: set[int]) -> None:
        """Close those of these that are owned."""
        for partition in partitions & set(self._owned):
            self._owned.pop(partition).close()
            log.info("partition %d released", partition)

    def resend_taken_over(self, after: float) -> None:
        """Once, `after` seconds after opening: what was sent before is sent again, over what a zombie may have sent since."""
        for partition, opened in list(self._fresh.items()):
            if time.monotonic() - opened > after:
                del self._fresh[partition]
                if partition in self._owned:
                    self._owned[partition].resend(_now())

    def checkpoint(self) -> None:
        """Compact every store, and copy it to the state store."""
        for owner in self._owned.values():
            owner.compact(_now())
            try:
                if self._state is not None:
                    self._state.write(owner.store.path, _about(owner, self._config.instance or "worker"))
            except (OSError, Unavailable) as error:  # the state is safe on this disk; the next round may get through
                log.warning("partition %d has no new checkpoint (%s); is the state store writable?", owner.partition, error)

    async def _open(self, partition: int, starts: Starts) -> Owner:
        path = self._config.folder / f"partition-{partition}.duckdb"
        started = time.monotonic()
        for tries in range(LOCK_TRIES):
            try:
                if self._state is not None:
                    self._fetch(self._state, path, partition)
                store = PartitionStore.open(path, partition, self._partitions)
                break
            except Unavailable:  # the old owner still holds the file: wait, never share
                if tries == LOCK_TRIES - 1:
                    raise
                await asyncio.sleep(LOCK_WAIT)
        try:
            store.check_topics(self._topic_ids)
            if store.seq or not self._config.from_log_start:
                _check_reach(store, starts[partition])
            above = self._state.highest_epoch(partition) if self._state else 0
            owner = Owner(store, self._config.rules, now=_now(), above=above)
        except BaseException:
            store.close()
            raise
        log.info("partition %d owned: epoch %d, next %s, %.1f s", partition, store.epoch, owner.next, time.monotonic() - started)
        return owner

    def _fetch(self, state: StateStore, path: Path, partition: int) -> None:
        """Take the newest sound checkpoint that is ahead of the local file. Any valid one is right for its offsets."""
        checkpoints, local = state.best(partition, self._topic_ids), -1
        if checkpoints and path.exists():
            with PartitionStore.open(path, partition, self._partitions) as store:
                local = sum(store.next_offsets().values())
        for one in checkpoints:
            if sum(one.next.values()) <= local:
                return
            try:
                state.fetch(one, path)
            except CorruptFile as error:
                log.warning("partition %d: %s", partition, error)
            else:
                return log.info("partition %d: took checkpoint %s", partition, one.name)


def _check_reach(store: PartitionStore, starts: Mapping[Input, int]) -> None:
    for topic, needed in store.next_offsets().items():
        if starts[topic] > needed:
            raise StaleLog(
                f"{TOPIC_OF[topic]}-{store.partition} starts at offset {starts[topic]}, this state needs {needed}: records in between were "
                "deleted. Restore a newer checkpoint of the partition, or move the folder away and start with --from-log-start"
            )


def _about(owner: Owner, name: str) -> Checkpoint:
    store = owner.store
    return Checkpoint(store.partition, store.epoch, owner.next, name, store.topic_ids())


def _now() -> int:
    return time.time_ns() // 1_000_000
