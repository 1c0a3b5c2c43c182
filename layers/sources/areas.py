"""Polygons → rows. The only room that knows GDAL.

It reads columns with pyogrio and no table of geopandas: a million areas in a third of the time and memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import shapely

from layers import geo
from layers.catalog import Instance, Resource, said
from layers.errors import N_, Problem, Sentence
from layers.geo import Shapes
from layers.sources import rows as check
from layers.sources.rows import Checked, Row, Unusable

Facts = Mapping[tuple[str, str], Mapping[str, str]]
"""By code and beginning."""
_NEEDED = ("kind", "code", "accuracy")
_POLYGONS = (3, 6)  # Polygon and MultiPolygon, as shapely numbers them.


def read(resource: Resource, *, instance: Instance, facts: Facts) -> Checked:
    """Areas of a file that GDAL reads, moved to the instance's metric system; `facts` by code go along."""
    import pyogrio  # A fifth of a second, and only an import needs it.

    name = check.named(resource.path, instance)
    try:
        about, _, wkbs, columns = pyogrio.raw.read(resource.path)
    except Exception as error:  # GDAL raises many kinds for a damaged file.
        what = f"The file cannot be read as a map layer: {error}."
        return check.unreadable(name, 0, what, "Save it as GeoJSON (RFC 7946).")
    if not about["crs"]:
        what = "The file does not say its coordinate system."
        return check.unreadable(name, 0, what, "Save it with one, or as GeoJSON in WGS 84.")
    table = dict(zip(about["fields"], columns, strict=True))
    if missing := [column for column in _NEEDED if column not in table]:
        what = f"The properties {', '.join(missing)} are missing."
        return check.unreadable(name, 0, what, "Add them: data/README.md lists them.")
    shapes = geo.moved(shapely.from_wkb(wkbs), source=about["crs"], target=instance.metric_crs)
    del wkbs, columns  # Of a million areas these are hundreds of megabytes.
    return _checked(table, shapes, name, resource, instance, facts)


def _checked(
    table: Mapping[str, Any],
    shapes: Shapes,
    name: str,
    resource: Resource,
    instance: Instance,
    facts: Facts,
) -> Checked:
    used: list[Row] = []
    problems: list[Problem] = []
    refused: set[str] = set()
    usable = shapely.is_valid(shapes) & np.isin(shapely.get_type_id(shapes), _POLYGONS)
    usable &= ~shapely.is_empty(shapes)
    whole = _multipolygons(shapes, usable, srid=instance.metric_crs)
    for number, (record, shape) in enumerate(zip(_records(table), whole, strict=True), start=1):
        try:
            if shape is None:
                _refuse(shapes[number - 1])
            used.append(row(record, shape, resource, instance, facts=facts, file=name))
        except Unusable as error:
            what = f"Feature {number}, {record['code']}: {error.what}"
            problems.append(Problem(name, 0, what, error.remedy))
            refused.add(_key(record))
    return Checked(tuple(used), (*problems, *check.repeated(used)), frozenset(refused))


def row(
    record: Mapping[str, Any],
    shape: shapely.MultiPolygon,
    resource: Resource,
    instance: Instance,
    *,
    facts: Facts,
    file: str,
    line: int = 0,
    dated: bool = True,
) -> Row:
    """The row of an area, `shape` in the instance's metric system.

    Where it has no date or address of its own, those of its resource hold, unless it is not `dated` so.

    Raises:
        Unusable: a date is none, or it ends before it begins.
    """
    values = _values(record, shape, resource, instance, facts, dated=dated)
    return Row(key=_key(record), line=line, file=file, values=values)


def _multipolygons(shapes: Shapes, usable: Any, *, srid: int) -> Shapes:
    """The usable shapes as multipolygons that carry the system's number; None for the others."""
    found: Shapes = np.full(len(shapes), None, dtype=object)
    if usable.any():
        parts, owner = shapely.get_parts(shapes[usable], return_index=True)
        found[usable] = shapely.set_srid(shapely.multipolygons(parts, indices=owner), srid)
    return found


def _key(record: Mapping[str, Any]) -> str:
    return f"{record['kind']}:{record['code']}"


def _records(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the table, blank where a value is missing; what is said a million times is kept once."""
    for row in zip(*(_cells(column) for column in table.values()), strict=True):
        yield dict(zip(table, row, strict=True))


def _cells(column: Any) -> Iterator[Any]:
    kept: dict[Any, Any] = {}
    for value in np.where(_is_missing(column), "", column.astype(object)):
        yield kept.setdefault(value, value)


def _is_missing(column: Any) -> Any:
    return column != column if column.dtype.kind in "fmM" else column == None  # noqa: E711 (numpy compares)


def _refuse(shape: Any) -> None:
    remedy = N_("Repair it in a GIS, for example with “fix geometries”.")
    if shape is None or shape.is_empty:
        raise Unusable(N_("It has no shape."), N_("Draw it, or remove the feature."))
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        what = Sentence("It is a {shape}, not a polygon.", shape=shape.geom_type)
        raise Unusable(what, N_("Areas are polygons."))
    raise Unusable(f"{shapely.is_valid_reason(shape)}.", remedy)


def _values(
    record: Mapping[str, Any],
    shape: Any,
    resource: Resource,
    instance: Instance,
    facts: Facts,
    *,
    dated: bool,
) -> dict[str, Any]:
    start = _day(record, "valid_from")
    more = dict(facts.get((str(record["code"]), start), {}))
    more.pop("valid_from", None)
    names = {language: record.get(f"name_{language}", "") for language in instance.languages}
    values = {
        "kind": record["kind"],
        "code": str(record["code"]),
        "names": {language: name for language, name in names.items() if name},
        "parent": record.get("parent", ""),
        "accuracy": record["accuracy"],
        "valid_from": start,
        "valid_to": more.pop("valid_to", "") or _day(record, "valid_to"),
        "as_of": _day(record, "as_of") or (resource.as_of if dated else ""),
        "source": record.get("source") or said(resource.source, instance.default_language, "en"),
        "source_url": record.get("source_url") or (resource.source_url if dated else ""),
        "facts": {name: value for name, value in more.items() if value},
        "geom": shape,
    }
    check.period(values["valid_from"], values["valid_to"])
    return values


def _day(record: Mapping[str, Any], name: str) -> str:
    """A partial date of a feature; GDAL makes a time of a whole date: 2018-09-01 00:00:00."""
    return str(check.partial_date(str(record.get(name) or "")[:10]))
