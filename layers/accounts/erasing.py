"""What is left of an account when its owner wants to be forgotten: a number. The caller commits.

The name with which one signed in and every label that the account has had go out of the account, of editions,
proposals, suggestions, confirmations and the record, and history tells “#17” in their place. What was written
stays: it is about organisations and areas. The row stays too, empty, or its number would be given again.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text, cast, delete, func, or_, select, update
from sqlalchemy.orm import Session

from layers import dates
from layers.accounts import records, register, sessions
from layers.accounts.register import NoAccount
from layers.accounts.tables import AccountRow, InvitationRow, RecordRow
from layers.model import Base, Confirmation, Edition, Proposal, Suggestion

_SAID_BY = (
    Edition.account,
    Proposal.label,
    Proposal.decided_by,
    Suggestion.decided_by,
    Confirmation.label,
)
_WRITTEN = (Edition.note, Proposal.note, Proposal.reason, Suggestion.text, Suggestion.reason)
_ARROW = " → "


@dataclass(frozen=True)
class Erased:
    """What became of an account: its mark in history, and labels that stay since others have them too."""

    mark: str
    kept: tuple[str, ...]


def mark(id: int) -> str:
    """What stands for an account that was erased."""
    return f"#{id}"


def erase(session: Session, id: int, *, now: datetime, by: int = 0, also: Collection[str] = ()) -> Erased:
    """Takes everything that tells whose an account was out of the store; `also` are labels it once had.

    A label that another account has too is that one's as well, and stays.

    Raises:
        NoAccount: there is none, or it is erased already.
        LastAdmin: nobody else could manage accounts.
    """
    row = session.get(AccountRow, id)
    if row is None or row.erased_at:
        raise NoAccount
    register.disable(session, id, now=now, by=by)
    labels = {row.label, *also, *_former_labels(session, id)} - {""}
    others = select(AccountRow.label).where(AccountRow.id != id, AccountRow.erased_at == "")
    kept = labels & {*session.scalars(others)}
    _forget(session, row.name, labels - kept, mark(id))
    _empty(session, row, now)
    records.note(session, "erased", now=now, by=by, about=id)
    return Erased(mark(id), tuple(sorted(kept)))


def _former_labels(session: Session, id: int) -> set[str]:
    changes = select(RecordRow.detail).where(RecordRow.about == id, RecordRow.what == "label")
    return {label for detail in session.scalars(changes) for label in detail.split(_ARROW)}


def _forget(session: Session, name: str, labels: Collection[str], mark: str) -> None:
    for column in _SAID_BY:
        session.execute(update(column.class_).where(column.in_(labels)).values({column.key: mark}))
    of_partners = cast(Edition.how, Text).contains("proposed_by")
    for edition in session.scalars(select(Edition).where(of_partners)):
        if edition.how.get("proposed_by") in labels:
            edition.how = {**edition.how, "proposed_by": mark}
    words = "|".join(re.escape(word) for word in sorted({name, *labels}, key=len, reverse=True))
    told = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
    for column in _WRITTEN:
        table = column.class_
        for key, text in session.execute(select(table.id, column).where(column != "")).all():
            if told.search(text):
                changed = {column.key: told.sub(mark, text)}
                session.execute(update(table).where(table.id == key).values(changed))
    session.flush()


def _empty(session: Session, row: AccountRow, now: datetime) -> None:
    row.name = row.label = mark(row.id)
    row.role, row.layers, row.areas = "reader", [], []
    row.password = row.second = ""
    row.subject, row.second_step, row.second_codes = None, 0, []
    row.is_disabled, row.erased_at = True, dates.moment(now)
    row.made_at = row.erased_at
    session.flush()
    sessions.end(session, row.id)
    session.execute(delete(InvitationRow).where(InvitationRow.account_id == row.id))
    own = (RecordRow.about == row.id) | (RecordRow.by == row.id)
    session.execute(update(RecordRow).where(own).values(address=""))
    renamed = RecordRow.what.in_(("label", "scope"))
    session.execute(update(RecordRow).where(RecordRow.about == row.id, renamed).values(detail=""))


def traces(session: Session, words: Collection[str]) -> list[str]:
    """Where in the store one of these words still stands, as table.column: in what people wrote, say."""
    return [
        f"{table}.{column}"
        for table, column, found in _columns()
        if any(_holds(session, found, w) for w in words)
    ]


def _columns() -> Iterator[tuple[str, str, Any]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            plain = getattr(column.type, "impl_instance", column.type)
            if isinstance(plain, String | JSON):
                yield table.name, column.name, column


def _holds(session: Session, column: Any, word: str) -> bool:
    text = cast(column, Text)
    # SQLite lowers plain letters alone, and JSON may hold others as numbers.
    spelled = {word, json.dumps(word)[1:-1]}
    is_there = [text.contains(one, autoescape=True) for one in spelled]
    is_there += [func.lower(text).contains(one.lower(), autoescape=True) for one in spelled]
    return bool(session.scalar(select(func.count()).select_from(column.table).where(or_(*is_there))))
