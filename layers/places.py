"""Read: organisations, areas and settlements on a given day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from layers import geo, model, store
from layers.catalog import Words
from layers.columns import in_box, wkb_of
from layers.errors import AreaNotFound, BodyNotFound, SettlementNotFound
from layers.geo import Bbox, Place, Shapes
from layers.outlines import STEPS, texts, written

_BATCH = 5000

_GROUND_KINDS = ("land", "neighbour")  # Drawn under everything, and no layer of their own.


@dataclass(frozen=True)
class Source:
    """Where a fact is known from. `as_of` is the date it speaks of, "" when the source has none.

    `confirmed` is the newest day on which somebody said that it still holds, "" where nobody has.
    """

    title: str
    url: str
    as_of: str
    inferred: bool = False
    confirmed: str = ""


@dataclass(frozen=True)
class Body:
    """An organisation. `place` is None when its place is not known; `precision` says how exact it is."""

    key: str
    layer: str
    name: str
    names: Words
    form: str
    capabilities: tuple[str, ...]
    readiness: str
    locality: str
    settlement: str
    municipality: str
    county: str
    precision: str
    place: Place | None
    serves: tuple[str, ...]
    valid_from: str
    valid_to: str
    notes: Words
    source: Source


@dataclass(frozen=True)
class Area:
    """A polygon's facts, without its shape. `accuracy` is "approximate" or "official"."""

    kind: str
    code: str
    names: Words
    parent: str
    accuracy: str
    facts: Words
    valid_from: str
    valid_to: str
    source: Source

    @cached_property
    def key(self) -> str:
        return f"{self.kind}:{self.code}"


@dataclass(frozen=True)
class Settlement:
    """An entry of the gazetteer; `population` is None when it is not known."""

    key: str
    name: str
    municipality: str
    county: str
    place: Place
    population: int | None
    population_as_of: str


@dataclass(frozen=True)
class Count:
    """How many of a layer somebody has counted in an area; None where the source gives no number."""

    layer: str
    area: str
    number: int | None
    qualifier: str
    households: int | None
    households_qualifier: str
    members: int | None
    notes: Words
    source: Source
    key: str = ""


@dataclass(frozen=True)
class Edition:
    """One loaded import, for the page about the data."""

    number: int
    name: str
    dataset: str
    title: Words
    source: Words
    source_url: str
    licence: str
    as_of: str
    loaded_at: str
    checksum: str
    rows: int
    account: str = ""
    note: str = ""
    undoes: int | None = None


def bodies(
    session: Session, *, as_of: date, layer: str = "", keys: Iterable[str] | None = None
) -> list[Body]:
    """Organisations by county and name: of one layer, or those with the given keys, or all."""
    table = model.Body
    query = model.on_day(session, _body_columns(session), table, as_of).order_by(
        table.county, table.name, table.key, table.valid_from
    )
    if layer:
        query = query.where(table.layer == layer)
    if keys is not None:
        query = query.where(table.key.in_(sorted(keys)))
    return _bodies(session, query)


def body_states(session: Session) -> list[Body]:
    """Every known state of every organisation, whenever it was, by key and beginning."""
    table = model.Body
    return _bodies(
        session, model.known(session, _body_columns(session), table).order_by(table.key, table.valid_from)
    )


def bodies_serving(session: Session, area: str, *, as_of: date) -> list[Body]:
    """Organisations that are responsible for an area (`kind:code`)."""
    table, link = model.Body, model.Serves
    # Asked the other way round, with exists(), every body would be looked at for every area.
    serves = table.id.in_(select(link.body_id).where(link.area == area))
    query = model.on_day(session, _body_columns(session), table, as_of).where(serves)
    return _bodies(session, query.order_by(table.layer, table.name, table.key, table.valid_from))


def bodies_in(session: Session, *, as_of: date, municipality: str = "", county: str = "") -> list[Body]:
    """Organisations seated in a municipality or county (by code)."""
    table = model.Body
    where = table.municipality == municipality if municipality else table.county == county
    query = model.on_day(session, _body_columns(session), table, as_of).where(where)
    return _bodies(session, query.order_by(table.layer, table.name, table.key, table.valid_from))


