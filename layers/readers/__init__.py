"""Readers for what people really have: any file → a table of text and shapes, with notes of what was done.

`offers` tells what is inside a file, `read` gives one table of it, `fetched` brings a file from an address.
What a file is, is told by its content. Every row of the source is in a piece or counted in a note; what
cannot be used is refused with a sentence that says why and what to do. Nothing here knows what a column
means, repairs a shape or believes a coordinate: that is the work of whoever asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from layers.errors import N_, Sentence
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers import (
    archives,
    cells,
    delimited,
    features,
    gdal,
    kinds,
    parquet,
    placemarks,
    sheets,
    tables,
)
from layers.readers.archives import Member, Place
from layers.readers.plain import DEFAULTS, Limits, Note, Offer, Piece, Several, Table, Unreadable
from layers.readers.services import fetched
from layers.readers.tables import Found
from layers.readers.web import Manners

__all__ = [
    "Limits",
    "Manners",
    "Note",
    "Offer",
    "Piece",
    "Several",
    "Table",
    "Unreadable",
    "fetched",
    "look",
    "offers",
    "read",
]

_DATA = (".csv", ".tsv", ".tab", ".txt", ".dat")
_ASIDE = (".txt", ".md", ".dat", "")


@dataclass(frozen=True)
class _Inside:
    """One table of a file: what to call it, and how to look at it and to open it."""

    name: str
    offer: Callable[[], Offer]
    open: Callable[[str], Found]
    notes: tuple[Note, ...] = ()


def offers(path: Path, *, limits: Limits = DEFAULTS) -> list[Offer]:
    """What one can choose from a file, as it stands there; one offer where there is nothing to choose.

    Raises:
        Unreadable: nothing in it can be read.
    """
    place = Place()
    return [replace(inside.offer(), name=inside.name) for inside in _inside(Path(path), place, limits)]


def read(path: Path, *, name: str = "", encoding: str = "", limits: Limits = DEFAULTS) -> Table:
    """One table of a file; without a `name` the first that has rows. `encoding` overrides what is guessed.

    The file is walked through once, so that its notes are whole; it must stay where it is while `pieces` of
    the table are asked for.

    Raises:
        Unreadable: it cannot be used, or there is nothing of this name in it.
    """
    place = Place()
    return _read(_inside(Path(path), place, limits), place, name, encoding, limits, progress.silent)


def look(
    path: Path,
    *,
    name: str = "",
    encoding: str = "",
    limits: Limits = DEFAULTS,
    tell: Tell = progress.silent,
) -> tuple[Table, list[Offer]]:
    """One table of a file, as `read`, with all that one could choose instead, as `offers`.

    Raises:
        Unreadable: it cannot be used, or there is nothing of this name in it.
    """
    place = Place()
    found = _inside(Path(path), place, limits)
    table = _read(found, place, name, encoding, limits, tell)
    if len(found) == 1:
        return table, [Offer(table.name, table.rows, table.geometry, table.columns)]
    return table, [replace(inside.offer(), name=inside.name) for inside in found]


def _read(
    found: "list[_Inside]", place: Place, name: str, encoding: str, limits: Limits, tell: Tell
) -> Table:
    chosen, others = _chosen(found, name)
    made = tables.table(chosen.open(encoding), limits=limits, tell=tell)
    notes = (*chosen.notes, *others, *made.notes)
    return replace(made, name=chosen.name, notes=notes, pieces=_Held(place, made.pieces))


@dataclass(frozen=True)
class _Held:
    """Keeps the folder of unpacked files as long as somebody may walk through them."""

    place: Place
    pieces: Callable[[], Iterator[Piece]]

    def __call__(self) -> Iterator[Piece]:
        yield from self.pieces()


def _chosen(found: list[_Inside], name: str) -> tuple[_Inside, tuple[Note, ...]]:
    if name:
        for inside in found:
            if inside.name == name:
                return inside, ()
        text = N_("There is no table “{name}” in the file. Choose one of: {names}.")
        raise Unreadable(text, name=name, names=", ".join(inside.name for inside in found)[:500])
    if len(found) == 1:
        return found[0], ()
    chosen = next((inside for inside in found if inside.offer().rows != 0), found[0])
    text = N_("The file has several tables ({count}); “{name}” was read.")
    return chosen, (Note(0, Sentence(text, count=len(found), name=chosen.name)),)


def _inside(path: Path, place: Place, limits: Limits) -> list[_Inside]:
    file = cells.visible(path.name)
    if path.is_dir():
        raise Unreadable(N_("“{file}” is a folder. Pack it into one ZIP."), file=file)
    try:
        kind = kinds.kind(path, file=file)
    except OSError as error:
        raise Unreadable(
            N_("The file “{file}” cannot be opened. Check its name and who may read it."), file=file
        ) from error
    return _of_kind(path, kind, file, cells.visible(path.stem), place, limits)


def _of_kind(path: Path, kind: str, file: str, stem: str, place: Place, limits: Limits) -> list[_Inside]:
    if kind == kinds.ZIP:
        return _zipped(path, file, place, limits)
    if kind == kinds.KMZ:
        return _kmz(path, file, stem, place, limits)
    if kind in (kinds.XLSX, kinds.OLD_SHEET):
        return _sheets(path, kind, file, limits)
    if kind in (kinds.SHAPEFILE, kinds.GEOPACKAGE, kinds.TOPOJSON, kinds.GML, kinds.FLATGEOBUF):
        return _layers(path, kind, file, stem, place, limits)
    return [_single(path, kind, file, stem, limits)]


def _single(path: Path, kind: str, file: str, stem: str, limits: Limits) -> _Inside:
    """A file that is one table."""

    def opened(encoding: str) -> Found:
        if kind == kinds.TEXT:
            return delimited.read(path, file=file, name=stem, encoding=encoding, limits=limits)
        room = {
            kinds.GEOJSON: features.read,
            kinds.KML: placemarks.kml,
            kinds.GPX: placemarks.gpx,
            kinds.PARQUET: parquet.read,
        }[kind]
        return room(path, file=file, name=stem, limits=limits)

    return _Inside(stem, lambda: _looked(opened, limits), opened)


def _looked(opened: Callable[[str], Found], limits: Limits) -> Offer:
    table = tables.table(opened(""), limits=limits)
    return Offer(table.name, table.rows, table.geometry, table.columns)


def _sheets(path: Path, kind: str, file: str, limits: Limits) -> list[_Inside]:
    book = (sheets.Xlsx if kind == kinds.XLSX else sheets.Older)(path, file=file, limits=limits)

    def one(sheet: str, hidden: bool) -> _Inside:
        def opened(encoding: str) -> Found:
            return sheets.read(book, sheet, hidden=hidden)

        return _Inside(sheet, lambda: _looked(opened, limits), opened)

    # What is seen comes first: a hidden sheet is chosen by name or where there is no other.
    found = [one(sheet, hidden) for sheet, hidden in sorted(book.names(), key=lambda sheet: sheet[1])]
    if not found:
        raise Unreadable(N_("The spreadsheet “{file}” has no sheets with cells. Choose another."), file=file)
    return found


def _layers(path: Path, kind: str, file: str, stem: str, place: Place, limits: Limits) -> list[_Inside]:
    source = gdal.source(path, kind, file=file, place=place, limits=limits)
    found = gdal.offers(source)
    if not found:
        raise Unreadable(N_("The map layer “{file}” has nothing in it. Choose another."), file=file)

    def one(offer: Offer) -> _Inside:
        def opened(encoding: str) -> Found:
            return gdal.read(
                source, offer.name, name=offer.name, encoding=encoding, limits=limits, place=place
            )

        name = stem if kind == kinds.SHAPEFILE else cells.visible(offer.name)
        return _Inside(name, lambda: offer, opened)

    return [one(offer) for offer in found]


def _kmz(path: Path, file: str, stem: str, place: Place, limits: Limits) -> list[_Inside]:
    members = archives.unpacked(path, file=file, place=place, limits=limits)
    pages = [member for member in members if member.name.suffix.lower() == ".kml"]
    page = next((member for member in pages if member.name.name == "doc.kml"), pages[0])
    kinds.kind(page.path, file=file)
    return [_single(page.path, kinds.KML, file, stem, limits)]


def _zipped(path: Path, file: str, place: Place, limits: Limits) -> list[_Inside]:
    """What is in an archive; what was passed over is noted with every table of it."""
    members = archives.unpacked(path, file=file, place=place, limits=limits)
    layers, rest = _shapefiles(members, place)
    found = [inside for member in layers for inside in _member(member, kinds.SHAPEFILE, file, place, limits)]
    reasons: list[Unreadable] = []
    aside: list[Member] = []
    texts: list[Member] = []
    for member in rest:
        try:
            kind = kinds.kind(member.path, file=member.name.name)
        except Unreadable as error:
            reasons.append(error)
            aside.append(member)
            continue
        if kind in (kinds.ZIP, kinds.KMZ, kinds.SHAPEFILE):
            aside.append(member)
        elif kind == kinds.TEXT and member.name.suffix.lower() not in _DATA[:3]:
            texts.append(member)
        else:
            found += _member(member, kind, file, place, limits)
    if not found:
        readable = [member for member in texts if member.name.suffix.lower() in _DATA]
        found = [inside for member in readable for inside in _member(member, kinds.TEXT, file, place, limits)]
        texts = [member for member in texts if member not in readable]
    if not found:
        raise _nothing(file, members, reasons)
    left = tuple(
        Note(0, Sentence(N_("“{file}” in the archive was left out."), file=str(member.name)[:200]))
        for member in (*aside, *texts)
    )
    return [replace(inside, notes=left) for inside in _told_apart(found)]


def _nothing(file: str, members: list[Member], reasons: list[Unreadable]) -> Unreadable:
    if any(member.name.suffix.lower() in (".zip", ".kmz") for member in members):
        text = N_("The archive “{file}” has another archive in it. Unpack it and choose the inner one.")
        return Unreadable(text, file=file)
    if len(reasons) == 1 and len(members) == 1:
        return reasons[0]
    text = N_(
        "There is no table and no map layer in the archive “{file}”. Pack the files of one layer, or a table."
    )
    return Unreadable(text, file=file)


def _shapefiles(members: list[Member], place: Place) -> tuple[list[Member], list[Member]]:
    """The .shp files of an archive, each in a folder of its own with what belongs to it; and the rest."""
    stems = {_stem(member.name): place.folder() for member in members if member.name.suffix.lower() == ".shp"}
    layers, rest = [], []
    for member in members:
        folder = stems.get(_stem(member.name))
        if folder is None:
            rest.append(member)
            continue
        target = member.path.replace(folder / f"layer{member.path.suffix}")
        if target.suffix == ".shp":
            layers.append(Member(member.name, target))
    return layers, rest


def _stem(name: PurePosixPath) -> str:
    """Parts of one shapefile may differ in capitals; metadata is called name.shp.xml."""
    return str(
        name.with_name(name.name.split(".shp.")[0] if ".shp." in name.name.lower() else name.stem)
    ).lower()


def _member(member: Member, kind: str, file: str, place: Place, limits: Limits) -> list[_Inside]:
    if kind == kinds.SHAPEFILE:
        kinds.kind(member.path, file=member.name.name)
    inner = _of_kind(member.path, kind, f"{file}/{member.name.name}", member.name.stem, place, limits)
    if len(inner) == 1:
        return [replace(inner[0], name=member.name.stem)]
    return [replace(inside, name=f"{member.name.name}/{inside.name}") for inside in inner]


def _told_apart(found: list[_Inside]) -> list[_Inside]:
    """The same tables, none called like another."""
    names: dict[str, int] = {}
    made = []
    for inside in found:
        names[inside.name] = times = names.get(inside.name, 0) + 1
        made.append(replace(inside, name=f"{inside.name} ({times})") if times > 1 else inside)
    return made
