"""KML and GPX → a Table. Each placemark or waypoint is a row; folders are a column; nothing is fetched.

GDAL makes a layer of every folder and a dozen fixed columns, and cannot say what it passed over; a placemark
is a name, some data and plain coordinates, so they are read here.
"""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import shapely

from layers.errors import N_
from layers.readers import xml
from layers.readers.cells import Notebook
from layers.readers.plain import Limits
from layers.readers.systems import WGS84
from layers.readers.tables import Found, Growing, Row

_PLAIN = ("name", "description", "address", "phoneNumber", "Snippet")
_TIMES = ("when", "begin", "end")
_SHAPES = ("Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Track", "MultiTrack", "Model")
_PASSED = {
    "NetworkLink": N_("Links to other files on the network, not followed: {count}."),
    "GroundOverlay": N_("Pictures laid on the ground, left out: {count}."),
    "ScreenOverlay": N_("Pictures laid on the screen, left out: {count}."),
    "PhotoOverlay": N_("Photographs left out: {count}."),
    "trk": N_("Tracks left out, since only waypoints are read: {count}."),
    "rte": N_("Routes left out, since only waypoints are read: {count}."),
}
_TAG = re.compile(r"<[A-Za-z/!][^>]*>")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-f]+|[a-z]{2,8});", re.I)


def kml(path: Path, *, file: str, name: str, limits: Limits) -> Found:
    """Placemarks with name, description, folder and the data given to each."""
    return _found(path, file, name, limits, _Placemarks)


def gpx(path: Path, *, file: str, name: str, limits: Limits) -> Found:
    """Waypoints with whatever is said of each."""
    return _found(path, file, name, limits, _Waypoints)


def _found(path: Path, file: str, name: str, limits: Limits, kind: "type[_Marks]") -> Found:
    marks = kind(path, file, limits)
    return Found(file=file, name=name, names=marks.columns.names, walk=marks.walk, has_shapes=True, crs=WGS84)


class _Marks:
    """Rows of an XML file: `element` is the name of what becomes a row."""

    element = ""
    folder = ""

    def __init__(self, path: Path, file: str, limits: Limits) -> None:
        self._path, self._file, self._limits = path, file, limits
        self.columns = Growing(limits)

    def said(self, mark: Element, folders: list[str], row: int, notes: Notebook) -> dict[str, str]:
        raise NotImplementedError

    def drawn(self, mark: Element, row: int, notes: Notebook) -> object:
        raise NotImplementedError

    def walk(self, notes: Notebook) -> Iterator[Row]:
        passed = dict.fromkeys(_PASSED, 0)
        folders: list[str] = []
        inside = number = 0
        for event, element, stack in xml.elements(self._path, file=self._file, limits=self._limits):
            tag = stack[-1]
            if event == "start":
                inside += tag == self.element
                if tag == self.folder:
                    folders.append("")
                continue
            if tag == "name" and len(stack) > 1 and stack[-2] == self.folder and folders:
                folders[-1] = " ".join((element.text or "").split())
            elif tag == self.folder and folders:
                folders.pop()
            elif tag == self.element:
                inside -= 1
                number += 1
                said = self.said(element, folders, number, notes)
                yield number, self.columns.row(said), self.drawn(element, number, notes)
            elif tag in passed:
                passed[tag] += 1
            if not inside:
                element.clear()  # Or the whole file stays in memory.
        for tag, count in passed.items():
            if count:
                notes.add(0, _PASSED[tag], count=count)


class _Placemarks(_Marks):
    element, folder = "Placemark", "Folder"

    def said(self, mark: Element, folders: list[str], row: int, notes: Notebook) -> dict[str, str]:
        said: dict[str, str] = {}
        if mark.get("id"):
            said["id"] = str(mark.get("id"))
        for child in mark:
            tag = xml.local(child.tag)
            if tag in _PLAIN and (child.text or "").strip():
                said[tag] = _plain(child.text or "", row, notes)
        if any(folders):
            said["folder"] = " / ".join(filter(None, folders))
        for child in mark.iter():
            tag = xml.local(child.tag)
            if tag in _TIMES and (child.text or "").strip() and tag not in said:
                said[tag] = child.text or ""
            elif tag == "Data":
                value = next((part.text for part in child if xml.local(part.tag) == "value"), "")
                _put_data(said, child.get("name") or "", _plain(value or "", row, notes))
            elif tag in ("SimpleData", "SimpleArrayData"):
                _put(said, child.get("name") or "", _plain("".join(child.itertext()), row, notes))
        return said

    def drawn(self, mark: Element, row: int, notes: Notebook) -> object:
        shapes = [child for child in mark if xml.local(child.tag) in _SHAPES]
        try:
            parts = [part for shape in shapes for part in _shapes(shape)]
        except (ValueError, IndexError, shapely.errors.GEOSException):
            notes.add(row, N_("The coordinates of this feature cannot be read; the row has no shape."))
            return None
        return _together(parts)


