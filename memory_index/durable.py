"""Files that appear whole or not at all, and stay after a power cut."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from schemas.errors import Unavailable


def make_folder(path: Path) -> None:
    """With its parents, for this user alone; one that is there stays as it is. Raises Unavailable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"folder {path} cannot be made ({error}); give one that can be written") from error


def write_then_rename(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, rename it over `path`, sync the folder.

    Raises Unavailable when the disk does not take it: what stood under `path` before stands there still, and nothing beside it.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except (OSError, Unavailable) as error:
        with suppress(OSError):  # half a file must not take the room that the next one needs
            temporary.unlink(missing_ok=True)
        if isinstance(error, Unavailable):
            raise
        raise Unavailable(f"{path} is not written ({error}); make room on that disk, or give a folder that can be written") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
