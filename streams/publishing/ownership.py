"""The publisher on Kafka: shares in, policies out, one owner at a time, commands obeyed.

Whoever the consumer group of `control` gives its one partition to is the owner; others wait. An owner that lost the group without
knowing is fenced by its epoch: readers take the highest, and the new owner writes over what the old one wrote late. Any error ends the
turn: the next one reads both topics again, so there is no state to repair.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError

from learners.definition import Definition
from learners.models import FinalsModel
from learners.registry import Registry
from schemas.errors import ForageError, NotAllowed, NotFound, Unavailable
from schemas.snapshots import Content
from schemas.topics import CONTROL
from streams.access import require
from streams.clients import Security, connect, partitions_of, retry_after, told
from streams.publishing.status import PublisherStatus, Tally
from streams.publishing.turn import Turn
from streams.reading.follower import Incoming

log = logging.getLogger(__name__)
EVERY = 250  # ms between looks at what changed; commands wake it at once
SESSION = 6_000  # ms: the smallest that a broker allows by default; a dead owner's successor waits for so long
HUNG = 30_000  # ms without a look: a successor takes over
_COMMANDS = TopicPartition(CONTROL.name, 0)


def run(
    bootstrap: str,
    *,
    definition: Definition,
    folder: Path,
    models: Sequence[FinalsModel] = (),
    group: str = "forage",
    security: Security | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_status: Callable[[PublisherStatus], None] = lambda _: None,
) -> None:
    """Publish, or wait to be the one who does, until `stop()`; over any outage.

    `definition` is what a first policy is fitted to; a changed one replaces what runs, else the running policy's own goes on (it may have
    been promoted). `folder` is a learners.registry folder where contents wait for their promotion. `models` are fitted on
    `search.outcomes`, in this order. `on_status` gets the newest status some times a second. Raises NotAllowed when the broker refuses
    this user at the start.
    """
    try:
        require(bootstrap, "publisher", group=group, security=security)
    except NotAllowed:
        raise
    except Unavailable as error:
        log.warning("the publisher waits for its broker: %s", error)
    tally = Tally()
    begin = partial(Turn, bootstrap, definition=definition, stored=partial(stored, folder), models=models, tally=tally, security=security)

    def tell(turn: Turn | None) -> None:
        standby = PublisherStatus(published=tally.published, refused=tally.refused, fit_seconds=tally.fit_seconds)
        on_status(standby if turn is None else turn.status())

    said = ""
    while not stop():
        try:
            _attend(bootstrap, f"{group}.publisher", security=security, begin=begin, stop=stop, tell=tell)
            said = ""
        except (KafkaError, ForageError) as error:
            if (text := told(error, bootstrap, security=security)) != said:
                log.warning("the publisher starts its turn again: %s", text)
            said = text
            tell(None)
            time.sleep(retry_after(error))


def stored(folder: Path, content_id: str) -> Content:
    """A content that waits for its promotion. Raises NotFound, CorruptFile."""
    if len(content_id) != 64 or set(content_id) - set("0123456789abcdef"):
        raise NotFound(f"no kept snapshot has the content_id {content_id[:64]!r}; one that waits in {folder} needs all 64 hex digits")
    return Registry(folder).content(content_id)


def _attend(
    bootstrap: str, group: str, *, security: Security | None, begin: Callable[[], Turn], stop: Callable[[], bool],
    tell: Callable[[Turn | None], None],
) -> None:  # fmt: skip
    """Be a member of the group; take turns whenever the partition is ours."""
    # Sticky: a standby that joins or leaves does not move the ownership.
    consumer = connect(
        KafkaConsumer, bootstrap, security=security, bootstrap_timeout_ms=2_000, group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest", allow_auto_create_topics=False, metadata_max_age_ms=10_000, session_timeout_ms=SESSION,
        heartbeat_interval_ms=1_000, max_poll_interval_ms=HUNG, partition_assignment_strategy=[StickyPartitionAssignor],
    )  # fmt: skip
    turn: Turn | None = None
    try:
        partitions_of(consumer, CONTROL.name, bootstrap=bootstrap)
        consumer.subscribe([CONTROL.name])
        while not stop():
            tell(turn)
            records = [record for some in consumer.poll(timeout_ms=EVERY).values() for record in some]
            if _COMMANDS not in consumer.assignment():
                if turn is not None:
                    log.warning("another process publishes now")
                    turn.close()
                turn = None
                continue
            turn = turn or begin()
            done = turn.step([Incoming(0, one.offset, one.key, one.value, ()) for one in records], _now())
            if done is not None:  # after the publication: a command is rather seen twice than never
                consumer.commit({_COMMANDS: OffsetAndMetadata(done + 1, "", -1)})
    finally:
        if turn is not None:
            turn.close()
        consumer.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
