"""Read: what has changed in an area's safety network, and when we came to know it.

A thing has two histories: its own, told by when its states began and ended in the world, and that of our
knowledge of it, told by the editions. Nothing is overwritten, so that both can be read from the rows alone;
a session that looks back (`store.look_back`) sees neither later rows nor later ends.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import shapely
from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from layers import geo, model, places, store
from layers.catalog import Words
from layers.columns import wkb_of
from layers.errors import AreaNotFound, BodyNotFound
from layers.places import Edition

ADDED, CHANGED, ENDED = "added", "changed", "ended"
BEGAN, TURNED, CLOSED = "began", "turned", "closed"
WHATS = (ADDED, CHANGED, ENDED, BEGAN, TURNED, CLOSED)
_BODY = (
    *("name", "names", "layer", "form", "capabilities", "readiness", "place", "municipality", "county"),
    *("precision", "notes", "valid_from", "valid_to", "as_of", "source"),
)
_AREA = ("names", "parent", "accuracy", "valid_from", "valid_to", "as_of", "source")
# What the dates of an event say already, and what tells of its source and not of the thing.
_NOT_OF_THE_WORLD = {"valid_from", "valid_to", "as_of", "source"}


@dataclass(frozen=True)
class Change:
    """One thing that was added, changed or taken away. `at` is the moment in UTC, `of` is body or case."""

    of: str
    key: str
    names: Words
    what: str
    at: str


@dataclass(frozen=True)
class Fact:
    """What was told otherwise before.

    `name` is that of a column, `point` (a Place or None), `serves` (keys of areas), `area_m2` (the size of a
    shape that was redrawn), or that of one of the facts of an area.
    """

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Event:
    """One step of a history: in the world on a partial `day`, or in our knowledge by an `edition`."""

    what: str
    day: str
    facts: tuple[Fact, ...] = ()
    edition: Edition | None = None


def of_body(session: Session, key: str) -> list[Event]:
    """The history of an organisation, the newest first; of one day what was known comes before what was so.

    Raises:
        BodyNotFound: no organisation has this key.
    """
    table = model.Body
    found = _states(session, table, key, lambda rows: _told_bodies(session, rows))
    if not found:
        raise BodyNotFound(key=key)
    return _events(session, found)


def of_area(session: Session, kind: str, code: str) -> list[Event]:
    """The same of an area.

    Raises:
        AreaNotFound: there is none.
    """
    found = _states(session, model.Area, f"{kind}:{code}", _told_areas)
    if not found:
        raise AreaNotFound(kind=kind, code=code)
    return _events(session, found)


@dataclass(frozen=True)
class _State:
    """A row: what it tells, by name, and the editions that brought it and took it away."""

    told: Mapping[str, Any]
    edition: int
    retired: int | None

    def is_known(self, edition: int) -> bool:
        return self.edition <= edition and (self.retired is None or self.retired > edition)

    @property
    def valid_from(self) -> str:
        return str(self.told["valid_from"])


def _states(
    session: Session, table: Any, key: str, tell: Callable[[Sequence[Any]], list[dict[str, Any]]]
) -> list[_State]:
    """The rows of a thing, by edition and beginning."""
    query = select(*table.__table__.c, wkb_of(table.geom).label("wkb"))
    query = query.where(table.key == key, _was_shown(table))
    newest = session.info.get("known")
    if newest is not None:
        query = query.where(table.edition_id <= newest)
    rows = session.execute(query.order_by(table.edition_id, table.valid_from)).all()
    return [
        _State(
            told,
            row.edition_id,
            _gone(row, newest),
        )
        for row, told in zip(rows, tell(rows), strict=True)
    ]


def _gone(row: Any, newest: int | None) -> int | None:
    """The edition that took a row away, as known at an edition; None while it is there."""
    steps = [step for step in (row.retired_in, row.hidden_in) if step and (newest is None or step <= newest)]
    return min(steps, default=None)


def _was_shown(table: Any) -> ColumnElement[bool]:
    """Whether a row ever was; one that a stronger dataset has hidden from its beginning never was."""
    return or_(table.hidden_in.is_(None), table.hidden_in > table.edition_id)


def _told_bodies(session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    points = geo.places_of([row.wkb for row in rows], srid=store.srid_of(session))
    served: dict[int, list[str]] = {row.id: [] for row in rows}
    link = model.Serves
    query = select(link.body_id, link.area).where(link.body_id.in_(served)).order_by(link.area)
    for body, area in session.execute(query):
        served[body].append(area)
    return [
        {**_columns(row, _BODY), "point": point, "serves": tuple(served[row.id])}
        for row, point in zip(rows, points, strict=True)
    ]


def _told_areas(rows: Sequence[Any]) -> list[dict[str, Any]]:
    shapes = shapely.from_wkb([row.wkb for row in rows])
    told = []
    for row, shape in zip(rows, shapes, strict=True):
        facts = {name: value for name, value in row.facts.items() if name not in _AREA}
        told.append({**facts, **_columns(row, _AREA), "area_m2": round(float(shape.area))})
    return told


def _columns(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _events(session: Session, states: Sequence[_State]) -> list[Event]:
    steps = sorted({step for state in states for step in (state.edition, state.retired) if step})
    known = [*_known(states, steps, places.editions_of(session, steps))]
    last = max(step for step in steps if any(state.is_known(step) for state in states))
    so = [*_so([state for state in states if state.is_known(last)])]
    return sorted([*known[::-1], *so[::-1]], key=lambda event: event.day[:10], reverse=True)


def _known(
    states: Sequence[_State], steps: Sequence[int], editions: Mapping[int, Edition]
) -> Iterator[Event]:
    """How our knowledge grew, edition by edition."""
    before: list[_State] = []
    for step in steps:
        after = sorted((state for state in states if state.is_known(step)), key=lambda one: one.valid_from)
        facts = tuple(_between(before, after)) if before and after else ()
        what = ADDED if not before else CHANGED if after else ENDED
        if what != CHANGED or facts:
            yield Event(what, editions[step].loaded_at, facts, editions[step])
        before = after


def _between(before: Sequence[_State], after: Sequence[_State]) -> Iterator[Fact]:
    """What states tell otherwise than before, each fact once.

    States are compared by their beginnings, those left over in their order; a further one with the one that
    precedes it.
    """
    old = {state.valid_from: state for state in before}
    kept = {state.valid_from for state in after}
    left = iter([state for state in before if state.valid_from not in kept])
    seen: set[str] = set()
    last: _State | None = None
    for state in after:
        other = old.get(state.valid_from) or next(left, None) or last
        for fact in _differing(other.told, state.told) if other else ():
            if fact.name not in seen:
                seen.add(fact.name)
                yield fact
        last = state


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Fact]:
    names = dict.fromkeys([*after, *before])
    found = [Fact(name, before.get(name), after.get(name)) for name in names]
    return [fact for fact in found if (fact.before or None) != (fact.after or None)]


def _so(states: Sequence[_State]) -> Iterator[Event]:
    """How the thing itself went, as it is known last."""
    ordered = sorted(states, key=lambda one: one.valid_from)
    for before, state in zip([None, *ordered], ordered, strict=False):
        if before is None:
            if state.valid_from:
                yield Event(BEGAN, state.valid_from)
        elif facts := _differing(before.told, state.told):
            told = tuple(fact for fact in facts if fact.name not in _NOT_OF_THE_WORLD)
            yield Event(TURNED, state.valid_from, told)
    if ordered and ordered[-1].told["valid_to"]:
        yield Event(CLOSED, str(ordered[-1].told["valid_to"]))


@dataclass(frozen=True)
class Touched:
    """One thing that an edition added, changed or ended; `facts` are what became otherwise."""

    of: str
    key: str
    names: Words
    what: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Told:
    """What an edition did: how many things in all, and the first of each sort by key."""

    counts: Mapping[str, int]
    touched: tuple[Touched, ...]


HID = "hid"
"""What another dataset says is no longer shown."""


def of_edition(session: Session, number: int, *, most: int = 100) -> Told:
    """What an edition added, changed, ended and hid among organisations and areas; of each `most` things."""
    counts = dict.fromkeys((ADDED, CHANGED, ENDED, HID), 0)
    touched: list[Touched] = []
    tables: Mapping[str, Any] = {"body": model.Body, "area": model.Area}
    for of, table in tables.items():
        name = table.name if of == "body" else table.key
        columns = (table.key, table.names.label("names"), name.label("own"))
        brought = {
            row.key: row for row in session.execute(select(*columns).where(table.edition_id == number))
        }
        taken = {row.key: row for row in session.execute(select(*columns).where(table.retired_in == number))}
        hidden = {row.key: row for row in session.execute(select(*columns).where(table.hidden_in == number))}
        sorts = {
            ADDED: brought.keys() - taken.keys(),
            CHANGED: brought.keys() & taken.keys(),
            ENDED: taken.keys() - brought.keys(),
            HID: hidden.keys(),
        }
        every = {**hidden, **taken, **brought}
        for what, keys in sorts.items():
            counts[what] += len(keys)
            for key in sorted(keys)[:most]:
                row = every[key]
                words = {"": row.own, **row.names} if of == "body" else row.names
                facts = _turned(session, table, key, number) if what == CHANGED else ()
                touched.append(Touched(of, key, words, what, facts))
    return Told(counts, tuple(touched))


def _turned(session: Session, table: Any, key: str, number: int) -> tuple[Fact, ...]:
    """What became otherwise with one thing by an edition."""
    tell = _told_areas if table is model.Area else lambda rows: _told_bodies(session, rows)
    states = _states(session, table, key, tell)
    before = [state for state in states if state.is_known(number - 1)]
    return tuple(_between(before, [state for state in states if state.is_known(number)]))


def in_area(session: Session, kind: str, code: str, *, most: int = 50) -> list[Change]:
    """The newest changes among the organisations and cases that sit in an area, serve or cover it."""
    found = [
        *_of(session, "body", model.Body, model.Serves, "body_id", kind, code),
        *_of(session, "case", model.Case, model.CaseArea, "case_id", kind, code),
    ]
    found.sort(key=lambda one: (one.of, one.key))
    return sorted(found, key=lambda one: one.at, reverse=True)[:most]


def _of(
    session: Session, of: str, table: Any, link: Any, back: str, kind: str, code: str
) -> Iterator[Change]:
    here = [exists().where(getattr(link, back) == table.id, link.area == f"{kind}:{code}")]
    if kind in ("county", "municipality"):
        here.append(getattr(table, kind) == code)
    names = table.names if of == "body" else table.titles
    own = table.name if of == "body" else table.key
    query = select(
        table.key, table.edition_id, table.retired_in, table.hidden_in, names.label("names"), own.label("own")
    )
    newest = session.info.get("known")
    if newest is not None:
        query = query.where(table.edition_id <= newest)
    loaded = session.execute(select(model.Edition.id, model.Edition.loaded_at))
    moments = {row.id: row.loaded_at for row in loaded}
    query = query.where(or_(*here), _was_shown(table))
    rows = session.execute(query.order_by(table.key, table.edition_id)).all()
    for key, states in groupby(rows, key=lambda row: row.key):
        yield from _history(of, key, list(states), moments, newest)


def _history(
    of: str, key: str, states: Sequence[Any], moments: dict[int, str], newest: int | None
) -> Iterator[Change]:
    """The life of one thing: added by its first edition, changed by later ones, ended by the last."""
    editions = sorted({state.edition_id for state in states})
    for edition in editions:
        state = next(state for state in states if state.edition_id == edition)
        words = {"": state.own, **state.names} if of == "body" else state.names
        yield Change(of, key, words, ADDED if edition == editions[0] else CHANGED, moments[edition])
    last = [state for state in states if state.edition_id == editions[-1]]
    gone = [_gone(state, newest) for state in last]
    if all(gone):
        words = {"": last[-1].own, **last[-1].names} if of == "body" else last[-1].names
        yield Change(of, key, words, ENDED, moments[max(step for step in gone if step)])
