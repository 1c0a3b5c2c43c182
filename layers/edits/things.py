"""Read: an organisation, an area or a case with all its states, each as the cells of a form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from layers import geo, letters, store
from layers.catalog import Instance, Layer
from layers.columns import wkb_of
from layers.edits import sheets
from layers.errors import AreaNotFound, BodyNotFound, CaseNotFound, Sentence
from layers.model import (
    Area,
    Body,
    Case,
    CaseArea,
    CaseBody,
    CasePractice,
    Edition,
    Serves,
    is_shown,
)
from layers.sources.rows import Row, digests

CASE = "case_study"
TABLES: Mapping[str, Any] = {"body": Body, "area": Area, CASE: Case}
# What hangs on a row: its name -> the table, the column that points back, the columns of the link.
_LINKS: Mapping[str, Mapping[str, tuple[Any, str, tuple[str, ...]]]] = {
    "body": {"serves": (Serves, "body_id", ("area",))},
    CASE: {
        "practices": (CasePractice, "case_id", ("position", "practice", "adaptation")),
        "bodies": (CaseBody, "case_id", ("body",)),
        "areas": (CaseArea, "case_id", ("area",)),
    },
}
SHAPE = "shape"
_OWN = ("id", "key", "digest", "edition_id", "retired_in", "hidden_in", "geom")
_MOST_FOUND = 50
_BODY = (
    *("name", "form", "capabilities", "readiness", "place", "settlement", "municipality", "county", "lat"),
    *("lon", "precision", "serves", "valid_from", "valid_to", "as_of", "as_of_inferred", "source"),
    "source_url",
)
_AREA = ("parent", "accuracy", SHAPE, "valid_from", "valid_to", "as_of", "source", "source_url")


@dataclass(frozen=True)
class State:
    """What is told of a thing in one period. `dataset` tells whose word it is, `row` says it again."""

    valid_from: str
    valid_to: str
    dataset: str
    cells: Mapping[str, str]
    row: Row = field(repr=False)

    @property
    def shown(self) -> Mapping[str, str]:
        """The cells as a comparison shows them: a shape by its size and number of corners."""
        shape = self.row.values.get("geom")
        if SHAPE not in self.cells or shape is None:
            return self.cells
        # The last corner of a ring is its first one.
        corners = int(shapely.get_num_coordinates(shape)) - len(shapely.get_rings(shapely.get_parts(shape)))
        size = Sentence(
            "{area} km², corners: {corners}", area=f"{shapely.area(shape) / 1e6:.4f}", corners=corners
        )
        return {**self.cells, SHAPE: size}


@dataclass(frozen=True)
class Thing:
    """An organisation, an area or a case with its states, in order. `seen` is the newest edition then."""

    table: str
    key: str
    layer: str
    states: tuple[State, ...]
    seen: int = 0

    @property
    def digest(self) -> tuple[str, ...]:
        """The same as long as the same is told."""
        return tuple(digests([state.row for state in self.states]))

    def state(self, valid_from: str) -> State | None:
        return next((one for one in self.states if one.valid_from == valid_from), None)


def columns_of(instance: Instance, table: str) -> tuple[str, ...]:
    """The fields of a form, in their order."""
    if table == CASE:
        return sheets.columns(instance)
    names = tuple(f"name_{language}" for language in instance.languages)
    if table == "area":
        return (*names, *_AREA)
    notes = tuple(f"note_{language}" for language in instance.languages)
    return (_BODY[0], *names, *_BODY[1:12], *notes, *_BODY[12:])


def layer_of_kind(instance: Instance, kind: str) -> Layer:
    """The layer in which areas of a kind are shown.

    Raises:
        AreaNotFound: there is none.
    """
    found = next((one for one in instance.layers_of("areas") if one.kind == kind), None)
    if found is None:
        raise AreaNotFound(kind=kind, code="")
    return found


def body(session: Session, instance: Instance, key: str) -> Thing:
    """An organisation as it is told now.

    Raises:
        BodyNotFound: nothing is told of it.
    """
    found = thing(session, instance, "body", key)
    if not found.states:
        raise BodyNotFound(key=key)
    return found


def area(session: Session, instance: Instance, kind: str, code: str) -> Thing:
    """An area as it is told now.

    Raises:
        AreaNotFound: nothing is told of it, or no layer shows its kind.
    """
    layer_of_kind(instance, kind)
    found = thing(session, instance, "area", f"{kind}:{code}")
    if not found.states:
        raise AreaNotFound(kind=kind, code=code)
    return found


def case(session: Session, instance: Instance, key: str) -> Thing:
    """A case as it is told now.

    Raises:
        CaseNotFound: nothing is told of it.
    """
    found = thing(session, instance, CASE, key)
    if not found.states:
        raise CaseNotFound(key=key)
    return found


def new(session: Session, table: str, layer: str) -> Thing:
    """Of what nothing is told so far."""
    return Thing(table, "", layer, (), newest(session))


def newest(session: Session) -> int:
    """The number of the newest edition; 0 without any."""
    return session.scalar(select(func.max(Edition.id))) or 0


def thing(session: Session, instance: Instance, table: str, key: str, *, at: int | None = None) -> Thing:
    """What is told now, or was told right after edition `at`; without states where nothing is."""
    fact = TABLES[table]
    names = [column for column in fact.__table__.c if column.name not in _OWN]
    said = is_shown(fact) if at is None else _told_at(fact, at)
    query = select(*names, fact.id.label("number"), Edition.dataset, wkb_of(fact.geom).label("wkb"))
    query = query.join(Edition, Edition.id == fact.edition_id).where(fact.key == key, said)
    rows = session.execute(query.order_by(fact.valid_from, fact.id)).all()
    links = _links(session, table, [row.number for row in rows])
    srid = store.srid_of(session)
    states = tuple(
        _state(instance, table, key, dict(row._mapping), links.get(row.number, {}), srid) for row in rows
    )
    layer = _layer(instance, table, key, states)
    return Thing(table, key, layer, states, newest(session) if at is None else at)


def _layer(instance: Instance, table: str, key: str, states: Sequence[State]) -> str:
    if table == "area":
        return layer_of_kind(instance, key.partition(":")[0]).key
    if table == CASE:
        return next((one.key for one in instance.layers_of("cases")), "")
    return str(states[-1].row.values["layer"]) if states else ""


def _told_at(fact: Any, at: int) -> ColumnElement[bool]:
    told: ColumnElement[bool] = (
        (fact.edition_id <= at)
        & (fact.retired_in.is_(None) | (fact.retired_in > at))
        & (fact.hidden_in.is_(None) | (fact.hidden_in > at))
    )
    return told


def _links(session: Session, table: str, ids: list[int]) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """What hangs on rows: id -> name -> links, each name's in the order of its first column."""
    about = _LINKS.get(table, {})
    found: dict[int, dict[str, list[dict[str, Any]]]] = {id_: {name: [] for name in about} for id_ in ids}
    for name, (links, back, columns) in about.items():
        hangs = links.__table__.c
        query = select(hangs[back].label("of"), *(hangs[column] for column in columns))
        for row in session.execute(
            query.where(hangs[back].in_(ids)).order_by(hangs[back], hangs[columns[0]])
        ):
            found[row.of][name].append({column: getattr(row, column) for column in columns})
    return found


