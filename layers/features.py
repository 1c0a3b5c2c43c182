"""Read: every public thing as a feature (properties and a shape), collection by collection, page by page.

What a page holds is decided by keys: `after` is the last key that was given, so that a reader who walks on
misses and repeats nothing that stays, whatever is added or taken away meanwhile. SQL finds candidates in that
order; the exact step is done here, on the shape as it is published: rounded, in the system of the question.
So whoever tests the published shapes comes to the same result. A page reads so many rows at most: where a
filter finds little in a million, it comes back short and says where to go on.

A feature is a thing, not one of its states: asked about a span of days it is told as it was last within it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import shapely
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from layers import cql, dates, freshness, geo, model, outlines, places
from layers.catalog import Instance, Words, said
from layers.columns import in_box, wkb_of
from layers.cql import BOOLEAN, DATE, LIST, NUMBER, TEXT, Filter
from layers.errors import N_, LayerNotFound, NotFound
from layers.geo import Shapes

_BATCH = 1000
_MOST_READ = 10_000
_MOST_WORK = 5_000_000  # Rows times parts of the filter: a second or two at most.
_MOST_COUNTED = 10_000
_BESIDE = 10.0  # Degrees around the instance in which a frame's box in metres can be trusted.
_MARGIN_M = 100.0
_DEGREE_DIGITS, _METRE_DIGITS = 5, 1


class FeatureNotFound(NotFound):
    text = N_("There is no “{key}” in this collection on this day.")


@dataclass(frozen=True)
class Collection:
    """A set of features. `of` is the kind of its rows; `kind` the layer or kind of area that they are of."""

    key: str
    of: str
    kind: str
    title: Words = field(compare=False)
    about: Words = field(compare=False)


@dataclass(frozen=True)
class Property:
    """A property that every feature of a kind has, null where it is not known."""

    name: str
    kind: str
    title: str


@dataclass(frozen=True)
class Frame:
    """A box that a shape must meet: west, south, east, north in degrees, or in metres of the instance."""

    bounds: tuple[float, float, float, float]
    is_metric: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked of a collection: days (both included), frames of which one must be met, a filter.

    `text` tells the filter for comparison; `filter_is_metric` in which system it has its shapes. `is_wide`
    says that the frames hold so much that the spatial index would not help.
    """

    first: date
    last: date
    frames: tuple[Frame, ...] = ()
    text: tuple[str, ...] = ()
    only: Filter | None = field(default=None, compare=False)
    filter_is_metric: bool = False
    is_wide: bool = False


@dataclass(frozen=True)
class Feature:
    """One feature; `shape` is in metres, None where its place is not known."""

    key: str
    properties: Mapping[str, Any]
    shape: shapely.Geometry | None


@dataclass(frozen=True)
class Page:
    """Some features by key; `after` is where to go on, None at the end."""

    features: tuple[Feature, ...]
    after: str | None


@dataclass(frozen=True)
class Asker:
    """Who reads: what of, in which language, and the day against which ages are told."""

    session: Session
    instance: Instance
    language: str
    today: date


# --- Which collections there are, and what their features have


def collections(instance: Instance) -> list[Collection]:
    """Every layer of the map, then what lies under it and beside it."""
    layers = [
        Collection(layer.key, layer.of, layer.kind or layer.key, layer.label, layer.about)
        for layer in instance.layers
    ]
    more = (("settlements", "settlements", ""), ("counts", "counts", ""))
    ground = (("land", "areas", "land"), ("neighbours", "areas", "neighbour"))
    return layers + [
        Collection(key, of, kind, instance.resources[key].title, {})
        for key, of, kind in (*more, *ground)
        if key in instance.resources
    ]


def collection(instance: Instance, key: str) -> Collection:
    """One of them.

    Raises:
        LayerNotFound: there is none with this key.
    """
    for one in collections(instance):
        if one.key == key:
            return one
    raise LayerNotFound(layer=key)


