"""Disks of their own that can be filled, made read-only, and broken, while the rest of the machine has room.

They are mounted, so this needs root. Without it: `unshare --map-root-user --mount make faults`, where the kernel lets users do that.
"""

import atexit
import fcntl
import os
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

from schemas.errors import Unavailable

MB = 1 << 20
_MOUNTED: list[Path] = []
_EXT4_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2  # ioctl and flag of linux/ext4.h


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


class BreakableDisk(Disk):
    """An ext4 in a file: `fail` is what a power cut or a torn cable leaves, down to the blocks that were not synced."""

    def mount(self, *, size: int) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(size * MB)
        _run("mkfs.ext4", "-q", str(self._image))
        self.repair()

    def fail(self) -> None:
        """From now on every write, and every read of what is not in memory, is an input/output error."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _EXT4_SHUTDOWN, struct.pack("I", _NO_FLUSH))
        finally:
            os.close(folder)

    def repair(self) -> None:
        """Mount it (again): what was synced is there. No process may have it open."""
        if self.path in _MOUNTED:
            _run("umount", str(self.path))
            _MOUNTED.remove(self.path)
        _mount("-o", "loop", str(self._image), str(self.path))
        _MOUNTED.append(self.path)

    @property
    def _image(self) -> Path:
        return self.path.with_name(f"image-of-{self.path.name}")


def unmount_all() -> None:
    while _MOUNTED:
        subprocess.run(["umount", "-l", str(_MOUNTED.pop())], check=False)


def _mount(*words: str) -> None:
    _run("mount", *words)


def _run(*words: str) -> None:
    try:
        subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error.strerror
        raise Unavailable(f"this fault cannot be made here: {words[0]}: {why}; be root, or use `unshare --map-root-user --mount`") from None


atexit.register(unmount_all)
