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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from itertools import combinations
from math import hypot, isfinite
from typing import Any, Generic, TypeVar, overload

import numpy as np
import shapely
from scipy import sparse
from scipy.spatial import cKDTree

from layers import answers, contacts, fit, memory
from layers.answers import Way
from layers.catalog import Instance
from layers.gaps import zones as grounds
from layers.gaps.missing import NoDistance
from layers.gaps.zones import Zone
from layers.places import Area, Body
from layers.practices import Case, Practice
from layers.snapshot import Numbers, Positions, Snapshot

SERVED, SEATED, BORDER, NEAR = "served", "seated", "border", "near"
REASONS = (SERVED, SEATED, BORDER, NEAR)
GROUND = (SERVED, SEATED)
"""The reasons that are ground in common."""
_LEAST_SHARE = 0.01
_NO_CASE = -1
Thing = TypeVar("Thing")
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
    playing = {
        role.key: known.players(role.layer, role.capabilities, as_of).tolist() for role in instance.roles
    }
    covers = _Covers(known, zones, as_of)
    position = {zone.key: i for i, zone in enumerate(zones)}
    found = []
    for i, body in enumerate(known.bodies):
        roles = tuple(role for role, plays in playing.items() if plays[i])
        if roles:
            serves = {zone for key in body.serves for zone in covers.of(key)}
            seats = (f"{kind}:{getattr(body, kind)}" for kind in contacts.SEATS)
            seat = {position[key] for key in seats if key in position}
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
) -> "Pairs":
    """Pairs that no known case links, ranked as the module says.

    With `like` also such that play the same role. `role` and `other` narrow to pairs of which one plays the
    one and the other the other; `within` (`kind:code`) to pairs whose common ground or border is in it.

    Raises:
        NoDistance: `near_km` is negative or more than 300.
    """
    if not 0 <= near_km <= 300:
        raise NoDistance(value=near_km, most=300)
    ranked = _ranked(found, near_km)
    order = {one.key: i for i, one in enumerate(found.instance.roles)}
    played = [
        [_roles(one, two, order, role, other, like=like) for two in ranked.played] for one in ranked.played
    ]
    fits = np.array([[roles is not None for roles in row] for row in played], dtype=np.bool_)
    fits = fits.reshape(len(played), -1)
    inside = {i for i, zone in enumerate(found.zones) if not within or zone.lies_in(within)}
    here = np.array([not inside.isdisjoint(zones) for zones in ranked.grounds], dtype=np.bool_)
    plays = ranked.plays[ranked.first], ranked.plays[ranked.second]
    return Pairs(found, ranked, np.flatnonzero(fits[plays] & here[ranked.ground]), played)


def _roles(
    one: tuple[str, ...],
    two: tuple[str, ...],
    order: Mapping[str, int],
    role: str,
    other: str,
    *,
    like: bool,
) -> RolePair | None:
    """The first pair of roles, in the order of the instance, that answers the question; None for none."""
    if not like and set(one) & set(two):
        return None
    asked = sorted({role, other} - {""})
    for mine, yours in ((a, b) for a in one for b in two):
        played = sorted({mine, yours})
        if (played == asked) if role and other else set(asked) <= set(played):
            return (mine, yours) if order[mine] <= order[yours] else (yours, mine)
    return None


