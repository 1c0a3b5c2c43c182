"""CSV and its kin → a Table: delimiter, encoding, header and quotes are found out, coordinates stay text."""

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from layers.errors import N_
from layers.exports.plain import restored
from layers.readers import headings, letters, systems
from layers.readers.cells import Notebook
from layers.readers.headings import Heading
from layers.readers.plain import Limits, Unreadable
from layers.readers.tables import Found, Row

_SAMPLE_BYTES = 1 << 20
# In this order where two fit as well: a comma also stands in decimals and in sentences.
_DELIMITERS = ("\t", ";", "|", ",")
_WKT = re.compile(
    r"\s*(SRID=\d+;)?\s*(MULTI)?(POINT|LINESTRING|POLYGON|GEOMETRYCOLLECTION)\s*(Z|M|ZM)?\s*(\(|EMPTY)", re.I
)
_SHAPE_NAMES = frozenset(("geom", "geometry", "the_geom", "wkb", "wkb_geometry", "wkt"))
_WKB = re.compile(r"0[01][0-9A-Fa-f]{16,}")


@dataclass(frozen=True)
class _Form:
    """How the rows of a text file are written."""

    path: Path
    encoding: str
    delimiter: str
    limits: Limits

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the number of the line where it begins; blank lines are rows without cells.

        Raises:
            Unreadable: a line never ends, or a quotation mark is never closed.
        """
        lines = _Lines(self)
        # Only a quotation mark that is never closed makes a field longer than any line may be.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * self.limits.cell_length))
        reader = csv.reader(lines, delimiter=self.delimiter, quotechar='"')
        while True:
            begins = lines.number + 1
            lines.quotes = 0
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _unclosed(begins) from error
            if lines.ended and lines.number > begins and lines.quotes % 2:
                raise _unclosed(begins)
            yield begins, row


class _Lines:
    """The lines of a text file, none longer than the limits allow; counts the quotation marks of a row."""

    def __init__(self, form: _Form) -> None:
        self.number = self.quotes = 0
        self.ended = False
        self._lines = self._read(form)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self.quotes += line.count('"')
        return line

    def _read(self, form: _Form) -> Iterator[str]:
        most = 2 * form.limits.cell_length
        # newline="" would leave the breaks of old Macs as they are, and the whole file would be one line.
        with form.path.open(encoding=form.encoding, errors="replace", newline=None) as stream:
            while line := stream.readline(most):
                if len(line) == most:
                    raise Unreadable(
                        N_(
                            "Line {line} is longer than {most:,} characters. Perhaps this is not a table "
                            "as text."
                        ),
                        line=self.number + 1,
                        most=most,
                    )
                yield line
        self.ended = True


def _unclosed(line: int) -> Unreadable:
    return Unreadable(
        N_("A quotation mark in line {line} is never closed. Close it, or remove it, and try again."),
        line=line,
    )


def read(path: Path, *, file: str, name: str, encoding: str, limits: Limits) -> Found:
    """A text table; `encoding` overrides what would be guessed.

    Raises:
        Unreadable: it is no text, or no such encoding is known.
    """
    notes = Notebook()
    encoding = _encoding(path, encoding, notes)
    delimiter, told = _delimiter(path, encoding, limits)
    form = _Form(path, encoding, delimiter, limits)
    sample = list(itertools.islice(form.rows(), told, headings.SAMPLE))
    heading = headings.found(sample, notes=notes)
    if heading is None:
        raise Unreadable(N_("The file “{file}” is empty. Choose a file with rows."), file=file)
    shape = _shape_column(heading)
    found = _Text(form, heading.above, heading.names, shape)
    return Found(
        file=file,
        name=name,
        names=found.names,
        walk=found.walk,
        has_shapes=shape is not None,
        encoding="utf-8" if encoding == "utf-8-sig" else encoding,
        system=found.system,
        notes=notes,
    )


class _Text:
    """One walk after another through a text table whose form is known."""

    def __init__(self, form: _Form, header: int, names: list[str], shape: int | None) -> None:
        self._form, self._header, self._shape = form, header, shape
        self._width = len(names)
        self._srids: set[int] = set()
        self.names = [name for column, name in enumerate(names) if column != shape]

    def system(self) -> str:
        return systems.named(f"EPSG:{next(iter(self._srids))}") if len(self._srids) == 1 else ""

    def walk(self, notes: Notebook) -> Iterator[Row]:
        blank = 0
        for number, row in self._form.rows():
            if number <= self._header:
                continue
            if not headings.filled(row):
                blank += 1
                continue
            row = [restored(cell) for cell in self._fitted(number, row, notes)]
            shape = None
            if self._shape is not None:
                shape = self._drawn(number, row.pop(self._shape), notes)
            yield number, row, shape
        if blank:
            notes.add(0, N_("Blank lines left out: {count}."), count=blank)

    def _fitted(self, number: int, row: list[str], notes: Notebook) -> list[str]:
        """The row as wide as the header; what stands beyond it makes columns without a name."""
        if len(row) < self._width:
            text = N_("The row has {found} cells and the header {width}; the missing ones are blank.")
            notes.add(number, text, found=len(row), width=self._width)
            return row + [""] * (self._width - len(row))
        if len(row) > self._width:
            if any(cell.strip() for cell in row[self._width :]):
                text = N_(
                    "The row has {found} cells and the header {width}; the others stand in columns "
                    "without a name."
                )
                notes.add(number, text, found=len(row), width=self._width)
            else:
                row = row[: self._width]
            missing = len(row) - (self._shape is not None) - len(self.names)
            if len(row) > self._form.limits.columns:
                raise Unreadable(
                    N_(
                        "Row {row} has {found:,} cells; at most {most:,} are read. Leave out those that "
                        "are not needed."
                    ),
                    row=number,
                    found=len(row),
                    most=self._form.limits.columns,
                )
            self.names += [""] * missing
        return row

    def _drawn(self, number: int, text: str, notes: Notebook) -> object:
        if not text.strip():
            return None
        try:
            shape: Any = _drawn(text)
        except (shapely.errors.GEOSException, ValueError, TypeError):
            said = N_("The shape written as “{words}” cannot be read; the row has none now.")
            notes.add(number, said, words=text.strip()[:60])
            return None
        self._srids.add(int(shapely.get_srid(shape)))
        self._srids.discard(0)
        return shapely.set_srid(shape, 0)


def _drawn(text: str) -> Any:
    text = text.strip()
    if _WKB.fullmatch(text):
        return shapely.from_wkb(text)
    if text[:5].upper() == "SRID=":
        number, text = text[5:].split(";", 1)
        return shapely.set_srid(shapely.from_wkt(text), int(number))
    return shapely.from_wkt(text)


def _encoding(path: Path, said: str, notes: Notebook) -> str:
    if said:
        try:
            return codecs.lookup(said).name
        except LookupError:
            text = N_("The encoding “{encoding}” is not known. Write for example utf-8 or cp1257.")
            raise Unreadable(text, encoding=said) from None
    with path.open("rb") as stream:
        start = stream.read(4096)
    if found := letters.marked(start):
        return found
    if found := letters.unmarked_wide(start):
        notes.add(0, N_("The file does not say its encoding; it was read as {encoding}."), encoding=found)
        return found
    samples = _not_utf8(path)
    if not samples:
        return "utf-8"
    found = letters.guessed(samples)
    notes.add(0, N_("The file does not say its encoding; it was read as {encoding}."), encoding=found)
    return found


def _not_utf8(path: Path) -> list[bytes]:
    """Lines with bytes above 127 of a file that is not UTF-8; none of one that is, damage aside."""
    samples: list[bytes] = []
    good = bad = size = 0
    with path.open("rb") as stream:
        rest = b""
        while chunk := stream.read(_SAMPLE_BYTES):
            if rest or not chunk.isascii():
                # A letter may lie across two chunks, a line hardly ever matters as a whole.
                lines = (rest + chunk).splitlines(keepends=True)
                rest = lines.pop() if len(lines) > 1 else b""
                odd = [line for line in lines if not line.isascii()]
                true = sum(_decodes(line) for line in odd)
                good, bad = good + true, bad + len(odd) - true
                if size < _SAMPLE_BYTES:
                    samples += odd
                    size += sum(map(len, odd))
            if bad > 1000 and bad > good:
                return samples
        if rest and not rest.isascii():
            samples.append(rest)
            # The end of the file may be cut off within a letter.
            whole = any(_decodes(rest[: len(rest) - cut]) for cut in range(4))
            good, bad = good + whole, bad + (not whole)
    return samples if bad > 0.05 * good else []


def _decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(path: Path, encoding: str, limits: Limits) -> tuple[str, int]:
    """The delimiter, and how many lines at the top only tell it (Excel's “sep=;”)."""
    lines = list(itertools.islice(_Lines(_Form(path, encoding, ",", limits)), headings.SAMPLE))
    first = lines[0].strip() if lines else ""
    if first[:4].lower() == "sep=" and len(first) == 5:
        return first[4], 1
    return max(_DELIMITERS, key=lambda delimiter: _fit(lines, delimiter)), 0


def _fit(lines: Sequence[str], delimiter: str) -> float:
    """How well a delimiter cuts lines into rows of one width: the share of rows that have it."""
    try:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if headings.filled(row)]
    except csv.Error:
        return 0.0
    cut = Counter(width for width in widths if width > 1)
    if not cut:
        return 0.0
    _, times = cut.most_common(1)[0]
    # The header's line counts: a comma that only stands in decimals is not in it.
    return times / len(widths)


def _shape_column(heading: Heading) -> int | None:
    """The column whose cells are shapes as WKT, or as WKB in hexadecimal as databases write it.

    Where one is called so, no other is looked at: a note may be of that form too.
    """
    named = [i for i, name in enumerate(heading.names) if name.strip().casefold() in _SHAPE_NAMES]
    for column in named or range(len(heading.names)):
        texts = [row[column] for row in heading.rows if column < len(row) and row[column].strip()]
        shapes = sum(bool(_WKT.match(text) or _WKB.fullmatch(text.strip())) for text in texts)
        if shapes * 2 > len(texts):
            return column
    return None
