"""Keeps homes out: what rows of a layer with a privacy policy may tell of where they are.

Such a layer names under `finest` in instance.yaml the precisions that it may have, each with the side of a
cell in metres. What is too fine is answered in one of two ways:

* **refused**, where the row itself says so: a precision that the layer may not have (a house), a house
  number at the end of its place, a shape smaller than a cell. Then a home stands in the file, and blurring it
  on the map would only hide that; the sentence says how to take it out;
* **coarsened**, with a note, where the row claims to be coarse, but its point may be anything. Of a known
  settlement it becomes the point that the gazetteer publishes; of a street, or where the settlement is not
  known, a point drawn inside its cell. Both depend on nothing but the settlement or the cell: rows, repeats,
  corrections and editions of one home average to nothing finer.

The grid's origin and the points in the cells are drawn with the instance's secret (HMAC-SHA-256), so that
the same input gives the same output for the same secret, and nobody else knows where a cell ends.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any

import shapely

from layers import geo
from layers.catalog import Instance, Layer
from layers.errors import N_, Problem, Sentence
from layers.sources.rows import Checked, Row

STREET = "street"
_HOUSE = re.compile(r"[^\W\d_]{3,}\.?\s+\d{1,4}\s?[a-zA-Z]?(?:[-/]\d{1,4})?\s*(?:,|$)")
_PUT_IN = N_("Put this point into the file, so that no finer one stands anywhere.")
_TO_SETTLEMENT = N_(
    "The point may be finer than the layer “{layer}” may tell; it was moved to the point of its settlement "
    "({lat}, {lon})."
)
_TO_CELL = N_(
    "The point may be finer than the layer “{layer}” may tell; it was moved to a point of its cell of "
    "{cell_m} m ({lat}, {lon})."
)


@dataclass(frozen=True)
class Keeper:
    """What a policy does in an instance. `points` are the metric points of the gazetteer, by code."""

    layer: Layer
    secret: bytes
    points: Mapping[str, shapely.Point]

    def may_have(self, precision: str) -> bool:
        return precision in self.layer.finest

    def coarse(self, point: shapely.Point, *, precision: str, settlement: str) -> shapely.Point:
        """The point that is published instead; `precision` is one that the layer may have."""
        if precision != STREET and settlement in self.points:
            return self.points[settlement]
        cell_m = float(self.layer.finest[precision])
        west_m, south_m = (share * cell_m for share in self._drawn("origin", precision))
        column, row = floor((point.x - west_m) / cell_m), floor((point.y - south_m) / cell_m)
        east, north = self._drawn("cell", precision, str(column), str(row))
        moved = shapely.Point(west_m + (column + east) * cell_m, south_m + (row + north) * cell_m)
        return shapely.set_srid(moved, shapely.get_srid(point))

    def is_too_small(self, shape: shapely.Geometry) -> bool:
        """Whether a shape is smaller than the smallest cell."""
        return bool(shapely.area(shape) < min(self.layer.finest.values()) ** 2)

    def _drawn(self, *about: str) -> tuple[float, float]:
        """Two shares from 0 to 1, always the same for the same words."""
        said = "\n".join((self.layer.key, *about)).encode()
        digest = hmac.new(self.secret, said, hashlib.sha256).digest()
        return int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:16]) / 2**64


def keepers(instance: Instance, gazetteer: Iterable[Row]) -> dict[str, Keeper]:
    """The policies of an instance, by layer; `gazetteer` are the rows of its settlements."""
    points = {row.key: row.values["geom"] for row in gazetteer}
    return {layer.key: Keeper(layer, instance.secret, points) for layer in instance.layers if layer.finest}


def kept(checked: Checked, keeper: Keeper) -> Checked:
    """The rows of a layer as they may be published, with a note for each that was moved."""
    used: list[Row] = []
    problems: list[Problem] = []
    notes: list[Problem] = []
    for row in checked.rows:
        if problem := _refusal(row, keeper):
            problems.append(problem)
            continue
        moved = _moved(row, keeper)
        if moved is not row:
            notes.append(_note(moved, keeper))
        used.append(moved)
    refused = checked.refused
    if refused is not None:
        refused |= {row.key for row in checked.rows} - {row.key for row in used}
    return replace(
        checked,
        rows=tuple(used),
        problems=(*checked.problems, *problems),
        refused=refused,
        notes=(*checked.notes, *notes),
    )


def names_a_house(text: str) -> bool:
    """Whether a place ends in a house number: “Kalda 5”, “Lembitu tänav 12a, Türi”.

    Names are not asked: in “Watch 12” the number is not a house's.
    """
    return bool(_HOUSE.search(text))


def _refusal(row: Row, keeper: Keeper) -> Problem | None:
    values, layer = row.values, keeper.layer.key
    shape = values.get("geom")
    if keeper.layer.of == "areas":
        if shape is not None and keeper.is_too_small(shape):
            what = Sentence(
                "“{key}” is smaller than anything that the layer “{layer}” may show: it may be a home.",
                key=row.key,
                layer=layer,
            )
            return row.problem(what, N_("Draw the settlement or the street, or remove it."))
        return None
    if names_a_house(values["place"]):
        what = Sentence(
            "“{place}” names a house, and the layer “{layer}” may name none.",
            place=values["place"],
            layer=layer,
        )
        return row.problem(what, N_("Name the settlement or the street only."))
    if shape is not None and not keeper.may_have(values["precision"]):
        what = Sentence(
            "The precision “{precision}” is finer than the layer “{layer}” may tell.",
            precision=values["precision"],
            layer=layer,
        )
        remedy = Sentence(
            "Give a point of one of: {precisions}; or leave lat and lon blank.",
            precisions=", ".join(keeper.layer.finest),
        )
        return row.problem(what, remedy)
    return None


def _moved(row: Row, keeper: Keeper) -> Row:
    """The row with the point that may be published; the same row where it has that one."""
    values: Mapping[str, Any] = row.values
    if keeper.layer.of == "areas" or values.get("geom") is None:
        return row
    point = keeper.coarse(
        values["geom"], precision=values["precision"], settlement=values.get("settlement", "")
    )
    if point.equals_exact(values["geom"], tolerance=1e-6):
        return row
    return replace(row, values={**values, "geom": point})


def _note(row: Row, keeper: Keeper) -> Problem:
    """Tells of a row that was moved where it is now."""
    values = row.values
    is_known = values["precision"] != STREET and values.get("settlement", "") in keeper.points
    cell_m = keeper.layer.finest[values["precision"]]
    what = _TO_SETTLEMENT if is_known else _TO_CELL
    point = values["geom"]
    place = geo.place_of(point.x, point.y, srid=shapely.get_srid(point))
    at = {"lat": place.lat, "lon": place.lon, "cell_m": f"{cell_m:g}"}
    return row.problem(Sentence(what, layer=keeper.layer.key, **at), _PUT_IN)
