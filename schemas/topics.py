"""The topics of Forage: names, cleanup and what a partition holds. The first six have equal partition counts."""

from dataclasses import dataclass, field
from typing import Literal

Time = Literal["LogAppendTime", "CreateTime"]


@dataclass(frozen=True)
class Topic:
    """One topic. `co_partitioned` topics all have the partition count of the inputs."""

    name: str
    compact: bool = False
    co_partitioned: bool = True
    retention_ms: int | None = 7 * 86_400_000
    config: dict[str, str] = field(default_factory=dict)


_PEOPLE = {"segment.ms": "86400000"}  # a record goes with the last one of its segment: a day late at most, not a week
IMPRESSIONS = Topic("search.impressions", config={"compression.type": "gzip"} | _PEOPLE)
ACTIONS = Topic("search.actions", config={"compression.type": "gzip"} | _PEOPLE)
SHARES = Topic("state.shares", compact=True, retention_ms=None)
MEMORY = Topic("memory.q2e", compact=True, retention_ms=None)
_LARGE = {"max.message.bytes": "4194304"}  # a final holds a whole page of up to 1 MB and what was done with it
OUTCOMES = Topic("search.outcomes", retention_ms=30 * 86_400_000, config=_LARGE | _PEOPLE)
QUARANTINE = Topic("search.quarantine", retention_ms=14 * 86_400_000, config=_LARGE | _PEOPLE)
POLICY = Topic("policy.snapshots", compact=True, co_partitioned=False, retention_ms=None)
CONTROL = Topic("control", co_partitioned=False, retention_ms=-1)
CATALOG = Topic("catalog.entities", compact=True, co_partitioned=False, retention_ms=None)
ERASURES = Topic("privacy.erasures", compact=True, co_partitioned=False, retention_ms=None)

INPUTS = (IMPRESSIONS, ACTIONS)
TOPICS = (IMPRESSIONS, ACTIONS, SHARES, MEMORY, OUTCOMES, QUARANTINE, POLICY, CONTROL, CATALOG, ERASURES)


def settings(topic: Topic, time: Time = "LogAppendTime") -> dict[str, str]:
    """Broker settings of a topic. Imported logs keep their own times, so nothing may be deleted by age."""
    out = dict(topic.config)
    if topic.compact:
        return out | {"cleanup.policy": "compact", "max.compaction.lag.ms": str(86_400_000)}
    out |= {"cleanup.policy": "delete"}
    if topic in INPUTS:
        keep = topic.retention_ms if time == "LogAppendTime" else -1
        return out | {"message.timestamp.type": time, "retention.ms": str(keep)}
    # Kept for so long after they were written: by the times of what they tell, the outcomes of an old log would be gone at once.
    return out | {"message.timestamp.type": "LogAppendTime", "retention.ms": str(topic.retention_ms)}
