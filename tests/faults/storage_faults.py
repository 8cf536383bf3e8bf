"""Faults 27 to 31: disks that are full or take no writes, files that are cut off or have other bits, and files that somebody else holds."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from disks import BreakableDisk, Disk, unmount_all
from fleet import OWNED, ROOT
from producing import producer_on_a_full_and_damaged_disk
from readers import Reader
from scenarios import Run, Scenario, nothing

SIZE = 256  # MB of a disk, which a run needs a part of
HOLD = """
import sys, duckdb
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from memory_index.store import Store
held = duckdb.connect(sys.argv[3]) if sys.argv[2] == "duckdb" else Store(Path(sys.argv[3]), [])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def ends_allowed(run: Run) -> Iterator[None]:
    """Workers may end by themselves meanwhile, and are started again; how often they did is noted."""
    known = list(run.fleet.unexpected)
    yield
    run.wait(0.4)
    run.notes["workers that ended"] = run.notes.get("workers that ended", 0) + len(run.fleet.unexpected) - len(known)
    run.fleet.unexpected[:] = known


def said(run: Run, text: bytes, *, times: int = 1, seconds: float = 30.0) -> None:
    run.must(f"{times} times in the logs: {text.decode()!r}", lambda: run.fleet.logged(text) >= times, seconds)


def owned(run: Run, slot: str) -> list[int]:
    """Partitions that the slot's last process opened."""
    return sorted({int(number) for number, *_ in OWNED.findall(run.fleet.log(slot))})


