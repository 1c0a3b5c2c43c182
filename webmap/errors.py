"""Kind of error → status; one JSON shape (RFC 9457), one page, and never an exception's own text."""

import secrets
from collections.abc import Sequence
from typing import cast

from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from flask_babel import gettext
from sqlalchemy.exc import DatabaseError
from werkzeug.exceptions import HTTPException, InternalServerError

from layers import store
from layers.errors import N_, Invalid, LayersError, NotAllowed, NotFound, NotSignedIn, Unavailable
from webmap import db

_STATUS: dict[type[LayersError], int] = {
    NotFound: 404,
    Invalid: 400,
    NotSignedIn: 401,
    NotAllowed: 403,
    Unavailable: 503,
}
_PROBLEM = "application/problem+json"
_TITLES = {
    300: N_("More than one"),
    400: N_("This cannot be used"),
    401: N_("Sign in"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not offered here"),
    500: N_("Something went wrong"),
    503: N_("Not ready"),
}
_SENTENCES = {
    403: N_("This can only be started from a page of this site."),
    404: N_("There is no page at this address."),
    413: N_(
        "This is more than the {most_mb} MB that may be sent here. A bigger file is read on the server, by "
        "the command “turvakaart import”."
    ),
    405: N_("This address cannot be used in this way."),
}
_SURPRISE = N_("The fault is ours. If it stays, tell us the number {ticket}.")


def init_app(app: Flask) -> None:
    app.register_error_handler(LayersError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DatabaseError, _store_failed)
    app.register_error_handler(Exception, _surprise)


def _store_failed(error: DatabaseError) -> Response:
    """The store is the likeliest reason: not set up, or not to be read."""
    try:
        store.check_ready(db.house().engine)
    except Unavailable as reason:
        return _known(reason)
    return _surprise(error)


def told(error: LayersError) -> Response:
    """The answer to a failure that a person can understand."""
    return _known(error)


def _known(error: LayersError) -> Response:
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    values = {name: _short(value) for name, value in error.values.items()}
    choices = getattr(error, "choices", ())
    status = 300 if choices else status
    response = _answer(status, gettext(error.text).format(**values), choices)
    if status == 503:
        response.headers["Retry-After"] = "10"
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
    current_app.logger.error("ticket %s", ticket, exc_info=error)
    return _answer(InternalServerError.code, gettext(_SURPRISE).format(ticket=ticket))


def _answer(status: int, detail: str, choices: Sequence[object] = ()) -> Response:
    title = gettext(_TITLES.get(status, _TITLES[400]))
    if request.path.startswith("/api/") or request.accept_mimetypes.best == _PROBLEM:
        more = {"choices": choices} if choices else {}
        response = jsonify(type="about:blank", title=title, status=status, detail=detail, **more)
        response.mimetype = _PROBLEM
    else:
        part = request.args.get("part") == "1"
        response = make_response(render_template("pages/error.html", title=title, detail=detail, part=part))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
