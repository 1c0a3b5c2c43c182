"""Read: what the project tells of itself: its journal, its trainings, its own pages."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import dates, model
from layers.catalog import Words
from layers.errors import EntryNotFound, EventNotFound, PageNotFound


@dataclass(frozen=True)
class File:
    """A file that hangs on an entry: its name in `journal/files`, and what it is."""

    name: str
    titles: Words


@dataclass(frozen=True)
class Entry:
    """One entry of the journal; `date` is partial."""

    key: str
    date: str
    titles: Words
    summaries: Words
    texts: Words
    files: tuple[File, ...]
    sources: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Event:
    """A training or seminar. `begins` and `ends` are partial dates, or times with their distance to UTC."""

    key: str
    titles: Words
    notes: Words
    begins: str
    ends: str
    place: str
    parties: tuple[str, ...]
    practices: tuple[str, ...]
    materials: tuple[str, ...]
    status: str
    as_of: str
    source: str
    source_url: str

    @property
    def has_day(self) -> bool:
        """Whether the source tells the day, and not the month or year alone."""
        return len(self.begins) >= len("2016-09-21")

    def is_over(self, today: date) -> bool:
        """Whether its last day, month or year has gone by."""
        last = (self.ends or self.begins)[:10]
        return last < today.isoformat()[: len(last)]


@dataclass(frozen=True)
class Page:
    """A text of the instance about itself."""

    key: str
    titles: Words
    summaries: Words
    texts: Words
    as_of: str
    sources: tuple[dict[str, str], ...]


def entries(session: Session, *, as_of: date) -> list[Entry]:
    """The journal up to a day, the newest entry first."""
    query = model.on_day(session, select(*model.Entry.__table__.c), model.Entry, as_of)
    newest = query.order_by(model.Entry.valid_from.desc(), model.Entry.key)
    return [_entry(row) for row in session.execute(newest)]


def entry(session: Session, key: str) -> Entry:
    """One entry.

    Raises:
        EntryNotFound: there is none with this key.
    """
    row = _one(session, model.Entry, key)
    if row is None:
        raise EntryNotFound(key=key)
    return _entry(row)


def events(session: Session) -> list[Event]:
    """Every training that is known, past and to come, in the order of their days."""
    query = model.known(session, select(*model.Event.__table__.c), model.Event)
    found = [_event(row) for row in session.execute(query)]
    return sorted(found, key=lambda one: (dates.first_day(one.begins[:10]), one.begins, one.key))


def event(session: Session, key: str) -> Event:
    """One training.

    Raises:
        EventNotFound: there is none with this key.
    """
    row = _one(session, model.Event, key)
    if row is None:
        raise EventNotFound(key=key)
    return _event(row)


def page(session: Session, key: str) -> Page:
    """One text of the instance about itself.

    Raises:
        PageNotFound: the instance has none with this key.
    """
    row = _one(session, model.Page, key)
    if row is None:
        raise PageNotFound(key=key)
    return Page(row.key, row.titles, row.summaries, row.texts, row.as_of, tuple(row.sources))


def _one(session: Session, table: Any, key: str) -> Any:
    query = model.known(session, select(*table.__table__.c), table).where(table.key == key)
    return session.execute(query.order_by(table.valid_from.desc())).first()


def _entry(row: Any) -> Entry:
    return Entry(
        key=row.key,
        date=row.valid_from,
        titles=row.titles,
        summaries=row.summaries,
        texts=row.texts,
        files=tuple(File(**one) for one in row.files),
        sources=tuple(row.sources),
    )


def _event(row: Any) -> Event:
    return Event(
        key=row.key,
        titles=row.titles,
        notes=row.notes,
        begins=row.begins,
        ends=row.ends,
        place=row.place,
        parties=tuple(row.parties),
        practices=tuple(row.practices),
        materials=tuple(row.materials),
        status=row.status,
        as_of=row.as_of,
        source=row.source,
        source_url=row.source_url,
    )
