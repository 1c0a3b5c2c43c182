"""Read: which cases fit a place, and where else a practice could go.

A place and a case are compared by what is known of both: how densely and how far from a town people live,
whether they live on an island, who is there to act, what has been done there. The score is the plain sum
of the parts in `PARTS`, whole points each, so that anybody can repeat it with a pencil. A case that has
ended is no example to copy: it is kept apart, as a warning.

Measured by `scripts/fit_check.py` on Estonia's 49 cases (27 practices, 5 of them shown by one case alone).
Each case was held out and its practices guessed from its place and its parties:

    guess          hit@1   hit@3     MRR
    fit            0.265   0.694   0.506
    place only     0.184   0.469   0.390    (the pages know the place, not who would take part)
    parties only   0.061   0.224   0.225
    popularity     0.000   0.408   0.261
    nearest        0.163   0.449   0.348

So place and parties together are clearly better than both simple guesses; the place alone only a little
better than the nearest case; of 49 cases that is a hint and no proof. Popularity never hits first because
the practices shown most often are nearly equal in number, and a case held out takes its own one down. The
weights were set by reason before the first run (47 cases then, 19 practices), which gave 0.340, 0.660 and
0.530 (place only 0.213, 0.489 and 0.410). The shore was added after it, because sea rescue was proposed to
places without a shore, and not for the figures.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import hypot, log2

import numpy as np
import shapely
from sqlalchemy.orm import Session

from layers import contacts, dates, geo, places
from layers.catalog import Instance, Role
from layers.errors import AreaNotFound
from layers.geo import Place
from layers.places import Area, Settlement
from layers.practices import Case
from layers.snapshot import Flags, Numbers, Snapshot

ENDED = "ended"
ISLAND, ISLANDS, COAST, INLAND = "island", "islands", "coast", "inland"
_TOWN = 10_000
_OFFSHORE_M = 500.0
_BORDER_M = 5_000.0
_COAST_M = 5_000.0
_SHORE_M = 1_000.0
_MOST_MAINLAND = 0.1
_OCTAVES = 3
_REMOTE_M = 40_000.0
_NEAR_M = 60_000.0


@dataclass(frozen=True)
class Weight:
    """One part of the score: at most `points` of it, by `formula`, and why it counts so much."""

    key: str
    points: int
    formula: str
    reason: str


PARTS = (
    Weight(
        "roles",
        20,
        "20 × (roles of the case that are known here) / (roles of the case)",
        "Somebody must do it: without the same partners a practice is only read about.",
    ),
    Weight(
        "missing",
        -10,
        "−10 × (roles of the case that are not known here) / (roles of the case)",
        "A partner can be found, and what is not known may be there: half of what its presence gives.",
    ),
    Weight(
        "density",
        20,
        "20 × max(0, 1 − |log2(people per km² here / there)| / 3)",
        "Whether neighbours see each other and help arrives in time goes with density; eight times as dense "
        "is another world.",
    ),
    Weight(
        "setting",
        20,
        "a share of 20: 1 where both are islands; for a case of an island 0.5 in a place with inhabited "
        "islands, −0.5 at another shore and −1 inland; at a shore 0.25 at a shore and −0.5 inland; "
        "for a case from inland −0.5 on an island",
        "An island answers for itself until the boat comes; what works there needs the sea, and what works "
        "elsewhere often needs the road. Nobody saves at sea where there is none.",
    ),
    Weight(
        "theme",
        10,
        "10 where the place has a case of the same theme",
        "Who has begun with a theme has the worry and some of the people.",
    ),
    Weight(
        "near",
        10,
        "10 × max(0, 1 − km between / 60)",
        "One can go and look, and the same station and county serve both.",
    ),
    Weight(
        "remote",
        10,
        "10 × max(0, 1 − |km to town here − there| / 40)",
        "How far help and services are; half of density, which says much of the same.",
    ),
    Weight(
        "size",
        5,
        "5 × max(0, 1 − |log2(people here / there)| / 3)",
        "A small municipality has no officer for safety; but cases are of villages more than of "
        "municipalities, so it counts little.",
    ),
    Weight(
        "border",
        5,
        "5 where both lie at a land border of the state",
        "Border guard and watch over strangers are part of life there; few cases tell of it.",
    ),
    Weight(
        "outcome",
        5,
        "5 where the case lasted, 2 where it worked partly",
        "Of two cases that fit alike, the one that lasted teaches more.",
    ),
)
"""The parts of the score, in the order in which they are told: one table, all of it reason and no fitting."""
_POINTS = {weight.key: weight.points for weight in PARTS}
_SETTINGS = {
    (ISLAND, ISLAND): 1.0,
    (ISLANDS, ISLAND): 0.5,
    (COAST, ISLAND): -0.5,
    (INLAND, ISLAND): -1.0,
    **{(here, there): 0.25 for here in (ISLAND, ISLANDS, COAST) for there in (ISLANDS, COAST)},
    **{(INLAND, there): -0.5 for there in (ISLANDS, COAST)},
    (ISLAND, INLAND): -0.5,
}
_LASTED = {"lasted": 1.0, "mixed": 0.4}


@dataclass(frozen=True)
class Profile:
    """What is known of a place. Numbers are None where they are not known.

    `area` is the key of its municipality or county; `setting` is island, islands (mainland with inhabited
    ones), coast (the shore of the sea or a large lake) or inland; `town_m` is the way to the nearest place of
    10,000 people or largest of a county; `point` is metric; `themes` are those of its own cases.
    """

    area: str
    population: float | None
    density: float | None
    town_m: float | None
    setting: str
    at_border: bool
    roles: frozenset[str]
    themes: frozenset[str]
    point: tuple[float, float] | None


@dataclass(frozen=True)
class Example:
    """A case with the profiles of its own municipality and county, at its own point, and what it needs.

    Of each set in `needs` one role takes part, but for those that are there in every place; `roles` are all
    that may take part.
    """

    case: Case
    profiles: Mapping[str, Profile]
    needs: tuple[frozenset[str], ...]
    roles: frozenset[str]


@dataclass(frozen=True)
class Part:
    """Some points of a score; `values` are what its sentence tells: numbers, or codes of the instance."""

    key: str
    points: int
    values: Mapping[str, object]


@dataclass(frozen=True)
class Suggestion:
    """A case that fits a place."""

    case: Case
    parts: tuple[Part, ...]

    @property
    def score(self) -> int:
        return sum(part.points for part in self.parts)


@dataclass(frozen=True)
class Best:
    """What fits a place best for one role: a practice by its key, and the case that shows it."""

    practice: str
    suggestion: Suggestion


@dataclass(frozen=True)
class Target:
    """An area to which a practice could go, and the case that it resembles most."""

    area: Area
    like: Suggestion


@dataclass(frozen=True, eq=False)
class Land:
    """The largest piece of land and the coast of all of it, metric; None where no land is kept."""

    main: shapely.Geometry | None
    coast: shapely.Geometry | None

    def is_off(self, points: Numbers) -> Flags:
        """Which points lie off the main land, farther than a point on the shore may be wrong."""
        if self.main is None:
            return np.zeros(len(points), dtype=bool)
        near: Flags = np.atleast_1d(shapely.dwithin(shapely.points(points), self.main, _OFFSHORE_M))
        return ~near

    def setting(self, point: shapely.Point) -> str:
        if self.is_off(np.array([[point.x, point.y]]))[0]:
            return ISLAND
        return COAST if self.is_coastal(point, _COAST_M) else INLAND

    def is_coastal(self, shape: shapely.Geometry, within_m: float) -> bool:
        return self.coast is not None and bool(shapely.dwithin(self.coast, shape, within_m))


@dataclass(frozen=True, eq=False)
class Territory:
    """Profiles of every municipality and county on a day, by key, and every case of that day, by key."""

    known: Snapshot
    as_of: date
    land: Land
    towns: Numbers
    areas: Mapping[str, Area]
    profiles: Mapping[str, Profile]
    examples: tuple[Example, ...]


def territory(session: Session, instance: Instance, known: Snapshot, *, as_of: date) -> Territory:
    """Profiles everything once. `known` holds the areas of the instance and the `neighbour` countries."""
    land = _land(session, known, as_of)
    gazetteer = places.settlements(session, as_of=as_of)
    points = _metric([town.place for town in gazetteer], known.srid)
    towns = points[_towns(gazetteer)]
    there = known.area_days.there(as_of)
    areas = {one.key: one for i, one in enumerate(known.areas) if there[i] and one.kind in contacts.SEATS}
    counts = places.counts(session, as_of=as_of)
    offshore = land.is_off(points)
    borders = _at_border(known, as_of)
    profiles = {}
    for key, area in areas.items():
        shape = known.shapes[contacts.position(known, key, as_of=as_of)]
        roles = contacts.here(known, instance, area, as_of=as_of, counts=counts)
        centre = shapely.centroid(shape)
        within = [getattr(town, area.kind) == area.code for town in gazetteer]
        people = _number(area.facts.get("population"))
        profiles[key] = Profile(
            area=key,
            population=people,
            density=people and people / (_number(area.facts.get("area_km2")) or shape.area / 1e6),
            town_m=_nearest(towns, (centre.x, centre.y)),
            setting=_setting(land, shape, offshore[within]),
            at_border=key in borders,
            roles=frozenset(one.role.key for one in roles if one.is_known),
            themes=frozenset(case.theme for case in contacts.cases_of(known, area, as_of=as_of)),
            point=(centre.x, centre.y),
        )
    found = Territory(known, as_of, land, towns, areas, profiles, ())
    return replace(found, examples=tuple(_examples(found, instance)))


def turns(session: Session, known: Snapshot) -> list[date]:
    """The days on which anything changes that a territory is made of, in order.

    From one to the next every territory is the same, so that it needs to be made once (`epoch`).
    """
    spans = (known.body_days, known.area_days, known.case_days)
    ordinals = np.unique(np.concatenate([side for span in spans for side in (span.first, span.ended)]))
    days = {date.fromordinal(int(one)) for one in ordinals if 0 < one <= date.max.toordinal()}
    return sorted(days | {dates.first_day(text) for text in places.turns(session)})


def epoch(turns: Sequence[date], as_of: date) -> date:
    """The last of these days that is not after another one; the first of all days where there is none."""
    found = bisect_right(turns, as_of)
    return turns[found - 1] if found else date.min


# --- The three questions


def cases_for(found: Territory, area: str) -> tuple[list[Suggestion], list[Suggestion]]:
    """Cases of other places that fit an area (`kind:code`), best first, and such that ended, as warnings.

    Raises:
        AreaNotFound: it is no municipality or county of the day.
    """
    profile = profile_of(found, area)
    others = [one for one in found.examples if not contacts.is_of(one.case, found.areas[area])]
    return _ranked(profile, others)


def cases_at(found: Territory, place: Place) -> tuple[list[Suggestion], list[Suggestion]]:
    """The same for a point: the profile of its municipality at the point; nothing outside all of them."""
    point = geo.metric_point(place, srid=found.known.srid)
    here = found.known.areas_at(point, as_of=found.as_of)
    area = next((one for one in reversed(here) if one.key in found.profiles), None)
    if area is None:
        return [], []
    return _ranked(_moved(found, found.profiles[area.key], point), found.examples)


def best(
    found: Territory, area: str, roles: Sequence[Role], audiences: Mapping[str, Collection[str]]
) -> dict[str, Best]:
    """For every role the case of another place that fits best, with a practice for the role that it shows.

    Only cases count in which the role takes part and whose score is above zero. A practice is for a role when
    it is the role's own guide, or when one of its `audiences` (of every practice, by key) is a party of the
    role and it is no guide of another role. A role without any such case is left out.

    Raises:
        AreaNotFound: it is no municipality or county of the day.
    """
    takes_part = {one.case.key: one.roles for one in found.examples}
    going = [one for one in cases_for(found, area)[0] if one.score > 0]
    guides = {role.guide for role in roles}
    best: dict[str, Best] = {}
    for role in roles:
        addressed = {key for key, who in audiences.items() if not set(role.parties).isdisjoint(who)}
        meant = (addressed - guides) | ({role.guide} & audiences.keys())
        for one in going:
            shown = [link.practice for link in one.case.practices if link.practice in meant]
            if shown and role.key in takes_part[one.case.key]:
                best.setdefault(role.key, Best(shown[0], one))
    return best


def targets(found: Territory, practices: Iterable[str], *, cases: Iterable[str] = ()) -> list[Target]:
    """Municipalities without a case of the practices, best first, each with the case most like it.

    Only `cases` are compared where some are named, else all that show one of the practices. One that ended
    is no example.
    """
    wanted, named = set(practices), set(cases)
    done = [one for one in found.examples if wanted & {link.practice for link in one.case.practices}]
    examples = [one for one in done if not named or one.case.key in named]
    examples = [one for one in examples if one.case.outcome != ENDED]
    open_ = [
        area
        for area in found.areas.values()
        if area.kind == "municipality" and not any(contacts.is_of(one.case, area) for one in done)
    ]
    if not examples:
        return []
    fitting = [Target(area, _ranked(found.profiles[area.key], examples)[0][0]) for area in open_]
    return sorted(fitting, key=lambda one: (-one.like.score, one.area.key))


def warnings(found: Territory, practice: str) -> list[Case]:
    """Cases of a practice that ended, by key."""
    ended = (one.case for one in found.examples if one.case.outcome == ENDED)
    return [case for case in ended if practice in {link.practice for link in case.practices}]


def profile_of(found: Territory, area: str) -> Profile:
    """
    Raises:
        AreaNotFound: it is no municipality or county of the day.
    """
    if area not in found.profiles:
        kind, _, code = area.partition(":")
        raise AreaNotFound(kind=kind, code=code)
    return found.profiles[area]


def _ranked(profile: Profile, examples: Iterable[Example]) -> tuple[list[Suggestion], list[Suggestion]]:
    every = sorted(
        (Suggestion(one.case, parts(profile, one)) for one in examples),
        key=lambda one: (-one.score, one.case.key),
    )
    going = [one for one in every if one.case.outcome != ENDED]
    return going, [one for one in every if one.case.outcome == ENDED]


# --- The score


def parts(here: Profile, example: Example) -> tuple[Part, ...]:
    """What speaks for and against a case in a place, in the order of `PARTS`, where it gives points."""
    there = example.profiles.get(here.area.partition(":")[0]) or next(iter(example.profiles.values()), None)
    met = [one for one in example.needs if one & here.roles]
    unmet = [one for one in example.needs if not one & here.roles]
    most = max(len(example.needs), 1)
    found = [
        _part("roles", len(met) / most, roles=_told(met, here.roles)),
        _part("missing", len(unmet) / most, roles=_told(unmet)),
        _part("theme", float(example.case.theme in here.themes), theme=example.case.theme),
        _part("outcome", _LASTED.get(example.case.outcome, 0), outcome=example.case.outcome),
    ]
    if there is not None:
        found += _compared(here, there)
    order = [weight.key for weight in PARTS]
    return tuple(sorted((one for one in found if one.points), key=lambda one: order.index(one.key)))


def _compared(here: Profile, there: Profile) -> Iterable[Part]:
    yield _part(
        "setting", _SETTINGS.get((here.setting, there.setting), 0), here=here.setting, there=there.setting
    )
    yield _part("border", float(here.at_border and there.at_border))
    for key, name in (("density", "density"), ("size", "population")):
        one, other = getattr(here, name), getattr(there, name)
        if one and other:
            yield _part(key, max(0, 1 - abs(log2(one / other)) / _OCTAVES), here=one, there=other)
    if here.town_m is not None and there.town_m is not None:
        share = max(0, 1 - abs(here.town_m - there.town_m) / _REMOTE_M)
        yield _part("remote", share, here_m=here.town_m, there_m=there.town_m)
    if here.point and there.point:
        apart_m = round(hypot(here.point[0] - there.point[0], here.point[1] - there.point[1]), 1)
        yield _part("near", max(0, 1 - apart_m / _NEAR_M), distance_m=apart_m)


def _part(key: str, share: float, **values: object) -> Part:
    return Part(key, round(_POINTS[key] * share), values)


def _told(sets: Iterable[frozenset[str]], known: frozenset[str] | None = None) -> tuple[str, ...]:
    """The roles of some needs, each once; of several that would do, those that are known here."""
    return tuple(sorted({key for one in sets for key in (one & known if known is not None else one)}))


# --- Profiles


def _examples(found: Territory, instance: Instance) -> Iterable[Example]:
    known = found.known
    there = known.case_days.there(found.as_of)
    for i, case in enumerate(known.cases):
        if not there[i]:
            continue
        east, north = known.case_points[i]
        point = None if np.isnan(east) else shapely.Point(east, north)
        keys = [("municipality", f"municipality:{case.municipality}"), ("county", f"county:{case.county}")]
        profiles = {
            kind: _moved(found, found.profiles[key], point) for kind, key in keys if key in found.profiles
        }
        needs = contacts.needs(instance, case, contacts.took_part(known, case, as_of=found.as_of))
        always = {role.key for role in instance.roles if role.area}
        yield Example(
            case, profiles, tuple(one - always for one in needs if one - always), frozenset().union(*needs)
        )


def _moved(found: Territory, profile: Profile, point: shapely.Point | None) -> Profile:
    """The profile of an area at one of its points."""
    if point is None:
        return profile
    at = (point.x, point.y)
    return replace(profile, point=at, town_m=_nearest(found.towns, at), setting=found.land.setting(point))


def _land(session: Session, known: Snapshot, as_of: date) -> Land:
    """The land of the day; where it ends at a neighbouring country it has no coast."""
    day = as_of.isoformat()
    states = places.area_states(session, ["land"])
    now = [s for area, s in states if dates.holds(area.valid_from, area.valid_to, day)]
    pieces = [piece for shape in now for piece in shapely.get_parts(shape)]
    if not pieces:
        return Land(None, None)
    main = max(pieces, key=lambda piece: float(piece.area))
    abroad = known.shapes[[i for i, area in enumerate(known.areas) if area.kind == "neighbour"]]
    lines = shapely.boundary(shapely.multipolygons(pieces))
    coast = shapely.difference(lines, shapely.union_all(shapely.buffer(abroad, _BORDER_M)))
    shapely.prepare([main, coast])
    return Land(main, coast)


def _setting(land: Land, shape: shapely.Geometry, offshore: Flags) -> str:
    """Of an area with its settlements; a few on the mainland may be wrong points of an island."""
    if not len(offshore):
        return land.setting(shapely.point_on_surface(shape))
    if offshore.any():
        return ISLAND if (~offshore).mean() <= _MOST_MAINLAND else ISLANDS
    return COAST if land.is_coastal(shape, _SHORE_M) else INLAND


def _at_border(known: Snapshot, as_of: date) -> set[str]:
    there = known.area_days.there(as_of)
    abroad = [i for i, area in enumerate(known.areas) if area.kind == "neighbour" and there[i]]
    return {
        known.areas[i].key
        for one in abroad
        for i in known.tree.query(known.shapes[one], predicate="dwithin", distance=_BORDER_M)
    }


def _metric(found: Sequence[Place], srid: int) -> Numbers:
    moved = geo.to_metric([place.point() for place in found], srid=srid)
    return np.column_stack([shapely.get_x(moved), shapely.get_y(moved)]).reshape(-1, 2)


def _towns(gazetteer: Sequence[Settlement]) -> list[int]:
    """Positions of the places of 10,000 people and of the largest known of each county, mostly its seat.

    The gazetteer comes with the most populous first.
    """
    counties: set[str] = set()
    found = []
    for i, town in enumerate(gazetteer):
        if town.population and (town.population >= _TOWN or town.county not in counties):
            found.append(i)
            counties.add(town.county)
    return found


def _nearest(towns: Numbers, point: tuple[float, float]) -> float | None:
    if not len(towns):
        return None
    return round(float(np.hypot(*(towns - point).T).min()), 1)


def _number(text: object) -> float | None:
    try:
        return float(str(text)) or None
    except ValueError:
        return None
