"""Faust's consumer, with offsets from the stores and one event per fetched batch. Private names of faust-streaming 0.15.3 are used here
and only here (tests/broker/test_worker.py fails when they move)."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from schemas.errors import PartitionMismatch
from schemas.topics import ACTIONS, IMPRESSIONS
from streams.changes import Input

INPUT_OF: dict[str, Input] = {IMPRESSIONS.name: "impressions", ACTIONS.name: "actions"}
BUFFERS_FULL = 0.01  # seconds; Faust would sleep a whole second


class BatchMessage(ConsumerMessage):  # type: ignore[misc]
    """One fetch of one partition. Faust costs some 100 us an event: so a fetch is the event, its offset that of its last record."""

    __slots__ = ("records",)


class StoreConsumer(driver.Consumer):  # type: ignore[misc]
    """The group's offsets are for lag monitors. Where a partition is read from is what its store says."""

    async def perform_seek(self) -> None:
        """After every rebalance, before the flow resumes, sometimes more than once: open what is assigned, seek to what it applied."""
        await super().perform_seek()
        assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
        await self.app.owners.own(_both_inputs(assigned))
        for tp in assigned:
            offset = self.app.owners[tp.partition].next[INPUT_OF[tp.topic]]
            await self._thread.seek_wait({tp: offset})
            self._read_offset[tp] = offset or None  # 0 means None in Faust
            self._committed_offset[tp] = offset or None

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
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if not self.flow_active:  # a rebalance began while the fetch was under way
            await self.perform_seek()
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.should_stop or self.app.consumer_generation_id != generation:
                break
            if fetched and (tp in active or tp in self._buffered_partitions):
                last, plain = fetched[-1], TP(tp.topic, tp.partition)
                message = BatchMessage(
                    tp.topic, tp.partition, last.offset, last.timestamp / 1000, 0, (), None, b"batch", None, 0, 0, plain,
                    generation_id=generation,
                )  # fmt: skip
                message.records = fetched
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
