"""What the store knows of the things that a source tells of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import model
from layers.aliases import Book, Unit
from layers.catalog import said
from layers.columns import wkb_of
from layers.geo import Shapes
from layers.model import Area, Edition, Settlement
from layers.updates.wanted import AREAS, SETTLEMENTS, Wanted


@dataclass(frozen=True)
class Known:
    """What is known of the day (`units`, by code), what weaker sources say of it, and this source said last.

    `values` are the columns of the weaker sources' rows, by code. `own` are those that the source itself
    gave, by key. `book` tells what official codes meant.
    """

    units: Mapping[str, Unit] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ground:
    """The areas of a kind, n of them: codes, names and metric shapes."""

    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: Shapes


def of_source(session: Session, wanted: Wanted, *, day: date, language: str, book: Book) -> Known:
    """What is known of the things of a source, on the day of which it speaks."""
    if wanted.table == AREAS:
        columns = (Area.code, Area.names, Area.parent, Area.facts)
        found = _known(session, wanted, Area, columns, Area.kind == wanted.kind, day, language)
        called = book.called(wanted.kind, day)
        units = {code: replace(unit, official=called.get(code, "")) for code, unit in found.units.items()}
        return replace(found, units=units, book=book)
    if wanted.table == SETTLEMENTS:
        columns_ = (
            Settlement.key.label("code"),
            Settlement.name,
            Settlement.municipality,
            Settlement.county,
            Settlement.population,
            Settlement.population_as_of,
        )
        return _known(session, wanted, Settlement, columns_, True, day, language)
    return Known()


def _known(
    session: Session, wanted: Wanted, table: Any, columns: Any, which: Any, day: date, language: str
) -> Known:
    # What a stronger source hides is still said by its own.
    is_said = table.retired_in.is_(None)
    query = select(table.key, table.valid_from, table.valid_to, Edition.dataset, *columns)
    query = query.join(Edition, Edition.id == table.edition_id).where(which, is_said).order_by(table.id)
    units: dict[str, Unit] = {}
    again: dict[str, Unit] = {}
    values, own = {}, {}
    for row in session.execute(query):
        found = dict(row._mapping)
        unit = Unit(row.code, _name(found, language), _parent(found), row.valid_from, row.valid_to)
        if found["dataset"] == wanted.key:
            own[row.key] = found
            again |= {row.code: unit} if unit.held(day) else {}
        elif unit.held(day):
            units[row.code], values[row.code] = unit, found
    # What only the source itself has told keeps its code too, when it is called otherwise the next time.
    return Known(again | units, values, own=own)


def _name(found: Mapping[str, Any], language: str) -> str:
    return str(found["name"]) if "name" in found else said(found["names"], language, language)


def _parent(found: Mapping[str, Any]) -> str:
    return str(found["municipality"] if "municipality" in found else found["parent"].partition(":")[2])


def ground(session: Session, kind: str, *, day: date, language: str) -> Ground:
    """The areas of a kind that are shown on the day."""
    query = select(Area.code, Area.names, wkb_of(Area.geom).label("wkb")).where(Area.kind == kind)
    rows = session.execute(model.on_day(session, query, Area, day).order_by(Area.key)).all()
    shapes = np.asarray(shapely.from_wkb([row.wkb for row in rows]), dtype=object)
    names = tuple(said(row.names, language, language) for row in rows)
    return Ground(tuple(row.code for row in rows), names, shapes)
