"""Editing in the browser: stewards correct what is told, partners propose, everything is undone.

What may be edited are organisations, areas and cases (whose form `webmap.casework` knows). All of it stands
under /edit, and public pages know nothing of who asks: a link that only some may see would make every public
page private. Whoever edits begins with the list here, or writes /edit before the address of what is to be
edited; the page of a case leads everybody to its form, which asks who one is. The footer of every page leads
to one's own page, and that one here.

Nothing is written at the first click: the page shows field by field what would change, and what was done
to it; the second click writes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import shapely
from flask import Blueprint, Response, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import edits, geo, letters, places, proposals
from layers.accounts import Account
from layers.doctor import fields as doctor_fields
from layers.edits import (
    CASE,
    CORRECT,
    END,
    FROM_DAY,
    NEW,
    Change,
    Clash,
    Line,
    NothingChanged,
    Prepared,
    Thing,
    Wrong,
)
from layers.errors import N_, AreaNotFound, CaseNotFound, Invalid, NotAllowed, Sentence
from layers.proposals import Proposed
from webmap import caseform, casework, context, db, differences, drawn, i18n, names, packed, params, signin
from webmap.account import frame

bp = Blueprint("editing", __name__)
_WAYS = {
    CORRECT: N_("It was always so: correct a mistake"),
    FROM_DAY: N_("It is so from a day on: what was before stays in the history"),
    END: N_("It ends on a day"),
}
_OWN = {
    "as_of_inferred": N_("The date is an inference, not told by the source"),
    "accuracy": N_("Accuracy"),
    "shape": N_("Shape"),
    "code": N_("Code"),
    "lat": N_("Latitude"),
    "lon": N_("Longitude"),
    "day": N_("Day of the change or end"),
    "note": N_("Why it is changed, and how you know"),
}
_HINTS = {
    "serves": N_("Areas by kind and code, with a semicolon between: county:0087;municipality:0184"),
    "settlement": N_("Its name, or its code where two have the same name."),
    "valid_from": N_("2018, 2018-05 or 2018-05-29; blank when not known."),
    "valid_to": N_("The first day on which it is no more; blank while it lasts."),
    "as_of": N_("The day of which the source tells."),
    "parent": N_("By kind and code: county:0087"),
    "source": N_("Who says so: an office, a page, a visit. No names of people."),
    "lat": N_("Degrees of WGS 84, or click on the map."),
    "shape": N_("GeoJSON or WKT in degrees of WGS 84. Blank: the shape stays as it is."),
    "day": N_("Needed for a change or an end: 2018, 2018-05 or 2018-05-29."),
    "note": N_("Other stewards read it. Leave out names, telephone numbers and addresses of people."),
}
_CODES = {"form": "forms", "readiness": "readiness", "precision": "precision"}
_LONG = ("note_", "shape")
_ROOM = 20_000
"""Corners of neighbours that are sent at once."""


@dataclass(frozen=True)
class Field:
    """One field of the form. `options` are value → words; `wrong` is what to mend in it."""

    name: str
    title: str
    value: str
    kind: str = "text"
    hint: str = ""
    wrong: str = ""
    options: Mapping[str, str] | None = None
    needed: bool = False


# --- What to edit


@bp.get("/<language>/edit")
@signin.required("partner")
def start() -> ResponseReturnValue:
    who, words = _who(), params.words(params.arguments(), "q")
    session, instance = db.session(), db.instance()
    return _private(
        "edit/start.html",
        words=words,
        found=[(table, key, name, address(table, key)) for table, key, name in _found(words)],
        layers=[one for one in instance.layers if one.of in ("bodies", "areas", "cases")],
        latest=edits.latest(session),
        is_steward=_is_steward(who),
        waiting=len(proposals.waiting(session)) if _is_steward(who) else 0,
        mine=proposals.of(session, who.label),
    )


def _found(words: str) -> list[tuple[str, str, str]]:
    return edits.matches(db.session(), db.instance(), words) if words else []


# --- The form


@bp.route("/<language>/edit/body/new", methods=["GET", "POST"])
@signin.required("partner")
def new_body() -> ResponseReturnValue:
    layer = db.instance().layer(params.arguments().get("layer", ""))
    if layer.of != "bodies":
        raise AreaNotFound(kind=layer.key, code="")
    return _edit(edits.new(db.session(), "body", layer.key))


@bp.route("/<language>/edit/body/<key>", methods=["GET", "POST"])
@signin.required("partner")
def body(key: str) -> ResponseReturnValue:
    return _edit(edits.body(db.session(), db.instance(), key))


@bp.route("/<language>/edit/area/<kind>/new", methods=["GET", "POST"])
@signin.required("partner")
def new_area(kind: str) -> ResponseReturnValue:
    layer = edits.layer_of_kind(db.instance(), kind)
    return _edit(edits.new(db.session(), "area", layer.key))


@bp.route("/<language>/edit/area/<kind>/<code>", methods=["GET", "POST"])
@signin.required("partner")
def area(kind: str, code: str) -> ResponseReturnValue:
    return _edit(edits.area(db.session(), db.instance(), kind, code))


@bp.get("/<language>/edit/area/<kind>/<code>.geojson")
@signin.required("partner")
def shape(kind: str, code: str) -> ResponseReturnValue:
    """The shape of an area as it is told now, whole, to be drawn anew."""
    thing = edits.area(db.session(), db.instance(), kind, code)
    start = params.arguments().get("state", thing.states[-1].valid_from)
    state = thing.state(start) or thing.states[-1]
    degrees = geo.to_degrees([state.row.values["geom"]], srid=db.instance().metric_crs)
    return _geojson(degrees[0])


@bp.get("/<language>/edit/area/<kind>/around.geojson")
@signin.required("partner")
def around(kind: str) -> ResponseReturnValue:
    """The other areas of a kind in a frame, whole, so that corners can be set on their borders.

    Those of so many corners that a browser can look through them at every move; where there are more, the
    ones with the fewest.
    """
    edits.layer_of_kind(db.instance(), kind)
    args = params.arguments()
    but, frame_ = args.get("but", ""), params.frame(args)
    found = places.shapes(db.session(), kind, as_of=params.today(), bbox=frame_) if frame_ else []
    shapes = sorted((one for area, one in found if area.code != but), key=shapely.get_num_coordinates)
    room = accumulate(int(shapely.get_num_coordinates(one)) for one in shapes)
    return _geojson(
        shapely.geometrycollections(
            [one for one, corners in zip(shapes, room, strict=True) if corners <= _ROOM]
        )
    )


def _geojson(shape: Any) -> Response:
    rounded = shapely.transform(shape, lambda corners: corners.round(7))
    response = packed.geojson(shapely.to_geojson(rounded))
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.route("/<language>/edit/case/new", methods=["GET", "POST"])
@signin.required("partner")
def new_case() -> ResponseReturnValue:
    layer = next((one.key for one in db.instance().layers_of("cases")), "")
    if not layer:
        raise CaseNotFound(key="new")
    return _edit(edits.new(db.session(), CASE, layer))


@bp.route("/<language>/edit/case/<key>", methods=["GET", "POST"])
@signin.required("partner")
def case(key: str) -> ResponseReturnValue:
    return _edit(edits.case(db.session(), db.instance(), key))


@bp.get("/<language>/edit/case/<key>/files")
@signin.required("partner")
def case_files(key: str) -> ResponseReturnValue:
    """The newest state of a case as the files that stand for it in the instance's folder."""
    state = edits.case(db.session(), db.instance(), key).states[-1]
    response = caseform.given(edits.files(db.instance(), key, state.cells, base=state.row))
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _edit(thing: Thing) -> ResponseReturnValue:
    who, sent = _who(), params.filled()
    _allow(who, thing, [state.row for state in thing.states], "partner")
    if not sent:
        return _form(thing, _begun(thing), seen=thing.seen)
    if thing.table == CASE and params.is_part(params.arguments()):
        return _private("parts/quality.html", **casework.measured(sent))
    change, told = _sent(thing)
    seen, note, do = _number(sent.get("seen", "")), sent.get("note", ""), sent.get("do", "")
    try:
        if do in ("back", "more"):
            return _form(thing, change, seen=seen, note=note, do=do)
        _need(note)
        if do == "save":
            return _save(who, thing, change, seen=seen, note=note)
        prepared = _prepared(db.session(), thing, change, seen=seen)
        _allow(who, thing, prepared.rows, "partner")
        if do == "propose":
            return _propose(who, prepared, seen=seen, note=note)
    except Clash as clash:
        db.session().rollback()  # What this session has read so far is not what is told now.
        return _form(clash.present, clash.merged, seen=clash.present.seen, note=note, clash=clash, status=409)
    except Wrong as wrong:
        return _form(thing, change, seen=seen, note=note, wrong=wrong, status=422)
    except Invalid as error:
        said = i18n.told(error)
        return _form(thing, change, seen=seen, note=note, problem=said, status=422)
    return _private(
        "edit/review.html",
        thing=thing,
        prepared=prepared,
        lines=_lines(thing, prepared.lines),
        told=[i18n.told(one) for one in (*told, *prepared.told)],
        hidden=_hidden(change, seen=seen, note=note),
        note=note,
        title=_title(thing),
        way=_ways(thing.table).get(change.way, ""),
        may_write=_may(who, thing, prepared.rows, "steward"),
    )


