"""Files that appear whole or not at all, and stay after a power cut."""

import os
from collections.abc import Callable
from pathlib import Path


def write_then_rename(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, rename it over `path`, sync the folder."""
    temporary = path.with_name(f"{path.name}.tmp")
    write(temporary)
    _sync(temporary)
    os.replace(temporary, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
