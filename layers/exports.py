"""Tables and shapes as the files that offices open: Excel workbooks and GeoPackages, equal for equal content.

XlsxWriter writes workbooks without any office on the machine; GDAL writes GeoPackages. Both would write the
time of writing into the file: here they get the day of the facts instead.
"""

import io
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import shapely
import xlsxwriter

Table = Sequence[Mapping[str, Any]]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDEST = 60
_SHEET_NAME = 31
_NOT_IN_NAMES = str.maketrans("[]:*?/\\", "       ")


def harmless(value: Any) -> Any:
    """A text that begins like a formula gets an apostrophe; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def xlsx(sheets: Mapping[str, Table], *, day: date) -> bytes:
    """A workbook with a sheet for each table; texts stay texts, also where they begin like a formula."""
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


def geopackage(layers: Mapping[str, Table], *, srid: int, day: date) -> bytes:
    """A GeoPackage with a layer for each table; each row has a metric `geometry` and plain facts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.gpkg"
        before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day.isoformat()}T00:00:00Z"})
        try:
            for name, rows in layers.items():
                shapes = shapely.set_srid([row["geometry"] for row in rows], srid)
                facts = [{key: value for key, value in row.items() if key != "geometry"} for row in rows]
                frame = geopandas.GeoDataFrame(facts, geometry=shapes, crs=f"EPSG:{srid}")
                frame.to_file(file, layer=name, driver="GPKG", engine="pyogrio")
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        return file.read_bytes()
