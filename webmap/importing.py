"""The import doctor in a browser: a file is sent in, read column by column, examined, planned, written.

Each step is a page of its own, whole without scripts. Nothing is written before the last one, and that one
writes the plan that was shown or nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from flask import Blueprint, Response, current_app, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import accounts, doctor, editions, geo, links, places, readers
from layers.accounts import Account
from layers.catalog import Layer
from layers.doctor import AREAS, BODIES, About, Begun, Exam, How, fields, written
from layers.editions import Plan, Rival
from layers.errors import N_, Invalid, LayersError, NotAllowed
from layers.model import EDITS
from layers.readers import apart
from layers.sources.rows import Row
from webmap import context, db, i18n, inbox, intake, names, params, signin, stewards
from webmap.db import House, Revisions
from webmap.inbox import Waiting
from webmap.planning import chart

bp = Blueprint("importing", __name__)
_ABOUT = ("dataset", "source", "licence", "as_of", "source_url", "title")
_SHOWN = 200
_ON_MAP = 2000
_LONG_ROWS = 5000
_SAMPLES = 3
_FINE_M = 20
_ENCODINGS = ("utf-8", "windows-1257", "iso-8859-13", "windows-1252", "windows-1251", "utf-16")
_STATES = {
    "added": N_("New"),
    "changed": N_("Changed"),
    "unchanged": N_("As it is"),
}


class RowsRefused(Invalid):
    text = N_(
        "{count} of {total} rows cannot be used, and nothing was written. Mend them and send the file again, "
        "or say that they are to be left out."
    )


class OutOfScope(Invalid):
    text = N_("Your account is for other areas: {count} things lie outside of them, as “{key}”.")


class NoLayer(Invalid):
    text = N_("Choose a layer of organisations or areas that your account may change.")


class NothingSaid(Invalid):
    text = N_("Say first what the columns hold.")


# --- A file comes in


@bp.route("/<language>/import", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def send() -> ResponseReturnValue:
    if request.method == "GET":
        return _send_page(_before())
    try:
        waiting = _sent()
    except LayersError as error:
        return _send_page(params.filled(), problem=error)
    return redirect(context.page("importing.columns", token=waiting.token), 303)


def _sent() -> Waiting:
    """Keeps the file of this request's form, when it can be read at all."""
    filled, asking = params.filled(), _asking()
    layer = filled.get("layer", "")
    if layer not in {one.key for one in _layers()}:
        raise NoLayer
    about = About(**{name: " ".join(filled.get(name, "").split()) for name in _ABOUT})
    doctor.resource(about, layer, db.instance())
    sent, now = request.files.get("file"), datetime.now(tz=UTC)
    waiting = inbox.keep(_folder(), sent, account=asking.id, layer=layer, about=about, now=now)
    try:
        _begun(waiting, "", "")
    except LayersError:
        inbox.drop(_folder(), waiting.token)
        raise
    return waiting


def _before() -> Mapping[str, str]:
    """What was said of a dataset the last time, where the address names one."""
    args = params.arguments()
    for one in _datasets():
        if (one.name, one.dataset) == (args.get("layer"), args.get("dataset")):
            own = {"title": i18n.plain(one.title), "source": i18n.plain(one.source)}
            return {
                **own,
                "layer": one.name,
                "dataset": one.dataset,
                "licence": one.licence,
                "source_url": one.source_url,
            }
    return {}


def _datasets() -> list[places.Edition]:
    """The newest edition of every dataset of the account's layers that came as a file."""
    known = {one.key for one in _layers()}
    found: dict[tuple[str, str], places.Edition] = {}
    for one in places.all_editions(db.session(), most=1000):
        if one.dataset not in ("", EDITS) and one.name in known:
            found.setdefault((one.name, one.dataset), one)
    return [*found.values()]


def _layers() -> list[Layer]:
    """The layers into which this account may read a file."""
    return [
        one
        for one in db.instance().layers
        if one.of in (BODIES, AREAS) and stewards.may_confirm(layer=one.key)
    ]


def _send_page(sent: Mapping[str, str], *, problem: LayersError | None = None) -> Response:
    own = inbox.of(_folder(), _asking().id)
    most_mb = current_app.config["MAX_CONTENT_LENGTH"] // 1_000_000
    about = {"waiting": own, "layers": _layers(), "datasets": _datasets(), "most_mb": most_mb}
    return _page("send", sent=sent, problem=problem, **about)


