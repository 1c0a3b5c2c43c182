"""What became of the rows and what would change, as a page and as files to take along."""

from flask import Response
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import doctor
from layers.arrivals import plans, work
from layers.arrivals.plans import Stopped
from layers.doctor import written
from layers.errors import LayersError
from webmap import db, i18n, signin, stewards, underway
from webmap.importing import changes, exams, frame, patience, preview
from webmap.importing.frame import bp
from webmap.inbox import Waiting
from webmap.planning import chart


@bp.get("/<language>/import/<token>/findings")
@signin.required(stewards.ROLE)
def findings(token: str) -> ResponseReturnValue:
    waiting = frame.described(token)
    errand = underway.current(waiting)
    if elsewhere := patience.to_be_examined(waiting, errand):
        return elsewhere
    # What became of the last try to write stays to be read until something else is tried.
    is_failed = errand is not None and errand.do == work.WRITE
    problem = (errand.reason or Stopped()) if errand and is_failed else None
    return show(waiting, problem=problem)


def show(waiting: Waiting, *, problem: LayersError | None = None) -> Response:
    """The page, with what came of a try to write where that is a problem."""
    session, exam = db.session(), exams.exam(waiting)
    plan = None
    try:
        plan = exams.plan(waiting, exam)
    except LayersError as error:
        problem = problem or error
    rows = [one for one in exam.findings if one.row]
    sorts = [
        (state, [one for one in rows if one.state == state]) for state in (doctor.REFUSED, doctor.REPAIRED)
    ]
    layer = db.instance().layer(waiting.layer)
    return frame.page(
        "findings",
        problem=problem,
        waiting=waiting,
        exam=exam,
        whole=[one for one in exam.findings if not one.row],
        sorts=sorts,
        shown=changes.SHOWN,
        others=[one for one in underway.others(but=signin.asking().id) if one.layer == waiting.layer],
        doing=frame.DOING,
        plan=plan,
        told=changes.told(plan) if plan else None,
        mark=plans.mark(session, plan) if plan else "",
        layer=layer,
        chart=chart.chart() if plan else None,
        states={key: gettext(title) for key, title in changes.STATES.items()},
        marks=preview.MARKS[layer.of],
        on_map=preview.MOST,
        listed=changes.listed(plan, exam) if plan else (),
        bounds=preview.bounds(exam) if plan else "",
    )


@bp.get("/<language>/import/<token>/fixes.csv")
@signin.required(stewards.ROLE)
@patience.examined
def fixes(waiting: Waiting) -> ResponseReturnValue:
    return _file(written.fixes(exams.exam(waiting), tell=i18n.told), "fixes.csv", "text/csv")


@bp.get("/<language>/import/<token>/repaired")
@signin.required(stewards.ROLE)
@patience.examined
def repaired(waiting: Waiting) -> ResponseReturnValue:
    name, text = written.repaired(exams.exam(waiting), db.instance())
    return _file(text, name, "text/csv" if name.endswith(".csv") else "application/geo+json")


def _file(text: str, name: str, mimetype: str) -> Response:
    response = Response(text, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
