"""The files of N partitions as files of M: sums stay where they are, open searches and held actions go where their records will go.

State is sums, so any split of it over partitions is right. What hangs on the partition of a search is what its later events meet: the
events of open searches, and the ids by which a fact counts once. Ids are hashes that tell no partition: every file gets all of them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from memory_index.store import Store
from schemas.errors import CorruptFile, Unavailable
from streams.kernel.changes import INPUTS, Changes
from streams.kernel.conclude import Out
from streams.kernel.join import Rules
from streams.kernel.kernel import Kernel
from streams.kernel.share import digest_state
from streams.partition_store import PartitionStore, schema
from streams.partitioning import partition as partition_of

FIRST = 1  # seq of a new partition: it is not empty, whatever its sums hold


def file_of(folder: Path, partition: int) -> Path:
    return folder / f"partition-{partition}.duckdb"


def spread(folder: Path, *, before: int, after: int, rules: Rules) -> None:
    """Turn the files of `before` partitions in `folder`, nobody else's, into those of `after`, which is more. Raises Unavailable while an
    erasure is under way, CorruptFile when what waits for events is not the same afterwards."""
    now = max(_watermarks(folder, before))
    waiting = _waiting(folder, before, rules=rules, now=now)
    files = [Store(file_of(folder, number), schema()) for number in range(after)]
    try:
        _ids(files, before)
        _events(files, before)
        _identities(files, before, now)
        for one in files:
            one.checkpoint()
    finally:
        for one in files:
            one.close()
    if waiting != _waiting(folder, after, rules=rules, now=now):
        raise CorruptFile(
            f"{folder}: open searches differ after spreading {before} partitions over {after}; the state is as it was, please report this"
        )


def _watermarks(folder: Path, partitions: int) -> Iterator[int]:
    for number in range(partitions):
        with Store(file_of(folder, number), schema()) as store:
            if busy := store.query("SELECT count(*) AS n FROM erased WHERE NOT done")["n"][0].as_py():
                raise Unavailable(f"partition {number}: {busy} erasures are not done yet; let the workers finish, then stop them again")
            times = {row["topic"]: row["time"] for row in store.query("SELECT topic, time FROM applied").to_pylist()}
        yield min(times.get(topic, 0) for topic in INPUTS)


def _waiting(folder: Path, partitions: int, *, rules: Rules, now: int) -> str:
    """Digest of what waits for events once it is `now` everywhere; conclusions that this brings are committed."""

    def kernels() -> Iterator[Kernel]:
        for number in range(partitions):
            with PartitionStore.open(file_of(folder, number), number, partitions) as store:
                kernel = store.kernel(rules)
                if kernel.clock.watermark < now:
                    store.commit(_pass(kernel, now))
            yield kernel

    return digest_state([], kernels())["open"]


def _pass(kernel: Kernel, now: int) -> Changes:
    """Time has passed, as a tick says it. Whether a search is final follows from its partition's time: one that moves must not meet an
    earlier one, which would conclude it twice, nor a later one, which would take it for concluded."""
    changes = Changes()
    for topic in INPUTS:
        kernel.clock.advance(topic, now)
    kernel.searches.pass_time(kernel.clock.watermark, Out(changes, kernel.ids, kernel.partition))
    changes.next, changes.times = dict(kernel.next), dict(kernel.clock.times)
    return changes


def _ids(files: Sequence[Store], before: int) -> None:
    """Each once: after an earlier spreading the files have many in common."""
    known = pa.concat_tables([one.query("SELECT bucket, id, content FROM ids") for one in files[:before]])
    known = known.group_by(["bucket", "id", "content"]).aggregate([])
    for one in files:
        one.append({"ids": known}, [("DELETE FROM ids", [])])


def _events(files: Sequence[Store], before: int) -> None:
    """File by file: an hour of pages is large."""
    for source in files[:before]:
        events = source.query("SELECT * FROM events")
        right = np.array([partition_of(search, len(files)) for search in events["search_id"].to_pylist()], dtype=np.int64)
        for number, target in enumerate(files):
            if target is not source:
                target.append({"events": events.filter(pa.array(right == number))})
        source.append({"events": events.filter(pa.array(right == files.index(source)))}, [("DELETE FROM events", [])])


def _identities(files: Sequence[Store], before: int, now: int) -> None:
    """New partitions begin at offset 0, at the time of all, with the topics and erasures that every partition knows."""
    common = {table: files[0].query(f"SELECT * FROM {table}") for table in ("topic_ids", "erased")}
    begin = {
        "applied": pa.table({"seq": [FIRST] * len(INPUTS), "topic": list(INPUTS), "next": [0] * len(INPUTS), "time": [now] * len(INPUTS)})
    }
    for number, one in enumerate(files):
        identity = pa.table({"partition": [number], "partitions": [len(files)]})
        new = common | begin if number >= before else {}
        one.append({"identity": identity, **new}, [("DELETE FROM identity", [])])
