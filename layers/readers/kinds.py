"""What a file is, told by its content: its name may say anything."""

import re
import sqlite3
from pathlib import Path

from layers.errors import N_
from layers.readers import archives, letters, xml
from layers.readers.plain import Unreadable

_HEAD = 1 << 16
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM", b"RIFF")
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PARTS_OF_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix")
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_ESRI = re.compile(
    rb'"geometryType"\s*:\s*"esri|"features"\s*:\s*\[\s*\{\s*"(attributes|geometry"\s*:\s*\{\s*"(rings|paths|x))'
)
_GML = ("http://www.opengis.net/gml", "http://www.opengis.net/wfs")

TEXT, GEOJSON, TOPOJSON, GEOPACKAGE, SHAPEFILE = "text", "geojson", "topojson", "geopackage", "shapefile"
KML, KMZ, GPX, GML, XLSX, OLD_SHEET, ZIP = "kml", "kmz", "gpx", "gml", "xlsx", "old sheet", "zip"
FLATGEOBUF, PARQUET = "flatgeobuf", "parquet"


def kind(path: Path, *, file: str) -> str:
    """One of the kinds above.

    Raises:
        Unreadable: it is something else; the sentence says what, where that is known.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise Unreadable(N_("The file “{file}” is empty. Choose a file with rows."), file=file)
    if head.startswith(b"PK"):
        return _zipped(path, file)
    if head.startswith(b"SQLite format 3\x00"):
        return _database(path, file)
    if head.startswith(b"\x00\x00\x27\x0a"):
        if path.suffix.lower() == ".shx":
            raise _part(file)
        return SHAPEFILE
    if head.startswith(_OLD_OFFICE):
        return OLD_SHEET
    if head.startswith(b"fgb\x03fgb"):
        return FLATGEOBUF
    if head.startswith(b"PAR1"):
        return PARQUET
    _refuse_known(head, file)
    text = _text(head)
    if text is None:
        if path.suffix.lower() in _PARTS_OF_SHAPEFILE:
            raise _part(file)
        raise Unreadable(
            N_(
                "The file “{file}” is no table and no map layer that is known here. Save it as CSV, XLSX "
                "or GeoPackage."
            ),
            file=file,
        )
    return _written(text.lstrip("\ufeff\x1e \t\r\n"), head, path, file)


def _refuse_known(head: bytes, file: str) -> None:
    if head.startswith(_PICTURES) and not _is_plain(head):
        raise Unreadable(
            N_("The file “{file}” is a picture and no data. Fetch the data themselves."), file=file
        )
    if head.startswith((b"%PDF", b"{\\rtf")):
        text = N_(
            "The file “{file}” is a document and no table. Copy its table into a spreadsheet and save it "
            "as XLSX."
        )
        raise Unreadable(text, file=file)
    if head.startswith(_PACKED):
        text = N_(
            "The file “{file}” is packed in a way that is not unpacked here. Unpack it, or pack it as ZIP."
        )
        raise Unreadable(text, file=file)


def _is_plain(head: bytes) -> bool:
    """A table may begin with the letters BM or RIFF too."""
    return head[:2] in (b"BM", b"RI") and b"\x00" not in head


def _part(file: str) -> Unreadable:
    text = N_(
        "The file “{file}” is one part of a shapefile. Pack all its parts (.shp, .shx, .dbf, .prj) into "
        "one ZIP."
    )
    return Unreadable(text, file=file)


def _zipped(path: Path, file: str) -> str:
    names = archives.names(path)
    if not names:
        # Opening it says what is wrong.
        return ZIP
    known = set(names)
    if "xl/workbook.bin" in known:
        return OLD_SHEET
    if any(name.startswith("xl/") for name in known):
        return XLSX
    if any(name.startswith(("word/", "ppt/")) for name in known):
        text = N_(
            "The file “{file}” is a document and no table. Copy its table into a spreadsheet and save it "
            "as XLSX."
        )
        raise Unreadable(text, file=file)
    if "content.xml" in known and "mimetype" in known:
        return OLD_SHEET
    files = [name for name in names if not name.endswith("/")]
    first = [name for name in files if name.lower().endswith(".kml")]
    shapes = (".shp", ".gpkg", ".geojson", ".json", ".csv", ".xlsx", ".gml", ".gpx", ".tsv", ".kmz")
    if first and not any(name.lower().endswith(shapes) for name in files) and len(first) == 1:
        return KMZ
    return KMZ if "doc.kml" in known else ZIP


def _database(path: Path, file: str) -> str:
    """A GeoPackage, and none that would make GDAL open something else."""
    try:
        with _asked(path) as database:
            tables = dict(
                database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
            )
    except sqlite3.Error as error:
        raise Unreadable(
            N_("The database “{file}” is damaged or breaks off before its end. Save or fetch it again."),
            file=file,
        ) from error
    if "gpkg_contents" not in tables:
        text = N_("The file “{file}” is a database, but no GeoPackage. Save its table as GeoPackage.")
        raise Unreadable(text, file=file)
    for sql in tables.values():
        if re.match(r"CREATE\s+VIRTUAL\s+TABLE(?!.*USING\s+(rtree|fts\d?)\b)", sql or "", re.I | re.S):
            text = N_(
                "The GeoPackage “{file}” has tables that stand for other files. Save its layers into a "
                "new one."
            )
            raise Unreadable(text, file=file)
    return GEOPACKAGE


class _asked:
    """A database opened to be read only; closed again, which sqlite3's own context does not do."""

    def __init__(self, path: Path) -> None:
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._database = sqlite3.connect(address, uri=True)

    def __enter__(self) -> sqlite3.Connection:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _text(head: bytes) -> str | None:
    """The beginning as text for a first look; None where it is none."""
    wide = letters.marked(head) or letters.unmarked_wide(head)
    if wide and wide != "utf-8-sig":
        return head[: len(head) // 4 * 4].decode(wide, errors="replace")
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1e\x1b" for byte in head[:4096])
    return None if odd > len(head[:4096]) * 0.05 + 2 else head.decode("latin-1").removeprefix("ï»¿")


def _written(text: str, head: bytes, path: Path, file: str) -> str:
    if text.startswith("<"):
        return _marked_up(text, path, file)
    if text.startswith(("{", "[")):
        return _json(head, path, file)
    if path.suffix.lower() in _PARTS_OF_SHAPEFILE:
        raise _part(file)
    return TEXT


def _marked_up(text: str, path: Path, file: str) -> str:
    if re.search(r"<!doctype\s+html|<html[\s>]|<body[\s>]|<table[\s>]", text[:4096], re.I):
        raise Unreadable(
            N_(
                "The file “{file}” is a web page and no data; perhaps an error message. Open it in a "
                "browser and see."
            ),
            file=file,
        )
    tag = xml.root(path, file=file)
    name = xml.local(tag)
    if name == "kml":
        return KML
    if name == "gpx":
        return GPX
    if name in ("ExceptionReport", "ServiceExceptionReport"):
        said = " ".join(re.sub(r"<[^>]*>", " ", text).split())[:300]
        raise Unreadable(N_("The service answered with an error: “{said}”. Check the address."), said=said)
    if name == "FeatureCollection" or any(tag.startswith("{" + space) for space in _GML):
        return GML
    text = N_(
        "The file “{file}” is XML of a kind that is not known here (“{name}”). Save it as GeoPackage or "
        "GeoJSON."
    )
    raise Unreadable(text, file=file, name=name[:60])


def _json(head: bytes, path: Path, file: str) -> str:
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 4096, 0))
        tail = stream.read()
    head = head.replace(b"\x00", b"")
    if _TOPOLOGY.search(head) or (_TOPOLOGY.search(tail) and b'"arcs"' in head):
        return TOPOJSON
    if _ESRI.search(head):
        text = N_("The file “{file}” is JSON in the form of ArcGIS. Ask the service for GeoJSON (f=geojson).")
        raise Unreadable(text, file=file)
    return GEOJSON
