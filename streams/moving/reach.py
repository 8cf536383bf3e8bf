"""What the log has of an input partition, held against what a state needs of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import StaleLog
from streams.kernel.changes import TOPIC_OF, Input


@dataclass(frozen=True)
class Reach:
    """Offsets of one input of a partition: the log has those from `start` up to, and without, `end`. `begin`: where an empty partition
    begins, None for offset 0."""

    start: int
    end: int
    begin: int | None = None


Log = Mapping[Input, Reach]  # of one partition


def check(next_: Mapping[Input, int], log: Log, *, partition: int) -> None:
    """Raises StaleLog unless the log has everything from `next_` (first offsets not applied yet) on."""
    for topic, needed in next_.items():
        name, reach = f"{TOPIC_OF[topic]}-{partition}", log[topic]
        if reach.start > needed:
            raise StaleLog(
                f"{name} starts at offset {reach.start}, this state needs {needed}: records in between were deleted. Restore a newer "
                "checkpoint of the partition; or stop the workers, move their folders (and the state store) away and start them once "
                "with --from-log-start"
            )
        if reach.end < needed:
            raise StaleLog(
                f"{name} ends at offset {reach.end}, this state has applied up to {needed}: the log lost records (an unclean leader, or a "
                "broker restored from a copy), and new ones would take their offsets. Stop the workers, move the partition's file away: "
                "a checkpoint that the log still has, or the log itself, takes its place"
            )


def reaches(next_: Mapping[Input, int], log: Log) -> bool:
    """Whether the log has everything from `next_` on."""
    try:
        check(next_, log, partition=-1)
    except StaleLog:
        return False
    return True