def _prepared(session: Any, thing: Thing, change: Change, *, seen: int) -> Prepared:
    """Raises Wrong with all that is wrong: of a case also what the form for a new one would say."""
    told = casework.faults(change, thing.state(change.state)) if thing.table == CASE else []
    try:
        prepared = edits.prepare(session, db.instance(), change, seen=seen, today=params.today())
    except Wrong as wrong:
        if thing.table != CASE:
            raise
        raise Wrong(casework.joined(told, wrong.faults)) from wrong
    except NothingChanged as same:
        if not told:
            raise
        raise Wrong(told) from same
    if told:
        raise Wrong(told)
    return prepared


def _ways(table: str) -> Mapping[str, str]:
    return casework.WAYS if table == CASE else _WAYS


def _need(note: str) -> None:
    if not note.strip():
        what, remedy = Sentence("It is empty."), Sentence("Fill it in.")
        raise Wrong([edits.Fault("note", what, remedy)])


def _save(who: Account, thing: Thing, change: Change, *, seen: int, note: str) -> ResponseReturnValue:
    with db.writing() as session:
        prepared = _prepared(session, thing, change, seen=seen)
        if not edits.may(session, who, "steward", layer=prepared.thing.layer, rows=prepared.rows):
            raise NotAllowed
        edits.write(session, db.instance(), prepared, account=who.label, note=note, now=signin.desk().clock())
        session.commit()
    return redirect(address(change.table, prepared.outcome.rows[0].key) + "#history", 303)


