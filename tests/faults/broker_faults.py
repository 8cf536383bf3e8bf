"""Faults 7 to 12: the broker is away, refuses, loses answers, leads from elsewhere, or is slow."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ConfigResource, ConfigResourceType, ResourcePattern, ResourceType
from kafka.errors import KafkaConnectionError
from nodes import beside, proxied
from producing import arrived
from scenarios import Run, Scenario

from ops import broker
from schemas.events import Action
from schemas.topics import ACTIONS, MEMORY, OUTCOMES, SHARES, TOPICS
from streams.clients import connect
from streams.producer import EventProducer

SENT_TO = [topic.name for topic in (MEMORY, SHARES, OUTCOMES)]
REFUSED = 4.0  # s
SILENT = 11.0  # s: longer than the request timeout of workers (10) and of the load (5)
COMMIT_ERRORS = {
    27: "RebalanceInProgress",
    22: "IllegalGeneration",
    25: "UnknownMemberId",
    16: "NotCoordinator",
    15: "CoordinatorNotAvailable",
}


def ask(run: Run, question: Callable[[Any], Any]) -> Any:
    """What an admin client answers; asked again while nodes that have just gone are still spoken of."""
    for left in range(40, -1, -1):
        try:
            with closing(connect(KafkaAdminClient, run.bootstrap)) as admin:
                return question(admin)
        except KafkaConnectionError:
            if not left:
                raise
            time.sleep(0.25)


def broker_stop(run: Run, seconds: float) -> None:
    run.wait(seconds / 4)
    broker.stop(run.node)
    run.wait(30.0)
    _start_broker(run)


def broker_kill(run: Run, seconds: float) -> None:
    run.wait(seconds / 3)
    broker.kill(run.node)
    _start_broker(run)


def _start_broker(run: Run) -> None:
    broker.start(run.node)
    up = time.time()
    if run.until(lambda: run.applied.look().last > up, 30.0):
        run.notes["seconds from the broker's start to the next transaction"] = min(at for at in run.applied.times if at > up) - up


def commits_refused(run: Run, seconds: float) -> None:
    """The broker's answers to the commits of one worker are altered; the other one is put out of the group while batches are under way."""
    run.wait(seconds / 2)
    run.fleet.freeze("b")
    run.wait(8.0)
    run.fleet.thaw("b")
    for code, name in COMMIT_ERRORS.items():
        run.must(f"a commit is answered with {name}", lambda code=code: run.fleet.logged(b"commit answered with %d" % code) > 0, 15.0)


def alter_commits(run: Run) -> None:
    run.fleet.of_slot["a"] = {"FAULT": f"commit:{','.join(map(str, COMMIT_ERRORS))}"}


def answers_lost(run: Run, seconds: float) -> None:
    """The broker appends, and nobody hears of it: neither the workers nor the load."""
    for how, lasts in (("reset", 3.0), ("silence", SILENT)):
        run.wait(seconds / 6)
        run.proxy.lose, lost = how, run.proxy.lost
        run.wait(lasts)
        run.proxy.lose = ""
        if run.proxy.lost == lost:
            run.wrong.append(f"no answer was lost ({how})")
    run.notes["answers to produce requests lost"] = run.proxy.lost


def behind_proxy(run: Run) -> None:
    run.proxy = run.ends.enter_context(proxied(run.node))
    run.fleet.bootstrap = run.proxy.address


def load_too(run: Run) -> None:
    behind_proxy(run)
    run.sends_to = run.proxy.address


def slow(run: Run, seconds: float) -> None:
    """One second each way: nobody may be taken for dead, and work goes on."""
    run.wait(seconds / 5)
    owned, before = run.fleet.logged(b" owned: epoch"), run.applied.look().times
    done = len(before)
    run.proxy.delay = 1.0
    run.wait(seconds * 0.6)
    run.proxy.delay = 0.0
    run.notes["transactions while the broker was slow"] = len(run.applied.look().times) - done
    if run.fleet.logged(b" owned: epoch") > owned:
        run.wrong.append("a slow broker cost a worker its partitions")
    if len(run.applied.times) == done:
        run.wrong.append("no transaction while the broker was slow")


def refusals(run: Run, seconds: float) -> None:
    """Topics take no message of ours for a while, first for its size, then for lack of rights."""
    run.wait(seconds / 5)
    run.must("workers are refused for size", lambda: refused(run, b"MessageSizeTooLarge", too_large), 15.0)
    run.wait(seconds / 5)
    run.must("workers are refused for rights", lambda: refused(run, b"TopicAuthorizationFailed", forbidden), 15.0)


def refused(run: Run, error: bytes, refusing: Callable[[Run], Callable[[], None]]) -> bool:
    before, undo = run.fleet.logged(error), refusing(run)
    try:
        run.wait(REFUSED)
    finally:
        undo()
    return run.fleet.logged(error) > before


def too_large(run: Run, topics: Mapping[str, object] | list[str] = SENT_TO) -> Callable[[], None]:
    """The topics take only messages of 100 bytes; what it returns sets that back."""
    name = "max.message.bytes"
    now = ask(
        run, lambda admin: admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, one) for one in topics], config_filter="all")
    )
    before = {topic: config[name]["value"] for topic, config in now["topic"].items()}

    def set_to(sizes: Mapping[str, str]) -> None:
        changes = [ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: size}) for topic, size in sizes.items()]
        ask(run, lambda admin: admin.alter_configs(changes))

    set_to(dict.fromkeys(topics, "100"))
    return lambda: set_to(before)


