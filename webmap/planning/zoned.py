"""What pages about areas share: people, zones and who is there, once for each state of the data."""

from collections.abc import Iterable, Mapping
from datetime import date

import shapely

from layers import contacts, memory, places
from layers.answers import Way
from layers.errors import N_, Invalid
from layers.gaps import bridges, demand, missing
from layers.gaps import zones as grounds
from layers.gaps.bridges import Net
from layers.gaps.demand import Demand
from layers.gaps.missing import Who
from layers.gaps.zones import Zone
from layers.places import Settlement
from layers.practices import practices
from webmap import context, db, i18n, names, params, replies
from webmap.db import House, Revisions
from webmap.planning import chart


class NoAreas(Invalid):
    text = N_("There are no areas of the kind “{kind}” on this day.")


def people(as_of: date) -> Demand:
    return _people(db.house(), db.revisions(), as_of)


@memory.kept(4)
def _people(_house: House, _revisions: Revisions, as_of: date) -> Demand:
    return demand.of_store(db.session(), as_of=as_of)


def towns(as_of: date) -> tuple[Settlement, ...]:
    """The gazetteer of a day, the most populous first."""
    return _towns(db.house(), db.revisions(), as_of)


@memory.kept(2)
def _towns(_house: House, _revisions: Revisions, as_of: date) -> tuple[Settlement, ...]:
    return tuple(places.settlements(db.session(), as_of=as_of))


def areas(kind: str, as_of: date) -> tuple[Zone, ...]:
    """The areas of a kind with their people.

    Raises:
        NoAreas: there are none.
    """
    found = _zones(db.house(), db.revisions(), kind, as_of)
    if not found:
        raise NoAreas(kind=kind)
    return found


@memory.kept(8)
def _zones(_house: House, _revisions: Revisions, kind: str, as_of: date) -> tuple[Zone, ...]:
    if kind == grounds.PLACE:
        return grounds.places(people(as_of))
    return grounds.areas(replies.known(), people(as_of), kind, as_of=as_of)


def base(as_of: date) -> str:
    """The smallest kind of area in which organisations are seated."""
    return grounds.finest(replies.known(), as_of=as_of) or contacts.SEATS[-1]


def who(kind: str, as_of: date, within_km: float | None) -> Who:
    return _who(db.house(), db.revisions(), kind, as_of, within_km)


@memory.kept(8)
def _who(house: House, _revisions: Revisions, kind: str, as_of: date, within_km: float | None) -> Who:
    counts = places.counts(db.session(), as_of=as_of)
    known = replies.known()
    found = areas(kind, as_of)
    return missing.who(known, house.instance, found, as_of=as_of, counts=counts, within_km=within_km)


def net(as_of: date) -> Net:
    return _net(db.house(), db.revisions(), as_of)


@memory.kept(4)
def _net(house: House, _revisions: Revisions, as_of: date) -> Net:
    written = practices(db.session(), as_of=as_of)
    return bridges.net(replies.known(), house.instance, areas(base(as_of), as_of), written, as_of=as_of)


# --- What is said and drawn alike


def county(args: Mapping[str, str]) -> str:
    """The key of the county that is asked for, or ""."""
    code = params.one_of(args, "county", names.codes("county")) if args.get("county") else ""
    return f"county:{code}" if code else ""


def counties() -> dict[str, str]:
    """Names of counties by code, in the order of names."""
    found = names.codes("county")
    return dict(sorted(found.items(), key=lambda one: one[1].casefold()))


def bounds(area: str, as_of: date) -> str:
    """The frame of an area as the map takes it: west,south,east,north; "" for the whole territory."""
    shapes = replies.known().shapes_of([area], as_of=as_of) if area else []
    if not shapes:
        return ""
    return chart.frame(*shapely.bounds(shapes[0]))


def going(way: Way | None) -> str:
    """A way as one would say it: 12 km to the north."""
    if way is None:
        return ""
    said = context.distance(way.distance_m)
    if way.bearing is None or way.distance_m < 100:
        return said
    return f"{said} {context.direction(way.bearing)}"


def named(zone: Zone) -> str:
    """An area by its name in this language, a place by its own."""
    return zone.name or names.area(zone.key)


def address(key: str) -> str:
    """The page of an area or a place of the gazetteer; "" for a cell."""
    kind, _, code = key.partition(":")
    if kind == "settlement":
        return context.page("place", code=code)
    return "" if kind == "cell" else context.page("area", kind=kind, code=code)


def outlines(kind: str, as_of: date, keys: Iterable[str]) -> dict[str, str]:
    """The shapes of areas for a small map, as GeoJSON in degrees, by key."""
    found = places.outlines(db.session(), kind, as_of=as_of, step="middle", keys=sorted(keys))
    return {area.key: text for area, text in found}


def role(key: str) -> str:
    """A role inside a sentence."""
    known = {one.key: one for one in db.instance().roles}
    return i18n.lowered(i18n.plain(known[key].label)) if key in known else key


def whole(persons: float) -> str:
    return i18n.number(round(persons))


def share(part: float, of: float) -> str:
    """A share in percent, to the tenth where it is small."""
    value = 100 * part / of if of else 0.0
    return i18n.number(round(value, 1) if 0 < value < 10 else round(value))
