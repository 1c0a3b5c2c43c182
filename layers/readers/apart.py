"""Strangers' files are read in a process apart, which may take so much memory and time, not more.

What reads files (GDAL, expat, openpyxl) is large and written in C; a file that makes it fall, or eat all
there is, takes one short-lived process with it and not the server. What comes back is plain: text, numbers
and shapes as WKB, in files that this room itself reads. The process knows none of the server's settings.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers import jobs
from layers.errors import N_, Sentence
from layers.jobs import processes, progress, states
from layers.jobs.progress import Tell
from layers.readers import cells
from layers.readers.plain import DEFAULTS, MB, Limits, Note, Offer, Piece, Several, Table, Unreadable
from layers.readers.web import MANNERS, Manners

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PROJ_DATA", "GDAL_DATA", "PYTHONPATH", "TMPDIR")


@dataclass(frozen=True)
class Bounds:
    """What one reading may take: memory, processor time, time by the clock, and bytes written to a file."""

    memory_bytes: int = 4_000 * MB
    processor_s: int = 300
    clock_s: float = 330.0
    file_bytes: int = 2_000 * MB


BOUNDS = Bounds()
FETCHING = Bounds(clock_s=900.0)
"""A slow service has a quarter of an hour, all its pages together."""
_LOOK_S = 0.1
_SAID, _PIECES, _PROGRESS, _PART = "said", "pieces", "progress", "part"


def look(
    path: Path,
    *,
    into: Path,
    name: str = "",
    encoding: str = "",
    limits: Limits = DEFAULTS,
    bounds: Bounds = BOUNDS,
    tell: Tell = progress.silent,
) -> None:
    """Reads one table of a file into a folder of its own, whole or not at all; `looked` gives it back.

    Raises:
        Unreadable: it cannot be used, or reading it takes more than the bounds allow.
    """
    failed = Unreadable(
        N_("Reading the file “{file}” took too much memory or time, or broke off. Split or repair it."),
        file=cells.visible(path.name),
    )
    with _growing(into) as folder:
        order = {"do": "look", "path": str(path.resolve()), "name": name, "encoding": encoding}
        _done(order, folder, limits, bounds, failed, tell)


def looked(folder: Path) -> tuple[Table, list[Offer]]:
    """What `look` has left: the table, and all that one could choose from the same file.

    Raises:
        OSError: nothing lies there.
    """
    said = json.loads((folder / _SAID).read_text(encoding="utf-8"))
    offered = [Offer(**{**one, "columns": tuple(one["columns"])}) for one in said.pop("offers")]
    notes = tuple(Note(note["row"], _sentence(note["said"])) for note in said.pop("notes"))
    columns = tuple(said.pop("columns"))
    return Table(**said, columns=columns, notes=notes, pieces=_Pieces(folder / _PIECES)), offered


def fetched(
    url: str,
    *,
    folder: Path,
    name: str = "",
    manners: Manners = MANNERS,
    bounds: Bounds = FETCHING,
    tell: Tell = progress.silent,
) -> Path:
    """As `readers.fetched`, in a process apart; `folder` is there afterwards, with the file alone, or not.

    Raises:
        Several: there are several layers, and none was chosen.
        Unreadable: it cannot be had, or fetching it takes more than the bounds allow.
    """
    failed = Unreadable(
        N_("Fetching “{url}” took too much memory or time, or broke off. Ask it for less, or try later."),
        url=url,
    )
    with _growing(folder) as growing, tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as around:
        order = {"do": "fetch", "url": url, "name": name, "manners": asdict(manners)}
        said = _done(order, Path(around), DEFAULTS, bounds, failed, tell)
        # A name of its own choice must not lead elsewhere.
        file = next(one for one in (Path(around) / _PART).iterdir() if one.name == said["file"])
        file.rename(growing / file.name)
    return folder / file.name


@contextmanager
def _growing(target: Path) -> Iterator[Path]:
    """A new folder, which takes the place of the target once it is whole."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Pieces:
    """Walks through the rows that the process left."""

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


