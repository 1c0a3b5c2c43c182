"""Spreadsheets → Tables.

openpyxl streams XLSX row by row and tells formulas; calamine reads XLS, XLSB and ODS, but only whole.
"""

import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any

from layers.errors import N_
from layers.readers import archives, headings
from layers.readers.cells import Notebook, number
from layers.readers.plain import Limits, Unreadable
from layers.readers.tables import Found, Row

_LAST_ROW = 1_048_576
_ZEROS = re.compile(r"0{2,12}")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]+\d+:[A-Z]+\d+)"')
_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")
_CHUNK = 1_000
Cells = Sequence[Any]


class Book:
    """A spreadsheet: `sheets` are those with cells, seen or hidden."""

    def __init__(self, path: Path, *, file: str, limits: Limits) -> None:
        self.path, self.file, self.limits = path, file, limits

    def names(self) -> list[tuple[str, bool]]:
        """The sheets, and whether each is hidden."""
        raise NotImplementedError

    def rows(self, sheet: str, notes: Notebook) -> Iterator[tuple[int, list[Any]]]:
        raise NotImplementedError

    def merged(self, sheet: str) -> list[tuple[int, int, int, int]]:
        """First row, first column, last row, last column of merged cells; all from 1."""
        raise NotImplementedError

    def broken(self) -> Unreadable:
        text = N_(
            "The spreadsheet “{file}” is damaged or locked with a password. Open it, and save it again "
            "as XLSX."
        )
        return Unreadable(text, file=self.file)


class Xlsx(Book):
    """XLSX, row by row."""

    def __init__(self, path: Path, *, file: str, limits: Limits) -> None:
        super().__init__(path, file=file, limits=limits)
        archives.bounded(path, file=file, limits=limits)

    def names(self) -> list[tuple[str, bool]]:
        with self._opened(values=True) as book:
            return [(sheet.title, sheet.sheet_state != "visible") for sheet in book.worksheets]

    def rows(self, sheet: str, notes: Notebook) -> Iterator[tuple[int, list[Any]]]:
        with self._opened(values=True) as values, self._opened(values=False) as formulas:
            counted = first = 0
            both = zip(self._cells(values[sheet]), self._cells(formulas[sheet]), strict=True)
            for row, (seen, written) in enumerate(both, start=1):
                if row > _LAST_ROW:
                    raise self.broken()
                line = [_value(cell) for cell in seen]
                computed = [
                    index for index, cell in enumerate(written) if getattr(cell, "data_type", "") == "f"
                ]
                if computed:
                    counted, first = counted + len(computed), first or row
                    if any(index < len(line) and line[index] is None for index in computed):
                        text = N_(
                            "A formula has no stored value; its cell is blank. Open and save the file once."
                        )
                        notes.add(row, text)
                yield row, line
            if counted:
                text = N_(
                    "Formulas: {count}, the first in row {first}; the values stored with them were read."
                )
                notes.add(0, text, count=counted, first=first)

    def merged(self, sheet: str) -> list[tuple[int, int, int, int]]:
        from openpyxl.utils import range_boundaries

        with self._opened(values=True) as book:
            inner = str(getattr(book[sheet], "_worksheet_path", ""))
        found = []
        with zipfile.ZipFile(self.path) as archive, archive.open(inner) as stream:
            rest = b""
            while chunk := stream.read(1 << 20):
                for match in _MERGED.finditer(rest + chunk):
                    left, top, right, bottom = (
                        int(edge or 0) for edge in range_boundaries(match[1].decode())
                    )
                    found.append((top, left, bottom, right))
                # Merged cells are told at the end of a sheet; one may lie across two chunks.
                rest = chunk[chunk.rfind(b"<") :] if b"<" in chunk[-300:] else b""
        return found

    @contextmanager
    def _opened(self, *, values: bool) -> Iterator[Any]:
        import openpyxl

        # As a stream: openpyxl refuses a file by the ending of its name.
        with self.path.open("rb") as stream:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    book = openpyxl.load_workbook(stream, read_only=True, data_only=values, keep_links=False)
            except Exception as error:  # It raises whatever its XML makes it raise.
                raise self.broken() from error
            try:
                yield book
            finally:
                book.close()

    def _cells(self, sheet: Any) -> Iterator[Cells]:
        """The cells row by row; a sheet may claim to be a thousand times larger than it is."""
        sheet.reset_dimensions()
        rows = iter(sheet.iter_rows())
        while True:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    chunk = list(itertools.islice(rows, _CHUNK))
            except Exception as error:
                raise self.broken() from error
            if not chunk:
                return
            yield from chunk


