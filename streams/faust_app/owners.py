"""The partitions that this worker owns now: opened when they are assigned, closed when they are revoked."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.errors import CorruptFile, StaleLog, Unavailable
from streams.faust_app.config import WorkerConfig
from streams.faust_app.owner import Owner
from streams.faust_app.status import Meter
from streams.kernel.changes import TOPIC_OF, Input
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore

log = logging.getLogger(__name__)
# s: a zombie holds its files until it wakes and sees that it was put out of the group.
PATIENCE, SILENCE, RETRY = 60.0, 3.0, 0.2
Starts = Mapping[int, Mapping[Input, int]]  # by partition, the first offset of each input that the log still has


class Owners(Mapping[int, Owner]):
    """Owners by partition number."""

    def __init__(self, config: WorkerConfig, *, partitions: int, topic_ids: Mapping[str, str]) -> None:
        self._config, self._partitions, self._topic_ids = config, partitions, topic_ids
        self.meter = Meter(config.instance or "")
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
            started = time.monotonic()
            with self.meter.long(f"the checkpoint of partition {owner.partition}"):
                owner.compact(_now())
                try:
                    if self._state is not None:
                        self._state.write(owner.store.path, _about(owner, self._config.instance or "worker"))
                except (OSError, Unavailable) as error:  # the state is safe on this disk; the next round may get through
                    self.meter.checkpoint_failed()
                    log.warning("partition %d has no new checkpoint (%s); is the state store writable?", owner.partition, error)
                else:
                    self.meter.checkpointed(owner.partition, time.monotonic() - started)

    async def _open(self, partition: int, starts: Starts) -> Owner:
        """Waits while another owner has the file, or the disk takes nothing. A file that does not read is set aside (that is, renamed):
        the newest checkpoint that does read takes its place, or the log alone."""
        path, started, passed, told = self._config.folder / f"partition-{partition}.duckdb", time.monotonic(), set[str](), False
        while True:
            taken, existed = None, path.exists()
            try:
                with self.meter.long(f"opening partition {partition}"):
                    taken = self._fetch(path, partition, passed)
                    owner = self._owner(path, partition, starts[partition])
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

    def _owner(self, path: Path, partition: int, starts: Mapping[Input, int]) -> Owner:
        store = PartitionStore.open(path, partition, self._partitions)
        try:
            store.check_topics(self._topic_ids)
            if store.seq or not self._config.from_log_start:
                _check_reach(store, starts)
            above = self._state.highest_epoch(partition) if self._state else 0
            return Owner(store, self._config.rules, now=_now(), above=above)
        except BaseException:
            store.close()
            raise

    def _fetch(self, path: Path, partition: int, passed: set[str]) -> str | None:
        """Take the newest sound checkpoint that is ahead of the local file and not among `passed`; its name. Any valid one is right for
        its offsets."""
        if self._state is None:
            return None
        try:
            checkpoints, local = self._state.best(partition, self._topic_ids), -1
            if checkpoints and path.exists():
                with PartitionStore.open(path, partition, self._partitions) as store:
                    local = sum(store.next_offsets().values())
            for one in checkpoints:
                if sum(one.next.values()) <= local:
                    break
                if one.name not in passed and self._copied(self._state, one, path):
                    return one.name
        except OSError as error:
            raise Unavailable(
                f"no checkpoint can be copied to {path} ({error}); make room on that disk, or see that the state store can be read"
            ) from error
        return None

    def _copied(self, state: StateStore, checkpoint: Checkpoint, path: Path) -> bool:
        try:
            state.fetch(checkpoint, path)
        except CorruptFile as error:
            log.warning("partition %d: %s", checkpoint.partition, error)
            return False
        log.info("partition %d: took checkpoint %s", checkpoint.partition, checkpoint.name)
        return True


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