def _state(
    instance: Instance,
    table: str,
    key: str,
    said: dict[str, Any],
    links: Mapping[str, list[dict[str, Any]]],
    srid: int,
) -> State:
    dataset, wkb = said.pop("dataset"), said.pop("wkb")
    said.pop("number")
    said["geom"] = None if wkb is None else shapely.set_srid(shapely.from_wkb(wkb), srid)
    row = Row(key=key, line=0, file="", values=said, links=links)
    return State(said["valid_from"], said["valid_to"], dataset, cells(instance, table, row), row)


def cells(instance: Instance, table: str, row: Row) -> dict[str, str]:
    """A row as the cells of a form; a shape stays blank, which keeps it."""
    if table == CASE:
        return {**sheets.cells(instance, row), **point_of(row)}
    said = row.values
    found = {name: str(said[name]) for name in columns_of(instance, table) if name in said}
    found |= {f"name_{code}": str(said["names"].get(code, "")) for code in instance.languages}
    if table == "area":
        return {**found, SHAPE: ""}
    found |= {f"note_{code}": str(said["notes"].get(code, "")) for code in instance.languages}
    return {
        **found,
        **point_of(row),
        "capabilities": ";".join(said["capabilities"]),
        "serves": ";".join(link["area"] for link in row.links.get("serves", ())),
        "as_of_inferred": "yes" if said.get("as_of_inferred") else "",
    }


def point_of(row: Row) -> dict[str, str]:
    """The cells of the point of an organisation or a case."""
    point = row.values["geom"]
    if point is None:
        return {"lat": "", "lon": ""}
    place = geo.place_of(point.x, point.y, srid=shapely.get_srid(point))
    return {"lat": str(place.lat), "lon": str(place.lon)}


def bodies_called(session: Session, *, keys: Sequence[str]) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Names of those of these organisations that are told, ended ones too: key -> name, names by language."""
    query = select(Body.key, Body.name, Body.names).where(Body.key.in_(keys), is_shown(Body))
    return {row.key: (row.name, row.names) for row in session.execute(query.order_by(Body.valid_from))}


def matches(session: Session, instance: Instance, words: str) -> list[tuple[str, str, str]]:
    """What is called so or has this key, at most 50: (table, key, name); ended ones too."""
    wanted = letters.fold(words)
    if not wanted:
        return []
    found: dict[tuple[str, str], str] = {}
    for row in session.execute(select(Body.key, Body.name, Body.names).where(is_shown(Body))):
        if wanted in letters.fold(" ".join([row.key, row.name, *map(str, row.names.values())])):
            found["body", row.key] = row.name
    kinds = [one.kind for one in instance.layers_of("areas")]
    query = select(Area.key, Area.names).where(is_shown(Area), Area.kind.in_(kinds))
    for area_ in session.execute(query):
        if wanted in letters.fold(" ".join([area_.key, *map(str, area_.names.values())])):
            own = area_.names.get(instance.default_language)
            found["area", area_.key] = own or next(iter(area_.names.values()), area_.key)
    for case_ in session.execute(select(Case.key, Case.titles).where(is_shown(Case))):
        if wanted in letters.fold(" ".join([case_.key, *map(str, case_.titles.values())])):
            own = case_.titles.get(instance.default_language)
            found[CASE, case_.key] = own or next(iter(case_.titles.values()), case_.key)
    listed = sorted(found.items(), key=lambda one: (letters.fold(one[1]), one[0]))
    return [(table, key, name) for (table, key), name in listed[:_MOST_FOUND]]
