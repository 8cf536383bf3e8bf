"""Moving and rebuilding on a real broker: takeover, replays, more partitions, and every refusal with its remedy followed."""

import json
import shutil
import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from load import TOPICS, searches
from moving_worker import Worker, until
from pyarrow import fs
from typer.testing import CliRunner

from ops.cli import app
from streams import admin
from streams.faust_app.owner import Owner
from streams.kernel.join import RULES
from streams.partition_store import PartitionStore
from streams.replaying.reading import replay_topics
from streams.replaying.recording import read_log
from streams.replaying.replay import placed, records_of, replay
from streams.replaying.stored_replay import folders_digest
from streams.state_store import StateStore
from tests.streams.s3_server import S3Server

LINES = searches(300)
HALF = len(LINES) // 2
ROWS = ("memory.q2e", "state.shares")


@pytest.fixture
def forage(bootstrap, tmp_path):
    def run(*words, **settings):
        given = {"FORAGE_BOOTSTRAP": bootstrap, "FORAGE_DATA_DIR": str(tmp_path / "var")} | settings
        return CliRunner().invoke(app, [str(word) for word in words], env=given)

    return run


@pytest.fixture
def put(bootstrap):
    """Send lines with their times; with `end`, the ticks that close everything."""

    def send(lines, partitions, *, end=True):
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=False, acks="all", linger_ms=20, max_in_flight_requests_per_connection=1
        )
        for one in placed(lines, partitions, rules=RULES):
            if end or one.time <= lines[-1].time:
                key = one.key.encode() if one.key is not None else None
                producer.send(TOPICS[one.topic], one.value, key, partition=one.partition, timestamp_ms=one.time)
        producer.flush(30)
        producer.close()

    return send