_SEAT = (
    Property("locality", TEXT, N_("Place")),
    Property("settlement", TEXT, N_("Code of the settlement")),
    Property("municipality", TEXT, N_("Code of the municipality")),
    Property("municipality_name", TEXT, N_("Municipality")),
    Property("county", TEXT, N_("Code of the county")),
    Property("county_name", TEXT, N_("County")),
)
_PRECISION = (
    Property("precision", TEXT, N_("How exact the point is, as a code")),
    Property("precision_label", TEXT, N_("How exact the point is")),
)
_VALID = (
    Property("valid_from", DATE, N_("So from this day on")),
    Property("valid_to", DATE, N_("So until before this day")),
)
_SOURCE = (
    Property("source", TEXT, N_("Source")),
    Property("source_url", TEXT, N_("Address of the source")),
    Property("licence", TEXT, N_("Licence")),
)
_AGE = (
    Property("as_of", DATE, N_("As of")),
    Property("as_of_inferred", BOOLEAN, N_("Whether the date was worked out")),
    Property("confirmed", DATE, N_("Last confirmed")),
    Property("freshness", TEXT, N_("How old the fact is")),
    Property("expires", DATE, N_("Not current after this day")),
    Property("current", BOOLEAN, N_("Whether it may be told as current")),
)
_KEY = Property("key", TEXT, N_("Key"))
_NAME = Property("name", TEXT, N_("Name"))
_NOTES = Property("notes", TEXT, N_("Notes"))
_PEOPLE = (
    Property("population", NUMBER, N_("Inhabitants")),
    Property("population_as_of", DATE, N_("Inhabitants as of")),
)
_PROPERTIES: dict[str, tuple[Property, ...]] = {
    "bodies": (
        _KEY,
        _NAME,
        Property("form", TEXT, N_("What it is, as a code")),
        Property("form_label", TEXT, N_("What it is")),
        Property("capabilities", LIST, N_("What it can do, as codes")),
        Property("readiness", TEXT, N_("Readiness, as a code")),
        Property("readiness_label", TEXT, N_("Readiness")),
        *_SEAT,
        *_PRECISION,
        Property("serves", LIST, N_("Areas that it serves, as keys")),
        _NOTES,
        *_VALID,
        *_AGE,
        *_SOURCE,
    ),
    "cases": (
        _KEY,
        _NAME,
        Property("summary", TEXT, N_("In short")),
        Property("theme", TEXT, N_("Theme, as a code")),
        Property("theme_label", TEXT, N_("Theme")),
        Property("outcome", TEXT, N_("Outcome, as a code")),
        Property("outcome_label", TEXT, N_("Outcome")),
        Property("stage", TEXT, N_("Evidence, as a code")),
        Property("parties", LIST, N_("Who took part, as codes")),
        *_SEAT,
        *_PRECISION,
        Property("period_from", DATE, N_("Began")),
        Property("period_to", DATE, N_("Ended")),
        Property("practices", LIST, N_("Practices that it shows, as keys")),
        Property("bodies", LIST, N_("Organisations that took part, as keys")),
        Property("areas", LIST, N_("Areas where it was, as keys")),
        *_VALID,
        *_AGE,
        *_SOURCE,
    ),
    "areas": (
        _KEY,
        _NAME,
        Property("kind", TEXT, N_("Kind of area, as a code")),
        Property("kind_label", TEXT, N_("Kind of area")),
        Property("code", TEXT, N_("Code")),
        Property("parent", TEXT, N_("Part of, as a key")),
        Property("accuracy", TEXT, N_("How exact the border is")),
        *_PEOPLE,
        Property("area_km2", NUMBER, N_("Area, km²")),
        *_VALID,
        *_AGE,
        *_SOURCE,
    ),
    "settlements": (
        _KEY,
        _NAME,
        *_SEAT[2:],
        *_PEOPLE,
        *_VALID,
        Property("as_of", DATE, N_("As of")),
        *_SOURCE,
    ),
    "counts": (
        _KEY,
        Property("layer", TEXT, N_("Layer, as a key")),
        Property("layer_label", TEXT, N_("Layer")),
        Property("area", TEXT, N_("Area, as a key")),
        Property("area_name", TEXT, N_("Area that was counted")),
        Property("number", NUMBER, N_("How many")),
        Property("qualifier", TEXT, N_("How exact the number is")),
        Property("households", NUMBER, N_("Households")),
        Property("households_qualifier", TEXT, N_("How exact the households are")),
        Property("members", NUMBER, N_("Members")),
        _NOTES,
        *_VALID,
        *_AGE,
        *_SOURCE,
    ),
}


