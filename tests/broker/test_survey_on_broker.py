"""One look at a real broker: what the doctor's judgements rest on."""

import time

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from ops.doctor_stream import stream
from ops.settings import Settings
from schemas.codec import encode
from schemas.outcomes import Quarantined
from schemas.topics import POLICY, QUARANTINE
from streams.admin import describe_topics
from streams.clients import connect
from streams.moving.reach import Reach
from streams.survey import survey


def test_a_look_at_a_stream(fresh_topics, tmp_path):
    bootstrap, now = fresh_topics(2), int(time.time() * 1000)
    states = describe_topics(bootstrap)
    empty = survey(bootstrap, states, group="looked-at", now=now)
    assert (empty.brokers, empty.lag, empty.newest, empty.published) == (1, 0, None, None)
    assert (empty.workers, empty.publishers, dict(empty.quarantined)) == (0, 0, {})
    held = Quarantined(quarantine_id="0" * 64, topic="search.actions", time=now, reason="too_late", error="late", value="eA==")
    producer = connect(KafkaProducer, bootstrap, enable_idempotence=False)
    for topic, value in [("search.actions", b"x")] * 3 + [(POLICY.name, b"x"), (QUARANTINE.name, encode(held))]:
        producer.send(topic, value, key=b"k", partition=0)
    producer.flush()
    producer.close()
    worker = connect(KafkaConsumer, bootstrap, group_id="looked-at", enable_auto_commit=False)
    worker.subscribe(["search.actions"])
    while not worker.assignment():
        worker.poll(timeout_ms=50)
    worker.commit({TopicPartition("search.actions", 0): OffsetAndMetadata(1, "", -1)})
    found = survey(bootstrap, states, group="looked-at", now=now)
    assert (found.log[0]["actions"], found.log[1]["actions"]) == (Reach(0, 3), Reach(0, 0))
    assert (found.lag, found.workers, dict(found.quarantined)) == (2, 1, {"too_late": 1})
    assert found.newest is not None
    assert found.published is not None
    assert max(abs(found.newest - now), abs(found.published - now)) < 60_000
    settings = Settings(bootstrap=bootstrap, group="looked-at", data=tmp_path)
    said = {one.what: (one.state, one.text) for one in stream(settings, states)}
    assert said["workers"] == ("ok", "1 in group looked-at, 2 records behind")
    assert said["clock"][0] == "ok"
    assert said["quarantine"] == ("note", "1 in the last day: 1 too_late")
    assert said["publisher"][0] == "problem"
    worker.close()
