"""Map files as others deliver them: their columns, shapes and declared system, with nothing judged yet."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.errors import N_, Invalid
from layers.geo import Shapes

# Codes with leading zeros are texts, and nobody's schema is fetched from anywhere.
_GML = {"GML_FIELDTYPES": "ALWAYS_STRING", "GML_DOWNLOAD_SCHEMA": "NO", "GML_GFS_TEMPLATE": None}
_EMPTY_DAY = "1899-12-30"


class UnreadableMap(Invalid):
    text = N_("{name} cannot be read as a map file: {reason}.")


@dataclass(frozen=True)
class Delivered:
    """A table of n rows: `columns` are texts by name (n each, "" for nothing), `shapes` n or None.

    `crs` is the system that the file declares, as PROJ knows it; "" for none.
    """

    columns: Mapping[str, list[str]]
    shapes: Shapes | None
    crs: str

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read(path: Path, *, inside: str = "", encoding: str = "") -> Delivered:
    """Reads a map file, or the one called `inside` a zip; `encoding` where it names none itself.

    Raises:
        UnreadableMap: GDAL cannot read it.
    """
    import pyogrio  # A fifth of a second, and only an update needs it.

    pyogrio.set_gdal_config_options(_GML)
    name = f"/vsizip/{{{path}}}/{inside}" if inside else str(path)
    options = {"WRITE_GFS": "NO", "DOWNLOAD_SCHEMA": "NO"} if path.suffix == ".gml" else {}
    try:
        with warnings.catch_warnings():
            # GDAL tells of rings that turn the wrong way and the like; every shape is checked later.
            warnings.simplefilter("ignore", RuntimeWarning)
            about, _, wkbs, columns = pyogrio.raw.read(name, encoding=encoding or None, **options)
    except Exception as error:  # GDAL raises many kinds for a damaged file.
        raise UnreadableMap(name=inside or path.name, reason=str(error).rstrip(".")) from error
    table = {name: _texts(column) for name, column in zip(about["fields"].tolist(), columns, strict=True)}
    shapes = None if wkbs is None else shapely.from_wkb(wkbs)
    return Delivered(table, shapes, about["crs"] or "")


def _texts(column: Any) -> list[str]:
    """A column as texts; days without their time, whole numbers without a point, the empty day as nothing."""
    if column.dtype.kind == "M":
        days = np.datetime_as_string(column, unit="D")
        return ["" if day in ("NaT", _EMPTY_DAY) else str(day) for day in days]
    return [_text(value) for value in column.tolist()]


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
