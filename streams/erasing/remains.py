"""Where something of an erased person remains, and until when at the latest: from the settings that the topics really have. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.topics import ACTIONS, ERASURES, IMPRESSIONS, MEMORY, OUTCOMES, POLICY, QUARANTINE
from streams.admin import TopicState
from streams.kernel.join import RULES

DAY = 86_400_000
CHECK = 6 * 60_000  # ms: a broker looks for what is old every 5 minutes, and deletes files a minute later
RESENT = 10 * 60_000  # ms: so long rows are sent again, and a tombstone must be among them
CHECKPOINTS = 5 * 60_000  # ms: two rounds of checkpoints, which purge the files, and some


class Remains(NamedTuple):
    """`until` in ms, None when it is not known, or for ever: `note` says which."""

    place: str
    holds: str
    until: int | None
    note: str


def remains(topics: Sequence[TopicState], *, until: int) -> list[Remains]:
    """Of people who are erased at `until` (ms): what they searched before. Where workers are behind the log, it is later by as much."""
    known = {one.name: one.config for one in topics}
    window = RULES.window
    done = until + window + RESENT + CHECKPOINTS
    out = []
    for name, holds, last in (
        (IMPRESSIONS.name, "pages as they were sent: query, client id, results", until),
        (ACTIONS.name, "actions as they were sent", until + window),
        (OUTCOMES.name, "finals: pages and actions with the client id and its hash", until + window + RULES.settle),
        (QUARANTINE.name, "events that did not count, as they were sent; actions that come too late", until + window),
    ):
        if name in known:
            out.append(_kept(name, holds, last, known[name]))
    if MEMORY.name in known:
        out.append(_compacted(done, known[MEMORY.name]))
    out += _files(done)
    if POLICY.name in known:
        out.append(
            Remains(POLICY.name, "sums and models without ids or queries, of many people", None, "kept contents: 10 days, at least 20")
        )
    if ERASURES.name in known:
        out.append(Remains(ERASURES.name, "the keyed hash, and until when it is erased", None, "for ever: replays must know it"))
    return out


def _kept(name: str, holds: str, last: int, config: Mapping[str, str]) -> Remains:
    keep, segment = int(config.get("retention.ms", 7 * DAY)), int(config.get("segment.ms", 7 * DAY))
    if keep < 0:
        return Remains(name, holds, None, "for ever: retention.ms is -1; set it, or delete the topic when the import is over")
    return Remains(name, holds, last + keep + segment + CHECK, f"retention.ms {keep} + segment.ms {segment}")


def _compacted(done: int, config: Mapping[str, str]) -> Remains:
    lag, tombstones = int(config.get("max.compaction.lag.ms", 2**63 - 1)), int(config.get("delete.retention.ms", DAY))
    holds = "older values of rows (query, entity, keyed hashes), and the keys of rows that are gone"
    if lag > 365 * DAY:
        return Remains(MEMORY.name, holds, None, "not known: max.compaction.lag.ms is not set; `forage topics check`")
    note = f"2 x max.compaction.lag.ms {lag} + delete.retention.ms {tombstones}, while rows are written to it"
    return Remains(MEMORY.name, holds, done + 2 * lag + tombstones + CHECK, note)


def _files(done: int) -> Iterator[Remains]:
    yield Remains("workers' folders", "the partitions' files", done, "`forage erase --status` says when it is done")
    yield Remains("state store", "checkpoints", done, "`forage erase --status` says when it is done")
    yield Remains(
        "search processes", "memory in their process, and memory snapshots in their folders", None,
        "the process: seconds; folders: until three more snapshots were written there",
    )  # fmt: skip
    yield Remains(
        "elsewhere", "spilled events of producers, recorded logs, files set aside (*.corrupt-*, *.replaced, partitions that moved away), "
        "backups, logs of the application", None, "nobody here knows of them: delete them yourself",
    )  # fmt: skip