def _value(cell: Any) -> Any:
    """The value as a person sees it: a code shown as 0784 may be stored as the number 784."""
    value = cell.value
    shown = getattr(cell, "number_format", "") if isinstance(value, (int, float)) else ""
    if shown and _ZEROS.fullmatch(shown) and value == int(value) and value >= 0:
        return str(int(value)).zfill(len(shown))
    return value


class Older(Book):
    """XLS, XLSB and ODS, read whole."""

    def __init__(self, path: Path, *, file: str, limits: Limits) -> None:
        super().__init__(path, file=file, limits=limits)
        with path.open("rb") as stream:
            if stream.read(2) == b"PK":
                archives.bounded(path, file=file, limits=limits)
        if path.stat().st_size > limits.bytes_at_once // 5:
            text = N_(
                "The file “{file}” is larger than {most:,} MB, and its format can only be read whole. "
                "Save it as CSV."
            )
            raise Unreadable(text, file=file, most=limits.bytes_at_once // 5_000_000)
        self._book = self._asked(lambda: _calamine(path))

    def names(self) -> list[tuple[str, bool]]:
        return [(about.name, "Visible" not in str(about.visible)) for about in self._book.sheets_metadata]

    def rows(self, sheet: str, notes: Notebook) -> Iterator[tuple[int, list[Any]]]:
        rows = self._asked(lambda: self._book.get_sheet_by_name(sheet).to_python(skip_empty_area=False))
        yield from enumerate(rows, start=1)

    def merged(self, sheet: str) -> list[tuple[int, int, int, int]]:
        ranges = self._asked(lambda: self._book.get_sheet_by_name(sheet).merged_cell_ranges) or []
        return [(top + 1, left + 1, bottom + 1, right + 1) for (top, left), (bottom, right) in ranges]

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # A panic of the library is no Exception.
            raise self.broken() from error


def _calamine(path: Path) -> Any:
    from python_calamine import CalamineWorkbook

    return CalamineWorkbook.from_path(str(path))


def read(book: Book, sheet: str, *, hidden: bool) -> Found:
    """One sheet of a book."""
    notes = Notebook()
    if hidden:
        notes.add(0, N_("The sheet “{sheet}” is hidden in the file."), sheet=sheet)
    sample = [
        (row, [_seen(value) for value in line])
        for row, line in itertools.islice(book.rows(sheet, Notebook()), headings.SAMPLE)
    ]
    heading = headings.found(sample, notes=notes)
    names = heading.names if heading else []
    while names and not names[-1].strip():
        names.pop()
    found = _Sheet(book, sheet, heading.above if heading else 0, names)
    return Found(file=book.file, name=sheet, names=found.names, walk=found.walk, notes=notes)


def _seen(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


class _Sheet:
    """One walk after another through a sheet."""

    def __init__(self, book: Book, sheet: str, header: int, names: list[str]) -> None:
        self._book, self._sheet, self._header, self.names = book, sheet, header, names
        # What spans rows below the header stands for each of them; titles span columns and stay.
        spans = [span for span in book.merged(sheet) if span[2] > max(span[0], header)] if names else []
        self._spans = sorted(spans)

    def walk(self, notes: Notebook) -> Iterator[Row]:
        blank = waiting = 0
        held: list[tuple[tuple[int, int, int, int], Any]] = []
        spans = list(self._spans)
        for row, line in self._book.rows(self._sheet, notes):
            while spans and spans[0][0] <= row:
                span = spans.pop(0)
                held.append((span, line[span[1] - 1] if span[1] <= len(line) else None))
            held = [(span, value) for span, value in held if span[2] >= row]
            if row <= self._header:
                continue
            line = self._spread(row, line, held, notes)
            line = [self._sound(row, value, notes) for value in line]
            while line and _is_blank(line[-1]):
                line.pop()
            if not line:
                waiting += 1
                continue
            blank, waiting = blank + waiting, 0
            if len(line) > self._book.limits.columns:
                text = N_(
                    "Row {row} has {found:,} cells; at most {most:,} are read. Leave out those that are "
                    "not needed."
                )
                raise Unreadable(text, row=row, found=len(line), most=self._book.limits.columns)
            self.names += [""] * (len(line) - len(self.names))
            yield row, line, None
        if blank:
            notes.add(0, N_("Blank lines left out: {count}."), count=blank)

    def _spread(self, row: int, line: list[Any], held: Sequence[Any], notes: Notebook) -> list[Any]:
        for (top, left, _, _), value in held:
            if row > top and value is not None:
                line = line + [None] * (left - len(line))
                line[left - 1] = value
                text = N_("Merged cells: the value of row {first} was taken for this row too.")
                notes.add(row, text, first=top)
        return line

    def _sound(self, row: int, value: Any, notes: Notebook) -> Any:
        if isinstance(value, str) and value in _ERRORS:
            notes.add(row, N_("A cell shows the error {error}; it was left blank."), error=value)
            return None
        return value


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
