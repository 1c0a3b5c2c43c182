"""An examination as a file, so that one process examines and others show and write what it found.

It is plain JSON, a line for each row: nothing in it can name code to run.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers import disk, jobs
from layers.doctor.exam import Exam, Finding
from layers.doctor.fields import Target
from layers.doctor.systems import System
from layers.errors import Sentence
from layers.sources.rows import Row

_AT_ONCE = 5_000


def save(exam: Exam, file: Path) -> None:
    """Writes an examination, whole or not at all."""
    with disk.whole(file) as out:
        for one in _lines(exam):
            out.write(json.dumps(one, default=dict, ensure_ascii=False).encode() + b"\n")


def load(file: Path, target: Target) -> Exam:
    """What `save` has written; `target` is what it was examined for.

    Raises:
        OSError: nothing lies there.
    """
    with file.open(encoding="utf-8") as lines:
        said = (json.loads(line) for line in lines)
        head = next(said)
        findings = tuple(_finding(one) for one in islice(said, head["findings"]))
        rows = tuple(row for some in _batched(said) for row in _rows(some))
    system = head["system"] and System(**{**head["system"], "told": _read(head["system"]["told"])})
    return Exam(head["file"], target, rows, findings, head["total"], system)


def _lines(exam: Exam) -> Iterator[dict[str, Any]]:
    system = exam.system
    told = system and {
        "crs": system.crs,
        "swapped": bool(system.swapped),
        "share": float(system.share),
        "told": _told(system.told),
    }
    yield {"file": exam.file, "total": exam.total, "findings": len(exam.findings), "system": told}
    for one in exam.findings:
        remedy = _told(one.remedy)
        yield {"row": int(one.row), "state": one.state, "told": [*map(_told, one.told)], "remedy": remedy}
    for some in _batched(exam.rows):
        shapes = np.array([None, *(row.values.get("geom") for row in some)], dtype=object)[1:]
        for row, shape in zip(some, shapely.to_wkb(shapes, hex=True, include_srid=True), strict=True):
            values = {**row.values, "geom": shape} if "geom" in row.values else row.values
            yield {"row": [row.key, int(row.line), row.file], "values": values, "links": row.links}


def _rows(some: Iterable[dict[str, Any]]) -> list[Row]:
    told = [*some]
    shapes = shapely.from_wkb(np.array([None, *(one["values"].get("geom") for one in told)], dtype=object))
    return [_row(one, shape) for one, shape in zip(told, shapes[1:], strict=True)]


def _row(said: dict[str, Any], shape: Any) -> Row:
    key, line, file = said["row"]
    values = {**said["values"], "geom": shape} if "geom" in said["values"] else said["values"]
    return Row(key, line, file, values, said["links"])


def _finding(said: dict[str, Any]) -> Finding:
    told = tuple(filter(None, map(_read, said["told"])))
    return Finding(said["row"], said["state"], told, _read(said["remedy"]))


def _told(said: Sentence | None) -> dict[str, Any] | None:
    return None if said is None else {"text": said.text, "values": jobs.told(said.values)}


def _read(said: dict[str, Any] | None) -> Sentence | None:
    return None if said is None else Sentence(said["text"], **jobs.values(said["values"]))


def _batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := [*islice(rest, _AT_ONCE)]:
        yield some
