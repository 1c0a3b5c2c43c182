"""The import doctor in a browser: a file is sent in or fetched, read column by column, examined, written.

Each step is a page of its own, whole without scripts. Nothing is written before the last one, and that one
writes the plan that was shown or nothing. What takes longer than a moment is done in the background
(`underway`), and a page tells how far it is.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import shapely
from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import arrivals, doctor, editions, geo, links, places
from layers.accounts import Account
from layers.arrivals import Origin, plans, work
from layers.arrivals.plans import Question, RowsRefused, Stopped, Wish
from layers.catalog import Layer
from layers.doctor import AREAS, BODIES, About, Begun, Exam, How, fields, written
from layers.editions import Plan, Rival
from layers.errors import N_, Invalid, LayersError, NotAllowed
from layers.model import EDITS
from layers.sources.rows import Row
from webmap import context, db, i18n, inbox, intake, names, packed, params, signin, stewards, underway
from webmap.db import House, Revisions
from webmap.inbox import Waiting
from webmap.planning import chart
from webmap.underway import Errand

bp = Blueprint("importing", __name__)
_ABOUT = ("dataset", "source", "licence", "as_of", "source_url", "title")
_SHOWN = 200
_ON_MAP = 2000
_LONG_ROWS = 1500
"""So many rows are examined, or written, in about a second; more are a job."""
_PATIENCE_S = 2.5
"""So long a page waits for a job: what ends meanwhile needs no page that tells how far it is."""
_SAMPLES = 3
_FINE_M = 20
_ENCODINGS = ("utf-8", "windows-1257", "iso-8859-13", "windows-1252", "windows-1251", "utf-16")
_STATES = {
    "added": N_("New"),
    "changed": N_("Changed"),
    "unchanged": N_("As it is"),
}


class NoLayer(Invalid):
    text = N_("Choose a layer of organisations or areas that your account may change.")


class NothingSaid(Invalid):
    text = N_("Say first what the columns hold.")


class OneOfBoth(Invalid):
    text = N_("Choose a file or name an address, not both.")


class NothingFetched(Invalid):
    text = N_(
        "Whoever runs this map has not allowed it to fetch files. Fetch the file yourself and send it in."
    )


# --- A file comes in


@bp.route("/<language>/import", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def send() -> ResponseReturnValue:
    if request.method == "GET":
        return _send_page(_before(params.arguments()))
    filled: Mapping[str, str] = params.filled()
    if filled.get("do") == "again":
        filled = _before(filled)
    try:
        return _sent(filled)
    except LayersError as error:
        return _send_page(filled, problem=error)


def _sent(filled: Mapping[str, str]) -> Response:
    """Keeps the file of this request's form, or fetches it, when it can be read at all."""
    layer, address, sent = (
        filled.get("layer", ""),
        filled.get("address", "").strip(),
        request.files.get("file"),
    )
    if layer not in {one.key for one in _layers()}:
        raise NoLayer
    about = About(**{name: " ".join(filled.get(name, "").split()) for name in _ABOUT})
    if not address:
        return _kept(about, layer)
    if sent is not None and sent.filename:
        raise OneOfBoth
    if not current_app.config["FETCH"]:
        raise NothingFetched
    origin, now = Origin(address, filled.get("part", "").strip()), datetime.now(tz=UTC)
    about = intake.fetched(about, origin, now=now)
    doctor.resource(about, layer, db.instance())
    account = _asking().id
    waiting = inbox.expect(
        _folder(), address=address, part=origin.part, account=account, layer=layer, about=about, now=now
    )
    return _begun_to_come(waiting, underway.fetch(waiting))


def _kept(about: About, layer: str) -> Response:
    doctor.resource(about, layer, db.instance())
    sent, now = request.files.get("file"), datetime.now(tz=UTC)
    waiting = inbox.keep(_folder(), sent, account=_asking().id, layer=layer, about=about, now=now)
    if not _is_small(waiting):
        return _begun_to_come(waiting, underway.read(waiting, "", ""))
    try:
        arrivals.read(_home(waiting))
    except LayersError:
        inbox.drop(_folder(), waiting.token)
        raise
    return _to("columns", waiting)


def _begun_to_come(waiting: Waiting, errand: Errand) -> Response:
    """The columns of what comes in a moment, else how far it is.

    Raises:
        LayersError: it cannot be used, and nothing of it is kept.
    """
    errand = underway.waited(waiting, errand, seconds=_PATIENCE_S)
    if errand.reason and not errand.layers:
        inbox.drop(_folder(), waiting.token)
        raise errand.reason
    return _to("columns" if errand.is_done else "progress", waiting)


