"""The cells of a form → a row that may be written, or everything that is wrong with them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import dates, geo
from layers.catalog import Instance, Resource
from layers.columns import in_box, wkb_of
from layers.doctor import fields, values
from layers.doctor.lines import Bad, said
from layers.doctor.lines import Line as Told
from layers.doctor.territory import Areas
from layers.edits.things import SHAPE, State, Thing
from layers.errors import N_, Invalid, Sentence
from layers.model import EDITS, Area, Body, Settlement, is_shown
from layers.sources import privacy, tables
from layers.sources import rows as check
from layers.sources.privacy import Keeper
from layers.sources.rows import Checked, Row, Unusable

MOST_LETTERS = 4000
MOST_SHAPE = 4_000_000
_MOST_CORNERS = 200_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\r")
_NEIGHBOUR = 0.001
"""The share of an area from which an overlap with a neighbour is worth a word."""


@dataclass(frozen=True)
class Fault:
    """What is wrong in a field ("" for the whole), and the remedy."""

    field: str
    what: Sentence
    remedy: Sentence


class Wrong(Invalid):
    """A form that cannot be used; `faults` tell everything that is wrong with it."""

    text = N_("{count} things must be mended first.")

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(count=len(self.faults))


class NoState(Invalid):
    text = N_("There is no state that begins “{start}” any more: look at the page anew.")


@dataclass(frozen=True)
class Formed:
    """A row, and what was done to it or should be known of it."""

    row: Row
    told: tuple[Sentence, ...] = ()


def wrong(field: str, error: Unusable) -> Wrong:
    return Wrong([Fault(field, said(error.what), said(error.remedy))])


def clean(cells: Mapping[str, str]) -> dict[str, str]:
    """The cells without what no one can see, which a store might refuse."""
    return {name: _CONTROL.sub("", str(text)).strip() for name, text in cells.items()}


def formed(
    session: Session, instance: Instance, thing: Thing, cells: Mapping[str, str], *, base: State | None
) -> Formed:
    """The row of a form's cells; `base` is the state that it began from.

    Raises:
        Wrong: with everything that is wrong.
    """
    cells = clean(cells)
    for name, text in cells.items():
        if len(text) > (MOST_SHAPE if name == SHAPE else MOST_LETTERS):
            what = Sentence("Write at most {most} letters.", most=MOST_LETTERS)
            raise Wrong([Fault(name, what, Sentence("Shorten it."))])
    if thing.table == "area":
        return _area(session, instance, thing, cells, base)
    return _body(session, instance, thing, cells, base)


# --- Organisations


def _body(
    session: Session, instance: Instance, thing: Thing, cells: dict[str, str], base: State | None
) -> Formed:
    faults = _unknown_places(session, cells)
    try:
        key = thing.key or _new_key(session, cells)
        row = tables.body_form(thing.layer, instance).row({**cells, "key": key}, number=0, file="")
    except tables.Refused as refused:
        faults += [Fault(column, said(one.what), said(one.remedy)) for column, one in refused.wrong]
        raise Wrong(faults) from refused
    if faults:
        raise Wrong(faults)
    if base and all(cells[name] == base.cells[name] for name in ("lat", "lon", "precision")):
        # Degrees of a form are rounded; what was not touched does not move.
        row = replace(row, values={**row.values, "geom": base.row.values["geom"]})
    return kept(session, instance, row, thing.layer)


def _new_key(session: Session, cells: Mapping[str, str]) -> str:
    """A key made of the name, unlike every key that an organisation has ever had."""
    made = values.key_of([cells.get("name", "")]) or "new"
    taken = set(session.scalars(select(Body.key).where(Body.key.startswith(made, autoescape=True))))
    if made == "new":
        taken.add(made)  # The address of the form for a new one.
    wider = values.key_of([made, cells.get("place", "")])
    more = (f"{made}-{number}" for number in range(2, len(taken) + 3))
    return next(key for key in (made, wider, *more) if key not in taken)


def _unknown_places(session: Session, cells: Mapping[str, str]) -> list[Fault]:
    serves = [part.strip() for part in cells.get("serves", "").split(";") if part.strip()]
    wanted = [("serves", key) for key in serves]
    wanted += [(kind, f"{kind}:{cells[kind]}") for kind in ("municipality", "county") if cells.get(kind)]
    query = select(Area.key).where(Area.key.in_([key for _, key in wanted]), is_shown(Area))
    there = set(session.scalars(query))
    faults = [_no_area(field, key) for field, key in wanted if key not in there]
    if code := cells.get("settlement"):
        known = session.scalar(select(Settlement.key).where(Settlement.key == code, is_shown(Settlement)))
        if known is None:
            what = Sentence("There is no place “{code}”.", code=code)
            faults.append(Fault("settlement", what, Sentence("Correct it, or leave it blank.")))
    return faults


def _no_area(field: str, key: str) -> Fault:
    what = Sentence("There is no area “{key}”.", key=key)
    return Fault(field, what, Sentence("Correct it, or leave it blank."))


def kept(session: Session, instance: Instance, row: Row, layer: str) -> Formed:
    """The row as the layer's privacy policy lets it be told."""
    about = instance.layer(layer)
    if not about.finest:
        return Formed(row)
    code = row.values.get("settlement", "")
    query = select(wkb_of(Settlement.geom).label("wkb")).where(Settlement.key == code, is_shown(Settlement))
    wkb = session.execute(query).scalars().first() if code else None
    points: dict[str, Any] = {}
    if wkb:
        points[code] = shapely.set_srid(shapely.from_wkb(wkb), instance.metric_crs)
    kept = privacy.kept(Checked((row,), ()), Keeper(about, instance.secret, points))
    if kept.problems:
        fields_ = ("place", "precision")
        name = next((one for one in fields_ if str(row.values.get(one)) in str(kept.problems[0].what)), "")
        raise Wrong([Fault(name, said(one.what), said(one.remedy)) for one in kept.problems])
    return Formed(kept.rows[0], tuple(said(note.what) for note in kept.notes))