# --- What its columns hold


@bp.route("/<language>/import/<token>", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def columns(token: str) -> ResponseReturnValue:
    waiting = _waiting(token)
    if request.method == "GET":
        args = params.arguments()
        last = waiting.how or How()
        sheet = args.get("sheet", "").strip() or last.sheet
        encoding = args.get("encoding", "").strip() or last.encoding
        return _columns_page(waiting, sheet, encoding)
    filled = params.filled()
    if filled.get("do") == "drop":
        inbox.drop(_folder(), waiting.token)
        return redirect(context.page("importing.send"), 303)
    begun = _begun(waiting, filled.get("sheet", ""), filled.get("encoding", ""))
    inbox.read_as(_folder(), waiting, _how(begun))
    return redirect(context.page("importing.findings", token=token), 303)


def _columns_page(waiting: Waiting, sheet: str, encoding: str) -> Response:
    begun = _begun(waiting, sheet, encoding)
    before = waiting.how or doctor.remembered(db.session(), waiting.layer, waiting.about.dataset)
    is_same = waiting.how is not None and waiting.how.sheet == begun.table.name
    chosen = dict(waiting.how.columns) if waiting.how and is_same else dict(begun.how.columns)
    return _page(
        "columns",
        waiting=waiting,
        begun=begun,
        offers=_offers(waiting),
        chosen=chosen,
        same=before.same,
        crs=before.crs,
        encoding=encoding,
        encodings=_ENCODINGS if begun.table.encoding else (),
        systems=_systems(),
        samples=_samples(begun),
        layer=db.instance().layer(waiting.layer),
    )


def _how(begun: Begun) -> How:
    """How the form says that a table is to be read; what it names and the table has not is left out."""
    filled, there = params.filled(), {*begun.table.columns}
    columns_ = {key: filled.get(f"column.{key}", "") for key in begun.target.fields}
    same = {key: filled.get(f"same.{key}", "").strip() for key in begun.target.fields}
    crs = filled.get("crs", "")
    return How(
        columns={key: column for key, column in columns_.items() if column in there},
        same={key: value for key, value in same.items() if value},
        crs=crs if crs in _systems() else "",
        sheet=begun.table.name,
        encoding=filled.get("encoding", "") if filled.get("encoding") in _ENCODINGS else "",
    )


def _systems() -> dict[str, str]:
    """The systems of coordinates that a steward may name, with words."""
    instance = db.instance()
    own = [4326, instance.metric_crs, 3857, *fields.habits(instance).systems]
    found: dict[str, str] = {}
    for number in dict.fromkeys(own):
        found[f"EPSG:{number}"] = f"EPSG:{number}"
        found[f"EPSG:{number}:swapped"] = gettext("EPSG:%(number)s, northing first", number=number)
    return found


def _samples(begun: Begun) -> dict[str, list[str]]:
    """The first different values of each column."""
    found: dict[str, dict[str, None]] = {column: {} for column in begun.table.columns}
    piece = next(begun.table.pieces(), None)
    for row in piece.cells[:500] if piece else ():
        for column, cell in zip(begun.table.columns, row, strict=True):
            if cell and len(found[column]) < _SAMPLES:
                found[column][cell[:60]] = None
    return {column: [*values] for column, values in found.items()}


# --- What became of its rows, and what would change


@bp.get("/<language>/import/<token>/findings")
@signin.required(stewards.ROLE)
def findings(token: str) -> ResponseReturnValue:
    waiting = _said(token)
    begun = _begun(waiting, waiting.how.sheet if waiting.how else "", "")
    if begun.table.rows > _LONG_ROWS and not params.arguments().get("go"):
        return _page("reading", waiting=waiting, rows=begun.table.rows)
    return _findings_page(waiting)


def _findings_page(waiting: Waiting, *, problem: LayersError | None = None) -> Response:
    session, exam = db.session(), _exam(waiting)
    plan = None
    try:
        plan = _plan(waiting, exam)
    except LayersError as error:
        problem = problem or error
    rows = [one for one in exam.findings if one.row]
    sorts = [
        (state, [one for one in rows if one.state == state]) for state in (doctor.REFUSED, doctor.REPAIRED)
    ]
    layer = db.instance().layer(waiting.layer)
    return _page(
        "findings",
        problem=problem,
        waiting=waiting,
        exam=exam,
        whole=[one for one in exam.findings if not one.row],
        sorts=sorts,
        shown=_SHOWN,
        is_long=exam.total > _LONG_ROWS,
        plan=plan,
        told=_told(plan) if plan else None,
        mark=intake.mark(session, plan) if plan else "",
        layer=layer,
        chart=chart.chart() if plan else None,
        states={key: gettext(title) for key, title in _STATES.items()},
        marks=_MARKS[layer.of],
        on_map=_ON_MAP,
        listed=_listed(plan, exam) if plan else (),
        bounds=_bounds(exam) if plan else "",
    )


_MARKS = {
    BODIES: {"added": "added", "changed": "moved", "unchanged": "there"},
    AREAS: {"added": "draft", "changed": "turned", "unchanged": "stands"},
}
"""How a row's state is drawn: names of static/planning.js."""


def _plan(waiting: Waiting, exam: Exam) -> Plan:
    about = doctor.resource(waiting.about, waiting.layer, db.instance())
    return doctor.plan(db.session(), exam, about, file=inbox.file(_folder(), waiting))


def _told(plan: Plan) -> dict[str, Any]:
    """What a plan would do, with names."""
    session, is_area = db.session(), plan.source.table == "area"
    moved = editions.moved(session, plan)
    rivals = editions.rivals(session, plan)
    left = links.lost(session, plan, day=params.today())
    doubles = doctor.doubles(session, plan)
    known = {row.key: _name(row) for row in (*plan.added, *plan.changed)}

    def change(key: str) -> str:
        size = moved.get(key, 0.0)
        if size < (0.0005 if is_area else 1):
            return ""
        if is_area:
            return str(gettext("%(share)s of its land changes", share=_percent(size)))
        return str(gettext("its point moves %(distance)s", distance=i18n.measure(round(size), "meter")))

    ended = list(dict.fromkeys(plan.ended))
    return {
        "added": [(row.key, _name(row), "") for row in plan.added[:_SHOWN]],
        "changed": sorted(
            ((row.key, _name(row), change(row.key)) for row in plan.changed),
            key=lambda one: -moved.get(one[0], 0.0),
        )[:_SHOWN],
        "ended": [(key, _named(key, is_area), "") for key in ended[:_SHOWN]],
        "lost": left[:_SHOWN],
        "doubles": doubles[:_SHOWN],
        "rivals": [(one, known.get(one.key, one.key), _whose(one)) for one in rivals[:_SHOWN]],
        "counts": {
            "added": len(plan.added),
            "changed": len(plan.changed),
            "ended": len(ended),
            "unchanged": plan.unchanged,
            "rivals": len(rivals),
            "lost": len(left),
            "doubles": len(doubles),
        },
    }


def _whose(rival: Rival) -> str:
    layer = next(
        (i18n.plain(one.label) for one in db.instance().layers if one.key == rival.layer), rival.layer
    )
    return f"{layer}: {rival.dataset}" if rival.dataset else gettext("the files of the map itself")


def _percent(share: float) -> str:
    return f"{i18n.number(round(share * 100, 1))} %"


def _name(row: Row) -> str:
    return i18n.plain(row.values.get("names") or {}) or str(row.values.get("name") or row.key)


def _named(key: str, is_area: bool) -> str:
    """What is shown now under a key."""
    try:
        if is_area:
            return names.area(key)
        return names.body(places.body(db.session(), key, as_of=params.today()))
    except LayersError:
        return key


def _marked(plan: Plan, rows: Iterable[Row]) -> Iterable[tuple[Row, str]]:
    """Rows with what a plan does to each."""
    added = {(row.key, row.valid_from) for row in plan.added}
    changed = {(row.key, row.valid_from) for row in plan.changed}
    for row in rows:
        own = (row.key, row.valid_from)
        yield row, "added" if own in added else "changed" if own in changed else "unchanged"


def _listed(plan: Plan, exam: Exam) -> list[tuple[str, str, str]]:
    """The map in words: name, state, and where."""
    found = []
    for row, state in islice(_marked(plan, exam.rows), _SHOWN):
        shape: Any = row.values.get("geom")
        if exam.target.of == AREAS:
            where = i18n.measure(round(shape.area / 1e6, 1), "square-kilometer")
        else:
            where = ", ".join(
                filter(None, (row.values.get("place"), names.municipality(row.values["municipality"] or "")))
            )
            where += "" if shape is not None else f" ({gettext('not on the map')})"
        found.append((_name(row), state, where))
    return found


def _bounds(exam: Exam) -> str:
    shapes = [row.values["geom"] for row in exam.rows if row.values.get("geom") is not None]
    if not shapes:
        return ""
    box = shapely.set_srid(shapely.box(*shapely.total_bounds(shapes)), db.instance().metric_crs)
    (turned,) = geo.to_degrees([box], srid=db.instance().metric_crs)
    return ",".join(f"{value:.4f}" for value in turned.bounds)


@bp.get("/<language>/import/<token>/preview.geojson")
@signin.required(stewards.ROLE)
def preview(token: str) -> ResponseReturnValue:
    """The rows that can be used, as the map before the write shows them."""
    waiting = _said(token)
    exam = _exam(waiting)
    plan, marks = _plan(waiting, exam), _MARKS[exam.target.of]
    there = [(row, state) for row, state in _marked(plan, exam.rows) if row.values.get("geom") is not None]
    # What changes is seen before what stays.
    there = sorted(there, key=lambda one: one[1] == "unchanged")[:_ON_MAP]
    srid = db.instance().metric_crs
    shapes = np.array([row.values["geom"] for row, _ in there], dtype=object)
    if exam.target.of == AREAS and len(shapes):
        shapes = shapely.set_srid(shapely.simplify(shapes, _FINE_M), srid)
    turned = shapely.set_precision(geo.to_degrees(shapes, srid=srid), 1e-5) if len(shapes) else ()
    found = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shape)),
            "properties": {"title": _name(row), "state": marks[state], "lines": [gettext(_STATES[state])]},
        }
        for (row, state), shape in zip(there, turned, strict=True)
    ]
    response = jsonify({"type": "FeatureCollection", "features": found})
    response.mimetype = "application/geo+json"
    return response