def _before(asked: Mapping[str, str]) -> Mapping[str, str]:
    """What was said of a dataset the last time, where one is named."""
    for one in _datasets():
        if (one.name, one.dataset) == (asked.get("layer"), asked.get("dataset")):
            own = {"title": i18n.plain(one.title), "source": i18n.plain(one.source)}
            origin = plans.origins(db.session()).get((one.name, one.dataset), Origin())
            return {
                **own,
                "address": origin.address,
                "part": origin.part,
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
    own = [(one, underway.current(one)) for one in inbox.of(_folder(), _asking().id)]
    return _page(
        "send",
        sent=sent,
        problem=problem,
        waiting=own,
        layers=_layers(),
        datasets=_datasets(),
        most_mb=current_app.config["MAX_CONTENT_LENGTH"] // 1_000_000,
        may_fetch=current_app.config["FETCH"],
        origins=plans.origins(db.session()),
        others=[*underway.others(but=_asking().id)],
        doing=_DOING,
    )


_DOING = {
    work.FETCH: N_("Fetching the file"),
    work.READ: N_("Reading the file"),
    work.EXAMINE: N_("Examining every row"),
    work.WRITE: N_("Writing the plan"),
}


# --- How far it is


@bp.route("/<language>/import/<token>/progress", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def progress(token: str) -> ResponseReturnValue:
    """How far what is done in the background is; where it is done, the page that follows.

    Cheap, because it is asked again and again: it opens no file that was brought.
    """
    waiting = _waiting(token)
    if request.method == "POST":
        return _told_otherwise(waiting, params.filled())
    errand = underway.current(waiting)
    following = _following(waiting, errand)
    if params.is_part(params.arguments()):
        return _in_short(errand, following)
    if errand is None or following:
        return redirect(following or context.page("importing.send"), 303)
    return _page("progress", problem=errand.reason, waiting=waiting, errand=errand, doing=_DOING)


def _in_short(errand: Errand | None, following: str) -> Response:
    """The same for static/underway.js."""
    name, done, total = errand.stage if errand else ("", 0, 0)
    is_over = errand is None or errand.is_over
    said = "" if is_over else intake.stage(name, done, total)
    response = jsonify(told=said, stage=name, done=done, total=total, next=following, is_over=is_over)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _following(waiting: Waiting, errand: Errand | None) -> str:
    """The address of the page that follows; "" while nothing does, or where somebody has to decide."""
    if waiting.edition:
        return context.page("imported.one", number=waiting.edition, done=1)
    if errand is None:
        return context.page("importing.columns", token=waiting.token) if waiting.name else ""
    if not errand.is_over:
        return ""
    if errand.do == work.WRITE:
        if number := _edition_of(waiting, errand):
            return context.page("imported.one", number=number, done=1)
        return context.page("importing.findings", token=waiting.token)
    if not errand.is_done:
        return ""
    if errand.do == work.EXAMINE:
        return context.page("importing.findings", token=waiting.token)
    sheet, _, encoding = errand.key.rpartition("/") if errand.do == work.READ else ("", "", "")
    chosen = {"sheet": sheet, "encoding": encoding}
    return context.page("importing.columns", token=waiting.token, **{k: v for k, v in chosen.items() if v})


def _edition_of(waiting: Waiting, errand: Errand | None) -> int:
    """The number of the edition that was made of a file, which is kept no longer then; 0 where none was."""
    if waiting.edition or errand is None or errand.do != work.WRITE or not errand.is_over:
        return waiting.edition
    number = underway.edition(errand, _question(waiting))
    if number:
        inbox.written(_folder(), waiting, number)
    return number


def _told_otherwise(waiting: Waiting, filled: Mapping[str, str]) -> Response:
    """Stops what is under way, begins it again, or fetches the layer that was chosen."""
    errand = underway.current(waiting)
    if filled.get("do") == "cancel":
        underway.cancel(waiting)
        if errand:
            underway.waited(waiting, errand, seconds=_PATIENCE_S)
    elif errand and errand.is_over and errand.do == work.FETCH:
        waiting = inbox.fetch_from(_folder(), waiting, filled.get("part", waiting.part))
        again = underway.waited(waiting, underway.fetch(waiting), seconds=_PATIENCE_S)
        return _to("columns" if again.is_done else "progress", waiting)
    elif errand and errand.is_over:
        underway.forget(waiting)
        return _to("findings" if errand.do == work.EXAMINE else "columns", waiting)
    return _to("progress", waiting)


# --- What its columns hold


@bp.route("/<language>/import/<token>", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def columns(token: str) -> ResponseReturnValue:
    waiting, filled = _waiting(token), params.filled()
    if request.method == "POST" and filled.get("do") == "drop":
        underway.cancel(waiting)
        errand = underway.current(waiting)
        if errand and not underway.waited(waiting, errand, seconds=_PATIENCE_S).is_over:
            return _to("progress", waiting)  # It is being written: its file is needed.
        inbox.drop(_folder(), waiting.token)
        return redirect(context.page("importing.send"), 303)
    args = filled if request.method == "POST" else params.arguments()
    last = waiting.how or How()
    sheet = args.get("sheet", "").strip() or last.sheet
    encoding = args.get("encoding", "").strip() or last.encoding
    encoding = encoding if encoding in _ENCODINGS else ""
    if elsewhere := _to_be_read(waiting, sheet, encoding):
        return elsewhere
    if request.method == "GET":
        return _columns_page(waiting, sheet, encoding)
    begun = _begun(waiting, sheet, encoding)
    inbox.read_as(_folder(), waiting, _how(begun))
    return redirect(context.page("importing.findings", token=token), 303)


def _to_be_read(waiting: Waiting, sheet: str, encoding: str) -> Response | None:
    """Where to go instead, while a table has not been read; None where it has."""
    errand = underway.current(waiting)
    if _edition_of(waiting, errand) or not waiting.name:
        return _to("progress", waiting)
    if _is_small(waiting):
        arrivals.read(_home(waiting), sheet, encoding)
    elif not arrivals.is_read(_home(waiting), sheet, encoding):
        asked = underway.read(waiting, sheet, encoding)
        if not underway.waited(waiting, asked, seconds=_PATIENCE_S).is_done:
            return _to("progress", waiting)
    return None


def _columns_page(waiting: Waiting, sheet: str, encoding: str) -> Response:
    begun = _begun(waiting, sheet, encoding)
    before = waiting.how or doctor.remembered(db.session(), waiting.layer, waiting.about.dataset)
    is_same = waiting.how is not None and waiting.how.sheet == begun.table.name
    chosen = dict(waiting.how.columns) if waiting.how and is_same else dict(begun.how.columns)
    return _page(
        "columns",
        waiting=waiting,
        begun=begun,
        offers=arrivals.table(_home(waiting), sheet, encoding)[1],
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
    errand = underway.current(waiting)
    if elsewhere := _to_be_examined(waiting, errand):
        return elsewhere
    # What became of the last try to write stays to be read until something else is tried.
    is_failed = errand is not None and errand.do == work.WRITE
    problem = (errand.reason or Stopped()) if errand and is_failed else None
    return _findings_page(waiting, problem=problem)


def _to_be_examined(waiting: Waiting, errand: Errand | None) -> Response | None:
    """Where to go instead, while the rows have not been examined; None where they have, or soon are."""
    if _edition_of(waiting, errand):
        return _to("progress", waiting)
    if errand and errand.do == work.WRITE and not errand.is_over:
        return _to("progress", waiting)
    how, asked = waiting.how or How(), _question(waiting)
    if elsewhere := _to_be_read(waiting, how.sheet, how.encoding):
        return elsewhere
    if plans.is_examined(_home(waiting), asked) or not _is_long(waiting):
        return None
    is_same = errand and (errand.do, errand.key) == (work.EXAMINE, asked.key)
    if is_same and errand and errand.is_over and not errand.is_done:
        return _to("progress", waiting)
    begun = underway.examine(waiting, asked)
    return None if underway.waited(waiting, begun, seconds=_PATIENCE_S).is_done else _to("progress", waiting)


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
        others=[one for one in underway.others(but=_asking().id) if one.layer == waiting.layer],
        doing=_DOING,
        plan=plan,
        told=_told(plan) if plan else None,
        mark=plans.mark(session, plan) if plan else "",
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
    return doctor.plan(db.session(), exam, about, file=_file_of(waiting))


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
    if elsewhere := _to_be_examined(waiting, underway.current(waiting)):
        return elsewhere
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
    return packed.features(found)


@bp.get("/<language>/import/<token>/fixes.csv")
@signin.required(stewards.ROLE)
def fixes(token: str) -> ResponseReturnValue:
    waiting = _said(token)
    if elsewhere := _to_be_examined(waiting, underway.current(waiting)):
        return elsewhere
    return _file(written.fixes(_exam(waiting), tell=i18n.told), "fixes.csv", "text/csv")


@bp.get("/<language>/import/<token>/repaired")
@signin.required(stewards.ROLE)
def repaired(token: str) -> ResponseReturnValue:
    waiting = _said(token)
    if elsewhere := _to_be_examined(waiting, underway.current(waiting)):
        return elsewhere
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
    """Writes the plan that was shown, all or nothing; many rows in the background."""
    waiting, filled = _said(token), params.filled()
    if elsewhere := _to_be_examined(waiting, underway.current(waiting)):
        return elsewhere
    wish = Wish(
        account=_asking().id,
        shown=filled.get("plan", ""),
        leave_out=filled.get("leave_out") == "yes",
        note=" ".join(filled.get("note", "").split())[:500],
    )
    try:
        if _is_long(waiting):
            return _begun_to_be_written(waiting, wish)
        number = _written(waiting, wish)
    except LayersError as error:
        return _findings_page(waiting, problem=error)
    inbox.drop(_folder(), waiting.token)
    return redirect(context.page("imported.one", number=number, done=1), 303)


def _begun_to_be_written(waiting: Waiting, wish: Wish) -> Response:
    """Raises RowsRefused at once, since nobody need wait for that."""
    exam = _exam(waiting)
    refused = exam.counts[doctor.REFUSED]
    if refused and not wish.leave_out:
        raise RowsRefused(count=refused, total=exam.total)
    errand = underway.write(waiting, _question(waiting), wish)
    underway.waited(waiting, errand, seconds=_PATIENCE_S)
    return _to("progress", waiting)


def _written(waiting: Waiting, wish: Wish) -> int:
    house, origin, asked = db.house(), Origin(waiting.address, waiting.part), _question(waiting)
    db.close()  # A question that stands open would keep the writer from seeing what came meanwhile.
    return plans.write(
        *(house.engine, house.instance, _home(waiting), asked, wish), origin=origin, now=datetime.now(tz=UTC)
    )


# --- What every step needs


def _asking() -> Account:
    found = signin.account()
    if found is None:
        raise NotAllowed
    return found


def _folder() -> Path:
    return Path(current_app.config["STATE"]) / "inbox"


def _home(waiting: Waiting) -> Path:
    return inbox.home(_folder(), waiting)


def _file_of(waiting: Waiting) -> Path:
    found = arrivals.file(_home(waiting))
    if found is None:
        raise inbox.Gone
    return found


def _to(step: str, waiting: Waiting) -> Response:
    """To a step of an import, after a form or instead of another one."""
    made: Any = redirect(context.page(f"importing.{step}", token=waiting.token), 303)
    return cast(Response, made)


def _waiting(token: str) -> Waiting:
    waiting = inbox.find(_folder(), token, account=_asking().id)
    stewards.check(layer=waiting.layer)
    return waiting


def _said(token: str) -> Waiting:
    waiting = _waiting(token)
    if waiting.how is None:
        raise NothingSaid
    return waiting


def _is_small(waiting: Waiting) -> bool:
    file = _file_of(waiting)
    return underway.is_small(file.stat().st_size, file.name)


def _is_long(waiting: Waiting) -> bool:
    """Whether examining and writing the rows takes more than a moment: there are many, or they are large."""
    how = waiting.how or How()
    rows = arrivals.table(_home(waiting), how.sheet, how.encoding)[0].rows
    return rows > _LONG_ROWS or not _is_small(waiting)


def _question(waiting: Waiting) -> Question:
    state = repr(db.revisions())
    return Question(waiting.layer, waiting.about, waiting.how or How(), params.today(), state)


def _begun(waiting: Waiting, sheet: str, encoding: str) -> Begun:
    how = How(sheet=sheet or arrivals.first(_home(waiting), encoding), encoding=encoding)
    asked = Question(waiting.layer, waiting.about, how, params.today())
    return _begun_of(db.house(), db.revisions(), _home(waiting), json.dumps(asked.as_dict()))


@lru_cache(maxsize=4)
def _begun_of(house: House, _revisions: Revisions, home: Path, said: str) -> Begun:
    """A file as it was begun to be read, kept: each page of it asks. `said` is all that decides."""
    return plans.begin(db.session(), house.instance, home, plans.question(json.loads(said)))


def _exam(waiting: Waiting) -> Exam:
    return _exam_of(db.house(), _home(waiting), json.dumps(_question(waiting).as_dict()))


@lru_cache(maxsize=2)
def _exam_of(house: House, home: Path, said: str) -> Exam:
    """A file, examined, and kept: map, downloads and the write ask for it. `said` is all that decides."""
    return plans.examine(db.session(), house.instance, home, plans.question(json.loads(said)))


def _page(name: str, *, problem: LayersError | None = None, **more: Any) -> Response:
    said = ""
    if problem:
        values = {
            key: f"{one[:60]}…" if isinstance(one, str) and len(one) > 80 else one
            for key, one in problem.values.items()
        }
        said = gettext(problem.text).format(**values)
    html = render_template(
        f"importing/{name}.html",
        asking=_asking(),
        problem=said,
        told_in=i18n.told,
        percent=_percent,
        stage=intake.stage,
        **more,
    )
    response = make_response(html, 422 if problem else 200)
    response.headers["Cache-Control"] = "private, no-store"
    return response
