"""Kafka's admin calls: make the topics of Forage, say what is wrong with those that exist, describe and delete them."""

import time as clock
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from schemas.errors import InvalidSetting, NotAllowed, NotFound, PartitionMismatch, Unavailable
from schemas.topics import INPUTS, TOPICS, Time, Topic, settings
from streams.clients import Security, connect, unavailable

# A log must outlive the ids that make a fact count once (24 h) and a day in which nobody looks at a stopped worker.
MIN_RETENTION_MS = 2 * 86_400_000
MIN_MESSAGE_BYTES = 1_048_576  # the largest record of ours, with Kafka's overhead


@dataclass(frozen=True)
class TopicState:
    """A topic as the broker has it: id (it changes when a topic is deleted and made again), partition count, all settings, and how many
    copies its partition with the fewest has."""

    name: str
    topic_id: str
    partitions: int
    config: Mapping[str, str]
    replicas: int = 1


def create_topics(bootstrap: str, partitions: int, *, time: Time = "LogAppendTime", security: Security | None = None) -> list[str]:
    """Make the topics that are missing and return their names; existing ones are left as they are (see `check_topics`).

    Replication is the broker's default. Raises PartitionMismatch when a topic that must agree has another partition count.
    """
    with connected(bootstrap, security) as admin:
        existing = {state.name: state.partitions for state in _describe(admin)}
        for topic in TOPICS:
            if topic.co_partitioned and existing.get(topic.name, partitions) != partitions:
                raise PartitionMismatch(
                    f"topic {topic.name} has {existing[topic.name]} partitions, not {partitions}; "
                    f"create the others with --partitions {existing[topic.name]}, or delete the topic and its state first"
                )
        wanted = {
            topic.name: {"num_partitions": partitions if topic.co_partitioned else 1, "configs": settings(topic, time)}
            for topic in TOPICS
            if topic.name not in existing
        }
        if not wanted:
            return []
        made = admin.create_topics(wanted, raise_errors=False)
        for answer in made["topics"]:
            error = for_code(answer["error_code"])
            if answer["error_code"] and error is not TopicAlreadyExistsError:
                if issubclass(error, AuthorizationError):
                    raise unavailable(bootstrap, error(f"making topic {answer['name']}"), security=security)
                raise Unavailable(f"topic {answer['name']} was not made: {answer.get('error_message') or error.__name__}")
        admin.wait_for_topics(list(wanted))
        return list(wanted)


def grow_topics(bootstrap: str, partitions: int, *, security: Security | None = None) -> None:
    """Give the inputs, and all that must agree with them, so many partitions; the inputs last. Kafka takes none away again."""
    names = [topic.name for topic in sorted(TOPICS, key=lambda one: one in INPUTS) if topic.co_partitioned]
    with connected(bootstrap, security) as admin:
        for name in names:
            (state,) = _describe(admin, [name])
            if state.partitions < partitions:
                admin.create_partitions({name: partitions})
        end = clock.monotonic() + 30.0
        while any(state.partitions != partitions for state in _describe(admin, names)):
            if clock.monotonic() > end:
                raise Unavailable(f"topics {names} have not all {partitions} partitions 30 s after the order; look at the broker's log")
            clock.sleep(0.05)


def describe_topics(bootstrap: str, names: Iterable[str] | None = None, *, security: Security | None = None) -> list[TopicState]:
    """Those of the named topics (default: all of Forage) that exist, in the order of their names."""
    with connected(bootstrap, security) as admin:
        return _describe(admin, names)


def topic_ids(bootstrap: str, names: Iterable[str] | None = None, *, security: Security | None = None) -> dict[str, str]:
    """Topic ids by name: state that was built from a topic of another id must not be continued."""
    return {state.name: state.topic_id for state in describe_topics(bootstrap, names, security=security)}


def inputs_of(bootstrap: str, *, security: Security | None = None) -> tuple[int, Time]:
    """Partition count and timestamp type of the two inputs. Raises NotFound, PartitionMismatch, InvalidSetting, Unavailable."""
    names = [topic.name for topic in INPUTS]
    states = {state.name: state for state in describe_topics(bootstrap, names, security=security)}
    if missing := [name for name in names if name not in states]:
        raise NotFound(f"topics {missing} do not exist at {bootstrap}; make them with `forage topics create`")
    counts = {name: states[name].partitions for name in names}
    if len(set(counts.values())) > 1:
        raise PartitionMismatch(f"the inputs have different partition counts ({counts}); `forage topics check` says what to do")
    if hidden := [name for name in names if not states[name].config]:
        raise NotAllowed(f"this user may not see the settings of {', '.join(hidden)}; `forage topics acls` prints what each role needs")
    times = {states[name].config.get("message.timestamp.type") for name in names}
    if len(times) > 1:
        raise InvalidSetting(f"the inputs have different timestamp types {sorted(map(str, times))}; `forage topics check` says what to do")
    return counts[names[0]], "CreateTime" if times == {"CreateTime"} else "LogAppendTime"


def check_topics(bootstrap: str, *, security: Security | None = None) -> list[str]:
    """What is wrong with the topics, one line each with its remedy; an empty list when all is well."""
    return problems(describe_topics(bootstrap, security=security))


