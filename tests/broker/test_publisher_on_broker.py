"""The publisher process against a real broker: shares in, policies out, commands, and a second process that takes over."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer

from learners.definition import ArmSpec, Definition
from learners.features import ARM_FEATURES
from learners.fit import fit
from learners.tallies import arm_context
from schemas.codec import encode
from schemas.rows import TallyRow
from schemas.snapshots import Command
from streams import admin
from streams.subscriber import PolicySubscriber

OURS = Definition(arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])
D = len(ARM_FEATURES.names)
CONTEXT = arm_context(ARM_FEATURES.hash, D)
PUBLISHER = """
import logging, signal, sys
from pathlib import Path
from learners.definition import Definition
from streams.publishing import ownership as publish
logging.basicConfig(level="INFO", stream=sys.stdout)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
definition = Definition.model_validate_json(sys.argv[2])
publish.run(sys.argv[1], definition=definition, folder=Path(sys.argv[3]), group="test", stop=lambda: bool(asked))
"""


def sums(searches):
    out = np.zeros(3 + D + D * (D + 1) // 2, dtype=np.int64)
    out[0] = searches
    return out


def policy_of(searches):
    return fit(OURS, {("arm", "lexical", CONTEXT, 0): sums(searches)}, 0).content_id


class Desk:
    """Says rows and commands, and starts publishers."""

    def __init__(self, bootstrap, folder):
        self.bootstrap, self.folder, self.started, self._seq = bootstrap, folder, [], 0
        self.producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False, reconnect_backoff_max_ms=500)

    def say(self, partition, searches):
        self._seq += 1
        row = TallyRow(kind="arm", arm="lexical", context=CONTEXT, hour=0, sums=sums(searches).tolist())
        key = json.dumps(["arm", "lexical", CONTEXT, 0]).encode()
        headers = [("src", b"%d:1:%d" % (partition, self._seq))]
        self.producer.send("state.shares", encode(row), key, partition=partition, headers=headers).get(10)

    def order(self, action, name, content_id=""):
        command = Command(command_id=name, action=action, content_id=content_id, ts=int(time.time() * 1000))
        self.producer.send("control", encode(command), name.encode()).get(10)

    def publisher(self):
        log = (self.folder / f"{len(self.started)}.log").open("w")
        root = Path(__file__).parent.parent.parent
        words = [sys.executable, "-c", PUBLISHER, self.bootstrap, OURS.model_dump_json(), str(self.folder / "snapshots")]
        self.started.append(subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, cwd=root, env={**os.environ}))
        log.close()
        return self.started[-1]

    def log(self, number):
        return (self.folder / f"{number}.log").read_text()

    def close(self):
        for one in self.started:
            one.kill()
            one.wait()
        self.producer.close(timeout=5)


@pytest.fixture
def desk(fresh_topics, tmp_path):
    made = Desk(fresh_topics(2), tmp_path)
    yield made
    made.close()


@pytest.fixture
def reader(desk):
    subscriber = PolicySubscriber(desk.bootstrap, start=OURS)
    yield subscriber
    subscriber.close()


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_publisher_goes_on_when_the_shares_are_said_again_on_a_topic_that_was_made_anew(desk, reader):
    """Its offsets begin at 0 again: no refresh would ever be ahead of what runs. It waits until every partition has said something."""
    desk.publisher()
    for searches in (1, 2, 3):
        desk.say(0, searches)
        desk.say(1, searches)
    until(lambda: reader.current().content_id == policy_of(6))
    admin.delete_topics(desk.bootstrap, ["state.shares"])
    admin.create_topics(desk.bootstrap, 2)
    desk.say(0, 4)
    until(lambda: "source state.shares/" in desk.log(0))
    assert reader.current().content_id == policy_of(6)
    desk.say(1, 4)
    until(lambda: reader.current().content_id == policy_of(8))


def test_shares_become_policies_commands_are_obeyed_and_a_second_process_takes_over(desk, reader, read_all):
    desk.say(0, 3)
    desk.say(1, 4)
    first = desk.publisher()
    until(lambda: reader.current().content_id == policy_of(7))
    desk.say(0, 5)
    until(lambda: reader.current().content_id == policy_of(9))

    desk.order("rollback", "back", policy_of(7)[:12])
    until(lambda: reader.current().content_id == policy_of(7))
    seq = reader.current().seq
    desk.say(1, 6)
    desk.order("rollback", "nonsense", "ffffffff")
    until(lambda: "command nonsense (rollback) is refused: snapshot ffffffff is not in policy.snapshots" in desk.log(0))
    assert (reader.current().seq, reader.current().content_id) == (seq, policy_of(7))

    desk.publisher()
    first.kill()
    desk.order("unpin", "on")
    until(lambda: reader.current().content_id == policy_of(11))
    assert reader.current().seq > seq + 1
    assert "command on (unpin) is obeyed" in desk.log(1)
    assert "command back (rollback) is obeyed" not in desk.log(1)

    manifests = [json.loads(one.value) for one in read_all("policy.snapshots") if one.key == b"manifest" and one.value]
    orders = [(one["publisher_epoch"], one["seq"]) for one in manifests]
    assert orders == sorted(set(orders))
    assert [one["reason"] for one in manifests if one["reason"] != "refresh"] == ["rollback:back", "unpin:on"]
    assert (reader.staleness().refused, reader.staleness().last_error) == (0, "")


def test_a_process_that_is_told_to_stop_hands_over_at_once_and_a_stopped_one_is_fenced_when_it_wakes(desk, reader):
    first = desk.publisher()
    desk.say(0, 1)
    until(lambda: reader.current().content_id == policy_of(1))
    second = desk.publisher()
    first.terminate()
    assert first.wait(10) == 0
    until(lambda: "publishing with epoch" in desk.log(1), 5)
    second.send_signal(19)  # SIGSTOP: the group gives the topic to a third one
    desk.publisher()
    until(lambda: "publishing with epoch" in desk.log(2))
    desk.say(0, 2)
    until(lambda: reader.current().content_id == policy_of(2))
    seq = reader.current().seq
    second.send_signal(18)  # SIGCONT
    desk.say(0, 3)
    until(lambda: reader.current().content_id == policy_of(3))
    until(lambda: "another process publishes now" in desk.log(1) or "another publisher has taken over" in desk.log(1))
    assert reader.current().seq == seq + 1
