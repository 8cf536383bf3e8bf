"""Processes of a bench: what each one costs, read from /proc, and that none outlives it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 30.0  # s that a process has to end after SIGTERM


@dataclass(frozen=True)
class Cost:
    """CPU seconds (user and system) of a process since it began, its resident MB now and at most."""

    cpu: float
    rss: float
    peak: float


def cost(pid: int) -> Cost | None:
    """What process `pid` has cost so far, None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        kilobytes = [int(status[name].split()[0]) for name in ("VmRSS", "VmHWM")]
    except (OSError, KeyError):  # gone, or a zombie, which has no memory
        return None
    return Cost((int(fields[11]) + int(fields[12])) / _TICKS, kilobytes[0] / 1024, kilobytes[1] / 1024)


def children(pid: int) -> list[int]:
    """Processes that a process has started and not yet seen end."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def broker_pid(folder: Path) -> int | None:
    """Process of the broker of `folder` (ops.broker); None where it runs in Docker, whose cost is then not told."""
    try:
        return int((folder / "pid").read_text())
    except OSError:
        return None


def start(module: str, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """`python -m module words...` in a session of its own, so that Ctrl-C reaches the bench alone; it says what it says in `log`."""
    with log.open("ab") as out:
        return subprocess.Popen([sys.executable, "-m", module, *words], stdout=out, stderr=out, start_new_session=True)


def stop(process: subprocess.Popen[bytes], *, patience: float = PATIENCE) -> float:
    """SIGTERM, SIGKILL when that is not enough; seconds that it took to end."""
    began = time.monotonic()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return time.monotonic() - began


@contextmanager
def running(module: str, words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`start`, and `stop` at the end of the block, whatever happened in it."""
    process = start(module, words, log)
    try:
        yield process
    finally:
        stop(process)
