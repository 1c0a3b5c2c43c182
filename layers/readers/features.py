"""GeoJSON → a Table, feature by feature: a whole collection, one feature, a bare shape, or one on each line.

GDAL reads GeoJSON too, but it does not say which feature it left out and why, rewrites numbers and dates,
and lets other drivers claim the same file. A feature at a time also keeps memory bounded.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry import shape as shapely_shape

from layers.errors import N_
from layers.readers import letters, systems, tables
from layers.readers.cells import Notebook
from layers.readers.plain import Limits, Unreadable
from layers.readers.tables import Found, Growing, Row

_CHUNK = 1 << 20
_LONGEST = 256 << 20
_SHAPES = {
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
}
_BLANK = " \t\r\n\x1e\ufeff"


class _Broken(Exception):
    """The text stops being JSON at a character of the file."""

    def __init__(self, at: int, *, ended: bool) -> None:
        self.at, self.ended = at, ended


class Stream:
    """JSON read value by value from a file, so that a long list needs the memory of one of its values."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            start = stream.read(4096)
        encoding = letters.marked(start) or letters.unmarked_wide(start) or "utf-8"
        self._file = path.open(encoding=encoding, errors="replace")
        self._decoder = json.JSONDecoder()
        self._text, self._at, self._before, self._ended = "", 0, 0, False

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more(_CHUNK):
                return ""

    def skip(self, expected: str) -> bool:
        """Steps over a character if it is the next one."""
        if self.peek() != expected:
            return False
        self._at += 1
        return True

    def need(self, expected: str) -> None:
        if not self.skip(expected):
            raise self.broken()

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                within, rest = error.pos - self._at, len(self._text) - self._at
                # Twice as much each time: a heavy feature is not tried again at every step.
                if rest > _LONGEST or not self._more(max(rest, _CHUNK)):
                    self._at += within
                    raise self.broken() from error
                continue
            except RecursionError as error:
                raise self.broken() from error
            # A number at the end of what was read so far may go on.
            if end == len(self._text) and self._more(_CHUNK):
                continue
            self._at = end
            return value

    def broken(self) -> _Broken:
        return _Broken(
            self._before + self._at, ended=self._ended and self._at >= len(self._text.rstrip()) - 1
        )

    def _more(self, size: int) -> bool:
        if self._ended:
            return False
        more = self._file.read(size)
        self._ended = not more
        self._before += self._at
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)


def items(path: Path, *, file: str, members: dict[str, Any]) -> Iterator[Any]:
    """The features of a file as they stand in it; what is said beside them lands in `members`.

    Raises:
        Unreadable: it is no JSON, breaks off, or is JSON of something else.
    """
    try:
        with Stream(path) as stream:
            yield from _Documents(stream, file, members).found()
    except _Broken as error:
        if error.ended:
            text = N_("The file “{file}” breaks off before its end. Fetch or save it again.")
            raise Unreadable(text, file=file) from None
        text = N_("The file “{file}” is no proper JSON from character {at:,} on. Save it again as GeoJSON.")
        raise Unreadable(text, file=file, at=error.at + 1) from None


class _Documents:
    """The objects of a file: usually one, in a sequence one on each line."""

    def __init__(self, stream: Stream, file: str, members: dict[str, Any]) -> None:
        self._stream, self._file, self._members = stream, file, members
        self._is_collection = False

    def found(self) -> Iterator[Any]:
        count = 0
        while self._stream.peek():
            for feature in self._list() if self._stream.skip("[") else self._object():
                count += 1
                yield feature
            self._stream.skip(",")  # Some write commas between the lines of a sequence.
        if not count and not self._is_collection:
            raise self._other()

    def _other(self) -> Unreadable:
        text = N_("The file “{file}” is JSON, but there is no GeoJSON in it. Save it as GeoJSON.")
        return Unreadable(text, file=self._file)

    def _list(self) -> Iterator[Any]:
        for item in self._items():
            if not _is_feature(item):
                raise self._other()
            yield item

    def _object(self) -> Iterator[Any]:
        """The features of a collection as they come, or the object itself where it is one or a shape."""
        stream = self._stream
        members: dict[str, Any] = {}
        stream.need("{")
        if stream.skip("}"):
            return
        while True:
            if stream.peek() != '"':
                raise stream.broken()
            key = stream.value()
            stream.need(":")
            if key == "features" and stream.skip("["):
                self._is_collection = True
                yield from self._items()
            else:
                members[key] = stream.value()
            if stream.skip("}"):
                break
            stream.need(",")
        if members.get("type") in ("Feature", *_SHAPES):
            yield members
        else:
            self._members.update(members)

    def _items(self) -> Iterator[Any]:
        if self._stream.skip("]"):
            return
        while True:
            yield self._stream.value()
            if self._stream.skip("]"):
                return
            self._stream.need(",")


