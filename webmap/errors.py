"""Kind of error → status; one JSON shape (RFC 9457), one page, and never an exception's own text."""

import secrets
from collections.abc import Sequence
from typing import cast

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_babel import gettext
from markupsafe import escape
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError

from layers import store
from layers.errors import (
    N_,
    Invalid,
    LayersError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    StoreBroken,
    Unavailable,
)
from webmap import db, i18n, meters


class TooOften(LayersError):
    """Somebody has used up what is granted to everybody; the next request is in `wait_s` seconds."""

    text = N_("So many requests have come from you that the next one has to wait. Seconds: {wait_s}.")

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(wait_s=wait_s)


_STATUS: dict[type[LayersError], int] = {
    NotFound: 404,
    Invalid: 400,
    NotSignedIn: 401,
    NotAllowed: 403,
    Unavailable: 503,
    TooOften: 429,
}
_PROBLEM = "application/problem+json"
# Addresses at which programs ask: what fails there is told as JSON.
_FOR_PROGRAMS = ("/api/", "/catalog.", "/hsds", "/lost")
_TITLES = {
    300: N_("More than one"),
    400: N_("This cannot be used"),
    401: N_("Sign in"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not offered here"),
    406: N_("Not in this format"),
    429: N_("Too many requests"),
    500: N_("Something went wrong"),
    503: N_("Not available just now"),
}
# What may be over in a moment.
_PASSING = (429, 500, 503)
_SENTENCES = {
    403: N_("This can only be started from a page of this site."),
    404: N_("There is no page at this address."),
    413: N_(
        "This is more than the {most_mb} MB that may be sent here. A bigger file is read on the server, by "
        "the command “turvakaart import”."
    ),
    405: N_("This address cannot be used in this way."),
    406: N_(
        "There is no file of a kind that your program accepts. Name one in the address, as .geojson or .csv."
    ),
}
_SURPRISE = N_("The fault is ours. If it stays, tell us the number {ticket}.")


def init_app(app: Flask) -> None:
    app.register_error_handler(LayersError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DatabaseError, _store_failed)
    app.register_error_handler(InterfaceError, _store_failed)
    app.register_error_handler(Exception, _surprise)


def _store_failed(error: DatabaseError | InterfaceError) -> Response:
    """The store is the likeliest reason: not set up, not to be read, or without room and connection."""
    meters.here().store_failed(type(error).__name__)
    try:
        store.check_ready(db.house().engine)
    except Unavailable as reason:
        return _known(reason)
    if isinstance(error, OperationalError | InterfaceError):
        current_app.logger.error("the store failed", exc_info=error)
        return _known(Unavailable())
    return _surprise(error)


def told(error: LayersError) -> Response:
    """The answer to a failure that a person can understand."""
    return _known(error)


def _known(error: LayersError) -> Response:
    if isinstance(error, StoreBroken):
        # Where it lies and what its driver says is for who keeps the server.
        current_app.logger.error("%s", error)
        error = Unavailable()
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    values = {name: _short(value) for name, value in error.values.items()}
    choices = getattr(error, "choices", ())
    status = 300 if choices else status
    response = _answer(status, gettext(error.text).format(**values), choices)
    if status == 503:
        response.headers["Retry-After"] = "10"
    if isinstance(error, TooOften):
        response.headers["Retry-After"] = str(error.wait_s)
    return response


def _short(value: object) -> object:
    """What a visitor sent comes back to be recognised, not at any length."""
    return f"{value[:60]}…" if isinstance(value, str) and len(value) > 80 else value


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return cast(Response, error.get_response())
    most_mb = (current_app.config["MAX_CONTENT_LENGTH"] or 0) // 1_000_000
    response = _answer(error.code, gettext(_SENTENCES.get(error.code, _TITLES[400])).format(most_mb=most_mb))
    # What the kind of error demands of its answer: a 405 names the methods that are offered (RFC 9110).
    for name, value in error.get_headers(request.environ):
        if name != "Content-Type":
            response.headers.setdefault(name, value)
    return response


def _surprise(error: Exception) -> Response:
    ticket = secrets.token_hex(4)
    current_app.logger.error("ticket %s", ticket, exc_info=error, extra={"ticket": ticket})
    return _answer(InternalServerError.code, gettext(_SURPRISE).format(ticket=ticket))


def _is_asked_by_program() -> bool:
    if request.path.startswith("/ogc"):
        takes_page = request.accept_mimetypes.best_match([_PROBLEM, "application/json", "text/html"])
        return request.args.get("f") == "json" or takes_page != "text/html"
    is_for_programs = request.path.startswith(_FOR_PROGRAMS) or request.path.endswith(".jsonld")
    return is_for_programs or request.accept_mimetypes.best == _PROBLEM


def _page(title: str, detail: str, *, part: bool, passes: bool) -> str:
    try:
        return render_template("pages/error.html", title=title, detail=detail, part=part, passes=passes)
    except Exception:
        # The page may want just what is missing, as a descriptor; its sentence needs nothing.
        current_app.logger.exception("the page of an error cannot be made")
        head = f'<!doctype html><html lang="{escape(i18n.language())}"><title>{escape(title)}</title>'
        return f"{head}<h1>{escape(title)}</h1><p>{escape(detail)}</p></html>"


def _answer(status: int, detail: str, choices: Sequence[object] = ()) -> Response:
    title = gettext(_TITLES.get(status, _TITLES[400]))
    if _is_asked_by_program():
        more = {"choices": choices} if choices else {}
        response = jsonify(type="about:blank", title=title, status=status, detail=detail, **more)
        response.mimetype = _PROBLEM
    else:
        part = request.args.get("part") == "1"
        # A link sends no form again, and in the panel it would lead to the map.
        passes = status in _PASSING and not part and request.method in ("GET", "HEAD")
        response = make_response(_page(title, detail, part=part, passes=passes))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
