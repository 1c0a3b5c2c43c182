"""What the readers hand on, and the checks that a value must pass."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers import dates, geo
from layers.catalog import Instance
from layers.errors import N_, BadDate, LayersError, Problem, Sentence
from layers.geo import Place

Check = Callable[[str], Any]
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CONTACT = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.\w+|\+\d{2,3}[ \d-]{6,}|\btel\b", re.IGNORECASE)


class Unusable(ValueError):
    """A value that fails its check: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what} {remedy}")


def _of(error: LayersError) -> Sentence:
    return Sentence(error.text, **error.values)


@dataclass(frozen=True, slots=True)
class Link:
    """A link in a text to a case, practice or organisation (`kind`), and where it stands."""

    file: str
    line: int
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Row:
    """One fact ready for its table.

    `values` are columns of the table, `links` are rows of the tables that hang on it (relationship name ->
    columns of each). `mentions` are the links inside its texts.
    """

    key: str
    line: int
    file: str
    values: Mapping[str, Any]
    links: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    mentions: Sequence[Link] = ()

    @property
    def valid_from(self) -> str:
        return str(self.values.get("valid_from", ""))

    def problem(self, what: str, remedy: str) -> Problem:
        return Problem(self.file, self.line, what, remedy)


def digests(rows: Sequence[Row]) -> list[str]:
    """A checksum of all that each row says, so that unchanged rows are recognised."""
    shapes = shapely.to_wkb(np.array([row.values.get("geom") for row in rows], dtype=object), hex=True)
    return [_digest(row, shape) for row, shape in zip(rows, shapes, strict=True)]


def _digest(row: Row, shape: str | None) -> str:
    values = {**row.values, "geom": shape} if "geom" in row.values else row.values
    said = json.dumps([values, row.links], default=dict, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True)
class Checked:
    """The rows of one file that can be used, what is wrong with the others, and the keys of those.

    `refused` is None when the file could not be read at all, so that nobody knows which keys it has. `notes`
    tell what was done to rows that are used. `held` are rows that may not be shown yet: their links are
    followed, and they are not loaded.
    """

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    refused: frozenset[str] | None = frozenset()
    notes: tuple[Problem, ...] = ()
    held: tuple[Row, ...] = ()


def unreadable(file: str, row: int, what: str, remedy: str) -> Checked:
    """A file of which nothing can be used."""
    return Checked((), (Problem(file, row, what, remedy),), refused=None)


def named(path: Path, instance: Instance) -> str:
    """How a file is called to its steward: its path inside the instance."""
    return path.relative_to(instance.folder).as_posix()


def repeated(rows: Iterable[Row]) -> list[Problem]:
    """A key may come back only with another beginning."""
    first: dict[tuple[str, str], Row] = {}
    found = []
    for row in rows:
        before = first.setdefault((row.key, row.valid_from), row)
        if before is not row:
            told = N_("The key “{key}” stands there twice.")
            if before.line:
                told = N_("The key “{key}” stands in line {line} already.")
            remedy = N_("Give one of them another key, or another valid_from.")
            found.append(row.problem(Sentence(told, key=row.key, line=before.line), remedy))
    return found


def placed(raw: dict[str, Any], instance: Instance) -> dict[str, Any]:
    """The same values with a metric point `geom` instead of `lat` and `lon`; None when both are blank."""
    lon, lat = raw.pop("lon"), raw.pop("lat")
    if (lon is None) != (lat is None):
        raise Unusable(N_("Only one of lat and lon is given."), N_("Give both, or leave both blank."))
    if lon is not None and raw.get("precision") == "":
        raise Unusable(N_("The point has no precision."), N_("Say how exact it is: precision."))
    return {**raw, "geom": None if lon is None else _point(lon, lat, instance)}


def _point(lon: float, lat: float, instance: Instance) -> shapely.Point:
    west, south, east, north = instance.bounds
    try:
        place = Place(lon=lon, lat=lat)
    except LayersError as error:
        raise Unusable(_of(error), N_("Give degrees of WGS 84: lat 58.37, lon 26.73.")) from error
    if not (west - 2 <= lon <= east + 2 and south - 2 <= lat <= north + 2):
        swapped = west <= lat <= east and south <= lon <= north
        remedy = (
            N_("Swap lat and lon.") if swapped else N_("Check the numbers, or the bounds in instance.yaml.")
        )
        raise Unusable(
            Sentence("The point {lat}, {lon} lies outside the territory.", lat=lat, lon=lon), remedy
        )
    return geo.metric_point(place, srid=instance.metric_crs)


