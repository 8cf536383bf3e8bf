"""A whole loop over TLS, SASL/SCRAM and ACLs, each part as the user of its role; and what becomes of those who may not."""

import asyncio
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import secured
from aiokafka import AIOKafkaProducer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaProducer
from kafka.errors import TopicAuthorizationFailedError

from learners.definition import ArmSpec, Definition
from memory_index.q2e import Reading
from schemas.errors import NotAllowed, NotFound, Unavailable
from schemas.snapshots import Command
from schemas.topics import TOPICS
from streams import admin
from streams.access import ROLES, acl_lines, require, rights
from streams.clients import connect
from streams.faust_app.security import aiokafka_settings, faust_credentials
from streams.producer import EventProducer
from streams.publishing.publications import place_order
from streams.reading.tail import follow
from streams.subscriber import MemorySubscriber, PolicySubscriber

ROOT = Path(__file__).parents[2]
CANARY = "cAnArY"
USERS = {name: f"{CANARY}-{name}" for name in ("admin", *ROLES, "nobody", "late")}
READING = Reading(theta=(1.0, 0.5, 0.5, 0.5, 0.5, 0.5), min_clients=1)
START = Definition(arms=[ArmSpec.of("lexical")])
pytestmark = pytest.mark.timeout(180)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """The secured broker, with the rights of each role given to a user of that name, and the topics made by the operator."""
    folder = tmp_path_factory.mktemp("secured")
    made = secured.start(folder, USERS, certificates=["search"])
    for role in ROLES:
        made.allow(f"User:{role}", rights(role), security=made.user("admin", USERS["admin"]))
    made.allow("User:CN=search", rights("search"), security=made.user("admin", USERS["admin"]))
    assert len(admin.create_topics(made.scram, 2, security=made.user("operator", USERS["operator"]))) == len(TOPICS)
    yield made
    secured.broker.kill(folder)


@pytest.fixture
def as_user(node):
    return lambda name: node.user(name, USERS[name])


@pytest.fixture
def environment(node, tmp_path):
    """What an operator would set for a process of a user; the password stands in a file, as container platforms mount it."""

    def settings(name, password="", **more):
        mounted = tmp_path / f"{name}.password"
        mounted.write_text((password or USERS[name]) + "\n")
        return {
            "FORAGE_BOOTSTRAP": node.scram, "FORAGE_SECURITY_PROTOCOL": "SASL_SSL", "FORAGE_CA_FILE": str(node.folder / "ca.pem"),
            "FORAGE_SASL_MECHANISM": "SCRAM-SHA-512", "FORAGE_SASL_USERNAME": name, "FORAGE_SASL_PASSWORD_FILE": str(mounted),
            "FORAGE_CLIENT_KEY": f"{CANARY}-key", "FORAGE_DATA_DIR": str(tmp_path / "var"), **more,
        }  # fmt: skip

    return settings


def worker(role: str, settings: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "ops.cli", "worker", "--role", role]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FORAGE_")} | settings
    with log.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)


def page(search: str) -> dict[str, object]:
    shown = [{"entity_id": entity, "position": at, "sources": []} for at, entity in enumerate(("a", "b"), start=1)]
    return {
        "type": "impression", "search_id": search, "page": 1, "ts": int(time.time() * 1000), "client_id": f"person-{CANARY}",
        "query": {"text": f"halo {CANARY}"}, "feature_schema": "f", "results": shown,
    }  # fmt: skip


def click(search: str) -> dict[str, object]:
    return {
        "type": "action",
        "action_id": f"c-{search}",
        "search_id": search,
        "ts": int(time.time() * 1000),
        "kind": "click",
        "entity_id": "a",
    }


def listening(pid: int) -> list[str]:
    """Addresses at which a process listens: its sockets, found among the host's listening ones."""
    inodes = {link.split("[")[1].rstrip("]") for link in _links(Path(f"/proc/{pid}/fd")) if link.startswith("socket:[")}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def _links(folder: Path) -> list[str]:
    found = []
    for path in folder.iterdir():
        try:
            found.append(os.readlink(path))
        except FileNotFoundError:
            continue
    return found


