"""The metrics of Forage: one table of names, and how the facts of each process become their values.

A label never holds what a person typed, who a person is, or a secret: partitions, topics, names of inputs, kinds and reasons of ours.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from schemas.errors import InvalidSetting
from schemas.outcomes import REASONS

if TYPE_CHECKING:
    from streams.faust_app.status import PartitionStatus, Status, Times
    from streams.producer import Counters
    from streams.publishing.status import PublisherStatus
    from streams.subscriber import Staleness

KINDS = (  # as streams.kernel counts them
    "impressions", "actions", "final", "amendment", "duplicate", "misrouted", "redelivered", "tick", "suggest_impression", "suggest_accept",
)  # fmt: skip
QUARANTINED = "quarantined_"
LOOPBACK = "127.0.0.1"


class Metric(NamedTuple):
    """What a name stands for. Durations are in seconds, sizes in bytes, as Prometheus wants them."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


WORKER: dict[str, Metric] = {
    "forage_worker_info": Metric("gauge", "1, for the name of this worker's slot and the version that it runs.", ("instance", "version")),
    "forage_records_total": Metric("counter", "Records of the inputs that were applied, ticks included.", ("input",)),
    "forage_events_total": Metric(
        "counter",
        "What records came to: impressions and actions that count, final and amendment conclusions, duplicate, misrouted and so on.",
        ("kind",),
    ),
    "forage_quarantined_total": Metric("counter", "Records that could not count and went to search.quarantine.", ("reason",)),
    "forage_transactions_total": Metric("counter", "Transactions that were committed."),
    "forage_transaction_seconds": Metric("histogram", "Time of a transaction, kernel and commit."),
    "forage_sent_messages_total": Metric("counter", "Messages and rows that the broker acknowledged."),
    "forage_lag_records": Metric("gauge", "Records of the broker that are not applied yet, as of its last answer.", ("input", "partition")),
    "forage_applied_offset": Metric("gauge", "First offset that is not applied yet.", ("input", "partition")),
    "forage_watermark_age_seconds": Metric("gauge", "Wall clock less the record time up to which all was applied.", ("partition",)),
    "forage_owned_partitions": Metric("gauge", "Partitions that this worker owns now."),
    "forage_rebalances_total": Metric("counter", "Assignments of partitions that this worker got."),
    "forage_takeover_seconds": Metric("gauge", "Time that opening the partition took, its checkpoint included.", ("partition",)),
    "forage_outbox_messages": Metric("gauge", "Messages and rows that wait to be sent.", ("partition",)),
    "forage_outbox_age_seconds": Metric("gauge", "Age of the oldest thing that waits to be sent, 0 for none.", ("partition",)),
    "forage_open_searches": Metric("gauge", "Searches whose window is not over.", ("partition",)),
    "forage_known_ids": Metric("gauge", "Ids that are remembered so that a fact counts once.", ("partition",)),
    "forage_store_bytes": Metric("gauge", "Size of the partition's file and its log on this disk.", ("partition",)),
    "forage_checkpoint_seconds": Metric("gauge", "Time of the last checkpoint, compaction included.", ("partition",)),
    "forage_checkpoint_age_seconds": Metric(
        "gauge", "Time since the last checkpoint that succeeded, or since the partition was opened.", ("partition",)
    ),
    "forage_checkpoint_failures_total": Metric("counter", "Checkpoints that the state store did not take."),
    "forage_stalled_seconds": Metric("gauge", "How long something has had work and did not move; a worker ends after 120."),
    "forage_broker_silent_seconds": Metric("gauge", "Time since the broker last answered this process."),
}  # fmt: skip
PUBLISHER: dict[str, Metric] = {
    "forage_broker_silent_seconds": WORKER["forage_broker_silent_seconds"],
    "forage_publisher_active": Metric("gauge", "1 for the publisher that publishes, 0 for one that stands by."),
    "forage_policy_seq": Metric("gauge", "Number of the policy that runs, in order of publication."),
    "forage_policy_age_seconds": Metric("gauge", "Time since the policy that runs was published."),
    "forage_refreshes_total": Metric("counter", "Policies that this process published, orders included."),
    "forage_refused_total": Metric("counter", "Refreshes that the checks before publication refused, orders that were refused."),
    "forage_finals": Metric("gauge", "Finals that models are fitted to."),
    "forage_fit_seconds": Metric("gauge", "Time of the last fit of the models."),
    "forage_publisher_lag_records": Metric("gauge", "Records of a topic that the publisher has not read yet.", ("topic",)),
}  # fmt: skip
CONSUMER: dict[str, Metric] = {
    "forage_snapshot_age_seconds": Metric("gauge", "Age of the snapshot in use; absent before the first one.", ("what",)),
    "forage_subscriber_lag_records": Metric("gauge", "Records of the topic that are not read yet.", ("what",)),
    "forage_subscriber_silent_seconds": Metric("gauge", "Time since the broker last answered.", ("what",)),
    "forage_subscriber_refused_total": Metric("counter", "Messages that failed a check; the last good state stays in use.", ("what",)),
}  # fmt: skip
PRODUCER: dict[str, Metric] = {
    "forage_producer_events_total": Metric(
        "counter", "Events by fate: accepted, recovered, sent, spilled, failed, dropped.", ("fate",)
    ),
    "forage_producer_waiting": Metric("gauge", "Events that wait in memory or on disk to be sent."),
    "forage_producer_spilled_bytes": Metric("gauge", "Bytes on disk that wait for the broker."),
}  # fmt: skip
SERVICE: dict[str, Metric] = {
    "forage_searches_total": Metric("counter", "Searches that were answered, first pages alone; tries of the console are not counted."),
    "forage_empty_pages_total": Metric("counter", "Searches that were answered with nothing."),
    "forage_search_seconds": Metric("histogram", "Time of a page: deciding, asking, ranking."),
    "forage_actions_total": Metric("counter", "Actions that were accepted.", ("kind",)),
    "forage_refused_requests_total": Metric("counter", "Requests that were refused or failed, by the code of their error.", ("code",)),
    "forage_strategy_calls_total": Metric("counter", "Strategies that searches asked, by what came of it.", ("strategy", "status")),
    "forage_breaker_open": Metric("gauge", "1 while a strategy that kept failing is left alone, half open included.", ("strategy",)),
    "forage_without": Metric("gauge", "1 for what the server does without now: policy, memory, encoder, broker, events.", ("what",)),
    "forage_stage_total": Metric("counter", "Events and versions by the stage that they passed.", ("stage",)),
    "forage_behind_records": Metric("gauge", "Events or rows that are not applied in this process yet."),
}  # fmt: skip
METRICS: Mapping[str, Metric] = WORKER | PUBLISHER | CONSUMER | PRODUCER | SERVICE


