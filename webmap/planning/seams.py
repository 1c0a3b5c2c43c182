"""The page of seams: ground of nobody and of several between the areas of a kind, and who should meet."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from flask import Response, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import geo, places
from layers.catalog import Layer
from layers.errors import N_, Invalid, LayersError
from layers.gaps import borders, demand, land, seams
from layers.gaps.borders import Shared, Strangers
from layers.gaps.demand import Demand, NobodyToCount
from layers.gaps.seams import Change, Piece, Seams
from layers.geo import Place
from layers.places import Area, Settlement
from webmap import big, context, db, drawn, i18n, maps, names, packed, params, replies
from webmap.db import House, Revisions
from webmap.planning.frame import bp

SLIVER_M, _WIDEST_M = 5, 1000
_MOST_AREAS, _MOST_TO_MEET = 25_000, 400
_LISTED = 200
_OUTLINES = ("land", "country")
_TABLES = ("pieces", "shared", "strangers", "accounts")
_PIECE = (
    "kind",
    "sliver",
    "area_m2",
    "width_m",
    "people",
    "neighbours",
    "names",
    "longest_border",
    "nearest",
    "lon",
    "lat",
)
_YEAR_S = 31_536_000
_KINDS = {
    (seams.GAP, False): N_("nobody's ground"),
    (seams.GAP, True): N_("sliver of nobody's ground"),
    (seams.OVERLAP, False): N_("shared ground"),
    (seams.OVERLAP, True): N_("sliver of shared ground"),
}


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


@bp.get("/seams", endpoint="seams")
def page() -> ResponseReturnValue:
    args, asked = params.arguments(), question()
    wanted = params.one_of(args, "format", ("csv", "geojson"))
    table = params.one_of(args, "table", _TABLES) or "pieces"
    found = answer(db.house(), db.revisions(), asked)
    if wanted == "csv":
        return _file(_csv(found, table), "text/csv", f"{table}-{asked.kind}.csv")
    if wanted == "geojson":
        return _file(_geojson(found), "application/geo+json", f"seams-{asked.kind}.geojson")
    return render_template(
        "gaps/seams.html",
        asked=asked,
        kinds=kinds(),
        found=found,
        rows=_rows(found)[:_LISTED],
        listed=_LISTED,
        chart=chart(asked),
        amounts=_amounts(found),
        ground=ground,
        share=share,
        width=width,
        widest_m=_WIDEST_M,
    )


@bp.get("/seams-<digest>.js", endpoint="seams_script")
def script(digest: str) -> ResponseReturnValue:
    drawing = chart(question())
    response = make_response(drawing.script)
    response.mimetype = "text/javascript"
    kept = f"public, max-age={_YEAR_S}, immutable" if drawing.digest == digest else "no-cache"
    response.headers["Cache-Control"] = kept
    return response


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
    kind = params.one_of(args, "areas", kinds()) or next(iter(kinds()), "")
    beside = params.one_of(args, "beside", kinds())
    text = args.get("sliver", "").strip() or str(SLIVER_M)
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _WIDEST_M):
        raise NoSliver(name="sliver", most=_WIDEST_M, value=text)
    return Question(kind, "" if beside == kind else beside, int(text), params.as_of(args))


@lru_cache(maxsize=16)
def answer(_house: House, _revisions: Revisions, asked: Question) -> Found:
    """Everything that the page tells. The arguments are all that it depends on."""
    session = db.session()
    count = places.area_count(session, asked.kind, as_of=asked.as_of)
    if count > _MOST_AREAS:
        raise TooManyAreas(count=count, most=_MOST_AREAS)
    areas, shapes = _areas((asked.kind,), asked.as_of)
    keys = [area.key for area in areas]
    outlines = _areas(_OUTLINES, asked.as_of)[1]
    outer = shapely.union_all(outlines) if len(outlines) else None
    people = _people(db.house(), db.revisions(), asked.as_of)
    found: Seams | None = None
    refused: LayersError | None = None
    try:
        found = seams.find(keys, shapes, outer=outer, sliver_m=asked.sliver_m, demand=people)
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


def _areas(wanted: Sequence[str], as_of: date) -> tuple[list[Area], geo.Shapes]:
    """The areas of some kinds as they were on the day, with their metric shapes as the store keeps them."""
    day = as_of.isoformat()
    found = [
        (area, shape)
        for area, shape in places.area_states(db.session(), wanted)
        if area.valid_from <= day and (not area.valid_to or area.valid_to > day)
    ]
    return [area for area, _ in found], np.array([shape for _, shape in found], dtype=object)


@lru_cache(maxsize=4)
def _people(_house: House, _revisions: Revisions, as_of: date) -> Demand | None:
    try:
        return demand.of_store(db.session(), as_of=as_of)
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
    return land.uncovered(outer, shapes, people)[0]


def _where(pieces: Sequence[Piece], as_of: date) -> tuple[Where, ...]:
    """The nearest settlement of each piece."""
    if not pieces:
        return ()
    inside: Any = shapely.points([piece.inside for piece in pieces])
    srid = db.instance().metric_crs
    degrees = shapely.get_coordinates(geo.to_degrees(inside, srid=srid)).round(5).tolist()
    towns = places.settlements(db.session(), as_of=as_of)
    nearest: Sequence[Settlement | None] = [None] * len(pieces)
    if towns:
        points = geo.to_metric([town.place.point() for town in towns], srid=srid)
        at = shapely.STRtree(points).query_nearest(inside, all_matches=False)[1]
        nearest = [towns[i] for i in at]
    return tuple(
        Where(Place(lon=lon, lat=lat), town.name if town else "", town.municipality if town else "")
        for (lon, lat), town in zip(degrees, nearest, strict=True)
    )


# --- In words


def kind_of(piece: Piece) -> str:
    return str(gettext(_KINDS[piece.kind, piece.is_sliver]))


def ground(area_m2: float) -> str:
    """An area as one would say it: square kilometres, or square metres where there are few of them."""
    if area_m2 >= 10_000:
        return i18n.measure(round(area_m2 / 1e6, 2), "square-kilometer")
    return i18n.measure(round(area_m2) if area_m2 >= 10 else round(area_m2, 1), "square-meter")


def width(metres: float) -> str:
    """A mean width, to the centimetre where it is under a metre."""
    return i18n.measure(round(metres, 1 if metres >= 1 else 2), "meter")


def share(part: float, whole: float) -> str:
    return f"{i18n.number(round(100 * part / whole, 2))} %" if whole else ""


def _rows(found: Found) -> list[tuple[str, Piece, Where]]:
    pieces = found.seams.pieces if found.seams else ()
    return [(kind_of(piece), piece, where) for piece, where in zip(pieces, found.where, strict=True)]


def _amounts(found: Found) -> list[tuple[str, float, float]]:
    """The ledger in words: what, m², persons."""
    if found.seams is None:
        return []
    told = found.seams.ledger
    return [
        (str(gettext("in exactly one area")), told.owned_m2, told.owned_people),
        (str(gettext("shared by several areas")), told.shared_m2, told.shared_people),
        (str(gettext("nobody's")), told.nobody_m2, told.nobody_people),
    ]


# --- To take along


def _csv(found: Found, table: str) -> str:
    head, rows = _tables(found)[table]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return stream.getvalue()


def _harmless(cell: Any) -> Any:
    """A spreadsheet takes text that begins so for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


