"""CSV tables → rows: organisations, the gazetteer, facts about areas."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely

from layers import geo
from layers.catalog import Instance
from layers.errors import LayersError, Problem
from layers.geo import Place
from layers.sources import rows as check
from layers.sources.rows import Check, Checked, Row, Unusable

Line = tuple[int, dict[str, str]]


def bodies(file: Path, *, layer: str, instance: Instance) -> Checked:
    """Organisations of one layer: data/README.md names the columns."""
    codes = instance.codes
    columns: dict[str, Check] = {
        "key": check.slug,
        "name": check.some_text,
        "form": check.one_of(codes.get("forms", {})),
        "capabilities": check.some_of(codes.get("capabilities", {})),
        "readiness": check.one_of(codes.get("readiness", {}), blank=True),
        "place": check.text,
        "settlement": check.text,
        "municipality": check.text,
        "county": check.text,
        "precision": check.one_of(codes.get("precision", {}), blank=True),
        "serves": check.area_keys,
        "valid_from": check.partial_date,
        "valid_to": check.partial_date,
        "as_of": check.partial_date,
        "as_of_inferred": check.yes,
        "source": check.some_text,
        "source_url": check.web_address,
        "lat": check.decimal,
        "lon": check.decimal,
    }
    optional = {f"{word}_{language}" for word in ("name", "note") for language in instance.languages}
    return _read(file, columns, optional, lambda raw: _body(raw, layer=layer, instance=instance))


def _body(raw: dict[str, Any], *, layer: str, instance: Instance) -> dict[str, Any]:
    names = {language: raw.pop(f"name_{language}", "") for language in instance.languages}
    notes = {language: raw.pop(f"note_{language}", "") for language in instance.languages}
    return {
        **_with_shape(raw, instance),
        "layer": layer,
        "names": {language: name for language, name in names.items() if name},
        "notes": {language: note for language, note in notes.items() if note},
        "serves": [{"area": area} for area in raw.pop("serves")],
    }


def settlements(file: Path, *, instance: Instance) -> Checked:
    """The gazetteer: code, name, municipality, county, lat, lon, population, population_as_of, source."""
    columns: dict[str, Check] = {
        "code": check.some_text,
        "name": check.some_text,
        "municipality": check.some_text,
        "county": check.some_text,
        "lat": check.decimal,
        "lon": check.decimal,
        "population": check.whole_number,
        "population_as_of": check.partial_date,
        "source": check.some_text,
    }
    return _read(file, columns, set(), lambda raw: _settlement(raw, instance))


def _settlement(raw: dict[str, Any], instance: Instance) -> dict[str, Any]:
    raw["key"] = raw.pop("code")
    if raw["lat"] is None:
        raise Unusable("lat is blank.", "A settlement of the gazetteer needs a point.")
    return _with_shape(raw, instance)


def facts(file: Path) -> dict[str, dict[str, str]]:
    """Facts about areas by their code, as text: population, area and what else the table has."""
    return {line["code"]: line for _, line in _lines(file)}


def _with_shape(raw: dict[str, Any], instance: Instance) -> dict[str, Any]:
    lon, lat = raw.pop("lon"), raw.pop("lat")
    if (lon is None) != (lat is None):
        raise Unusable("Only one of lat and lon is given.", "Give both, or leave both blank.")
    if lon is not None and raw.get("precision") == "":
        raise Unusable("The point has no precision.", "Say how exact it is in the column precision.")
    raw["geom"] = None if lon is None else _point(lon, lat, instance)
    return raw


def _point(lon: float, lat: float, instance: Instance) -> shapely.Point:
    west, south, east, north = instance.bounds
    try:
        place = Place(lon=lon, lat=lat)
    except LayersError as error:
        raise Unusable(str(error), "Give degrees of WGS 84: lat 58.37, lon 26.73.") from error
    if not (west - 2 <= lon <= east + 2 and south - 2 <= lat <= north + 2):
        swapped = west <= lat <= east and south <= lon <= north
        remedy = "Swap lat and lon." if swapped else "Check the numbers, or the bounds in instance.yaml."
        raise Unusable(f"The point {lat}, {lon} lies outside the territory.", remedy)
    return geo.metric_point(place, srid=instance.metric_crs)


def _read(file: Path, columns: Mapping[str, Check], optional: set[str], shape: Any) -> Checked:
    name = f"{file.parent.name}/{file.name}"
    try:
        lines = list(_lines(file))
    except (UnicodeDecodeError, csv.Error) as error:
        what = f"The file cannot be read as a table: {error}."
        return Checked((), (Problem(name, 0, what, "Save it as CSV in UTF-8."),))
    if missing := sorted(set(columns) - set(lines[0][1] if lines else columns)):
        what = f"The columns {', '.join(missing)} are missing."
        return Checked((), (Problem(name, 1, what, "Add them: data/README.md lists them."),))
    used, problems = [], []
    for number, line in lines:
        row, wrong = _row(line, columns, optional, shape, number=number, file=name)
        problems += wrong
        used += [row] if row else []
    return Checked(tuple(used), (*problems, *_repeated(used)))


def _lines(file: Path) -> Iterator[Line]:
    # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        for line in reader:
            yield (
                reader.line_num,
                {(key or "…"): _cell(value) for key, value in line.items() if value is not None},
            )


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else value.strip()


def _row(
    line: Mapping[str, str],
    columns: Mapping[str, Check],
    optional: Iterable[str],
    shape: Any,
    *,
    number: int,
    file: str,
) -> tuple[Row | None, list[Problem]]:
    if "…" in line:
        what = "The row has more cells than the header."
        return None, [Problem(file, number, what, "Put a text with commas between quotation marks.")]
    values: dict[str, Any] = {}
    problems = []
    for column, test in (*columns.items(), *((name, check.text) for name in optional)):
        try:
            values[column] = test(line.get(column, ""))
        except Unusable as error:
            problems.append(Problem(file, number, f"Column {column}: {error.what}", error.remedy))
    if problems:
        return None, problems
    try:
        shaped = shape(values)
    except Unusable as error:
        return None, [Problem(file, number, error.what, error.remedy)]
    links = {name: shaped.pop(name) for name in ("serves",) if name in shaped}
    return Row(key=shaped.pop("key"), line=number, file=file, values=shaped, links=links), []


def _repeated(rows: Iterable[Row]) -> list[Problem]:
    first: dict[tuple[str, str], int] = {}
    found = []
    for row in rows:
        before = first.setdefault((row.key, row.valid_from), row.line)
        if before != row.line:
            what = f"The key “{row.key}” stands in line {before} already."
            found.append(row.problem(what, "Give one of them another key, or another valid_from."))
    return found
