"""What to edit: the way in, by name, with what was edited last and what waits."""

from flask.typing import ResponseReturnValue

from layers import edits, proposals
from webmap import db, params, signin
from webmap.editing import frame
from webmap.editing.frame import bp


@bp.get("/<language>/edit")
@signin.required("partner")
def start() -> ResponseReturnValue:
    who, words = signin.asking(), params.words(params.arguments(), "q")
    session, instance = db.session(), db.instance()
    return frame.page(
        "edit/start.html",
        words=words,
        found=[(table, key, name, frame.address(table, key)) for table, key, name in _found(words)],
        layers=[one for one in instance.layers if one.of in ("bodies", "areas", "cases")],
        latest=edits.latest(session),
        is_steward=frame.is_steward(who),
        waiting=len(proposals.waiting(session)) if frame.is_steward(who) else 0,
        mine=proposals.of(session, who.label),
    )


def _found(words: str) -> list[tuple[str, str, str]]:
    return edits.matches(db.session(), db.instance(), words) if words else []