def delete_topics(bootstrap: str, names: Sequence[str] | None = None, *, security: Security | None = None) -> list[str]:
    """Delete the named topics (default: all of Forage) that exist and wait until they are gone. Returns their names."""
    with connected(bootstrap, security) as admin:
        there = [state.name for state in _describe(admin, names)]
        if there:
            admin.delete_topics(there)
        end = clock.monotonic() + 30.0
        while set(there) & set(admin.list_topics()):
            if clock.monotonic() > end:
                raise Unavailable(f"topics {there} are still there 30 s after the order to delete them; look at the broker's log")
            clock.sleep(0.05)
        return there


def problems(states: Sequence[TopicState]) -> list[str]:
    """The pure part of `check_topics`."""
    found = {state.name: state for state in states}
    lines = [f"{topic.name}: is missing; run `forage topics create`" for topic in TOPICS if topic.name not in found]
    counts = {topic.name: found[topic.name].partitions for topic in TOPICS if topic.co_partitioned and topic.name in found}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        remedy = f"stop the workers and run `forage topics migrate --partitions {max(counts.values())}`"
        lines.append(f"partition counts differ ({listed}): they must be equal; {remedy}, or, with no events yet, delete and create them")
    times = {name: found[name].config.get("message.timestamp.type") for name in (topic.name for topic in INPUTS) if name in found}
    if len(set(times.values())) > 1:
        listed = ", ".join(f"{name} {kind}" for name, kind in times.items())
        lines.append(f"timestamp types differ ({listed}): set message.timestamp.type=LogAppendTime on both")
    for topic in TOPICS:
        if topic.name in found:
            lines += [f"{topic.name}: {line}" for line in _topic_problems(topic, found[topic.name])]
    return lines


def _topic_problems(topic: Topic, state: TopicState) -> Iterator[str]:
    config = state.config
    if not config:  # the broker hides them
        yield "this user may not see its settings; `forage topics acls` prints what each role needs"
        return
    if topic.name in ("policy.snapshots", "control") and state.partitions != 1:
        yield f"has {state.partitions} partitions, must have 1 (its order is the order of publication); delete it and create it again"
    policy = "compact" if topic.compact else "delete"
    if (got := config.get("cleanup.policy")) != policy:
        yield f"cleanup.policy is {got}, must be {policy}; alter the setting"
    for name, value in topic.config.items():
        if (got := config.get(name)) != value and not (name == "segment.ms" and got is not None and int(got) < int(value)):
            yield f"{name} is {got}, must be {value}; alter the setting"
    if (size := int(config.get("max.message.bytes", MIN_MESSAGE_BYTES))) < MIN_MESSAGE_BYTES:
        yield f"max.message.bytes is {size}, our largest messages need {MIN_MESSAGE_BYTES}; alter the setting"
    if not topic.compact:
        yield from _retention_problems(topic, config)


def _retention_problems(topic: Topic, config: Mapping[str, str]) -> Iterator[str]:
    keep, size = int(config.get("retention.ms", -1)), int(config.get("retention.bytes", -1))
    imported = topic in INPUTS and config.get("message.timestamp.type") == "CreateTime"
    if imported and keep != -1:
        yield f"retention.ms is {keep} with CreateTime: an imported log is deleted at once by its age; set retention.ms=-1"
    elif topic not in INPUTS and config.get("message.timestamp.type") == "CreateTime":
        yield "message.timestamp.type is CreateTime: what old searches gave is deleted at once; set it to LogAppendTime"
    elif topic.retention_ms == -1 and keep != -1:
        yield f"retention.ms is {keep}, must be -1: what it holds is never said again; alter the setting"
    elif keep != -1 and keep < MIN_RETENTION_MS:
        yield f"retention.ms is {keep}, at least {MIN_RETENTION_MS} (2 days) is needed to replay after an outage; alter the setting"
    if size != -1:
        yield f"retention.bytes is {size}: a busy day would delete what a stopped worker still needs; set it to -1"


@contextmanager
def connected(bootstrap: str, security: Security | None) -> Iterator[Any]:
    """An admin client; Kafka's errors come out as Unavailable."""
    try:
        admin = connect(KafkaAdminClient, bootstrap, security=security, bootstrap_timeout_ms=5_000)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from None


def _describe(admin: Any, names: Iterable[str] | None = None) -> list[TopicState]:
    wanted = sorted({topic.name for topic in TOPICS} if names is None else set(names))
    found = {topic["name"]: topic for topic in admin.describe_topics(wanted)}
    there = [name for name in wanted if found[name]["error_code"] != UnknownTopicOrPartitionError.errno]
    hidden = [name for name in there if found[name]["error_code"] == TopicAuthorizationFailedError.errno]
    if hidden:
        raise NotAllowed(f"this user may not look at {', '.join(hidden)}; `forage topics acls` prints what each role needs")
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = admin.describe_configs(asked, config_filter="all").get("topic", {}) if asked else {}
    return [
        TopicState(
            name=topic["name"],
            topic_id=str(topic["topic_id"]),
            partitions=len(topic["partitions"]),
            config={key: entry["value"] for key, entry in configs.get(topic["name"], {}).items()},
            replicas=min((len(one["replica_nodes"]) for one in topic["partitions"]), default=1),
        )
        for topic in (found[name] for name in there)
    ]
