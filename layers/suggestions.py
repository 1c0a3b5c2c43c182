"""Write and read: what readers say is out of date, until a steward has decided. Never shown in public.

Contacts are refused: whoever suggests leaves nothing of a person here. What is declined is forgotten but for
the reason, since a text that should not be kept is declined.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from layers import dates
from layers.confirmations import TABLES, FactNotFound
from layers.errors import N_, Invalid, NotFound
from layers.model import Suggestion
from layers.sources import rows

OPEN, ACCEPTED, DECLINED = "open", "accepted", "declined"
FIELDS = ("name", "place", "does", "readiness", "ended", "other")
MOST_LETTERS = 1000
_MOST_A_DAY = 10
_DATE = re.compile(r"\b(19|20)\d\d-\d\d(-\d\d)?\b|\b\d{1,2}\.\d{1,2}\.(19|20)\d\d\b")
# Seven digits and more are a telephone number or an identity code, however they are grouped.
_DIGITS = re.compile(r"\d([ ().-]?\d){6,}")


class NothingSaid(Invalid):
    text = N_("Write what is out of date.")


class TooLong(Invalid):
    text = N_("Write at most {most} letters.")


class HasContact(Invalid):
    text = N_("There is a telephone number, an e-mail address or a personal code in the text. Take it out.")


class TooMany(Invalid):
    text = N_("That is enough for today from one place. Come back tomorrow.")


class SuggestionNotFound(NotFound):
    text = N_("There is no suggestion {number}.")


class Decided(Invalid):
    text = N_("Suggestion {number} has been decided already.")


class NoReason(Invalid):
    text = N_("Say why it is declined.")


@dataclass(frozen=True)
class Waiting:
    """A suggestion that waits for a steward."""

    id: int
    kind: str
    key: str
    field: str
    text: str
    moment: str


def suggest(
    session: Session,
    kind: str,
    key: str,
    *,
    text: str,
    now: datetime,
    field: str = "other",
    sender: str = "",
    link: str = "",
) -> None:
    """Keeps what a reader says of a fact for a steward; the caller commits.

    `sender` is the hash that one address has for a day, `link` the signed link that led here.

    Raises:
        NothingSaid, TooLong, HasContact, TooMany, FactNotFound.
    """
    said = checked(text)
    table = TABLES.get(kind)
    if table is None or field not in FIELDS:
        raise FactNotFound(key=key, table=kind)
    if not session.scalar(select(func.count()).where(table.key == key, table.retired_in.is_(None))):
        raise FactNotFound(key=key, table=kind)
    today = dates.moment(now)[:10]
    if sender and _today(session, Suggestion.sender == sender, today) >= _MOST_A_DAY:
        raise TooMany
    row = Suggestion(
        kind=kind, key=key, field=field, text=said, moment=dates.moment(now), sender=sender, link=link
    )
    session.add(row)
    session.flush()


def checked(text: str) -> str:
    """The text as it is kept: no contact in it, no blanks around it.

    Raises:
        NothingSaid, TooLong, HasContact.
    """
    said = text.replace("\r\n", "\n").strip()
    if not said:
        raise NothingSaid
    if len(said) > MOST_LETTERS:
        raise TooLong(most=MOST_LETTERS)
    try:
        rows.text(said)
    except rows.Unusable as error:
        raise HasContact from error
    if "@" in said or _DIGITS.search(_DATE.sub(" ", said)):
        raise HasContact
    return said


def _today(session: Session, where: object, today: str) -> int:
    query = select(func.count()).select_from(Suggestion).where(where, Suggestion.moment.startswith(today))  # type: ignore[arg-type]
    return session.scalar(query) or 0


def came_through(session: Session, link: str) -> bool:
    """Whether a signed link has brought a suggestion already."""
    return bool(session.scalar(select(func.count()).where(Suggestion.link == link)))


def waiting(session: Session) -> list[Waiting]:
    """What waits for a decision, the oldest first."""
    table = Suggestion
    columns = (table.id, table.kind, table.key, table.field, table.text, table.moment)
    query = select(*columns).where(table.state == OPEN).order_by(table.moment, table.id)
    return [Waiting(*row) for row in session.execute(query)]


def decide(session: Session, number: int, *, state: str, by: str, now: datetime, reason: str = "") -> None:
    """Marks a suggestion as accepted or declined, once; the caller commits.

    `by` is a role, never a person. The sender is forgotten, and so is the text of what is declined.

    Raises:
        SuggestionNotFound, Decided, NoReason, HasContact.
    """
    row = session.get(Suggestion, number)
    if row is None:
        raise SuggestionNotFound(number=number)
    if row.state != OPEN:
        raise Decided(number=number)
    if state == DECLINED and not reason.strip():
        raise NoReason
    row.reason = checked(reason) if reason.strip() else ""
    row.state, row.decided_by, row.decided_at, row.sender = state, by, dates.moment(now), ""
    if state == DECLINED:
        row.text = ""
    session.flush()