class Sample(NamedTuple):
    """A value of a metric. `labels` are those of METRICS, in that order."""

    name: str
    labels: tuple[str, ...]
    value: "float | Times"


def of_worker(status: "Status", *, version: str, now: float) -> Iterator[Sample]:
    """Samples of a stream worker. `now`: wall seconds."""
    yield Sample("forage_worker_info", (status.instance, version), 1.0)
    yield from (Sample("forage_records_total", (name,), status.records.get(name, 0)) for name in ("impressions", "actions"))
    yield from _counted(status.counted)
    yield Sample("forage_transactions_total", (), sum(status.transactions.counts))
    yield Sample("forage_transaction_seconds", (), status.transactions)
    yield Sample("forage_sent_messages_total", (), status.sent)
    yield Sample("forage_owned_partitions", (), len(status.partitions))
    yield Sample("forage_rebalances_total", (), status.rebalances)
    yield Sample("forage_checkpoint_failures_total", (), status.checkpoint_failures)
    yield Sample("forage_stalled_seconds", (), status.stalled)
    yield Sample("forage_broker_silent_seconds", (), status.silent)
    yield from (Sample("forage_lag_records", (place.input, str(place.partition)), lag) for place, lag in status.lag().items())
    for number, one in status.partitions.items():
        yield from _of_partition(str(number), one, now)


