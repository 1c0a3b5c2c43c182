"""What was imported when, from where: the list, what each edition did, two beside each other, and undo."""

import json
from datetime import UTC, datetime
from typing import Any

import shapely
from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import changes, compared, editions, geo, places
from layers.compared import Pair
from layers.editions import EditionNotFound
from layers.errors import N_, LayersError, NotAllowed
from layers.places import Edition
from webmap import context, db, histories, i18n, packed, params, signin, stewards
from webmap.account.frame import moment
from webmap.planning import chart

bp = Blueprint("imported", __name__)
_LISTED = 200
_MAPPED = 300
_FINE_M = 50
_WHATS = {
    changes.ADDED: N_("Added"),
    changes.CHANGED: N_("Changed"),
    changes.ENDED: N_("Ended"),
    changes.HID: N_("Hidden, because this edition tells of the same"),
}


@bp.get("/<language>/editions")
def every() -> ResponseReturnValue:
    found = places.all_editions(db.session(), most=_LISTED)
    undone = {one.undoes: one.number for one in found if one.undoes}
    return _page("every", editions=found, undone=undone, most=_LISTED)


@bp.get("/<language>/editions/<int:number>")
def one(number: int) -> ResponseReturnValue:
    session, edition = db.session(), _edition(number)
    told = changes.of_edition(session, number)
    others = places.all_editions(session, most=1000)
    by = next((one.number for one in others if one.undoes == number), None)
    return _page(
        "one",
        edition=edition,
        told=told,
        whats={key: gettext(title) for key, title in _WHATS.items()},
        sentences=histories.sentences,
        by=by,
        may_undo=bool(edition.dataset) and by is None and _may_undo(edition),
        others=compared.alike(session, edition, others),
        is_done=params.arguments().get("done") == "1",
    )


@bp.route("/<language>/editions/<int:number>/undo", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def undo(number: int) -> ResponseReturnValue:
    edition = _edition(number)
    if not _may_undo(edition):
        raise NotAllowed
    if request.method == "GET":
        return _page("undo", edition=edition, problem="")
    note = " ".join(params.filled().get("note", "").split())[:500]
    asking = signin.account()
    try:
        with db.writing() as session:
            label = asking.label if asking else ""
            made = editions.undo(session, number, now=datetime.now(tz=UTC), account=label, note=note)
            session.commit()
    except LayersError as error:
        said = i18n.told(error)
        return _page("undo", 422, edition=edition, problem=said)
    return redirect(context.page("imported.one", number=made, done=1), 303)


def _may_undo(edition: Edition) -> bool:
    """Whoever may change the whole layer: an edition reaches over every area."""
    asking = signin.account()
    has_all = asking is not None and (not asking.areas or asking.role == "admin")
    return has_all and stewards.may_confirm(layer=edition.name)


@bp.get("/<language>/editions/compare")
def compare() -> ResponseReturnValue:
    """Two editions of one kind of area: how much of the land of each area differs, as page and map."""
    args = params.arguments()
    one, two = (_edition(params.whole(args, name) or 0) for name in ("one", "two"))
    pairs = compared.areas(db.session(), one, two)
    if params.one_of(args, "format", ("geojson",)):
        return _features(pairs)
    own = {"one": one.number, "two": two.number}
    return _page(
        "compare",
        one=one,
        two=two,
        pairs=pairs[:_LISTED],
        total=len(pairs),
        mapped_most=_MAPPED,
        chart=chart.chart(),
        address=context.page("imported.compare", format="geojson", **own),
        area_km2=lambda size: i18n.measure(round(size / 1e6, 1), "square-kilometer"),
        percent=i18n.percent,
    )


def _features(pairs: list[Pair]) -> Response:
    """Of the areas that differ most: what only one of the two has."""
    srid, found = db.instance().metric_crs, []
    empty = shapely.from_wkt("POLYGON EMPTY")
    for pair in pairs[:_MAPPED]:
        first, second = (
            shapely.simplify(shape, _FINE_M) if shape is not None else empty for shape in (pair.one, pair.two)
        )
        name = i18n.plain(pair.names)
        for state, part in (("gap", first.difference(second)), ("overlap", second.difference(first))):
            if not part.is_empty:
                (turned,) = geo.to_degrees([shapely.set_srid(part, srid)], srid=srid)
                found.append(
                    {
                        "type": "Feature",
                        "geometry": json.loads(shapely.to_geojson(shapely.set_precision(turned, 1e-5))),
                        "properties": {"title": name, "state": state, "lines": []},
                    }
                )
    return packed.features(found)


def _edition(number: int) -> Edition:
    found = places.editions_of(db.session(), [number]).get(number)
    if found is None:
        raise EditionNotFound(number=number)
    return found


def _layer(edition: Edition) -> str:
    layers = {one.key: i18n.plain(one.label) for one in db.instance().layers}
    return layers.get(edition.name, edition.name)


def _page(name: str, status: int = 200, **more: Any) -> Response:
    html = render_template(
        f"imported/{name}.html",
        is_steward=stewards.may_confirm(),
        layer_name=_layer,
        moment=moment,
        told_name=lambda words: i18n.plain(words) or words.get("", ""),
        **more,
    )
    return make_response(html, status)
