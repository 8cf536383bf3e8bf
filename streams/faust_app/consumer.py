"""Faust's consumer, with offsets from the stores and one event per fetched batch. Private names of faust-streaming 0.15.3 are used here
and only here (tests/broker/test_worker.py fails when they move)."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables import manager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from schemas.errors import PartitionMismatch
from streams.kernel.changes import INPUT_OF, Input
from streams.moving.reach import Reach, check

BUFFERS_FULL = 0.01  # seconds; Faust would sleep a whole second
RETRY = 0.5  # seconds between questions while the broker is away


class BatchMessage(ConsumerMessage):  # type: ignore[misc]
    """One fetch of one partition. Faust costs some 100 us an event: so a fetch is the event, its offset that of its last record.

    `seeks` is the consumer's count when it was fetched.
    """

    __slots__ = ("records", "seeks")


class PatientRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery service is what resumes the flow after a rebalance. It takes anything that lasts over `broker_request_timeout`
    for its own end, and ends silently: a worker that was frozen, or waited for a file, would never resume again."""

    async def _wait(self, coro: Any, timeout: float | None = None) -> None:
        await super()._wait(coro)


class EndingThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """aiokafka lets a cancellation escape when it is stopped while the broker is away. The thread ended of it without a word to Faust,
    which then waited a minute for it: so long did Ctrl-C take."""

    async def on_thread_stop(self) -> None:
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            await self._consumer._client.close()

    async def offsets_at(self, time: int, partitions: Collection[TP]) -> dict[TP, int | None]:
        """First offsets whose records have at least this time (ms); None where there is none."""
        found = await self.call_thread(self._ensure_consumer().offsets_for_times, dict.fromkeys(partitions, time))
        return {tp: one.offset if one is not None else None for tp, one in found.items()}


class StoreConsumer(driver.Consumer):  # type: ignore[misc]
    """The group's offsets are for lag monitors. Where a partition is read from is what its store says."""

    seeks = 0  # what was fetched before the last seek must not be applied: records between it and the store may have been dropped

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected: dict[TP, int] = {}  # first offset that the next fetch should bring
        self._seeking = asyncio.Lock()  # Faust does not wait for the seek that it cancels: it would release what the next one opens

    def _new_consumer_thread(self) -> EndingThread:
        return EndingThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """After every rebalance, before the flow resumes: open what is assigned, seek to what it applied.

        It is cancelled when another rebalance ends first, and may meet one that has begun: nothing stays open then.
        """
        self.seeks += 1
        async with self._seeking:
            owners, assigned = self.app.owners, self._assigned()
            numbers = _both_inputs(assigned)
            try:
                await super().perform_seek()
                await owners.own(numbers, await self._reach(assigned), again=self._reach_of)
                await self._seek_to_stores()
                if set(owners) != numbers:  # revoked while a file or the broker was waited for
                    raise RebalanceAgain
            except BaseException:
                owners.release(set(owners))
                raise

    async def _seek_to_stores(self) -> None:
        self.seeks += 1
        for tp in self._assigned():
            if (owner := self.app.owners.get(tp.partition)) is not None:  # else it was revoked: the next rebalance seeks
                offset = owner.next[INPUT_OF[tp.topic]]
                await self._thread.seek_wait({tp: offset})
                self._expected[tp] = offset
                self._read_offset[tp] = offset or None  # 0 means None in Faust
                self._committed_offset[tp] = min(self._committed_offset[tp] or 0, offset) or None
                self._acked.setdefault(tp, [])  # for the next commit: what was applied before a crash is no lag, even if nothing comes

    async def _reach(self, assigned: set[TP]) -> dict[int, dict[Input, Reach]]:
        """By partition, what the log has of both inputs. Waits for the broker."""
        reach: dict[int, dict[Input, Reach]] = {}
        config = self.app.owners.config
        while assigned and not reach:
            try:
                starts, ends = await self.earliest_offsets(*assigned), await self.highwaters(*assigned)
                begins: dict[TP, int | None] = starts if config.from_log_start else {}
                if config.from_time is not None:
                    at = await self._thread.offsets_at(config.from_time, assigned)
                    begins = {tp: ends[tp] if at.get(tp) is None else at[tp] for tp in assigned}
            except KafkaError:
                await asyncio.sleep(RETRY)
            else:
                for tp in assigned:
                    reach.setdefault(tp.partition, {})[INPUT_OF[tp.topic]] = Reach(starts[tp], ends[tp], begins.get(tp))
        return reach

    async def _reach_of(self, number: int) -> dict[Input, Reach] | None:
        return (await self._reach({tp for tp in self._assigned() if tp.partition == number})).get(number)

    async def _check_jump(self, tp: TP) -> None:
        """What was fetched does not follow what was fetched before. Kafka leaves offsets out after transactions; but aiokafka goes to the
        start of a log whose records were deleted or lost, and says nothing. Raises StaleLog."""
        reach, owner = await self._reach_of(tp.partition), self.app.owners.get(tp.partition)
        if owner is not None and reach is not None:
            check(owner.next, reach, partition=tp.partition)

    async def verify_all_partitions_active(self) -> None:
        """Nothing: our watchdog sees what is applied. Faust's look at every partition ended workers whose position was being reset."""

    def _assigned(self) -> set[TP]:
        return {TP(tp.topic, tp.partition) for tp in self.assignment()}

    def _new_offset(self, tp: TP) -> int | None:
        """Commit what the store has applied: Faust's own count can run ahead of unfinished work, or stop for good."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        self._gap.pop(tp, None)
        owner = self.app.owners.get(tp.partition)
        return None if owner is None else owner.next[INPUT_OF[tp.topic]]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """As Faust's, but each fetched batch of a partition is one message."""
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(BUFFERS_FULL)
            return
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        seeks, generation = self.seeks, self.app.consumer_generation_id
        records, active = await self._wait_next_records(timeout)
        if not self.flow_active or self.seeks != seeks:  # a rebalance began, or came and went, while the fetch was under way
            with suppress(IllegalStateError):  # not assigned any more
                await self._seek_to_stores()
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.should_stop or self.seeks != seeks:
                break
            if fetched and (tp in active or tp in self._buffered_partitions):
                last, plain = fetched[-1], TP(tp.topic, tp.partition)
                if fetched[0].offset != self._expected.get(plain):
                    await self._check_jump(plain)
                self._expected[plain] = last.offset + 1
                message = BatchMessage(
                    tp.topic, tp.partition, last.offset, last.timestamp / 1000, 0, (), None, b"batch", None, 0, 0, plain,
                    generation_id=generation,
                )  # fmt: skip
                message.records, message.seeks = fetched, seeks
                yield message.tp, message


def _both_inputs(assigned: set[TP]) -> set[int]:
    """Partition numbers of an assignment. Raises PartitionMismatch unless it has the same ones of both inputs."""
    by_topic = {topic: {tp.partition for tp in assigned if tp.topic == topic} for topic in INPUT_OF}
    if len({frozenset(numbers) for numbers in by_topic.values()}) > 1:
        raise PartitionMismatch(
            f"this worker was given different partitions of its inputs ({by_topic}); give both topics one partition count, and let every "
            "worker of the group run this version"
        )
    return {tp.partition for tp in assigned}


def install() -> None:
    """Make Faust use this consumer, and the range assignor: round robin would send an impression and its action to different workers."""
    driver.Transport.Consumer = StoreConsumer
    driver.RoundRobinPartitionAssignor = RangePartitionAssignor
    manager.Recovery = PatientRecovery
