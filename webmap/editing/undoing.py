"""An edit is taken back, by whoever may change all that it touched, before and after."""

from collections.abc import Iterable

from flask import redirect
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from layers import edits
from layers.accounts import Account
from webmap import context, db, params, signin
from webmap.editing import frame
from webmap.editing.frame import bp


@bp.post("/<language>/edit/undo/<int:number>")
@signin.required("steward")
def undo(number: int) -> ResponseReturnValue:
    who = signin.asking()
    with db.writing() as session:
        about = edits.touched(session, number)
        _allow_all(session, who, about)
        note = str(params.filled().get("note", ""))
        edits.undo(session, db.instance(), number, now=signin.desk().clock(), account=who.label, note=note)
        _allow_all(session, who, about)
        session.commit()
    if about and _is_told(*about[0]):
        return frame.to_history(*about[0])
    return redirect(context.page("editing.start"), 303)


def _allow_all(session: Session, who: Account, about: Iterable[tuple[str, str]]) -> None:
    for table, key in about:
        frame.allow(session, who, "steward", edits.thing(session, db.instance(), table, key))


def _is_told(table: str, key: str) -> bool:
    return bool(edits.thing(db.session(), db.instance(), table, key).states)
