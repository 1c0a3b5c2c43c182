"""How far it is, and what a person decides meanwhile."""

from collections.abc import Mapping

from flask import Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from layers.arrivals import work
from webmap import context, inbox, intake, params, signin, stewards, underway
from webmap.importing import frame, patience
from webmap.importing.frame import bp
from webmap.inbox import Waiting
from webmap.underway import Errand


@bp.route("/<language>/import/<token>/progress", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def progress(token: str) -> ResponseReturnValue:
    """How far what is done in the background is; where it is done, the page that follows.

    Cheap, because it is asked again and again: it opens no file that was brought.
    """
    waiting = frame.waiting(token)
    if request.method == "POST":
        return _told_otherwise(waiting, params.filled())
    errand = underway.current(waiting)
    following = _following(waiting, errand)
    if params.is_part(params.arguments()):
        return _in_short(errand, following)
    if errand is None or following:
        return redirect(following or context.page("importing.send"), 303)
    return frame.page("progress", problem=errand.reason, waiting=waiting, errand=errand, doing=frame.DOING)


def _in_short(errand: Errand | None, following: str) -> Response:
    """The same for static/underway.js."""
    name, done, total = errand.stage if errand else ("", 0, 0)
    is_over = errand is None or errand.is_over
    said = "" if is_over else intake.stage(name, done, total)
    return jsonify(told=said, stage=name, done=done, total=total, next=following, is_over=is_over)


def _following(waiting: Waiting, errand: Errand | None) -> str:
    """The address of the page that follows; "" while nothing does, or where somebody has to decide."""
    if waiting.edition:
        return context.page("imported.one", number=waiting.edition, done=1)
    if errand is None:
        return context.page("importing.columns", token=waiting.token) if waiting.name else ""
    if not errand.is_over:
        return ""
    if errand.do == work.WRITE:
        if number := patience.edition_of(waiting, errand):
            return context.page("imported.one", number=number, done=1)
        return context.page("importing.findings", token=waiting.token)
    if not errand.is_done:
        return ""
    if errand.do == work.EXAMINE:
        return context.page("importing.findings", token=waiting.token)
    sheet, _, encoding = errand.key.rpartition("/") if errand.do == work.READ else ("", "", "")
    chosen = {"sheet": sheet, "encoding": encoding}
    return context.page("importing.columns", token=waiting.token, **{k: v for k, v in chosen.items() if v})


def _told_otherwise(waiting: Waiting, filled: Mapping[str, str]) -> Response:
    """Stops what is under way, begins it again, or fetches the layer that was chosen."""
    errand = underway.current(waiting)
    if filled.get("do") == "cancel":
        underway.cancel(waiting)
        if errand:
            patience.waited(waiting, errand)
    elif errand and errand.is_over and errand.do == work.FETCH:
        waiting = inbox.fetch_from(inbox.here(), waiting, filled.get("part", waiting.part))
        again = patience.waited(waiting, underway.fetch(waiting))
        return frame.to("columns" if again.is_done else "progress", waiting)
    elif errand and errand.is_over:
        underway.forget(waiting)
        return frame.to("findings" if errand.do == work.EXAMINE else "columns", waiting)
    return frame.to("progress", waiting)
