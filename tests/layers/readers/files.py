"""Makes the files that the readers are tried with: as people have them, and as nobody should."""

import io
import json
import struct
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas
import numpy as np
import openpyxl
import shapely


def packed(members, *, flags=0, links=(), compression=zipfile.ZIP_DEFLATED):
    """A zip archive of {name: bytes}; `links` names what is a symbolic link."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type = compression
            if name in links:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, content)
    raw = stream.getvalue()
    if flags:  # The general purpose bits, in the local and in the central head of the first member.
        at = raw.index(b"PK\x01\x02")
        raw = raw[:6] + bytes([flags]) + raw[7 : at + 8] + bytes([flags]) + raw[at + 9 :]
    return raw


def sheet(*rows, title="Leht1", edit=None):
    """An XLSX with one sheet of rows; `edit` may do more to the book."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = title
    for row in rows:
        page.append(row)
    if edit:
        edit(book, page)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def collection(*features, **members):
    return json.dumps(
        {"type": "FeatureCollection", **members, "features": list(features)}, ensure_ascii=False
    ).encode()


def feature(lon=25.0, lat=59.0, geometry="point", **properties):
    if geometry == "point":
        geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def kml(body, head=""):
    return f'<?xml version="1.0"?>{head}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{body}</Document></kml>'.encode()


def placemark(inner="", name="A"):
    return f"<Placemark><name>{name}</name>{inner}<Point><coordinates>25,59</coordinates></Point></Placemark>"


def gpx(body):
    return f'<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">{body}</gpx>'.encode()


def gml(members, srs="urn:ogc:def:crs:EPSG::3301", head=""):
    """A WFS answer with one point for each (name, first, second) in the order the system has its axes."""
    body = "".join(
        f'<wfs:member><a:koht gml:id="koht.{n}"><a:nimi>{name}</a:nimi><a:geom>'
        f'<gml:Point gml:id="p{n}" srsName="{srs}">'
        f"<gml:pos>{first} {second}</gml:pos></gml:Point></a:geom></a:koht></wfs:member>"
        for n, (name, first, second) in enumerate(members)
    )
    return (
        f'<?xml version="1.0"?>{head}<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
        f'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:a="http://a">{body}</wfs:FeatureCollection>'
    ).encode()


def layer(suffix, columns, shapes, *, crs=4326, name="layer", **options):
    """The files that GDAL writes for a layer: {suffix: bytes}."""
    frame = geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"layer{suffix}"
        frame.to_file(path, layer=name, **options)
        return {part.suffix: part.read_bytes() for part in Path(folder).iterdir()}


def package(**layers):
    """A GeoPackage of {layer: (columns, shapes)}, in EPSG:3301."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layer.gpkg"
        for name, (columns, shapes) in layers.items():
            geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=3301).to_file(path, layer=name)
        return path.read_bytes()


def shapefile(
    columns=None, shapes=None, *, stem="koht", drop=(), language=None, page=None, crs=3301, encoding="utf-8"
):
    """The parts of a shapefile: {name: bytes}; `language` is the number in its table, `page` its .cpg."""
    parts = layer(".shp", columns or {"nimi": ["Õru", "Valga"]}, shapes or POINTS, crs=crs, encoding=encoding)
    if language is not None:
        parts[".dbf"] = parts[".dbf"][:29] + bytes([language]) + parts[".dbf"][30:]
    if page is not None:
        parts[".cpg"] = page
    return {f"{stem}{suffix}": content for suffix, content in parts.items() if suffix not in drop}


def deleted(table, row):
    """A DBF with one row marked as deleted."""
    begin, width = struct.unpack("<HH", table[8:12])
    at = begin + row * width
    return table[:at] + b"*" + table[at + 1 :]


def topology(*, where=(25.0, 59.0), **properties):
    return json.dumps(
        {
            "type": "Topology",
            "arcs": [],
            "objects": {"kohad": {"type": "GeometryCollection", "geometries": [
                {"type": "Point", "coordinates": list(where), "properties": properties or {"nimi": "A"}}]}},
        }
    ).encode()  # fmt: skip


POINTS = [shapely.Point(659000, 6474000), shapely.Point(621000, 6405000)]
SQUARE = shapely.box(659000, 6474000, 660000, 6475000)


def wild_shapefile(x, y):
    """A shapefile of one point that lies wherever the test says, as no library would write it."""
    parts = shapefile({"nimi": ["A"]}, [shapely.Point(1, 2)], stem="wild")
    raw = parts["wild.shp"]
    parts["wild.shp"] = raw[:-16] + np.array([x, y], dtype="<f8").tobytes()
    return parts
