"""Producers of other makes: the examples of docs/producers.md, the same searches from each, one state, wherever they put them."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from compare import ends_of_inputs
from fleet import Applied, Fleet
from kafka import KafkaProducer
from load import START, TOPICS, searches

from ops import broker
from schemas.codec import decode_event, encode
from schemas.events import Tick
from streams.kernel.join import RULES
from streams.partitioning import partition
from streams.replaying.recording import Line
from streams.replaying.replay import replay

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ROOT = EXAMPLES.parents[1]
ECJ = "org.eclipse.jdt:ecj:3.33.0"  # a compiler in one jar, for machines with a JRE only
PARTITIONS = 4
PYTHON = [sys.executable, str(EXAMPLES / "send_events_confluent.py")]


def events(prefix):
    """Real-sized pages and actions, each id once, all at one time: whichever way a record takes, its record time is the same."""
    out = {}
    for line in searches(40):
        if line.value and line.value.startswith(b'{"schema_version":1') and line.value.endswith(b"}"):
            event = decode_event(line.value)
            name = event.page if event.type == "impression" else event.action_id
            if name in (1, "0"):
                moved = event.model_copy(update={"search_id": f"{prefix}-{event.search_id}", "ts": START})
                out.setdefault((event.type, event.search_id), Line(line.topic, START, moved.search_id, encode(moved)))
    return list(out.values())


def java(folder):
    """The command that runs the Java example: from its source where there is a JDK; where only a JRE is, a compiler comes from Maven."""
    classes = f"{broker.jars()}/*"
    try:
        modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.fail("java was not found; install Java 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)")
    source = str(EXAMPLES / "SendEvents.java")
    if "jdk.compiler" in modules:
        return ["java", "-cp", classes, source]
    copy = ["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy", f"-Dartifact={ECJ}"]
    try:
        subprocess.run([*copy, f"-DoutputDirectory={folder}"], check=True)
        compiler = ["java", "-jar", str(next(folder.glob("ecj-*.jar"))), "-17", "-d", str(folder)]
        subprocess.run([*compiler, "-cp", ":".join(map(str, broker.jars().glob("*.jar"))), source], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.fail(f"the Java example was not compiled ({error}); install a JDK (Debian: apt-get install openjdk-17-jdk-headless)")
    return ["java", "-cp", f"{folder}:{classes}", "SendEvents"]


def run_all(commands, lines):
    """Each command gets its lines on stdin, all at the same time; all must end well."""

    def run(name):
        given = b"".join(line.value + b"\n" for line in lines[name])
        return subprocess.run(commands[name], input=given, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120).returncode

    with ThreadPoolExecutor(len(commands)) as threads:
        assert dict(zip(commands, threads.map(run, commands), strict=True)) == dict.fromkeys(commands, 0)


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


class Placed:
    """What the inputs hold, by the make of its producer: how many records it wrote, how many on the wrong partition, and how many copies
    a worker sent on."""

    def __init__(self, records):
        self.written, self.wrong, self.sent_on = Counter(), Counter(), Counter()
        for record in records:
            make, key = (record.key or b"").decode().partition("-")[0], (record.key or b"").decode()
            right = record.partition == partition(key, PARTITIONS)
            if any(name == "src" for name, _ in record.headers):
                self.sent_on[make] += 1
                assert right
            else:
                self.written[make] += 1
                self.wrong[make] += not right


@pytest.fixture
def worker(bootstrap, tmp_path):
    fleet = Fleet(bootstrap, tmp_path / "worker", group=f"producers-{time.time_ns():x}")
    yield fleet
    fleet.end()


@pytest.mark.timeout(240)
def test_the_same_searches_from_each_producer_come_to_one_state(fresh_topics, read_all, worker, tmp_path):
    bootstrap = fresh_topics(PARTITIONS, time="CreateTime")
    worker.start("a")
    commands = {
        "default": [*PYTHON, bootstrap, "partitioner=consistent_random"],  # what librdkafka takes where nothing is said
        "murmur2": [*PYTHON, bootstrap],
        "java": [*java(tmp_path), bootstrap],
    }
    lines = {make: events(make) for make in commands}
    run_all(commands, lines)

    def placed():
        return Placed([*read_all(TOPICS["impressions"]), *read_all(TOPICS["actions"])])

    def all_applied():
        return Applied(tmp_path / "worker").look().next == ends_of_inputs(bootstrap, TOPICS, PARTITIONS)

    assert until(lambda: (now := placed()).sent_on["default"] >= now.wrong["default"] and all_applied())
    found = placed()
    assert found.written == {make: len(some) for make, some in lines.items()}
    assert found.wrong["default"] > len(lines["default"]) / 2
    assert found.sent_on == {"default": found.wrong["default"]}
    assert (found.wrong["murmur2"], found.wrong["java"]) == (0, 0)
    assert worker.logged(b"partitioner=murmur2_random") > 0

    close_all(bootstrap)
    assert until(all_applied)
    worker.stop("a")
    assert worker.unexpected == []
    state, _ = worker.left(PARTITIONS)
    assert state == replay([line for some in lines.values() for line in some], partitions=1, batch=1_000, interleave="even")


def close_all(bootstrap):
    """Ticks a window past the end, which `forage events send` writes for a log."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    for topic in TOPICS.values():
        for number in range(PARTITIONS):
            producer.send(topic, encode(Tick()), partition=number, timestamp_ms=START + RULES.window + RULES.settle)
    producer.flush()
    producer.close()


def test_the_example_of_event_producer_sends_what_it_is_given(fresh_topics, read_all, tmp_path):
    bootstrap = fresh_topics(PARTITIONS)
    run_all(
        {"forage": [sys.executable, str(EXAMPLES / "send_events.py"), bootstrap, str(tmp_path / "spill")]}, {"forage": events("forage")}
    )
    records = [*read_all(TOPICS["impressions"]), *read_all(TOPICS["actions"])]
    assert sorted(record.value for record in records) == sorted(line.value for line in events("forage"))
    assert Placed(records).wrong["forage"] == 0
    assert all(json.loads(record.value)["search_id"] == record.key.decode() for record in records)