class Pairs(Sequence[Pair]):
    """Pairs in their order. Each is put together when it is looked at, for there may be very many."""

    def __init__(
        self, found: Net, ranked: "_Ranked", at: Positions, played: Sequence[Sequence[RolePair | None]]
    ) -> None:
        self._found, self._ranked, self._at, self._played = found, ranked, at, played

    @property
    def on_ground(self) -> int:
        """How many of them have ground in common."""
        return int(np.isin(self._ranked.why[self._at], [REASONS.index(why) for why in GROUND]).sum())

    @property
    def hinted(self) -> int:
        """For how many of them there is a hint."""
        return int((self._ranked.hint[self._at] != _NO_CASE).sum())

    def __len__(self) -> int:
        return len(self._at)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> "Pairs": ...
    def __getitem__(self, at: int | slice) -> "Pair | Pairs":
        if isinstance(at, slice):
            return Pairs(self._found, self._ranked, self._at[at], self._played)
        return self._pair(int(self._at[at]))

    def _pair(self, row: int) -> Pair:
        found, ranked = self._found, self._ranked
        first, second = int(ranked.first[row]), int(ranked.second[row])
        one, two, ground = found.actors[first], found.actors[second], int(ranked.ground[row])
        roles = self._played[ranked.plays[first]][ranked.plays[second]]
        if roles is None:
            raise ValueError("The two play no roles that were asked for.")
        apart_m, hint = float(ranked.distance_m[row]), int(ranked.hint[row])
        return Pair(
            first=one,
            second=two,
            why=REASONS[ranked.why[row]],
            both_serve=_both_serve(one, two),
            zones=tuple(found.zones[i].key for i in ranked.grounds[ground]),
            people=ranked.people[ground],
            weight=float(ranked.weight[row]),
            distance_m=apart_m if isfinite(apart_m) else None,
            hint=None if hint == _NO_CASE else found.met[hint][0],
            roles=roles,
            practice=found.bringing.practices.get(roles, ""),
            example=self._example(ground, roles),
        )

    def _example(self, ground: int, roles: RolePair) -> Example | None:
        """The nearest case where these roles met, from the middle of the people on a ground."""
        kept = self._ranked.examples
        if (ground, roles) not in kept:
            zones = [self._found.zones[i] for i in self._ranked.grounds[ground]]
            weights = [zone.people for zone in zones]
            middles = grounds.middles(tuple(zones))
            east, north = np.average(middles, axis=0, weights=weights if sum(weights) else None)
            kept[ground, roles] = nearest_example(self._found.bringing, roles, (float(east), float(north)))
        return kept[ground, roles]


def _both_serve(one: Actor, two: Actor) -> tuple[str, ...]:
    served = [{*who.body.serves} if who.body else {who.key} for who in (one, two)]
    return tuple(sorted(served[0] & served[1]))


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Every pair that has a reason, without those that have met, in its order: n of them, the same for every
    county and role.

    `first` and `second` are positions of actors, `why` of REASONS, `hint` of cases in `met` (-1 for none);
    `ground` is the position in `grounds` of the zones of the reason, of which `people` has the persons.
    `distance_m` is infinite where it is not known. `plays` tells for each actor the position of its roles in
    `played`.
    """

    first: Positions
    second: Positions
    why: Positions
    ground: Positions
    weight: Numbers
    distance_m: Numbers
    hint: Positions
    grounds: tuple[tuple[int, ...], ...]
    people: tuple[float, ...]
    plays: Positions
    played: tuple[tuple[str, ...], ...]
    examples: dict[tuple[int, RolePair], Example | None] = field(default_factory=dict)


@memory.kept(1)  # A quarter of a million at full size (15 MB), the same for every county and role.
def _ranked(found: Net, near_km: float) -> _Ranked:
    actors = found.actors
    grounds_ = _Numbered[tuple[int, ...]]()
    first, second, why, ground = _sought(found, near_km, grounds_)
    of_ground, of_roles = _Numbered[tuple[int, ...]](), _Numbered[tuple[str, ...]]()
    whose = np.array([of_ground.number(one.ground) for one in actors], dtype=np.intp)
    plays = np.array([of_roles.number(one.roles) for one in actors], dtype=np.intp)
    in_each = np.array([zone.people for zone in found.zones], dtype=float)
    people = tuple(float(in_each[list(zones)].sum()) for zones in grounds_.known)
    is_common = np.isin(why, [REASONS.index(one) for one in GROUND])

    def weight(shared: int, ground: int, one: int, two: int) -> float:
        there = people[ground]
        if not shared:
            return there
        either = in_each[list({*of_ground.known[one], *of_ground.known[two]})].sum()
        return float(there * there / either) if either else 0.0

    named = _Named(found)
    hint = np.full(len(first), _NO_CASE, dtype=np.intp)
    at = np.flatnonzero(is_common)
    kinds = named.kinds()

    rows, which = _alike(ground[at], kinds[first[at]], kinds[second[at]])
    hints = [named.hint(grounds_.known[on], actors[one], actors[two]) for on, one, two in rows]
    hint[at] = np.array(hints, dtype=np.intp)[which]
    rows, which = _alike(is_common, ground, whose[first], whose[second])
    weights = [weight(*row) for row in rows]
    rounded = np.array([round(one, 3) for one in weights], dtype=float)[which]
    distance_m = _apart_m(actors, first, second)
    order = np.lexsort((second, first, distance_m, -rounded, hint != _NO_CASE, why))
    return _Ranked(
        first[order],
        second[order],
        why[order],
        ground[order],
        np.array(weights, dtype=float)[which][order],
        distance_m[order],
        hint[order],
        tuple(grounds_.known),
        people,
        plays,
        tuple(of_roles.known),
    )


class _Numbered(Generic[Thing]):
    """Gives equal things one number, in the order in which they come."""

    def __init__(self) -> None:
        self.known: list[Thing] = []
        self._numbers: dict[Thing, int] = {}

    def number(self, thing: Thing) -> int:
        found = self._numbers.setdefault(thing, len(self.known))
        if found == len(self.known):
            self.known.append(thing)
        return found


def _alike(*columns: Any) -> tuple[list[list[int]], Positions]:
    """The rows of columns of whole numbers from 0 on, each once, and which of them stands where."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        code = code * (int(column.max(initial=0)) + 1) + column
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return np.column_stack(columns)[first].tolist(), which


