"""The plan that was shown is written, all or nothing; many rows in the background."""

from datetime import UTC, datetime

from flask import Response, redirect
from flask.typing import ResponseReturnValue

from layers import doctor
from layers.arrivals import Origin, plans
from layers.arrivals.plans import RowsRefused, Wish
from layers.errors import LayersError
from webmap import context, db, inbox, params, signin, stewards, underway
from webmap.importing import exams, findings, frame, patience
from webmap.importing.frame import bp
from webmap.inbox import Waiting


@bp.post("/<language>/import/<token>/write")
@signin.required(stewards.ROLE)
@patience.examined
def write(waiting: Waiting) -> ResponseReturnValue:
    """Writes the plan that was shown, all or nothing; many rows in the background."""
    filled = params.filled()
    wish = Wish(
        account=signin.asking().id,
        shown=filled.get("plan", ""),
        leave_out=filled.get("leave_out") == "yes",
        note=" ".join(filled.get("note", "").split())[:500],
    )
    try:
        if patience.is_long(waiting):
            return _begun_to_be_written(waiting, wish)
        number = _written(waiting, wish)
    except LayersError as error:
        return findings.show(waiting, problem=error)
    inbox.drop(inbox.here(), waiting.token)
    return redirect(context.page("imported.one", number=number, done=1), 303)


def _begun_to_be_written(waiting: Waiting, wish: Wish) -> Response:
    """Raises RowsRefused at once, since nobody need wait for that."""
    exam = exams.exam(waiting)
    refused = exam.counts[doctor.REFUSED]
    if refused and not wish.leave_out:
        raise RowsRefused(count=refused, total=exam.total)
    errand = underway.write(waiting, exams.question(waiting), wish)
    patience.waited(waiting, errand)
    return frame.to("progress", waiting)


def _written(waiting: Waiting, wish: Wish) -> int:
    house, origin, asked = db.house(), Origin(waiting.address, waiting.part), exams.question(waiting)
    db.close()  # A question that stands open would keep the writer from seeing what came meanwhile.
    return plans.write(
        *(house.engine, house.instance, underway.home(waiting), asked, wish),
        origin=origin,
        now=datetime.now(tz=UTC),
    )
