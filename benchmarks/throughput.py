"""Worker processes on a real broker beside bare aiokafka that only decodes the same bytes, in the same run: searches a second, and what
they cost. All searches lie in the topics before the workers start."""

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.applied import Applied
from benchmarks.processes import Cost, broker_pid, cost, running
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
LOOK = 0.25  # s between two looks at logs and costs
QUIET = 6.0  # s without a new message after which all is published: rows that were only shown are sent at most every 5 s
STALLED = 120.0  # s without a transaction after which a run has failed


@dataclass(frozen=True)
class Measured:
    """Of one run: seconds from when every worker had begun until all was applied, and until all was published; records applied in that
    time; CPU seconds of workers and broker from the beginning of the processes' work until all was published; highest MB of a worker."""

    records: int
    applied_s: float
    published_s: float
    workers_cpu: float
    broker_cpu: float
    peak_mb: float


def fill(bootstrap: str, lines: Sequence[Line], *, partitions: int = PARTITIONS) -> int:
    """Send the lines to new CreateTime topics, with ticks, the last one past every window. How many records the topics have then."""
    create_topics(bootstrap, partitions, time="CreateTime")
    producer = connect(
        KafkaProducer, bootstrap, enable_idempotence=False, acks="all", compression_type="gzip", linger_ms=20, batch_size=256 * 1024
    )

    def tick(at: int) -> None:
        for number in range(partitions):
            for topic in TOPICS.values():
                producer.send(topic, value=encode(Tick()), partition=number, timestamp_ms=at)

    ticked = 0
    for line in lines:
        if line.time - ticked > TICK:
            ticked = line.time
            tick(line.time)
        where = partition(line.key, partitions)
        producer.send(TOPICS[line.topic], key=line.key.encode(), value=line.value, partition=where, timestamp_ms=line.time)
    tick(lines[-1].time + END)
    producer.flush()
    producer.close()
    return sum(ends(bootstrap, *TOPICS.values(), partitions=partitions).values())


def ends(bootstrap: str, *topics: str, partitions: int) -> dict[tuple[str, int], int]:
    """End offsets by (topic, partition)."""
    reader = connect(KafkaConsumer, bootstrap)
    found = reader.end_offsets([TopicPartition(topic, number) for topic in topics for number in range(partitions)])
    reader.close()
    return {(tp.topic, tp.partition): end for tp, end in found.items()}


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


def workers(bootstrap: str, folder: Path, count: int, *, number: int = 1, partitions: int = PARTITIONS, broker: int | None) -> Measured:
    """`number` worker processes in a group of their own apply and publish `count` records, from the files in `folder`/data if there are
    any. `broker` is its process id, if it is known."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = [folder / f"worker-{slot}.log" for slot in range(number)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running("benchmarks.worker", [bootstrap, str(folder / "data"), _config(folder, slot)], log))
            for slot, log in enumerate(logs)
        ]
        applied, samples = Applied(), [_costs(processes, broker)]
        began, done, moved = 0.0, 0, time.monotonic()
        while applied.look(*logs).records < count:
            if any(process.poll() is not None for process in processes) or time.monotonic() - moved > STALLED:
                raise SystemExit(f"a worker ended or stands still:\n{_tails(logs)}")
            if len(applied.transactions) > done:
                done, moved = len(applied.transactions), time.monotonic()
            if not began and len({one.log for one in applied.transactions}) == number:
                began, samples = time.time(), [_costs(processes, broker)]
            time.sleep(LOOK)
        published = quiet(bootstrap, partitions=partitions)
        samples.append(_costs(processes, broker))
    if not began:
        raise SystemExit(f"{number} workers had nothing left to share when the last of them began: give more searches")
    first = max(min(one.began for one in applied.transactions if one.log == str(log)) for log in logs)
    after = [one for one in applied.transactions if one.began >= first]
    (before, broker_before), (last, broker_last) = samples[0], samples[-1]
    return Measured(
        records=sum(one.records for one in after),
        applied_s=max(one.at for one in after) - first,
        published_s=published - first,
        workers_cpu=sum(now.cpu - then.cpu for now, then in zip(last, before, strict=True)),
        broker_cpu=broker_last.cpu - broker_before.cpu,
        peak_mb=max(one.peak for one in last),
    )


def quiet(bootstrap: str, *, partitions: int = PARTITIONS) -> float:
    """When the last message was published (wall seconds): since then the end offsets of the outputs have stood still for QUIET."""
    reader = connect(KafkaConsumer, bootstrap)
    tps = [TopicPartition(topic.name, number) for topic in (MEMORY, SHARES, OUTCOMES) for number in range(partitions)]
    before, changed = None, time.time()
    while time.time() - changed < QUIET:
        now = reader.end_offsets(tps)
        if now != before:
            before, changed = now, time.time()
        time.sleep(LOOK)
    reader.close()
    return changed


def _config(folder: Path, slot: int) -> str:
    return json.dumps({"group": f"bench-{folder.name}", "instance": f"bench-{slot}"})


def _costs(processes: Sequence[subprocess.Popen[bytes]], broker: int | None) -> tuple[list[Cost], Cost]:
    nothing = Cost(0.0, 0.0, 0.0)
    return [cost(process.pid) or nothing for process in processes], (cost(broker) if broker else None) or nothing


def _tails(logs: Sequence[Path]) -> str:
    return "\n".join(log.read_text(errors="replace")[-1_500:] for log in logs)


def run(bootstrap: str, folder: Path, lines: Sequence[Line]) -> dict[str, float]:
    """Searches a second of one worker, records a second of decoding alone, and their ratio."""
    count = fill(bootstrap, lines)
    searches = sum(line.topic == "impressions" for line in lines)
    decode = asyncio.run(decode_only(bootstrap, count))
    took = workers(bootstrap, folder / "one", count, broker=broker_pid(folder / "kafka"))
    share = searches / count  # of the records, those that are searches
    return {
        "searches": searches,
        "decode_only_searches_per_s": searches / decode,
        "worker_searches_per_s": share * took.records / took.applied_s,
        "worker_published_searches_per_s": share * took.records / took.published_s,
        "worker_to_decode_ratio": (took.records / took.applied_s) / (count / decode),
        "worker_cpu_s_per_1000_searches": 1_000 * took.workers_cpu / (share * took.records),
        "broker_cpu_s_per_1000_searches": 1_000 * took.broker_cpu / (share * took.records),
        "worker_peak_mb": took.peak_mb,
    }