@bp.get("/<language>/import/<token>/fixes.csv")
@signin.required(stewards.ROLE)
def fixes(token: str) -> ResponseReturnValue:
    waiting = _said(token)
    return _file(written.fixes(_exam(waiting), tell=i18n.told), "fixes.csv", "text/csv")


@bp.get("/<language>/import/<token>/repaired")
@signin.required(stewards.ROLE)
def repaired(token: str) -> ResponseReturnValue:
    waiting = _said(token)
    name, text = written.repaired(_exam(waiting), db.instance())
    return _file(text, name, "text/csv" if name.endswith(".csv") else "application/geo+json")


def _file(text: str, name: str, mimetype: str) -> Response:
    response = Response(text, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- Written


@bp.post("/<language>/import/<token>/write")
@signin.required(stewards.ROLE)
def write(token: str) -> ResponseReturnValue:
    """Writes the plan that was shown, all or nothing."""
    waiting, filled = _said(token), params.filled()
    try:
        number = _written(waiting, filled)
    except LayersError as error:
        return _findings_page(waiting, problem=error)
    inbox.drop(_folder(), waiting.token)
    return redirect(context.page("imported.one", number=number, done=1), 303)


def _written(waiting: Waiting, filled: Mapping[str, str]) -> int:
    exam, asking = _exam(waiting), _asking()
    refused = exam.counts[doctor.REFUSED]
    if refused and filled.get("leave_out") != "yes":
        raise RowsRefused(count=refused, total=exam.total)
    _check_areas(asking, _plan(waiting, exam))
    db.close()  # A question that stands open would keep the writer from seeing what came meanwhile.
    return intake.apply(
        exam,
        doctor.resource(waiting.about, waiting.layer, db.instance()),
        waiting.how or How(),
        file=inbox.file(_folder(), waiting),
        now=datetime.now(tz=UTC),
        account=asking.label,
        note=" ".join(filled.get("note", "").split())[:500],
        # A form without its plan never saw one.
        shown=filled.get("plan", "") or "none",
    )


def _check_areas(asking: Account, plan: Plan) -> None:
    """An account of some areas changes what lies in them alone; what lies nowhere is not for it.

    Raises:
        OutOfScope: something lies outside.
    """
    if not asking.areas or asking.role == "admin":
        return
    is_area = plan.source.table == "area"
    outside = [
        row.key
        for row in (*plan.added, *plan.changed)
        if not _is_within(asking, _around(row.values, row, is_area))
    ]
    for key in dict.fromkeys(plan.ended):
        if not _is_within(asking, _around_known(key, is_area)):
            outside.append(key)
    if outside:
        raise OutOfScope(count=len(outside), key=outside[0])


def _is_within(asking: Account, around: set[str]) -> bool:
    return bool(around) and accounts.may(asking, stewards.ROLE, within=around)


def _around(values: Mapping[str, Any], row: Row, is_area: bool) -> set[str]:
    if is_area:
        return {row.key, str(values.get("parent") or "")} - {""}
    return {f"{kind}:{values[kind]}" for kind in ("county", "municipality") if values.get(kind)}


def _around_known(key: str, is_area: bool) -> set[str]:
    try:
        if is_area:
            kind, _, code = key.partition(":")
            return {key, places.area(db.session(), kind, code, as_of=params.today()).parent} - {""}
        body = places.body(db.session(), key, as_of=params.today())
    except LayersError:
        return set()
    found = (("county", body.county), ("municipality", body.municipality))
    return {f"{kind}:{code}" for kind, code in found if code}


# --- What every step needs


def _asking() -> Account:
    found = signin.account()
    if found is None:
        raise NotAllowed
    return found


def _folder() -> Path:
    return Path(current_app.config["STATE"]) / "inbox"


def _waiting(token: str) -> Waiting:
    waiting = inbox.find(_folder(), token, account=_asking().id)
    stewards.check(layer=waiting.layer)
    return waiting


def _said(token: str) -> Waiting:
    waiting = _waiting(token)
    if waiting.how is None:
        raise NothingSaid
    return waiting


def _begun(waiting: Waiting, sheet: str, encoding: str) -> Begun:
    file = inbox.file(_folder(), waiting)
    encoding = encoding or (waiting.how.encoding if waiting.how else "")
    about = (waiting.layer, waiting.about.dataset, sheet, encoding if encoding in _ENCODINGS else "")
    return _begun_of(db.house(), db.revisions(), file, about)


@lru_cache(maxsize=4)
def _begun_of(house: House, _revisions: Revisions, file: Path, about: tuple[str, str, str, str]) -> Begun:
    """A file as it was begun to be read, kept: each page of it asks."""
    layer, dataset, sheet, encoding = about
    more = {"layer": layer, "dataset": dataset, "sheet": sheet, "encoding": encoding}
    return doctor.begin(db.session(), house.instance, file, today=params.today(), read=apart.read, **more)


def _offers(waiting: Waiting) -> list[readers.Offer]:
    return apart.offers(inbox.file(_folder(), waiting))


def _exam(waiting: Waiting) -> Exam:
    said = json.dumps([asdict(waiting.about), asdict(waiting.how or How())], sort_keys=True)
    return _exam_of(db.house(), db.revisions(), inbox.file(_folder(), waiting), waiting.layer, said)


@lru_cache(maxsize=2)
def _exam_of(house: House, revisions: Revisions, file: Path, layer: str, said: str) -> Exam:
    """A file, examined, and kept: map, downloads and the write ask for it. `said` is all that decides."""
    about, how = json.loads(said)
    known, as_read = About(**about), How(**how)
    begun = _begun_of(house, revisions, file, (layer, known.dataset, as_read.sheet, as_read.encoding))
    return doctor.examine(db.session(), house.instance, begun, as_read, known, today=params.today())


def _page(name: str, *, problem: LayersError | None = None, **more: Any) -> Response:
    said = ""
    if problem:
        values = {
            key: f"{one[:60]}…" if isinstance(one, str) and len(one) > 80 else one
            for key, one in problem.values.items()
        }
        said = gettext(problem.text).format(**values)
    html = render_template(
        f"importing/{name}.html", asking=_asking(), problem=said, told_in=i18n.told, percent=_percent, **more
    )
    response = make_response(html, 422 if problem else 200)
    response.headers["Cache-Control"] = "private, no-store"
    return response
