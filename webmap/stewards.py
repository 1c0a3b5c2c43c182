"""Who may do a steward's work in the browser. The one seam between freshness and signing in.

TO BE JOINED: signing in is not part of this room. When there are accounts, `may_confirm` asks for a signed-in
steward, `check` does what `required("steward")` does and compares the CSRF token, and `hidden` gives that
token to the forms. Until then nobody may, but for a test that says so: `app.config["MAY_CONFIRM"] = True`.
"""

from collections.abc import Mapping

from flask import current_app, request
from werkzeug.exceptions import Forbidden

ROLE = "steward"
"""What is written down of who decided: the role, never a person."""


def may_confirm() -> bool:
    """Whether this request's visitor may confirm facts and decide on suggestions."""
    return bool(current_app.config.get("MAY_CONFIRM"))


def hidden() -> Mapping[str, str]:
    """Hidden fields that a steward's form must send back."""
    return {}


def admit() -> None:
    """Lets only those see a page who may do its work.

    Raises:
        Forbidden: this visitor may not.
    """
    if not may_confirm():
        raise Forbidden


def check() -> None:
    """Lets only those send a form who may do what it asks.

    Raises:
        Forbidden: this visitor may not, or another site has sent the form.
    """
    admit()
    refuse_strangers()


def refuse_strangers() -> None:
    """Another site may link here, but it may not send our forms.

    Raises:
        Forbidden: the form was sent from another site.
    """
    origin = request.headers.get("Origin")
    if origin and origin != request.host_url.rstrip("/"):
        raise Forbidden