# --- Areas


def _area(
    session: Session, instance: Instance, thing: Thing, cells: dict[str, str], base: State | None
) -> Formed:
    kind, _, code = (thing.key or f"{instance.layer(thing.layer).kind}:{cells.get('code', '')}").partition(
        ":"
    )
    shape, faults = _shape(cells.get(SHAPE, ""), instance, base)
    if not base:
        faults += _taken(session, kind, code)
    faults += _parent(session, f"{kind}:{code}", cells.get("parent", ""))
    faults += _of_texts(cells)
    if base and base.cells["accuracy"] == "official" != cells.get("accuracy"):
        what = N_("It is official, and what is official goes before any correction that is not.")
        faults.append(Fault("accuracy", Sentence(what), Sentence("Leave it official.")))
    if faults:
        raise Wrong(faults)
    about = instance.resources.get(thing.layer) or Resource(thing.layer, Path(), {}, "", {}, "", "")
    about = replace(about, source_url=cells.get("source_url", ""), dataset=EDITS)
    line = Told(0, {**cells, "code": code}, shape)
    try:
        row = Areas(fields.target(instance, thing.layer), about, instance).row(line, "")
    except Bad as bad:
        raise Wrong([Fault("", bad.what, bad.remedy)]) from bad
    if base:
        row = replace(row, values={**row.values, "facts": base.row.values["facts"]})
    formed = kept(session, instance, row, thing.layer)
    told = (*line.told, *formed.told)
    if not base or cells.get(SHAPE):
        told += tuple(_overlaps(session, row))
    return replace(formed, told=told)


def _of_texts(cells: Mapping[str, str]) -> list[Fault]:
    tests: dict[str, check.Check] = dict.fromkeys(cells, check.text)
    tests |= {"source": check.some_text, "source_url": check.web_address}
    tests["accuracy"] = check.one_of({"official": {}, "approximate": {}})
    tests.pop(SHAPE, None)
    faults = []
    for name, test in tests.items():
        try:
            test(cells.get(name, ""))
        except Unusable as error:
            faults.append(Fault(name, said(error.what), said(error.remedy)))
    if not any(cells.get(name) for name in cells if name.startswith("name_")):
        first = next((name for name in cells if name.startswith("name_")), "")
        faults.append(Fault(first, Sentence("It has no name."), Sentence("Fill it in.")))
    return faults


