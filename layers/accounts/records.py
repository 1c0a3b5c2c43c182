"""What happened at the door: who, when, what. Addresses are kept as keyed digests, and not for long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from layers import dates
from layers.accounts.tables import AccountRow, RecordRow
from layers.errors import N_

WHAT = {
    "signed_in": N_("signed in"),
    "failed": N_("tried in vain to sign in"),
    "locked": N_("has to wait after tries in vain"),
    "signed_out": N_("signed out"),
    "ended": N_("ended sessions"),
    "added": N_("added an account"),
    "invited": N_("made an invitation"),
    "password": N_("chose a password"),
    "role": N_("changed a role"),
    "scope": N_("changed what an account may steward"),
    "label": N_("changed a label"),
    "disabled": N_("disabled an account"),
    "enabled": N_("enabled an account"),
    "linked": N_("linked an account with a person at the provider"),
    "unlinked": N_("took the link with the provider away"),
    "second_on": N_("turned the second factor on"),
    "second_off": N_("turned the second factor off"),
    "second_codes": N_("made new recovery codes"),
    "second_failed": N_("gave a wrong code of the second factor"),
    "recovered": N_("used a recovery code"),
    "again": N_("proved again who it is"),
    "refused": N_("was refused for want of a role"),
    "erased": N_("erased an account"),
    "unlocked": N_("ended a wait after tries in vain"),
    "stranger": N_("came from the provider without an account"),
}
_ADDRESSES_KEPT, _KEPT = timedelta(days=30), timedelta(days=730)


@dataclass(frozen=True)
class Record:
    """`by` and `about` are the labels of accounts, "" for somebody unknown; `detail` has no words to read."""

    at: str
    what: str
    by: str
    about: str
    detail: str
    address: str


def note(
    session: Session,
    what: str,
    *,
    now: datetime,
    by: int = 0,
    about: int = 0,
    address: str = "",
    detail: str = "",
) -> None:
    """Writes down what happened; `address` is a keyed digest."""
    if what not in WHAT:
        raise ValueError(what)
    at = dates.moment(now)
    session.add(RecordRow(at=at, what=what, by=by, about=about, address=address, detail=detail))
    session.flush()


def latest(session: Session, *, about: int = 0, most: int = 100) -> list[Record]:
    """The newest first; `about` one account only, as doer or as the one it was done to."""
    query = select(RecordRow).order_by(RecordRow.at.desc(), RecordRow.id.desc()).limit(most)
    if about:
        query = query.where((RecordRow.about == about) | (RecordRow.by == about))
    rows = session.scalars(query).all()
    ids = {row.by for row in rows} | {row.about for row in rows}
    named = select(AccountRow.id, AccountRow.label).where(AccountRow.id.in_(ids))
    labels = {row.id: row.label for row in session.execute(named)}
    return [
        Record(
            row.at, row.what, labels.get(row.by, ""), labels.get(row.about, ""), row.detail, row.address[:8]
        )
        for row in rows
    ]


def forget_old(session: Session, *, now: datetime) -> None:
    """Addresses after a month, all after two years."""
    session.execute(delete(RecordRow).where(RecordRow.at < dates.moment(now - _KEPT)))
    old = RecordRow.at < dates.moment(now - _ADDRESSES_KEPT)
    session.execute(update(RecordRow).where(old, RecordRow.address != "").values(address=""))
