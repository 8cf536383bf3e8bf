"""Metrics as text: which names, which values, and that nothing else is said."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ops.telemetry import (
    CONSUMER,
    METRICS,
    PRODUCER,
    PUBLISHER,
    SERVICE,
    WORKER,
    metrics_address,
    of_producer,
    of_publisher,
    of_subscriber,
    of_worker,
)
from ops.telemetry_http import Exposed
from schemas.errors import InvalidSetting
from streams.faust_app.status import PartitionStatus, Place, Status, Times
from streams.producer import Counters
from streams.publishing.status import PublisherStatus
from streams.subscriber import Staleness

NOW = 1_800_000_000.0
PARTITION = PartitionStatus(
    next={"impressions": 10, "actions": 4}, watermark=int(NOW - 30) * 1000, unsent=3, waiting=1.5, open_searches=7, known_ids=9,
    store_bytes=4_096, takeover=0.2, checkpoint=0.4, checkpoint_age=60.0,
)  # fmt: skip
STATUS = Status(
    instance="w1", counted={"impressions": 6, "tick": 2, "quarantined_too_late": 3}, records={"impressions": 10, "actions": 4},
    transactions=Times(counts=(1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1), total=42.5), sent=11, rounds=5, rebalances=2, checkpoint_failures=1,
    partitions={3: PARTITION}, ends={Place("impressions", 3): 12, Place("actions", 3): 4}, silent=0.5, stalled=20.0,
)  # fmt: skip
SUBSCRIBED = Staleness(age=12.0, lag=3, silent=0.25, refused=1, last_error="a secret of theirs")
ACTIVE = PublisherStatus(
    active=True, published=3, refused=1, fit_seconds=2.5, seq=7, created=int(NOW - 90) * 1000, finals=500, lag={"state.shares": 4}
)


def scrape(*sources):
    """{"name{label=value}": value} of what Prometheus would read."""
    registry = CollectorRegistry()
    registry.register(Exposed(*sources))
    text = generate_latest(registry).decode()
    values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return text, values


def names_of(values):
    """Names of metrics, of histograms that of the whole."""
    return {re.sub(r"(_bucket|_count|_sum)$", "", key.partition("{")[0]) for key in values}


def test_a_workers_values():
    _, values = scrape(lambda: of_worker(STATUS, version="0.1.0", now=NOW))
    assert names_of(values) == set(WORKER)
    expected = {
        "forage_worker_info{instance=w1,version=0.1.0}": 1, "forage_records_total{input=impressions}": 10,
        "forage_events_total{kind=impressions}": 6, "forage_events_total{kind=misrouted}": 0,
        "forage_quarantined_total{reason=too_late}": 3, "forage_quarantined_total{reason=unmatched}": 0,
        "forage_transactions_total": 4, "forage_transaction_seconds_count": 4, "forage_transaction_seconds_sum": 42.5,
        "forage_transaction_seconds_bucket{le=0.005}": 1, "forage_transaction_seconds_bucket{le=0.025}": 3,
        "forage_transaction_seconds_bucket{le=10.0}": 3, "forage_transaction_seconds_bucket{le=+Inf}": 4,
        "forage_lag_records{input=impressions,partition=3}": 2, "forage_lag_records{input=actions,partition=3}": 0,
        "forage_applied_offset{input=impressions,partition=3}": 10, "forage_watermark_age_seconds{partition=3}": 30,
        "forage_outbox_messages{partition=3}": 3, "forage_outbox_age_seconds{partition=3}": 1.5, "forage_stalled_seconds": 20,
        "forage_broker_silent_seconds": 0.5, "forage_owned_partitions": 1, "forage_checkpoint_age_seconds{partition=3}": 60,
    }  # fmt: skip
    assert expected.items() <= values.items()


def test_publishers_subscribers_and_producers():
    _, standby = scrape(lambda: of_publisher(PublisherStatus(published=3), now=NOW))
    assert standby == {"forage_publisher_active": 0, "forage_refreshes_total": 3, "forage_refused_total": 0, "forage_fit_seconds": 0}
    _, active = scrape(lambda: of_publisher(ACTIVE, now=NOW))
    assert names_of(active) == set(PUBLISHER)
    assert (active["forage_policy_seq"], active["forage_policy_age_seconds"], active["forage_finals"]) == (7, 90, 500)
    assert active["forage_publisher_lag_records{topic=state.shares}"] == 4
    producer = Counters(accepted=9, sent=5, queued=4, spilled=3, spilled_bytes=123, last_error="a secret of theirs")
    text, values = scrape(lambda: of_subscriber("policy", SUBSCRIBED), lambda: of_producer(producer))
    assert names_of(values) == set(CONSUMER) | set(PRODUCER)
    assert values["forage_snapshot_age_seconds{what=policy}"] == 12
    assert values["forage_producer_events_total{fate=sent}"] == 5
    assert (values["forage_producer_waiting"], values["forage_producer_spilled_bytes"]) == (4, 123)
    assert "secret" not in text
    _, untrained = scrape(lambda: of_subscriber("policy", Staleness(None, 0, 0.0, 0, "")))
    assert names_of(untrained) == set(CONSUMER) - {"forage_snapshot_age_seconds"}


def test_every_metric_has_its_kind_and_help_in_the_text():
    sources = [lambda: of_worker(STATUS, version="1", now=NOW), lambda: of_publisher(ACTIVE, now=NOW)]
    text, values = scrape(*sources, lambda: of_subscriber("memory", SUBSCRIBED), lambda: of_producer(Counters()))
    assert names_of(values) == set(METRICS) - set(SERVICE)  # of a server: test_serving_metrics.py
    for name in names_of(values):
        metric = METRICS[name]
        assert f"# TYPE {name} {metric.kind}\n" in text
        assert f"# HELP {name} {metric.help}\n" in text
        assert name.endswith("_total") == (metric.kind == "counter")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9464", ("127.0.0.1", 9464)), ("0.0.0.0:9464", ("0.0.0.0", 9464)), ("worker-1:80", ("worker-1", 80)), ("[::1]:9464", ("::1", 9464))],
)
def test_a_bare_port_is_one_of_this_host(text, expected):
    assert metrics_address(text) == expected
    assert metrics_address(text, beside=1) == (expected[0], expected[1] + 1)


@pytest.mark.parametrize("text", ["metrics", "host:", "0", "65536", "::1:9464"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InvalidSetting, match="write 9464"):
        metrics_address(text)