def _taken(session: Session, kind: str, code: str) -> list[Fault]:
    if not re.fullmatch(r"[\w-]{1,40}", code, re.ASCII) or code == "new":
        what = Sentence("“{value}” is no code.", value=code)
        return [Fault("code", what, Sentence("Use letters, digits and hyphens."))]
    if session.scalar(select(Area.id).where(Area.key == f"{kind}:{code}").limit(1)):
        what = Sentence("The code “{code}” has been used already.", code=code)
        return [Fault("code", what, Sentence("Choose another one."))]
    return []


def _parent(session: Session, key: str, parent: str) -> list[Fault]:
    if not parent:
        return []
    there = session.scalar(select(Area.key).where(Area.key == parent, is_shown(Area)).limit(1))
    return [] if there and parent != key else [_no_area("parent", parent)]


def _shape(text: str, instance: Instance, base: State | None) -> tuple[Any, list[Fault]]:
    """The metric shape of WKT or GeoJSON in degrees; blank keeps the one that there is."""
    if not text and base:
        return base.row.values["geom"], []
    if not text:
        return None, [Fault(SHAPE, Sentence("It has no shape."), Sentence("Draw it, or paste it."))]
    try:
        with np.errstate(invalid="ignore"):  # NaN among the numbers is told below.
            shape = shapely.force_2d(_read(text))
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        what = Sentence("The shape is neither GeoJSON nor WKT.")
        return None, [Fault(SHAPE, what, Sentence("Paste a polygon in degrees of WGS 84, longitude first."))]
    west, south, east, north = instance.bounds
    ring = shapely.get_coordinates(shape)
    if not len(ring) or len(ring) > _MOST_CORNERS:
        what = Sentence(
            "The shape has {count} corners; at most {most} can be used.", count=len(ring), most=_MOST_CORNERS
        )
        return None, [Fault(SHAPE, what, Sentence("Simplify it."))]
    low, high = (west - 2, south - 2), (east + 2, north + 2)
    if not (np.isfinite(ring).all() and (ring >= low).all() and (ring <= high).all()):
        what = Sentence("The shape lies outside the territory.")
        return None, [Fault(SHAPE, what, Sentence("Write degrees of WGS 84, longitude first."))]
    return geo.to_metric([shape], srid=instance.metric_crs)[0], []


def _read(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return shapely.from_wkt(text)
    found = json.loads(text)
    if found.get("type") == "FeatureCollection":
        shapes = [shapely.geometry.shape(one["geometry"]) for one in found["features"]]
        return shapely.geometrycollections([part for shape in shapes for part in shapely.get_parts(shape)])
    return shapely.geometry.shape(found["geometry"] if found.get("type") == "Feature" else found)


def _overlaps(session: Session, row: Row) -> list[Sentence]:
    """Neighbours of the kind, of which the area would take a part."""
    shape, kind = row.values["geom"], row.values["kind"]
    query = select(Area.key, Area.valid_from, Area.valid_to, Area.names, wkb_of(Area.geom).label("wkb"))
    query = query.where(Area.kind == kind, Area.key != row.key, is_shown(Area))
    found = session.execute(query.where(in_box(Area.geom, shapely.bounds(shape))).order_by(Area.key)).all()
    told = []
    for other in found:
        if not dates.overlap((row.valid_from, row.values["valid_to"]), (other.valid_from, other.valid_to)):
            continue
        share = shapely.area(shapely.intersection(shape, shapely.from_wkb(other.wkb))) / shapely.area(shape)
        if share >= _NEIGHBOUR:
            name = next(iter(other.names.values()), other.key)
            text = N_("{share} of it lies in {name} ({key}), which is of the same kind.")
            told.append(Sentence(text, share=f"{share:.1%}", name=name, key=other.key))
    return told
