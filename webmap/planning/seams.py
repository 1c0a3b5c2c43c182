"""The page of seams: ground of nobody and of several between the areas of a kind, and who should meet."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from flask import Response, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import geo
from layers.errors import N_
from layers.exports import harmless
from layers.gaps import seams
from layers.gaps.seams import Piece
from webmap import big, context, db, drawn, i18n, maps, names, packed, params
from webmap.db import House, Revisions
from webmap.planning import between
from webmap.planning.between import Found, Question, Where
from webmap.planning.frame import bp

_LISTED = 200
_UNCOVERED = "uncovered"
_TABLES = ("pieces", "shared", "strangers", "accounts", _UNCOVERED)
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


@bp.get("/seams", endpoint="seams")
def page() -> ResponseReturnValue:
    args, asked = params.arguments(), between.question()
    wanted = params.one_of(args, "format", ("csv", "geojson"))
    table = params.one_of(args, "table", _TABLES) or "pieces"
    if wanted == "csv" and table == _UNCOVERED:
        return _file(_of_uncovered(asked), "text/csv", f"{table}-{asked.kind}.csv")
    found = between.answer(db.house(), db.revisions(), asked)
    if wanted == "csv":
        return _file(_csv(found, table), "text/csv", f"{table}-{asked.kind}.csv")
    if wanted == "geojson":
        return _file(_geojson(found), "application/geo+json", f"seams-{asked.kind}.geojson")
    return render_template(
        "gaps/seams.html",
        asked=asked,
        kinds=between.kinds(),
        found=found,
        rows=_rows(found)[:_LISTED],
        listed=_LISTED,
        chart=chart(asked),
        amounts=_amounts(found),
        ground=ground,
        share=share,
        width=width,
        widest_m=between.WIDEST_M,
    )


@bp.get("/seams-<digest>.js", endpoint="seams_script")
def script(digest: str) -> ResponseReturnValue:
    drawing = chart(between.question())
    response = make_response(drawing.script)
    response.mimetype = "text/javascript"
    kept = f"public, max-age={_YEAR_S}, immutable" if drawing.digest == digest else "no-cache"
    response.headers["Cache-Control"] = kept
    return response


# --- In words


def kind_of(piece: Piece) -> str:
    return str(gettext(_KINDS[piece.kind, piece.is_sliver]))


def ground(area_m2: float) -> str:
    """An area as one would say it: square kilometres, or square metres where there are few of them."""
    if area_m2 >= 10_000:
        return i18n.measure(round(area_m2 / 1e6, 2), "square-kilometer")
    return i18n.measure(round(area_m2) if area_m2 >= 10 else round(area_m2, 1), "square-meter")


def width(metres: float) -> str:
    """A mean width, to the centimetre where it is under a metre; narrower ones are not listed."""
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
    return _table(*_tables(found)[table])


def _of_uncovered(asked: Question) -> str:
    """Land and people in no area, to the last bit, because it is asked to compare."""
    found = between.uncovered(db.house(), db.revisions(), asked)
    head = ("land_m2", "uncovered_m2", "people", "uncovered_people")
    return _table(head, [[getattr(found, name) for name in head]] if found else [])


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return stream.getvalue()


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
    return packed.collection(features)


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