Rows = Iterable[Sequence[Any]]


def _tables(found: Found) -> dict[str, tuple[Sequence[str], Rows]]:
    """Every table by its name: headings, which never change, and rows."""
    names_ = names.area
    return {
        "pieces": (
            _PIECE,
            (
                (
                    piece.kind,
                    int(piece.is_sliver),
                    round(piece.area_m2, 2),
                    round(piece.width_m, 3),
                    round(piece.people, 1),
                    ";".join(piece.neighbours),
                    "; ".join(map(names_, piece.neighbours)),
                    piece.owner,
                    where.name,
                    where.place.lon,
                    where.place.lat,
                )
                for _, piece, where in _rows(found)
            ),
        ),
        "shared": (
            ("first", "first_name", "second", "second_name", "area_m2", "people", "of_first", "of_second"),
            (
                (
                    one.first,
                    names_(one.first),
                    one.second,
                    names_(one.second),
                    round(one.area_m2, 2),
                    round(one.people, 1),
                    round(one.of_first, 6),
                    round(one.of_second, 6),
                )
                for one in found.shared
            ),
        ),
        "strangers": (
            ("first", "first_name", "first_responsible", "second", "second_name", "second_responsible"),
            (
                (
                    one.first.key,
                    names_(one.first.key),
                    "; ".join(map(names.body, one.first_bodies)),
                    one.second.key,
                    names_(one.second.key),
                    "; ".join(map(names.body, one.second_bodies)),
                )
                for one in found.strangers or ()
            ),
        ),
        "accounts": (
            ("area", "name", "alone_m2", "shared_m2", "outside_m2"),
            (
                (
                    one.key,
                    names_(one.key),
                    round(one.alone_m2, 2),
                    round(one.shared_m2, 2),
                    round(one.outside_m2, 2),
                )
                for one in (found.seams.accounts if found.seams else ())
            ),
        ),
    }


