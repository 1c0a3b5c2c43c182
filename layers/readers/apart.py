"""Strangers' files are read in a process apart, which may take so much memory and time, not more.

What reads files (GDAL, expat, openpyxl) is large and written in C; a file that makes it fall, or eat all
there is, takes one short-lived process with it and not the server. What comes back is plain: text, numbers
and shapes as WKB, in files that this room itself reads. The process knows none of the server's settings.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.errors import N_, Sentence
from layers.readers import cells
from layers.readers.archives import Place
from layers.readers.plain import DEFAULTS, MB, Limits, Note, Offer, Piece, Table, Unreadable

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PROJ_DATA", "GDAL_DATA", "PYTHONPATH", "TMPDIR")


@dataclass(frozen=True)
class Bounds:
    """What one reading may take: memory, processor time, time by the clock, and bytes written to a file."""

    memory_bytes: int = 4_000 * MB
    processor_s: int = 300
    clock_s: float = 330.0
    file_bytes: int = 2_000 * MB


BOUNDS = Bounds()


def read(
    path: Path, *, name: str = "", encoding: str = "", limits: Limits = DEFAULTS, bounds: Bounds = BOUNDS
) -> Table:
    """As `readers.read`, in a process apart.

    Raises:
        Unreadable: it cannot be used, or reading it takes more than the bounds allow.
    """
    place = Place()
    asked = {"do": "read", "name": name, "encoding": encoding}
    said = _asked(path, asked, place.path, limits, bounds)
    notes = tuple(Note(note["row"], _sentence(note["said"])) for note in said.pop("notes"))
    columns = tuple(said.pop("columns"))
    return Table(**said, columns=columns, notes=notes, pieces=_Pieces(place, place.path / "pieces"))


def offers(path: Path, *, limits: Limits = DEFAULTS, bounds: Bounds = BOUNDS) -> list[Offer]:
    """As `readers.offers`, in a process apart.

    Raises:
        Unreadable: nothing in it can be read, or looking takes more than the bounds allow.
    """
    place = Place()
    found = _asked(path, {"do": "offers"}, place.path, limits, bounds)
    return [Offer(**{**one, "columns": tuple(one["columns"])}) for one in found["offers"]]


@dataclass(frozen=True)
class _Pieces:
    """Walks through the rows that the process left; holds their folder as long as somebody may."""

    place: Place
    file: Path

    def __call__(self) -> Iterator[Piece]:
        with self.file.open(encoding="utf-8") as lines:
            for line in lines:
                said = json.loads(line)
                shapes = said["shapes"]
                yield Piece(
                    said["numbers"],
                    [tuple(row) for row in said["cells"]],
                    None if shapes is None else shapely.from_wkb(np.array(shapes, dtype=object)),
                )


def _asked(path: Path, asked: dict[str, str], folder: Path, limits: Limits, bounds: Bounds) -> dict[str, Any]:
    """What the process says; what it leaves lies in the folder."""
    file = cells.visible(path.name)
    order: dict[str, Any] = {**asked, "path": str(path.resolve()), "folder": str(folder)}
    order |= {"limits": asdict(limits), "bounds": asdict(bounds)}
    code = _run(json.dumps(order), folder, bounds)
    try:
        said: dict[str, Any] = json.loads((folder / "said").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    if not said or (code and "refused" not in said):
        text = N_("Reading the file “{file}” took too much memory or time, or broke off. Split or repair it.")
        raise Unreadable(text, file=file)
    if "refused" in said:
        raise Unreadable(said["refused"]["text"], **_values(said["refused"]["values"]))
    return said


def _run(order: str, folder: Path, bounds: Bounds) -> int:
    """Starts the process and waits for it; it and all that it started end with the time."""
    # The folder of this package comes first: what is read must not choose the code that reads it.
    root = str(Path(__file__).parent.parent.parent)
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    paths = os.pathsep.join(filter(None, (root, known.get("PYTHONPATH", ""))))
    own = {**known, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    started = subprocess.Popen(
        [sys.executable, "-m", "layers.readers.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={**own, "TMPDIR": str(folder), "HOME": str(folder)},
        start_new_session=True,
    )
    try:
        started.communicate(order.encode(), timeout=bounds.clock_s)
    except subprocess.TimeoutExpired:
        return 1
    finally:
        _end(started)
    return started.returncode


def _end(started: "subprocess.Popen[bytes]") -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, signal.SIGKILL)
    else:
        started.kill()
    started.wait()


# --- In the process apart


def main(order: dict[str, Any]) -> int:
    """Does what is ordered within its bounds, and leaves what it found in the folder."""
    _bind(Bounds(**order["bounds"]))
    tempfile.tempdir = order["folder"]
    from layers import readers  # Only now: what it brings along is bound too.

    folder, path, limits = Path(order["folder"]), Path(order["path"]), Limits(**order["limits"])
    try:
        if order["do"] == "offers":
            said: dict[str, Any] = {"offers": [asdict(one) for one in readers.offers(path, limits=limits)]}
        else:
            table = readers.read(path, name=order["name"], encoding=order["encoding"], limits=limits)
            said = _told(table, folder)
    except Unreadable as error:
        said = {"refused": {"text": error.text, "values": {k: _plain(v) for k, v in error.values.items()}}}
    (folder / "said").write_text(json.dumps(said), encoding="utf-8")
    return 0


def _bind(bounds: Bounds) -> None:
    """Takes away from this process what it does not need. Windows knows no such bounds but the clock's."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, bounds.memory_bytes),
        (resource.RLIMIT_CPU, bounds.processor_s),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _told(table: Table, folder: Path) -> dict[str, Any]:
    with (folder / "pieces").open("w", encoding="utf-8") as out:
        for piece in table.pieces():
            shapes = None if piece.shapes is None else shapely.to_wkb(piece.shapes, hex=True).tolist()
            said = {"numbers": [int(number) for number in piece.numbers], "cells": piece.cells}
            out.write(json.dumps({**said, "shapes": shapes}) + "\n")
    same = ("file", "name", "columns", "geometry", "crs", "encoding", "rows")
    notes = [{"row": int(note.row), "said": _sentence_told(note.said)} for note in table.notes]
    return {**{name: getattr(table, name) for name in same}, "notes": notes}


def _sentence_told(said: Sentence) -> dict[str, Any]:
    return {"text": said.text, "values": {name: _plain(value) for name, value in said.values.items()}}


def _plain(value: object) -> Any:
    """A value that JSON knows; a sentence in a sentence stays one."""
    if isinstance(value, Sentence):
        return _sentence_told(value)
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _sentence(said: dict[str, Any]) -> Sentence:
    return Sentence(said["text"], **_values(said["values"]))


def _values(said: dict[str, Any]) -> dict[str, object]:
    return {name: _sentence(one) if isinstance(one, dict) else one for name, one in said.items()}


if __name__ == "__main__":
    sys.exit(main(json.load(sys.stdin)))
