"""Where no broker can run, ops.broker says what to install. (That it starts, stops and is killed is seen in tests/broker.)"""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ops import broker
from ops.kafka import ready
from schemas.errors import Unavailable

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


def test_without_java_and_docker_it_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"neither Java with Maven nor a running Docker.*install Java 17 or newer and Maven.*or Docker"):
        broker.start(tmp_path / "node")


def test_a_folder_without_jars_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("FORAGE_KAFKA_LIBS", str(tmp_path))
    with pytest.raises(Unavailable, match=r"holds no kafka_\*\.jar; unset it"):
        broker.jars()


def test_a_broker_that_dies_at_start_shows_the_end_of_its_log(tmp_path, monkeypatch):
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "server.properties").write_text("process.roles=nonsense\nlisteners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n")
    with pytest.raises(Unavailable, match=r"(?s)start\.sh failed with code 1.*did not answer.*process\.roles"):
        broker.start(folder)


def test_stopping_what_does_not_run_is_no_error_even_if_the_number_now_belongs_to_another_process(tmp_path):
    broker.stop(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "pid").write_text(str(other.pid))
    broker.kill(tmp_path)
    assert other.poll() is None
    other.communicate(b"\n")


def test_a_port_that_listens_but_is_no_broker_is_not_taken_for_one():
    (free,) = ready.free_ports(1)
    assert not ready.answers(free)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not ready.wait(silent.getsockname()[1], seconds=0.5)


def test_docker_compose_describes_the_same_node_as_the_template():
    template = (Path(broker.__file__).parent / "kafka" / "server.properties.template").read_text()
    wanted = dict(line.split("=", 1) for line in template.splitlines() if line and not line.startswith("#"))
    compose = dict(line.strip().split(": ", 1) for line in COMPOSE.read_text().splitlines() if line.strip().startswith("KAFKA_"))
    addresses = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}  # the container's own
    addresses |= {"listener.security.protocol.map", "inter.broker.listener.name"}  # it has one listener more, for other containers
    for name, value in wanted.items():
        given = compose["KAFKA_" + name.upper().replace(".", "_")].strip('"')
        assert name in addresses or given == value


def test_by_hand_it_starts_or_stops_and_takes_a_port_that_is_a_number(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORAGE_KAFKA_PORT", "kafka")
    assert (broker.main(["stop"]), broker.main([]), broker.main(["start"])) == (0, 1, 1)
    assert capsys.readouterr().err.splitlines() == [
        "error: say what to do: python -m ops.broker start, or python -m ops.broker stop",
        "error: FORAGE_KAFKA_PORT is kafka: must be a number; leave it out for 9092",
    ]
