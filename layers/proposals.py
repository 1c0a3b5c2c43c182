"""Write and read: the edits that partners want, until a steward has decided. Never shown in public."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from layers import dates, edits
from layers.catalog import Instance
from layers.edits import Change, Prepared
from layers.edits.writing import checked_note
from layers.errors import N_, Invalid, NotFound
from layers.model import Proposal

OPEN, ACCEPTED, DECLINED = "open", "accepted", "declined"
_MOST_OPEN = 100


class ProposalNotFound(NotFound):
    text = N_("There is no proposal {number}.")


class Decided(Invalid):
    text = N_("Proposal {number} has been decided already.")


class NoReason(Invalid):
    text = N_("Say why it is declined.")


class TooMany(Invalid):
    text = N_("{most} of your proposals wait already. Wait until a steward has decided on some.")


@dataclass(frozen=True)
class Proposed:
    """A proposal. `seen` is the newest edition that its writer saw; `edition` is 0 for none."""

    id: int
    change: Change
    seen: int
    note: str
    label: str
    moment: str
    state: str
    reason: str
    decided_by: str
    edition: int


def propose(session: Session, prepared: Prepared, *, seen: int, label: str, note: str, now: datetime) -> int:
    """Keeps a checked edit for the stewards; the caller commits.

    Raises:
        TooMany: of this office too many wait.
        Wrong: there is a contact in the note.
    """
    waiting_ = select(func.count()).where(Proposal.label == label, Proposal.state == OPEN)
    if (session.scalar(waiting_) or 0) >= _MOST_OPEN:
        raise TooMany(most=_MOST_OPEN)
    change = _coarse(prepared)
    row = Proposal(
        table_name=change.table,
        key=change.key,
        layer=change.layer,
        seen=seen,
        change={**asdict(change), "cells": dict(change.cells)},
        note=checked_note(note),
        label=label,
        moment=dates.moment(now),
    )
    session.add(row)
    session.flush()
    return row.id


def _coarse(prepared: Prepared) -> Change:
    """The edit as it may be kept: with the point that the layer's privacy policy lets be told."""
    change, row = prepared.change, prepared.outcome.rows[-1]
    if change.table == "area" or change.way == edits.END:
        return change
    return replace(change, cells={**change.cells, **edits.point_of(row)})


def waiting(session: Session) -> list[Proposed]:
    """What waits for a decision, the oldest first."""
    return [_read(row) for row in _rows(session, Proposal.state == OPEN)]


def of(session: Session, label: str) -> list[Proposed]:
    """What an office has proposed, the newest first."""
    return [_read(row) for row in _rows(session, Proposal.label == label)][::-1]


def one(session: Session, number: int) -> Proposed:
    """Raises ProposalNotFound."""
    row = session.get(Proposal, number)
    if row is None:
        raise ProposalNotFound(number=number)
    return _read(row)


def accept(
    session: Session,
    instance: Instance,
    number: int,
    *,
    by: str,
    now: datetime,
    seen: int | None = None,
    cells: Mapping[str, str] | None = None,
    today: date | None = None,
) -> tuple[int, Prepared]:
    """Writes what is proposed, under both labels; the caller commits.

    Where what is told has changed since, the steward decides: `seen` and `cells` are then what she saw and
    chose.

    Returns:
        the number of the edition, and what it wrote.

    Raises:
        ProposalNotFound, Decided.
        Clash, Wrong, NoState, NothingChanged: as `edits.prepare` says.
    """
    row = _open(session, number)
    found = _read(row)
    change = found.change if cells is None else replace(found.change, cells=cells)
    seen = found.seen if seen is None else seen
    prepared = edits.prepare(session, instance, change, seen=seen, today=today)
    how: dict[str, Any] = {"proposed_by": found.label, "proposal": number}
    row.edition = edits.write(session, instance, prepared, account=by, note=found.note, now=now, how=how)
    _decide(row, ACCEPTED, by=by, now=now)
    session.flush()
    return row.edition, prepared


def decline(session: Session, number: int, *, by: str, reason: str, now: datetime) -> None:
    """Declines a proposal with a reason for who proposed it; what it said is forgotten. The caller commits.

    Raises:
        ProposalNotFound, Decided, NoReason.
        Wrong: there is a contact in the reason.
    """
    row = _open(session, number)
    said = checked_note(reason)
    if not said:
        raise NoReason
    row.reason, row.change = said, {**row.change, "cells": {}}
    _decide(row, DECLINED, by=by, now=now)
    session.flush()


def _open(session: Session, number: int) -> Proposal:
    row = session.get(Proposal, number)
    if row is None:
        raise ProposalNotFound(number=number)
    if row.state != OPEN:
        raise Decided(number=number)
    return row


def _decide(row: Proposal, state: str, *, by: str, now: datetime) -> None:
    row.state, row.decided_by, row.decided_at = state, by, dates.moment(now)


def _rows(session: Session, where: Any) -> list[Proposal]:
    return list(session.scalars(select(Proposal).where(where).order_by(Proposal.id)))


def _read(row: Proposal) -> Proposed:
    return Proposed(
        id=row.id,
        change=Change(**row.change),
        seen=row.seen,
        note=row.note,
        label=row.label,
        moment=row.moment,
        state=row.state,
        reason=row.reason,
        decided_by=row.decided_by,
        edition=row.edition or 0,
    )
