"""What a partition holds in memory and on disk for each search: `python -m benchmarks.memory`.

Bytes are those that Python and numpy allocated (tracemalloc), for searches with pages of some 9 KB and half an action each; on disk
those of the file after a compaction. Restoring is timed without tracing.
"""

import argparse
import gc
import random
import tempfile
import time
import tracemalloc
from pathlib import Path

from benchmarks.load import DAY, START, searches
from schemas.codec import encode
from schemas.events import Tick
from streams.kernel.changes import INPUTS, Record, SavedId
from streams.kernel.join import RULES
from streams.kernel.kernel import Kernel
from streams.kernel.search import Counted
from streams.kernel.seen_ids import SeenIds
from streams.partition_store import PartitionStore
from streams.replaying.replay import batches, interleaved, records_of

SEARCHES = 20_000
IDS = 500_000


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    # A day of searches within five minutes, so that none is final yet; the ticks that the log ends with are left out.
    lines = [line._replace(time=START + (line.time - START) * 300_000 // DAY) for line in searches(SEARCHES)]
    records = [one for one in interleaved(records_of(lines, 1, rules=RULES)[0], "even") if one.time <= lines[-1].time]
    with tempfile.TemporaryDirectory() as folder, PartitionStore.open(Path(folder) / "partition-0.duckdb", 0, 1) as store:
        figures = run(store, records)
    for name, value in figures.items():
        print(f"{name:<64}{value:>10,.1f}")


def run(store: PartitionStore, records: list[Record]) -> dict[str, float]:
    """Bytes and microseconds a search."""
    kernel = store.kernel(RULES)
    for some in batches(records, 1_000):
        store.commit(kernel.apply(some))
    del kernel
    store.compact(RULES, 0)
    figures = {"bytes of an impression": sum(len(one.value or b"") for one in records if one.topic == "impressions") / SEARCHES}
    figures["open: bytes on disk, its rows of memory and ids included"] = store.path.stat().st_size / SEARCHES
    began = time.process_time()
    kernel = store.kernel(RULES)
    figures["open: microseconds to restore it"] = (time.process_time() - began) / SEARCHES * 1e6
    del kernel
    tracemalloc.start()
    nothing = _traced()
    kernel = store.kernel(RULES)
    figures["open, after a restart: bytes in memory, without ids"] = (_traced() - nothing) / SEARCHES
    searches_ = [one for some in kernel.searches.open.values() for one in some]
    asleep = _traced()
    for one in searches_:
        one.wake()
    figures["awake: bytes more (the 2,000 touched last)"] = (_traced() - asleep) / SEARCHES
    for one in searches_:
        one.sleep()
    figures["asleep: bytes more"] = (_traced() - asleep) / SEARCHES
    assert not any(isinstance(one._counted, Counted) for one in searches_)
    figures["final, until its window ends: bytes"] = (_final(kernel, records[-1].time) - nothing) / SEARCHES
    rng, before = random.Random(1), _traced()
    ids = SeenIds(SavedId(470_000 + n * 24 // IDS, rng.randbytes(16), rng.getrandbits(63)) for n in range(IDS))
    figures["an id that counted (2.5 a search, kept for 25 h): bytes"] = (_traced() - before) / len(ids)
    tracemalloc.stop()
    return figures


def _final(kernel: Kernel, last: int) -> float:
    """Traced bytes once every search is final, and none forgotten."""
    at = last + RULES.settle + 60_000
    kernel.apply([Record(topic, kernel.next[topic], at, encode(Tick())) for topic in INPUTS])
    return _traced()


def _traced() -> float:
    gc.collect()
    return float(tracemalloc.get_traced_memory()[0])


if __name__ == "__main__":
    main()
