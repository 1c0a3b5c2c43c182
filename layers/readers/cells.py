"""Any value of any format → the text of a cell, with what was done to it noted."""

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np

from layers.errors import N_, Sentence
from layers.readers.plain import Limits, Note, Unreadable

_MOST_NOTES = 20
# What no person typed and no person sees: it moves a terminal's cursor or turns the writing around.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n?|[\u2028\u2029]")
# “õ” and its kin in UTF-8, once read as if each byte were a letter.
_TWICE_ENCODED = re.compile("Ã[\u0080-\u00bf\u0152-\u2122]|Å[\u00a0\u00a1½¾]|Ð[\u00b0-\u00bf]")
_FORMULA = re.compile(r"[=@][^\s]|[+-].*(?:[A-Za-z_]\s*\(|!|\|)", re.DOTALL)
_NO_DATE = {date(1899, 12, 30), date(1899, 12, 31), date(1, 1, 1)}


class Notebook:
    """Collects notes; of many alike it keeps the first ones and counts the others."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._alike: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def add(self, row: int, text: str, /, **values: object) -> None:
        self._alike[text] += 1
        self._first.setdefault(text, row)
        if self._alike[text] <= _MOST_NOTES:
            self._notes.append(Note(row, Sentence(text, **values)))

    def notes(self) -> tuple[Note, ...]:
        """All of them, those of the whole file first, then by row."""
        return tuple(sorted([*self._notes, *self._uncounted()], key=lambda note: note.row))

    def _uncounted(self) -> list[Note]:
        text = N_("More rows with the same remark as row {row}: {count}.")
        return [
            Note(0, Sentence(text, count=count - _MOST_NOTES, row=self._first[kind]))
            for kind, count in self._alike.items()
            if count > _MOST_NOTES
        ]


def text(value: object, *, row: int, column: int, notes: Notebook, limits: Limits) -> str:
    """The text of a cell: stripped, without what cannot be seen, in composed letters; notes say so.

    Raises:
        Unreadable: the cell is longer than any cell may be.
    """
    written = value if type(value) is str else _written(value, row, notes)
    if not written:
        return ""
    if len(written) > limits.cell_length:
        raise Unreadable(
            N_(
                "Row {row} has a cell of {found:,} characters; at most {most:,} are read. "
                "Shorten it, or look whether a quotation mark is missing."
            ),
            row=row,
            found=len(written),
            most=limits.cell_length,
        )
    if not (written.isascii() and written.isprintable()):
        written = _mended(written, row, notes)
    written = written.strip()
    if written and written[0] in "=@+-" and _FORMULA.match(written):
        notes.add(
            row,
            N_(
                "The cell in column {column} looks like a formula; it was kept as text and is never computed."
            ),
            column=column + 1,
        )
    return written


def visible(name: str) -> str:
    """A name that somebody else gave, without what moves a terminal's cursor or turns the writing around."""
    return _UNSEEN.sub("", _SURROGATE.sub("\ufffd", name)).replace("\n", " ").strip()


def number(value: float) -> str:
    """A number as a person writes it: 12 and not 12.0, 0.3 and not 0.30000000000000004."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return format(Decimal(f"{value:.15g}"), "f")


def _written(value: Any, row: int, notes: Notebook) -> str:
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return ""
        value = value.astype(object)
    elif isinstance(value, np.generic):
        value = float(str(value)) if isinstance(value, np.float32) else value.item()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, (date, time)):
        return _moment(value, row, notes)
    if isinstance(value, (dict, list, tuple, np.ndarray)):
        return _nested(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        notes.add(row, N_("A cell holds bytes and no text; it was left blank."))
        return ""
    return str(value)


def _moment(value: Any, row: int, notes: Notebook) -> str:
    if isinstance(value, time):
        return value.isoformat()
    day = value.date() if isinstance(value, datetime) else value
    if day in _NO_DATE:
        notes.add(row, N_("The date {day} stands for “no date”; it was left blank."), day=day.isoformat())
        return ""
    if isinstance(value, datetime) and (value.time() != time() or value.tzinfo):
        return value.isoformat()
    return str(day.isoformat())


def _nested(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)) and all(not isinstance(part, (dict, list, tuple)) for part in value):
        parts = (
            number(part) if isinstance(part, float) else "" if part is None else str(part) for part in value
        )
        return "; ".join(parts)
    return json.dumps(value, ensure_ascii=False, default=str)


def _mended(written: str, row: int, notes: Notebook) -> str:
    written = _BREAK.sub("\n", written)
    if _UNSEEN.search(written):
        written = _UNSEEN.sub("", written)
        notes.add(
            row, N_("Characters that cannot be seen (control characters, turned writing) were removed.")
        )
    if _SURROGATE.search(written):
        written = _SURROGATE.sub("\ufffd", written)
    if "\ufffd" in written:
        notes.add(row, N_("Letters were lost before this file was made; “�” stands in their place."))
    if _TWICE_ENCODED.search(written):
        notes.add(
            row, N_("The text looks as if its encoding was mistaken before: “{words}”."), words=written[:60]
        )
    return unicodedata.normalize("NFC", written)


def header(names: Sequence[object], *, notes: Notebook, limits: Limits) -> list[str]:
    """Names of columns, cleaned, none blank and none twice: “#3” is the third, “name (2)” the second “name”.

    Raises:
        Unreadable: there are more columns than may be.
    """
    if len(names) > limits.columns:
        raise Unreadable(
            N_(
                "The table has {found:,} columns; at most {most:,} are read. Leave out those that are "
                "not needed."
            ),
            found=len(names),
            most=limits.columns,
        )
    made: list[str] = []
    taken: set[str] = set()
    for position, name in enumerate(names):
        clean = " ".join(text(name, row=0, column=position, notes=notes, limits=limits).split())
        if not clean:
            clean = f"#{position + 1}"
        elif clean in taken:
            clean = _second(clean, taken)
            notes.add(0, N_("Two columns have one name; the later one is called “{name}” here."), name=clean)
        taken.add(clean)
        made.append(clean)
    return made


def _second(name: str, taken: set[str]) -> str:
    times = 2
    while f"{name} ({times})" in taken:
        times += 1
    return f"{name} ({times})"
