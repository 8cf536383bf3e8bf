"""A worker that has work and does not do it ends by itself, and says why; one that works, or has nothing to do, does not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.clients import connect
from streams.faust_app.watchdog import CODE

HERE = Path(__file__).resolve().parent
STALLED = 2.0  # s


def until(what, process, log):
    end = time.monotonic() + 60
    while not what():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def send(bootstrap, count):
    producer = connect(KafkaProducer, bootstrap, enable_idempotence=False)
    for _ in range(count):
        producer.send("search.impressions", b"broken", partition=0)
    producer.flush()
    producer.close()


def send_in_a_transaction(bootstrap):
    """One record, and the mark of the commit, which takes an offset and is never read."""
    producer = connect(KafkaProducer, bootstrap, transactional_id="t")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("search.impressions", b"broken", partition=0)
    producer.commit_transaction()
    producer.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["fetch", "loop"])
def test_a_worker_that_stalls_ends_itself(fresh_topics, tmp_path, how):
    bootstrap, flag, log = fresh_topics(1, time="CreateTime"), tmp_path / "flag", tmp_path / "log"
    config = json.dumps({"bootstrap": bootstrap, "folder": str(tmp_path / "state"), "group": f"stall-{how}"})
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "stalling_worker.py"), config, how, str(flag), str(STALLED)], stderr=stream, stdout=stream,
            env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        )  # fmt: skip
    try:
        send(bootstrap, 4)
        if how == "fetch":  # what it reads last is followed by a mark that nobody reads
            send_in_a_transaction(bootstrap)
        else:
            send(bootstrap, 1)
        until(lambda: "to [5, 0]" in log.read_text(), process, log)
        idle = time.monotonic()
        until(lambda: how == "loop" or time.monotonic() - idle > STALLED + 1.0, process, log)  # nothing that can be read is no stall
        flag.touch()
        send(bootstrap, 1)
        assert process.wait(60) == CODE, log.read_text()
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("CRITICAL:streams.faust_app.watchdog:stalled: ")]
    named = line.partition("did not move for")[0]
    assert "search.impressions-0" in named or (how == "loop" and "the event loop" in named)
    assert "thread MainThread:" in text
    assert ("in hang" in text) == (how == "loop")  # the stacks show where it hung