def _geojson(found: Found) -> str:
    rows = _rows(found)
    shapes = np.array([piece.shape for _, piece, _ in rows], dtype=object)
    degrees = shapely.transform(
        geo.to_degrees(shapes, srid=db.instance().metric_crs), lambda points: points.round(7)
    )
    features = [
        {
            "type": "Feature",
            "properties": {
                "kind": piece.kind,
                "sliver": piece.is_sliver,
                "label": label,
                "area_m2": round(piece.area_m2, 2),
                "width_m": round(piece.width_m, 3),
                "people": round(piece.people, 1),
                "neighbours": piece.neighbours,
                "names": " – ".join(map(names.area, piece.neighbours[:4])),
                "size": ground(piece.area_m2),
                "lon": where.place.lon,
                "lat": where.place.lat,
            },
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for (label, piece, where), shape in zip(rows, degrees, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def _file(text: str, mimetype: str, name: str) -> Response:
    response = Response(text.encode(), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return packed.conditional(response, "public, max-age=60")


# --- The map


def chart(asked: Question) -> maps.Parts:
    """The map of the pieces, kept for each language, day and state of the layers."""
    days = tuple(sorted(context.when().items()))
    return _chart(db.house(), i18n.language(), days, db.revisions(), asked, big.key())


@lru_cache(maxsize=16)
def _chart(
    house: House,
    language: str,
    days: tuple[tuple[str, str], ...],
    revisions: Revisions,
    asked: Question,
    tiled: big.Drawings,
) -> maps.Parts:
    """The map's shell. The arguments are all that it depends on."""
    instance, state = house.instance, dict(revisions)

    def shown(name: str, kind: str, options: Mapping[str, Any]) -> maps.Shown:
        urls = {
            step: drawn.address(
                name, revision=state.get(name, 0), language=language, when=dict(days), step=step
            )
            for step in ("near", "middle", "far")
        }
        return maps.Shown(name, kind, urls.pop("near"), True, {**urls, **options})

    ground_ = [
        shown(name, "ground", {"pane": name}) for name in ("neighbours", "land") if name in instance.resources
    ]
    lines = [
        shown(layer.key, "areas", {"pane": "areas", "colour": layer.colour, "line": layer.symbol})
        for layer in instance.layers_of("areas")
        if layer.kind == asked.kind and layer.key not in dict(tiled)
    ]
    query: dict[str, Any] = {**dict(days), **asked.arguments()}
    url = url_for("pages.gaps.seams", language=language, format="geojson", **query)
    pieces = maps.Shown("pieces", "pieces", url, True, {"pane": "areas"})
    west, south, east, north = instance.bounds
    about = {"bounds": [[south, west], [north, east]]}
    return maps.draw([*ground_, *lines, pieces], bounds=instance.bounds, about=about)
