"""What the doctor says of a stream, from facts written by hand."""

import os
from collections import Counter

import pytest
from kafka import TopicPartition

from ops.doctor_stream import clock, open_files, publisher, quarantine, replication, state_files, state_store, workers
from ops.settings import Settings
from schemas.codec import encode
from schemas.events import Tick
from schemas.topics import INPUTS, TOPICS, settings
from streams.admin import TopicState
from streams.kernel.changes import Record
from streams.kernel.join import RULES
from streams.kernel.kernel import Kernel
from streams.moving.reach import Reach
from streams.partition_store import PartitionStore
from streams.state_store import Checkpoint, StateStore
from streams.survey import Survey

NOW = 1_800_000_000.0
IDS = {topic.name: f"id-{topic.name}" for topic in INPUTS}


def topics(*, time="LogAppendTime", replicas=1, **config):
    return [TopicState(one.name, f"id-{one.name}", 2, {**settings(one, time), **config}, replicas) for one in TOPICS]


def look(**facts):
    log = {number: {"impressions": Reach(5, 20), "actions": Reach(0, 10)} for number in (0, 1)}
    plain = {
        "brokers": 1,
        "topics": topics(),
        "log": log,
        "committed": {},
        "newest": None,
        "published": None,
        "workers": 1,
        "publishers": 1,
    }
    return Survey(**{**plain, "quarantined": Counter(), **facts})


def states(found):
    return [(one.what, one.state) for one in found]


def test_lag_is_what_the_log_still_has_and_the_group_has_not_applied():
    assert look().lag == 2 * (15 + 10)
    committed = {
        TopicPartition("search.impressions", 0): 18,
        TopicPartition("search.actions", 1): 10,
        TopicPartition("search.actions", 0): 12,
    }
    assert look(committed=committed).lag == 2 + 15 + 0 + 0


def test_workers():
    assert workers(look(), group="g").state == "ok"
    missing = workers(look(workers=0), group="g")
    assert (missing.state, missing.text) == ("problem", "none is in group g, 50 records wait")
    assert "forage worker" in missing.remedy
    assert workers(look(workers=0, log={}), group="g").state == "note"
    slow = workers(look(log={0: {"impressions": Reach(0, 200_000), "actions": Reach(0, 0)}}), group="g")
    assert (slow.state, slow.text) == ("note", "1 in group g, 200,000 records behind")


@pytest.mark.parametrize(
    ("seconds", "state", "text"),
    [(3, "ok", "agree"), (-25, "ok", "agree"), (90, "problem", "90 s ahead"), (-3_600, "problem", "newest record is 3,600 s old")],
)
def test_the_brokers_clock(seconds, state, text):
    (found,) = clock(look(newest=int((NOW + seconds) * 1000)), now=NOW)
    assert (found.state, text in found.text) == (state, True)
    assert bool(found.remedy) == (state != "ok")


def test_the_clock_is_not_judged_where_nobody_writes_ticks():
    old = int((NOW - 9_999) * 1000)
    assert list(clock(look(newest=old, workers=0), now=NOW)) == []
    assert list(clock(look(newest=old, topics=topics(time="CreateTime")), now=NOW)) == []
    assert list(clock(look(), now=NOW)) == []


def test_publisher():
    found = publisher(look(publishers=2, published=int((NOW - 7_200) * 1000)), group="g", now=NOW)
    assert (found.state, found.text) == ("ok", "2 in group g.publisher, one of them active; last published 2 h ago")
    assert publisher(look(publishers=0), group="g", now=NOW).state == "problem"
    assert publisher(look(publishers=0, workers=0), group="g", now=NOW).state == "note"


def test_quarantine_is_counted_by_reason():
    assert quarantine(look()).state == "ok"
    found = quarantine(look(quarantined=Counter(too_late=2, invalid=1_200)))
    assert (found.state, found.text) == ("note", "1,202 in the last day: 1,200 invalid, 2 too_late")
    assert "forage quarantine list" in found.remedy
    assert quarantine(look(quarantined=Counter(invalid=2_000))).text.startswith("the first 2,000 of more")


