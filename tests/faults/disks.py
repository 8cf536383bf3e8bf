"""Disks of a given size that can be filled and made read-only, while the rest of the machine has room.

They are mounted, so this needs root. Without it: `unshare --map-root-user --mount make faults`, where the kernel lets users do that.
"""

import atexit
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from schemas.errors import Unavailable

MB = 1 << 20
_MOUNTED: list[Path] = []


class Disk:
    """A file system in memory of its own at `path`, which is there until `unmount_all` or the end of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, *, size: int) -> None:
        """`size` in MB."""
        self.path.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={size}m,mode=0755", "forage-faults", str(self.path))
        _MOUNTED.append(self.path)

    def fill(self) -> None:
        """Until nothing more goes in: what is written to it from now on fails with ENOSPC."""
        block = b"\0" * MB
        with self._filler.open("ab", buffering=0) as file:
            for size in (MB, 4096, 1):
                with suppress(OSError):
                    while file.write(block[:size]) == size:
                        pass

    def free(self) -> None:
        self._filler.unlink()

    def read_only(self, true: bool = True) -> None:
        """Only while no file is open for writing: as the kernel leaves a disk that had trouble, when a worker starts on it."""
        _mount("-o", "remount,ro" if true else "remount,rw", str(self.path))

    @property
    def _filler(self) -> Path:
        return self.path / "filler"


def unmount_all() -> None:
    while _MOUNTED:
        subprocess.run(["umount", "-l", str(_MOUNTED.pop())], check=False)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(
            f"this fault cannot be made here: {done.stderr.strip()} (uid {os.getuid()}); be root, or use `unshare --map-root-user --mount`"
        )


atexit.register(unmount_all)