def body(session: Session, key: str, *, as_of: date) -> Body:
    """One organisation as it was on the day; where it had ended or not begun, its nearest known state.

    Raises:
        BodyNotFound: no organisation has this key.
    """
    table = model.Body
    query = (
        model.known(session, _body_columns(session), table).where(table.key == key).order_by(table.valid_from)
    )
    found = _bodies(session, query)
    if not found:
        raise BodyNotFound(key=key)
    return found[_state_on([state.valid_from for state in found], as_of)]


def _state_on(beginnings: Sequence[str], as_of: date) -> int:
    """Which of a thing's states, by their beginnings: the last one begun by the day, else the first."""
    begun = sum(start <= as_of.isoformat() for start in beginnings)
    return max(begun - 1, 0)


def points_near(session: Session, box: Sequence[float], *, layer: str, as_of: date) -> dict[str, Any]:
    """Keys of placed organisations of a layer in a box of metres, each with its metric point."""
    table = model.Body
    query = model.on_day(session, select(table.key, wkb_of(table.geom).label("wkb")), table, as_of)
    query = query.where(table.layer == layer, in_box(table.geom, box)).order_by(table.key, table.valid_from)
    rows = session.execute(query).all()
    points = shapely.from_wkb([row.wkb for row in rows])
    return {row.key: point for row, point in zip(rows, points, strict=True)}


def _body_columns(session: Session) -> Select[Any]:
    table = model.Body
    confirmed = model.last_confirmed(session, table)
    return select(*table.__table__.c, wkb_of(table.geom).label("wkb"), confirmed)


def _bodies(session: Session, query: Select[Any]) -> list[Body]:
    rows = session.execute(query).all()
    served = _served(session, [row.id for row in rows])
    places = geo.places_of([row.wkb for row in rows], srid=store.srid_of(session))
    return [_body(row, place, served.get(row.id, ())) for row, place in zip(rows, places, strict=True)]


