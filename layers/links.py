"""What names an area: what the codes in the store meant on a day, and which links a plan leaves behind."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import shapely
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from layers import dates
from layers.aliases import OFFICIAL_CODE, Book, Told, Unit
from layers.catalog import said
from layers.columns import batches, wkb_of
from layers.editions import Plan
from layers.errors import N_, Sentence
from layers.model import Area, Body, Case, CaseArea, Count, Edition, Serves, Settlement, is_shown, on_day

_NAMED = 5
_BY_CODE = ("municipality", "county")


@dataclass(frozen=True)
class StoreCodes:
    """What the store of a session knows of the codes of areas (`layers.sources.recoded.Codes`)."""

    session: Session = field(repr=False)
    language: str

    @cached_property
    def book(self) -> Book:
        """What sources called areas that they know by another code; not from what was undone.

        A source that never told an official code of an area says nothing of it: it may not know of any.
        """
        undone = select(Edition.undoes).where(Edition.undoes.is_not(None))
        about = (Area.kind, Area.code, Area.key, Area.facts, Area.as_of)
        query = select(*about, Edition.table_name, Edition.dataset).join(
            Edition, Edition.id == Area.edition_id
        )
        query = query.where(Area.edition_id.not_in(undone))
        tells = cast(Area.facts, Text).contains(OFFICIAL_CODE)
        renamed = [row for row in self.session.execute(query.where(tells)) if row.facts.get(OFFICIAL_CODE)]
        # Whose own code another one is called by now: on earlier days that code was still its own.
        keys = {row.key for row in renamed} | {f"{row.kind}:{row.facts[OFFICIAL_CODE]}" for row in renamed}
        rows = [
            row
            for some in batches(sorted(keys))
            for row in self.session.execute(query.where(Area.key.in_(some)))
        ]
        knowing = {(row.key, row.table_name, row.dataset) for row in renamed}
        aliased = {row.key for row in renamed}
        told = {
            Told(row.kind, row.code, str(row.facts.get(OFFICIAL_CODE) or row.code), row.as_of)
            for row in rows
            if row.key not in aliased or (row.key, row.table_name, row.dataset) in knowing
        }
        return Book(tuple(sorted(told, key=lambda one: (one.kind, one.code, one.as_of, one.official))))

    def units(self, kind: str, told: Mapping[str, str], day: date) -> Sequence[Unit]:
        """The areas of a kind on a day, with their shapes where `told` (official code → name) differs."""
        called = self.book.called(kind, day)
        query = select(Area.id, Area.code, Area.names, Area.parent, Area.valid_from, Area.valid_to)
        query = query.where(Area.kind == kind, Area.retired_in.is_(None))
        found: dict[str, tuple[int, Unit]] = {}
        # What a stronger source hides is known too; of one code the row that is shown comes last and speaks.
        for row in self.session.execute(query.order_by(Area.hidden_in.is_(None), Area.id)):
            name, parent = said(row.names, self.language, self.language), row.parent.partition(":")[2]
            official = called.get(row.code, "")
            unit = Unit(row.code, name, parent, row.valid_from, row.valid_to, official)
            if unit.held(day):
                found[row.code] = row.id, unit
        differ = [id_ for id_, unit in found.values() if told.get(unit.official or unit.code) != unit.name]
        shapes = _shapes(self.session, differ)
        return [replace(unit, shape=shapes.get(id_)) for id_, unit in found.values()]


def _shapes(session: Session, ids: Sequence[int]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for some in batches(sorted(ids)):
        query = select(Area.id, wkb_of(Area.geom).label("wkb")).where(Area.id.in_(some))
        found |= {row.id: shapely.from_wkb(row.wkb) for row in session.execute(query)}
    return found


# --- Links that a plan leaves behind


@dataclass(frozen=True)
class Lost:
    """An area that is told no more and which things of today still name: `by` are their tables and keys.

    `now` is the area in which the middle of its land lies afterwards, "" where there is none.
    """

    area: str
    name: str
    by: tuple[tuple[str, str], ...]
    now: str = ""

    @property
    def what(self) -> Sentence:
        keys = ", ".join(key for _, key in self.by[:_NAMED]) + (", …" if len(self.by) > _NAMED else "")
        told = N_("{area} ({name}) is told no more and still named by {keys} ({count}).")
        return Sentence(told, area=self.area, name=self.name, count=len(self.by), keys=keys)

    @property
    def remedy(self) -> Sentence:
        if not self.now:
            return Sentence(N_("What they say stays, and leads to the past: name an area of today in them."))
        told = N_("What they say stays, and leads to the past: name {now} in them, where its land lies now.")
        return Sentence(told, now=self.now)


def lost(session: Session, plan: Plan, *, day: date) -> list[Lost]:
    """The areas that nobody would tell of any more on a day, as far as something that is told names them.

    By area, what names it in the order of its keys; of a plan that brings no areas none.
    """
    if plan.source.table != "area":
        return []
    on = day.isoformat()
    held = [row for row in plan.source.rows if dates.holds(row.valid_from, str(row.values["valid_to"]), on)]
    touched = {*plan.ended, *(row.key for row in (*plan.added, *plan.changed))}
    gone = touched - {row.key for row in held}
    gone -= _still_told(session, gone, {*plan.retired}, day)
    by = _naming(session, gone, day)
    if not by:
        return []
    query = select(Area.key, Area.kind, Area.names, wkb_of(Area.geom).label("wkb"))
    query = query.where(Area.key.in_(sorted(by)), is_shown(Area)).order_by(Area.key, Area.valid_from)
    known = {row.key: row for row in session.execute(query)}
    tree = shapely.STRtree([row.values["geom"] for row in held])
    found = []
    for area, row in known.items():
        at = tree.query(shapely.point_on_surface(shapely.from_wkb(row.wkb)), predicate="intersects")
        now = [held[one].key for one in sorted(at) if held[one].values["kind"] == row.kind]
        name = str(next(iter(row.names.values()), area))
        found.append(Lost(area, name, tuple(sorted(by[area])), now[0] if now else ""))
    return found


def _still_told(session: Session, keys: Collection[str], retired: Collection[int], day: date) -> set[str]:
    """Which of some areas another row tells of on the day, shown or hidden."""
    found = set()
    for some in batches(sorted(keys)):
        query = select(Area.id, Area.key, Area.valid_from, Area.valid_to)
        for row in session.execute(query.where(Area.key.in_(some), Area.retired_in.is_(None))):
            if row.id not in retired and dates.holds(row.valid_from, row.valid_to, day.isoformat()):
                found.add(row.key)
    return found


def _naming(session: Session, keys: Collection[str], day: date) -> dict[str, set[tuple[str, str]]]:
    """By area, the tables and keys of what names it on the day."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for some in batches(sorted(keys)):
        for table, column, query in _links():
            for row in session.execute(on_day(session, query.where(column.in_(some)), table, day)):
                found[row.area].add((table.__tablename__, row.key))
    for kind in _BY_CODE:
        codes = sorted(key.partition(":")[2] for key in keys if key.startswith(f"{kind}:"))
        for table in (Body, Case, Settlement):
            column = getattr(table, kind)
            for some in batches(codes):
                query = select(table.key, column.label("area")).where(column.in_(some))
                for row in session.execute(on_day(session, query, table, day)):
                    found[f"{kind}:{row.area}"].add((table.__tablename__, row.key))
    return dict(found)


def _links() -> Iterator[tuple[Any, Any, Any]]:
    """Tables, the column that names an area by its key, and the query that joins them."""
    of_bodies = select(Body.key, Serves.area.label("area")).join(Serves, Serves.body_id == Body.id)
    of_cases = select(Case.key, CaseArea.area.label("area")).join(CaseArea, CaseArea.case_id == Case.id)
    yield Body, Serves.area, of_bodies
    yield Case, CaseArea.area, of_cases
    yield Count, Count.area, select(Count.key, Count.area.label("area"))
    yield Area, Area.parent, select(Area.key, Area.parent.label("area"))
