"""Tables as Excel workbooks, equal for equal content.

XlsxWriter writes them without any office on the machine. It would write the time of writing into the file:
here it gets the day of the facts instead.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

Table = Sequence[Mapping[str, Any]]
_WIDEST = 60
_SHEET_NAME = 31
_NOT_IN_NAMES = str.maketrans("[]:*?/\\", "       ")


def xlsx(sheets: Mapping[str, Table], *, day: date) -> bytes:
    """A workbook with a sheet for each table; texts stay texts, also where they begin like a formula."""
    import xlsxwriter  # Only files need it.

    made = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(made, options) as book:
        book.set_properties({"created": datetime(day.year, day.month, day.day)})  # noqa: DTZ001 -- naive by format
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title.translate(_NOT_IN_NAMES)[:_SHEET_NAME])
            columns = list(rows[0]) if rows else []
            sheet.write_row(0, 0, columns, head)
            for number, row in enumerate(rows, start=1):
                sheet.write_row(number, 0, [_cell(row[column]) for column in columns])
            for at, column in enumerate(columns):
                longest = max((len(str(row[column])) for row in rows), default=0)
                sheet.set_column(at, at, min(_WIDEST, max(10, len(column), longest) + 2))
            sheet.freeze_panes(1, 1)
    return made.getvalue()


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) or value is None else str(value)