def properties(of: str) -> tuple[Property, ...]:
    """What every feature of a kind has, in this order."""
    return _PROPERTIES[of]


@cache
def kinds(of: str) -> Mapping[str, str]:
    """The same as a filter sees it: name → kind."""
    return {one.name: one.kind for one in _PROPERTIES[of]}


# --- Asking


def page(asker: Asker, of: Collection, asked: Question, *, after: str = "", most: int) -> Page:
    """At most so many features behind a key, by key."""
    found: list[Feature] = []
    if asked.frames and _is_wide(asker, of, asked):
        # Each batch would ask the spatial index for all of them, and sort: by keys nearly every row is meant.
        asked = replace(asked, is_wide=True)
    for feature, at in _matching(asker, of, asked, after, most=most, budget=_budget(asked)):
        if feature is None:
            return Page(tuple(found), at)
        if len(found) == most:
            return Page(tuple(found), found[-1].key)
        found.append(feature)
    return Page(tuple(found), None)


def matched(asker: Asker, of: Collection, asked: Question) -> int | None:
    """How many features answer a question; None where it takes too long to tell."""
    if not asked.frames and asked.only is None:
        query = _query(asker, of, asked, select(func.count(_TABLES[of.of].key.distinct())))
        return int(asker.session.scalar(query) or 0)
    if _is_wide(asker, of, asked):
        return None
    count = 0
    for feature, _ in _matching(asker, of, asked, "", most=_BATCH, budget=_budget(asked)):
        if feature is None:
            return None
        count += 1
    return count


def feature(asker: Asker, of: Collection, key: str, *, day: date | None) -> Feature:
    """One feature on a day; without a day as it is today, or was or will be nearest to it.

    Raises:
        FeatureNotFound: there is none with this key, or not on the day.
    """
    table = _TABLES[of.of]
    query = model.known(asker.session, _whole(asker, of), table).where(_is_of(of), table.key == key)
    rows = asker.session.execute(query.order_by(table.valid_from)).all()
    on = (day or asker.today).isoformat()
    there = [row for row in rows if dates.holds(row.valid_from, row.valid_to, on)]
    begun = [row for row in rows if row.valid_from <= on]
    chosen = there[-1:] if day or there else begun[-1:] or rows[:1]
    if not chosen:
        raise FeatureNotFound(key=key)
    return _told(asker, of, chosen, day or asker.today)[0]


def bounds(asker: Asker, of: Collection) -> tuple[float, float, float, float] | None:
    """The box in degrees of all that is known of a collection on whatever day; None where nothing is.

    Of a big collection it is the instance's own.
    """
    table = _TABLES[of.of]
    if of.of == "counts":
        return asker.instance.bounds
    query = select(wkb_of(table.geom).label("wkb")).where(_is_of(of), table.geom.is_not(None))
    rows = asker.session.execute(model.known(asker.session, query, table).limit(_MOST_COUNTED + 1)).all()
    if len(rows) > _MOST_COUNTED:
        return asker.instance.bounds
    if not rows:
        return None
    shapes = np.array(shapely.from_wkb([row.wkb for row in rows]), dtype=object)
    degrees = published(shapes, srid=asker.instance.metric_crs, is_metric=False)
    west, south, east, north = shapely.total_bounds(degrees).tolist()
    return west, south, east, north


