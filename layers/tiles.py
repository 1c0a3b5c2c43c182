"""Big area layers as vector tiles: one PMTiles archive for each state of a layer, built after a load.

tippecanoe and pmtiles have their door here. An archive is made beside its place and moved there whole, so
a reader never meets half of one; its name holds the layer's revision and its metadata the edition that it
knows, so what has changed since is drawn over it (`changes`). Where tippecanoe is missing, nothing is
built and the layer is drawn by frame.

protomaps-leaflet draws zoom z from the tiles of z - 1: what shall show from zoom 9 on is there from 8 on.
"""

import contextlib
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pmtiles.tile import deserialize_directory, deserialize_header, zxy_to_tileid
from sqlalchemy import Engine, func, or_, select
from sqlalchemy.orm import Session

from layers import catalog, geo, model, places, store
from layers.catalog import Instance, Layer
from layers.columns import wkb_of
from layers.errors import N_, NotFound, Unavailable
from layers.geo import Shapes
from layers.places import Area

BIG = 2000
_DEEPEST = 12  # A unit of such a tile is 1.2 m in Estonia: enough for zoom 16.
_SHOWN_FROM = ((10_000, 9), (200_000, 10))  # Up to so many areas, a layer shows from this zoom on;
_LATEST = 11  # a larger one from this.
_MANY = 200_000  # From here on tippecanoe may leave out what is too dense to be told apart.
_UNITS = {"far": 30, "middle": 200}  # At most so many areas has the layer by which a step counts.
_KEPT = 2
_BATCH = 5000
_NAME = re.compile(r"(?P<layer>.+)-(?P<revision>\d+)\.(pmtiles|tallies\.json)")
_HEADER_BYTES = 127
_ABSENT = "tippecanoe is not installed; the layer is drawn by frame"


class NoTiles(NotFound):
    text = N_("There are no tiles of the layer “{layer}” in its state {revision}.")


class NoSuchTile(NotFound):
    text = N_("There is no tile {z}/{x}/{y}.")


class TilesBroken(Unavailable):
    text = N_("The tiles of the layer “{layer}” are damaged. Run: turvakaart setup")


@dataclass(frozen=True)
class Shelf:
    """Where the archives of an instance lie, and from how many areas on a layer gets one."""

    folder: Path
    least: int = BIG


@dataclass(frozen=True)
class Archive:
    """One state of one layer. `edition` is the newest that it knows; zooms are those of its data."""

    layer: str
    revision: int
    edition: int
    checksum: str
    first_zoom: int
    last_zoom: int
    file: Path

    @property
    def shown_from(self) -> int:
        """The smallest zoom of the map at which it is drawn."""
        return self.first_zoom + 1


@dataclass(frozen=True)
class Progress:
    """What a build has to tell: its share from 0 to 1, the finished archive, or why there is none."""

    layer: str
    areas: int
    share: float = 0.0
    archive: Archive | None = None
    problem: str = ""


@dataclass(frozen=True)
class State:
    """A layer as the store holds it now. `edition` is the newest of all layers: they are of one time."""

    layer: Layer = field(compare=False)
    revision: int
    edition: int
    checksum: str
    areas: int


@dataclass(frozen=True)
class Tally:
    """How many areas of a big layer lie in an area of a small one. `lon` and `lat` lie inside it."""

    key: str
    lon: float
    lat: float
    number: int


# --- Which layers are big


def states(session: Session, instance: Instance, *, least: int) -> list[State]:
    """The big layers in their present state: those whose newest editions have more rows than `least`."""
    edition, revision = model.Edition, model.Revision
    newest = select(func.max(edition.id)).group_by(edition.table_name, edition.dataset)
    # One statement, so that revision and edition belong together.
    last = select(func.max(edition.id)).scalar_subquery().label("last")
    query = select(edition.table_name, edition.checksum, edition.rows, revision.number, last)
    query = query.join(revision, revision.layer == edition.table_name).where(edition.id.in_(newest))
    held: dict[str, list[Any]] = {}
    for row in session.execute(query.order_by(edition.dataset)):
        held.setdefault(row.table_name, []).append(row)
    return [
        State(layer, rows[0].number, rows[0].last, " ".join(row.checksum for row in rows), areas)
        for layer in instance.layers_of("areas")
        if (rows := held.get(layer.key)) and (areas := sum(row.rows for row in rows)) > least
    ]


