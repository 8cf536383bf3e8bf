"""What the operator of the stream path wants to know: are the workers there, do they keep up, will their state be there tomorrow?

Facts come from one look at the broker (streams.survey), from the state files and from the state store; what follows from them is decided
here, by pure functions where that is possible.
"""

import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.findings import Finding
from ops.settings import NAMES, Settings
from schemas.errors import CorruptFile, ForageError, NotFound, PartitionMismatch, StaleLog, Unavailable
from schemas.topics import INPUTS
from streams.admin import TopicState
from streams.survey import MOST, Survey, survey

CLOCK = 60.0  # s that two clocks may differ; workers write a tick every 10 s
CHECKPOINT = 600.0  # s: five rounds without a checkpoint
OPEN_FILES = 1_024  # a worker has some 50 open, and four for each partition it owns
WAITING = 100_000  # records: some seconds of work
DAY = 86_400.0  # s


def stream(settings: Settings, topics: Sequence[TopicState]) -> Iterator[Finding]:
    """All checks of a broker whose topics are `topics`."""
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    now = time.time()
    try:
        found = survey(settings.bootstrap, topics, group=settings.group, now=int(now * 1000), security=settings.security)
    except ForageError as error:
        yield Finding.told("stream", "problem", error)
        return
    yield from replication(topics, brokers=found.brokers)
    yield workers(found, group=settings.group)
    yield from clock(found, now=now)
    yield publisher(found, group=settings.group, now=now)
    yield quarantine(found)
    yield from state_files(settings.data / "worker", found)
    yield from state_store(settings, found, now=now)


def fitting(settings: Settings, topics: Sequence[TopicState]) -> Iterator[Finding]:
    """What of it concerns the topics themselves: `forage topics check`."""
    if not topics:
        return
    found = survey(settings.bootstrap, topics, group=settings.group, now=int(time.time() * 1000), security=settings.security)
    yield from replication(topics, brokers=found.brokers)
    yield from state_files(settings.data / "worker", found)


def open_files(limit: int) -> Finding:
    if limit < OPEN_FILES:
        return Finding(
            "open files", "problem", f"this user may open {limit}", f"raise the limit to {OPEN_FILES} or more (ulimit -n, LimitNOFILE)"
        )
    return Finding("open files", "ok", f"this user may open {limit:,}")


def replication(topics: Sequence[TopicState], *, brokers: int) -> Iterator[Finding]:
    """With several brokers, does every topic outlive the loss of one?"""
    single = [state.name for state in topics if state.replicas < 2]
    if brokers > 1 and single:
        remedy = "give them 3 replicas (kafka-reassign-partitions.sh), and min.insync.replicas=2"
        yield Finding("replication", "note", f"{brokers} brokers, but one copy of {', '.join(single)}: losing its broker loses it", remedy)
    careless = [state.name for state in topics if state.replicas > 2 and int(state.config.get("min.insync.replicas", 1)) < 2]
    if careless:
        text = f"min.insync.replicas is 1 on {', '.join(careless)}: what one broker alone acknowledged can be lost with it"
        yield Finding("replication", "note", text, "set it to 2")


def workers(found: Survey, *, group: str) -> Finding:
    """Does anybody work, and do they keep up?"""
    lag = found.lag
    if found.workers and lag > WAITING:
        remedy = "look whether it falls (`forage_lag_records`); if not, start more workers, up to one a partition"
        return Finding("workers", "note", f"{found.workers} in group {group}, {lag:,} records behind", remedy)
    if found.workers:
        return Finding("workers", "ok", f"{found.workers} in group {group}, {lag:,} records behind")
    remedy = f"start `forage worker`; if one runs, is its {NAMES['group']} the same?"
    return Finding("workers", "problem" if lag else "note", f"none is in group {group}, {lag:,} records wait", remedy)


def clock(found: Survey, *, now: float) -> Iterator[Finding]:
    """Is the broker's clock ours? Known only where workers write ticks, which the broker gives its time."""
    live = {state.config.get("message.timestamp.type") for state in found.topics if state.name in {one.name for one in INPUTS}}
    if not found.workers or live != {"LogAppendTime"} or found.newest is None:
        return
    ahead = found.newest / 1000 - now
    if ahead > CLOCK:
        remedy = "let both follow one time server; events whose ts is a day from the broker's time are quarantined"
        yield Finding("clock", "problem", f"the broker's is {ahead:,.0f} s ahead of this host's", remedy)
    elif ahead < -CLOCK:
        remedy = "compare the clocks; if they agree, see in the workers' logs why they cannot write"
        yield Finding("clock", "problem", f"the newest record is {-ahead:,.0f} s old, though workers write every 10 s", remedy)
    else:
        yield Finding("clock", "ok", "the broker's and this host's agree")