def days(asker: Asker, of: Collection) -> tuple[str, str]:
    """From when until when a collection tells of something; "" where an end is open."""
    table = _TABLES[of.of]
    query = select(
        func.min(table.valid_from), func.max(table.valid_to), func.count().filter(table.valid_to == "")
    )
    first, last, lasting = asker.session.execute(
        model.known(asker.session, query, table).where(_is_of(of))
    ).one()
    return first or "", "" if lasting else last or ""


def published(shapes: Shapes, *, srid: int, is_metric: bool) -> Shapes:
    """Metric shapes as they are given away, in degrees or metres; None stays None."""
    found = np.array(shapes, dtype=object)
    there = ~shapely.is_missing(found)
    if there.any():
        moved = found[there] if is_metric else geo.to_degrees(found[there], srid=srid)
        found[there] = outlines.rounded(moved, digits=_METRE_DIGITS if is_metric else _DEGREE_DIGITS)
    return found


def _budget(asked: Question) -> int:
    weight = asked.only.weight if asked.only else 1
    return max(_BATCH, min(_MOST_READ, _MOST_WORK // weight))


def _is_wide(asker: Asker, of: Collection, asked: Question) -> bool:
    """Whether a store finds more candidates than are looked at for a number."""
    some = _query(asker, of, asked, select(_TABLES[of.of].id)).limit(_MOST_COUNTED + 1)
    found = asker.session.scalar(select(func.count()).select_from(some.subquery()))
    return bool(found and found > _MOST_COUNTED)


def _matching(
    asker: Asker, of: Collection, asked: Question, after: str, *, most: int, budget: int
) -> Iterator[tuple[Feature | None, str]]:
    """Features behind a key that answer the question; None with the last key read when the budget is used."""
    is_exact = not asked.frames and asked.only is None
    batch = most + 1 if is_exact else _BATCH
    table, read = _TABLES[of.of], 0
    while True:
        query = _query(asker, of, asked, _whole(asker, of))
        query = query.where(table.key > after).order_by(table.key, table.valid_from.desc()).limit(batch)
        rows = asker.session.execute(query).all()
        # Of several states the newest speaks; a key whose states fill the end of a batch is not read again.
        newest = [row for at, row in enumerate(rows) if at == 0 or row.key != rows[at - 1].key]
        found = _told(asker, of, newest, asked.last)
        for one, is_meant in zip(found, _answers(asker, found, asked), strict=True):
            if is_meant:
                yield one, one.key
        if len(rows) < batch:
            return
        after, read = rows[-1].key, read + len(rows)
        if read >= budget and not is_exact:
            yield None, after
            return


def _answers(asker: Asker, found: Sequence[Feature], asked: Question) -> Iterable[bool]:
    """Which features answer the frames and the filter."""
    srid, answers = asker.instance.metric_crs, np.ones(len(found), dtype=bool)
    shapes = np.array([one.shape for one in found], dtype=object)
    drawn: dict[bool, Shapes] = {}

    def as_given(is_metric: bool) -> Shapes:
        if is_metric not in drawn:
            drawn[is_metric] = published(shapes, srid=srid, is_metric=is_metric)
        return drawn[is_metric]

    if asked.frames:
        answers = np.zeros(len(found), dtype=bool)
        for frame in asked.frames:
            box = cql.flat_box(*frame.bounds)
            shapely.prepare(box)
            answers |= shapely.intersects(box, as_given(frame.is_metric))
    if asked.only:
        given = as_given(asked.filter_is_metric) if asked.only.asks_shape else shapes
        for at in np.flatnonzero(answers).tolist():
            answers[at] = asked.only.holds((found[at].properties, given[at])) is True
    return [bool(one) for one in answers]


# --- Rows

_TABLES: dict[str, Any] = {
    "bodies": model.Body,
    "cases": model.Case,
    "areas": model.Area,
    "settlements": model.Settlement,
    "counts": model.Count,
}
_UNREAD = {"geom", "texts", "digest"}
# The columns of text that are a property as they are: a store may ask them first.
_COLUMNS = {
    **{
        name: name
        for name in ("key", "form", "readiness", "settlement", "municipality", "county", "precision")
    },
    **{name: name for name in ("code", "parent", "accuracy", "layer", "area", "theme", "outcome", "stage")},
    "locality": "place",
}


def _is_of(of: Collection) -> ColumnElement[bool]:
    if of.of == "bodies":
        return model.Body.layer == of.kind
    if of.of == "areas":
        # Its key begins with its kind: so the index on keys gives the order, and a million is not sorted.
        return and_(model.Area.key > f"{of.kind}:", model.Area.key < f"{of.kind};")
    return true()


def _whole(asker: Asker, of: Collection) -> Select[Any]:
    table = _TABLES[of.of]
    columns = [column for column in table.__table__.c if column.name not in _UNREAD]
    if "geom" in table.__table__.c:
        columns.append(wkb_of(table.geom).label("wkb"))
    return select(*columns, model.last_confirmed(asker.session, table))


def _query(asker: Asker, of: Collection, asked: Question, query: Select[Any]) -> Select[Any]:
    """The rows that a question may mean: all that it does, and some that it does not."""
    table, first, last = _TABLES[of.of], asked.first.isoformat(), asked.last.isoformat()
    query = _in_order(asker.session, query, table).where(
        _is_of(of), table.valid_from <= last, (table.valid_to == "") | (table.valid_to > first)
    )
    if of.of == "counts":
        query = query.where(table.as_of <= last)
    # Over a span the newest state speaks, which is not to be left out for what an older one says.
    if asked.first != asked.last:
        return query
    if asked.only:
        for name, values in asked.only.equal.items():
            column = table.__table__.c.get(_COLUMNS.get(name, ""))
            if column is not None:
                query = query.where(column.in_(sorted(values)))
    if "geom" in table.__table__.c and not asked.is_wide:
        boxes = tuple(Frame(box, asked.filter_is_metric) for box in (asked.only.boxes if asked.only else ()))
        for group in (asked.frames, *((box,) for box in boxes)):
            metric = [_box_m(frame, asker.instance) for frame in group]
            if metric and None not in metric:
                query = query.where(or_(*(in_box(table.geom, box) for box in metric if box)))
    return query


def _in_order(session: Session, query: Select[Any], table: Any) -> Select[Any]:
    """Only what is known, by the index on keys."""
    if "known" in session.info:
        return model.known(session, query, table)
    # Written as model.known does, SQLite takes the index on “hidden in none”, reads all and sorts it.
    return query.where(func.coalesce(table.retired_in, 0) == 0, func.coalesce(table.hidden_in, 0) == 0)


def _box_m(frame: Frame, instance: Instance) -> tuple[float, ...] | None:
    """A box in metres around a frame; None where the frame reaches too far to tell."""
    if frame.is_metric:
        west, south, east, north = frame.bounds
    else:
        outer = shapely.box(*instance.bounds).buffer(_BESIDE, join_style="mitre")
        box = cql.flat_box(*frame.bounds)
        if not outer.contains(box):
            return None
        moved = geo.to_metric([shapely.segmentize(box, 0.1)], srid=instance.metric_crs)[0]
        west, south, east, north = shapely.bounds(moved).tolist()
    return west - _MARGIN_M, south - _MARGIN_M, east + _MARGIN_M, north + _MARGIN_M


# --- Rows → features


class _Beside:
    """What stands beside the rows of a batch, read at once: names, licences, links."""

    def __init__(self, asker: Asker, of: Collection, rows: Sequence[Any], day: date) -> None:
        session, self.asker = asker.session, asker
        editions = places.editions_of(session, {row.edition_id for row in rows})
        self.licences = {number: one.licence for number, one in editions.items()}
        keys = {
            f"{kind}:{code}"
            for row in rows
            for kind in ("municipality", "county")
            if (code := getattr(row, kind, ""))
        }
        keys |= {row.area for row in rows} if of.of == "counts" else set()
        self.names = places.area_names(session, keys=keys) if keys else {}
        self.links = {
            name: _links(session, column, id_column, [row.id for row in rows])
            for name, column, id_column in _LINKS.get(of.of, ())
        }
        self.shapes = _area_shapes(session, {row.area for row in rows}, day) if of.of == "counts" else {}

    def said(self, words: Words) -> str | None:
        return said(words, self.asker.language, self.asker.instance.default_language) or None

    def label(self, group: str, code: str) -> str | None:
        return self.asker.instance.label(group, code, self.asker.language) if code else None

    def area(self, key: str) -> str | None:
        return self.said(self.names.get(key, {}))


_LINKS: dict[str, tuple[tuple[str, Any, Any], ...]] = {
    "bodies": (("serves", model.Serves.area, model.Serves.body_id),),
    "cases": (
        ("practices", model.CasePractice.practice, model.CasePractice.case_id),
        ("bodies", model.CaseBody.body, model.CaseBody.case_id),
        ("areas", model.CaseArea.area, model.CaseArea.case_id),
    ),
}


def _links(session: Session, column: Any, id_column: Any, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for id_, key in session.execute(select(id_column, column).where(id_column.in_(ids)).order_by(column)):
        found.setdefault(id_, []).append(key)
    return found


def _area_shapes(session: Session, keys: Iterable[str], day: date) -> dict[str, bytes]:
    table = model.Area
    query = model.on_day(session, select(table.key, wkb_of(table.geom).label("wkb")), table, day)
    rows = session.execute(query.where(table.key.in_(sorted(keys))).order_by(table.valid_from))
    return {row.key: row.wkb for row in rows}


def _told(asker: Asker, of: Collection, rows: Sequence[Any], day: date) -> list[Feature]:
    """Rows as features, in their order."""
    if not rows:
        return []
    beside = _Beside(asker, of, rows, day)
    wkbs = [beside.shapes.get(row.area) if of.of == "counts" else row.wkb for row in rows]
    shapes = shapely.from_wkb(np.array(wkbs, dtype=object))
    return [
        Feature(row.key, _SAID[of.of](row, beside), shape) for row, shape in zip(rows, shapes, strict=True)
    ]


def _of_body(row: Any, beside: _Beside) -> dict[str, Any]:
    rule = {"of": "bodies", "layer": row.layer, "form": row.form}
    return {
        "key": row.key,
        "name": row.names.get(beside.asker.language) or row.name,
        "form": row.form or None,
        "form_label": beside.label("forms", row.form),
        "capabilities": [*row.capabilities],
        "readiness": row.readiness or None,
        "readiness_label": beside.label("readiness", row.readiness),
        **_seat(row, beside),
        **_precision(row, beside),
        "serves": beside.links["serves"].get(row.id, []),
        "notes": beside.said(row.notes),
        **_valid(row),
        **_age(row, beside, rule, row.as_of_inferred),
        **_source(row, beside),
    }


def _of_case(row: Any, beside: _Beside) -> dict[str, Any]:
    sources = [one for one in row.sources if one.get("title")]
    urls = [one["url"] for one in sources if one.get("url")]
    return {
        "key": row.key,
        "name": beside.said(row.titles),
        "summary": beside.said(row.summaries),
        "theme": row.theme or None,
        "theme_label": beside.label("themes", row.theme),
        "outcome": row.outcome or None,
        "outcome_label": beside.label("outcomes", row.outcome),
        "stage": row.stage or None,
        "parties": [*row.parties],
        **_seat(row, beside),
        **_precision(row, beside),
        "period_from": row.period_from or None,
        "period_to": row.period_to or None,
        "practices": beside.links["practices"].get(row.id, []),
        "bodies": beside.links["bodies"].get(row.id, []),
        "areas": beside.links["areas"].get(row.id, []),
        **_valid(row),
        **_age(row, beside, {"of": "cases"}, row.as_of_inferred),
        "source": "; ".join(one["title"] for one in sources) or None,
        "source_url": urls[0] if urls else None,
        "licence": beside.licences.get(row.edition_id) or None,
    }


def _of_area(row: Any, beside: _Beside) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": beside.said(row.names),
        "kind": row.kind,
        "kind_label": beside.label("area_kinds", row.kind),
        "code": row.code,
        "parent": row.parent or None,
        "accuracy": row.accuracy or None,
        "population": _number(row.facts.get("population")),
        "population_as_of": row.facts.get("population_as_of") or None,
        "area_km2": _number(row.facts.get("area_km2")),
        **_valid(row),
        **_age(row, beside, {"of": "areas", "kind": row.kind}, False),
        **_source(row, beside),
    }


def _of_settlement(row: Any, beside: _Beside) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": row.name,
        "municipality": row.municipality or None,
        "municipality_name": beside.area(f"municipality:{row.municipality}"),
        "county": row.county or None,
        "county_name": beside.area(f"county:{row.county}"),
        "population": row.population,
        "population_as_of": row.population_as_of or None,
        **_valid(row),
        "as_of": row.as_of or None,
        **_source(row, beside),
    }


def _of_count(row: Any, beside: _Beside) -> dict[str, Any]:
    labels = {layer.key: layer.label for layer in beside.asker.instance.layers}
    return {
        "key": row.key,
        "layer": row.layer,
        "layer_label": beside.said(labels.get(row.layer, {})),
        "area": row.area,
        "area_name": beside.area(row.area),
        "number": row.number,
        "qualifier": row.qualifier or None,
        "households": row.households,
        "households_qualifier": row.households_qualifier or None,
        "members": row.members,
        "notes": beside.said(row.notes),
        **_valid(row),
        **_age(row, beside, {"of": "counts", "layer": row.layer}, row.as_of_inferred),
        **_source(row, beside),
    }


_SAID = {
    "bodies": _of_body,
    "cases": _of_case,
    "areas": _of_area,
    "settlements": _of_settlement,
    "counts": _of_count,
}


def _seat(row: Any, beside: _Beside) -> dict[str, Any]:
    return {
        "locality": row.place or None,
        "settlement": row.settlement or None,
        "municipality": row.municipality or None,
        "municipality_name": beside.area(f"municipality:{row.municipality}"),
        "county": row.county or None,
        "county_name": beside.area(f"county:{row.county}"),
    }


def _precision(row: Any, beside: _Beside) -> dict[str, Any]:
    return {"precision": row.precision or None, "precision_label": beside.label("precision", row.precision)}


def _valid(row: Any) -> dict[str, Any]:
    return {"valid_from": row.valid_from or None, "valid_to": row.valid_to or None}


def _age(row: Any, beside: _Beside, of: dict[str, str], is_inferred: bool) -> dict[str, Any]:
    rule = freshness.lifetime(beside.asker.instance.freshness, **of)
    age = freshness.age(row.as_of, row.confirmed or "", rule, today=beside.asker.today)
    return {
        "as_of": row.as_of or None,
        "as_of_inferred": bool(is_inferred),
        "confirmed": age.confirmed or None,
        "freshness": age.state,
        "expires": age.expires.isoformat() if age.expires else None,
        "current": age.is_current,
    }


def _source(row: Any, beside: _Beside) -> dict[str, Any]:
    return {
        "source": row.source or None,
        "source_url": row.source_url or None,
        "licence": beside.licences.get(row.edition_id) or None,
    }


def _number(text: Any) -> float | int | None:
    try:
        found = float(text)
    except (TypeError, ValueError):
        return None
    return int(found) if found.is_integer() else found if np.isfinite(found) else None


def written(found: Sequence[Feature], *, srid: int, is_metric: bool, is_swapped: bool) -> list[str | None]:
    """The shapes of features as GeoJSON; `is_swapped` writes north before east."""
    shapes = published(np.array([one.shape for one in found], dtype=object), srid=srid, is_metric=is_metric)
    if is_swapped and len(shapes):
        shapes = shapely.transform(shapes, lambda points: points[:, ::-1])
    return [None if text is None else str(text) for text in shapely.to_geojson(shapes)]
