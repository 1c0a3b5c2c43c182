"""Where the names of the columns stand in a table whose first rows may be titles, or data."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from layers.errors import N_
from layers.readers.cells import Notebook

SAMPLE = 200
"""So many rows from the top are looked at."""
_NUMBER = re.compile(r"[-+]?[\d \u00a0]*[.,]?\d+(e[-+]?\d+)?", re.I)
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_DECIMAL_POINT = re.compile(r"-?\d+\.\d+")
Sample = Sequence[tuple[int, Sequence[str]]]


@dataclass(frozen=True)
class Heading:
    """`names` as written; the row `above` and all before it are no data."""

    names: list[str]
    above: int
    rows: Sequence[Sequence[str]]
    """The first rows of data."""


def found(sample: Sample, *, notes: Notebook) -> Heading | None:
    """The heading of a table from its first rows; None where they are all blank. Titles are noted."""
    start, width = _start(sample)
    if not sample or not any(filled(row) for _, row in sample):
        return None
    for number, row in sample[:start]:
        if words := " ".join(cell.strip() for cell in row if cell.strip()):
            said = N_("This line stands above the names of the columns and was left out: “{words}”.")
            notes.add(number, said, words=words[:200])
    rows = [row for _, row in sample[start:]]
    if is_headless := _is_headless(rows):
        notes.add(
            0, N_("No line with the names of the columns was found; they are called “#1”, “#2” and so on.")
        )
    names = [""] * width if is_headless else list(rows[0])
    rows = rows[not is_headless :]
    _say_decimals(names, rows, notes)
    return Heading(names, sample[start][0] - is_headless, rows)


def filled(row: Sequence[str]) -> int:
    """How many cells of a row are not blank."""
    return sum(1 for cell in row if cell.strip())


def _start(sample: Sample) -> tuple[int, int]:
    """The first row as full as the rows below it, and how wide they are."""
    counts = [filled(row) for _, row in sample]
    widths = Counter(count for count in counts if count)
    if not widths:
        return 0, 0
    usual = max(widths, key=lambda count: (widths[count], count))
    least = -(-usual * 6 // 10) if usual > 2 else usual
    # Where most rows are sparse, a fuller one before them is still the heading.
    start = next((index for index, count in enumerate(counts) if count >= least), 0)
    return start, max(len(sample[start][1]), usual)


def _is_headless(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one of data: a number, where nearly all rows below have one."""
    first, below = rows[0], [row for row in rows[1:] if filled(row)]
    numeric = [column for column, cell in enumerate(first) if _is_number(cell)]
    if not below:
        return len(numeric) * 2 >= max(filled(first), 1)
    alike = [
        column
        for column in numeric
        if sum(column < len(row) and _is_number(row[column]) for row in below) >= 0.8 * len(below)
    ]
    # A year may be the name of a column; 25.1 is not, and 6589500 is not.
    return any(re.search("[.,]", first[column]) or len(first[column].strip()) > 4 for column in alike)


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.strip()))


def _say_decimals(names: Sequence[str], rows: Sequence[Sequence[str]], notes: Notebook) -> None:
    for column, name in enumerate(names):
        texts = [row[column].strip() for row in rows if column < len(row) and row[column].strip()]
        commas = sum(bool(_DECIMAL_COMMA.fullmatch(text)) for text in texts)
        if commas * 2 > len(texts) and not any(map(_DECIMAL_POINT.fullmatch, texts)):
            said = N_(
                "The numbers of column “{column}” are written with a decimal comma; they were kept as "
                "written."
            )
            notes.add(0, said, column=name.strip() or f"#{column + 1}")
