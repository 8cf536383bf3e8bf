"""The commands against a real broker."""

import json
import time
from contextlib import closing

import pytest
from kafka import KafkaProducer

from evaluation.click_log import searches
from evaluation.contenders import contenders
from evaluation.datasets.rows import Click
from evaluation.loop import replay as replay_clicks
from learners.definition import ArmSpec, Definition
from learners.fit import fit
from learners.registry import manifest_of
from ops.definitions import STRATEGIES, definition
from ops.evaluating import systems
from schemas.codec import decode, encode
from schemas.entities import Entity
from schemas.snapshots import Command
from streams.kernel.changes import Record
from streams.kernel.join import RULES
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.replaying.recording import Recorder, read_log
from streams.replaying.replay import replay
from tests.serving.test_outcomes import click, final, late, page

START = 1_600_000_000_000


@pytest.fixture
def log(tmp_path):
    """A recorded log of 30 searches, five minutes apart."""
    entities = [Entity(entity_id=f"g{n}", entity_type="game", title=f"game {n}") for n in range(12)]
    clicks = [
        Click(START + n * 300_000 + 9_000, START + n * 300_000, f"c{n % 4}", f"game {n % 3}", f"g{n % 5}", "click", None) for n in range(30)
    ]
    with Recorder(tmp_path / "log.gz") as recorder:
        made = systems(entities, definition(min_clients=1), recorder=recorder)
        replay_clicks(searches(clicks), contenders(STRATEGIES, ["learned"]), systems=made, protocol="full")
    return tmp_path / "log.gz"


def digest_of_topics(read_all, partitions):
    """What kernels make of the records as they stand on the topics."""
    names = {"impressions": "search.impressions", "actions": "search.actions"}
    records = {topic: read_all(name) for topic, name in names.items()}
    kernels, shares = [Kernel(p, partitions, RULES) for p in range(partitions)], [Share() for _ in range(partitions)]
    for p in range(partitions):
        mine = [Record(topic, one.offset, one.timestamp, one.value) for topic in names for one in records[topic] if one.partition == p]
        shares[p].add(kernels[p].apply(mine))
        assert [one.time for one in mine if one.topic == "actions"] == sorted(one.time for one in mine if one.topic == "actions")
    return digest_state(shares, kernels)


def test_a_log_on_kafka_has_the_digest_of_its_replay(forage, fresh_topics, read_all, log):
    fresh_topics(3, time="CreateTime")
    result = forage("events", "send", log, "--json")
    assert result.exit_code == 0, result.stderr
    lines = list(read_log(log))
    sent = json.loads(result.stdout)
    assert len(lines) == 60
    # 30 searches over 145 min and 9 s: ticks at most every 10 min, and one past the end, to 3 partitions of 2 topics
    ticks = (sent["records"] - 60) / 6
    assert ticks == int(ticks)
    assert 12 <= ticks <= 16
    assert sent["refused"] == 0
    assert len(read_all("search.impressions")) + len(read_all("search.actions")) == sent["records"]
    expected = replay(lines, partitions=4, batch=100, interleave="even")
    assert digest_of_topics(read_all, 3) == expected

    again = forage("events", "send", log)
    assert again.exit_code == 1
    assert "time cannot step back" in again.stderr


def test_plain_events_with_their_own_times_are_sorted_and_bad_lines_named(forage, fresh_topics, read_all, log):
    fresh_topics(2, time="CreateTime")
    lines = list(read_log(log))
    plain = b"".join(line.value + b"\n" for line in reversed(lines)) + b'\n{"type": "action"}\n'
    result = forage("events", "send", "-", input=plain)
    assert result.exit_code == 1
    assert result.stderr.startswith("line 62: not an event: ")
    assert "error: 1 lines were no events" in result.stderr
    assert digest_of_topics(read_all, 2) == replay(lines, partitions=1, batch=1_000, interleave="even")


def test_live_events_get_the_brokers_time_and_old_logs_are_refused(forage, fresh_topics, read_all, log):
    fresh_topics(2)
    now = time.time_ns() // 1_000_000
    action = {"type": "action", "action_id": "a", "search_id": "s", "ts": now, "kind": "click", "entity_id": "e"}
    result = forage("events", "send", "-", "--json", input=json.dumps(action) + "\n")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"accepted": 1, "sent": 1, "refused": 0})
    (record,) = read_all("search.actions")
    assert (json.loads(record.value)["action_id"], record.key) == ("a", b"s")
    refused = forage("events", "send", log)
    assert refused.exit_code == 1
    assert "forage topics create --time CreateTime" in refused.stderr


