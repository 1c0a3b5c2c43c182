"""What GDAL reads for us: shapefiles, GeoPackages, FlatGeobuf, TopoJSON, GML. The only room here to know it.

GDAL opens whatever some driver of its takes for its own, also files that send it elsewhere. So it is given
only files whose content was looked at, under a name of ours in a folder of ours, and the driver is checked.
"""

import codecs
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers.errors import N_
from layers.readers import kinds, letters, systems, xml
from layers.readers.archives import Place
from layers.readers.cells import Notebook
from layers.readers.plain import Limits, Offer, Unreadable
from layers.readers.tables import Found, Row

_SUFFIX = {
    kinds.SHAPEFILE: ".shp",
    kinds.GEOPACKAGE: ".gpkg",
    kinds.TOPOJSON: ".json",
    kinds.GML: ".gml",
    kinds.FLATGEOBUF: ".fgb",
}
_DRIVER = {
    kinds.SHAPEFILE: "ESRI Shapefile",
    kinds.GEOPACKAGE: "GPKG",
    kinds.TOPOJSON: "TopoJSON",
    kinds.GML: "GML",
    kinds.FLATGEOBUF: "FlatGeobuf",
}
# GML names schemas by address, and GDAL would fetch them.
_OPTIONS = {kinds.GML: {"DOWNLOAD_SCHEMA": "NO", "WRITE_GFS": "NO"}}
_PREFIX = {kinds.TOPOJSON: "TopoJSON:"}
_KINDS = {"Point": "point", "LineString": "line", "Polygon": "polygon"}
_BATCH = 5_000
_BATCH_BYTES = 12_000_000
# The languages' numbers of old tables: what dBASE and FoxPro wrote for the encodings met here.
_DBF_LANGUAGES = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x57: "cp1252", 0x64: "cp852", 0x65: "cp866", 0x66: "cp865",
    0xC8: "cp1250", 0xC9: "cp1251", 0xCC: "cp1257", 0x69: "cp775",
}  # fmt: skip
_EXACT = 2**53


@dataclass
class Source:
    """A file ready for GDAL: where it lies under our name, and what it is."""

    kind: str
    path: Path
    file: str
    size: int

    @property
    def address(self) -> str:
        return _PREFIX.get(self.kind, "") + str(self.path)