def shown_from(areas: int) -> int:
    """The zoom of the map from which a layer of so many areas is drawn."""
    return next((zoom for most, zoom in _SHOWN_FROM if areas <= most), _LATEST)


# --- Building


def build(
    engine: Engine,
    instance: Instance,
    shelf: Shelf,
    *,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> list[Archive]:
    """Builds the archives that are missing and removes old ones; the archives of the present states.

    Idempotent, and safe when two do it at once (the second waits, then finds nothing to do) or when it is
    killed. A build that fails is told and leaves the layer without tiles.
    """
    with store.reading(engine, srid=instance.metric_crs) as session:
        wanted = states(session, instance, least=shelf.least)
    if not wanted and not shelf.folder.exists():
        return []
    shelf.folder.mkdir(parents=True, exist_ok=True)
    with _alone(shelf.folder):
        for stale in shelf.folder.glob(".building-*"):  # Left by one that was killed.
            shutil.rmtree(stale, ignore_errors=True)
        built = [_ensured(engine, instance, shelf, state, tell) for state in wanted]
        _tidy(shelf.folder, {state.layer.key: state.revision for state in wanted})
    return [archive for archive in built if archive]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One builder at a time; the system frees the lock of one that is killed."""
    with (folder / ".lock").open("w") as lock:
        with contextlib.suppress(ImportError):  # Windows has neither this nor tippecanoe.
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensured(
    engine: Engine,
    instance: Instance,
    shelf: Shelf,
    state: State,
    tell: Callable[[Progress], None],
) -> Archive | None:
    file = shelf.folder / f"{state.layer.key}-{state.revision}.pmtiles"
    tallies = shelf.folder / f"{state.layer.key}-{state.revision}.tallies.json"
    there = _read_or_none(file)
    counts = _tallies(tallies)
    is_counted = counts.get("checksum") == state.checksum
    is_sound = there and there.checksum == state.checksum and counts.get("archive", "") in ("", _digest(file))
    if is_counted and there and is_sound:
        return there
    if is_counted and not tippecanoe():
        tell(Progress(state.layer.key, state.areas, problem=_ABSENT))
        return None
    tell(Progress(state.layer.key, state.areas))
    with tempfile.TemporaryDirectory(prefix=".building-", dir=shelf.folder) as name:
        folder = Path(name)
        with store.reading(engine, srid=instance.metric_crs) as session:
            session.info["known"] = state.edition  # What is loaded meanwhile belongs to the next state.
            counted = _write_features(session, instance, state, folder / "areas.geojsonl")
        counted["checksum"] = state.checksum
        (folder / "tallies.json").write_text(json.dumps(counted), encoding="utf-8")
        (folder / "tallies.json").replace(tallies)
        problem = _run(folder, state, tell)
        if problem:
            tell(Progress(state.layer.key, state.areas, problem=problem))
            return None
        counted["archive"] = _digest(folder / "areas.pmtiles")
        (folder / "tallies.json").write_text(json.dumps(counted), encoding="utf-8")
        (folder / "tallies.json").replace(tallies)
        (folder / "areas.pmtiles").replace(file)
    _opened.cache_clear()
    made = _read(file)
    tell(Progress(state.layer.key, state.areas, share=1.0, archive=made))
    return made


def _digest(file: Path) -> str:
    """By which the next start finds damage in the middle of an archive."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _tidy(folder: Path, present: Mapping[str, int]) -> None:
    """Keeps the present and the previous archive of each layer: a page that is open still asks for it."""
    revisions: dict[str, list[int]] = {}
    for file in folder.glob("*.tallies.json"):
        if found := _NAME.fullmatch(file.name):
            revisions.setdefault(found["layer"], []).append(int(found["revision"]))
    for layer, numbers in revisions.items():
        # A revision above the present one belongs to a store that has been made anew since.
        usable = [number for number in numbers if number <= present.get(layer, 0)]
        for number in set(numbers) - set(sorted(usable)[-_KEPT:]):
            for ending in (".pmtiles", ".tallies.json"):
                (folder / f"{layer}-{number}{ending}").unlink(missing_ok=True)


def tippecanoe() -> str:
    """The program that builds tiles; "" on a platform without it."""
    beside = Path(sys.executable).parent / "tippecanoe"
    return str(beside) if beside.exists() else shutil.which("tippecanoe") or ""


def _run(folder: Path, state: State, tell: Callable[[Progress], None]) -> str:
    """Runs tippecanoe over `areas.geojsonl`; why it failed, or ""."""
    program = tippecanoe()
    if not program:
        return _ABSENT
    dense = (
        ("--drop-densest-as-needed",)
        if state.areas > _MANY
        else ("--no-feature-limit", "--no-tile-size-limit")
    )
    about = json.dumps({"edition": state.edition, "checksum": state.checksum})
    line = [
        program,
        f"--output={folder / 'areas.pmtiles'}",
        "--layer=areas",
        f"--name={state.layer.key}",
        f"--description={about}",
        f"--minimum-zoom={shown_from(state.areas) - 1}",
        f"--maximum-zoom={_DEEPEST}",
        "--no-tiny-polygon-reduction",
        "--no-simplification-of-shared-nodes",
        *dense,
        "--read-parallel",
        f"--temporary-directory={folder}",
        "--json-progress",
        "--progress-interval=10",
        str(folder / "areas.geojsonl"),
    ]
    last = ""
    # Its program and every argument are ours; no shell reads them.
    with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:  # noqa: S603
        for said in running.stderr or ():
            if found := re.search(r'"progress":\s*([\d.]+)', said):
                tell(Progress(state.layer.key, state.areas, share=min(float(found[1]) / 100, 0.99)))
            elif said.strip():
                last = said.strip()
    return f"tippecanoe failed ({running.returncode}): {last[-200:]}" if running.returncode else ""


def _write_features(session: Session, instance: Instance, state: State, file: Path) -> dict[str, Any]:
    """Writes every area of the layer as a line of GeoJSON; returns how many lie in which larger area."""
    area, tally = model.Area, _Tallies(session, instance, state)
    query = select(area.key, area.names, area.valid_from, area.valid_to, wkb_of(area.geom).label("wkb"))
    query = model.known(session, query, area).where(area.kind == state.layer.kind).order_by(area.id)
    with file.open("w", encoding="utf-8") as lines:
        for rows in session.execute(query, execution_options={"yield_per": _BATCH}).partitions():
            shapes = np.asarray(shapely.from_wkb([row.wkb for row in rows]), dtype=object)
            tally.add(rows, shapes)
            degrees = geo.to_degrees(shapes, srid=instance.metric_crs)
            drawn = shapely.to_geojson(shapely.transform(degrees, lambda points: points.round(6)))
            for row, text in zip(rows, drawn, strict=True):
                about = json.dumps(_properties(row, instance.default_language), ensure_ascii=False)
                lines.write(f'{{"type":"Feature","properties":{about},"geometry":{text}}}\n')
    return tally.told()


def _properties(row: Any, language: str) -> dict[str, str]:
    found = {
        "key": row.key,
        "n": catalog.said(row.names, language, "en"),
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }
    return {name: value for name, value in found.items() if value}


# --- Numbers for the views in which single areas would be too small


class _Tallies:
    """Counts areas by the larger area that their middle lies in, or is nearest to, and by their days."""

    def __init__(self, session: Session, instance: Instance, state: State) -> None:
        self._units = {
            step: _units(session, instance, most=most, but=state.layer.kind) for step, most in _UNITS.items()
        }
        self._srid = instance.metric_crs
        self._numbers: dict[str, Counter[tuple[int, str, str]]] = {step: Counter() for step in self._units}

    def add(self, rows: Sequence[Any], shapes: Shapes) -> None:
        middles = shapely.centroid(shapes)
        for step, (_, units) in self._units.items():
            if len(units):
                found = _lying_in(middles, units)
                days = ((row.valid_from, row.valid_to) for row in rows)
                self._numbers[step].update((at, *day) for at, day in zip(found, days, strict=True))

    def told(self) -> dict[str, Any]:
        found = {}
        for step, (keys, units) in self._units.items():
            inside = geo.places_of(list(shapely.to_wkb(shapely.point_on_surface(units))), srid=self._srid)
            numbers = self._numbers[step]
            found[step] = [
                [
                    key,
                    place.lon,
                    place.lat,
                    [[*day, n] for (of, *day), n in sorted(numbers.items()) if of == at],
                ]
                for at, (key, place) in enumerate(zip(keys, inside, strict=True))
                if place
            ]
        return found


def _units(session: Session, instance: Instance, *, most: int, but: str) -> tuple[list[str], Shapes]:
    """Keys and shapes of the finest layer of areas that has at most so many and has not ended."""
    best: Sequence[Any] = ()
    table = model.Area
    for layer in instance.layers_of("areas"):
        query = select(table.key, wkb_of(table.geom).label("wkb"))
        query = model.known(session, query, table).where(table.kind == layer.kind, table.valid_to == "")
        rows = session.execute(query.order_by(table.key).limit(most + 1)).all() if layer.kind != but else ()
        if len(best) < len(rows) <= most:
            best = rows
    shapes = np.asarray(shapely.from_wkb([row.wkb for row in best]), dtype=object)
    return [row.key for row in best], shapes


def _lying_in(points: Shapes, units: Shapes) -> list[int]:
    found = np.full(len(points), -1)
    unit, point = shapely.STRtree(points).query(units, predicate="intersects")
    found[point] = unit
    lost = found < 0
    if lost.any():
        found[lost] = shapely.STRtree(units).nearest(points[lost])
    return [int(at) for at in found]


def tallies(shelf: Shelf, layer: str, revision: int, *, step: str, as_of: date) -> list[Tally]:
    """How many areas of a big layer there were on a day, by larger area; empty where nothing was counted."""
    held = _tallies(shelf.folder / f"{layer}-{revision}.tallies.json").get(step, [])
    day = as_of.isoformat()
    found = [
        Tally(
            key, lon, lat, sum(n for since, until, n in days if since <= day and (not until or until > day))
        )
        for key, lon, lat, days in held
    ]
    return [tally for tally in found if tally.number]


def counted(shelf: Shelf, layer: str, *, revision: int) -> int:
    """The newest state of a layer, up to a revision, whose areas have been counted; 0 when none has been."""
    return max(_revisions(shelf, layer, "tallies.json", upto=revision), default=0)


def _tallies(file: Path) -> dict[str, Any]:
    try:
        return _parsed(file, file.stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=16)
def _parsed(file: Path, _written: int) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


# --- Reading


@dataclass(frozen=True)
class _Index:
    """Where each tile lies in the file, by the number of its first address."""

    ids: list[int]
    places: list[tuple[int, int, int]]


def newest(shelf: Shelf, layer: str, *, revision: int) -> Archive | None:
    """The newest archive of a layer that is not of a later state; None without a usable one."""
    for number in sorted(_revisions(shelf, layer, "pmtiles", upto=revision), reverse=True):
        if archive := _read_or_none(shelf.folder / f"{layer}-{number}.pmtiles"):
            return archive
    return None


def _revisions(shelf: Shelf, layer: str, ending: str, *, upto: int) -> list[int]:
    found = (_NAME.fullmatch(file.name) for file in shelf.folder.glob(f"{layer}-*.{ending}"))
    numbers = [int(name["revision"]) for name in found if name and name["layer"] == layer]
    return [number for number in numbers if number <= upto]


def damaged(shelf: Shelf) -> list[str]:
    """The names of the archives that lie there and cannot be read."""
    return [file.name for file in sorted(shelf.folder.glob("*.pmtiles")) if _read_or_none(file) is None]


def archive(shelf: Shelf, layer: str, revision: int) -> Archive:
    """The archive of one state.

    Raises:
        NoTiles: there is none.
        TilesBroken: it is damaged.
    """
    return _read(shelf.folder / f"{layer}-{revision}.pmtiles", layer, revision)


def tile(archive: Archive, z: int, x: int, y: int) -> bytes | None:
    """A vector tile, gzipped as it lies in the archive; None where nothing is.

    Raises:
        NoSuchTile: no map has this address, or the archive does not reach to this zoom.
        TilesBroken: the archive is damaged.
    """
    if not (archive.first_zoom <= z <= archive.last_zoom and 0 <= x < 2**z and 0 <= y < 2**z):
        raise NoSuchTile(z=z, x=x, y=y)
    _, index = _indexed(archive.file, archive.layer, archive.revision)
    number = zxy_to_tileid(z, x, y)
    at = bisect_right(index.ids, number) - 1
    if at < 0:
        return None
    offset, length, run = index.places[at]
    if number >= index.ids[at] + run:
        return None
    found = _bytes(archive.file, offset, length, archive.layer)
    try:
        gzip.decompress(found)  # Browsers keep a tile for a year: it must be whole. 0.1 ms.
    except (OSError, EOFError, zlib.error) as error:
        raise TilesBroken(layer=archive.layer) from error
    return found


def _read_or_none(file: Path) -> Archive | None:
    try:
        return _read(file)
    except (NoTiles, TilesBroken):
        return None


def _read(file: Path, layer: str = "", revision: int = 0) -> Archive:
    if found := _NAME.fullmatch(file.name):
        layer, revision = found["layer"], int(found["revision"])
    return _indexed(file, layer, revision)[0]


def _indexed(file: Path, layer: str, revision: int) -> tuple[Archive, _Index]:
    try:
        state = file.stat()
    except OSError as error:
        raise NoTiles(layer=layer, revision=revision) from error
    return _opened(file, layer, revision, state.st_mtime_ns, state.st_size)


# All directories of an archive are read once: pmtiles' own reader reads them again for every tile (6 ms).
@lru_cache(maxsize=32)
def _opened(file: Path, layer: str, revision: int, _written: int, size: int) -> tuple[Archive, _Index]:
    try:
        head = deserialize_header(_bytes(file, 0, _HEADER_BYTES, layer))
        if head["tile_data_offset"] + head["tile_data_length"] > size:
            raise TilesBroken(layer=layer)
        said = gzip.decompress(_bytes(file, head["metadata_offset"], head["metadata_length"], layer))
        about = json.loads(json.loads(said)["description"])
        entries = sorted(_entries(file, head, head["root_offset"], head["root_length"], layer))
        found = Archive(
            layer, revision, about["edition"], about["checksum"], head["min_zoom"], head["max_zoom"], file
        )
    except TilesBroken:
        raise
    except Exception as error:  # A damaged file fails in as many ways as it can be damaged.
        raise TilesBroken(layer=layer) from error
    return found, _Index([entry[0] for entry in entries], [entry[1:] for entry in entries])


def _entries(
    file: Path, head: Mapping[str, Any], offset: int, length: int, layer: str
) -> Iterator[tuple[int, int, int, int]]:
    """(first number, place in the file, bytes, addresses) of every tile under a directory."""
    for entry in deserialize_directory(_bytes(file, offset, length, layer)):
        if entry.run_length:
            yield entry.tile_id, head["tile_data_offset"] + entry.offset, entry.length, entry.run_length
        else:
            leaf = head["leaf_directory_offset"] + entry.offset
            yield from _entries(file, head, leaf, entry.length, layer)


def _bytes(file: Path, offset: int, length: int, layer: str) -> bytes:
    # Opened each time: 20 µs, and no handle to a file that a new build has removed.
    try:
        with file.open("rb", buffering=0) as opened:
            opened.seek(offset, os.SEEK_SET)
            found = opened.read(length)
    except OSError as error:
        raise TilesBroken(layer=layer) from error
    if len(found) != length:
        raise TilesBroken(layer=layer)
    return found


# --- What has changed since an archive was built


@dataclass(frozen=True)
class Changes:
    """`gone` are the keys that an older drawing must hide; `added` stand in their place or are new."""

    gone: tuple[str, ...]
    added: tuple[tuple[Area, str], ...]


def changes(session: Session, layer: Layer, *, since: int, as_of: date, most: int) -> Changes | None:
    """What differs from what was known in an edition, with shapes in degrees; None when more than `most`."""
    table = model.Area
    of_kind = select(table.key).where(table.kind == layer.kind)
    went = or_(table.retired_in > since, table.hidden_in > since)
    gone = of_kind.where(table.edition_id <= since, went)
    new = of_kind.where(table.edition_id > since, model.is_shown(table))
    keys = sorted({*session.scalars(gone.limit(most + 1)), *session.scalars(new.limit(most + 1))})
    if len(keys) > most:
        return None
    # A key may have several states: those that have not changed are hidden with it and drawn anew.
    added = places.outlines(session, layer.kind, as_of=as_of, step="near", keys=keys) if keys else []
    return Changes(tuple(keys), tuple(added))