def test_tail_shows_what_is_there(forage, fresh_topics, log):
    fresh_topics(1, time="CreateTime")
    forage("events", "send", log)
    text = forage("events", "tail", "search.actions", "--from-start", "--limit", 2).stdout.splitlines()
    assert len(text) == 2
    assert text[0].startswith("2020-09-13 12:26:49.000 0@0 ")  # the first click, 9 s after the first search
    assert "type=action" in text[0]
    assert "kind=click" in text[0]
    plain = [
        json.loads(line)
        for line in forage("events", "tail", "search.impressions", "--from-start", "--limit", 3, "--json").stdout.splitlines()
    ]
    assert [one["offset"] for one in plain] == [0, 1, 2]
    assert plain[0]["value"]["type"] == "impression"
    assert plain[0]["time"] == START


def test_topics_are_created_checked_and_described(forage, fresh_topics, bootstrap):
    from streams.admin import delete_topics

    fresh_topics(2)
    assert forage("topics", "check").stdout == "all topics are as they should be\n"
    delete_topics(bootstrap, ["control"])
    missing = forage("topics", "check", "--json")
    assert (missing.exit_code, len(json.loads(missing.stdout)["problems"])) == (1, 1)
    assert forage("topics", "create", "--partitions", 2).stdout == "control\n"
    assert forage("topics", "create", "--partitions", 3).stderr.startswith("error: topic search.impressions has 2 partitions, not 3; ")
    described = json.loads(forage("topics", "describe", "--json").stdout)["topics"]
    assert {one["name"]: one["partitions"] for one in described}["state.shares"] == 2
    assert "search.quarantine" in forage("topics", "describe").stdout
    well = json.loads(forage("doctor", "--json").stdout)["findings"]
    assert [one["state"] for one in well if one["what"] in ("broker", "topics")] == ["ok", "ok"]


def test_snapshots_are_read_from_the_topic_and_orders_placed(forage, fresh_topics, bootstrap, read_all):
    from kafka import KafkaProducer

    fresh_topics(1)
    assert forage("snapshots", "list").stdout.startswith("nothing was published yet")
    assert "nothing was published yet" in forage("snapshots", "show").stderr
    manifests = []
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    for seq, salt in enumerate("ab", start=1):
        content = fit(Definition(salt=salt, arms=[ArmSpec.of("lexical")]), {}, 0)
        manifests.append(manifest_of(content, seq=seq, publisher_epoch=1, created=seq, reason="refresh", pinned=False, applied={}))
        for part in content.split():
            producer.send("policy.snapshots", encode(part), f"part/{part.sha256}".encode())
        for key in (b"manifest", b"manifest/%d" % seq):
            producer.send("policy.snapshots", encode(manifests[-1]), key)
    producer.flush()
    listed = json.loads(forage("snapshots", "list", "--json").stdout)["snapshots"]
    assert [one["content_id"] for one in listed] == [one.content_id for one in manifests]
    assert "lexical" in forage("snapshots", "show", manifests[0].content_id[:10]).stdout
    assert forage("snapshots", "rollback", 1, "--reason", "worse").exit_code == 0
    assert forage("snapshots", "pin").exit_code == 0
    assert "is not in policy.snapshots" in forage("snapshots", "rollback", 9).stderr
    orders = [decode(Command, record.value) for record in read_all("control")]
    assert [(one.action, one.content_id, one.reason) for one in orders] == [("rollback", manifests[0].content_id, "worse"), ("pin", "", "")]

    producer.send("policy.snapshots", None, b"manifest/1")  # the publisher forgets it
    producer.flush()
    producer.close()
    assert [one["seq"] for one in json.loads(forage("snapshots", "list", "--json").stdout)["snapshots"]] == [2]
    assert "nothing older" in forage("snapshots", "rollback").stderr


def test_experiments_are_read_from_the_topic_of_outcomes(forage, fresh_topics, bootstrap):
    fresh_topics(2)
    finals = [final(page(f"s{n}", "abab", arm="both"), actions=(click(f"s{n}", "x1"),), at=n * 1_000, client=f"c{n}") for n in range(250)]
    late_ones = [late(click(finals[0].search_id, "x2"), at=2_000)]
    with closing(KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)) as producer:
        for number, one in enumerate([*finals, *finals[:9], *late_ones]):
            producer.send("search.outcomes", encode(one), b"id", partition=number % 2)
        producer.send("search.outcomes", b"nonsense", b"id", partition=0)
        producer.flush(10)
    result = forage("evaluate", "experiment", "--topics", "--json")
    assert result.exit_code == 0, result.stderr
    (told,) = json.loads(result.stdout)["experiments"]
    assert (told["kind"], told["a"]["searches"], told["a"]["reward"], told["b"]["reward"]) == ("interleaved", 250, 1.0, 1 / 250)
    assert told["better"] == "a"
