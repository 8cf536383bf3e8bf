"""A migration with a broker: what the topics and the group of workers are now, then `streams.moving.migrate`."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import GroupIdNotFoundError, KafkaError

from schemas.errors import NotFound, Unavailable
from schemas.topics import INPUTS, TOPICS
from streams.admin import connected, describe_topics, grow_topics
from streams.clients import Security, connect, unavailable
from streams.kernel.changes import INPUT_OF, Input
from streams.kernel.join import RULES, Rules
from streams.moving.migrate import Plan, carry_out, plan
from streams.state_store import StateStore


def migrate(
    bootstrap: str, partitions: int, *, folders: Sequence[Path], state_store: str | None, group: str, with_unread: bool = False,
    agree: Callable[[Plan], bool] = lambda plan: True, tell: Callable[[str], None] = lambda text: None, rules: Rules = RULES,
    security: Security | None = None,
) -> bool:  # fmt: skip
    """Grow the topics to `partitions` and move the state there, or go on with it; False when there is nothing to do, or `agree` does not.

    Raises what `streams.moving.migrate.plan` and `carry_out` raise; Unavailable while workers run.
    """
    state = StateStore.at(state_store) if state_store else None
    topics = {one.name: one for one in describe_topics(bootstrap, [one.name for one in TOPICS if one.co_partitioned], security=security)}
    if missing := sorted(one.name for one in TOPICS if one.co_partitioned and one.name not in topics):
        raise NotFound(f"topics {missing} do not exist at {bootstrap}; make them with `forage topics create`")
    _refuse_workers(bootstrap, group, security=security)
    wanted = plan(
        partitions, folders=folders, state=state, counts={name: one.partitions for name, one in topics.items()},
        ids={one.name: topics[one.name].topic_id for one in INPUTS}, ends=_ends(bootstrap, security=security), with_unread=with_unread,
    )  # fmt: skip
    if wanted is None or not agree(wanted):
        return False
    grow = partial(grow_topics, bootstrap, security=security)
    carry_out(wanted, folders=folders, state=state, grow=grow, rules=rules, tell=tell)
    return True


def _refuse_workers(bootstrap: str, group: str, *, security: Security | None) -> None:
    with connected(bootstrap, security) as admin:
        try:
            members = admin.describe_groups([group])[group]["members"]
        except GroupIdNotFoundError:
            return
    if members:
        names = ", ".join(sorted({str(one.get("client_host") or "?").lstrip("/") for one in members}))
        raise Unavailable(
            f"{len(members)} workers of group {group} run (on {names}); stop all of them, and what starts them again. One that was killed "
            "counts for 6 s more"
        )


def _ends(bootstrap: str, *, security: Security | None) -> dict[int, dict[Input, int]]:
    """By partition, where each input ends now."""
    try:
        with closing(
            connect(KafkaConsumer, bootstrap, security=security, enable_auto_commit=False, bootstrap_timeout_ms=5_000)
        ) as consumer:
            parts = [TopicPartition(name, number) for name in INPUT_OF for number in consumer.partitions_for_topic(name) or ()]
            ends: dict[int, dict[Input, int]] = {}
            for part, end in consumer.end_offsets(parts).items():
                ends.setdefault(part.partition, {})[INPUT_OF[part.topic]] = end
            return ends
    except KafkaError as error:
        raise unavailable(bootstrap, error, security=security) from error
