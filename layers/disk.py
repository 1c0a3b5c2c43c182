"""Files that are there whole or not at all, also after a kill or a power cut; the leftovers of either."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_STALE_S = 86_400


def stale(folder: Path, pattern: str) -> Iterator[Path]:
    """What processes that were killed have left in a folder: a day old, so that nobody still works on it."""
    for left in folder.glob(pattern):
        with suppress(OSError):
            if time.time() - left.lstat().st_mtime > _STALE_S:
                yield left


def sweep(folder: Path, pattern: str) -> None:
    """Removes the stale files whose names fit."""
    for left in stale(folder, pattern):
        with suppress(OSError):
            left.unlink()


def reach(folder: Path) -> None:
    """Waits until the names in a folder are on the disk as well."""
    if os.name == "nt":
        return  # A folder cannot be opened there.
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def whole(file: Path) -> Iterator[IO[bytes]]:
    """A file, for its owner alone, that takes its name when all of it has reached the disk.

    What had the name stays until then, and after any error. It grows beside it under a name of `growing`.

    Raises:
        OSError: the disk is full, or the folder may not be written.
    """
    sweep(file.parent, f".{file.name}.*.part")
    part = growing(file)
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
        reach(file.parent)
    finally:
        part.unlink(missing_ok=True)


def growing(file: Path) -> Path:
    """The name under which this process writes a file or folder that is to take its own when it is whole."""
    return file.with_name(f".{file.name}.{os.getpid()}.part")