def metric_point(east: float, north: float, instance: Instance) -> shapely.Point:
    """A point in the instance's metric system, which must lie in its territory."""
    try:
        place = geo.place_of(east, north, srid=instance.metric_crs)
    except LayersError as error:
        remedy = Sentence("Give metres of EPSG:{srid}.", srid=instance.metric_crs)
        raise Unusable(_of(error), remedy) from error
    _point(place.lon, place.lat, instance)
    point: shapely.Point = shapely.set_srid(shapely.Point(east, north), instance.metric_crs)
    return point


def period(start: str, end: str) -> None:
    """An end comes after its beginning; 2019-01 may end what began on 2019-01-29."""
    if start and end and end < start[: len(end)]:
        what = Sentence("It ends ({end}) before it begins ({start}).", end=end, start=start)
        raise Unusable(what, N_("Correct one of the dates."))


def once(values: Sequence[str]) -> Sequence[str]:
    """A list in which nothing stands twice."""
    for value in values:
        if values.count(value) > 1:
            raise Unusable(Sentence("“{value}” stands there twice.", value=value), N_("Name it once."))
    return values


def text(value: str) -> str:
    """Any text without a private contact in it."""
    if _CONTACT.search(value):
        what = N_("There is a private contact in the text.")
        raise Unusable(what, N_("Take it out: no contact is published."))
    return value


def some_text(value: str) -> str:
    if not value:
        raise Unusable(N_("It is empty."), N_("Fill it in."))
    return text(value)


def slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        what = Sentence("“{value}” is no key.", value=value)
        raise Unusable(what, N_("Use small letters a–z, digits and single hyphens."))
    return value


def partial_date(value: str) -> str:
    try:
        return dates.partial(value) if value else ""
    except BadDate as error:
        remedy = N_("Write the date so, or leave it blank when it is not known.")
        raise Unusable(_of(error), remedy) from error


def day_or_time(value: str) -> str:
    try:
        return dates.day_or_time(value) if value else ""
    except BadDate as error:
        remedy = N_("A time is written with its distance to UTC: 2016-09-21T16:00+03:00.")
        raise Unusable(_of(error), remedy) from error


def yes(value: str) -> bool:
    if value not in ("", "yes"):
        what = Sentence("“{value}” is neither “yes” nor blank.", value=value)
        raise Unusable(what, N_("Write “yes” or leave it blank."))
    return value == "yes"


def web_address(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        what = Sentence("“{value}” is no web address.", value=value)
        raise Unusable(what, N_("Begin with https:// or leave it blank."))
    return value


def whole_number(value: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        what = Sentence("“{value}” is no whole number.", value=value)
        raise Unusable(what, N_("Write digits only, or leave it blank."))
    return int(value)


def decimal(value: str) -> float | None:
    if not value:
        return None
    try:
        return float(value)
    except ValueError as error:
        remedy = N_("Write a decimal point, for example 58.3701, or leave it blank.")
        raise Unusable(Sentence("“{value}” is no number.", value=value), remedy) from error


def one_of(codes: Mapping[str, Any], *, blank: bool = False) -> Check:
    """A check that a value is a code of the instance."""

    def check(value: str) -> str:
        if not value and blank:
            return value
        if value not in codes:
            what = Sentence("“{value}” is not a known code.", value=value)
            raise Unusable(what, Sentence("Use one of: {codes}.", codes=", ".join(codes)))
        return value

    return check


def some_of(codes: Mapping[str, Any]) -> Check:
    """A check that a value is a list of codes, separated by semicolons."""
    known = one_of(codes)
    return lambda value: [known(part.strip()) for part in value.split(";") if part.strip()]


def several(test: Check) -> Check:
    """A check of each part of a list that is separated by semicolons."""
    return lambda value: [*once([test(part.strip()) for part in value.split(";") if part.strip()])]


def area_keys(value: str) -> list[str]:
    """`kind:code`, separated by semicolons."""
    found = [part.strip() for part in value.split(";") if part.strip()]
    for part in found:
        if not re.fullmatch(r"[a-z_]+:[\w-]+", part):
            what = Sentence("“{value}” is no area.", value=part)
            raise Unusable(what, N_("Write kind:code, for example county:0037."))
    return [*once(found)]
