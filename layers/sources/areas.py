"""Polygons → rows. The only room that knows geopandas."""

from collections.abc import Iterator, Mapping
from typing import Any

import shapely

from layers.catalog import Instance, Resource, said
from layers.errors import Problem
from layers.sources.rows import Checked, Row

_NEEDED = ("kind", "code", "accuracy")


def read(resource: Resource, *, instance: Instance, facts: Mapping[str, Mapping[str, str]]) -> Checked:
    """Areas of a file that GDAL reads, moved to the instance's metric system; `facts` by code go along."""
    import geopandas  # Half a second, and only an import needs it.

    name = f"{resource.path.parent.name}/{resource.path.name}"
    try:
        frame = geopandas.read_file(resource.path)
    except Exception as error:
        what = f"The file cannot be read as a map layer: {error}."
        return Checked((), (Problem(name, 0, what, "Save it as GeoJSON (RFC 7946)."),))
    if frame.crs is None:
        what = "The file does not say its coordinate system."
        return Checked((), (Problem(name, 0, what, "Save it with one, or as GeoJSON in WGS 84."),))
    if missing := [column for column in _NEEDED if column not in frame]:
        what = f"The properties {', '.join(missing)} are missing."
        return Checked((), (Problem(name, 0, what, "Add them: data/README.md lists them."),))
    shapes = frame.to_crs(instance.metric_crs).geometry
    rows, problems = [], []
    for number, (record, shape) in enumerate(zip(_records(frame), shapes, strict=True), start=1):
        wrong = _wrong(shape)
        if wrong:
            remedy = "Repair it in a GIS, for example with “fix geometries”."
            problems.append(Problem(name, 0, f"Feature {number}, {record.get('code')}: {wrong}.", remedy))
            continue
        rows.append(_row(record, shape, resource, instance, facts, number=number, file=name))
    return Checked(tuple(rows), tuple(problems))


def _records(frame: Any) -> Iterator[dict[str, Any]]:
    table = frame.drop(columns=frame.geometry.name)
    yield from table.astype(object).where(table.notna(), "").to_dict("records")


def _wrong(shape: Any) -> str:
    if shape is None or shape.is_empty:
        return "it has no shape"
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        return f"it is a {shape.geom_type}, not a polygon"
    return "" if shape.is_valid else shapely.is_valid_reason(shape)


def _row(
    record: Mapping[str, Any],
    shape: Any,
    resource: Resource,
    instance: Instance,
    facts: Mapping[str, Mapping[str, str]],
    *,
    number: int,
    file: str,
) -> Row:
    more = dict(facts.get(str(record["code"]), {}))
    names = {language: record.get(f"name_{language}", "") for language in instance.languages}
    values = {
        "kind": record["kind"],
        "code": str(record["code"]),
        "names": {language: name for language, name in names.items() if name},
        "parent": record.get("parent", ""),
        "accuracy": record["accuracy"],
        "valid_from": more.pop("valid_from", ""),
        "valid_to": more.pop("valid_to", ""),
        "as_of": str(record.get("as_of") or resource.as_of),
        "source": record.get("source") or said(resource.source, instance.default_language, "en"),
        "source_url": resource.source_url,
        "facts": {name: value for name, value in more.items() if value and name != "code"},
        "geom": shapely.set_srid(shapely.multipolygons([*shapely.get_parts(shape)]), instance.metric_crs),
    }
    return Row(key=f"{record['kind']}:{record['code']}", line=number, file=file, values=values)