def test_the_loop_runs_with_the_least_rights_of_each_role_listens_nowhere_and_keeps_to_itself(node, as_user, environment, tmp_path):
    """Search sends and reads, the worker joins, the publisher publishes; every process as a user that may do nothing else."""
    logs = {role: tmp_path / f"{role}.log" for role in ("stream", "publisher")}
    running = [worker(role, environment("worker" if role == "stream" else role), log) for role, log in logs.items()]
    try:
        with closing(EventProducer(node.scram, spill=tmp_path / "spill", security=as_user("search"))) as producer:
            for number in range(20):
                assert producer.impression(page(f"s{number}"))
                assert producer.action(click(f"s{number}"))
            assert producer.flush(60), producer.counters()
        memory = MemorySubscriber(node.scram, reading=READING, security=as_user("search"))
        policy = PolicySubscriber(node.scram, start=START, security=as_user("search"))
        with closing(memory), closing(policy):
            until(lambda: memory.current().lookup(f"halo {CANARY.lower()}", "", ["a"])[0].clients)
            until(lambda: policy.content() is not None)
            assert policy.staleness().last_error == memory.staleness().last_error == ""
        assert [one.poll() for one in running] == [None, None]
        assert [listening(one.pid) for one in running] == [[], []]
        assert len(listening(int((node.folder / "pid").read_text()))) == 4  # the broker's: this would be seen
        folder = tmp_path / "var" / "worker"
        assert [stat.S_IMODE(place.stat().st_mode) for place in (folder, tmp_path / "spill")] == [0o700, 0o700]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("partition-*.duckdb*")} == {0o600}
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        codes = [one.wait(60) for one in running]
    told = "".join(log.read_text() for log in logs.values())
    assert codes == [0, 0], told
    assert CANARY.lower() not in told.lower()  # no secret, nobody's id, nobody's query


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(node, as_user, role):
    """The broker's own answer about every topic and operation."""
    table = {right.name: set(right.operations) | {"DESCRIBE"} for right in rights(role) if right.kind == "topic"}
    with admin.connected(node.scram, as_user(role)) as client:
        said = {one["name"]: set(one["authorized_operations"] or ()) for one in client.describe_topics([topic.name for topic in TOPICS])}
    assert {name: operations for name, operations in said.items() if operations} == table
    require(node.scram, role, security=as_user(role))
    lines = acl_lines(role, "User:x", bootstrap=node.scram)
    assert len(lines) == len(rights(role))
    assert [line.split("--add")[1] for line in acl_lines("producer", "User:x", bootstrap=node.scram)] == [
        f" --allow-principal User:x --operation Write --topic {name}" for name in ("search.impressions", "search.actions")
    ]


@pytest.mark.parametrize(
    ("role", "topics"),
    [
        ("search", ["policy.snapshots", "memory.q2e", "state.shares", "control"]),
        ("worker", ["policy.snapshots", "control", "catalog.entities"]),
        ("publisher", ["search.impressions", "state.shares", "control"]),
    ],
)
def test_what_a_role_must_not_write_is_refused(node, as_user, role, topics):
    producer = connect(KafkaProducer, node.scram, security=as_user(role), enable_idempotence=False, max_block_ms=10_000)
    for topic in topics:
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send(topic, b"x", b"manifest").get(10)
    producer.close(timeout=5)


def test_who_may_not_gets_told_what_is_missing_and_where_to_find_it(node, as_user):
    with pytest.raises(NotAllowed, match=r"role worker needs: Read on topic search.impressions.*Read on group forage; `forage topics acls"):
        require(node.scram, "worker", security=as_user("search"))
    with pytest.raises(NotAllowed, match=r"may not look at .*control.*forage topics acls"):
        admin.check_topics(node.scram, security=as_user("search"))
    with pytest.raises(NotAllowed, match=r"may not see the settings of search.impressions, search.actions; `forage topics acls"):
        admin.inputs_of(node.scram, security=as_user("search"))
    with pytest.raises(NotAllowed, match="forage topics acls"):
        admin.create_topics(node.scram, 2, security=as_user("nobody"))
    with (
        pytest.raises(NotFound, match=r"or this user may not see it.*forage topics acls"),
        closing(follow(node.scram, "state.shares", from_start=True, security=as_user("search"))) as records,
    ):
        next(records)
    with pytest.raises(Unavailable, match="forage topics acls"):
        place_order(node.scram, Command(command_id="c", action="pin", ts=1), security=as_user("publisher"))


def test_events_wait_for_rights_that_are_given_later(node, as_user, tmp_path):
    producer = EventProducer(node.scram, spill=tmp_path / "spill", security=as_user("late"))
    assert producer.impression(page("late"))
    until(lambda: "forage topics acls" in producer.counters().last_error)
    assert producer.counters().failed == 0
    node.allow("User:late", rights("producer"), security=as_user("admin"))
    assert producer.flush(60), producer.counters()
    assert producer.counters().sent == 1
    producer.close()


@pytest.mark.parametrize("how", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "certificate"])
def test_every_client_of_every_library_gets_in_by_every_way(node, how):
    """kafka-python, aiokafka, and Faust, which makes aiokafka clients of its credentials."""
    address = node.mutual if how == "certificate" else node.scram
    given = node.certificate("search") if how == "certificate" else node.user("worker", USERS["worker"], how)
    assert (
        admin.topic_ids(address, ["search.impressions"], security=given)
        if how != "certificate"
        else not require(address, "search", security=given)
    )

    async def ask() -> set[int]:
        client = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=False, **aiokafka_settings(given))
        await client.start()
        try:
            return set(await client.partitions_for("search.impressions"))
        finally:
            await client.stop()

    assert asyncio.run(ask()) == {0, 1}
    ours, faust = aiokafka_settings(given), dict(credentials_to_aiokafka_auth(faust_credentials(given)))
    assert {name: value for name, value in faust.items() if name != "ssl_context"} == {n: v for n, v in ours.items() if n != "ssl_context"}
    assert faust["ssl_context"].verify_mode is ours["ssl_context"].verify_mode
    assert CANARY not in f"{ours} {faust}"