def flip(path: Path, *places: float) -> None:
    """One bit at each of these places, in parts of the file."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[int(place * len(data))] ^= 16
    path.write_bytes(data)


def cut(path: Path, place: float = 0.5) -> None:
    with path.open("r+b") as file:
        file.truncate(int(place * path.stat().st_size))


def mounted(*names: str) -> Callable[[Run], None]:
    def mount(run: Run) -> None:
        for name in names:
            Disk(run.folder / name).mount(size=SIZE)

    return mount


def unmounted(run: Run) -> list[str]:
    unmount_all()
    for image in run.folder.glob("image-of-*"):
        image.unlink()
    return []


def disk_full(run: Run, seconds: float) -> None:
    run.wait(seconds / 4)
    disk = Disk(run.folder / "disk")
    with ends_allowed(run):
        disk.fill()
        said(run, b"free the disk, memory or file")  # of a worker that applied or compacted, and ended of it
        said(run, b" waits 60 s at most")  # of one that opens a file
        disk.free()
        run.must("workers apply again", lambda: all(run.fleet.applies(slot) for slot in run.fleet.slots), 60.0)


def stores_full(run: Run, seconds: float) -> None:
    """The state store and the folder of snapshots are full; the workers go on."""
    snapshots = run.folder / "snapshots"
    run.must("every partition has a checkpoint", lambda: run.fleet.kept() == run.partitions, 30.0)
    with Reader(run.bootstrap, run.folder / "reader.log") as reader:
        reader.save(snapshots / "memory", 1, snapshots / "policies")
        for name in ("state", "snapshots"):
            Disk(run.folder / name).fill()
        said(run, b"has no new checkpoint")
        refused = reader.save(snapshots / "memory", 2, snapshots / "policies")
        run.wrong += [f"snapshot into a full disk: {line}" for line in refused if "make room" not in line]
        for name in ("state", "snapshots"):
            Disk(run.folder / name).free()
        before = set((run.folder / "state").glob("*/*.json"))
        run.must("checkpoints are written again", lambda: bool(set((run.folder / "state").glob("*/*.json")) - before), 20.0)
        if (done := reader.save(snapshots / "memory", 3, snapshots / "policies")) != ["", ""]:
            run.wrong.append(f"snapshots after there was room: {done}")
        run.wrong += reader.reads_back(snapshots / "memory", 3)
    damaged_snapshot(run, snapshots / "memory")


def damaged_snapshot(run: Run, folder: Path) -> None:
    """Readers that start from it say so, and read the topic whole; they use the same one when it is whole again."""
    for path, damage in ((max(folder.glob("*.parquet")), flip), (folder / "manifest.json", flip), (folder / "manifest.json", cut)):
        good = path.read_bytes()
        damage(path, 0.6)
        with Reader(run.bootstrap, run.folder / "reader-2.log", snapshot=folder) as reader:
            what = f"{damage.__name__} {path.name}"
            run.must(f"{what}: read whole", lambda reader=reader: reader.sees(caught_up=True), 30.0)
            run.wrong += [] if str(folder) in reader.last["memory_error"] and reader.last["rows"] else [f"{what}: {reader.last}"]
        path.write_bytes(good)
    with Reader(run.bootstrap, run.folder / "reader-3.log", snapshot=folder) as reader:
        run.must("a whole one is used", lambda: reader.sees(caught_up=True, memory_error=""), 30.0)


def damaged_disk(run: Run, seconds: float) -> None:
    """Files and WALs of a killed worker; then the newest checkpoints, and its disk is gone."""
    run.must("every partition has a checkpoint", lambda: run.fleet.kept() == run.partitions, 30.0)
    run.wait(seconds / 4)
    run.fleet.kill("a")
    files = [run.folder / "disk-a" / f"partition-{number}.duckdb" for number in owned(run, "a")]
    hurt: list[Callable[[Path], None]] = [
        lambda path: flip(path, 0.0002), lambda path: flip(path, *(part / 40 for part in range(1, 40))), cut,
        lambda path: flip(Path(f"{path}.wal"), 0.5),
    ]  # fmt: skip
    for path, damage in zip(files, hurt, strict=False):
        damage(path)
    for lock in (run.folder / "disk-a").glob("slot-*.lock"):
        lock.write_bytes(b"\xff" * 33)
    run.fleet.start("a")
    said(run, b"it was set aside as", times=min(len(files), len(hurt)))
    run.notes["files set aside"] = run.fleet.logged(b"it was set aside as")
    said(run, b"took checkpoint")
    run.must("a applies", lambda: run.fleet.applies("a"), 30.0)
    damaged_checkpoints(run)


def damaged_checkpoints(run: Run) -> None:
    run.fleet.kill("a")
    hurt = [(".duckdb", flip), (".duckdb", cut), (".json", flip), (".json", cut)]
    for number, (end, damage) in zip(owned(run, "a"), hurt, strict=False):
        newest = max((run.folder / "state" / f"partition-{number}").glob("*.json"))
        damage(newest.with_suffix(end), 0.7)
    taken = run.fleet.logged(b"took checkpoint")
    run.fleet.start("a", disk="disk-a-new")
    said(run, b"took checkpoint", times=taken + len(hurt))
    said(run, b"has other bytes than its manifest says", times=2)
    run.notes["checkpoints taken"] = run.fleet.logged(b"took checkpoint")


def broken_wals(run: Run, seconds: float) -> None:
    """One of another file, one with its head gone, one with flipped bits; there is no state store: the log has everything."""
    run.wait(seconds / 3)
    for slot in "ab":
        run.fleet.kill(slot)
    wals = sorted((run.folder / "disk").glob("partition-*.wal"), key=lambda path: path.stat().st_size)[-4:]
    run.wrong += [] if len(wals) == 4 else [f"only {len(wals)} WALs are there to break"]
    other, *three = wals
    three[0].write_bytes(other.read_bytes())
    three[1].write_bytes(b"\0" * 4096 + three[1].read_bytes()[4096:])
    flip(three[2], 0.3, 0.6)
    for slot in "ab":
        run.fleet.start(slot)
    said(run, b"it was set aside as", times=2)  # what begins with zeros was never written, says DuckDB: the file as it was before is right
    run.notes["WALs set aside"] = len(list((run.folder / "disk").glob("*.wal.corrupt-*")))


def read_only(run: Run, seconds: float) -> None:
    """The disk of one worker takes no writes: the other worker takes its partitions from the state store, until it does again."""
    run.must("every partition has a checkpoint", lambda: run.fleet.kept() == run.partitions, 30.0)
    disk = Disk(run.folder / "disk-a")
    run.fleet.kill("a")
    disk.read_only()
    with ends_allowed(run):
        run.fleet.start("a")
        said(run, b"a worker cannot write to")
        said(run, b"took checkpoint")
        run.wait(seconds / 4)
        disk.read_only(False)
        run.must("a owns partitions again", lambda: run.fleet.owns("a"), 40.0)


def power_cut(run: Run, seconds: float) -> None:
    """The disk of one worker fails under it, and is there again later, without what had not been synced."""
    run.must("every partition has a checkpoint", lambda: run.fleet.kept() == run.partitions, 30.0)
    run.must("a applies", lambda: run.fleet.applies("a"), 30.0)
    run.wait(seconds / 4)
    disk = BreakableDisk(run.folder / "disk-a")
    with ends_allowed(run):
        disk.fail()
        said(run, b"cannot be used now")  # of the worker that it failed under
        said(run, b"a worker cannot write to")  # of the one that starts after it
        run.wait(seconds / 4)
        run.fleet.kill("a")
        disk.repair()
    run.fleet.start("a")
    run.must("a owns partitions again", lambda: run.fleet.owns("a"), 40.0)


def held_files(run: Run, seconds: float) -> None:
    """Two files are open in other processes, one by a plain DuckDB, one by our own door to it."""
    run.wait(seconds / 4)
    run.fleet.kill("a")
    files = [run.folder / "disk" / f"partition-{number}.duckdb" for number in owned(run, "a")[:2]]
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(ROOT), how, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for how, path in zip(("duckdb", "store"), files, strict=True)
    ]
    try:
        for one in holders:
            if one.stdout is None or one.stdout.readline() != b"held\n":
                run.wrong.append("a file could not be held")
        run.fleet.start("a")
        said(run, b" waits 60 s at most")
        run.wait(4.0)
    finally:
        for one in holders:
            one.communicate(b"")
    run.must("a applies", lambda: run.fleet.applies("a"), 40.0)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "disk-full", "the workers' disk full to the last byte under load, then room again", 24, disk_full, numbers=(27,),
        before=mounted("disk"), judge=unmounted,
    ),
    Scenario(
        "stores-full", "state store, memory and policy snapshots on full disks, then room again; a snapshot flipped and cut", 24,
        stores_full, numbers=(27, 28),
        apart=True, before=mounted("state", "snapshots"), judge=unmounted,
    ),
    Scenario(
        "damaged", "flipped and cut: partition files, WAL, slot lock, newest checkpoints and their manifests", 30, damaged_disk,
        numbers=(28,), apart=True,
    ),
    Scenario(
        "producer-disk", "an event producer over a full disk, killed, its segments flipped and cut", 8, nothing, numbers=(27, 28),
        judge=producer_on_a_full_and_damaged_disk,
    ),
    Scenario("wal", "WALs that do not replay, no state store: rebuilt from the log", 24, broken_wals, numbers=(29,)),
    Scenario(
        "read-only", "one worker's disk read-only when it starts; writable again later", 30, read_only, numbers=(30,), apart=True,
        before=mounted("disk-a"), judge=unmounted,
    ),
    Scenario(
        "power-cut", "one worker's disk (ext4) fails under load as in a power cut, and comes back later", 30, power_cut, numbers=(30,),
        apart=True, before=lambda run: BreakableDisk(run.folder / "disk-a").mount(size=SIZE), judge=unmounted,
    ),
    Scenario("held-files", "two partition files open in other processes when their worker starts", 20, held_files, numbers=(31,)),
)  # fmt: skip
