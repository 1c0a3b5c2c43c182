"""Read and undo: who changed what when, field by field."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from layers import editions
from layers.catalog import Instance
from layers.editions import ChangedSince
from layers.edits import things, writing
from layers.edits.things import TABLES, Thing
from layers.edits.timeline import Outcome
from layers.edits.writing import Line, compared
from layers.errors import N_, Invalid
from layers.model import EDITS, Edition

_MOST = 50


class NoEdit(Invalid):
    text = N_("Edition {number} is no edit by hand: it cannot be taken back here.")


@dataclass(frozen=True)
class Change:
    """How one state was changed. `start` is its beginning."""

    start: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Latest:
    """An edit by hand. `proposed_by` is "" where a steward wrote it.

    `undoes` and `undone_by` are 0 for none.
    """

    edition: int
    moment: str
    account: str
    note: str
    dataset: str
    proposed_by: str
    undoes: int
    undone_by: int
    things: tuple[tuple[str, str], ...] = ()
    """(table, key)"""

    @property
    def may_be_undone(self) -> bool:
        return self.dataset == EDITS and not self.undone_by


@dataclass(frozen=True)
class Step:
    """One edition in the life of a thing, with what it changed."""

    about: Latest
    changes: tuple[Change, ...]


def history(session: Session, instance: Instance, table: str, key: str) -> list[Step]:
    """Every edition that changed what is told of a thing, the newest first, at most 50."""
    fact = TABLES[table]
    query = select(fact.edition_id, fact.retired_in, fact.hidden_in).where(fact.key == key)
    numbers = sorted({n for row in session.execute(query) for n in row if n}, reverse=True)[:_MOST]
    about = {one.edition: one for one in _about(session, numbers)}
    found = []
    for number in numbers:
        before = things.thing(session, instance, table, key, at=number - 1)
        after = things.thing(session, instance, table, key, at=number)
        if changes := _changes(before, after):
            found.append(Step(about[number], changes))
    return found


def _changes(before: Thing, after: Thing) -> tuple[Change, ...]:
    starts = sorted({state.valid_from for thing in (before, after) for state in thing.states})
    found = []
    for start in starts:
        old, new = before.state(start), after.state(start)
        lines = compared(old.shown if old else {}, new.shown if new else {})
        if lines:
            found.append(Change(start, lines))
    return tuple(found)


def latest(session: Session, *, most: int = _MOST) -> list[Latest]:
    """The newest edits by hand, the newest first."""
    query = select(Edition.id).where(Edition.dataset == EDITS).order_by(Edition.id.desc()).limit(most)
    return _about(session, list(session.scalars(query)))


def _about(session: Session, numbers: list[int]) -> list[Latest]:
    rows = session.scalars(select(Edition).where(Edition.id.in_(numbers)).order_by(Edition.id.desc())).all()
    undone = select(Edition.undoes, Edition.id).where(Edition.undoes.in_(numbers))
    by = {row.undoes: row.id for row in session.execute(undone)}
    edits = [row.id for row in rows if row.dataset == EDITS]
    touched = _touched(session, edits)
    return [
        Latest(
            edition=row.id,
            moment=row.loaded_at,
            account=row.account,
            note=row.note,
            dataset=row.dataset,
            proposed_by="" if row.undoes else str(row.how.get("proposed_by", "")),
            undoes=row.undoes or 0,
            undone_by=by.get(row.id, 0),
            things=tuple(sorted(touched.get(row.id, ()))),
        )
        for row in rows
    ]


def _touched(session: Session, numbers: list[int]) -> dict[int, set[tuple[str, str]]]:
    """What editions brought or took away of their own dataset."""
    found: dict[int, set[tuple[str, str]]] = {}
    for table, fact in TABLES.items():
        query = select(fact.key, fact.edition_id, fact.retired_in).join(
            Edition, Edition.id == fact.edition_id
        )
        mine = or_(fact.edition_id.in_(numbers), fact.retired_in.in_(numbers))
        for row in session.execute(query.where(mine, Edition.dataset == EDITS)):
            for number in {row.edition_id, row.retired_in} & {*numbers}:
                found.setdefault(number, set()).add((table, row.key))
    return found


def touched(session: Session, number: int) -> list[tuple[str, str]]:
    """What an edit by hand is about: (table, key).

    Raises:
        EditionNotFound: there is none of this number.
        NoEdit: it was imported, or read from files.
    """
    edition = session.get(Edition, number)
    if edition is None:
        raise editions.EditionNotFound(number=number)
    if edition.dataset != EDITS:
        raise NoEdit(number=number)
    return sorted(_touched(session, [number]).get(number, ()))


def undo(session: Session, instance: Instance, number: int, *, now: datetime, account: str, note: str) -> int:
    """Takes an edit by hand back; the caller commits. What came later must have been taken back.

    Raises:
        NoEdit: it is none.
        AlreadyUndone, ChangedSince: as `editions.undo` says.
    """
    about = touched(session, number)
    said = {"now": now, "account": account, "note": writing.checked_note(note)}
    try:
        return editions.undo(session, number, **said)  # type: ignore[arg-type]
    except ChangedSince:
        if len(about) != 1:
            raise
        after = things.thing(session, instance, *about[0], at=number)
        present = things.thing(session, instance, *about[0])
        if after.digest != present.digest:
            raise
    before = things.thing(session, instance, *about[0], at=number - 1)
    rows = tuple(state.row for state in before.states if state.dataset == EDITS)
    begins = frozenset(state.valid_from for state in (*before.states, *present.states))
    edition = writing.said(session, instance, present, Outcome(rows, begins), **said)  # type: ignore[arg-type]
    session.execute(update(Edition).where(Edition.id == edition).values(undoes=number))
    return edition
