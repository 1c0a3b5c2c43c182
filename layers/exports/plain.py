"""What is written to a file: a table with shapes, piece by piece, and what is said of it as a whole."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from layers.errors import N_, Invalid

Shapes = np.ndarray[Any, np.dtype[np.object_]]
DIGITS = 9
"""Of a degree: a tenth of a millimetre, so that a border comes back as the same border."""
POINT, POLYGON, NOTHING = "Point", "MultiPolygon", ""
# What spreadsheets take for the beginning of a formula, also as wide as a letter of East Asia.
_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠]")
_GUARDED = re.compile("''*[=+\\-@\t\r＝＋－＠]")


class NoShapes(Invalid):
    text = N_("“{layer}” has no places, so that there is no {format} of it. Use one of: {formats}.")


@dataclass(frozen=True)
class Piece:
    """Some rows, each as wide as the columns, and their shapes in degrees; None where a row has none."""

    rows: Sequence[Sequence[Any]]
    shapes: Shapes


@dataclass(frozen=True)
class Dataset:
    """A table on its way into a file. `columns` are of str, int or float; a value of None is not known.

    `pieces` walks through all rows, and may be asked again. `shape` is what the rows have, `day` the day of
    which they tell. `about` is told of the whole: title, source, licence, attribution, day, precision.
    """

    name: str
    columns: Mapping[str, type]
    pieces: Callable[[], Iterator[Piece]]
    shape: str
    day: str
    about: Mapping[str, str] = field(default_factory=dict)


def harmless(value: Any) -> Any:
    """A text that begins like a formula gets an apostrophe; numbers stay numbers.

    So does one that only looks as if it had got one: `restored` gives back every text as it was.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def restored(text: str) -> str:
    """A text without the apostrophe that `harmless`, or a spreadsheet, put before a formula."""
    return text[1:] if _GUARDED.match(text) else text
