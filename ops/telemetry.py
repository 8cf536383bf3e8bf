"""The metrics of Forage: one table of names, and how the facts of each process become their values.

A label never holds what a person typed, who a person is, or a secret: partitions, topics, names of inputs, kinds and reasons of ours.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple


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
        "What records came to: impressions and actions that count, final and amendment conclusions, duplicate, misrouted, redelivered, tick.",
        ("kind",),
    ),
    "forage_quarantined_total": Metric("counter", "Records that could not count and went to search.quarantine.", ("reason",)),
    "forage_transactions_total": Metric("counter", "Transactions that were committed."),
    "forage_transaction_seconds": Metric("histogram", "Time of a transaction, kernel and commit."),
    "forage_sent_messages_total": Metric("counter", "Messages and rows that the broker acknowledged."),
    "forage_lag_records": Metric("gauge", "Records of the broker that are not applied yet, as of its last answer.", ("input", "partition")),
    "forage_applied_offset": Metric("gauge", "First offset that is not applied yet.", ("input", "partition")),
    "forage_watermark_age_seconds": Metric("gauge", "Wall clock minus the record time up to which both inputs were applied.", ("partition",)),
    "forage_owned_partitions": Metric("gauge", "Partitions that this worker owns now."),
    "forage_rebalances_total": Metric("counter", "Assignments of partitions that this worker got."),
    "forage_takeover_seconds": Metric("gauge", "Time that opening the partition took, its checkpoint included.", ("partition",)),
    "forage_outbox_messages": Metric("gauge", "Messages and rows that wait to be sent.", ("partition",)),
    "forage_outbox_age_seconds": Metric("gauge", "How long something of the partition has been waiting to be sent, 0 for nothing.", ("partition",)),
    "forage_open_searches": Metric("gauge", "Searches whose window is not over.", ("partition",)),
    "forage_known_ids": Metric("gauge", "Ids that are remembered so that a fact counts once.", ("partition",)),
    "forage_store_bytes": Metric("gauge", "Size of the partition's file and its log on this disk.", ("partition",)),
    "forage_checkpoint_seconds": Metric("gauge", "Time of the last checkpoint, compaction included.", ("partition",)),
    "forage_checkpoint_age_seconds": Metric(
        "gauge", "Time since the last checkpoint that succeeded, or since the partition was opened.", ("partition",)
    ),
    "forage_checkpoint_failures_total": Metric("counter", "Checkpoints that the state store did not take."),
    "forage_stalled_seconds": Metric("gauge", "How long the partition that waits longest has had records to apply and applied none."),
    "forage_broker_silent_seconds": Metric("gauge", "Time since the broker last answered this worker."),
}  # fmt: skip
PUBLISHER: dict[str, Metric] = {
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
METRICS: Mapping[str, Metric] = WORKER | PUBLISHER | CONSUMER | PRODUCER
