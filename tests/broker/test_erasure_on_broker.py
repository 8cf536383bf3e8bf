"""The canary: a person among others, erased, then looked for in every file, topic, snapshot and replay; and gone when the report says."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from compare import ends_of_inputs
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from load import TOPICS
from moving_worker import until
from typer.testing import CliRunner

from learners.arrays import unpack as array_of
from memory_index.q2e import Reading
from ops.cli import app
from schemas.codec import encode
from schemas.events import Action, Impression, Query, Result, Source
from schemas.ids import client_hash
from streams.kernel.join import RULES
from streams.kernel.packing import unpack
from streams.publishing.publications import read_publications
from streams.replaying.recording import Line
from streams.replaying.replay import replay
from streams.replaying.sending import send_log
from streams.replaying.stored_replay import folders_digest
from streams.subscriber import MemorySubscriber
from tests.streams.searchbox import DECIDED

ROOT = Path(__file__).parent.parent.parent
KEY, MIN, START = "a key", 60_000, 1_750_000_000_000
OURS = replace(RULES, client_key=KEY.encode())
CANARY = "canary-7f3a@example.org"
HASH = client_hash(CANARY, KEY.encode())
PEOPLE = ("search.impressions", "search.actions", "search.outcomes", "search.quarantine")
KEPT = (*PEOPLE, "memory.q2e", "state.shares", "policy.snapshots")
WORKER = """
import logging, sys
from dataclasses import replace
from pathlib import Path
from streams import partition_store
from streams.faust_app import worker
from streams.faust_app.config import WorkerConfig
from streams.kernel.join import RULES
logging.basicConfig(level="INFO", stream=sys.stdout)
for name in ("kafka", "aiokafka", "faust", "mode"):
    logging.getLogger(name).setLevel("WARNING")
partition_store.KEEP_SENT = 1_000  # ten minutes are too long for a test
bootstrap, folder, state, group = sys.argv[1:]
rules = replace(RULES, client_key=b"a key")
config = WorkerConfig(bootstrap=bootstrap, folder=Path(folder), rules=rules, group=group, state_store=state or None, checkpoint_every=1.0)
raise SystemExit(worker.run(config))
"""


def searched(number, who, text, entities):
    at = START + number * MIN
    results = [Result(entity_id=e, position=i + 1, sources=[Source(strategy="lex", rank=i + 1, score=1.0)]) for i, e in enumerate(entities)]
    search = f"{who.partition('@')[0]}-{number}"
    page = Impression(search_id=search, ts=at, client_id=who, query=Query(text=text), results=results, decision=DECIDED, feature_schema="f")
    act = Action(action_id="1", search_id=search, ts=at + 1_000, kind="click", entity_id=entities[0])
    late = Action(action_id="2", search_id=search, ts=at + 20 * MIN, kind="purchase", entity_id=entities[0])
    return [("impressions", page), ("actions", act), *([("actions", late)] if number % 3 == 0 else [])]


def lines(*, canary):
    """60 searches of 12 people, of whom the canary made 5, two of them under a query and with an entity of its own; one bad event each."""
    events = [("actions", Action(action_id="x", search_id="nobody", ts=START, kind="click", entity_id="e"))]
    for number in range(60):
        theirs = number % 12 == 7
        if theirs and not canary:
            continue
        alone = theirs and number > 30
        who, text = (CANARY if theirs else f"person-{number % 12}"), "canary query" if alone else f"query {number % 3}"
        events += searched(number, who, text, ["canary-entity", "e1"] if alone else [f"e{number % 2}", "e2"])
    made = [Line(topic, event.ts, event.search_id, encode(event)) for topic, event in events]
    return sorted(made, key=lambda line: line.time)


@pytest.fixture
def forage(bootstrap, tmp_path):
    def run(*words):
        settings = {"FORAGE_BOOTSTRAP": bootstrap, "FORAGE_DATA_DIR": str(tmp_path / "var"), "FORAGE_CLIENT_KEY": KEY}
        result = CliRunner().invoke(app, [str(word) for word in words], env=settings)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def start(bootstrap, tmp_path):
    """start(name, *command) starts a process whose output goes to a file; all are killed in the end."""
    started = []

    def run(name, *words):
        with (tmp_path / f"{name}.log").open("w") as log:
            environment = {**os.environ, "FORAGE_CLIENT_KEY": KEY, "FORAGE_BOOTSTRAP": bootstrap}
            started.append(subprocess.Popen([sys.executable, *words], stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=environment))
        return started[-1]

    yield run
    for one in started:
        one.kill()
        one.wait()


def applied(text):
    """By partition, how far both inputs are applied, as a worker's log says."""
    found = re.findall(r"applied (\d+): .* to \[(\d+), (\d+)\]", text)
    return {int(number): (int(impressions), int(actions)) for number, impressions, actions in found}


def bytes_of(folder):
    """Files that hold it as bytes, while somebody works on them."""
    found = []
    for path in folder.glob("partition-*"):
        with suppress(FileNotFoundError):
            found += [path.name] if b"canary" in path.read_bytes() else []
    return found


def told(text):
    """Does it tell of the canary? Its keyed hash does, too."""
    return "canary" in text or f"{HASH:016x}" in text or str(HASH) in text