def read(path: Path, *, file: str, name: str, limits: Limits) -> Found:
    """GeoJSON in any of its forms; without a `crs` member it is in degrees, as RFC 7946 has it."""
    features = _Features(path, file, limits)
    return Found(
        file=file,
        name=name,
        names=features.columns.names,
        walk=features.walk,
        has_shapes=True,
        system=features.system,
        notes=features.notes,
    )


class _Features:
    def __init__(self, path: Path, file: str, limits: Limits) -> None:
        self._path, self._file = path, file
        self._crs: Any = None
        self._wide = False
        self.columns = Growing(limits)
        self.notes = Notebook()

    def system(self) -> str:
        """After the first walk: the `crs` member, else degrees, else (numbers that are none) nothing."""
        if self._crs is not None:
            named = said(self._crs)
            if found := systems.named(named):
                return found
            text = N_("The coordinate system that the file names is not known: “{said}”. Choose it yourself.")
            self.notes.add(0, text, said=named[:100])
            return ""
        if self._wide:
            text = N_(
                "The file does not say its coordinate system, and its coordinates are no degrees. Choose "
                "it yourself."
            )
            self.notes.add(0, text)
            return ""
        return systems.WGS84

    def walk(self, notes: Notebook) -> Iterator[Row]:
        members: dict[str, Any] = {}
        for number, feature in enumerate(items(self._path, file=self._file, members=members), start=1):
            yield self._row(number, feature, notes)
        self._crs = members.get("crs")

    def _row(self, number: int, feature: Any, notes: Notebook) -> Row:
        if not _is_feature(feature):
            notes.add(number, N_("This entry of the list is no feature; the row is blank."))
            return number, (), None
        if feature.get("type") in _SHAPES:
            return number, (), self._drawn(number, feature, notes)
        properties = feature.get("properties")
        cells: dict[str, Any] = dict(properties) if isinstance(properties, dict) else {}
        if "id" in feature and "id" not in cells:
            cells = {"id": feature["id"], **cells}
        if properties is not None and not isinstance(properties, dict):
            notes.add(number, N_("The properties of this feature are no object; they were left out."))
        shape = self._drawn(number, feature.get("geometry"), notes)
        return number, self.columns.row(cells), shape

    def _drawn(self, number: int, geometry: Any, notes: Notebook) -> object:
        if geometry is None:
            return None
        try:
            made = shapely_shape(geometry)
        except Exception:  # It raises whatever odd coordinates make numpy and GEOS raise.
            notes.add(number, N_("The coordinates of this feature cannot be read; the row has no shape."))
            return None
        if not self._wide and not made.is_empty:
            west, south, east, north = made.bounds
            near = bool(np.abs(made.bounds).max() < tables.FARTHEST)
            self._wide = near and not (west >= -361 and east <= 361 and south >= -91 and north <= 91)
        return made


def _is_feature(item: Any) -> bool:
    """Some programs forget the type of a feature."""
    return isinstance(item, dict) and (
        item.get("type") in _SHAPES or "properties" in item or "geometry" in item
    )


def said(crs: Any) -> str:
    """The name in an old `crs` member, in its forms of 2008."""
    if isinstance(crs, str):
        return crs
    properties = crs.get("properties", {}) if isinstance(crs, dict) else {}
    if not isinstance(properties, dict):
        return ""
    if crs.get("type") == "EPSG":
        return f"EPSG:{properties.get('code')}"
    return str(properties.get("name") or properties.get("href") or "")
