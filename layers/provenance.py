"""Read: from which edition each fact is known, what a dataset says now, and of which time its facts speak."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from layers import dates, model, places
from layers.places import Edition

_BATCH = 500


def of_bodies(session: Session, *, as_of: date, keys: Iterable[str] | None = None) -> dict[str, Edition]:
    """The edition from which each organisation is known as it was on the day, by its key."""
    return _editions(session, model.Body, as_of, keys)


def of_areas(session: Session, keys: Iterable[str], *, as_of: date) -> dict[str, Edition]:
    """The edition from which each of these areas (`kind:code`) is known as it was on the day."""
    return _editions(session, model.Area, as_of, keys)


def _editions(session: Session, table: Any, as_of: date, keys: Iterable[str] | None) -> dict[str, Edition]:
    query = model.on_day(session, select(table.key, table.edition_id), table, as_of).order_by(
        table.valid_from
    )
    wanted = None if keys is None else sorted(set(keys))
    parts = (
        [query]
        if wanted is None
        else [query.where(table.key.in_(wanted[at : at + _BATCH])) for at in range(0, len(wanted), _BATCH)]
    )
    numbers = {row.key: row.edition_id for part in parts for row in session.execute(part)}
    editions = places.editions_of(session, set(numbers.values()))
    return {key: editions[number] for key, number in numbers.items()}


def spans(session: Session) -> dict[str, tuple[str, str]]:
    """The first and the last partial date of which the facts of each resource speak, by its name.

    Resources whose facts have no date are left out.
    """
    found: dict[str, tuple[str, str]] = {}
    for table in _facts():
        edition = model.Edition
        first, last = func.min(table.as_of).label("first"), func.max(table.as_of).label("last")
        query = model.known(session, select(edition.table_name, first, last), table)
        query = query.join(edition, edition.id == table.edition_id).where(table.as_of != "")
        for row in session.execute(query.group_by(edition.table_name)):
            both = (*found.get(row.table_name, ()), row.first, row.last)
            found[row.table_name] = (min(both, key=dates.first_day), max(both, key=dates.first_day))
    return dict(sorted(found.items()))


def contents(session: Session) -> dict[tuple[str, str], str]:
    """A digest of what each resource and dataset says, as it is shown: the same for the same facts.

    It is made of the facts as they are told, and not of the file: whoever knows all of a file but one house
    could else try points until the digest is right.
    """
    said: dict[tuple[str, str], list[str]] = {}
    for table in _facts():
        edition = model.Edition
        query = model.known(session, select(edition.table_name, edition.dataset, table.digest), table)
        for name, dataset, digest in session.execute(query.join(edition, edition.id == table.edition_id)):
            said.setdefault((name, dataset), []).append(digest)
    # The order of rows is the store's own.
    return {of: hashlib.sha256("".join(sorted(found)).encode()).hexdigest() for of, found in said.items()}


def _facts() -> Iterator[Any]:
    return (one.class_ for one in model.Base.registry.mappers if issubclass(one.class_, model.Fact))
