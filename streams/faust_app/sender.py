"""Sends the outboxes of the owned partitions to their topics, batch by batch, and notes what the broker acknowledged."""

import asyncio
import logging
import sys
import time
from collections.abc import Iterable
from functools import partial
from itertools import chain

from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.topics import ACTIONS, IMPRESSIONS
from streams.faust_app.owner import Owner
from streams.faust_app.security import aiokafka_settings
from streams.kernel.changes import Outgoing
from streams.security import Security

log = logging.getLogger(__name__)
BATCH_BYTES = 512 * 1024
RETRY = 0.5  # seconds between tries while the broker does not take what we send
LZ4_LEVEL = 1  # aiokafka's is 9 and cannot be set: seven times the time for a fifth fewer bytes, the largest single cost of a worker
vars(sys.modules[DefaultRecordBatchBuilder.__module__])["lz4_encode"] = partial(lz4_encode, level=LZ4_LEVEL)


class Sender:
    """`send` sends what an owner has ready. A round that the broker did not take whole is kept and sent again first: readers drop repeats
    by id and by (epoch, seq)."""

    def __init__(self, bootstrap: str, *, security: Security | None = None) -> None:
        # Not idempotent: a broker's refusal of one batch must not silence the client for good. Order within a partition is kept, since
        # the client has one batch of a partition in flight. lz4: gzip's default level would cost more than everything else together.
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, compression_type="lz4", linger_ms=0,
            max_batch_size=BATCH_BYTES, max_request_size=1_048_576, request_timeout_ms=10_000, retry_backoff_ms=200,
            **aiokafka_settings(security or {}),
        )  # fmt: skip
        self._kept: dict[Owner, tuple[list[Outgoing], bytes]] = {}

    async def __aenter__(self) -> "Sender":
        while True:
            try:
                await self._producer.start()
                return self
            except KafkaError as error:  # a worker may start, or join, just when the broker goes away
                log.warning("nothing can be sent yet (%s); trying again", error)
                await asyncio.sleep(RETRY)

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, owner: Owner, *, sharing: int = 1) -> int:
        """Send what is due; returns how many messages were acknowledged. One that fails stops no other: the next round tries again."""
        self._kept = {one: kept for one, kept in self._kept.items() if not one.closed}  # their next owner sends what is not marked
        out, source = self._kept.pop(owner) if owner in self._kept else (list(owner.take(_now(), sharing=sharing)), owner.source())
        if not await self._sent(out, source):
            self._kept[owner] = out, source
            return 0
        owner.sent(_now())
        return len(out)

    def kept(self, owner: Owner) -> int:
        """Messages that the broker did not take yet."""
        return len(self._kept[owner][0]) if owner in self._kept else 0

    async def tick(self, partition: int, value: bytes) -> None:
        """Tell both inputs of a partition that time has passed; a tick that is lost is followed by another."""
        for topic in (IMPRESSIONS.name, ACTIONS.name):
            try:
                await self._producer.send(topic, value=value, partition=partition)
            except KafkaError as error:
                log.warning("tick of %s-%d was not sent: %s", topic, partition, error)

    async def _sent(self, out: Iterable[Outgoing], source: bytes) -> bool:
        lanes: dict[tuple[str, int], list[Outgoing]] = {}
        for message in out:
            lanes.setdefault((message.topic, message.partition), []).append(message)
        try:
            futures = [await self._lane(topic, partition, lane, source) for (topic, partition), lane in lanes.items()]
            failed = [one for one in await asyncio.gather(*chain(*futures), return_exceptions=True) if isinstance(one, BaseException)]
        except KafkaError as error:
            failed = [error]
        if failed:
            log.warning("the broker did not take what was sent (%s); trying again", failed[0])
        return not failed

    async def _lane(self, topic: str, partition: int, lane: list[Outgoing], source: bytes) -> list[asyncio.Future[object]]:
        futures, at = [], 0
        while at < len(lane):
            batch = self._producer.create_batch()
            while at < len(lane) and _append(batch, lane[at], source):
                at += 1
            futures.append(await self._producer.send_batch(batch, topic, partition=partition))
        return futures


def _append(batch: object, message: Outgoing, source: bytes) -> bool:
    return (
        batch.append(key=message.key.encode(), value=message.value, timestamp=message.time, headers=[("src", source)])  # type: ignore[attr-defined]
        is not None
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
