"""PolicySubscriber and MemorySubscriber against a real broker."""

import time

import pytest
from kafka import KafkaProducer

from learners.definition import ArmSpec, Definition
from learners.fit import fit
from memory_index.q2e import Reading
from schemas.candidates import Evidence
from schemas.codec import encode
from schemas.errors import Unavailable
from schemas.rows import MemoryRow
from schemas.snapshots import Manifest
from streams import admin
from streams.subscriber import MemorySubscriber, PolicySubscriber

READING = Reading(theta=(1.0, 0.5, 0.5, 0.5, 0.5, 0.5), min_clients=1)


def definition(salt):
    return Definition(salt=salt, arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])


def publish(producer, salt, seq):
    content = fit(definition(salt), {}, 0)
    parts = content.split()
    manifest = Manifest(
        model="linear", content_id=content.content_id, seq=seq, publisher_epoch=1, created=int(time.time() * 1000), feature_schema="f",
        parts=[part.sha256 for part in parts],
    )  # fmt: skip
    for part in parts:
        producer.send("policy.snapshots", encode(part), f"part/{part.sha256}".encode())
    producer.send("policy.snapshots", encode(manifest), b"manifest")
    producer.flush(10)


def say(producer, partition, seq, entity, clicks, *, epoch=1):
    row = MemoryRow(
        query_key="halo", segment="", entity_id=entity, day=20_000, shown=[clicks] + 5 * [0], acted=[0, clicks] + 8 * [0], clients=[1, 2]
    )
    key = f'["halo","","{entity}",20000]'.encode()
    producer.send("memory.q2e", encode(row), key, partition=partition, headers=[("src", b"%d:%d:%d" % (partition, epoch, seq))])


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def producer(fresh_topics):
    made = KafkaProducer(bootstrap_servers=fresh_topics(2), enable_idempotence=False, reconnect_backoff_max_ms=500)
    yield made
    made.close(timeout=5)


@pytest.fixture
def opened():
    """Subscribers to close at the end."""
    made = []
    yield lambda one: made.append(one) or one
    for one in made:
        one.close()


def test_a_policy_arrives_and_is_replaced_and_a_late_reader_gets_the_newest(producer, bootstrap, opened):
    came = []
    subscriber = opened(PolicySubscriber(bootstrap, start=definition("before"), on_policy=came.append))
    assert subscriber.current().definition.salt == "before"
    assert subscriber.wait(10)
    assert subscriber.staleness().age is None
    for salt, seq in (("a", 1), ("b", 2)):
        publish(producer, salt, seq)
        until(lambda salt=salt: subscriber.current().definition.salt == salt)
    publish(producer, "old", 1)
    late = opened(PolicySubscriber(bootstrap))
    assert (late.current().definition.salt, late.current().seq) == ("b", 2)
    assert [policy.seq for policy in came] == [1, 2]
    staleness = late.staleness()
    assert 0 <= staleness.age < 60
    assert (staleness.lag, staleness.refused, staleness.last_error) == (0, 0, "")


def test_without_a_policy_and_without_a_topic_it_says_what_to_do(fresh_topics, opened, monkeypatch):
    bootstrap = fresh_topics(1)
    monkeypatch.setattr("streams.subscriber.FIRST_WAIT", 1.0)
    empty = PolicySubscriber(bootstrap)
    with pytest.raises(Unavailable, match=r"none was published\); give start=Definition"):
        empty.current()
    empty.close()
    admin.delete_topics(bootstrap, ["policy.snapshots"])
    with pytest.raises(Unavailable, match=r"topic policy\.snapshots does not exist at .* make it with `forage topics create`"):
        opened(PolicySubscriber(bootstrap)).current()


