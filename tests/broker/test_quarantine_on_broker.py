"""Quarantine on a real broker: what a worker refused is listed and shown, and what is sent again counts exactly once."""

import json
import time

import pytest
from compare import ends_of_inputs
from fleet import Applied, Fleet
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from load import TOPICS

from schemas.codec import encode
from schemas.events import Action, Impression, Query, Result, Tick
from streams import admin
from streams.partition_store import PartitionStore

MIN, HOUR = 60_000, 3_600_000


def page(name, ts):
    return Impression(search_id=name, client_id="u", ts=ts, query=Query(text=f"words {name}"), results=[Result(entity_id="e", position=1)])


def act(search, ts, *, action_id="1", kind="click"):
    return Action(action_id=action_id, search_id=search, ts=ts, kind=kind, entity_id="e")


@pytest.fixture
def worker(bootstrap, tmp_path):
    """A worker on `tmp_path`/worker, and `caught_up(seconds)`: has it applied all that the inputs hold?"""
    fleet = Fleet(bootstrap, tmp_path / "worker", group=f"quarantine-{time.time_ns():x}")
    yield fleet, lambda: _until(lambda: Applied(tmp_path / "worker").look().next == ends_of_inputs(bootstrap, TOPICS, 1))
    fleet.end()


def _until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def send(bootstrap, *records):
    """(topic, value, time ms) in that order."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False, acks="all")
    for topic, value, at in records:
        producer.send(TOPICS[topic], value if isinstance(value, bytes) else encode(value), timestamp_ms=at, partition=0).get(10)
    producer.close()


def from_now_on_the_brokers_time(bootstrap):
    """What came so far has times of its own; so a test can look back on a bad hour without waiting for it."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    kind = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(7 * 24 * HOUR)}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=kind) for name in TOPICS.values()])
    client.close()
    assert _until(lambda: admin.inputs_of(bootstrap)[1] == "LogAppendTime", 10.0)


def an_hour_ago(now):
    """A page and an action that count, and one message of each kind that does not."""
    repairable = encode(page("r", now)).replace(b'"ts":', b'"ts":"tomorrow","was":')
    return [
        ("impressions", page("ahead", now), now - 26 * HOUR),  # ts_out_of_range when it came
        ("impressions", page("a", now - 50 * MIN), now - 50 * MIN),
        ("impressions", repairable, now - 50 * MIN),
        ("actions", act("a", now - 49 * MIN), now - 49 * MIN),
        ("actions", page("wrong", now - 49 * MIN), now - 49 * MIN),
        ("actions", act("lost", now - 49 * MIN), now - 49 * MIN),
        ("actions", act("a", now - 49 * MIN, kind="like"), now - 48 * MIN),  # conflict
        ("actions", act("a", now - 10 * MIN, action_id="2"), now - 10 * MIN),  # too_late
        *((topic, Tick(), now - 10 * MIN) for topic in TOPICS),  # after which `lost` is unmatched
    ]


@pytest.mark.timeout(180)
def test_what_is_sent_again_counts_exactly_once(forage, fresh_topics, bootstrap, worker, tmp_path):
    fleet, caught_up = worker
    fresh_topics(1, time="CreateTime")
    send(bootstrap, *an_hour_ago(now := time.time_ns() // 1_000_000))
    fleet.start("a")

    def listed(*words):
        return json.loads(forage("quarantine", "list", "--json", *words).stdout)

    once_each = {"invalid": 2, "ts_out_of_range": 1, "conflict": 1, "unmatched": 1, "too_late": 1}
    assert _until(lambda: listed()["counts"] == once_each), listed()
    refused = forage("quarantine", "resend", "--reason", "unmatched")
    assert (refused.exit_code, "hold a recorded log with its own times" in refused.stderr) == (1, True)
    from_now_on_the_brokers_time(bootstrap)
    looks_right(forage, listed)

    send(bootstrap, ("impressions", page("lost", now), now))  # it comes at last, 49 min after its action
    for _ in range(2):  # sent twice, it counts once
        assert sends(forage, "invalid") == (1, 1)
        assert sends(forage, "ts_out_of_range") == sends(forage, "unmatched") == (1, 0)
        assert sends(forage, "conflict") == sends(forage, "too_late") == (0, 1)
    broken = next(one["id"] for one in listed("--reason", "invalid")["messages"] if one["topic"] == TOPICS["impressions"])
    assert forage("quarantine", "resend", broken).exit_code == 1
    raw = forage("quarantine", "show", broken[:16], "--raw").stdout
    assert forage("events", "send", "-", input=raw.replace('"ts":"tomorrow","was":', '"ts":')).exit_code == 0

    assert caught_up()
    fleet.stop("a")
    assert fleet.unexpected == []
    with PartitionStore.open(next((tmp_path / "worker").glob("disk*/partition-*.duckdb")), 0, 1) as store:
        counted = {key[0]: (sum(row[:6]), sum(row[6:])) for key, (row, _) in store.share().memory.items()}
    ever = {"words a": (1, 1), "words ahead": (1, 0), "words wrong": (1, 0), "words lost": (1, 1), "words r": (1, 0)}  # shown, acted
    assert counted == ever
    assert listed()["counts"] == once_each  # and nothing new was refused


def sends(forage, reason):
    done = json.loads(forage("quarantine", "resend", "--reason", reason, "--json").stdout)
    return done["sent"], done["left"]


def looks_right(forage, listed):
    """Lists show no bodies, one message is shown whole, a trial sends nothing."""
    text = forage("quarantine", "list", "--limit", 3).stdout.splitlines()
    assert text[0] == "2 invalid, 1 ts_out_of_range, 1 conflict, 1 unmatched, 1 too_late"
    assert text[1].split()[0] == "id"
    assert len(text) == 5
    assert "tomorrow" not in forage("quarantine", "list").stdout
    assert listed("--since", "1h")["messages"] == listed()["messages"]
    wrong = next(one for one in listed("--reason", "invalid")["messages"] if one["topic"] == TOPICS["actions"])
    shown = forage("quarantine", "show", wrong["id"][:12]).stdout
    assert "send it to search.impressions" in shown
    assert '"text": "words wrong"' in shown
    trial = forage("quarantine", "resend", wrong["id"], "--dry-run").stdout
    assert trial.splitlines() == [f"{wrong['id'][:12]} invalid: goes to search.impressions", "1 would be sent again, 0 not"]
    assert "say which messages" in forage("quarantine", "resend").stderr
    assert "--since is yesterday: must be a number and s, m, h or d" in forage("quarantine", "list", "--since", "yesterday").stderr
