"""A server on a real broker with a real worker, over HTTP: a click becomes memory and policy, an order is obeyed, an outage is survived."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import Request as Http
from urllib.request import urlopen

import pytest
from kafka import KafkaProducer

from ops.definitions import definition
from ops.serving.opening import makers_of, opened
from ops.serving.running import Server
from ops.serving.subscribed import SubscribedBackend
from ops.settings import Settings
from schemas.codec import encode
from serving.outcomes import OutcomeSums
from tests.checks.serving import GAMES, STRATEGIES, counted, until
from tests.learners.settled import act, outcome, page, shown

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0


class Client:
    """Somebody at the API of a server."""

    def __init__(self, server, name):
        self._server, self.name = server, name

    def post(self, path, plain):
        url = f"{self._server.url}{path}"
        request = Http(url, json.dumps(plain).encode(), {"content-type": "application/json"})
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def search(self, text):
        return self.post("search", {"query": text, "client_id": self.name})

    def click(self, found):
        first = found["results"][0]["entity_id"]
        click = {
            "type": "action", "schema_version": 1, "action_id": f"a-{found['search_id']}", "search_id": found["search_id"], "kind": "click",
            "entity_id": first, "position": 1, "token": found["token"],
        }  # fmt: skip
        return first, self.post("events", {"client_id": self.name, "events": [click]})


@pytest.fixture
def worker(fresh_topics, tmp_path):
    """A worker with its publisher; gives the broker's address."""
    bootstrap = fresh_topics(2)
    environment = {
        **os.environ, "FORAGE_BOOTSTRAP": bootstrap, "FORAGE_DATA_DIR": str(tmp_path / "worker"), "FORAGE_STRATEGIES": ",".join(STRATEGIES),
    }  # fmt: skip
    with (tmp_path / "worker.log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "ops.cli", "worker"], env=environment, cwd=ROOT, stdout=log, stderr=log)
    yield bootstrap
    process.terminate()
    process.wait(30)


@contextmanager
def serving(bootstrap, folder, told=lambda one: None):
    config = replace(Settings(), bootstrap=bootstrap, data=folder)
    defined = definition(STRATEGIES, always=("lexical",))
    backend = SubscribedBackend(
        GAMES, defined, bootstrap=bootstrap, folder=folder / "serve", makers=makers_of(STRATEGIES, config), on_conclusion=told
    )
    with opened(backend, config, name="games", outcomes=OutcomeSums()) as site:
        server = Server(site, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until(lambda: server.answers)
            yield backend, server
        finally:
            server.end()
            thread.join()


def lacking(backend):
    return {one.what for one in backend.troubles()}


def test_a_click_over_http_becomes_memory_and_policy_and_outlives_an_outage(worker, node, tmp_path):
    with serving(worker, tmp_path) as (backend, server):
        anna, bert = Client(server, "anna"), Client(server, "bert")
        found = anna.search("halo")
        entity, answer = anna.click(found)
        assert answer == {"accepted": 1, "duplicates": 0, "refused": []}
        until(lambda: counted(backend, "halo").get(entity) == (1, 1), PATIENCE)
        until(lambda: backend.view().policy.seq > 0 and backend.versions(), PATIENCE)
        before = backend.view().policy.seq
        _, answer = bert.click(bert.search("halo"))
        until(lambda: backend.view().policy.seq > before, PATIENCE)  # swapped while it runs
        assert lacking(backend) == set()
        assert bert.search("halo")["decision"]["seq"] > before

        oldest = backend.versions()[0].content_id
        said = backend.order("rollback", oldest[:12], reason="test")
        assert said.startswith(f"Version {oldest[:12]} is in use")
        until(lambda: backend.view().policy.content_id == oldest)
        assert backend.versions()[-1].pinned

        node.stop()
        until(lambda: "broker" in lacking(backend), PATIENCE)
        away = anna.search("halo")
        assert away["results"]
        assert "broker" in away["degraded"]
        clicked, answer = anna.click(away)
        assert answer["accepted"] == 1
        node.start()
        until(lambda: lacking(backend) == set(), PATIENCE)
        until(lambda: sum(acted for _, acted in counted(backend, "halo").values()) == 3, PATIENCE)
        assert counted(backend, "halo")[clicked][1] >= 1


def test_without_a_broker_it_answers_and_catches_up(node, fresh_topics, tmp_path):
    bootstrap = fresh_topics(2)
    node.stop()
    with serving(bootstrap, tmp_path) as (backend, server):
        anna = Client(server, "anna")
        found = anna.search("halo")
        assert found["results"]
        assert {"policy", "memory"} <= set(found["degraded"])
        assert anna.click(found)[1]["accepted"] == 1
        node.start()
        until(lambda: lacking(backend) == {"policy"}, PATIENCE)  # no worker: nothing was published
        until(lambda: backend.wait(0.0), PATIENCE)


def test_conclusions_of_the_last_day_are_heard(fresh_topics, tmp_path):
    bootstrap, told = fresh_topics(2), []
    producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)

    def send(partition, name):
        one = outcome([page([shown("a", 1)], search=name)], [act("a", search=name)], search=name)
        producer.send("search.outcomes", encode(one), b"id", partition=partition)
        producer.flush(10)

    send(0, "before")
    producer.send("search.outcomes", b"{", b"id", partition=1)
    with serving(bootstrap, tmp_path, told.append) as (backend, _):
        until(lambda: [one.search_id for one in told] == ["before"], PATIENCE)
        send(1, "after")
        until(lambda: [one.search_id for one in told] == ["before", "after"], PATIENCE)
        assert {one.name: one.count for one in backend.flow().stages}["learned"] == 2
    producer.close(timeout=5)