def source(path: Path, kind: str, *, file: str, place: Place, limits: Limits) -> Source:
    """The file, and what belongs to it, under names of ours.

    Raises:
        Unreadable: it can only be read whole and is too large for that, or its XML is broken.
    """
    folder = place.folder()
    target = folder / f"layer{_SUFFIX[kind]}"
    size = path.stat().st_size
    if kind in (kinds.TOPOJSON, kinds.GML) and size > limits.bytes_at_once:
        text = N_(
            "The file “{file}” is larger than {most:,} MB, and its format can only be read whole. Save "
            "it as GeoPackage."
        )
        raise Unreadable(text, file=file, most=limits.bytes_at_once // 1_000_000)
    if kind == kinds.GML:
        for _, element, _ in xml.elements(path, file=file, limits=limits):
            element.clear()
    if kind == kinds.SHAPEFILE:
        for part in sorted(path.parent.iterdir()):
            if part.stem.lower() == path.stem.lower() and part.suffix.lower() in (
                ".shp",
                ".shx",
                ".dbf",
                ".prj",
                ".cpg",
            ):
                _link(part, folder / f"layer{part.suffix.lower()}")
    else:
        _link(path, target)
    return Source(kind, target, file, size)


def _link(path: Path, target: Path) -> None:
    if not target.exists():
        target.symlink_to(path.resolve())


def offers(found: Source) -> list[Offer]:
    """The layers of a file."""
    made = []
    for name, _ in _layers(found):
        about = _about(found, name)
        fields = tuple(str(field) for field in about["fields"])
        made.append(Offer(name, max(int(about["features"]), 0), _kind(about["geometry_type"]), fields))
    return made


def _kind(geometry: str | None) -> str:
    if not geometry:
        return ""
    word = re.sub(r"^(2\.5D |3D |Measured )*(Multi)?| ?(Z|M|ZM|25D)$", "", geometry)
    return _KINDS.get(word, "mixed")


def _layers(found: Source) -> list[tuple[str, str | None]]:
    import pyogrio  # A fifth of a second, and only an import needs it.

    with _quiet(found):
        return [(str(name), kind) for name, kind in pyogrio.list_layers(found.address)]


def _about(found: Source, layer: str) -> dict[str, Any]:
    import pyogrio

    with _quiet(found):
        about: dict[str, Any] = pyogrio.read_info(
            found.address,
            layer=layer,
            force_feature_count=True,
            encoding="latin-1" if found.kind == kinds.SHAPEFILE else None,
            **_OPTIONS.get(found.kind, {}),
        )
    if about["driver"] != _DRIVER[found.kind]:
        raise _unreadable(found)
    return about


class _quiet:
    """Turns whatever GDAL raises into a sentence, and keeps its remarks from the screen."""

    def __init__(self, found: Source) -> None:
        self._found, self._caught = found, warnings.catch_warnings(record=True)

    def __enter__(self) -> list[warnings.WarningMessage]:
        heard = self._caught.__enter__()
        warnings.simplefilter("always")
        assert heard is not None  # noqa: S101 (record=True)
        return heard

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._caught.__exit__(kind, error, trace)
        # GDAL raises many kinds for a damaged file.
        if isinstance(error, Exception) and not isinstance(error, Unreadable):
            raise _unreadable(self._found) from error


def _unreadable(found: Source) -> Unreadable:
    if found.kind == kinds.SHAPEFILE and not found.path.with_suffix(".shx").exists():
        text = N_(
            "The shapefile “{file}” has no .shx file beside it. Pack all its parts (.shp, .shx, .dbf, "
            ".prj) into one ZIP."
        )
        return Unreadable(text, file=found.file)
    text = N_("The map layer “{file}” is damaged or breaks off before its end. Save or fetch it again.")
    return Unreadable(text, file=found.file)


def read(found: Source, layer: str, *, name: str, encoding: str, limits: Limits, place: Place) -> Found:
    """One layer of the file."""
    notes = Notebook()
    about = _about(found, layer)
    if found.kind == kinds.SHAPEFILE:
        encoding = _dbf_encoding(found, encoding, notes)
        about["fields"] = _fields(found, layer, encoding)
    names = [str(field) for field in about["fields"]]
    if len(names) > limits.columns:
        text = N_(
            "The table has {found:,} columns; at most {most:,} are read. Leave out those that are not needed."
        )
        raise Unreadable(text, found=len(names), most=limits.columns)
    crs = systems.named(about["crs"] or "")
    if found.kind == kinds.TOPOJSON and not crs:
        crs = systems.WGS84
        notes.add(
            0, N_("TopoJSON does not say its coordinate system; longitude and latitude (WGS 84) were taken.")
        )
    reading = _Layer(found, layer, about, encoding, place)
    return Found(
        file=found.file,
        name=name,
        names=names,
        walk=reading.walk,
        has_shapes=bool(about["geometry_type"]),
        crs=crs,
        encoding=encoding or "utf-8",
        notes=notes,
    )


def _fields(found: Source, layer: str, encoding: str) -> list[str]:
    import pyogrio

    with _quiet(found):
        return list(pyogrio.read_info(found.address, layer=layer, encoding=encoding or None)["fields"])


class _Layer:
    """One walk after another through a layer, some thousand features at a time."""

    def __init__(self, found: Source, layer: str, about: dict[str, Any], encoding: str, place: Place) -> None:
        self._found, self._layer, self._encoding, self._place = found, layer, encoding, place
        self._count, self._fid = max(int(about["features"]), 0), str(about.get("fid_column") or "")
        self._has_shapes = bool(about["geometry_type"])
        self._width = len(about["fields"])

    def walk(self, notes: Notebook) -> Iterator[Row]:
        read = 0
        for fids, shapes, columns in self._batches(notes):
            for index in range(len(fids)):
                read += 1
                yield read, [column[index] for column in columns], shapes[index]
        if read < self._count:
            notes.add(
                0,
                N_("Rows marked as deleted in the file, left out: {count}."),
                count=self._count - read,
            )

    def _batches(self, notes: Notebook) -> Iterator[tuple[Any, Any, list[Any]]]:
        if self._found.kind in (kinds.TOPOJSON, kinds.GML):
            yield self._batch(notes, 0)
            return
        size = max(1, min(_BATCH, _BATCH_BYTES * max(self._count, 1) // max(self._found.size, 1)))
        read, last = 0, -1
        while True:
            # After its number is quick everywhere; to skip rows means to walk over them in a GeoPackage. In
            # a shapefile the number is the place in the file, deleted rows counted.
            where = f'"{self._fid}" > {last}' if self._fid and read else None
            skip = 0 if self._fid else last + 1 if self._found.kind == kinds.SHAPEFILE else read
            fids, shapes, columns = self._batch(
                notes, read, max_features=size, where=where, skip_features=skip
            )
            yield fids, shapes, columns
            if len(fids) < size:
                return
            read, last = read + len(fids), int(fids[-1])

    def _batch(self, notes: Notebook, read: int, **which: Any) -> tuple[Any, Any, list[Any]]:
        import pyogrio

        with _quiet(self._found) as heard:
            about, fids, wkbs, columns = pyogrio.raw.read(
                self._found.address,
                layer=self._layer,
                encoding=self._encoding or None,
                return_fids=True,
                datetime_as_string=True,
                **{name: value for name, value in which.items() if value},
                **_OPTIONS.get(self._found.kind, {}),
            )
        if not read:
            _say_passed(heard, notes)
        if wkbs is None:
            wkbs = np.full(len(fids), None, dtype=object)
        shapes = shapely.from_wkb(wkbs, on_invalid="ignore")
        for index in np.flatnonzero((wkbs != None) & ((shapes == None) | (shapely.get_type_id(shapes) > 7))):  # noqa: E711
            notes.add(read + int(index) + 1, N_("The shape has curves or is damaged; the row has none now."))
            shapes[index] = None
        return (
            fids,
            shapes,
            [_values(*column, read, notes) for column in zip(columns, about["ogr_types"], strict=True)],
        )


def _say_passed(heard: list[warnings.WarningMessage], notes: Notebook) -> None:
    for warning in heard:
        if skipped := re.search(r"Skipping field (\S+)", str(warning.message)):
            notes.add(
                0, N_("Column “{column}” holds no text, number or date; it was left out."), column=skipped[1]
            )


def _values(column: Any, kind: str, read: int, notes: Notebook) -> list[Any]:
    """Plain values; whole numbers that passed through a float are made whole again."""
    if kind in ("OFTDate", "OFTDateTime") and column.dtype == object:
        return [_iso(value) for value in column]
    if kind in ("OFTInteger", "OFTInteger64") and column.dtype.kind == "f":
        for index in np.flatnonzero(np.abs(column) > _EXACT):
            notes.add(read + int(index) + 1, N_("A very large whole number may have lost its last digits."))
        return [None if value != value else int(value) for value in column]
    return list(column)


def _iso(value: Any) -> Any:
    """A time at midnight without a zone was a date."""
    text = str(value or "").replace(" ", "T").replace("/", "-")
    if text[:10] in ("1899-12-30", "1899-12-31"):
        return np.datetime64(text[:10])
    return re.sub(r"T00:00:00(\.0+)?$", "", text)


def _dbf_encoding(found: Source, said: str, notes: Notebook) -> str:
    """The encoding of a shapefile's table: as said, else as it proves to be: it may declare a wrong one."""
    if said:
        return _known(said)
    table = found.path.with_suffix(".dbf")
    if not table.exists():
        notes.add(0, N_("The shapefile has no .dbf file: its shapes have no attributes."))
        return "utf-8"
    samples, language = _dbf_samples(table)
    declared = _declared(found.path.with_suffix(".cpg")) or _DBF_LANGUAGES.get(language, "")
    if not samples:
        return declared or "utf-8"
    if _is_utf8(samples):
        if declared not in ("", "utf-8"):
            text = N_("The table says it is written in {said}, but it is in {encoding}; it was read as that.")
            notes.add(0, text, said=declared, encoding="utf-8")
        return "utf-8"
    guess = letters.guessed(samples)
    if not declared:
        notes.add(0, N_("The file does not say its encoding; it was read as {encoding}."), encoding=guess)
        return guess
    if letters.better(guess, declared, samples):
        text = N_("The table says it is written in {said}, but it is in {encoding}; it was read as that.")
        notes.add(0, text, said=declared, encoding=guess)
        return guess
    return declared


def _known(said: str) -> str:
    try:
        return codecs.lookup(said).name
    except LookupError:
        text = N_("The encoding “{encoding}” is not known. Write for example utf-8 or cp1257.")
        raise Unreadable(text, encoding=said) from None


def _declared(page: Path) -> str:
    if not page.exists():
        return ""
    said = page.read_bytes()[:40].decode("ascii", errors="replace").strip().lower()
    said = re.sub(r"^(ansi |oem )", "", said)
    for name in (said, f"cp{said}", said.replace("88591", "8859-1")):
        try:
            return codecs.lookup(name).name
        except LookupError:
            continue
    return ""


def _dbf_samples(table: Path) -> tuple[list[bytes], int]:
    """Cells with bytes above 127, and the number of the language in the head of the table."""
    with table.open("rb") as stream:
        head = stream.read(32)
        if len(head) < 32:
            return [], 0
        length, width = struct.unpack("<HH", head[8:12])
        # The names of the columns too: eleven bytes at the beginning of each 32.
        body = stream.read(max(length - 32, 0))
        names = [body[at : at + 11].split(b"\x00")[0] for at in range(0, len(body) - 1, 32)]
        rows = [stream.read(width) for _ in range(20_000)] if width else []
    cells = [
        cell
        for row in rows
        if not row.isascii()
        for cell in re.split(rb"  +|\x00+", row)
        if not cell.isascii()
    ]
    return [cell for cell in [*names, *cells] if not cell.isascii()][:5_000], head[29]


def _is_utf8(samples: list[bytes]) -> bool:
    # A cell of a fixed width may end within a letter.
    good = sum(_decodes(sample) or _decodes(sample[:-1]) or _decodes(sample[:-2]) for sample in samples)
    return good > 0.95 * len(samples)


def _decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