def _propose(who: Account, prepared: Prepared, *, seen: int, note: str) -> ResponseReturnValue:
    with db.writing() as session:
        now = signin.desk().clock()
        proposals.propose(session, prepared, seen=seen, label=who.label, note=note, now=now)
        session.commit()
    return redirect(context.page("editing.start", as_of=None, known=None) + "#mine", 303)


def _begun(thing: Thing) -> Change:
    """The form as it is when one comes: of the newest state, or of the one that the address names."""
    if not thing.states:
        return Change(thing.table, "", thing.layer, NEW, cells={"precision": "", "accuracy": "approximate"})
    start = params.arguments().get("from", thing.states[-1].valid_from)
    state = thing.state(start) or thing.states[-1]
    return Change(thing.table, thing.key, thing.layer, CORRECT, state.valid_from, "", state.cells)


def _sent(thing: Thing) -> tuple[Change, list[Sentence]]:
    sent = params.filled()
    cells = (
        casework.sent(sent, is_new=not thing.key)
        if thing.table == CASE
        else {
            name: sent.get(name, "") for name in edits.columns_of(db.instance(), thing.table) if name in sent
        }
    )
    if thing.table == "body":
        cells["capabilities"] = ";".join(filter(None, sent.getlist("capabilities")))
        cells["as_of_inferred"] = sent.get("as_of_inferred", "")
    elif thing.table == "area" and not thing.key:
        cells["code"] = sent.get("code", "")
    told = _by_name(cells)
    way = sent.get("way", CORRECT) if thing.states else NEW
    way = way if way in (*_WAYS, NEW) else CORRECT
    return Change(
        thing.table, thing.key, thing.layer, way, sent.get("state", ""), sent.get("day", "").strip(), cells
    ), told


