"""Accounts: who may sign in, and what they may do. The caller commits.

A role stands above another: reader, partner, steward, admin. An account may be limited to layers and areas;
an admin is not. Where a role, a scope or a password changes, the sessions that stand on the old one end.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from layers import dates
from layers.accounts import records, sessions, tries
from layers.accounts.tables import AccountRow, InvitationRow
from layers.errors import N_, Invalid, NotFound

ROLES = ("reader", "partner", "steward", "admin")
INVITED = timedelta(hours=72)
_AREA = re.compile(r"[a-z_]{1,40}:[A-Za-z0-9_-]{1,40}", re.ASCII)
# What is left of an account that was erased begins with a #, so nobody else may be called so.
_NAME = re.compile(r"(?!#)[^\s\x00-\x1f\x7f]{3,100}")
_LONGEST_LABEL = 80


class BadName(Invalid):
    text = N_("A name to sign in with has 3 to 100 characters and no blanks; “{value}” does not.")


class NameTaken(Invalid):
    text = N_("There is an account with the name “{value}” already.")


class BadLabel(Invalid):
    text = N_(
        "The label that is shown has 1 to {longest} characters, as “Steward of Lake county”, and no # first."
    )


class BadRole(Invalid):
    text = N_("A role is one of {roles}; “{value}” is not.")


class BadScope(Invalid):
    text = N_("An account is limited to layers by their keys and to areas as county:0087; “{value}” is none.")


class LastAdmin(Invalid):
    text = N_("This is the last account that may manage accounts. Make another admin first.")


class NoAccount(NotFound):
    text = N_("There is no such account.")


class SubjectTaken(Invalid):
    text = N_("This person at the provider is linked with another account.")


class InvitationOver(NotFound):
    text = N_("This invitation has been used or is over. Ask for a new one.")


@dataclass(frozen=True)
class Account:
    """`name` is for its owner and for admins; what others see is `label`. Empty `layers`, `areas`: all."""

    id: int
    name: str
    label: str
    role: str
    layers: tuple[str, ...]
    areas: tuple[str, ...]
    is_disabled: bool
    has_password: bool
    is_linked: bool
    made_at: str
    has_second: bool = False
    erased_at: str = ""


def may(
    account: Account | None, role: str, *, layer: str = "", area: str = "", within: Collection[str] = ()
) -> bool:
    """Whether an account has at least this role, and for a thing of this layer and area.

    `area` is the key of the thing's own area, `within` are those of the areas that contain it. What has no
    layer or no area is no matter of a scope; a thing of a layer or area that is not known is for those
    without one, so name what you know.
    """
    if account is None or account.is_disabled or ROLES.index(account.role) < ROLES.index(role):
        return False
    if account.role == "admin":
        return True
    on_layer = not (layer and account.layers) or layer in account.layers
    around = {area, *within} - {""}
    return on_layer and (not (around and account.areas) or bool(around & {*account.areas}))


# --- Reading


def folded(name: str) -> str:
    """A name as it is kept: two ways to type the same are one."""
    return unicodedata.normalize("NFKC", name[:400]).strip().casefold()


def every(session: Session) -> list[Account]:
    """Without those that were erased."""
    query = select(AccountRow).where(AccountRow.erased_at == "").order_by(AccountRow.name)
    return [_value(row) for row in session.scalars(query)]


def one(session: Session, id: int) -> Account:
    """Raises NoAccount."""
    return _value(_row(session, id))


def named(session: Session, name: str) -> Account:
    """Raises NoAccount."""
    found = _find(session, name)
    if found is None:
        raise NoAccount
    return _value(found)


def label(session: Session, id: int) -> str:
    """What others see of an account; "" for none."""
    row = session.get(AccountRow, id)
    return row.label if row else ""


def kept_password(session: Session, name: str) -> tuple[int, str]:
    """The id and the password, as it is kept, of an account that may sign in with one; 0 and "" for none."""
    row = _find(session, name)
    return (row.id, row.password) if row and row.password and not row.is_disabled else (0, "")


def by_subject(session: Session, subject: str) -> Account | None:
    """The account that is linked with a person at the provider, by the keyed digest."""
    row = session.scalars(select(AccountRow).where(AccountRow.subject == subject)).first()
    return _value(row) if row and not row.is_disabled else None


def is_known_subject(session: Session, subject: str) -> bool:
    return session.scalar(select(AccountRow.id).where(AccountRow.subject == subject)) is not None


# --- Writing


def add(
    session: Session,
    *,
    name: str,
    label: str,
    role: str,
    layers: Sequence[str] = (),
    areas: Sequence[str] = (),
    now: datetime,
    by: int = 0,
) -> Account:
    """A new account, without a password yet.

    Raises:
        BadName, NameTaken, BadLabel, BadRole, BadScope: something of it cannot be used.
    """
    kept = folded(name)
    if not _NAME.fullmatch(kept):
        raise BadName(value=name)
    if _find(session, kept):
        raise NameTaken(value=kept)
    row = AccountRow(
        name=kept,
        label=_checked_label(label),
        role=_checked_role(role),
        layers=_checked_layers(layers),
        areas=_checked_areas(areas),
        password="",
        is_disabled=False,
        made_at=dates.moment(now),
    )
    session.add(row)
    session.flush()
    records.note(session, "added", now=now, by=by, about=row.id, detail=role)
    return _value(row)


def set_password(session: Session, id: int, kept: str, *, now: datetime, by: int, but: int = 0) -> None:
    """Keeps a password that `passwords.hashed` made; every session ends, `but` one."""
    row = _row(session, id)
    row.password = kept
    session.execute(delete(InvitationRow).where(InvitationRow.account_id == id))
    sessions.end(session, id, but=but)
    records.note(session, "password", now=now, by=by, about=id)


def renew_password(session: Session, id: int, kept: str) -> None:
    """The same password, as it is kept today; nothing ends."""
    _row(session, id).password = kept
    session.flush()


def set_role(session: Session, id: int, role: str, *, now: datetime, by: int = 0) -> None:
    """Raises BadRole, LastAdmin."""
    row = _row(session, id)
    if row.role == _checked_role(role):
        return
    before, row.role = row.role, role
    if before == "admin":
        _keep_an_admin(session)
    sessions.end(session, id)
    records.note(session, "role", now=now, by=by, about=id, detail=f"{before} → {role}")


def set_scope(
    session: Session, id: int, *, layers: Sequence[str], areas: Sequence[str], now: datetime, by: int = 0
) -> None:
    """Raises BadScope."""
    row, before = _row(session, id), one(session, id)
    row.layers, row.areas = _checked_layers(layers), _checked_areas(areas)
    if (before.layers, before.areas) == (tuple(row.layers), tuple(row.areas)):
        return
    sessions.end(session, id)
    told = " ".join([*row.layers, *row.areas])
    records.note(session, "scope", now=now, by=by, about=id, detail=told)


def set_label(session: Session, id: int, label: str, *, now: datetime, by: int = 0) -> None:
    """Raises BadLabel."""
    row = _row(session, id)
    before, checked = row.label, _checked_label(label)
    if before != checked:
        row.label = checked
        # What history tells under the label before is found again by this, should the account be erased.
        records.note(session, "label", now=now, by=by, about=id, detail=f"{before} → {checked}")


def disable(session: Session, id: int, *, now: datetime, by: int = 0) -> None:
    """Raises LastAdmin."""
    row = _row(session, id)
    row.is_disabled = True
    if row.role == "admin":
        _keep_an_admin(session)
    session.execute(delete(InvitationRow).where(InvitationRow.account_id == id))
    sessions.end(session, id)
    records.note(session, "disabled", now=now, by=by, about=id)


def enable(session: Session, id: int, *, now: datetime, by: int = 0) -> None:
    """Raises NoAccount, also for one that was erased."""
    row = _row(session, id)
    if row.erased_at:
        raise NoAccount
    row.is_disabled = False
    records.note(session, "enabled", now=now, by=by, about=id)


def end_sessions(
    session: Session, id: int, *, now: datetime, by: int = 0, only: int = 0, but: int = 0
) -> int:
    """Signs an account out: everywhere, in one place `only`, or everywhere `but` in one. Returns how many."""
    _row(session, id)
    number = sessions.end(session, id, only=only, but=but)
    records.note(session, "ended", now=now, by=by, about=id, detail=str(number))
    return number


def link(session: Session, id: int, subject: str, *, now: datetime, by: int = 0) -> None:
    """Links an account with a person at the provider, by the keyed digest; "" takes the link away.

    Raises:
        SubjectTaken: another account has it.
    """
    row = _row(session, id)
    if subject and subject != row.subject and is_known_subject(session, subject):
        raise SubjectTaken
    row.subject = subject or None
    sessions.end(session, id)
    records.note(session, "linked" if subject else "unlinked", now=now, by=by, about=id)


def unlock(session: Session, id: int, key: str, *, now: datetime, by: int = 0) -> None:
    """Ends the wait of an account after tries in vain; `key` is the keyed digest of its name."""
    _row(session, id)
    tries.forget(session, key)
    records.note(session, "unlocked", now=now, by=by, about=id)


# --- Invitations


def invite(session: Session, id: int, *, token: str, now: datetime, by: int = 0) -> None:
    """Whoever has the token may choose this account's password, once and within `INVITED`."""
    _row(session, id)
    session.execute(delete(InvitationRow).where(InvitationRow.account_id == id))
    until = dates.moment(now + INVITED)
    session.add(InvitationRow(account_id=id, token=sessions.digest(token), until=until))
    session.flush()
    records.note(session, "invited", now=now, by=by, about=id)


