"""One look at what a broker knows of a stream: its topics, how far its workers are, who publishes, what could not count lately."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, KafkaError, NotCoordinatorError

from schemas.topics import INPUTS, POLICY, QUARANTINE
from streams.admin import TopicState, connected
from streams.clients import Security, connect, unavailable
from streams.kernel.changes import INPUT_OF
from streams.moving.reach import Log, Reach
from streams.quarantine import read_quarantine, summarize

DAY = 86_400_000  # ms
MOST = 2_000  # quarantined messages that are read
WAIT = 3.0  # s for the newest records, and for who keeps the groups


@dataclass(frozen=True)
class Survey:
    """`log` and `committed` by partition; `newest`: time (ms) of the newest record of the inputs, `published` of the newest record of the
    policies, None for none; `workers` and `publishers`: members of the groups; `quarantined` in the last day, by reason, MOST at most."""

    brokers: int
    topics: Sequence[TopicState]
    log: Mapping[int, Log]
    committed: Mapping[TopicPartition, int]
    newest: int | None
    published: int | None
    workers: int
    publishers: int
    quarantined: Mapping[str, int]

    @property
    def lag(self) -> int:
        """Records that the group has not applied."""
        at = {(part.partition, INPUT_OF[part.topic]): offset for part, offset in self.committed.items()}
        return sum(
            max(0, reach.end - max(reach.start, at.get((number, topic), 0)))
            for number, log in self.log.items()
            for topic, reach in log.items()
        )


def survey(bootstrap: str, topics: Sequence[TopicState], *, group: str, now: int, security: Security | None = None) -> Survey:
    """Look now (wall ms), at topics as they were described. Some requests, no more; nothing is written. Raises ForageError."""
    counts = {state.name: state.partitions for state in topics}
    parts = [TopicPartition(topic.name, number) for topic in INPUTS for number in range(counts.get(topic.name, 0))]
    policies = [TopicPartition(POLICY.name, 0)] if POLICY.name in counts else []
    with connected(bootstrap, security) as admin:
        brokers = len(admin.describe_cluster()["brokers"])
        groups = _patiently(lambda: admin.describe_groups([group, f"{group}.publisher"]))
        members = {name: len(one["members"]) for name, one in groups.items()}
        offsets = _patiently(lambda: admin.list_group_offsets({group: parts}))[group]
        committed = {part: one.offset for part, one in offsets.items() if one.offset >= 0}
    try:
        consumer = connect(
            KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, allow_auto_create_topics=False, fetch_max_wait_ms=100,
            bootstrap_timeout_ms=5_000,
        )  # fmt: skip
        with closing(consumer):
            every = [*parts, *policies]
            starts, ends = consumer.beginning_offsets(every), consumer.end_offsets(every)
            times = _newest(consumer, {part: end for part, end in ends.items() if end > starts[part]})
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None
    log: dict[int, dict[Any, Reach]] = {}
    for part in parts:
        log.setdefault(part.partition, {})[INPUT_OF[part.topic]] = Reach(starts[part], ends[part])
    held = read_quarantine(bootstrap, since=now - DAY, security=security) if QUARANTINE.name in counts else ()
    return Survey(
        brokers=brokers, topics=topics, log=log, committed=committed, workers=members.get(group, 0),
        publishers=members.get(f"{group}.publisher", 0), newest=max((times[part] for part in parts if part in times), default=None),
        published=next((times[part] for part in policies if part in times), None), quarantined=_counts(held),
    )  # fmt: skip


def _patiently(ask: Callable[[], Any]) -> Any:
    """The answer about groups: a broker that has only just started chooses their coordinator when it is first asked."""
    until = time.monotonic() + WAIT
    while True:
        try:
            return ask()
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _counts(held: Iterable[Any]) -> Counter[str]:
    return summarize(islice(held, MOST), limit=0).counts


def _newest(consumer: Any, ends: Mapping[Any, int]) -> dict[Any, int]:
    """Time of the last record of each partition; those that do not come in time are left out."""
    consumer.assign(list(ends))
    for part, end in ends.items():
        consumer.seek(part, end - 1)
    times: dict[Any, int] = {}
    until = time.monotonic() + WAIT
    while len(times) < len(ends) and time.monotonic() < until:
        times |= {part: records[-1].timestamp for part, records in consumer.poll(timeout_ms=200).items() if records}
    return times
