"""Polygons → rows. The only room that knows geopandas."""

from collections.abc import Iterator, Mapping
from typing import Any

import shapely

from layers.catalog import Instance, Resource, said
from layers.errors import Problem
from layers.sources import rows as check
from layers.sources.rows import Checked, Row, Unusable

Facts = Mapping[tuple[str, str], Mapping[str, str]]
"""By code and beginning."""
_NEEDED = ("kind", "code", "accuracy")


def read(resource: Resource, *, instance: Instance, facts: Facts) -> Checked:
    """Areas of a file that GDAL reads, moved to the instance's metric system; `facts` by code go along."""
    import geopandas  # Half a second, and only an import needs it.

    name = check.named(resource.path, instance)
    try:
        frame = geopandas.read_file(resource.path)
    except Exception as error:  # GDAL raises many kinds for a damaged file.
        what = f"The file cannot be read as a map layer: {error}."
        return check.unreadable(name, 0, what, "Save it as GeoJSON (RFC 7946).")
    if frame.crs is None:
        what = "The file does not say its coordinate system."
        return check.unreadable(name, 0, what, "Save it with one, or as GeoJSON in WGS 84.")
    if missing := [column for column in _NEEDED if column not in frame]:
        what = f"The properties {', '.join(missing)} are missing."
        return check.unreadable(name, 0, what, "Add them: data/README.md lists them.")
    return _checked(frame, name, resource, instance, facts)


def _checked(frame: Any, name: str, resource: Resource, instance: Instance, facts: Facts) -> Checked:
    shapes = frame.to_crs(instance.metric_crs).geometry
    used: list[Row] = []
    problems: list[Problem] = []
    refused: set[str] = set()
    for number, (record, shape) in enumerate(zip(_records(frame), shapes, strict=True), start=1):
        try:
            _require_polygon(shape)
            values = _values(record, shape, resource, instance, facts)
            used.append(Row(key=_key(record), line=0, file=name, values=values))
        except Unusable as error:
            what = f"Feature {number}, {record['code']}: {error.what}"
            problems.append(Problem(name, 0, what, error.remedy))
            refused.add(_key(record))
    return Checked(tuple(used), (*problems, *check.repeated(used)), frozenset(refused))


def _key(record: Mapping[str, Any]) -> str:
    return f"{record['kind']}:{record['code']}"


def _records(frame: Any) -> Iterator[dict[str, Any]]:
    table = frame.drop(columns=frame.geometry.name)
    yield from table.astype(object).where(table.notna(), "").to_dict("records")


def _require_polygon(shape: Any) -> None:
    remedy = "Repair it in a GIS, for example with “fix geometries”."
    if shape is None or shape.is_empty:
        raise Unusable("It has no shape.", "Draw it, or remove the feature.")
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise Unusable(f"It is a {shape.geom_type}, not a polygon.", "Areas are polygons.")
    if not shape.is_valid:
        raise Unusable(f"{shapely.is_valid_reason(shape)}.", remedy)


def _values(
    record: Mapping[str, Any], shape: Any, resource: Resource, instance: Instance, facts: Facts
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
        "as_of": _day(record, "as_of") or resource.as_of,
        "source": record.get("source") or said(resource.source, instance.default_language, "en"),
        "source_url": resource.source_url,
        "facts": {name: value for name, value in more.items() if value},
        "geom": shapely.set_srid(shapely.multipolygons([*shapely.get_parts(shape)]), instance.metric_crs),
    }
    check.period(values["valid_from"], values["valid_to"])
    return values


def _day(record: Mapping[str, Any], name: str) -> str:
    """A partial date of a feature; GDAL makes a time of a whole date: 2018-09-01 00:00:00."""
    return str(check.partial_date(str(record.get(name) or "")[:10]))