@pytest.fixture
def s3(monkeypatch):
    """URL of a state store on S3."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "any")
    server = S3Server()
    files = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{server.port}", scheme="http", region="us-east-1", allow_bucket_creation=True)
    files.create_dir("forage")
    yield server.url("forage/state")
    server.kill()


def embedded(lines, partitions=1):
    return replay(lines, partitions=partitions, batch=200, interleave="even", rules=RULES)


def state_of(*folders):
    return folders_digest(folders, rules=RULES)


@pytest.mark.timeout(180)
def test_takeover_and_replays_come_to_the_same_bytes(bootstrap, fresh_topics, put, forage, s3, tmp_path):
    fresh_topics(2, time="CreateTime")
    put(LINES, 2)
    whole, since = embedded(LINES), LINES[HALF].time
    later = embedded([line for line in LINES if line.time >= since])
    store = {"state_store": s3, "checkpoint_every": 1.0}
    with (
        Worker(bootstrap, tmp_path / "first", **store) as first,
        Worker(bootstrap, tmp_path / "time", from_time=since) as from_time,
    ):
        assert all(one.caught_up() for one in (first, from_time))
        state, ids = StateStore.at(s3), admin.topic_ids(bootstrap, list(TOPICS.values()))
        assert until(lambda: all(state.best(number, ids) for number in range(2)))
        with Worker(bootstrap, tmp_path / "second", **store) as second:
            assert second.caught_up()
            assert second.said.count("took checkpoint") == 2
            assert [one.stop() for one in (first, from_time, second)] == [0] * 3
    assert state_of(tmp_path / "first") == state_of(tmp_path / "second") == whole
    assert state_of(tmp_path / "time") == later != whole
    assert json.loads(forage("data", "digest", "--topics", "--json").stdout) == whole
    assert json.loads(forage("data", "digest", "--topics", "--from-time", stamp(since), "--json").stdout) == later


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_run_with_more_partitions_is_that_of_the_whole_log(bootstrap, fresh_topics, put, forage, read_all, tmp_path):
    fresh_topics(2, time="CreateTime")
    put(LINES[:HALF], 2, end=False)
    folder, group = tmp_path / "var" / "worker", f"grows-{time.time_ns():x}"
    move = ("topics", "migrate", "--partitions", 3)
    with Worker(bootstrap, folder, group=group) as worker:
        assert worker.caught_up()
        running = forage(*move, FORAGE_GROUP=group)
        assert (running.exit_code, "1 workers of group" in running.stderr) == (1, True)
        admin.grow_topics(bootstrap, 3)  # behind our back
        assert worker.ended() not in (None, 0)
        assert "`forage topics migrate --partitions 3`" in worker.said
    with Worker(bootstrap, folder, group=group) as worker:
        assert worker.ended() not in (None, 0)
        assert "is partition 0 of 2, not 0 of 3" in worker.said
    before = state_of(folder)
    plan = forage(*move, "--dry-run", FORAGE_GROUP=group)
    assert (plan.exit_code, "spread the state over 3 partitions" in plan.stdout) == (0, True)
    assert state_of(folder) == before
    assert until(lambda: forage(*move, FORAGE_GROUP=group).exit_code == 0, 20.0)  # once the broker has missed the dead worker
    assert state_of(folder)["memory"] == before["memory"]
    assert "already" in forage(*move, FORAGE_GROUP=group).stdout
    put(LINES[HALF:], 3)
    with Worker(bootstrap, folder, group=group, partitions=3) as worker:
        assert worker.caught_up()
        worker.stop()
    assert state_of(folder) == embedded(LINES, 3)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_log_that_was_recorded_from_kafka_fills_topics_with_fewer_partitions(bootstrap, fresh_topics, put, forage, tmp_path):
    fresh_topics(2, time="CreateTime")
    put(LINES, 2)
    log = tmp_path / "log.jsonl.gz"
    recorded = json.loads(forage("events", "record", log, "--json").stdout)["events"]
    whole = json.loads(forage("data", "digest", "--log", log, "--json").stdout)
    assert (whole["memory"], whole["tallies"]) == (embedded(LINES)["memory"], embedded(LINES)["tallies"])
    assert LINES[0].time < LINES[HALF].time <= min(line.time for line in recorded_from(forage, tmp_path, LINES[HALF].time))
    fresh_topics(1, time="CreateTime")
    assert forage("events", "send", log).exit_code == 0
    with Worker(bootstrap, tmp_path / "worker", partitions=1) as worker:
        assert worker.caught_up()
        worker.stop()
    assert state_of(tmp_path / "worker") == whole
    assert recorded > len(LINES) * 0.9


def recorded_from(forage, folder, since):
    assert forage("events", "record", folder / "later.jsonl", "--from-time", stamp(since)).exit_code == 0
    return list(read_log(folder / "later.jsonl"))


def stamp(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + f".{ms % 1000:03d}+00:00"


@pytest.mark.long
@pytest.mark.timeout(180)
def test_rows_are_sent_again_to_topics_that_were_made_anew(bootstrap, fresh_topics, put, read_all, tmp_path):
    fresh_topics(1, time="CreateTime")
    put(LINES[:60], 1)

    def rows():
        return {(one.topic, one.key): one.value for name in ROWS for one in read_all(name)}

    with PartitionStore.open(tmp_path / "partition-0.duckdb", 0, 1) as store:
        kernel = store.kernel(RULES)
        store.commit(kernel.apply([record for log in records_of(LINES[:60], 1, rules=RULES) for topic in log for record in log[topic]]))
        sent = list(Owner(store, RULES, now=1).take(10**15))
    expected = {(one.topic, one.key.encode()): one.value for one in sent if one.topic in ROWS}
    with Worker(bootstrap, tmp_path / "worker", partitions=1) as worker:
        assert until(lambda: rows() == expected)
        admin.delete_topics(bootstrap, ROWS)
        admin.create_topics(bootstrap, 1)
        assert until(lambda: rows() == expected)
        assert "sends all its rows again" in worker.said
        admin.delete_topics(bootstrap, list(TOPICS.values()))  # and now the inputs
        admin.create_topics(bootstrap, 1, time="CreateTime")
        assert worker.ended() not in (None, 0)
        assert "was made anew while this worker ran" in worker.said


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_log_that_lost_its_tail_or_begins_too_late_is_refused_and_the_remedy_works(node, bootstrap, fresh_topics, put, tmp_path):
    fresh_topics(1, time="CreateTime")
    put(LINES[:100], 1, end=False)
    folder = tmp_path / "worker"
    store = {"partitions": 1, "state_store": str(tmp_path / "state"), "checkpoint_every": 1.0}
    with Worker(bootstrap, folder, **store) as worker:
        assert worker.caught_up()
        kept = replay_topics(bootstrap)
        node.stop()
        shutil.copytree(node.folder, tmp_path / "broker")
        node.start()
        put(LINES[100:200], 1, end=False)
        assert worker.caught_up()
        node.stop()
        shutil.rmtree(node.folder)
        shutil.copytree(tmp_path / "broker", node.folder)  # a broker restored from a copy, under a worker that runs
        node.start()
        assert worker.ended() not in (None, 0)
        assert "the log lost records" in worker.said
        assert "move the partition's file away" in worker.said
    (folder / "partition-0.duckdb").rename(tmp_path / "away")
    with Worker(bootstrap, folder, **store) as worker:
        assert worker.caught_up()
        worker.stop()
    assert state_of(folder) == kept

    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.delete_records({TopicPartition(name, 0): 20 for name in TOPICS.values()})
    client.close()
    with Worker(bootstrap, tmp_path / "empty", partitions=1) as worker:
        assert worker.ended() not in (None, 0)
        assert "starts at offset 20, this state needs 0" in worker.said
        assert "--from-log-start" in worker.said
    with Worker(bootstrap, tmp_path / "empty", partitions=1, from_log_start=True) as worker:
        assert worker.caught_up()
        worker.stop()