def _by_name(cells: dict[str, str]) -> list[Sentence]:
    """Puts the code of a settlement in the place of its name, where there is one only."""
    said = cells.get("settlement", "").strip()
    if not said:
        return []
    known = places.settlements(db.session(), as_of=params.today())
    if any(one.key == said for one in known):
        return []
    wanted, around = letters.fold(said), {cells.get("municipality"), cells.get("county")} - {"", None}
    named = [one for one in known if letters.fold(one.name) == wanted]
    inside = [one for one in named if {one.municipality, one.county} & around] or named
    if len(inside) != 1:
        return []
    cells["settlement"] = inside[0].key
    return [Sentence("“{text}” is the settlement {code}.", text=said, code=inside[0].key)]


def _hidden(change: Change, *, seen: int, note: str) -> list[tuple[str, str]]:
    """The whole form again, for the button that writes it."""
    about = {"way": change.way, "state": change.state, "day": change.day, "seen": str(seen), "note": note}
    if change.table == CASE:
        return [*casework.pairs(change.cells), *about.items()]
    cells = dict(change.cells)
    several = [("capabilities", code) for code in cells.pop("capabilities", "").split(";") if code]
    return [*cells.items(), *several, *about.items()]


def _form(
    thing: Thing,
    change: Change,
    *,
    seen: int,
    note: str = "",
    wrong: Wrong | None = None,
    clash: Clash | None = None,
    problem: str = "",
    status: int = 200,
    do: str = "",
) -> Response:
    faults = _faults(wrong)
    is_case = thing.table == CASE
    return _private(
        "edit/form.html",
        status=status,
        thing=thing,
        change=change,
        seen=seen,
        fields=[] if is_case else _fields(thing, change, faults),
        **(casework.page(thing, change, faults, do) if is_case else {}),
        day=Field("day", _label(thing, "day"), change.day, hint=_hint("day"), wrong=faults.get("day", "")),
        note=Field(
            "note",
            _label(thing, "note"),
            note,
            "long",
            _hint("note"),
            faults.get("note", ""),
            needed=True,
        ),
        ways=_ways(thing.table),
        title=_title(thing),
        general=faults.get("", ""),
        wrong=wrong,
        faults=[(name, _label(thing, name), said) for name, said in faults.items() if name],
        problem=problem or (i18n.told(clash) if clash else ""),
        clash=_lines(thing, clash.lines) if clash else [],
        history=edits.history(db.session(), db.instance(), thing.table, thing.key) if thing.key else [],
        lines=lambda lines: _lines(thing, lines),
        is_steward=_is_steward(_who()),
        public=_public(thing),
        ground=_ground(thing),
    )


