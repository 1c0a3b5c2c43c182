"""What lies between the areas of a kind, in facts: what the page of seams, its map and its files tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely

from layers import dates, geo, memory, places
from layers.catalog import Layer
from layers.errors import N_, Invalid, LayersError
from layers.gaps import borders, land, seams
from layers.gaps.borders import Shared, Strangers
from layers.gaps.demand import Demand, NobodyToCount
from layers.gaps.seams import Change, Piece, Seams
from layers.geo import Place
from layers.places import Area, Settlement
from webmap import db, params, replies
from webmap.db import House, Revisions
from webmap.planning import zoned
from webmap.planning.frame import NoAreaLayer

SLIVER_M, WIDEST_M = 5, 1000
_MOST_AREAS, _MOST_TO_MEET = 25_000, 400
_OUTLINES = ("land", "country")


class TooManyAreas(Invalid):
    text = N_("There are too many areas of this kind to look between them here: {count}, at most {most}.")


class NoSliver(Invalid):
    text = N_("“{name}” is a width in whole metres from 0 to {most}; “{value}” is not.")


@dataclass(frozen=True)
class Question:
    """The kind of area, a second kind for shared ground ("" for none), and the width of a sliver."""

    kind: str
    beside: str
    sliver_m: int
    as_of: date

    def arguments(self) -> dict[str, str]:
        found = {"areas": self.kind, "sliver": str(self.sliver_m)}
        return {**found, **({"beside": self.beside} if self.beside else {})}


@dataclass(frozen=True)
class Where:
    """The settlement nearest to a piece, and the piece's place."""

    place: Place
    name: str
    municipality: str


@dataclass(frozen=True, eq=False)
class Found:
    """The answer in facts, without words. `refused` says why there are no pieces.

    `uncovered` is then still what lies in no area. `people` is None where nobody's place is known.
    `strangers` is None where there are too many areas to look at each pair.
    """

    areas: Mapping[str, Area]
    has_outline: bool
    people: Demand | None
    seams: Seams | None
    refused: LayersError | None
    uncovered: land.Uncovered | None
    where: tuple[Where, ...]
    changes: tuple[Change, ...]
    shared: tuple[Shared, ...]
    strangers: tuple[Strangers, ...] | None

    @property
    def is_approximate(self) -> bool:
        return any(area.accuracy == "approximate" for area in self.areas.values())


# --- The question and its answer


def kinds() -> dict[str, Layer]:
    """The kinds of area that the instance shows, each with its layer."""
    return {layer.kind: layer for layer in db.instance().layers_of("areas")}


def question() -> Question:
    """What the query string asks.

    Raises:
        NotOneOf, NoSliver: it cannot be asked.
    """
    args = params.arguments()
    if not kinds():
        raise NoAreaLayer
    kind = params.one_of(args, "areas", kinds()) or next(iter(kinds()))
    beside = params.one_of(args, "beside", kinds())
    text = args.get("sliver", "").strip() or str(SLIVER_M)
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= WIDEST_M):
        raise NoSliver(name="sliver", most=WIDEST_M, value=text)
    return Question(kind, "" if beside == kind else beside, int(text), params.as_of(args))


@memory.kept(16)
def answer(_house: House, _revisions: Revisions, asked: Question) -> Found:
    """Everything that the page tells. The arguments are all that it depends on."""
    areas, shapes = _asked_areas(asked)
    keys = [area.key for area in areas]
    outer = _outer(asked.as_of)
    people = _people(asked.as_of)
    found: Seams | None = None
    refused: LayersError | None = None
    try:
        found = seams.find(
            keys, shapes, outer=outer, sliver_m=asked.sliver_m, demand=people, runner=db.house().runner
        )
        common = _shared(asked, keys, shapes, people)
        # A drawing without a fault needs no mending, and looking for one takes as long as all the rest.
        changes = seams.mended(keys, shapes, sliver_m=asked.sliver_m) if found.pieces else ()
    except (seams.TooTangled, land.BadShapes, land.NoOuter) as error:
        refused, common, changes = error, (), ()
    return Found(
        areas={area.key: area for area in areas},
        has_outline=outer is not None,
        people=people,
        seams=found,
        refused=refused,
        uncovered=_uncovered(outer, shapes, people) if isinstance(refused, seams.TooTangled) else None,
        where=_where(found.pieces if found else (), asked.as_of),
        changes=changes,
        shared=common,
        strangers=borders.strangers(replies.known(), asked.kind, as_of=asked.as_of)
        if len(areas) <= _MOST_TO_MEET
        else None,
    )


@memory.kept(16)
def uncovered(_house: House, _revisions: Revisions, asked: Question) -> land.Uncovered | None:
    """Land and people in no area of the kind; None where nobody knows the land or where people live.

    Raises:
        TooManyAreas, BadShapes: it cannot be told.
    """
    shapes = _asked_areas(asked)[1]
    return _uncovered(_outer(asked.as_of), shapes, _people(asked.as_of))


def _asked_areas(asked: Question) -> tuple[list[Area], geo.Shapes]:
    count = places.area_count(db.session(), asked.kind, as_of=asked.as_of)
    if count > _MOST_AREAS:
        raise TooManyAreas(count=count, most=_MOST_AREAS)
    return _areas((asked.kind,), asked.as_of)


def _outer(as_of: date) -> Any:
    outlines = _areas(_OUTLINES, as_of)[1]
    return shapely.union_all(outlines) if len(outlines) else None


def _areas(wanted: Sequence[str], as_of: date) -> tuple[list[Area], geo.Shapes]:
    """The areas of some kinds as they were on the day, with their metric shapes as the store keeps them."""
    day = as_of.isoformat()
    found = [
        (area, shape)
        for area, shape in places.area_states(db.session(), wanted)
        if dates.holds(area.valid_from, area.valid_to, day)
    ]
    return [area for area, _ in found], np.array([shape for _, shape in found], dtype=object)


def _people(as_of: date) -> Demand | None:
    try:
        return zoned.people(as_of)
    except NobodyToCount:
        return None


def _shared(
    asked: Question, keys: Sequence[str], shapes: geo.Shapes, people: Demand | None
) -> tuple[Shared, ...]:
    others = None
    if asked.beside:
        areas, theirs = _areas((asked.beside,), asked.as_of)
        others = ([area.key for area in areas], theirs)
    return borders.shared(keys, shapes, others, sliver_m=asked.sliver_m, demand=people)


def _uncovered(outer: Any, shapes: geo.Shapes, people: Demand | None) -> land.Uncovered | None:
    if outer is None or people is None:
        return None
    return land.uncovered(outer, shapes, people, runner=db.house().runner)[0]


def _where(pieces: Sequence[Piece], as_of: date) -> tuple[Where, ...]:
    """The nearest settlement of each piece."""
    if not pieces:
        return ()
    inside: Any = shapely.points([piece.inside for piece in pieces])
    srid = db.instance().metric_crs
    degrees = shapely.get_coordinates(geo.to_degrees(inside, srid=srid)).round(5).tolist()
    towns = zoned.towns(as_of)
    nearest: Sequence[Settlement | None] = [None] * len(pieces)
    if towns:
        points = geo.to_metric(geo.points_of([town.place for town in towns]), srid=srid)
        at = shapely.STRtree(points).query_nearest(inside, all_matches=False)[1]
        nearest = [towns[i] for i in at]
    return tuple(
        Where(Place(lon=lon, lat=lat), town.name if town else "", town.municipality if town else "")
        for (lon, lat), town in zip(degrees, nearest, strict=True)
    )