def test_memory_adds_the_partitions_and_starts_again_from_a_snapshot(producer, bootstrap, opened, tmp_path):
    for seq in range(1, 301):
        say(producer, seq % 2, seq, f"e{seq % 10}", clicks=seq)
    producer.flush(10)
    first = opened(MemorySubscriber(bootstrap, reading=READING))
    assert first.wait(10)
    assert first.lag() == 0
    # e3 was said by partition 1 only (odd), last at seq 293; 2 clients: at most 6 clicks are read
    assert first.current().lookup("halo", "", ["e3"]) == [Evidence(6.0, 293.0, 2)]
    first.save(tmp_path, seq=1)
    say(producer, 0, 301, "e3", clicks=7)
    say(producer, 1, 302, "late", clicks=1, epoch=0)  # a former owner of partition 1
    producer.flush(10)
    until(lambda: first.current().lookup("halo", "", ["e3"])[0].examined == 300.0)
    second = opened(MemorySubscriber(bootstrap, reading=READING, snapshot=tmp_path))
    assert second.current().rows() == 10
    assert second.wait(10)
    names = [f"e{number}" for number in range(10)] + ["late"]
    assert second.current().lookup("halo", "", names) == first.current().lookup("halo", "", names)
    assert second.current().lookup("halo", "", ["late"]) == [Evidence(0.0, 0.0, 0)]
    (tmp_path / "manifest.json").write_text("{")
    third = opened(MemorySubscriber(bootstrap, reading=READING, snapshot=tmp_path))
    assert third.wait(10)
    assert third.current().lookup("halo", "", names) == first.current().lookup("halo", "", names)
    assert "manifest.json" in third.staleness().last_error


def test_a_snapshot_of_a_topic_that_was_deleted_is_left_aside_and_who_runs_reads_the_new_one(producer, bootstrap, opened, tmp_path):
    for entity in ("old", "both"):
        say(producer, 0, 1, entity, clicks=1)
    producer.flush(10)
    first = opened(MemorySubscriber(bootstrap, reading=READING))
    assert first.wait(10)
    first.save(tmp_path, seq=1)
    admin.delete_topics(bootstrap, ["memory.q2e"])
    admin.create_topics(bootstrap, 2)
    for entity in ("both", "new"):
        say(producer, 0, 2, entity, clicks=1)
    producer.flush(10)
    second = opened(MemorySubscriber(bootstrap, reading=READING, snapshot=tmp_path))
    until(lambda: second.current().rows() == 2 and second.current().lookup("halo", "", ["old"])[0].examined == 0)
    assert "is of a topic memory.q2e that was deleted" in second.staleness().last_error
    until(lambda: first.current().lookup("halo", "", ["new"])[0].examined > 0)


def test_in_an_outage_the_last_good_stays_and_afterwards_news_comes(producer, node, opened):
    publish(producer, "a", 1)
    say(producer, 0, 1, "e", clicks=1)
    producer.flush(10)
    policies, memories = opened(PolicySubscriber(node.bootstrap)), opened(MemorySubscriber(node.bootstrap, reading=READING))
    assert policies.wait(10)
    assert memories.wait(10)
    node.stop()
    until(lambda: policies.staleness().silent > 1.5 and memories.staleness().silent > 1.5)
    assert policies.current().seq == 1
    assert memories.current().lookup("halo", "", ["e"])[0].reward == 1.0
    node.start()
    publish(producer, "b", 2)
    say(producer, 0, 2, "e", clicks=2)
    until(lambda: policies.current().seq == 2 and memories.current().lookup("halo", "", ["e"])[0].reward == 2.0)
    until(lambda: policies.staleness().silent < 1.5 and policies.staleness().last_error == "")


def test_from_a_refresh_to_the_subscriber_takes_less_than_a_second(producer, bootstrap, opened):
    subscriber = opened(PolicySubscriber(bootstrap, start=definition("before")))
    assert subscriber.wait(10)
    took = []
    for seq in range(1, 11):
        publish(producer, "a", seq)
        began = time.monotonic()
        until(lambda seq=seq: subscriber.current().seq == seq)
        took.append(time.monotonic() - began)
    assert max(took) < 1.0