def test_a_plain_broker_needs_no_settings():
    assert aiokafka_settings({}) == {}
    assert faust_credentials({}) is None


def wrong(node, name):
    """Address and settings of a client that cannot get in: (address, security)."""
    right = node.user("search", USERS["search"])
    return {
        "password": (node.scram, right | {"sasl_plain_password": f"{CANARY}-wrong"}),
        "authority": (node.scram, right | {"ssl_cafile": str(node.folder / "other.pem")}),
        "address": (f"127.0.0.1:{secured.ready.free_ports(1)[0]}", right),
    }[name]


WHY = {
    "password": "does not let user 'search' in; correct sasl_plain_username and sasl_plain_password",
    "authority": "its certificate is not trusted (unable to get local issuer certificate); give its CA's certificate",
    "address": "Connection refused; is it running",
}


@pytest.mark.parametrize("trouble", WHY)
def test_who_cannot_get_in_is_told_why_and_what_is_printed_holds_no_secret(node, trouble, tmp_path, caplog, capfd):
    """Every client, with all that libraries log at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    address, security = wrong(node, trouble)
    producer = EventProducer(address, spill=tmp_path / "spill", security=security)
    assert producer.impression(page("s"))
    policy = PolicySubscriber(address, start=START, security=security)
    memory = MemorySubscriber(address, reading=READING, security=security)
    said = []
    calls = [
        lambda: admin.check_topics(address, security=security),
        lambda: next(follow(address, "control", from_start=True, security=security)),
        lambda: place_order(address, Command(command_id="c", action="pin", ts=1), security=security),
    ]
    for call in calls if trouble != "address" else []:  # each would wait 5 s for a broker that is not there
        with pytest.raises(Unavailable) as refused:
            call()
        said.append(str(refused.value))
    for newest in (lambda: producer.counters().last_error, lambda: policy.staleness().last_error, lambda: memory.staleness().last_error):
        until(newest)
        said.append(newest())
    policy.close()
    memory.close()
    assert not producer.close(0.5)
    assert producer.counters().queued == 1  # kept on disk
    assert [text for text in said if WHY[trouble] not in text] == []
    printed = capfd.readouterr()
    assert CANARY not in "".join(
        [*said, caplog.text, printed.out, printed.err, repr(producer), repr(policy), repr(security["sasl_mechanism"])]
    )
    assert f"person-{CANARY}" in "".join(path.read_text() for path in (tmp_path / "spill").glob("*.spill"))


COMMANDS = {"doctor": ["doctor"], "check": ["topics", "check"], **{role: ["worker", "--role", role] for role in ("stream", "publisher")}}
DRIVER = """
import json, os, sys
from typer.testing import CliRunner
from ops.cli import app
for words, environment in json.load(sys.stdin):
    done = CliRunner().invoke(app, words, env=environment)
    print(json.dumps([done.exit_code, done.stdout, done.stderr + (repr(done.exception) if done.exit_code != 1 else "")]))
"""


def test_commands_that_cannot_get_in_end_with_one_clear_line(node, environment):
    """All in one process, which has no other secrets to print. A publisher waits for a broker that is away, so it is left out there."""
    asked = [(name, trouble) for name in COMMANDS for trouble in WHY if trouble != "address" or name in ("doctor", "stream")]
    sent = []
    for name, trouble in asked:
        address, security = wrong(node, trouble)
        password, ca = str(security["sasl_plain_password"]), str(security["ssl_cafile"])
        variables = environment("search", password, FORAGE_CA_FILE=ca, FORAGE_BOOTSTRAP=address, FORAGE_SASL_PASSWORD_FILE="")
        sent.append((COMMANDS[name], variables | {"FORAGE_SASL_PASSWORD": password}))
    done = subprocess.run([sys.executable, "-c", DRIVER], input=json.dumps(sent), capture_output=True, text=True, cwd=ROOT, timeout=150)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [code for code, _, _ in answers] == [1] * len(asked), answers
    for (name, trouble), (_, out, err) in zip(asked, answers, strict=True):
        if name == "doctor":
            assert [line.split(":")[0] for line in out.splitlines() if line.startswith("problem")] == ["problem  broker"], out
        else:
            assert [WHY[trouble] in line for line in err.splitlines() if line.startswith("error: ")] == [True], err
    assert CANARY not in done.stdout + done.stderr


def test_a_worker_without_its_rights_ends_at_once_and_names_them(node, environment, tmp_path):
    running = worker("stream", environment("search"), tmp_path / "log")
    assert running.wait(60) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "does not allow this user what the role worker needs: Read on topic search.impressions" in line
    assert line.endswith("`forage topics acls --role worker --principal User:NAME` prints the lines that allow it")