def _served(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    link = model.Serves
    found: dict[int, tuple[str, ...]] = {}
    query = select(link.body_id, link.area).where(link.body_id.in_(ids)).order_by(link.area)
    for body_id, area in session.execute(query):
        found[body_id] = (*found.get(body_id, ()), area)
    return found


def _body(row: Any, place: Place | None, serves: tuple[str, ...]) -> Body:
    return Body(
        key=row.key,
        layer=row.layer,
        name=row.name,
        names=row.names,
        form=row.form,
        capabilities=tuple(row.capabilities),
        readiness=row.readiness,
        locality=row.place,
        settlement=row.settlement,
        municipality=row.municipality,
        county=row.county,
        precision=row.precision,
        place=place,
        serves=serves,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        notes=row.notes,
        source=Source(row.source, row.source_url, row.as_of, row.as_of_inferred, row.confirmed or ""),
    )


_AREA_COLUMNS = [column for column in model.Area.__table__.c if column.name != "geom"]


def _area_facts(session: Session) -> list[Any]:
    return [*_AREA_COLUMNS, model.last_confirmed(session, model.Area)]


def areas(session: Session, kind: str, *, as_of: date, most: int | None = None) -> list[Area]:
    """The areas of a kind, by code; with `most` only the first so many."""
    query = model.on_day(session, select(*_area_facts(session)), model.Area, as_of).where(
        model.Area.kind == kind
    )
    return [
        _area(row)
        for row in session.execute(query.order_by(model.Area.code, model.Area.valid_from).limit(most))
    ]


def area_count(session: Session, kind: str, *, as_of: date) -> int:
    """How many areas of a kind there are."""
    query = model.on_day(session, select(func.count()).select_from(model.Area), model.Area, as_of)
    return int(session.scalar(query.where(model.Area.kind == kind)) or 0)


def has_rough_areas(session: Session) -> bool:
    """Whether there is an area whose border is only approximate, on whatever day."""
    rough = model.known(session, select(model.Area.id), model.Area).where(
        model.Area.accuracy == "approximate", model.Area.kind.not_in(_GROUND_KINDS)
    )
    return bool(session.scalar(select(rough.exists())))


def is_empty(session: Session) -> bool:
    """Whether no organisation, case, practice, place or area is known, on whatever day."""
    asked = [
        model.known(session, select(table.id), table)
        for table in (model.Body, model.Case, model.Practice, model.Settlement)
    ]
    areas = select(model.Area.id).where(model.Area.kind.not_in(_GROUND_KINDS))
    asked.append(model.known(session, areas, model.Area))
    return not any(session.scalar(select(one.exists())) for one in asked)


def area(session: Session, kind: str, code: str, *, as_of: date) -> Area:
    """One area as it was on the day; where it had ended or not begun, its nearest known state.

    Raises:
        AreaNotFound: there is none.
    """
    table = model.Area
    query = model.known(session, select(*_area_facts(session)), table).where(table.key == f"{kind}:{code}")
    rows = session.execute(query.order_by(table.valid_from)).all()
    if not rows:
        raise AreaNotFound(kind=kind, code=code)
    return _area(rows[_state_on([row.valid_from for row in rows], as_of)])


def later_areas(session: Session, kind: str, *, as_of: date) -> list[Area]:
    """The areas of a kind that were not there before and began after the day, as they began, by code."""
    table = model.Area
    query = model.known(session, select(*_area_facts(session)), table).where(table.kind == kind)
    found = {row.key: row for row in session.execute(query.order_by(table.code, table.valid_from.desc()))}
    return [_area(row) for row in found.values() if row.valid_from > as_of.isoformat()]


def area_names(
    session: Session, *, but: Iterable[str] = (), keys: Iterable[str] | None = None
) -> dict[str, Words]:
    """The names of areas by their keys (`kind:code`), the newest where they changed, ended ones too.

    Of every area, `but` not of these kinds; or of the given keys.
    """
    table = model.Area
    query = model.known(session, select(table.key, table.names), table).order_by(table.valid_from)
    query = (
        query.where(table.kind.not_in(sorted(but)))
        if keys is None
        else query.where(table.key.in_(sorted(keys)))
    )
    return {row.key: row.names for row in session.execute(query)}


def areas_at(session: Session, place: Place, *, as_of: date) -> list[Area]:
    """Every area in which a point lies, the largest first. A point on a border lies in both areas."""
    return [area for area, _ in areas_with_sizes_at(session, place, as_of=as_of)]


def areas_with_sizes_at(
    session: Session, place: Place, *, as_of: date, kinds: Iterable[str] | None = None
) -> list[tuple[Area, float]]:
    """The same with their sizes in square metres, of some kinds only where these are named."""
    point = geo.metric_point(place, srid=store.srid_of(session))
    table = model.Area
    query = model.on_day(
        session, select(*_area_facts(session), wkb_of(table.geom).label("wkb")), table, as_of
    )
    if kinds is not None:
        query = query.where(table.kind.in_(sorted(kinds)))
    rows = session.execute(
        query.where(in_box(table.geom, point.bounds)).order_by(table.key, table.valid_from)
    ).all()
    shapes = shapely.from_wkb([row.wkb for row in rows])
    inside = [(row, shape.area) for row, shape in zip(rows, shapes, strict=True) if shape.intersects(point)]
    return [(_area(row), size) for row, size in sorted(inside, key=lambda found: -found[1])]


def area_states(session: Session, kinds: Iterable[str]) -> list[tuple[Area, shapely.Geometry]]:
    """Every known state of the areas of some kinds, by key and beginning, with its metric shape."""
    table = model.Area
    query = model.known(session, select(*_area_facts(session), wkb_of(table.geom).label("wkb")), table)
    rows = session.execute(
        query.where(table.kind.in_(sorted(kinds))).order_by(table.key, table.valid_from)
    ).all()
    found = shapely.from_wkb([row.wkb for row in rows])
    return [(_area(row), shape) for row, shape in zip(rows, found, strict=True)]


def shapes(
    session: Session, kind: str, *, as_of: date, bbox: Bbox | None = None, tolerance_m: float = 0
) -> list[tuple[Area, shapely.Geometry]]:
    """The areas of a kind that meet the frame, whole, with their shapes in degrees.

    With a tolerance in metres they are simplified together, so that neighbours keep one border.
    """
    srid, table = store.srid_of(session), model.Area
    query = model.on_day(
        session, select(*_area_facts(session), wkb_of(table.geom).label("wkb")), table, as_of
    )
    query = query.where(table.kind == kind).order_by(table.code, table.valid_from)
    frame = geo.to_metric([shapely.segmentize(bbox.polygon(), 0.1)], srid=srid)[0] if bbox else None
    if frame is not None:
        query = query.where(in_box(table.geom, frame.bounds))
    rows = session.execute(query).all()
    found = shapely.from_wkb([row.wkb for row in rows])
    used = [i for i, shape in enumerate(found) if frame is None or shape.intersects(frame)]
    drawn = shapely.coverage_simplify(found[used], tolerance_m) if tolerance_m else found[used]
    degrees = geo.to_degrees(drawn, srid=srid)
    return [(_area(rows[i]), shape) for i, shape in zip(used, degrees, strict=True)]


def outlines(
    session: Session, kind: str, *, as_of: date, step: str, keys: Sequence[str] | None = None
) -> list[tuple[Area, str]]:
    """The areas of a kind as they are drawn at a zoom step (`layers.outlines`): GeoJSON in degrees, by code.

    What was prepared at import is only joined to its names; what was not is drawn now.
    """
    table, drawn, day = model.Area, model.Outline, as_of.isoformat()
    holds = (drawn.step == step) & (drawn.since <= day) & ((drawn.until == "") | (drawn.until > day))
    query = select(*_area_facts(session), drawn.shape.label("text"))
    query = query.outerjoin(drawn, (drawn.area_id == table.id) & holds).where(table.kind == kind)
    query = query if keys is None else query.where(table.key.in_(keys))
    rows = session.execute(
        model.on_day(session, query, table, as_of).order_by(table.code, table.valid_from)
    ).all()
    if "known" not in session.info and all(row.text is not None for row in rows):
        return [(_area(row), row.text) for row in rows]
    shapes_m = _metric(session, [row.id for row in rows])
    drawn_m = shapely.coverage_simplify(shapes_m, STEPS[step]) if STEPS[step] else shapes_m
    found = texts(drawn_m, srid=store.srid_of(session), tolerance_m=STEPS[step])
    return [(_area(row), text) for row, text in zip(rows, found, strict=True)]


def outlines_in(
    session: Session, kind: str, bbox: Bbox, *, as_of: date, most: int
) -> tuple[list[tuple[Area, str]], bool]:
    """The areas of a kind that meet a frame, exact, at most so many; and whether there are more.

    Where there are more, the largest are given: what one would miss first.
    """
    found = shapes(session, kind, as_of=as_of, bbox=bbox)
    if len(found) > most:
        found = sorted(found, key=lambda pair: (-shapely.area(pair[1]), pair[0].code))[:most]
        return _told(found), True
    return _told(found), False


def _told(found: Sequence[tuple[Area, shapely.Geometry]]) -> list[tuple[Area, str]]:
    drawn = np.array([shape for _, shape in found], dtype=object)
    return [(area, text) for (area, _), text in zip(found, written(drawn), strict=True)]


def _metric(session: Session, ids: Sequence[int]) -> Shapes:
    """The shapes of areas in metres, in the order of their numbers given."""
    table = model.Area
    found: dict[int, bytes] = {}
    for at in range(0, len(ids), _BATCH):
        query = select(table.id, wkb_of(table.geom).label("wkb")).where(table.id.in_(ids[at : at + _BATCH]))
        found |= {row.id: row.wkb for row in session.execute(query)}
    return np.asarray(shapely.from_wkb([found[id_] for id_ in ids]), dtype=object)


def _area(row: Any) -> Area:
    return Area(
        kind=row.kind,
        code=row.code,
        names=row.names,
        parent=row.parent,
        accuracy=row.accuracy,
        facts=row.facts,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source=Source(row.source, row.source_url, row.as_of, confirmed=row.confirmed or ""),
    )


def settlements(session: Session, *, as_of: date, least_population: int = 0) -> list[Settlement]:
    """The gazetteer, the most populous first; with `least_population` only those known to have it."""
    table = model.Settlement
    query = model.on_day(session, select(*table.__table__.c, wkb_of(table.geom).label("wkb")), table, as_of)
    if least_population:
        query = query.where(table.population >= least_population)
    return _settlements(
        session, query.order_by(func.coalesce(table.population, 0).desc(), table.key, table.valid_from)
    )


def settlement(session: Session, code: str) -> Settlement:
    """One entry of the gazetteer as it was last.

    Raises:
        SettlementNotFound: there is none with this code.
    """
    table = model.Settlement
    query = select(*table.__table__.c, wkb_of(table.geom).label("wkb")).where(table.key == code)
    found = _settlements(session, model.known(session, query, table).order_by(table.valid_from))
    if not found:
        raise SettlementNotFound(code=code)
    return found[-1]


def _settlements(session: Session, query: Select[Any]) -> list[Settlement]:
    rows = session.execute(query).all()
    places = geo.places_of([row.wkb for row in rows], srid=store.srid_of(session))
    return [
        Settlement(
            row.key, row.name, row.municipality, row.county, place, row.population, row.population_as_of
        )
        for row, place in zip(rows, places, strict=True)
        if place
    ]


def counts(session: Session, *, as_of: date, area: str = "", layer: str = "") -> list[Count]:
    """What has been counted in an area (`kind:code`), or of a layer; the newest first."""
    table = model.Count
    columns = (*table.__table__.c, model.last_confirmed(session, table))
    query = model.on_day(session, select(*columns), table, as_of)
    query = query.where(table.as_of <= as_of.isoformat())
    for column, wanted in ((table.area, area), (table.layer, layer)):
        query = query.where(column == wanted) if wanted else query
    return [
        Count(
            layer=row.layer,
            area=row.area,
            number=row.number,
            qualifier=row.qualifier,
            households=row.households,
            households_qualifier=row.households_qualifier,
            members=row.members,
            notes=row.notes,
            source=Source(row.source, row.source_url, row.as_of, row.as_of_inferred, row.confirmed or ""),
            key=row.key,
        )
        for row in session.execute(query.order_by(table.as_of.desc(), table.key, table.valid_from))
    ]


def settlement_names(session: Session, codes: Iterable[str]) -> dict[str, str]:
    """Names of settlements by code, the newest where they changed."""
    table = model.Settlement
    query = model.known(session, select(table.key, table.name), table).where(table.key.in_(sorted(codes)))
    return {row.key: row.name for row in session.execute(query.order_by(table.valid_from))}


def known_at(session: Session) -> str:
    """The moment of the newest edition or confirmation: looking back to it shows the same for ever.

    The clock would not do: an import that is under way began before now and will be seen after.
    """
    newest = (select(func.max(column)) for column in (model.Edition.loaded_at, model.Confirmation.moment))
    return max(session.scalar(one) or "" for one in newest)


def turns(session: Session) -> set[str]:
    """The partial dates on which an entry of the gazetteer, a count or the land began, ended or was told."""
    found: set[str] = set()
    town, count, area = model.Settlement, model.Count, model.Area
    for table, columns in (
        (town, (town.valid_from, town.valid_to)),
        (count, (count.valid_from, count.valid_to, count.as_of)),
        (area, (area.valid_from, area.valid_to)),
    ):
        for column in columns:
            query = model.known(session, select(column).distinct(), table)
            found |= {*session.scalars(query.where(area.kind == "land") if table is area else query)}
    return found - {""}


def revisions(session: Session) -> dict[str, int]:
    """How often each layer has changed: what caches and addresses compare."""
    return {row.layer: row.number for row in session.execute(select(*model.Revision.__table__.c))}


def editions(session: Session) -> list[Edition]:
    """The newest edition of every dataset, by resource; in a session that looks back, the newest of then."""
    table = model.Edition
    newest = select(func.max(table.id)).group_by(table.table_name, table.dataset)
    if (known := session.info.get("known")) is not None:
        newest = newest.where(table.id <= known)
    query = select(table).where(table.id.in_(newest), table.rows > 0)
    query = query.order_by(table.table_name, table.dataset)
    return [_edition(row) for row in session.scalars(query)]


def all_editions(session: Session, *, layer: str = "", most: int = 200) -> list[Edition]:
    """The newest editions, of one layer or of all, the newest first."""
    query = select(model.Edition).order_by(model.Edition.id.desc()).limit(most)
    if layer:
        query = query.where(model.Edition.table_name == layer)
    return [_edition(row) for row in session.scalars(query)]


def editions_of(session: Session, ids: Iterable[int]) -> dict[int, Edition]:
    """Editions by their numbers."""
    query = select(model.Edition).where(model.Edition.id.in_(sorted(ids)))
    return {row.id: _edition(row) for row in session.scalars(query)}


def _edition(row: model.Edition) -> Edition:
    return Edition(
        number=row.id,
        name=row.table_name,
        dataset=row.dataset,
        title=row.title,
        source=row.source,
        source_url=row.source_url,
        licence=row.licence,
        as_of=row.as_of,
        loaded_at=row.loaded_at,
        checksum=row.checksum,
        rows=row.rows,
        account=row.account,
        note=row.note,
        undoes=row.undoes,
    )
