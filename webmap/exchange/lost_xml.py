"""The XML of LoST (RFC 5222), as elements: what is common to all its answers."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from webmap import i18n
from webmap.exchange import links

TYPE = "application/lost+xml"
LOST = "urn:ietf:params:xml:ns:lost1"
GML = "http://www.opengis.net/gml"
CIVIC = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
SYSTEM = "urn:ogc:def:crs:EPSG::4326"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def space(element: Element) -> str:
    return str(element.tag).rpartition("}")[0].removeprefix("{")


def text(element: Element, name: str) -> str | None:
    """The text of a part of a request, without the blanks around it."""
    found = element.findtext(f"{{{LOST}}}{name}")
    return found.strip() if found else None


def root(name: str) -> Element:
    return Element(name, {"xmlns": LOST, "xmlns:gml": GML, "xmlns:ca": CIVIC})


def add(to: Element, name: str, said: str = "", **attributes: str) -> Element:
    made = SubElement(to, name, {key: _safe(value) for key, value in attributes.items()})
    if said:
        made.text = _safe(said)
    return made


def add_name(to: Element, name: str, language: str) -> None:
    made = SubElement(to, "displayName", {"xml:lang": language})
    made.text = _safe(name)


def _safe(said: str) -> str:
    """Without the letters that no XML may hold."""
    return _NOT_XML.sub("", said)


def add_boundary(to: Element, outline: str) -> None:
    """A GeoJSON geometry as boundaries in geodetic-2d, one for each part: together they are the area."""
    shape = json.loads(outline)
    parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
    for rings in parts:
        boundary = SubElement(to, "serviceBoundary", {"profile": "geodetic-2d"})
        polygon = SubElement(boundary, "gml:Polygon", {"srsName": SYSTEM})
        for at, ring in enumerate(rings):
            side = SubElement(polygon, "gml:interior" if at else "gml:exterior")
            _add_ring(side, ring)


def _add_ring(to: Element, ring: Iterable[Sequence[float]]) -> None:
    drawn = SubElement(to, "gml:LinearRing")
    for lon, lat in ring:
        SubElement(drawn, "gml:pos").text = f"{lat} {lon}"


def add_validation(to: Element, valid: Sequence[str], parts: Sequence[str]) -> None:
    """Which parts of a civic address were found; the others were not looked at."""
    made = SubElement(to, "locationValidation")
    SubElement(made, "valid").text = " ".join(f"ca:{name}" for name in valid)
    SubElement(made, "unchecked").text = " ".join(f"ca:{name}" for name in parts if name not in valid)


def add_warnings(to: Element, warnings: Mapping[str, str]) -> None:
    made = SubElement(to, "warnings", {"source": links.host()})
    for name, message in warnings.items():
        SubElement(made, name, {"message": _safe(message), "xml:lang": i18n.language()})


def ended(said: Element, location: str) -> Element:
    """An answer with the way that it took, and the location that was used."""
    SubElement(SubElement(said, "path"), "via", {"source": links.host()})
    if location:
        SubElement(said, "locationUsed", {"id": _safe(location)})
    return said


def failed(error: str, message: str, more: Mapping[str, str]) -> Element:
    made = Element("errors", {"xmlns": LOST, "source": links.host()})
    about = {name: _safe(value) for name, value in more.items()}
    SubElement(made, error, {**about, "message": _safe(message), "xml:lang": i18n.language()})
    return made


def written(said: Element) -> bytes:
    return bytes(tostring(said, encoding="utf-8", xml_declaration=True))
