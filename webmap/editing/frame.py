"""What the pages of editing share: where a thing is edited and where it is shown, who may, and the page.

Nothing of it is kept by anybody: whatever is behind a role is private (`signin`).
"""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from layers import edits
from layers.accounts import Account
from layers.edits import CASE, Thing
from layers.errors import NotAllowed
from webmap import context, differences
from webmap.account.frame import moment

bp = Blueprint("editing", __name__)


def address(table: str, key: str) -> str:
    """The page on which a thing is edited."""
    return _page("editing.", table, key, as_of=None, known=None)


def public(thing: Thing) -> str:
    """The page on which everybody sees a thing; "" for a new one."""
    return _page("", thing.table, thing.key) if thing.states else ""


def _page(of: str, table: str, key: str, **when: None) -> str:
    if table == "area":
        kind, _, code = key.partition(":")
        return context.page(f"{of}area", kind=kind, code=code, **when)
    return context.page(f"{of}case" if table == CASE else f"{of}body", key=key, **when)


def to_history(table: str, key: str) -> ResponseReturnValue:
    """To what was done to a thing, after something was."""
    return redirect(address(table, key) + "#history", 303)


def is_steward(who: Account) -> bool:
    return who.role in ("steward", "admin")


def may(session: Session, who: Account, role: str, thing: Thing, rows: Sequence[Any] | None = None) -> bool:
    """Whether an account may change these rows of a thing; all of them where none are named."""
    wanted = [state.row for state in thing.states] if rows is None else [*rows]
    return edits.may(session, who, role, layer=thing.layer, rows=wanted)


def allow(session: Session, who: Account, role: str, thing: Thing, rows: Sequence[Any] | None = None) -> None:
    """Raises NotAllowed for whom `may` denies it."""
    if not may(session, who, role, thing, rows):
        raise NotAllowed


def number(text: str) -> int:
    """What a hidden field says; 0 for what is no number of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def page(template: str, *, status: int = 200, **words: Any) -> Response:
    html = render_template(template, edit_address=address, moment=moment, pieces=differences.pieces, **words)
    return make_response(html, status)