def _sought(
    found: Net, near_km: float, known: _Numbered[tuple[int, ...]]
) -> tuple[Positions, Positions, Positions, Positions]:
    """Pairs of actors with their first reason and the number of its zones, without those that have met."""
    actors, count = found.actors, len(found.zones)
    ground = _matrix([one.ground for one in actors], count)
    serves = _matrix([one.serves for one in actors], count)
    bodies = _matrix([one.serves if one.body else () for one in actors], count)
    grounds_, served = _Numbered[tuple[int, ...]](), _Numbered[tuple[int, ...]]()
    on = np.array([grounds_.number(one.ground) for one in actors], dtype=np.intp)
    of = np.array([served.number(one.serves) for one in actors], dtype=np.intp)

    def common(of: _Numbered[tuple[int, ...]]) -> Callable[[int, int], int]:
        return lambda one, two: known.number(tuple(sorted({*of.known[one]} & {*of.known[two]})))

    def border(one: int, two: int) -> int:
        return known.number(_at_border(found, served.known[one], served.known[two]))

    def either(one: int, two: int) -> int:
        return known.number(tuple(sorted({*grounds_.known[one], *grounds_.known[two]})))

    reasons: tuple[tuple[str, Positions, Positions, Callable[[int, int], int]], ...] = (
        (SERVED, _upper(serves @ serves.T), of, common(served)),
        (SEATED, _upper(ground @ ground.T), on, common(grounds_)),
        (BORDER, _upper(bodies @ _beside(found.borders, count) @ bodies.T), of, border),
        (NEAR, _close(actors, near_km), on, either),
    )
    done = _met(found)
    parts = []
    for why, those, sets, zones in reasons:
        codes = those[~np.isin(those, done)]
        done = np.concatenate([done, codes])
        first, second = np.divmod(codes, max(1, len(actors)))
        rows, which = _alike(sets[first], sets[second])
        of_these = np.array([zones(*row) for row in rows], dtype=np.intp)[which]
        parts.append((first, second, np.full(len(codes), REASONS.index(why), dtype=np.intp), of_these))
    first, second, reason, which = (np.concatenate(part) for part in zip(*parts, strict=True))
    has_zones = np.array([bool(zones) for zones in known.known], dtype=np.bool_)[which]
    return first[has_zones], second[has_zones], reason[has_zones], which[has_zones]


def _codes(actors: int, first: Any, second: Any) -> Positions:
    """Pairs of positions, the smaller first, as one number each."""
    codes: Positions = np.minimum(first, second).astype(np.intp) * actors + np.maximum(first, second)
    return codes


