"""Who is signed in where. A session lies in the store, so that every worker and host knows it.

The browser holds a token of 256 random bits, the store its digest alone: who reads the store, or a backup of
it, cannot sign in with what he finds.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from layers import dates
from layers.accounts.tables import AccountRow, SessionRow

TOKEN_BYTES = 32
PASSWORD, PROVIDER = "password", "provider"
_SEEN_EVERY = timedelta(minutes=5)  # Each writing waits for its turn.
_LONGEST_DEVICE = 80


@dataclass(frozen=True)
class Life:
    """How long a session lasts: without a request, and in all."""

    idle: timedelta = timedelta(minutes=60)
    most: timedelta = timedelta(hours=12)

    @classmethod
    def of(cls, idle_min: int, most_h: int) -> "Life":
        """As the settings say; at least a minute and an hour."""
        return cls(timedelta(minutes=max(idle_min, 1)), timedelta(hours=max(most_h, 1)))


@dataclass(frozen=True)
class Stay:
    """One session as its owner sees it."""

    id: int
    way: str
    device: str
    began_at: str
    seen_at: str


def token(chance: bytes) -> str:
    """`TOKEN_BYTES` random bytes as a text for a cookie or an address."""
    return urlsafe_b64encode(chance).rstrip(b"=").decode()


def digest(token: str) -> str:
    """What the store keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin(
    session: Session, account: int, *, token: str, way: str, device: str, life: Life, now: datetime
) -> None:
    """Signs a browser in; sessions of anybody that are over are removed."""
    _forget_old(session, life=life, now=now)
    at = dates.moment(now)
    row = SessionRow(
        token=digest(token),
        account_id=account,
        way=way,
        device=device[:_LONGEST_DEVICE],
        began_at=at,
        seen_at=at,
    )
    session.add(row)
    session.flush()


def find(session: Session, token: str, *, life: Life, now: datetime) -> tuple[int, Stay] | None:
    """The account and the session of a token; None when it is over, or its account is disabled."""
    query = select(SessionRow).join(AccountRow, AccountRow.id == SessionRow.account_id)
    query = query.where(SessionRow.token == digest(token), AccountRow.is_disabled.is_(False))
    row = session.scalars(query.where(*_alive(life, now))).first()
    return (row.account_id, _value(row)) if row else None


def is_stale(found: Stay, *, life: Life, now: datetime) -> bool:
    """Whether it is time to write down that the session has been seen."""
    return now - datetime.fromisoformat(found.seen_at) >= min(_SEEN_EVERY, life.idle / 4)


def see(session: Session, id: int, *, now: datetime) -> None:
    session.execute(update(SessionRow).where(SessionRow.id == id).values(seen_at=dates.moment(now)))


def of(session: Session, account: int, *, life: Life, now: datetime) -> list[Stay]:
    """The sessions of an account, the one seen last first."""
    query = select(SessionRow).where(SessionRow.account_id == account, *_alive(life, now))
    return [_value(row) for row in session.scalars(query.order_by(SessionRow.seen_at.desc(), SessionRow.id))]


def end(session: Session, account: int, *, only: int = 0, but: int = 0) -> int:
    """Ends the sessions of an account: all of them, `only` one, or all `but` one. Returns how many."""
    query = delete(SessionRow).where(SessionRow.account_id == account)
    if only:
        query = query.where(SessionRow.id == only)
    if but:
        query = query.where(SessionRow.id != but)
    return len(session.execute(query.returning(SessionRow.id)).all())


def _alive(life: Life, now: datetime) -> tuple[ColumnElement[bool], ...]:
    seen, began = dates.moment(now - life.idle), dates.moment(now - life.most)
    return SessionRow.seen_at > seen, SessionRow.began_at > began


def _forget_old(session: Session, *, life: Life, now: datetime) -> None:
    seen, began = dates.moment(now - life.idle), dates.moment(now - life.most)
    session.execute(delete(SessionRow).where((SessionRow.seen_at <= seen) | (SessionRow.began_at <= began)))


def _value(row: SessionRow) -> Stay:
    return Stay(row.id, row.way, row.device, row.began_at, row.seen_at)
