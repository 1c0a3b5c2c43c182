"""What the steps of an import share: the file that waits, the way to another step, and the page.

Nothing of it is kept by anybody: whatever is behind a role is private (`signin`).
"""

from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Response, make_response, redirect, render_template
from flask_babel import gettext

from layers import arrivals
from layers.arrivals import work
from layers.errors import N_, Invalid, LayersError
from webmap import context, i18n, inbox, intake, signin, stewards, underway
from webmap.inbox import Waiting

bp = Blueprint("importing", __name__)
DOING = {
    work.FETCH: N_("Fetching the file"),
    work.READ: N_("Reading the file"),
    work.EXAMINE: N_("Examining every row"),
    work.WRITE: N_("Writing the plan"),
}


class NothingSaid(Invalid):
    text = N_("Say first what the columns hold.")


def file_of(waiting: Waiting) -> Path:
    found = arrivals.file(underway.home(waiting))
    if found is None:
        raise inbox.Gone
    return found


def to(step: str, waiting: Waiting) -> Response:
    """To a step of an import, after a form or instead of another one."""
    made: Any = redirect(context.page(f"importing.{step}", token=waiting.token), 303)
    return cast(Response, made)


def waiting(token: str) -> Waiting:
    """A file that this account has sent in.

    Raises:
        Gone: it is not here.
        NotAllowed: the account may no longer change the layer.
    """
    found = inbox.find(inbox.here(), token, account=signin.asking().id)
    stewards.check(layer=found.layer)
    return found


def described(token: str) -> Waiting:
    """The same, of which it has been said what its columns hold.

    Raises:
        NothingSaid: it has not.
    """
    found = waiting(token)
    if found.how is None:
        raise NothingSaid
    return found


def page(name: str, *, problem: LayersError | None = None, **more: Any) -> Response:
    """A page of this package; with a `problem` it says so, long names cut short, and is no success."""
    said = ""
    if problem:
        values = {
            key: f"{one[:60]}…" if isinstance(one, str) and len(one) > 80 else one
            for key, one in problem.values.items()
        }
        said = gettext(problem.text).format(**values)
    html = render_template(
        f"importing/{name}.html",
        asking=signin.asking(),
        problem=said,
        told_in=i18n.told,
        percent=i18n.percent,
        stage=intake.stage,
        **more,
    )
    return make_response(html, 422 if problem else 200)