def publisher(found: Survey, *, group: str, now: float) -> Finding:
    """Is there one, and how old is what it said?"""
    age = "nothing was published yet" if found.published is None else f"last published {_ago(now - found.published / 1000)} ago"
    if not found.publishers:
        remedy = "start `forage worker`, or `forage worker --role publisher`"
        return Finding("publisher", "problem" if found.workers else "note", f"none is in group {group}.publisher; {age}", remedy)
    return Finding("publisher", "ok", f"{found.publishers} in group {group}.publisher, one of them active; {age}")


def quarantine(found: Survey) -> Finding:
    """What could not count lately, by reason."""
    if not found.quarantined:
        return Finding("quarantine", "ok", "nothing in the last day")
    count = sum(found.quarantined.values())
    listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.quarantined.items()))
    more = f"the first {MOST:,} of more" if count >= MOST else f"{count:,}"
    return Finding(
        "quarantine", "note", f"{more} in the last day: {listed}", "`forage quarantine list` shows them, with the rule each broke"
    )


def state_files(folder: Path, found: Survey) -> Iterator[Finding]:
    """Do the workers' files fit the topics as they are now?"""
    paths = sorted(folder.glob("partition-*.duckdb"))
    if not paths:  # nor is this machine bound to have a worker's libraries
        return
    from streams.moving.reach import check
    from streams.replaying.stored_replay import open_any

    ids = {state.name: state.topic_id for state in found.topics}
    fit, held = 0, 0
    for path in paths:
        try:
            with open_any(path) as store:
                if store.partitions != len(found.log):
                    raise PartitionMismatch(
                        f"{path} is one of {store.partitions} partitions, the inputs have {len(found.log)}; stop all workers and run "
                        f"`forage topics migrate --partitions {len(found.log)}`"
                    )
                anew = sorted(name for name, known in store.topic_ids().items() if ids.get(name, known) != known)
                if anew:
                    raise StaleLog(
                        f"{path} belongs to {', '.join(anew)} as it was before it was made anew; stop all workers and move their folders "
                        "and the state store away, they begin with the new topics"
                    )
                check(store.next_offsets(), found.log[store.partition], partition=store.partition)
            fit += 1
        except NotFound:  # nothing was applied yet
            continue
        except Unavailable:
            held += 1
        except (CorruptFile, PartitionMismatch, StaleLog) as error:
            yield Finding.told("state files", "problem", error)
    if held:
        yield Finding("state files", "ok", f"{held} in {folder} are in use by a running worker, which looks at them itself")
    if fit:
        yield Finding("state files", "ok", f"{fit} in {folder} fit the topics")


def state_store(settings: Settings, found: Survey, *, now: float) -> Iterator[Finding]:
    """Can it be written, and how old is the newest checkpoint?"""
    from streams.state_store import StateStore

    if not settings.state_store:
        remedy = f"set {NAMES['state_store']} to a folder or s3:// URL that all workers reach"
        yield Finding("state store", "note", "none: a worker with an empty disk replays the whole log", remedy)
        return
    try:
        store = StateStore.at(settings.state_store)
        store.try_write()
        ages = {number: at for number in store.partitions() if (at := store.written(number)) is not None}
    except (ForageError, OSError) as error:
        shown = (
            error
            if isinstance(error, ForageError)
            else Unavailable(f"it does not take a file ({error}); give the workers the right to write")
        )
        yield Finding.told("state store", "problem", shown)
        return
    if missing := sorted(set(found.log) - ages.keys()):
        text = f"no checkpoint of partition {', '.join(map(str, missing))}"
        yield Finding("state store", "note", text, "workers write one every two minutes; see their logs if this stays")
    elif (age := now - min(ages.values())) > CHECKPOINT:
        remedy = "see in the log of its owner why it writes none (`forage_checkpoint_failures_total`)"
        text = f"the checkpoint of partition {min(ages, key=ages.__getitem__)} is {_ago(age)} old"
        yield Finding("state store", "problem" if found.workers else "note", text, remedy if found.workers else "start `forage worker`")
    else:
        yield Finding("state store", "ok", f"can be written; the oldest partition's checkpoint is {_ago(age)} old")


def _ago(seconds: float) -> str:
    for unit, size in (("days", DAY), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