def _done(
    order: dict[str, Any], folder: Path, limits: Limits, bounds: Bounds, failed: Unreadable, tell: Tell
) -> dict[str, Any]:
    """What the process says and leaves in the folder; `failed` is raised where it fell or was ended."""
    order = {
        **order,
        "parent": processes.own_id(),
        "folder": str(folder.resolve()),
        "limits": asdict(limits),
        "bounds": asdict(bounds),
    }
    code = _run(json.dumps(order), folder, bounds, lambda: _pass_on(folder / _PROGRESS, tell))
    try:
        said: dict[str, Any] = json.loads((folder / _SAID).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    if "several" in said:
        raise Several([(str(name), str(title)) for name, title in said["several"]])
    if not said or (code and "refused" not in said):
        raise failed
    if "refused" in said:
        raise Unreadable(said["refused"]["text"], **jobs.values(said["refused"]["values"]))
    return said


def _pass_on(file: Path, tell: Tell) -> None:
    if told := states.read(file):
        tell(str(told["stage"]), int(told["done"]), int(told["total"]))


def _run(order: str, folder: Path, bounds: Bounds, look: Callable[[], None]) -> int:
    """Starts the process and waits for it, looking now and then; it and all that it started end in time."""
    # The folder of this package comes first: what is read must not choose the code that reads it.
    root = str(Path(__file__).parent.parent.parent)
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    paths = os.pathsep.join(filter(None, (root, known.get("PYTHONPATH", ""))))
    own = {**known, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with processes.unsettled():
        started = subprocess.Popen(
            [sys.executable, "-m", "layers.readers.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**own, "TMPDIR": str(folder), "HOME": str(folder)},
            start_new_session=True,
        )
    until, asked = time.monotonic() + bounds.clock_s, order.encode()
    try:
        while True:
            try:
                started.communicate(asked, timeout=min(_LOOK_S, max(until - time.monotonic(), 0)))
                return started.returncode
            except subprocess.TimeoutExpired:
                asked = b""  # The first call goes on sending it.
                if time.monotonic() >= until:
                    return 1
            look()
    finally:
        _end(started)


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

    folder, limits = Path(order["folder"]), Limits(**order["limits"])
    tell, name = progress.into(folder / _PROGRESS), order["name"]
    try:
        if order["do"] == "fetch":
            (folder / _PART).mkdir()
            url, manners = order["url"], Manners(**order["manners"])
            file = readers.fetched(url, folder=folder / _PART, name=name, manners=manners, tell=tell)
            said: dict[str, Any] = {"file": file.name}
        else:
            path, encoding = Path(order["path"]), order["encoding"]
            table, offered = readers.look(path, name=name, encoding=encoding, limits=limits, tell=tell)
            said = {**_told(table, folder, tell), "offers": [asdict(one) for one in offered]}
    except Several as error:
        said = {"several": error.layers}
    except Unreadable as error:
        said = {"refused": {"text": error.text, "values": jobs.told(error.values)}}
    (folder / _SAID).write_text(json.dumps(said), encoding="utf-8")
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


def _told(table: Table, folder: Path, tell: Tell) -> dict[str, Any]:
    done = 0
    with (folder / _PIECES).open("w", encoding="utf-8") as out:
        for piece in table.pieces():
            done += len(piece.numbers)
            tell(progress.READ, done, table.rows)
            shapes = None if piece.shapes is None else shapely.to_wkb(piece.shapes, hex=True).tolist()
            said = {"numbers": [int(number) for number in piece.numbers], "cells": piece.cells}
            out.write(json.dumps({**said, "shapes": shapes}) + "\n")
    same = ("file", "name", "columns", "geometry", "crs", "encoding", "rows")
    notes = [{"row": int(note.row), "said": _sentence_told(note.said)} for note in table.notes]
    return {**{name: getattr(table, name) for name in same}, "notes": notes}


def _sentence_told(said: Sentence) -> dict[str, Any]:
    return {"text": said.text, "values": jobs.told(said.values)}


def _sentence(said: dict[str, Any]) -> Sentence:
    return Sentence(said["text"], **jobs.values(said["values"]))


if __name__ == "__main__":
    ordered = json.load(sys.stdin)
    processes.end_with_parent(ordered["parent"])
    sys.exit(main(ordered))
