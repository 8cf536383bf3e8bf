"""EventProducer against a real broker: nothing accepted is lost, whatever the broker does."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.partitioning import partition
from streams.producer import EventProducer

ROOT = Path(__file__).parents[2]


def action(number, keys=7):
    return {"action_id": f"a{number:06}", "search_id": f"s{number % keys}", "ts": number, "kind": "click", "entity_id": "e"}


def numbers(records):
    """The ts of each event in the order of its search, first copies only: an event may be sent twice."""
    seen = {}
    for record in records:
        event = json.loads(record.value)
        seen.setdefault(event["search_id"], {}).setdefault(event["ts"])
    return {search: list(some) for search, some in seen.items()}


def expected(count, keys=7):
    return {f"s{key}": list(range(key, count, keys)) for key in range(keys)}


@pytest.fixture
def producer(fresh_topics, tmp_path):
    made = EventProducer(fresh_topics(4), spill=tmp_path / "spill")
    yield made
    made.close(0.0)


def test_events_of_four_threads_arrive_once_on_the_partition_of_their_search(producer, read_all, tmp_path):
    def send(first):
        for number in range(first, 2_000, 4):
            assert producer.action(action(number, keys=4))

    threads = [threading.Thread(target=send, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert producer.impression({"search_id": "s0", "ts": 5, "query": {"text": "halo"}, "results": []})
    assert producer.flush(20)
    counters = producer.counters()
    assert (counters.accepted, counters.sent, counters.queued, counters.failed, counters.dropped) == (2_001, 2_001, 0, 0, 0)
    records = read_all("search.actions")
    assert len(records) == 2_000
    assert numbers(records) == expected(2_000, keys=4)
    assert all(record.partition == partition(record.key.decode(), 4) for record in records)
    (impression,) = read_all("search.impressions")
    assert (impression.key, impression.partition) == (b"s0", partition("s0", 4))
    assert list((tmp_path / "spill").glob("*.spill")) == []


def test_an_outage_goes_over_the_disk_and_is_drained_in_order(producer, node, read_all, tmp_path):
    for number in range(100):
        producer.action(action(number))
    assert producer.flush(20)
    node.stop()
    slowest = 0.0
    for number in range(100, 3_000):
        began = time.perf_counter()
        assert producer.action(action(number))
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.25
    assert not producer.flush(2.5)
    counters = producer.counters()
    assert (counters.sent, counters.queued, counters.spilled) == (100, 2_900, 2_900)
    assert list((tmp_path / "spill").glob("*.spill"))
    node.start()
    assert producer.flush(20)
    assert producer.counters().queued == 0
    assert numbers(read_all("search.actions")) == expected(3_000)
    assert producer.close()
    assert list((tmp_path / "spill").glob("*.spill")) == []


def test_a_killed_broker_under_load_loses_nothing_that_was_accepted(producer, node, read_all):
    stop, sent = threading.Event(), [0]

    def load():
        while not stop.wait(0.002):
            assert producer.action(action(sent[0]))
            sent[0] += 1

    thread = threading.Thread(target=load)
    thread.start()
    assert _until(lambda: producer.counters().sent > 200)
    node.kill()
    at_kill = producer.counters().sent
    node.start()
    assert _until(lambda: producer.counters().sent > at_kill + 200)
    stop.set()
    thread.join()
    assert producer.flush(20)
    assert numbers(read_all("search.actions")) == expected(sent[0])


def test_what_a_killed_process_had_on_disk_is_sent_by_the_next(fresh_topics, node, read_all, tmp_path):
    bootstrap = fresh_topics(2)
    node.stop()
    code = f"""
import time
from pathlib import Path
from streams.producer import EventProducer
producer = EventProducer({bootstrap!r}, spill=Path({str(tmp_path)!r}))
for n in range(300):
    producer.action({{"action_id": f"a{{n:06}}", "search_id": f"s{{n % 7}}", "ts": n, "kind": "click", "entity_id": "e"}})
while producer.counters().spilled < 300:
    time.sleep(0.02)
print("spilled", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "spilled\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    node.start()
    producer = EventProducer(bootstrap, spill=tmp_path)
    assert producer.counters().recovered == 300
    assert producer.action(action(300))
    assert producer.close(20)
    assert producer.counters().sent == 301
    assert numbers(read_all("search.actions")) == expected(301)


def test_an_event_too_large_for_the_broker_is_kept_in_a_file_and_the_others_go_on(producer, bootstrap, read_all, tmp_path):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "search.actions", {"max.message.bytes": "5000"})])
    admin.close()
    large = {**action(1), "attributes": {f"x{i}": random.Random(i).randbytes(500).hex() for i in range(60)}}
    for event in (action(0), large, *map(action, range(2, 20))):
        assert producer.action(event)
    assert producer.flush(20)
    counters = producer.counters()
    assert (counters.sent, counters.failed, counters.queued) == (19, 1, 0)
    assert "MessageSizeTooLarge" in counters.last_error
    (line,) = (tmp_path / "spill" / "events.rejected").read_text().splitlines()
    assert json.loads(json.loads(line)["value"])["ts"] == 1
    assert sorted(ts for some in numbers(read_all("search.actions")).values() for ts in some) == [0, *range(2, 20)]


def test_a_refused_event_that_no_file_takes_stops_nothing(fresh_topics, read_all, tmp_path):
    (tmp_path / "events.rejected").mkdir()  # as good as a full disk
    (tmp_path / "1000000000.spill").write_bytes(b"torn\n")
    producer = EventProducer(fresh_topics(4), spill=tmp_path)
    for number in range(20):
        assert producer.action(action(number))
    assert producer.flush(20)
    counters = producer.counters()
    assert (counters.sent, counters.failed, counters.recovered) == (20, 1, 1)
    assert producer.close()
    assert numbers(read_all("search.actions")) == expected(20)


def _until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
