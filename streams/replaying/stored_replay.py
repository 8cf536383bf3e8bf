"""Digests of state on disk: a LOG replayed through partition stores that are closed and opened again on the way, and folders that
an embedded run or workers left behind."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from memory_index.store import Store
from schemas.errors import CorruptFile, InvalidSetting, NotFound
from streams.kernel.changes import INPUTS, Record
from streams.kernel.join import RULES, Rules
from streams.kernel.kernel import Kernel
from streams.kernel.share import Share, digest_state
from streams.partition_store import PartitionStore, schema
from streams.replaying.recording import Line
from streams.replaying.replay import Interleave, Progress, batches, check, interleaved, pieces, records_of


def replay_with_stops(
    lines: Iterable[Line], folder: Path, *, partitions: int, batch: int, interleave: Interleave, stops: int, rules: Rules = RULES,
    progress: Progress = lambda done, total: None,
) -> dict[str, str]:  # fmt: skip
    """As `streams.replaying.replay.replay`, in files of the empty `folder`. Each partition is stopped at `stops` places, spread evenly
    over its records; what resumes knows only the file, and the batch before the stop is delivered again. Raises InvalidSetting."""
    check(partitions, batch, interleave)
    if stops < 0:
        raise InvalidSetting(f"stops is {stops}, must be 0 or more; 0 replays in memory")
    logs = records_of(lines, partitions, rules=rules)
    done, total = 0, sum(len(log[topic]) for log in logs for topic in INPUTS)
    kernels: list[Kernel] = []
    sums: list[Share] = []
    for number, log in enumerate(logs):
        again: Sequence[Record] = ()
        for piece in pieces(interleaved(log, interleave), stops + 1):
            with PartitionStore.open(folder / f"partition-{number}.duckdb", number, partitions) as store:
                kernel = store.kernel(rules)
                if again:
                    store.commit(kernel.apply(again))
                for records in batches(piece, batch):
                    store.commit(kernel.apply(records))
                    again = records
                    progress(done := done + len(records), total)
        with PartitionStore.open(folder / f"partition-{number}.duckdb", number, partitions) as store:
            kernels.append(store.kernel(rules))
            sums.append(store.share())
    return digest_state(sums, kernels)


def folders_digest(folders: Sequence[Path], *, rules: Rules = RULES) -> dict[str, str]:
    """Digest by part of the state in the `partition-*.duckdb` files of one run, which may be spread over several workers' folders.

    A partition that moved between workers left a file with each: the one that applied most counts. Raises NotFound when a partition
    is missing, CorruptFile when the files belong to different runs, Unavailable while a worker has a file open.
    """
    best: dict[int, PartitionStore] = {}
    with ExitStack() as opened:
        for path in (path for folder in folders for path in sorted(folder.glob("partition-*.duckdb"))):
            store = opened.enter_context(open_any(path))
            rival = best.get(store.partition)
            if rival is None or _applied(store) > _applied(rival):
                best[store.partition] = store
        _check_whole(folders, list(best.values()))
        return digest_state([store.share() for store in best.values()], [store.kernel(rules) for store in best.values()])


def open_any(path: Path) -> PartitionStore:
    """A partition's file, whichever partition it is."""
    store = Store(path, schema())
    try:
        rows = store.query("SELECT partition, partitions FROM identity").to_pylist()
        if not rows:
            raise NotFound(f"{path} holds no partition yet; let its worker apply something first, or move the file away")
        return PartitionStore(store, rows[0]["partition"], rows[0]["partitions"])
    except BaseException:
        store.close()
        raise


def _applied(store: PartitionStore) -> int:
    return sum(store.next_offsets().values())


def _check_whole(folders: Sequence[Path], stores: Sequence[PartitionStore]) -> None:
    where = ", ".join(map(str, folders))
    if not stores:
        raise NotFound(f"no partition-*.duckdb in {where}; give the folder of an embedded run or of a worker")
    counts = {store.partitions for store in stores}
    if len(counts) > 1:
        raise CorruptFile(f"files in {where} come from runs with {sorted(counts)} partitions; give the folders of one run")
    if missing := set(range(counts.pop())) - {store.partition for store in stores}:
        raise NotFound(f"partitions {sorted(missing)} are in none of {where}; give the folders of all workers of the run")
