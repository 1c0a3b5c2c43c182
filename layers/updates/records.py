"""The delivered rows that are wanted, each once, in our words, where it really lies; losses are told."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from layers.catalog import Instance
from layers.errors import N_, Sentence
from layers.geo import Shapes
from layers.updates import placing
from layers.updates.content import BadContent
from layers.updates.tables import Table
from layers.updates.wanted import AREAS, CELLS, FACTS, Wanted

_NAMED = 5


class TooFewRows(BadContent):
    text = N_("Only {found} rows can be used; with fewer than {least} something is wrong.")


class TooManyRows(BadContent):
    text = N_("{found} rows are more than the {most} that this source may have.")


class CodeTwice(BadContent):
    text = N_("The code {code} stands there {times} times with different contents.")


class PageTwice(BadContent):
    text = N_("The server sent {number} features twice: its pages changed under way, others may be lacking.")


@dataclass
class Record:
    """One delivered row: its values under our names, and its shape in metres."""

    number: int
    values: dict[str, str]
    shape: Any = None

    @property
    def code(self) -> str:
        return self.values["code"]


def read(
    wanted: Wanted, table: Table, instance: Instance, notes: list[Sentence], *, is_paged: bool
) -> list[Record]:
    """The records of a table; what was left out or changed is added to `notes`.

    Raises:
        BadContent: the table fails a check as a whole.
    """
    records = [*_kept(wanted, table, notes)]
    if len(records) > wanted.most_rows:
        raise TooManyRows(found=len(records), most=wanted.most_rows)
    records = _placed(wanted, table, instance, records, notes)
    records = _once(wanted, records, notes, is_paged=is_paged)
    if len(records) < wanted.least_rows:
        raise TooFewRows(found=len(records), least=wanted.least_rows)
    return records


# --- Rows that are wanted


def _kept(wanted: Wanted, table: Table, notes: list[Sentence]) -> Iterator[Record]:
    """The delivered rows that are wanted, with sentinels as blanks and codes in our words."""
    columns = {name: table.column(name) for name in table.columns}
    pseudo = 0
    strange: dict[tuple[str, str], int] = {}
    for number in range(len(table.delivered)):
        values = {name: texts[number] for name, texts in columns.items()}
        if any(values.get(name, "") not in allowed for name, allowed in wanted.only.items()):
            continue
        if any(values.get(name) in said for name, said in wanted.pseudo.items()):
            pseudo += 1
            continue
        values = {name: _known_value(value, wanted) for name, value in values.items()}
        if lost := _translated(values, wanted):
            strange[lost] = strange.get(lost, 0) + 1
            continue
        yield Record(number, values)
    if pseudo:
        notes.append(
            Sentence(N_("Rows that say that they do not count were left out: {number}."), number=pseudo)
        )
    for (name, value), times in sorted(strange.items()):
        notes.append(
            Sentence(
                N_("Rows whose {column} is “{value}”, which is in no list, were left out: {number}."),
                number=times,
                column=name,
                value=value,
            )
        )


def _known_value(value: str, wanted: Wanted) -> str:
    # A day of 1899 is how some programs write “no day”.
    return "" if value in wanted.nothing or value.startswith("1899-12-30") else value


def _translated(values: dict[str, str], wanted: Wanted) -> tuple[str, str] | None:
    """Puts our words for theirs; what has none is returned."""
    if wanted.code_pattern and values.get("code"):
        found = re.search(wanted.code_pattern, values["code"])
        if not found:
            return "code", values["code"]
        values["code"] = found[1].zfill(wanted.code_width)
    for name, words in wanted.values.items():
        if values.get(name):
            ours = words.get(values[name], words.get("*"))
            if ours is None:
                return name, values[name]
            values[name] = ours
    return None


# --- Where they lie


def _placed(
    wanted: Wanted, table: Table, instance: Instance, records: list[Record], notes: list[Sentence]
) -> list[Record]:
    """The records with shapes in metres; those without one, or far away, are left out and told."""
    if wanted.table == FACTS or not records:
        return records
    shapes = _corners(wanted, records) if wanted.square else _delivered(table, records)
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not there.all():
        number = int((~there).sum())
        notes.append(Sentence(N_("Rows without a shape were left out: {number}."), number=number))
    records = [record for record, is_there in zip(records, there, strict=True) if is_there]
    if not records:
        return records
    declared = "" if wanted.square else table.delivered.crs
    found = placing.placed(shapes[there], declared, wanted, metric_crs=instance.metric_crs)
    notes += found.notes
    if not found.inside.all():
        outside = [
            record.values.get("code", "")
            for record, is_in in zip(records, found.inside, strict=True)
            if not is_in
        ]
        notes.append(
            Sentence(
                N_("Rows outside the range were left out: {number} ({codes})."),
                number=len(outside),
                codes=", ".join(outside[:_NAMED]),
            )
        )
    for record, shape in zip(records, found.shapes, strict=True):
        record.shape = shape
    return [record for record, is_in in zip(records, found.inside, strict=True) if is_in]


def _delivered(table: Table, records: Sequence[Record]) -> Shapes:
    if table.delivered.shapes is None:
        return np.full(len(records), None, dtype=object)
    found: Shapes = shapely.force_2d(table.delivered.shapes[[record.number for record in records]])
    return found


def _corners(wanted: Wanted, records: Sequence[Record]) -> Shapes:
    """The squares that are written in the codes: their side and their south-western corner."""
    shapes: Shapes = np.full(len(records), None, dtype=object)
    for at, record in enumerate(records):
        found = re.search(wanted.square, record.values.get("code", ""))
        if found:
            east, north, side = (float(found[name]) for name in ("east", "north", "size"))
            record.values["size_m"] = found["size"]
            shapes[at] = shapely.box(east, north, east + side, north + side)
    return shapes


def _once(wanted: Wanted, records: list[Record], notes: list[Sentence], *, is_paged: bool) -> list[Record]:
    """One record for each code; parts of one area are joined, repeats are told, contradictions refused."""
    by_code: dict[str, list[Record]] = {}
    for at, record in enumerate(records):
        record.values.setdefault("code", f"{at}" if wanted.table != CELLS else _middle_code(record))
        by_code.setdefault(record.code, []).append(record)
    repeats = joined = 0
    for code, same in by_code.items():
        if len(same) == 1:
            continue
        different = [one for one in same[1:] if not _is_repeat(one, same[0])]
        repeats += len(same) - 1 - len(different)
        if different and (wanted.table != AREAS or any(one.values != same[0].values for one in different)):
            raise CodeTwice(code=code, times=len(same))
        if different:
            joined += 1
            same[0].shape = shapely.union_all([one.shape for one in (same[0], *different)])
    if repeats and is_paged:
        raise PageTwice(number=repeats)
    if repeats:
        notes.append(
            Sentence(
                N_("Rows that stand there twice, word for word, were taken once: {number}."), number=repeats
            )
        )
    if joined:
        notes.append(
            Sentence(N_("Areas whose parts stand in rows of their own were joined: {number}."), number=joined)
        )
    return [same[0] for same in by_code.values()]


def _middle_code(record: Record) -> str:
    middle = record.shape.centroid
    return f"{middle.x:.0f}-{middle.y:.0f}"


def _is_repeat(one: Record, other: Record) -> bool:
    if one.values != other.values or (one.shape is None) != (other.shape is None):
        return False
    return one.shape is None or bool(shapely.equals_exact(one.shape, other.shape))
