"""Signed links: an organisation says without an account that its facts are right, or what is wrong.

A look at a link changes nothing, since mail programs follow links before people do; only its buttons do. A
link works once: whoever sends it again is told that it has been used, and nothing happens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from layers import confirmations, places, suggestions
from layers.errors import Invalid
from layers.places import Body
from webmap import ages, context, db, i18n, names, params, signed, signin, suggesting
from webmap.signed import Forged, Link

bp = Blueprint("confirming", __name__)
_MOST_A_DAY = 3
_LABEL = "organisation"


@dataclass(frozen=True)
class Written:
    """A link as it is sent out, with what its reader must know."""

    body: Body
    county: str
    last: str
    address: str


@bp.route("/<language>/confirm/<token>", methods=["GET", "POST"])
@signin.public_form
def confirm(token: str) -> ResponseReturnValue:
    try:
        link = signed.read(_key(), token)
    except Forged as error:
        return _page("forged", 400, problem=i18n.told(error))
    if link.until < params.today():
        return _page("expired", 410, until=link.until)
    body = places.body(db.session(), link.body, as_of=params.today())
    if _is_used(db.session(), link):
        return _page("used", body=body)
    if request.method == "GET":
        return _page("asked", body=body, until=link.until)
    do = params.filled().get("do", "")
    if do == "right":
        return _page(_confirmed(link), body=body)
    if do == "tell":
        return _told(link, body)
    return _page("wrong", body=body)


def _confirmed(link: Link) -> str:
    """Confirms what a link is for, once; says how that went."""
    now = datetime.now(tz=UTC)
    with db.writing() as session:
        if _is_used(session, link):
            return "used"
        if confirmations.through_links(session, "body", link.body, day=now.date()) >= _MOST_A_DAY:
            return "often"
        confirmations.confirm(
            session,
            "body",
            link.body,
            day=now.date(),
            by=confirmations.LINK,
            label=_LABEL,
            now=now,
            link=link.issue,
        )
        session.commit()
    return "thanks"


def _told(link: Link, body: Body) -> Response:
    try:
        suggesting.keep("body", link.body, sender=f"link {link.body}", link=link.issue)
    except Invalid as error:
        told = i18n.told(error)
        return _page("wrong", 422, body=body, problem=told)
    return _page("told", body=body)


def _is_used(session: Session, link: Link) -> bool:
    return confirmations.came_through(session, link.issue) or suggestions.came_through(session, link.issue)


def _page(state: str, status: int = 200, **about: Any) -> Response:
    about = {"problem": "", "sent": params.filled(), "fields": suggesting.FIELDS, **about}
    about["most"] = suggestions.MOST_LETTERS
    status = 429 if state == "often" else status
    page = suggesting.unkept(render_template("pages/confirm.html", state=state, **about), status)
    # The address is the credential: no other site may learn it, no index may hold it.
    page.headers["Referrer-Policy"] = "no-referrer"
    page.headers["X-Robots-Tag"] = "noindex"
    return page


def _key() -> bytes:
    return signed.key(db.instance(), current_app.config["STATE"])


def links(
    app: Flask, *, layer: str, county: str, until: date, address: str, language: str
) -> Iterator[Written]:
    """A new link for every organisation of a layer, of one county where it is named.

    Raises:
        LayerNotFound: there is no such layer.
    """
    with app.test_request_context(f"/{language}/", base_url=address):
        app.preprocess_request()
        layer = db.instance().layer(layer).key
        for body in places.bodies(db.session(), as_of=params.today(), layer=layer):
            if county in ("", body.county):
                token = signed.sign(_key(), body.key, until=until)
                path = context.page("confirming.confirm", token=token)
                last = ages.of(body).last
                yield Written(body, names.county(body.county), last, address.rstrip("/") + path)