def _counted(counted: Mapping[str, int]) -> Iterator[Sample]:
    """Every kind and reason is there from the beginning: a rate over a series that appears with its first event misses that event."""
    every = dict.fromkeys([*KINDS, *(f"{QUARANTINED}{reason}" for reason in REASONS)], 0) | dict(counted)
    for kind, count in every.items():
        if kind.startswith(QUARANTINED):
            yield Sample("forage_quarantined_total", (kind.removeprefix(QUARANTINED),), count)
        else:
            yield Sample("forage_events_total", (kind,), count)


def _of_partition(number: str, one: "PartitionStatus", now: float) -> Iterator[Sample]:
    yield from (Sample("forage_applied_offset", (input_, number), at) for input_, at in one.next.items())
    if one.watermark:
        yield Sample("forage_watermark_age_seconds", (number,), now - one.watermark / 1000)
    yield Sample("forage_takeover_seconds", (number,), one.takeover)
    yield Sample("forage_outbox_messages", (number,), one.unsent)
    yield Sample("forage_outbox_age_seconds", (number,), one.waiting)
    yield Sample("forage_open_searches", (number,), one.open_searches)
    yield Sample("forage_known_ids", (number,), one.known_ids)
    yield Sample("forage_store_bytes", (number,), one.store_bytes)
    yield Sample("forage_checkpoint_seconds", (number,), one.checkpoint)
    yield Sample("forage_checkpoint_age_seconds", (number,), one.checkpoint_age)


def of_publisher(status: "PublisherStatus", *, now: float) -> Iterator[Sample]:
    """Samples of a publisher. `now`: wall seconds. What only the active one knows is absent of the others."""
    yield Sample("forage_publisher_active", (), float(status.active))
    yield Sample("forage_refreshes_total", (), status.published)
    yield Sample("forage_refused_total", (), status.refused)
    yield Sample("forage_fit_seconds", (), status.fit_seconds)
    if status.active:
        yield Sample("forage_broker_silent_seconds", (), status.silent)
        yield Sample("forage_finals", (), status.finals)
        yield from (Sample("forage_publisher_lag_records", (topic,), lag) for topic, lag in status.lag.items())
    if status.active and status.created:
        yield Sample("forage_policy_seq", (), status.seq)
        yield Sample("forage_policy_age_seconds", (), now - status.created / 1000)


def of_subscriber(what: Literal["policy", "memory"], staleness: "Staleness") -> Iterator[Sample]:
    """Samples of a subscriber: `of_subscriber("policy", subscriber.staleness())`."""
    if staleness.age is not None:
        yield Sample("forage_snapshot_age_seconds", (what,), staleness.age)
    yield Sample("forage_subscriber_lag_records", (what,), staleness.lag)
    yield Sample("forage_subscriber_silent_seconds", (what,), staleness.silent)
    yield Sample("forage_subscriber_refused_total", (what,), staleness.refused)


def of_producer(counters: "Counters") -> Iterator[Sample]:
    """Samples of a producer: `of_producer(producer.counters())`."""
    for fate in ("accepted", "recovered", "sent", "spilled", "failed", "dropped"):
        yield Sample("forage_producer_events_total", (fate,), getattr(counters, fate))
    yield Sample("forage_producer_waiting", (), counters.queued)
    yield Sample("forage_producer_spilled_bytes", (), counters.spilled_bytes)


def metrics_address(text: str, *, beside: int = 0) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; a port alone means loopback. `beside`: that many ports further. Raises InvalidSetting."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) + beside <= 65_535 or (":" in host and not host.startswith("[")):
        raise InvalidSetting(f"the address for metrics is {text}: must be HOST:PORT or PORT; write 9464, or 0.0.0.0:9464 for all networks")
    return host.strip("[]") or LOOPBACK, int(port) + beside
