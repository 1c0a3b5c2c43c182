"""Stewards decide on what partners propose: accepted, also over what came meanwhile, or declined."""

import json

from flask import Response, redirect
from flask.typing import ResponseReturnValue

from layers import edits, proposals
from layers.accounts import Account
from layers.edits import Change, Clash, Thing, Wrong
from layers.errors import Invalid
from layers.proposals import Proposed
from webmap import context, db, i18n, params, signin
from webmap.editing import frame, labels
from webmap.editing.frame import bp


@bp.get("/<language>/edit/proposals")
@signin.required("steward")
def queue() -> ResponseReturnValue:
    waiting = [
        (one, labels.title(_of(one.change)), one.change.way) for one in proposals.waiting(db.session())
    ]
    return frame.page("edit/proposals.html", waiting=waiting)


@bp.route("/<language>/edit/proposals/<int:number>", methods=["GET", "POST"])
@signin.required("steward")
def proposal(number: int) -> ResponseReturnValue:
    found, who, sent = proposals.one(db.session(), number), signin.asking(), params.filled()
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
        cells, seen = _kept_cells(sent["cells"]), frame.number(sent.get("seen", ""))
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
        frame.allow(session, who, "steward", prepared.thing, prepared.rows)
        session.commit()
    return frame.to_history(found.change.table, prepared.outcome.rows[0].key)


def _kept_cells(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _decline(who: Account, found: Proposed, reason: str) -> ResponseReturnValue:
    frame.allow(db.session(), who, "steward", _of(found.change))
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
            lines, told = labels.lines(thing, prepared.lines), [i18n.told(one) for one in prepared.told]
        except Clash as error:
            clash, seen = labels.lines(thing, error.lines), error.present.seen
            cells = json.dumps(dict(error.merged.cells), ensure_ascii=False)
        except Wrong as error:
            problem = " ".join(labels.faults(error).values())
        except Invalid as error:
            problem = i18n.told(error)
    return frame.page(
        "edit/proposal.html",
        status=status,
        proposal=found,
        title=labels.title(thing),
        lines=lines,
        told=told,
        clash=clash,
        cells=cells,
        seen=seen,
        problem=problem,
        way=labels.ways(thing.table).get(found.change.way, ""),
        public=frame.public(thing),
    )


def _of(change: Change) -> Thing:
    session, instance = db.session(), db.instance()
    if not change.key:
        return edits.new(session, change.table, change.layer)
    return edits.thing(session, instance, change.table, change.key)
