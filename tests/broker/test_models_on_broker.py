"""Models over a real broker: conclusions on `search.outcomes` become arrays at every subscriber, and survive the publisher."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaProducer

from learners.arrays import unpack
from learners.definition import ArmSpec, Definition
from memory_index.q2e import Reading
from schemas.codec import encode
from streams.subscriber import MemorySubscriber, PolicySubscriber
from tests.learners.settled import act, amendment, outcome, page, shown

OURS = Definition(arms=[ArmSpec.of("lexical"), ArmSpec.of("memory")])
PUBLISHER = """
import logging, signal, sys
from pathlib import Path
import numpy as np
from learners.definition import Definition
from schemas.ids import digest
from streams.publishing import ownership as publish

class Toy:
    name = "toy"
    def fit(self, finals, definition, fitted):
        ids, weights = "".join(one.final_id for one in finals), np.random.default_rng(7).random(150_000)
        return {
            "earned": np.array([len(finals), sum(one.rewards.sum() for one in finals)], dtype=np.int32),
            "of": np.frombuffer(digest(ids).encode(), dtype=np.uint8), "weights": weights,
        }

class Examination:
    name = "examination"
    def fit(self, finals, definition, fitted):
        return {"theta": np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.5])}

logging.basicConfig(level="INFO", stream=sys.stdout)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
definition = Definition.model_validate_json(sys.argv[2])
models, stop = [Examination(), Toy()], lambda: bool(asked)
publish.run(sys.argv[1], definition=definition, folder=Path(sys.argv[3]), models=models, group="test", stop=stop)
"""


@pytest.fixture
def publisher(fresh_topics, tmp_path):
    """Call it to start one; those that run are killed in the end."""
    bootstrap, started = fresh_topics(2), []

    def start():
        with (tmp_path / f"{len(started)}.log").open("w") as log:
            words = [sys.executable, "-c", PUBLISHER, bootstrap, OURS.model_dump_json(), str(tmp_path / "snapshots")]
            root = Path(__file__).parent.parent.parent
            started.append(subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, cwd=root, env={**os.environ}))
        return started[-1]

    start.bootstrap, start.log = bootstrap, lambda number: (tmp_path / f"{number}.log").read_text()
    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.fixture
def send(publisher):
    producer = KafkaProducer(bootstrap_servers=publisher.bootstrap, enable_idempotence=False, reconnect_backoff_max_ms=500)

    def send(partition, *values):
        for value in values:
            producer.send("search.outcomes", value, b"id", partition=partition)
        producer.flush(10)

    yield send
    producer.close(timeout=5)


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def searched(first, last):
    return [
        encode(outcome([page([shown("a", 1)], search=f"s{n}")], [act("a", search=f"s{n}")], search=f"s{n}")) for n in range(first, last)
    ]


def test_models_arrive_and_a_publisher_that_starts_again_gives_the_same(publisher, send, read_all):
    memory = MemorySubscriber(publisher.bootstrap, reading=Reading())
    reader = PolicySubscriber(publisher.bootstrap, start=OURS, memory=memory)

    def earned():
        content = reader._view.content
        return None if content is None else [unpack(one, what="x").tolist() for name, one in content.arrays.items() if name == "toy.earned"]

    first = publisher()
    until(lambda: earned() == [])  # selection is published without waiting for models
    send(0, *searched(0, 30))
    send(1, *searched(30, 49), b"{", *searched(30, 49))
    until(lambda: "1 conclusions so far are refused, the last: partition 1" in publisher.log(0))
    time.sleep(0.6)
    assert earned() == []
    send(1, *(encode(amendment(act("a", "purchase", search=f"s{n}"))) for n in (3, 49)), *searched(49, 50))
    until(lambda: earned() == [[50, 50 * 256 + 2 * 1024]])
    assert memory.current().reading.theta == (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    before, seq = reader._view.content, reader.current().seq

    first.kill()
    publisher()
    until(lambda: "models are fitted to 50 finals, of 50 seen" in publisher.log(1))
    send(0, *searched(50, 99))
    time.sleep(1.0)
    assert (reader.current().seq, reader._view.content) == (seq, before)  # the same content: nothing was to be published
    send(1, *searched(99, 100))
    until(lambda: earned() == [[100, 100 * 256 + 2 * 1024]])
    content = reader._view.content
    assert content.arrays["toy.weights"] is before.arrays["toy.weights"]
    parts = [one.key for one in read_all("policy.snapshots") if one.key.startswith(b"part/")]
    large = {f"part/{part.sha256}".encode() for part in content.arrays["toy.weights"].parts}
    assert len(large) == 2
    assert sum(key in large for key in parts) == 2  # sent once for four contents and two publishers
    assert np.isfinite(unpack(content.arrays["toy.weights"], what="weights")).all()
    assert (reader.staleness().refused, reader.staleness().last_error) == (0, "")
    reader.close()
    memory.close()
