"""The metrics of a running worker, read as Prometheus reads them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from urllib.request import urlopen

import pytest
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from ops.kafka.ready import free_ports
from ops.telemetry import PUBLISHER, WORKER
from streams.clients import connect

ROOT = Path(__file__).resolve().parents[2]


def scrape(port):
    """{(name, labels): value}; empty while nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}


def names(values):
    """Ours, of histograms that of the whole."""
    return {re.sub(r"(_bucket|_count|_sum)$", "", name) for name, *_ in values if name.startswith("forage_")}


def until(what, process, *, patience=60.0):
    end = time.monotonic() + patience
    while not what():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.timeout(150)
def test_a_running_worker_shows_every_metric_and_no_other(fresh_topics, tmp_path):
    bootstrap = fresh_topics(2)
    (port,) = free_ports(1)
    environment = {**os.environ, "FORAGE_BOOTSTRAP": bootstrap, "FORAGE_DATA_DIR": str(tmp_path), "FORAGE_METRICS": str(port)}
    environment |= {"FORAGE_GROUP": "metrics", "FORAGE_LOG_FORMAT": "json", "PYTHONPATH": str(ROOT)}
    log = (tmp_path / "log").open("wb")
    command = [sys.executable, "-m", "ops.cli", "worker", "--instance", "m1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    try:
        producer = connect(KafkaProducer, bootstrap, enable_idempotence=False)
        for number, (topic, partition) in enumerate(product(("search.impressions", "search.actions"), (0, 1))):
            producer.send(topic, b"broken %d" % number, partition=partition)
        producer.flush()
        producer.close()
        until(lambda: scrape(port).get(("forage_quarantined_total", "invalid")) == 4, process)
        until(lambda: ("forage_lag_records", "1", "impressions") in scrape(port), process)  # the watchdog has asked the broker
        values = scrape(port)
        assert names(values) == set(WORKER)
        assert values["forage_worker_info", "0.1.0", "m1"] == 1
        assert values["forage_owned_partitions",] == 2
        assert values["forage_rebalances_total",] >= 1
        assert (values["forage_stalled_seconds",], values["process_open_fds",] > 10) == (0, True)
        assert all(values["forage_lag_records", str(number), "impressions"] <= 3 for number in (0, 1))
        until(lambda: scrape(port + 1).get(("forage_policy_seq",), 0) >= 1, process)
        assert names(scrape(port + 1)) == set(PUBLISHER)
        second = subprocess.run(command, cwd=ROOT, env={**environment, "FORAGE_METRICS": ""}, capture_output=True, text=True, timeout=60)
        assert (second.returncode, "a worker named m1 runs already" in second.stderr) == (1, True)
        assert "publisher" not in second.stderr  # none was started beside it
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        log.close()
    roles = {json.loads(line)["role"] for line in (tmp_path / "log").read_text().splitlines()}
    assert roles == {"stream", "publisher"}
