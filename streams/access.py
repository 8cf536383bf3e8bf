"""Who may do what: the least rights of each role on the broker, as one table. ACLs are printed from it, tests apply it, and workers ask the
broker at their start whether they have them."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kafka.errors import GroupAuthorizationFailedError, RetriableError, TopicAuthorizationFailedError

from schemas.errors import InvalidSetting, NotAllowed
from schemas.topics import ACTIONS, CATALOG, CONTROL, ERASURES, IMPRESSIONS, MEMORY, OUTCOMES, POLICY, QUARANTINE, SHARES, TOPICS, Topic
from streams.admin import connected
from streams.clients import Security

Role = Literal["producer", "search", "worker", "publisher", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)
# Kafka's: READ, WRITE, CREATE, DELETE and ALTER bring DESCRIBE with them.
Operation = Literal["READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS"]
_TOPICS: dict[Role, dict[tuple[Operation, ...], Sequence[Topic]]] = {
    "producer": {("WRITE",): (IMPRESSIONS, ACTIONS)},
    "search": {("WRITE",): (IMPRESSIONS, ACTIONS), ("READ",): (POLICY, MEMORY, CATALOG)},
    "worker": {
        ("READ", "WRITE", "DESCRIBE_CONFIGS"): (IMPRESSIONS, ACTIONS),  # writes: ticks, and what came on the wrong partition
        ("WRITE",): (QUARANTINE,),
        ("READ", "WRITE"): (SHARES, MEMORY, OUTCOMES, ERASURES),  # reads: epochs of former owners, what erased people contributed
    },
    "publisher": {("READ",): (SHARES, OUTCOMES), ("READ", "WRITE"): (POLICY, ERASURES), ("READ", "DESCRIBE_CONFIGS"): (CONTROL,)},
    "operator": {  # alters: `forage topics migrate`
        ("READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE_CONFIGS"): (IMPRESSIONS, ACTIONS, CONTROL, CATALOG, ERASURES),
        ("READ", "CREATE", "DELETE", "ALTER", "DESCRIBE_CONFIGS"): (SHARES, MEMORY, OUTCOMES, QUARANTINE, POLICY),
    },
}
_GROUPS: dict[Role, dict[tuple[Operation, ...], Sequence[str]]] = {  # ends of names: they begin as the workers' group
    "worker": {("READ",): ("",)},
    "publisher": {("READ",): (".publisher",)},
    "operator": {("DESCRIBE",): ("", ".publisher")},
}


@dataclass(frozen=True)
class Right:
    """Operations on one topic or consumer group."""

    kind: Literal["topic", "group"]
    name: str
    operations: tuple[Operation, ...]


def rights(role: Role, *, group: str = "forage") -> list[Right]:
    """All that a role may do; topics in their order, then groups. `group` is the workers' (FORAGE_GROUP)."""
    topics = {topic.name: operations for operations, topics in _TOPICS[role].items() for topic in topics}
    found = [Right("topic", topic.name, topics[topic.name]) for topic in TOPICS if topic.name in topics]
    return found + [Right("group", group + end, operations) for operations, ends in _GROUPS.get(role, {}).items() for end in ends]


def acl_lines(role: Role, principal: str, *, bootstrap: str, group: str = "forage") -> list[str]:
    """Commands of Kafka's own tool that give a principal (`User:name`) the rights of a role. Raises InvalidSetting."""
    kind, _, name = principal.partition(":")
    if not kind.isalnum() or not name or not principal.isprintable():
        raise InvalidSetting(f"principal {principal!r} is none: must be User:NAME, NAME as the broker knows it; write User:{role}")
    start = f"kafka-acls.sh --bootstrap-server {shlex.quote(bootstrap)} --command-config admin.properties --add"
    return [
        f"{start} --allow-principal {shlex.quote(principal)} {' '.join(f'--operation {_spoken(one)}' for one in right.operations)} "
        f"--{right.kind} {shlex.quote(right.name)}"
        for right in rights(role, group=group)
    ]


def require(bootstrap: str, role: Role, *, group: str = "forage", security: Security | None = None) -> None:
    """Ask the broker whether this user has the rights of a role. What a topic that is not there would allow is not asked.

    Raises NotAllowed with what is missing, Unavailable.
    """
    needed = rights(role, group=group)
    with connected(bootstrap, security) as admin:
        allowed: dict[tuple[str, str], set[str] | None] = {}
        for topic in admin.describe_topics([right.name for right in needed if right.kind == "topic"]):
            hidden, found = topic["error_code"] == TopicAuthorizationFailedError.errno, topic["authorized_operations"]
            allowed["topic", topic["name"]] = set() if hidden else None if topic["error_code"] or found is None else set(found)
        for name in (right.name for right in needed if right.kind == "group"):
            try:
                group_found = admin.describe_groups([name])[name]
                known = group_found["error"] is None and group_found["authorized_operations"] is not None
                allowed["group", name] = set(group_found["authorized_operations"]) if known else None
            except GroupAuthorizationFailedError:
                allowed["group", name] = set()
            except RetriableError:
                allowed["group", name] = None  # the first question to a new cluster
    lacking = [
        f"{_spoken(operation)} on {right.kind} {right.name}"
        for right in needed
        for operation in right.operations
        if (has := allowed.get((right.kind, right.name))) is not None and operation not in has
    ]
    if lacking:
        raise NotAllowed(
            f"broker {bootstrap} does not allow this user what the role {role} needs: {', '.join(lacking)}; "
            f"`forage topics acls --role {role} --principal User:NAME` prints the lines that allow it"
        )


def _spoken(operation: Operation) -> str:
    """As Kafka's tools write it: DescribeConfigs."""
    return operation.title().replace("_", "")
