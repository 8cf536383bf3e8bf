"""How far workers and partitions scale on this machine: `python -m benchmarks.scaling`, one cell for each number of workers and partitions.

All cells have the same searches; topics are filled once for each partition count, each cell reads them in a group of its own. Beside the
searches a second stand the CPU seconds that 1,000 searches cost workers and broker, and the searches a second that these cores could do at
that cost with nothing else running: where a cell comes near it, the cores are the limit. Each finished cell is a line in `--out`, and a
run with the same file goes on after the last one.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import throughput
from benchmarks.load import START, searches
from benchmarks.processes import broker_pid, cores
from benchmarks.takeover import made
from ops import broker
from streams.admin import delete_topics
from streams.moving.topics import Topics
from streams.replaying.recording import Line

SEARCHES = 40_000
WORKERS, PARTITIONS = (1, 2, 4), (4, 8, 16)


@dataclass(frozen=True)
class Cell:
    """`rows` memory rows were in each partition before. Searches a second applied and published, CPU seconds of 1,000 searches, highest
    resident MB of a worker; `peer` is the searches a second that bare aiokafka decodes, in the same run on the same bytes."""

    workers: int
    partitions: int
    rows: int
    searches: int
    applied: float
    published: float
    workers_cpu: float
    broker_cpu: float
    peak_mb: float
    peer: float

    @property
    def possible(self) -> float:
        """Searches a second if all cores did nothing else than this work."""
        return 1_000 * cores() / (self.workers_cpu + self.broker_cpu)


def cells(folder: Path, lines: Sequence[Line], wanted: Sequence[tuple[int, int]], *, rows: int) -> Iterator[Cell]:
    """The cells (workers, partitions) that are wanted; those of one partition count come together. Each partition begins with `rows`."""
    found = sum(line.topic == "impressions" for line in lines)
    bootstrap = broker.start(folder / "kafka")
    try:
        for partitions in dict.fromkeys(count for _, count in wanted):
            count = throughput.fill(bootstrap, lines, partitions=partitions)
            peer = found / asyncio.run(throughput.decode_only(bootstrap, count))
            for workers in [number for number, at in wanted if at == partitions]:
                place = folder / f"{partitions}-{workers}"
                for number in range(partitions if rows else 0):
                    (place / "data").mkdir(parents=True, exist_ok=True)
                    made(place / "data" / f"partition-{number}.duckdb", Topics.of(bootstrap), rows=rows, ids=0, partition=number, now=START)
                took = throughput.workers(
                    bootstrap, place, count, number=workers, partitions=partitions,
                    broker=broker_pid(folder / "kafka"),
                )  # fmt: skip
                yield _cell(workers, partitions, rows, took, found / count, peer)
                shutil.rmtree(place)
            delete_topics(bootstrap)
    finally:
        broker.stop(folder / "kafka")


def _cell(workers: int, partitions: int, rows: int, took: throughput.Measured, share: float, peer: float) -> Cell:
    done = share * took.records  # searches among the records that were applied while all workers ran
    return Cell(
        workers, partitions, rows, round(done), done / took.applied_s, done / took.published_s, 1_000 * took.workers_cpu / done,
        1_000 * took.broker_cpu / done, took.peak_mb, peer,
    )  # fmt: skip


def table(found: Sequence[Cell]) -> str:
    head = (
        f"{'workers':>7}{'partitions':>11}{'rows':>11}{'applied/s':>11}{'published/s':>12}{'peer/s':>8}{'ratio':>7}"
        f"{'CPU s per 1,000: workers':>26}{'broker':>8}{'possible/s':>12}{'peak MB':>9}"
    )
    rows = [
        f"{one.workers:>7}{one.partitions:>11}{one.rows:>11,}{one.applied:>11,.0f}{one.published:>12,.0f}"
        f"{one.peer:>8,.0f}{one.applied / one.peer:>7.2f}"
        f"{one.workers_cpu:>26.3f}{one.broker_cpu:>8.3f}{one.possible:>12,.0f}{one.peak_mb:>9,.0f}"
        for one in sorted(found, key=lambda one: (one.rows, one.partitions, one.workers))
    ]
    return "\n".join([head, *rows, f"possible: {cores()} cores / CPU seconds of one search, workers and broker, nothing else running"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=SEARCHES)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--partitions", type=int, nargs="+", default=PARTITIONS)
    parser.add_argument("--rows", type=int, default=0, help="memory rows that each partition has before")
    parser.add_argument("--out", type=Path, default=Path("var/scaling.jsonl"), help="finished cells; a run with the same file goes on")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    found = [Cell(**json.loads(line)) for line in given.out.read_text().splitlines()] if given.out.exists() else []
    done = {(one.workers, one.partitions) for one in found if one.rows == given.rows}
    wanted = [(workers, partitions) for partitions in given.partitions for workers in given.workers if (workers, partitions) not in done]
    if wanted:
        with tempfile.TemporaryDirectory() as folder, given.out.open("a") as out:
            for cell in cells(Path(folder), list(searches(given.searches)), wanted, rows=given.rows):
                found.append(cell)
                print(json.dumps(asdict(cell)), file=out, flush=True)
                if not given.json:
                    print(f"{cell.workers} workers, {cell.partitions} partitions: {cell.applied:,.0f} searches/s", flush=True)
    print(json.dumps([asdict(one) | {"possible": one.possible} for one in found], indent=1) if given.json else table(found))


if __name__ == "__main__":
    main()