def test_replication():
    assert list(replication(topics(), brokers=1)) == []
    (found,) = replication(topics(), brokers=3)
    assert (found.state, "one copy of search.impressions" in found.text) == ("note", True)
    (found,) = replication(topics(replicas=3), brokers=3)
    assert found.text.startswith("min.insync.replicas is 1 on search.impressions")
    assert list(replication(topics(replicas=3, **{"min.insync.replicas": "2"}), brokers=3)) == []


def test_open_files():
    assert open_files(1_024).state == "ok"
    assert "ulimit" in open_files(256).remedy


def file_of(folder, *, partition=0, partitions=2, applied=20, ids=IDS):
    with PartitionStore.open(folder / f"partition-{partition}.duckdb", partition, partitions) as store:
        store.check_topics(ids)
        tick = [Record("impressions", applied - 1, 1, encode(Tick()), b""), Record("actions", 9, 1, encode(Tick()), b"")]
        store.commit(Kernel(partition, partitions, RULES).apply(tick))


def test_state_files_that_fit_and_those_that_are_in_use(tmp_path):
    assert list(state_files(tmp_path / "nowhere", look())) == []
    file_of(tmp_path)
    (found,) = state_files(tmp_path, look())
    assert (found.state, found.text) == ("ok", f"1 in {tmp_path} fit the topics")


@pytest.mark.parametrize(
    ("made", "text", "remedy"),
    [
        ({"ids": {**IDS, "search.actions": "older"}}, "belongs to search.actions as it was", "move their folders"),
        ({"partitions": 8}, "is one of 8 partitions, the inputs have 2", "forage topics migrate --partitions 2"),
        ({"applied": 4}, "starts at offset 5, this state needs 4", "--from-log-start"),
        ({"applied": 21}, "ends at offset 20, this state has applied up to 21", "move the partition's file away"),
    ],
)
def test_state_files_that_do_not_fit(tmp_path, made, text, remedy):
    file_of(tmp_path, **made)
    (found,) = state_files(tmp_path, look())
    assert found.state == "problem"
    assert text in found.text
    assert remedy in f"{found.text} {found.remedy}"
    assert found.remedy


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "partition-0.duckdb").write_bytes(b"no database" * 1_000)
    (found,) = state_files(tmp_path, look())
    assert (found.state, "partition-0.duckdb" in found.text) == ("problem", True)


def test_state_store(tmp_path):
    here = Settings(state_store=str(tmp_path / "store"))
    (unset,) = state_store(Settings(), look(), now=NOW)
    assert (unset.state, "FORAGE_STATE_STORE" in unset.remedy) == ("note", True)
    (tmp_path / "file").write_text("")
    (blocked,) = state_store(Settings(state_store=str(tmp_path / "file")), look(), now=NOW)
    assert (blocked.state, bool(blocked.remedy)) == ("problem", True)
    (empty,) = state_store(here, look(), now=NOW)
    assert (empty.state, empty.text) == ("note", "no checkpoint of partition 0, 1")
    file_of(tmp_path)
    store = StateStore.at(here.state_store)
    for number in (0, 1):
        store.write(tmp_path / "partition-0.duckdb", Checkpoint(number, 1, {"impressions": 1, "actions": 1}, "w", IDS, 2))
    assert list((tmp_path / "store").glob(".trial*")) == []
    for path in (tmp_path / "store").rglob("*.json"):
        os.utime(path, (NOW - 130, NOW - (130 if "partition-0" in str(path) else 5_000)))
    (old,) = state_store(here, look(), now=NOW)
    assert (old.state, old.text) == ("problem", "the checkpoint of partition 1 is 83 min old")
    assert states(state_store(here, look(workers=0), now=NOW)) == [("state store", "note")]
    (fresh,) = state_store(here, look(), now=NOW - 4_900)
    assert (fresh.state, fresh.remedy) == ("ok", "")


def test_a_secret_in_the_url_of_the_state_store_is_not_printed():
    (found,) = state_store(Settings(state_store="s3://AKIAEXAMPLE:wJalr/XUt@bucket/x"), look(), now=NOW)
    assert (found.state, bool(found.remedy)) == ("problem", True)
    assert not [part for part in ("AKIA", "wJalr", "XUt") if part in repr(found)]