def invited(session: Session, token: str, *, now: datetime) -> Account:
    """Whom a token invites.

    Raises:
        InvitationOver: nobody, or not any more.
    """
    query = select(InvitationRow).where(InvitationRow.token == sessions.digest(token))
    row = session.scalars(query.where(InvitationRow.until > dates.moment(now))).first()
    account = one(session, row.account_id) if row else None
    if account is None or account.is_disabled:
        raise InvitationOver
    return account


# --- Checks


def _keep_an_admin(session: Session) -> None:
    session.flush()
    left = select(func.count()).where(AccountRow.role == "admin", AccountRow.is_disabled.is_(False))
    if not session.scalar(left):
        raise LastAdmin


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise BadRole(value=role, roles=", ".join(ROLES))
    return role


def _checked_label(label: str) -> str:
    plain = " ".join(label.split())
    if not 0 < len(plain) <= _LONGEST_LABEL or plain.startswith("#"):
        raise BadLabel(longest=_LONGEST_LABEL)
    return plain


def _checked_layers(layers: Sequence[str]) -> list[str]:
    for layer in layers:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", layer, re.ASCII):
            raise BadScope(value=layer)
    return sorted({*layers})


def _checked_areas(areas: Sequence[str]) -> list[str]:
    for area in areas:
        if not _AREA.fullmatch(area):
            raise BadScope(value=area)
    return sorted({*areas})


def _row(session: Session, id: int) -> AccountRow:
    row = session.get(AccountRow, id)
    if row is None:
        raise NoAccount
    return row


def _find(session: Session, name: str) -> AccountRow | None:
    return session.scalars(select(AccountRow).where(AccountRow.name == folded(name))).first()


def _value(row: AccountRow) -> Account:
    return Account(
        row.id,
        row.name,
        row.label,
        row.role,
        tuple(row.layers),
        tuple(row.areas),
        row.is_disabled,
        bool(row.password),
        bool(row.subject),
        row.made_at,
        bool(row.second),
        row.erased_at,
    )
