"""“This is out of date”: readers say it without an account, stewards decide. Nothing of it is ever public."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from layers import places, practices, suggestions
from layers.errors import N_, Invalid, NotAllowed
from layers.places import Body
from layers.practices import Case
from webmap import context, db, i18n, names, params, signed, signin, stewards

bp = Blueprint("suggesting", __name__)
TABLES = {"body": "body", "area": "area", "case": "case_study"}
FIELDS = {
    "name": N_("the name"),
    "place": N_("the place or area"),
    "does": N_("what it does"),
    "readiness": N_("when it is ready"),
    "ended": N_("it has ended or moved"),
    "other": N_("something else"),
}
_TRAP = "website"  # A field that people do not see and programs fill in.


@bp.route("/<language>/suggest/<kind>/<path:key>", methods=["GET", "POST"])
@signin.public_form
def suggest(kind: str, key: str) -> ResponseReturnValue:
    name, back = _about(kind, key)
    about = {"name": name, "back": back, "fields": FIELDS, "trap": _TRAP, "most": suggestions.MOST_LETTERS}
    if request.method == "GET":
        return render_template("pages/suggest.html", state="asked", sent={}, problem="", **about)
    sent = params.filled()
    if sent.get(_TRAP):
        return unkept(render_template("pages/suggest.html", state="thanks", **about))
    try:
        keep(TABLES[kind], key, sender=_sender())
    except Invalid as error:
        told = i18n.told(error)
        page = render_template("pages/suggest.html", state="asked", sent=sent, problem=told, **about)
        return unkept(page, 422)
    return unkept(render_template("pages/suggest.html", state="thanks", **about))


def keep(table: str, key: str, *, sender: str = "", link: str = "") -> None:
    """Keeps what this request's form suggests.

    Raises:
        Invalid: with a sentence for the writer.
    """
    sent = params.filled()
    field = sent.get("field", "")
    with db.writing() as session:
        suggestions.suggest(
            session,
            table,
            key,
            field=field if field in FIELDS else "other",
            text=sent.get("text", ""),
            now=datetime.now(tz=UTC),
            sender=sender,
            link=link,
        )
        session.commit()


def unkept(page: str, status: int = 200) -> Response:
    """A page that no cache keeps."""
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _about(kind: str, key: str) -> tuple[str, str]:
    """The name of what is spoken of, and the address of its page."""
    session, today = db.session(), params.today()
    if kind == "body":
        return names.body(places.body(session, key, as_of=today)), context.page("body", key=key)
    if kind == "area":
        of, _, code = key.partition(":")
        found = places.area(session, of, code, as_of=today)
        return i18n.plain(found.names), context.page("area", kind=of, code=code)
    if kind == "case":
        return i18n.plain(practices.case(session, key).titles), context.page("case", key=key)
    raise NotFound


def _sender() -> str:
    """The same for all that comes from one address on one day; of the address nothing is kept."""
    key = signed.key(db.instance(), current_app.config["STATE"])
    return signed.blurred(key, f"{params.today()} {request.remote_addr}")


@bp.get("/<language>/suggestions")
@signin.required(stewards.ROLE)
def queue() -> ResponseReturnValue:
    """What waits for a steward."""
    return _queue()


def _queue(problem: str = "", status: int = 200) -> Response:
    waiting = [(one, *_named(one)) for one in suggestions.waiting(db.session()) if _may(one)]
    page = render_template(
        "pages/suggestions.html", waiting=waiting, fields=FIELDS, hidden=stewards.hidden(), problem=problem
    )
    return unkept(page, status)


def _may(one: suggestions.Waiting) -> bool:
    """Whether this steward's account is for what a suggestion speaks of: its layer, and where it lies."""
    session, instance, today = db.session(), db.instance(), params.today()
    if one.kind == "body":
        about = places.body(session, one.key, as_of=today)
        return stewards.may_confirm(layer=about.layer, within=_seats(about))
    if one.kind == "area":
        kind = one.key.partition(":")[0]
        layer = next((layer.key for layer in instance.layers_of("areas") if layer.kind == kind), kind)
        return stewards.may_confirm(layer=layer, area=one.key)
    layer = next((layer.key for layer in instance.layers_of("cases")), "cases")
    return stewards.may_confirm(layer=layer, within=_seats(practices.case(session, one.key)))


def _seats(thing: Body | Case) -> set[str]:
    """The areas in which an organisation or a case is seated; nobody's where that is not known."""
    found = {f"{kind}:{code}" for kind in ("municipality", "county") if (code := getattr(thing, kind))}
    return found or {"nowhere:known"}


def _named(one: suggestions.Waiting) -> tuple[str, str]:
    kind = next(kind for kind, table in TABLES.items() if table == one.kind)
    return _about(kind, one.key)


@bp.post("/<language>/suggestions/<int:number>")
@signin.required(stewards.ROLE)
def decide(number: int) -> ResponseReturnValue:
    sent = params.filled()
    state = suggestions.DECLINED if sent.get("do") == "decline" else suggestions.ACCEPTED
    about: dict[str, Any] = {"state": state, "by": stewards.ROLE, "reason": sent.get("reason", "")}
    found = next((one for one in suggestions.waiting(db.session()) if one.id == number), None)
    if found and not _may(found):
        raise NotAllowed
    try:
        with db.writing() as session:
            suggestions.decide(session, number, now=datetime.now(tz=UTC), **about)
            session.commit()
    except Invalid as error:
        return _queue(i18n.told(error), 422)
    return redirect(context.page("suggesting.queue", as_of=None, known=None), 303)
