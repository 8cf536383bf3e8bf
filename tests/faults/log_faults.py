"""Faults 13 to 15: the log lost records, was made anew, or grew. Workers refuse to guess; once the remedy that they name is followed, all
is as if nothing had been."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from broker_faults import ask
from compare import ends_of_inputs
from kafka import KafkaConsumer, TopicPartition
from load import TOPICS
from scenarios import Run, Scenario

from ops import broker
from schemas.errors import Unavailable
from schemas.topics import INPUTS
from streams import admin
from streams.clients import connect
from streams.faust_app.owner import Owner
from streams.kernel.changes import INPUT_OF, Input, Record
from streams.kernel.changes import INPUTS as INPUT_NAMES
from streams.kernel.join import RULES
from streams.kernel.share import digest_state
from streams.moving.running import migrate
from streams.partition_store import PartitionStore
from streams.partitioning import partition as partition_of
from streams.replaying.replay import Placed

DELETED = b"records in between were deleted"
LOST = b"the log lost records"
ANEW = b"made anew"
GROWN = 12  # partitions
State = dict[int, tuple[Mapping[Input, int], str]]


def refused(run: Run, slots: str, *texts: bytes) -> None:
    """These workers end by themselves, with an error and one of these words."""
    for slot in slots:
        code = run.fleet.wait_end(slot, 40.0)
        if not code or not any(text in run.fleet.log(slot) for text in texts):
            run.wrong.append(f"{slot} ended with {code}, and has not said {texts[0].decode()!r}")
    run.notes["refusals"] = run.notes.get("refusals", 0) + len(slots)


def state_of(run: Run, folder: Path) -> State:
    """What the files of a folder that nobody uses hold: by partition, offsets and the digest."""
    found: State = {}
    for number in range(run.partitions):
        with PartitionStore.open(folder / f"partition-{number}.duckdb", number, run.partitions) as store:
            found[number] = store.next_offsets(), digest_state([store.share()], [store.kernel(RULES)])["state"]
    return found


def unchanged(run: Run, folder: Path, before: State) -> None:
    if state_of(run, folder) != before:
        run.wrong.append(f"a refusal changed the state in {folder.name}")


def deleted(run: Run, seconds: float) -> None:
    """An old copy of a disk is started after retention deleted what it needs; later records are deleted under a worker that runs."""
    disk, old, newer = run.folder / "disk", run.folder / "old", run.folder / "disk-newer"
    run.must("a applies", lambda: run.fleet.applies("a"), 30.0)
    run.wait(seconds / 6)
    run.fleet.stop("a")
    shutil.copytree(disk, old)
    run.fleet.start("a")
    run.must("a applies", lambda: run.fleet.applies("a"), 30.0)
    run.wait(seconds / 6)
    run.fleet.stop("a")
    _delete(run, {number: offsets for number, (offsets, _) in state_of(run, disk).items()})
    before = state_of(run, old)
    run.fleet.start("a", disk="old")
    refused(run, "a", DELETED)
    unchanged(run, old, before)
    run.fleet.start("a", disk="disk")  # the remedy: newer state
    run.must("most of the LOG is applied", lambda: run.sent() and run.all_applied(), 60.0)
    run.fleet.freeze("a")  # before the rest comes: so it cannot have fetched what is deleted
    run.send(slice(len(run.records) * 3 // 4, None), seconds / 6)
    run.must("the rest is sent", run.sent, 60.0)
    shutil.copytree(disk, newer)
    _delete(run, _apply(run, newer))
    run.fleet.thaw("a")
    refused(run, "a", DELETED)
    run.fleet.start("a", disk="disk-newer")


def _delete(run: Run, before: Mapping[int, Mapping[Input, int]]) -> None:
    """Records of both inputs below these offsets."""
    parts = {TopicPartition(TOPICS[input_], number): offset for number, one in before.items() for input_, offset in one.items()}
    ask(run, lambda admin: admin.delete_records(parts))


def _apply(run: Run, folder: Path) -> dict[int, Mapping[Input, int]]:
    """Bring a copy of the state to the ends of the log, as a worker of another site would; where it stands then."""
    consumer = connect(KafkaConsumer, run.bootstrap, enable_auto_commit=False)
    reached: dict[int, Mapping[Input, int]] = {}
    for number, ends in ends_of_inputs(run.bootstrap, TOPICS, run.partitions).items():
        with PartitionStore.open(folder / f"partition-{number}.duckdb", number, run.partitions) as store:
            owner = Owner(store, RULES, now=0)
            parts = {TopicPartition(TOPICS[input_], number): offset for input_, offset in owner.next.items()}
            consumer.assign(list(parts))
            for part, offset in parts.items():
                consumer.seek(part, offset)
            while any(owner.next[input_] < end for input_, end in zip(INPUT_NAMES, ends, strict=True)):
                for part, records in consumer.poll(timeout_ms=500).items():
                    owner.apply([Record(INPUT_OF[part.topic], r.offset, r.timestamp, r.value, r.key or b"") for r in records], 0)
            reached[number] = dict(owner.next)
    consumer.close()
    return reached


def tail_lost(run: Run, seconds: float) -> None:
    """The broker comes back as it was some time ago: of the same topics the last records are gone."""
    half, more = len(run.records) // 2, len(run.records) * 3 // 4
    run.until(run.sent, 60.0)
    broker.stop(run.node)
    shutil.copytree(run.node / "data", run.folder / "broker")
    broker.start(run.node)
    run.send(slice(half, more), seconds / 4)
    run.must("the first three quarters are applied", lambda: run.sent() and run.all_applied(), 60.0)
    broker.kill(run.node)
    shutil.rmtree(run.node / "data")
    (run.folder / "broker").rename(run.node / "data")
    run.ordered = False
    broker.start(run.node)
    refused(run, "ab", LOST)
    before = state_of(run, run.folder / "disk")
    run.fleet.start("a")
    refused(run, "a", LOST)
    unchanged(run, run.folder / "disk", before)
    _move_away(run)
    run.send(slice(half, None), seconds / 2)


def recreated(run: Run, seconds: float) -> None:
    run.must("the first part is applied", lambda: run.sent() and run.all_applied(), 60.0)
    admin.delete_topics(run.bootstrap, [topic.name for topic in INPUTS])
    admin.create_topics(run.bootstrap, run.partitions, time="CreateTime")
    refused(run, "ab", ANEW, LOST)  # whatever a worker sees first: another topic of the name, or one that ends too early
    before = state_of(run, run.folder / "disk")
    run.fleet.start("a")
    refused(run, "a", ANEW)
    unchanged(run, run.folder / "disk", before)
    _move_away(run)
    run.send(slice(None), seconds / 2)


def _move_away(run: Run) -> None:
    """The remedy of both: the folder goes, the workers begin with the log."""
    (run.folder / "disk").rename(run.folder / "moved-away")
    for slot in "ab":
        run.fleet.start(slot)


def grown(run: Run, seconds: float) -> None:
    """Somebody raises the partition count of the inputs; `forage topics migrate` moves the state, the rest comes to the new partitions."""
    run.must("the first part is applied", lambda: run.sent() and run.all_applied(), 60.0)
    ask(run, lambda one: one.create_partitions({topic.name: GROWN for topic in INPUTS}))
    remedy, disk = b"forage topics migrate --partitions %d" % GROWN, run.folder / "disk"
    refused(run, "ab", remedy)
    before = state_of(run, disk)
    run.fleet.start("a")
    refused(run, "a", remedy)
    unchanged(run, disk, before)
    run.must("the state is moved", lambda: _migrated(run, disk), 30.0)
    half = len(run.records) // 2
    run.records, run.partitions, run.moved = [*run.records[:half], *_placed_anew(run.records[half:])], GROWN, True
    run.ordered = False
    for slot in "ab":
        run.fleet.start(slot)
    run.send(slice(half, None), seconds / 2)


def _migrated(run: Run, disk: Path) -> bool:
    """Refused while the group still counts the workers that ended."""
    with suppress(Unavailable):
        return migrate(run.bootstrap, GROWN, folders=[disk], state_store=None, group=run.fleet.group)
    return False


def _placed_anew(records: Sequence[Placed]) -> Iterator[Placed]:
    for one in records:
        if one.key is not None:
            yield one._replace(partition=partition_of(one.key, GROWN))
        else:  # a tick, which every partition gets
            yield from (one._replace(partition=number) for number in {one.partition, GROWN - 1 - one.partition})


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("log-deleted", "records deleted below an old copy of the disk, and under a running worker; each goes on from newer state", 24,
             deleted, numbers=(13,), workers=1, share=0.75),
    Scenario("log-cut", "the broker restored from an older copy of its data: the end of the log is gone", 24, tail_lost, numbers=(14,),
             share=0.5),
    Scenario("grown", f"partitions of the inputs raised to {GROWN} under running workers, then forage topics migrate", 24, grown,
             numbers=(15,), share=0.5),
    Scenario("topics-anew", "the inputs deleted and made anew under running workers", 24, recreated, numbers=(14,), share=0.5),
)  # fmt: skip
