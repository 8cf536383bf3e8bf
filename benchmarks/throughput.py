"""One worker process on a real broker beside bare aiokafka that only decodes the same bytes, in the same run."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.codec import encode
from schemas.events import Tick
from schemas.topics import ACTIONS, IMPRESSIONS, MEMORY, OUTCOMES, SHARES
from streams.admin import create_topics
from streams.clients import connect
from streams.partitioning import partition
from streams.replaying.recording import Line

PARTITIONS = 4
TOPICS = {"impressions": IMPRESSIONS.name, "actions": ACTIONS.name}
TICK = 600_000
END = 3_600_000


def fill(bootstrap: str, lines: Sequence[Line]) -> None:
    """Send the lines to CreateTime topics, with ticks, the last one past every window."""
    create_topics(bootstrap, PARTITIONS, time="CreateTime")
    producer = connect(
        KafkaProducer, bootstrap, enable_idempotence=False, acks="all", compression_type="gzip", linger_ms=20, batch_size=256 * 1024
    )
    ticked = 0
    for line in lines:
        if line.time - ticked > TICK:
            ticked = line.time
            tick(producer, line.time)
        where = partition(line.key, PARTITIONS)
        producer.send(TOPICS[line.topic], key=line.key.encode(), value=line.value, partition=where, timestamp_ms=line.time)
    tick(producer, lines[-1].time + END)
    producer.flush()
    producer.close()


def tick(producer: KafkaProducer, at: int) -> None:
    for number in range(PARTITIONS):
        for topic in TOPICS.values():
            producer.send(topic, value=encode(Tick()), partition=number, timestamp_ms=at)


async def decode_only(bootstrap: str, count: int) -> float:
    """Seconds in which aiokafka fetches and json.loads decodes `count` records of both inputs."""
    consumer = AIOKafkaConsumer(
        *TOPICS.values(), bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=256 * 1024
    )
    await consumer.start()
    try:
        seen, start = 0, 0.0
        while seen < count:
            for records in (await consumer.getmany(timeout_ms=1_000)).values():
                start = start or time.perf_counter()
                for record in records:
                    json.loads(record.value)
                seen += len(records)
        return time.perf_counter() - start
    finally:
        await consumer.stop()


def worker(bootstrap: str, folder: Path, count: int) -> dict[str, float]:
    """Seconds from a worker's first transaction to its last, and until its outboxes are empty."""
    log = folder / "worker.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "benchmarks.worker", bootstrap, str(folder / "data")]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        spans: list[tuple[int, float]] = []
        while sum(applied for applied, _ in spans) < count:
            if process.poll() is not None:
                raise SystemExit(f"the worker ended; see {log}")
            time.sleep(0.5)
            spans = _spans(log)
        last = max(at for _, at in spans)
        first = min(at for _, at in spans)
        published = _quiet(bootstrap)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return {"applied_s": last - first, "published_s": published - first}


def _spans(log: Path) -> list[tuple[int, float]]:
    pattern = r"applied \d+: \[(\d+), (\d+)\] to \[(\d+), (\d+)\] in ([\d.]+) s at ([\d.]+)"
    return [(int(c) + int(d) - int(a) - int(b), float(at)) for a, b, c, d, _, at in re.findall(pattern, log.read_text(errors="replace"))]


def _quiet(bootstrap: str) -> float:
    """When the last message was published: end offsets of the outputs stand still for three seconds."""
    reader = connect(KafkaConsumer, bootstrap)
    tps = [TopicPartition(topic.name, number) for topic in (MEMORY, SHARES, OUTCOMES) for number in range(PARTITIONS)]
    before, changed = None, time.time()
    while time.time() - changed < 6:  # rows that were only shown are sent at most every 5 s
        now = reader.end_offsets(tps)
        if now != before:
            before, changed = now, time.time()
        time.sleep(0.25)
    reader.close()
    return changed


def run(bootstrap: str, folder: Path, lines: Sequence[Line]) -> dict[str, float]:
    """Searches a second of one worker, records a second of decoding alone, and their ratio."""
    fill(bootstrap, lines)
    searches = sum(line.topic == "impressions" for line in lines)
    reader = connect(KafkaConsumer, bootstrap)
    tps = [TopicPartition(topic, number) for topic in TOPICS.values() for number in range(PARTITIONS)]
    count = sum(reader.end_offsets(tps).values())
    reader.close()
    decode = asyncio.run(decode_only(bootstrap, count))
    took = worker(bootstrap, folder, count)
    return {
        "searches": searches,
        "decode_only_searches_per_s": searches / decode,
        "worker_searches_per_s": searches / took["applied_s"],
        "worker_published_searches_per_s": searches / took["published_s"],
        "worker_to_decode_ratio": decode / took["applied_s"],
    }