def traces_of(folder):
    """Files that hold it, as bytes or as rows; rows of `erased` are the request itself."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if b"canary" in path.read_bytes():
            found.append(f"{path.name}: bytes")
        if path.suffix == ".duckdb":
            found += [f"{path.name}: {table}" for table in _tables_with_it(path)]
    return found


def rows_in_checkpoints(folder):
    """Tables of checkpoints that are whole which hold it."""
    return [table for path in folder.rglob("*.json") for table in _tables_with_it(path.with_suffix(".duckdb"))]


def _tables_with_it(path):
    copy = path.with_suffix(".looked_at")
    copy.write_bytes(path.read_bytes())
    try:
        with duckdb.connect(str(copy)) as con:
            for (table,) in con.sql("SELECT table_name FROM duckdb_tables() WHERE table_name <> 'erased'").fetchall():
                for row in con.sql(f'SELECT * FROM "{table}"').fetchall():
                    if told(repr([_plain(one) for one in row])) and not (table == "outbox" and "privacy.erasures" in row):
                        yield table
                        break
    finally:
        copy.unlink()


def _plain(value):
    if not isinstance(value, bytes):
        return value
    try:
        return unpack(value)
    except Exception:
        return value


def topics_with_it(read_all):
    return sorted({name for name in KEPT for one in read_all(name) if told(f"{one.key!r} {one.value!r}")})


def rows_of_it(read_all):
    """Newest values of rows that tell of it."""
    newest = {(one.partition, one.key): one.value for one in read_all("memory.q2e")}
    return [key for key, value in newest.items() if value is not None and told(f"{key!r} {value!r}")]


@pytest.mark.timeout(280)
def test_the_canary_is_gone_from_everywhere_when_the_report_says(bootstrap, fresh_topics, read_all, forage, start, tmp_path):
    fresh_topics(2, time="CreateTime")
    everybody = lines(canary=True)
    send_log(bootstrap, everybody)
    worker = start("worker", "-c", WORKER, bootstrap, str(tmp_path / "worker"), str(tmp_path / "state"), f"canary-{time.time_ns():x}")
    start("publisher", "-m", "ops.cli", "worker", "--role", "publisher", "--folder", str(tmp_path / "publisher"))
    assert until(lambda: len(read_all("search.outcomes")) >= 60 and list(tmp_path.glob("state/*/*.json")) and rows_of_it(read_all), 120)
    assert until(lambda: rows_in_checkpoints(tmp_path / "state"))
    reading = Reading(tuple([1.0] * 6), tuple([1.0] * 10), 30.0, 1.0, 2)
    with closing(MemorySubscriber(bootstrap, reading=reading)) as memory:
        assert memory.wait(60)
        current = memory.current()
        assert "canary-entity" in {key[2] for _, key, _ in current.shares()}
        assert current.entities("canary query", "") == []  # known to one person alone
        assert {*current.entities("query 0", "")} >= {"e0", "e1"}

        report = json.loads(forage("erase", "--client", CANARY, "--json"))
        assert report["people"][0]["client"] == f"{HASH:016x}"
        status = ("erase", "--status", "--client", CANARY, "--json")
        assert until(lambda: time.sleep(1) or json.loads(forage(*status))["erasures"][0]["waits_for"] == [], 120), forage(*status)
        assert json.loads(forage(*status))["erasures"][0]["searches"] == 5
        assert rows_of_it(read_all) == []
        assert until(lambda: "canary-entity" not in {key[2] for _, key, _ in current.shares()})
    worker.terminate()
    assert worker.wait(60) == 0
    assert traces_of(tmp_path / "worker") == []
    assert traces_of(tmp_path / "state") == []

    expected = replay(lines(canary=False), partitions=2, batch=50, interleave="even", rules=OURS)
    state = folders_digest([tmp_path / "worker"], rules=OURS)
    assert {part: state[part] for part in ("memory", "tallies")} == {part: expected[part] for part in ("memory", "tallies")}
    shelf = read_publications(bootstrap)
    newest = shelf.content(shelf.list()[-1].content_id)
    assert newest.arrays
    assert not any(b"canary" in array_of(one, what=name).tobytes() for name, one in newest.arrays.items())

    again = start("again", "-c", WORKER, bootstrap, str(tmp_path / "again"), "", f"again-{time.time_ns():x}")
    ends = ends_of_inputs(bootstrap, TOPICS, 2)
    assert until(lambda: applied((tmp_path / "again.log").read_text()) == ends, 100)
    # Actions that were applied before their page were held until it was known whose they are; then the file is written anew.
    assert until(lambda: not bytes_of(tmp_path / "again"), 60)
    again.terminate()
    assert again.wait(60) == 0
    assert folders_digest([tmp_path / "again"], rules=OURS) == expected
    assert json.loads(forage("data", "digest", "--topics", "--json")) == expected
    forage("events", "record", tmp_path / "recorded.jsonl")
    assert "canary" not in (tmp_path / "recorded.jsonl").read_text()
    assert traces_of(tmp_path / "again") == []

    remaining = {one["place"] for one in report["remains"]}
    assert set(topics_with_it(read_all)) <= remaining
    make_short(bootstrap)
    assert until(lambda: nudge(bootstrap) or topics_with_it(read_all) == [], 60), topics_with_it(read_all)


def make_short(bootstrap):
    """Retention of a second; the clocks of imported inputs stand far in the past, so that they go at once."""
    short = {"retention.ms": "1000", "segment.ms": "1000"}
    compacted = {"segment.ms": "1000", "max.compaction.lag.ms": "1", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0"}
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, short) for name in PEOPLE]
        + [ConfigResource(ConfigResourceType.TOPIC, "memory.q2e", compacted | {"cleanup.policy": "compact"})]
    )
    admin.close()


def nudge(bootstrap):
    """Segments roll when something is written to them."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
    for partition in range(2):
        producer.send("memory.q2e", b"{}", b"nudge", partition=partition).get(10)
    producer.close()
    return False
