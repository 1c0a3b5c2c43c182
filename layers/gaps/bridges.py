"""The relationship gap: who shares ground or a border, and no known case links them.

Actors are organisations of the day that are not closed and play a role, and areas that play one themselves.
An actor's *ground* is the set of base zones (municipalities; counties where an instance has none) in which it
is seated or which lie in an area that it serves; an area's own ground is itself. A served area of another
kind (a police district) lies in every base zone of which it covers at least a hundredth, or that covers at
least a hundredth of it. Two actors a, b should know each other for the first of these reasons that holds:

    served   both *serve* zones in common;                          people = those of the zones both serve
    seated   ground(a) and ground(b) have other zones in common;    people = those of the common zones
    border   zones that a and b *serve* lie side by side;           people = those of the zones at that border
    near     their points are at most N km apart, straight;         people = those of both grounds

Two areas are no such pair: `neighbours` tells of them. A pair is *met*, and left out, when one case names
both as having taken part. `hint` is a case that touches the common ground and names a role of each, but of
one or both not who it was: it may have been they. Ranked by reason, pairs without a hint first, then by

    weight = people × people / (people on the ground of a or of b)   [persons]   (served, seated; else people)

so that those come first who answer for the same people; then by distance, then by keys. A pair that never met
as far as is known may know each other well: only public cases are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

import numpy as np
import shapely
from scipy import sparse
from scipy.spatial import cKDTree

from layers import answers, contacts, fit
from layers.answers import Way
from layers.catalog import Instance
from layers.gaps import zones as grounds
from layers.gaps.missing import NoDistance
from layers.gaps.zones import Zone
from layers.places import Area, Body
from layers.practices import Case, Practice
from layers.snapshot import Numbers, Snapshot

SERVED, SEATED, BORDER, NEAR = "served", "seated", "border", "near"
REASONS = (SERVED, SEATED, BORDER, NEAR)
GROUND = (SERVED, SEATED)
"""The reasons that are ground in common."""
_LEAST_SHARE = 0.01
RolePair = tuple[str, str]


@dataclass(frozen=True)
class Actor:
    """An organisation or an area that plays roles, with the positions of the zones of its ground.

    `serves` are those of its ground for which it is responsible; `point` is metric, None where not known.
    """

    key: str
    body: Body | None
    area: Area | None
    roles: tuple[str, ...]
    ground: tuple[int, ...]
    serves: tuple[int, ...]
    point: tuple[float, float] | None


Candidate = tuple[int, int, str, tuple[int, ...]]
"""Positions of two actors, the first reason for them to know each other, and the zones of it."""


@dataclass(frozen=True)
class Example:
    """Two roles that met: the case, and the way to it from where it is asked; None where it has no point."""

    case: Case
    way: Way | None


@dataclass(frozen=True)
class Pair:
    """Two who never met as far as is known.

    `both_serve` are keys of areas for which both are responsible, `zones` keys of the ground that they
    share, or on both sides of their border. `distance_m` lies between their points, None where one is not
    known. `practice` brings their roles together ("" for none), `example` is the nearest case where they met.
    """

    first: Actor
    second: Actor
    why: str
    both_serve: tuple[str, ...]
    zones: tuple[str, ...]
    people: float
    weight: float
    distance_m: float | None
    hint: Case | None
    roles: RolePair
    practice: str
    example: Example | None


@dataclass(frozen=True)
class Levels:
    """Of one zone: the roles played there, the pairs of them that a case links, and those that none does."""

    zone: Zone
    roles: tuple[str, ...]
    met: tuple[RolePair, ...]
    silent: tuple[RolePair, ...]


@dataclass(frozen=True)
class Neighbours:
    """Two areas of a kind with a common border that no known case links; `is_across`: of two counties."""

    first: Zone
    second: Zone
    people: float
    is_across: bool


@dataclass(frozen=True)
class Isolate:
    """An actor in no known case, and the people on its ground."""

    actor: Actor
    people: float


@dataclass(frozen=True)
class Bringing:
    """For each pair of roles, in their order, the practice that brings them together and where they met."""

    practices: Mapping[RolePair, str]
    cases: Mapping[RolePair, tuple[tuple[Case, tuple[float, float] | None], ...]]


@dataclass(frozen=True, eq=False)
class Net:
    """Everybody of a day on the ground, and who met: asked once, for any number of questions.

    `borders` are pairs of positions of zones that lie side by side, `met` the keys that took part in one case
    together, by case.
    """

    known: Snapshot
    instance: Instance
    as_of: date
    zones: tuple[Zone, ...]
    actors: tuple[Actor, ...]
    borders: frozenset[tuple[int, int]]
    met: tuple[tuple[Case, frozenset[str]], ...]
    naming: tuple[tuple[tuple[Case, frozenset[str]], ...], ...]
    bringing: Bringing


def net(
    known: Snapshot,
    instance: Instance,
    zones: Sequence[Zone],
    practices: Iterable[Practice],
    *,
    as_of: date,
) -> Net:
    """Who is on the ground. `zones` are the areas of one kind, the base of every ground."""
    areas = [known.areas[contacts.position(known, zone.key, as_of=as_of)] for zone in zones]
    met = contacts.together(known, instance, as_of=as_of)
    return Net(
        known,
        instance,
        as_of,
        tuple(zones),
        tuple(_actors(known, instance, zones, areas, as_of)),
        _borders(known, areas, as_of),
        met,
        tuple(contacts.naming(known, instance, area, as_of=as_of) for area in areas),
        bringing(known, instance, practices, as_of=as_of),
    )


# --- Who is on which ground


def _actors(
    known: Snapshot, instance: Instance, zones: Sequence[Zone], areas: Sequence[Area], as_of: date
) -> Iterable[Actor]:
    there = known.body_days.there(as_of)
    covers = _Covers(known, zones, as_of)
    found = []
    for i in np.flatnonzero(there):
        body = known.bodies[i]
        roles = tuple(role.key for role in instance.roles if answers.plays(role, body))
        if roles:
            serves = {zone for key in body.serves for zone in covers.of(key)}
            seats = {f"{kind}:{getattr(body, kind)}" for kind in contacts.SEATS}
            seat = {zone for zone, one in enumerate(zones) if one.key in seats}
            east, north = known.body_points[i]
            point = None if np.isnan(east) else (float(east), float(north))
            ground = tuple(sorted(serves | seat))
            found.append(Actor(body.key, body, None, roles, ground, tuple(sorted(serves)), point))
    for zone, area in enumerate(areas):
        roles = tuple(role.key for role in instance.roles if role.area == area.kind)
        if roles:
            found.append(Actor(area.key, None, area, roles, (zone,), (zone,), None))
    return sorted(found, key=lambda one: one.key)


class _Covers:
    """Which base zones a served area covers, found once for each."""

    def __init__(self, known: Snapshot, zones: Sequence[Zone], as_of: date) -> None:
        self.known, self.zones, self.as_of = known, zones, as_of
        self.shapes = [known.shapes[contacts.position(known, zone.key, as_of=as_of)] for zone in zones]
        self.kept: dict[str, tuple[int, ...]] = {}

    def of(self, key: str) -> tuple[int, ...]:
        if key not in self.kept:
            self.kept[key] = self._of(key)
        return self.kept[key]

    def _of(self, key: str) -> tuple[int, ...]:
        """By code where a zone is the area or lies in it, else by shape."""
        named = tuple(i for i, zone in enumerate(self.zones) if zone.lies_in(key))
        shapes = self.known.shapes_of([key], as_of=self.as_of)
        if named or not shapes:
            return named
        common = shapely.area(shapely.intersection(self.shapes, shapes[0]))
        least = np.minimum(shapely.area(self.shapes), float(shapely.area(shapes[0]))) * _LEAST_SHARE
        return tuple(int(i) for i in np.flatnonzero((common > 0) & (common >= least)))


def _borders(known: Snapshot, areas: Sequence[Area], as_of: date) -> frozenset[tuple[int, int]]:
    position = {area.key: i for i, area in enumerate(areas)}
    return frozenset(
        (min(i, position[one.key]), max(i, position[one.key]))
        for i, area in enumerate(areas)
        for one in contacts.bordering(known, area, as_of=as_of)
        if one.key in position
    )


# --- Practices that bring roles together


def bringing(known: Snapshot, instance: Instance, practices: Iterable[Practice], *, as_of: date) -> Bringing:
    """Which practice brings two roles together.

    It is the one with the most weight in cases that name both roles and have not ended (ties by key). A case
    that names n roles is about n(n − 1)/2 pairs, so that it counts for each of them 2/(n(n − 1)), and for two
    organisations of one role 1. Where no case names both, it is the practice with the fewest audiences that
    is written for a party of each.
    """
    shown: dict[RolePair, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    told: dict[RolePair, list[tuple[Case, tuple[float, float] | None]]] = defaultdict(list)
    there = known.case_days.there(as_of)
    for i, case in enumerate(known.cases):
        if there[i] and case.outcome != fit.ENDED:
            east, north = known.case_points[i]
            point = None if np.isnan(east) else (float(east), float(north))
            named = _named_pairs(known, instance, case, as_of)
            others = max(1, sum(one != other for one, other in named))
            for pair in named:
                told[pair].append((case, point))
                for practice in {link.practice for link in case.practices}:
                    shown[pair][practice] += Fraction(1, 1 if pair[0] == pair[1] else others)
    found = {pair: min(sums, key=lambda key: (-sums[key], key)) for pair, sums in shown.items()}
    parties = {role.key: set(role.parties) for role in instance.roles}
    written = sorted(practices, key=lambda one: (len(one.audiences), one.key))
    for pair in combinations([role.key for role in instance.roles], 2):
        for one in written:
            if all(parties[role] & set(one.audiences) for role in pair):
                found.setdefault(pair, one.key)
                break
    return Bringing(found, {pair: tuple(cases) for pair, cases in told.items()})


def _named_pairs(known: Snapshot, instance: Instance, case: Case, as_of: date) -> list[RolePair]:
    bodies = contacts.took_part(known, case, as_of=as_of)
    named = frozenset().union(*contacts.needs(instance, case, bodies))
    order = [role.key for role in instance.roles if role.key in named]
    like = [
        (role.key, role.key)
        for role in instance.roles
        if sum(answers.plays(role, body) for body in bodies) > 1
    ]
    return [*combinations(order, 2), *like]


def nearest_example(found: Bringing, pair: RolePair, point: tuple[float, float]) -> Example | None:
    """The nearest case where two roles met, by straight line from a metric point; equally far ones by key."""
    cases = found.cases.get(pair, ())
    ways = [(case, grounds.way(point, end)) for case, end in cases if end]
    if not ways:
        return Example(min((case for case, _ in cases), key=lambda one: one.key), None) if cases else None
    case, way = min(ways, key=lambda one: (one[1].distance_m, one[0].key))
    return Example(case, way)


# --- Pairs


def pairs(
    found: Net,
    *,
    near_km: float = 10.0,
    like: bool = False,
    role: str = "",
    other: str = "",
    within: str = "",
) -> tuple[Pair, ...]:
    """Pairs that no known case links, ranked as the module says.

    With `like` also such that play the same role. `role` and `other` narrow to pairs of which one plays the
    one and the other the other; `within` (`kind:code`) to pairs whose common ground or border is in it.

    Raises:
        NoDistance: `near_km` is negative or more than 300.
    """
    if not 0 <= near_km <= 300:
        raise NoDistance(value=near_km, most=300)
    people = np.array([zone.people for zone in found.zones], dtype=float)
    order = {one.key: i for i, one in enumerate(found.instance.roles)}
    inside = {i for i, zone in enumerate(found.zones) if not within or zone.lies_in(within)}
    named = _Named(found)
    rows = []
    for first, second, why, zones in _candidates(found, near_km):
        if inside.isdisjoint(zones):
            continue
        one, two = found.actors[first], found.actors[second]
        roles = _roles(one, two, order, role, other)
        is_alike = bool(set(one.roles) & set(two.roles))
        if roles is None or (is_alike and not like):
            continue
        there = float(people[list(zones)].sum())
        weight = _weight(why, there, people[list({*one.ground, *two.ground})].sum())
        hint = named.hint(zones, one, two) if why in GROUND else None
        rows.append((one, two, why, zones, there, weight, hint, roles))
    rows.sort(
        key=lambda row: (
            REASONS.index(row[2]),
            row[6] is not None,
            -round(row[5], 3),
            _apart(row[0], row[1]) if _apart(row[0], row[1]) is not None else np.inf,
            row[0].key,
            row[1].key,
        )
    )
    return tuple(_pair(found, *row) for row in rows)


def _weight(why: str, people: float, either: float) -> float:
    if why not in GROUND:
        return people
    return people * people / either if either else 0.0


def _roles(one: Actor, two: Actor, order: Mapping[str, int], role: str, other: str) -> RolePair | None:
    """The first pair of roles, in the order of the instance, that answers the question; None for none."""
    asked = sorted({role, other} - {""})
    for mine, yours in ((a, b) for a in one.roles for b in two.roles):
        played = sorted({mine, yours})
        if (played == asked) if role and other else set(asked) <= set(played):
            return (mine, yours) if order[mine] <= order[yours] else (yours, mine)
    return None


def _pair(
    found: Net,
    one: Actor,
    two: Actor,
    why: str,
    zones: tuple[int, ...],
    people: float,
    weight: float,
    hint: Case | None,
    roles: RolePair,
) -> Pair:
    middles = grounds.middles(tuple(found.zones[i] for i in zones))
    weights = [found.zones[i].people for i in zones]
    east, north = np.average(middles, axis=0, weights=weights if sum(weights) else None)
    return Pair(
        first=one,
        second=two,
        why=why,
        both_serve=_both_serve(one, two),
        zones=tuple(found.zones[i].key for i in zones),
        people=people,
        weight=weight,
        distance_m=_apart(one, two),
        hint=hint,
        roles=roles,
        practice=found.bringing.practices.get(roles, ""),
        example=nearest_example(found.bringing, roles, (float(east), float(north))),
    )


def _both_serve(one: Actor, two: Actor) -> tuple[str, ...]:
    served = [{*who.body.serves} if who.body else {who.key} for who in (one, two)]
    return tuple(sorted(served[0] & served[1]))


def _apart(one: Actor, two: Actor) -> float | None:
    if one.point is None or two.point is None:
        return None
    return grounds.way(one.point, two.point).distance_m


@lru_cache(maxsize=1)  # A quarter of a million at full size (35 MB), the same for every county and role.
def _candidates(found: Net, near_km: float) -> tuple[Candidate, ...]:
    return tuple(_sought(found, near_km))


def _sought(found: Net, near_km: float) -> Iterator[Candidate]:
    """Pairs of positions of actors with their first reason and its zones, without those that have met."""
    actors, count = found.actors, len(found.zones)
    met = _met(found)
    ground = _matrix([one.ground for one in actors], count)
    serves = _matrix([one.serves for one in actors], count)
    bodies = _matrix([one.serves if one.body else () for one in actors], count)
    beside = _beside(found.borders, count)
    done = set(met)
    for first, second in _upper(serves @ serves.T):
        if (first, second) not in done:
            done.add((first, second))
            yield first, second, SERVED, tuple(sorted({*actors[first].serves} & {*actors[second].serves}))
    for first, second in _upper(ground @ ground.T):
        if (first, second) not in done:
            done.add((first, second))
            yield first, second, SEATED, tuple(sorted({*actors[first].ground} & {*actors[second].ground}))
    for first, second in _upper(bodies @ beside @ bodies.T):
        if (first, second) not in done:
            done.add((first, second))
            yield first, second, BORDER, _at_border(found, actors[first].serves, actors[second].serves)
    for first, second in _close(actors, near_km):
        if (first, second) not in done:
            zones = tuple(sorted({*actors[first].ground} | {*actors[second].ground}))
            if zones:
                yield first, second, NEAR, zones


def _met(found: Net) -> set[tuple[int, int]]:
    position = {one.key: i for i, one in enumerate(found.actors)}
    return {
        pair
        for _, who in found.met
        for pair in combinations(sorted(position[key] for key in who if key in position), 2)
    }


def _matrix(sets: Sequence[Sequence[int]], columns: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    into = np.array([i for one in sets for i in one], dtype=np.int64)
    return sparse.csr_matrix((np.ones(len(into)), (rows, into)), shape=(len(sets), columns))


def _beside(borders: Iterable[tuple[int, int]], count: int) -> sparse.csr_matrix:
    both = [pair for a, b in borders for pair in ((a, b), (b, a))]
    rows, columns = np.array(both, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))


def _upper(matrix: sparse.csr_matrix) -> list[tuple[int, int]]:
    found = sparse.triu(matrix, k=1).tocoo()
    return sorted(zip(found.row.tolist(), found.col.tolist(), strict=True))


def _at_border(found: Net, one: Sequence[int], two: Sequence[int]) -> tuple[int, ...]:
    sides = [(a, b) for a in one for b in two if (min(a, b), max(a, b)) in found.borders]
    return tuple(sorted({i for pair in sides for i in pair}))


def _close(actors: Sequence[Actor], near_km: float) -> list[tuple[int, int]]:
    placed = [i for i, one in enumerate(actors) if one.point]
    if len(placed) < 2 or not near_km:
        return []
    points: Numbers = np.array([actors[i].point for i in placed], dtype=float)
    close = cKDTree(points).query_pairs(near_km * 1000, output_type="ndarray")
    return sorted((placed[min(a, b)], placed[max(a, b)]) for a, b in close.tolist())


class _Named:
    """Cases that name two roles on some ground, so that it may have been two who are not named."""

    def __init__(self, found: Net) -> None:
        self.found = found
        self.who = {case.key: who for case, who in found.met}

    def hint(self, zones: Iterable[int], one: Actor, two: Actor) -> Case | None:
        """The first by key; not one that names another organisation of the role as having taken part."""
        cases = {
            case.key: case
            for zone in zones
            for case, roles in self.found.naming[zone]
            if self._may_be(case, roles, one) and self._may_be(case, roles, two)
        }
        named = [case for case in cases.values() if self._two(case, one, two)]
        return min(named, key=lambda case: case.key) if named else None

    def _may_be(self, case: Case, roles: frozenset[str], actor: Actor) -> bool:
        return actor.key in self.who[case.key] or bool(roles & set(actor.roles))

    def _two(self, case: Case, one: Actor, two: Actor) -> bool:
        """Whether nobody else is told to have played the roles of those who are not named."""
        return all(actor.key in self.who[case.key] or not self._others(case, actor) for actor in (one, two))

    def _others(self, case: Case, actor: Actor) -> bool:
        others = (who for who in self.found.actors if who.key in self.who[case.key])
        return any(set(who.roles) & set(actor.roles) for who in others)


# --- Levels, neighbours, isolates


def levels(found: Net) -> tuple[Levels, ...]:
    """For every zone which roles meet and which never do, by `contacts.silences`.

    Most people × silent pairs first, then by key.
    """
    rows = []
    for zone in found.zones:
        area = found.known.areas[contacts.position(found.known, zone.key, as_of=found.as_of)]
        here = contacts.here(found.known, found.instance, area, as_of=found.as_of)
        played = [one.role.key for one in here if one.bodies or one.areas]
        silent = {
            (one.first.role.key, one.second.role.key)
            for one in contacts.silences(
                found.known, found.instance, area, here, as_of=found.as_of, met=found.met
            )
        }
        every = list(combinations(played, 2))
        rows.append(
            Levels(
                zone,
                tuple(played),
                tuple(pair for pair in every if pair not in silent),
                tuple(pair for pair in every if pair in silent),
            )
        )
    return tuple(sorted(rows, key=lambda one: (-one.zone.people * len(one.silent), one.zone.key)))


def neighbours(found: Net) -> tuple[Neighbours, ...]:
    """Zones side by side that no known case links, by people of both, the most first, then by keys.

    A case links two when it is told of both, or of one and somebody seated in the other took part: as
    `contacts.neighbours` has it.
    """
    areas = [
        found.known.areas[contacts.position(found.known, zone.key, as_of=found.as_of)] for zone in found.zones
    ]
    beside: dict[int, list[int]] = defaultdict(list)
    for first, second in sorted(found.borders):
        beside[first].append(second)
    rows = []
    for first, others in beside.items():
        position = {areas[i].key: i for i in others}
        told = contacts.neighbours(found.known, areas[first], [areas[i] for i in others], as_of=found.as_of)
        for one in told:
            if not one.shared:
                mine, yours = found.zones[first], found.zones[position[one.area.key]]
                across = mine.within != yours.within
                rows.append(Neighbours(mine, yours, mine.people + yours.people, across))
    return tuple(sorted(rows, key=lambda one: (-one.people, one.first.key, one.second.key)))


def isolates(found: Net) -> tuple[Isolate, ...]:
    """Actors that took part in no known case, by the people on their ground, the most first, then by key.

    An area is none when a case is told of it.
    """
    linked = {key for _, who in found.met for key in who}
    told = [case for case, _ in found.met]
    rows = [
        Isolate(one, float(sum(found.zones[i].people for i in one.ground)))
        for one in found.actors
        if one.key not in linked and not (one.area and any(contacts.is_of(case, one.area) for case in told))
    ]
    return tuple(sorted(rows, key=lambda one: (-one.people, one.actor.key)))
