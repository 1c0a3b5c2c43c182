"""Where questions of gaps are asked: areas of a kind, or the places where people are, with their people."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely

from layers import answers
from layers.answers import Way
from layers.contacts import SEATS
from layers.gaps.demand import Demand
from layers.places import Area
from layers.snapshot import Numbers, Snapshot

PLACE = "place"
KINDS = ("municipality", "county", PLACE)
_SETTLEMENT = "settlement"


@dataclass(frozen=True)
class Zone:
    """An area, or a place where people are.

    `key` is `kind:code`, `settlement:code` for a place of the gazetteer, `cell:code` for a cell; `within`
    are the keys of the larger areas in which it lies, the smallest first. `people` are persons, some of
    them spread and not counted where `estimated`. `middle` is metric: the mean of its people's points,
    weighted by them; where nobody is known to live, a point inside.
    """

    key: str
    name: str
    within: tuple[str, ...]
    people: float
    estimated: bool
    middle: tuple[float, float]

    @property
    def code(self) -> str:
        return self.key.partition(":")[2]

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]

    def lies_in(self, key: str) -> bool:
        """Whether it is an area (`kind:code`) or lies in it."""
        return key == self.key or key in self.within


def finest(known: Snapshot, *, as_of: date) -> str:
    """The smallest kind of area in which organisations are seated that is known on the day; "" for none."""
    there = known.area_days.there(as_of)
    return next((kind for kind in SEATS[::-1] if any(there[i] for i in known.of_kind.get(kind, ()))), "")


def areas(known: Snapshot, demand: Demand, kind: str, *, as_of: date) -> tuple[Zone, ...]:
    """The areas of a kind (municipality or county) on a day with their people, by key."""
    there = known.area_days.there(as_of)
    positions = sorted((i for i in known.of_kind.get(kind, ()) if there[i]), key=lambda i: known.areas[i].key)
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(demand.zones.get(kind, ())):
        rows.setdefault(code, []).append(row)
    return tuple(
        _of_area(known.areas[i], known.shapes[i], demand, rows.get(known.areas[i].code, []))
        for i in positions
    )


def _of_area(area: Area, shape: shapely.Geometry, demand: Demand, rows: list[int]) -> Zone:
    people = demand.people[rows]
    if people.sum():
        east, north = np.average(demand.points[rows], axis=0, weights=people)
    else:
        inside = shapely.point_on_surface(shape)
        east, north = inside.x, inside.y
    return Zone(
        key=area.key,
        name="",
        within=(area.parent,) if area.parent.partition(":")[0] in SEATS else (),
        people=float(people.sum()),
        estimated=False,  # Totals are kept: only the share of a single place is an estimate.
        middle=(float(east), float(north)),
    )


def places(demand: Demand) -> tuple[Zone, ...]:
    """The places or cells of a demand, in its order."""
    kind = _SETTLEMENT if demand.basis == "places" else "cell"
    larger = [demand.zones.get(one, ("",) * len(demand)) for one in SEATS[::-1]]
    return tuple(
        Zone(
            key=f"{kind}:{key}",
            name=demand.names[row],
            within=tuple(
                f"{one}:{codes[row]}" for one, codes in zip(SEATS[::-1], larger, strict=True) if codes[row]
            ),
            people=float(demand.people[row]),
            estimated=bool(demand.estimated[row]),
            middle=(float(demand.points[row, 0]), float(demand.points[row, 1])),
        )
        for row, key in enumerate(demand.keys)
    )


def middles(zones: tuple[Zone, ...]) -> Numbers:
    """The middles of zones (n × 2), metric."""
    return np.array([zone.middle for zone in zones], dtype=float).reshape(-1, 2)


def way(start: tuple[float, float], end: tuple[float, float]) -> Way:
    """The straight way between metric points: metres to the tenth, degrees from grid north."""
    return answers.way(end[0] - start[0], end[1] - start[1])
