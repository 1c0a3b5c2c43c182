"""What the pages of accounts share."""

from datetime import datetime
from typing import Any

from babel.dates import format_datetime
from flask import Blueprint, Response, make_response, render_template
from flask_babel import gettext

from layers.accounts import Account
from layers.errors import N_, LayersError
from webmap import db, i18n, protection, signin

bp = Blueprint("account", __name__)
ROLES = {
    "reader": N_("Reader"),
    "partner": N_("Partner"),
    "steward": N_("Steward"),
    "admin": N_("Admin"),
}
WAYS = {"password": N_("with a password"), "provider": N_("through the provider")}


def page(template: str, /, *, problem: LayersError | None = None, status: int = 200, **more: Any) -> Response:
    """A page of this package; with a `problem` it says so and is no success."""
    said = i18n.told(problem) if problem else ""
    html = render_template(
        f"account/{template}.html",
        asking=signin.account(),
        problem=said,
        roles=_roles(),
        moment=moment,
        **more,
    )
    response = make_response(html, 422 if problem and status == 200 else status)
    response.headers["Cache-Control"] = protection.PRIVATE
    return response


def moment(text: str) -> str:
    """A moment as this language writes it, to the minute, in UTC."""
    when = datetime.fromisoformat(text)
    return f"{format_datetime(when, format='medium', locale=i18n.locale(), tzinfo=when.tzinfo)} UTC"


def scope(account: Account) -> str:
    """What an account is limited to, in words; "" for nothing."""
    titles = {layer.key: i18n.plain(layer.label) for layer in db.instance().layers}
    return i18n.listed([*(titles.get(key, key) for key in account.layers), *account.areas])


def ways() -> dict[str, str]:
    return {key: gettext(title) for key, title in WAYS.items()}


def _roles() -> dict[str, str]:
    return {key: gettext(title) for key, title in ROLES.items()}
