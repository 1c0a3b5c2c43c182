"""Organisations, areas and cases: the form, what it would change, and then written or proposed."""

from typing import Any

from flask import redirect
from flask.typing import ResponseReturnValue

from layers import edits, proposals
from layers.accounts import Account
from layers.edits import CASE, Change, Clash, NothingChanged, Prepared, Thing, Wrong
from layers.errors import AreaNotFound, CaseNotFound, Invalid, Sentence
from webmap import caseform, casework, context, db, i18n, params, signin
from webmap.editing import changes, form, frame, labels
from webmap.editing.frame import bp


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
    return caseform.given(edits.files(db.instance(), key, state.cells, base=state.row))


def _edit(thing: Thing) -> ResponseReturnValue:
    who, sent = signin.asking(), params.filled()
    frame.allow(db.session(), who, "partner", thing)
    if not sent:
        return form.show(thing, changes.begun(thing), seen=thing.seen)
    if thing.table == CASE and params.is_part(params.arguments()):
        return frame.page("parts/quality.html", **casework.measured(sent))
    change, told = changes.sent(thing)
    seen, note, do = frame.number(sent.get("seen", "")), sent.get("note", ""), sent.get("do", "")
    try:
        if do in ("back", "more"):
            return form.show(thing, change, seen=seen, note=note, do=do)
        _need(note)
        if do == "save":
            return _save(who, thing, change, seen=seen, note=note)
        prepared = _prepared(db.session(), thing, change, seen=seen)
        frame.allow(db.session(), who, "partner", thing, prepared.rows)
        if do == "propose":
            return _propose(who, prepared, seen=seen, note=note)
    except Clash as clash:
        db.session().rollback()  # What this session has read so far is not what is told now.
        return form.show(
            clash.present, clash.merged, seen=clash.present.seen, note=note, clash=clash, status=409
        )
    except Wrong as wrong:
        return form.show(thing, change, seen=seen, note=note, wrong=wrong, status=422)
    except Invalid as error:
        said = i18n.told(error)
        return form.show(thing, change, seen=seen, note=note, problem=said, status=422)
    return frame.page(
        "edit/review.html",
        thing=thing,
        prepared=prepared,
        lines=labels.lines(thing, prepared.lines),
        told=[i18n.told(one) for one in (*told, *prepared.told)],
        hidden=changes.hidden(change, seen=seen, note=note),
        note=note,
        title=labels.title(thing),
        way=labels.ways(thing.table).get(change.way, ""),
        may_write=frame.may(db.session(), who, "steward", thing, prepared.rows),
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


def _need(note: str) -> None:
    """Raises Wrong where it is not said why."""
    if not note.strip():
        what, remedy = Sentence("It is empty."), Sentence("Fill it in.")
        raise Wrong([edits.Fault("note", what, remedy)])


def _save(who: Account, thing: Thing, change: Change, *, seen: int, note: str) -> ResponseReturnValue:
    with db.writing() as session:
        prepared = _prepared(session, thing, change, seen=seen)
        frame.allow(session, who, "steward", prepared.thing, prepared.rows)
        edits.write(session, db.instance(), prepared, account=who.label, note=note, now=signin.desk().clock())
        session.commit()
    return frame.to_history(change.table, prepared.outcome.rows[0].key)


def _propose(who: Account, prepared: Prepared, *, seen: int, note: str) -> ResponseReturnValue:
    with db.writing() as session:
        now = signin.desk().clock()
        proposals.propose(session, prepared, seen=seen, label=who.label, note=note, now=now)
        session.commit()
    return redirect(context.page("editing.start", as_of=None, known=None) + "#mine", 303)