def _met(found: Net) -> Positions:
    position = {one.key: i for i, one in enumerate(found.actors)}
    met = {
        pair
        for _, who in found.met
        for pair in combinations(sorted(position[key] for key in who if key in position), 2)
    }
    return _codes(len(position), *np.array(sorted(met), dtype=np.intp).reshape(-1, 2).T)


def _matrix(sets: Sequence[Sequence[int]], columns: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    into = np.array([i for one in sets for i in one], dtype=np.int64)
    return sparse.csr_matrix((np.ones(len(into)), (rows, into)), shape=(len(sets), columns))


def _beside(borders: Iterable[tuple[int, int]], count: int) -> sparse.csr_matrix:
    both = [pair for a, b in borders for pair in ((a, b), (b, a))]
    rows, columns = np.array(both, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))


def _upper(matrix: sparse.csr_matrix) -> Positions:
    found = sparse.triu(matrix, k=1).tocoo()
    return _codes(matrix.shape[0], found.row, found.col)


def _at_border(found: Net, one: Sequence[int], two: Sequence[int]) -> tuple[int, ...]:
    sides = [(a, b) for a in one for b in two if (min(a, b), max(a, b)) in found.borders]
    return tuple(sorted({i for pair in sides for i in pair}))


def _close(actors: Sequence[Actor], near_km: float) -> Positions:
    placed = np.array([i for i, one in enumerate(actors) if one.point], dtype=np.intp)
    if len(placed) < 2 or not near_km:
        return np.empty(0, dtype=np.intp)
    points: Numbers = np.array([actors[i].point for i in placed], dtype=float)
    close = cKDTree(points).query_pairs(near_km * 1000, output_type="ndarray")
    return _codes(len(actors), *placed[close].reshape(-1, 2).T)


def _apart_m(actors: Sequence[Actor], first: Positions, second: Positions) -> Numbers:
    """How far two are apart, metres to the tenth as `grounds.way` tells it; infinite where nobody knows."""
    nowhere = (np.nan, np.nan)
    points = np.array([one.point or nowhere for one in actors], dtype=float).reshape(-1, 2)
    away = (points[second] - points[first]).T
    # numpy's own may differ in the last digit.
    far_m = np.fromiter(map(hypot, *away.tolist()), dtype=float, count=len(first))
    return np.where(np.isnan(far_m), np.inf, np.rint(far_m * 10) / 10)


class _Named:
    """Cases that name two roles on some ground, so that it may have been two who are not named."""

    def __init__(self, found: Net) -> None:
        self.found = found
        self.who = {case.key: who for case, who in found.met}
        self.at = {case.key: at for at, (case, _) in enumerate(found.met)}
        playing = {one.key: one.roles for one in found.actors}
        self.played = {
            case.key: frozenset(role for key in who for role in playing.get(key, ()))
            for case, who in found.met
        }

    def kinds(self) -> Positions:
        """For each actor the first of whom the same is told: of all in no case, one that plays its roles."""
        linked = frozenset().union(*self.who.values())
        alike: dict[tuple[str, ...], int] = {}
        return np.array(
            [
                i if one.key in linked else alike.setdefault(one.roles, i)
                for i, one in enumerate(self.found.actors)
            ],
            dtype=np.intp,
        )

    def hint(self, zones: Iterable[int], one: Actor, two: Actor) -> int:
        """The position in `met` of the first by key, -1 for none.

        Not a case that names another organisation of the role as having taken part.
        """
        cases = {
            case.key
            for zone in zones
            for case, roles in self.found.naming[zone]
            if self._fits(case, roles, one, two)
        }
        return self.at[min(cases)] if cases else _NO_CASE

    def _fits(self, case: Case, roles: frozenset[str], *two: Actor) -> bool:
        """Whether each took part, or a role of theirs is named and nobody is told to have played it."""
        return all(
            one.key in self.who[case.key]
            or (not roles.isdisjoint(one.roles) and self.played[case.key].isdisjoint(one.roles))
            for one in two
        )


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