def _faults(wrong: Wrong | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in wrong.faults if wrong else ():
        said = " ".join(i18n.told(part) for part in (one.what, one.remedy) if part)
        found[one.field] = f"{found[one.field]} {said}" if one.field in found else said
    return found


def _fields(thing: Thing, change: Change, faults: Mapping[str, str]) -> list[Field]:
    names_ = edits.columns_of(db.instance(), thing.table)
    if thing.table == "area" and not thing.key:
        names_ = ("code", *names_)
    return [
        Field(
            name,
            _label(thing, name),
            change.cells.get(name, ""),
            _kind(name),
            _hint(name),
            faults.get(name, ""),
            _options(thing, name, change.cells.get(name, "")),
            needed=name in ("name", "form", "source", "code"),
        )
        for name in names_
    ]


def _kind(name: str) -> str:
    if name == "capabilities":
        return "several"
    if name == "as_of_inferred":
        return "tick"
    if name in (*_CODES, "accuracy", "municipality", "county"):
        return "one"
    return "long" if name.startswith(_LONG) else "text"


def _options(thing: Thing, name: str, value: str) -> Mapping[str, str] | None:
    instance = db.instance()
    if name == "accuracy":
        return {"approximate": str(gettext(N_("approximate"))), "official": str(gettext(N_("official")))}
    if name in ("municipality", "county"):
        found = {"": "–", **dict(sorted(names.codes(name).items(), key=lambda one: letters.fold(one[1])))}
    elif name in (*_CODES, "capabilities"):
        group = _CODES.get(name, name)
        found = {code: i18n.label(group, code) for code in instance.codes.get(group, {})}
        finest = instance.layer(thing.layer).finest
        if name == "precision" and finest:
            found = {code: words for code, words in found.items() if code in finest}
        if name in ("readiness", "precision"):
            found = {"": "–", **found}
    else:
        return None
    # What is told already stays choosable, though no one may choose it anew.
    return found if name == "capabilities" or value in found or not value else {**found, value: value}


def _label(thing: Thing, name: str) -> str:
    if thing.table == CASE and name not in ("day", "note"):
        return casework.label(name)
    if name in _OWN:
        return str(gettext(_OWN[name]))
    field = doctor_fields.target(db.instance(), thing.layer).fields.get(name)
    if field is None and name == "source_url":
        return str(gettext(N_("Address of the source")))
    return i18n.told(field.label) if field else name


def _hint(name: str) -> str:
    return str(gettext(_HINTS[name])) if name in _HINTS else ""


def _lines(thing: Thing, lines: Iterable[Line]) -> list[Line]:
    """Lines with the words of their fields and codes."""
    say = casework.said if thing.table == CASE else _said
    return [
        replace(
            one,
            field=_label(thing, one.field),
            before=say(one.field, one.before),
            after=say(one.field, one.after),
            present=say(one.field, one.present),
        )
        for one in lines
    ]


def _said(name: str, value: str) -> str:
    group = _CODES.get(name, name)
    if name in (*_CODES, "capabilities") and value:
        return ", ".join(i18n.label(group, code) for code in value.split(";"))
    if name in ("municipality", "county") and value:
        return f"{names.area(f'{name}:{value}')} ({value})"
    return value


def _title(thing: Thing) -> str:
    if not thing.states:
        return str(gettext(N_("New: {layer}"))).format(
            layer=i18n.plain(db.instance().layer(thing.layer).label)
        )
    said = thing.states[-1].row.values
    own = said.get("name") or i18n.plain(said["titles" if thing.table == CASE else "names"])
    return own or thing.key


def _ground(thing: Thing) -> list[str]:
    """Addresses of what the map of the form draws below: the land, and the areas of the kind."""
    instance, state = db.instance(), dict(db.revisions())
    wanted = ["land"] if "land" in instance.resources else []
    shown = [one.key for one in instance.layers_of("areas") if one.shown or one.key == thing.layer]
    return [
        drawn.address(name, revision=state.get(name, 0), language=i18n.language(), when={}, step="middle")
        for name in (*wanted, *shown)
    ]


# --- Taking back


@bp.post("/<language>/edit/undo/<int:number>")
@signin.required("steward")
def undo(number: int) -> ResponseReturnValue:
    who = _who()
    with db.writing() as session:
        about = edits.touched(session, number)
        for table, key in about:
            _allow_all(session, who, table, key)
        note = str(params.filled().get("note", ""))
        edits.undo(session, db.instance(), number, now=signin.desk().clock(), account=who.label, note=note)
        for table, key in about:
            _allow_all(session, who, table, key)
        session.commit()
    back = address(*about[0]) + "#history" if about and _is_told(*about[0]) else context.page("editing.start")
    return redirect(back, 303)


def _allow_all(session: Any, who: Account, table: str, key: str) -> None:
    thing = edits.thing(session, db.instance(), table, key)
    rows = [state.row for state in thing.states]
    if not edits.may(session, who, "steward", layer=thing.layer, rows=rows):
        raise NotAllowed


def _is_told(table: str, key: str) -> bool:
    return bool(edits.thing(db.session(), db.instance(), table, key).states)


# --- Proposals


@bp.get("/<language>/edit/proposals")
@signin.required("steward")
def queue() -> ResponseReturnValue:
    waiting = [(one, _title(_of(one.change)), one.change.way) for one in proposals.waiting(db.session())]
    return _private("edit/proposals.html", waiting=waiting)


@bp.route("/<language>/edit/proposals/<int:number>", methods=["GET", "POST"])
@signin.required("steward")
def proposal(number: int) -> ResponseReturnValue:
    found, who, sent = proposals.one(db.session(), number), _who(), params.filled()
    try:
        if sent.get("do") == "decline":
            return _decline(who, found, sent.get("reason", ""))
        if sent.get("do") == "accept":
            return _accept(who, found)
    except (Clash, Wrong):
        db.session().rollback()
        return _proposal(found, status=409)
    except Invalid as error:
        return _proposal(found, problem=i18n.told(error), status=422)
    return _proposal(found)


def _accept(who: Account, found: Proposed) -> ResponseReturnValue:
    sent = params.filled()
    cells, seen = None, None
    if sent.get("cells"):
        cells, seen = _kept_cells(sent["cells"]), _number(sent.get("seen", ""))
    with db.writing() as session:
        now = signin.desk().clock()
        _, prepared = proposals.accept(
            session,
            db.instance(),
            found.id,
            by=who.label,
            now=now,
            seen=seen,
            cells=cells,
            today=params.today(),
        )
        if not edits.may(session, who, "steward", layer=prepared.thing.layer, rows=prepared.rows):
            raise NotAllowed
        session.commit()
    return redirect(address(found.change.table, prepared.outcome.rows[0].key) + "#history", 303)


def _kept_cells(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _decline(who: Account, found: Proposed, reason: str) -> ResponseReturnValue:
    thing = _of(found.change)
    _allow(who, thing, [state.row for state in thing.states], "steward")
    with db.writing() as session:
        now = signin.desk().clock()
        proposals.decline(session, found.id, by=who.label, reason=reason, now=now)
        session.commit()
    return redirect(context.page("editing.queue", as_of=None, known=None), 303)


def _proposal(found: Proposed, *, problem: str = "", status: int = 200) -> Response:
    """A proposal as a comparison: with what is told now, and with what its writer saw where that differs."""
    thing, lines, told, clash, cells, seen = _of(found.change), [], [], [], "", 0
    if found.state == proposals.OPEN:
        try:
            prepared = edits.prepare(
                db.session(), db.instance(), found.change, seen=found.seen, today=params.today()
            )
            lines, told = _lines(thing, prepared.lines), [i18n.told(one) for one in prepared.told]
        except Clash as error:
            clash, seen = _lines(thing, error.lines), error.present.seen
            cells = json.dumps(dict(error.merged.cells), ensure_ascii=False)
        except Wrong as error:
            problem = " ".join(_faults(error).values())
        except Invalid as error:
            problem = i18n.told(error)
    return _private(
        "edit/proposal.html",
        status=status,
        proposal=found,
        title=_title(thing),
        lines=lines,
        told=told,
        clash=clash,
        cells=cells,
        seen=seen,
        problem=problem,
        way=_ways(thing.table).get(found.change.way, ""),
        public=_public(thing),
    )


def _of(change: Change) -> Thing:
    session, instance = db.session(), db.instance()
    if not change.key:
        return edits.new(session, change.table, change.layer)
    return edits.thing(session, instance, change.table, change.key)


# --- Shared


def address(table: str, key: str) -> str:
    """The page on which a thing is edited."""
    when = {"as_of": None, "known": None}
    if table == "body":
        return context.page("editing.body", key=key, **when)
    if table == CASE:
        return context.page("editing.case", key=key, **when)
    kind, _, code = key.partition(":")
    return context.page("editing.area", kind=kind, code=code, **when)


def _public(thing: Thing) -> str:
    if not thing.states:
        return ""
    if thing.table == "body":
        return context.page("body", key=thing.key)
    if thing.table == CASE:
        return context.page("case", key=thing.key)
    kind, _, code = thing.key.partition(":")
    return context.page("area", kind=kind, code=code)


def _who() -> Account:
    found = signin.account()
    if found is None:
        raise NotAllowed
    return found


def _is_steward(who: Account) -> bool:
    return who.role in ("steward", "admin")


def _may(who: Account, thing: Thing, rows: Sequence[Any], role: str) -> bool:
    return edits.may(db.session(), who, role, layer=thing.layer, rows=[*rows])


def _allow(who: Account, thing: Thing, rows: Sequence[Any], role: str) -> None:
    if not _may(who, thing, rows, role):
        raise NotAllowed


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _private(template: str, *, status: int = 200, **words: Any) -> Response:
    response = make_response(
        render_template(
            template, edit_address=address, moment=frame.moment, pieces=differences.pieces, **words
        ),
        status,
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response