def _put_data(said: dict[str, str], name: str, value: str) -> None:
    """A datum of this name is surer than what is written beside the symbol, which stays as “name (2)”."""
    if name in _PLAIN and name in said and f"{name} (2)" not in said:
        _put(said, name, said[name])
        said[name] = value
    else:
        _put(said, name, value)


def _put(said: dict[str, str], name: str, value: str) -> None:
    """Data may be called like something that is there already: “name (2)”."""
    key, times = name, 2
    while key in said:
        key, times = f"{name} ({times})", times + 1
    said[key] = value


def _shapes(element: Element) -> Iterator[Any]:
    tag = xml.local(element.tag)
    if tag in ("MultiGeometry", "MultiTrack"):
        for child in element:
            if xml.local(child.tag) in _SHAPES:
                yield from _shapes(child)
    elif tag in ("Point", "LineString", "LinearRing"):
        points = _coordinates(element)
        if points:
            yield shapely.Point(points[0]) if tag == "Point" else _line(points)
    elif tag == "Polygon":
        outer = [
            ring for child in element if xml.local(child.tag) == "outerBoundaryIs" for ring in _rings(child)
        ]
        inner = [
            ring for child in element if xml.local(child.tag) == "innerBoundaryIs" for ring in _rings(child)
        ]
        if outer:
            yield shapely.Polygon(outer[0], inner)
    elif tag == "Track":
        points = [_pair((child.text or "").split()) for child in element if xml.local(child.tag) == "coord"]
        if points:
            yield _line(points)
    elif tag == "Model":
        where = {xml.local(part.tag): part.text for part in element.iter()}
        yield shapely.Point(float(where.get("longitude") or ""), float(where.get("latitude") or ""))


def _line(points: list[tuple[float, float]]) -> Any:
    return shapely.LineString(points) if len(points) > 1 else shapely.Point(points[0])


def _rings(boundary: Element) -> list[list[tuple[float, float]]]:
    rings = (_coordinates(ring) for ring in boundary if xml.local(ring.tag) == "LinearRing")
    return [ring for ring in rings if ring]


def _coordinates(element: Element) -> list[tuple[float, float]]:
    text = next((child.text for child in element if xml.local(child.tag) == "coordinates"), "") or ""
    # “25, 59, 0” with blanks after the commas is wrong, common, and can only mean one thing.
    text = re.sub(r"\s*,\s*", ",", text)
    return [_pair(part.split(",")) for part in text.split()]


def _pair(numbers: list[str]) -> tuple[float, float]:
    return float(numbers[0]), float(numbers[1])


def _together(parts: list[Any]) -> Any:
    if len(parts) < 2:
        return parts[0] if parts else None
    kinds = {part.geom_type for part in parts}
    if kinds == {"Point"}:
        return shapely.MultiPoint(parts)
    if kinds == {"LineString"}:
        return shapely.MultiLineString(parts)
    return shapely.MultiPolygon(parts) if kinds == {"Polygon"} else shapely.GeometryCollection(parts)


class _Waypoints(_Marks):
    element = "wpt"

    def said(self, mark: Element, folders: list[str], row: int, notes: Notebook) -> dict[str, str]:
        said: dict[str, str] = {}
        for child in mark.iter():
            if child is mark or len(child):
                continue
            if xml.local(child.tag) == "link" and child.get("href"):
                _put(said, "link", child.get("href") or "")
            elif (child.text or "").strip():
                _put(said, xml.local(child.tag), _plain(child.text or "", row, notes))
        return said

    def drawn(self, mark: Element, row: int, notes: Notebook) -> object:
        try:
            return shapely.Point(float(mark.get("lon") or ""), float(mark.get("lat") or ""))
        except ValueError:
            notes.add(row, N_("The coordinates of this feature cannot be read; the row has no shape."))
            return None


class _Words(HTMLParser):
    """The text of markup; what stood in lines and cells of its own keeps to itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._unseen += tag in ("script", "style")
        if tag in ("br", "p", "div", "tr", "li", "table", "h1", "h2", "h3"):
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("script", "style") and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def _plain(text: str, row: int, notes: Notebook) -> str:
    """Text without markup."""
    if not _TAG.search(text):
        return unescape(text).strip() if _ENTITY.search(text) else text.strip()
    words = _Words()
    words.feed(text)
    words.close()
    notes.add(row, N_("The markup of a description was removed; its text was kept."))
    lines = (" ".join(line.split()) for line in "".join(words.parts).splitlines())
    return "\n".join(line for line in lines if line)