def forbidden(run: Run, topics: list[str] = SENT_TO) -> Callable[[], None]:
    """Nobody may write to the topics, everybody may do everything else; what it returns takes that back."""
    kinds = ((ACLOperation.ALL, ACLPermissionType.ALLOW), (ACLOperation.WRITE, ACLPermissionType.DENY))
    patterns = [ResourcePattern(ResourceType.TOPIC, topic) for topic in topics]
    acls = [ACL("User:*", "*", operation, permission, pattern) for pattern in patterns for operation, permission in kinds]
    ask(run, lambda admin: admin.create_acls(acls))
    filters = [ACLFilter("User:*", "*", one.operation, one.permission_type, one.resource_pattern) for one in acls]
    return lambda: ask(run, lambda admin: admin.delete_acls(filters))


def producer_recovers(run: Run) -> list[str]:
    """The same two refusals for an event producer: what is too large stands in a file, what was forbidden waits, all else arrives."""
    topics, spill, offered, too_large_then = [ACTIONS.name], run.folder / "spill", 0, set[int]()
    producer = EventProducer(run.bootstrap, spill=spill)

    def offer() -> set[int]:
        nonlocal offered
        offered += 100
        for number in range(offered - 100, offered):
            producer.action(Action(action_id="1", search_id=f"produced-{number}", ts=1, kind="click", entity_id="e"))
        return set(range(offered - 100, offered))

    for refusing in (too_large, forbidden):
        offer()
        producer.flush(20.0)
        undo = refusing(run, topics)
        during = offer()
        if producer.flush(REFUSED) is not (refusing is too_large):
            run.wrong.append(f"{refusing.__name__}: {producer.counters()}")
        undo()
        offer()
        too_large_then |= during if refusing is too_large else set()
    closed, counters = producer.close(30.0), producer.counters()
    lines = (spill / "events.rejected").read_text().splitlines()
    rejected = {int(json.loads(line)["key"].removeprefix("produced-")) for line in lines}
    run.notes |= {"events offered to an EventProducer": offered, "too large, in its file": len(rejected)}
    if not closed or counters.sent + counters.failed != offered or not rejected <= too_large_then:
        return [f"an event producer did not recover: {counters}, {len(rejected)} rejected"]
    return [f"{len(lost)} events lost"] if (lost := set(range(offered)) - rejected - arrived(run)) else []


def leader_moves(run: Run, seconds: float) -> None:
    """Of three replicas one is stopped and one killed, each a leader of a third; after each the leaders go home."""
    for number, end in ((2, broker.stop), (3, broker.kill)):
        run.wait(seconds / 6)
        end(run.nodes[number])
        run.must(f"node {number} leads nothing", lambda number=number: not _led(run, number), 20.0)
        run.wait(seconds / 8)
        broker.start(run.nodes[number])
        run.must(f"node {number} leads again", lambda number=number: _go_home(run, number), 30.0)


def three_nodes(run: Run) -> None:
    """Every partition of ours on three nodes, the first replicas in turn."""
    run.ends.callback(lambda: run.until(lambda: _nodes(run) == 1, 30.0))  # after they have been ended
    run.nodes = run.ends.enter_context(beside(run.node, (2, 3)))
    counts = {topic.name: run.partitions if topic.co_partitioned else 1 for topic in TOPICS}
    places = {TopicPartition(topic, n): [(n + at) % 3 + 1 for at in (1, 2, 0)] for topic, count in counts.items() for n in range(count)}
    run.must("three nodes are there", lambda: _nodes(run) == 3, 30.0)
    ask(run, lambda admin: admin.alter_partition_reassignments(places))
    run.must("replicas are there", lambda: not ask(run, lambda admin: admin.list_partition_reassignments()), 60.0)
    run.must("node 2 leads a third", lambda: _go_home(run, 2), 30.0)


def _nodes(run: Run) -> int:
    return len(ask(run, lambda admin: admin.describe_cluster())["brokers"])


def _led(run: Run, number: int) -> int:
    """How many partitions of ours the node leads."""
    topics = ask(run, lambda admin: admin.describe_topics([topic.name for topic in TOPICS]))
    return sum(part["leader_id"] == number for topic in topics for part in topic["partitions"])


def _go_home(run: Run, number: int) -> bool:
    ask(run, lambda admin: admin.elect_leaders(0, raise_errors=False))
    return _led(run, number) > 10


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("broker-stop", "the broker stopped, 30 s away, started", 40, broker_stop, numbers=(7,)),
    Scenario("broker-kill", "the broker killed and started", 20, broker_kill, numbers=(7,)),
    Scenario("commits-refused", f"commits answered with {', '.join(COMMIT_ERRORS.values())}; a member put out for 8 s", 20, commits_refused,
             numbers=(8,), before=alter_commits),
    Scenario("answers-lost", f"answers to produce requests lost after the append: connections cut for 3 s, silence for {SILENT:.0f} s", 24,
             answers_lost, numbers=(9,), before=load_too),
    Scenario("refused", f"max.message.bytes of 100, then ACLs that deny writing, {REFUSED:.0f} s each; then for an EventProducer", 20,
             refusals, numbers=(10,), judge=producer_recovers),
    Scenario("leader-moves", "three replicas; one node stopped, one killed, each started again and made leader again", 26, leader_moves,
             numbers=(11,), before=three_nodes),
    Scenario("slow-broker", "a proxy before the broker delays everything by 1 s each way", 20, slow, numbers=(12,), before=behind_proxy),
)  # fmt: skip
