"""A line about an area → its row, with a shape that is whole."""

from typing import Any

import shapely

from layers import dates
from layers.catalog import Instance, Resource
from layers.doctor import values
from layers.doctor.fields import FACT, Target
from layers.doctor.lines import Bad, Line
from layers.errors import N_, Sentence
from layers.geo import Shapes
from layers.sources import areas
from layers.sources.rows import Row, Unusable

ACCURACIES = ("approximate", "official")
_LOST = 0.01
"""How much of an area a repair of its shape may lose or gain."""


class Areas:
    """Makes rows of areas. Of a file that tells all (`fields.tells_all`) nothing is filled in."""

    def __init__(
        self, target: Target, resource: Resource, instance: Instance, *, is_whole: bool = False
    ) -> None:
        self.is_whole = is_whole
        self.target, self.resource, self.instance = target, resource, instance

    def row(self, line: Line, file: str) -> Row:
        cells = {**line.cells}
        for key in ("valid_from", "valid_to", "as_of"):
            # A day on which programs write that none is known may still be one, where blanks say so.
            if key in cells and not (self.is_whole and dates.is_partial(cells[key])):
                read = values.day(cells[key])
                line.told += [read.told] if read.told else []
                cells[key] = read.text
        name = cells.pop("name", "")
        if name and not self.is_whole:
            cells.setdefault(f"name_{self.instance.default_language}", name)
        code = values.key_of([cells.get("code", "") or name])
        if cells.get("code") and (self.is_whole or _is_code(cells["code"])):
            code = cells["code"]
        if not code:
            raise Bad(N_("It has neither a code nor a name."), N_("Name the column that holds the codes."))
        facts = {key.removeprefix(FACT): cells.pop(key) for key in sorted(cells) if key.startswith(FACT)}
        record = {**cells, "kind": self.target.kind, "code": code}
        record.setdefault("accuracy", ACCURACIES[0])
        if record["accuracy"] not in ACCURACIES:
            what = Sentence("“{value}” is no accuracy.", value=record["accuracy"])
            raise Bad(what, Sentence("Use one of: {codes}.", codes=", ".join(ACCURACIES)))
        try:
            return areas.row(
                record,
                _whole(line, srid=self.instance.metric_crs),
                self.resource,
                self.instance,
                facts={(code, cells.get("valid_from", "")): facts},
                dated=not self.is_whole,
                file=file,
                line=line.number,
            )
        except Unusable as error:
            raise Bad(error.what, error.remedy) from error


def _is_code(text: str) -> bool:
    return text.replace("-", "").replace("_", "").isalnum()


def _whole(line: Line, *, srid: int) -> Any:
    """A line's shape as a valid multipolygon; a repair is told, and refused where it changes the area."""
    shape = line.shape
    if shape is None:
        raise Bad(N_("It has no shape."), N_("Draw it, or remove the feature."))
    if not shapely.is_valid(shape):
        reason = shapely.is_valid_reason(shape).split("[")[0]
        before = shapely.area(shapely.convex_hull(shape))
        mended = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        size, half = shapely.area(mended), shapely.area(shapely.make_valid(shape))
        if not before or not size or abs(size - half) > _LOST * max(size, half):
            what = Sentence("Its shape is broken: {reason}.", reason=reason)
            raise Bad(what, N_("Repair it in a GIS, for example with “fix geometries”."))
        line.told.append(Sentence("Its shape was repaired: {reason}.", reason=reason))
        shape = mended
    parts: Shapes = shapely.get_parts(shape)
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    if not polygons:
        raise Bad(
            Sentence("It is a {shape}, not a polygon.", shape=shape.geom_type), N_("Areas are polygons.")
        )
    if len(polygons) < len(parts):
        line.told.append(Sentence("Points and lines beside its polygons were left out."))
    return shapely.set_srid(shapely.multipolygons(polygons), srid)
