"""Who is missing: nobody of a role, nobody who can do what is asked, or not all who must act together.

For a zone z (an area, a place, or N km around a place), a term t (a role, what somebody can do, or both) and
a day, the bodies that count are

    B(z, t) = those that play the role and are not closed, and
              are seated in z, or responsible for it or for a larger area that holds it    (without N)
              have a known point at most N km straight from z's middle                     (with N)

and the state of t in z is the first of these that holds:

    present   some body of B can do it (without a capability: B is not empty, or z itself plays the role)
    unable    B is not empty, or z itself plays the role, but none is known to be able: a capability gap
    counted   B is empty, and a source counts more of the layer in z, or in an area that holds it, than are
              named there: neither present nor missing
    nobody    B is empty: a coverage gap

A combination has terms that must all be there and terms of which one must. With nobody < unable < counted <
present, its state is min(states of all, max(states of any)): a gap where it is nobody or unable, not known
where it is counted. `lacking` counts the gaps among the terms of `all`, and the whole of `any` as one. People
affected are those of the zone. "Missing" means: nobody in this data.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import yaml
from scipy.spatial import cKDTree

from layers import contacts
from layers.answers import Way
from layers.catalog import Instance, Words
from layers.errors import N_, BadInstance, Invalid, Problem
from layers.gaps import zones as ground
from layers.gaps.zones import Zone
from layers.places import Body, Count
from layers.snapshot import Flags, Ordinals, Snapshot

NOBODY, UNABLE, COUNTED, PRESENT = "nobody", "unable", "counted", "present"
STATES = (NOBODY, UNABLE, COUNTED, PRESENT)
"""From the worst to the best."""
GAPS = (NOBODY, UNABLE)
FILE = "planning/missing.yaml"
_EQUALLY_NEAR = 8


class NothingAsked(Invalid):
    text = N_("Name at least one role or ability that must be there.")


class NoTerm(Invalid):
    text = N_(
        "“{value}” is no role, no ability with a dot before it, and no role with an ability after a dot. "
        "Roles: {roles}. Abilities: {abilities}."
    )


class NoDistance(Invalid):
    text = N_("A distance must be more than 0 and at most {most} km; {value} is not.")


@dataclass(frozen=True, order=True)
class Term:
    """A role, what somebody can do, or both; "" is any. Written `role`, `.capability`, `role.capability`."""

    role: str = ""
    capability: str = ""

    def __str__(self) -> str:
        return f"{self.role}.{self.capability}" if self.capability else self.role


@dataclass(frozen=True)
class Combination:
    """All of these terms, and at least one of those."""

    all_of: tuple[Term, ...] = ()
    one_of: tuple[Term, ...] = ()
    key: str = ""
    label: Words = field(default_factory=dict, compare=False)

    @property
    def terms(self) -> tuple[Term, ...]:
        return (*self.all_of, *self.one_of)


@dataclass(frozen=True)
class Standing:
    """How a term stands in a zone.

    `able` can do it, `others` play the role and are not known to be able; of these `unsaid` are such of
    which no source says anything that they can do. `itself`: the area plays the role. `counted_in` is the
    key of the area in which more are counted than named, also where somebody is named.
    """

    term: Term
    state: str
    able: tuple[Body, ...]
    others: tuple[Body, ...]
    unsaid: int
    itself: bool
    counted_in: str


@dataclass(frozen=True)
class Nearest:
    """The nearest body of the country that could, by straight line from the zone's middle to its point."""

    term: Term
    body: Body
    way: Way


@dataclass(frozen=True)
class Lack:
    """A combination in one zone; `nearest` are the bodies that could fill what is not present."""

    zone: Zone
    state: str
    lacking: int
    standings: tuple[Standing, ...]
    nearest: tuple[Nearest, ...]


@dataclass(frozen=True)
class Total:
    """People of an area by the state of the zones in which they live; `zones` counts these by state."""

    key: str
    people: Mapping[str, float]
    zones: Mapping[str, int]

    @property
    def missing(self) -> float:
        """People without: nobody there, or nobody who can."""
        return sum(self.people[state] for state in GAPS)


@dataclass(frozen=True, eq=False)
class Who:
    """Who is there in every zone, role by role: asked once, for any number of combinations.

    `players` are bodies by zone and role; `itself` tells by zone the roles that the area plays; `counted`
    tells by zone and layer the area in which more are counted than named.
    """

    known: Snapshot
    instance: Instance
    as_of: date
    zones: tuple[Zone, ...]
    players: tuple[Mapping[str, tuple[Body, ...]], ...]
    itself: tuple[frozenset[str], ...]
    counted: tuple[Mapping[str, str], ...]


# --- What is asked


def combination(all_of: Iterable[str], one_of: Iterable[str], *, instance: Instance) -> Combination:
    """A combination from terms as they are written.

    Raises:
        NoTerm: a term that the instance does not know.
        NothingAsked: there is none.
    """
    found = Combination(
        tuple(dict.fromkeys(_term(text, instance) for text in all_of)),
        tuple(dict.fromkeys(_term(text, instance) for text in one_of)),
    )
    if not found.terms:
        raise NothingAsked
    return found


def _term(text: str, instance: Instance) -> Term:
    role, _, capability = text.strip().partition(".")
    roles, abilities = [one.key for one in instance.roles], instance.codes.get("capabilities", {})
    found = Term(role, capability)
    is_known = (not role or role in roles) and (not capability or capability in abilities)
    if not text.strip() or not is_known or str(found) != text.strip():
        raise NoTerm(value=text, roles=", ".join(roles), abilities=", ".join(abilities))
    return found


def combinations(instance: Instance) -> tuple[Combination, ...]:
    """The named combinations of the instance (`planning/missing.yaml`), in their order; none without a file.

    Raises:
        BadInstance: with every problem, each naming the entry and the remedy.
    """
    found, problems = [], []
    for number, entry in enumerate(entries(instance, "combinations"), start=1):
        where = f"combinations, entry {number}"
        if not isinstance(entry, dict) or not entry.get("key") or not isinstance(entry.get("label"), dict):
            problems.append(Problem(FILE, 0, f"{where} needs a key and a label.", "Add them."))
            continue
        try:
            asked = combination(entry.get("all") or (), entry.get("any") or (), instance=instance)
            found.append(Combination(asked.all_of, asked.one_of, str(entry["key"]), entry["label"]))
        except (Invalid, AttributeError, TypeError) as error:
            problems.append(Problem(FILE, 0, f"{where}: {error}", "Correct its terms."))
    if len({one.key for one in found}) < len(found):
        problems.append(Problem(FILE, 0, "A key of combinations stands there twice.", "Give another one."))
    if problems:
        raise BadInstance(problems)
    return tuple(found)


def entries(instance: Instance, group: str) -> Sequence[Any]:
    """One list of `planning/missing.yaml` as it stands there; nothing where there is no such file.

    Raises:
        BadInstance: the file cannot be read.
    """
    file = Path(instance.folder) / FILE
    if not file.is_file():
        return ()
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return tuple(said.get(group) or ())
    except (yaml.YAMLError, ValueError, AttributeError, TypeError) as error:
        what = f"The file cannot be read: {error}."
        raise BadInstance([Problem(FILE, 0, what, "Compare it with data/README.md.")]) from error


def asked_of(instance: Instance) -> tuple[Combination, ...]:
    """Every single question that the instance has words for: each role, then each ability of anybody."""
    roles = (Combination((Term(role.key),), key=role.key) for role in instance.roles)
    abilities = instance.codes.get("capabilities", {})
    return (*roles, *(Combination((Term("", code),), key=f".{code}") for code in abilities))


# --- Who is there


def who(
    known: Snapshot,
    instance: Instance,
    zones: Sequence[Zone],
    *,
    as_of: date,
    counts: Iterable[Count] = (),
    within_km: float | None = None,
    most_km: float = 300,
) -> Who:
    """Who is there in every zone, or within so many kilometres of its middle.

    Raises:
        NoDistance: the distance is no distance, or more than `most_km`.
    """
    if within_km is not None and not 0 < within_km <= most_km:
        raise NoDistance(value=within_km, most=most_km)
    there = known.body_days.there(as_of)
    playing = {
        role.key: set(np.flatnonzero(known.players(role.layer, role.capabilities, as_of)).tolist())
        for role in instance.roles
    }
    zones = tuple(zones)
    if within_km is not None:
        found = _around(known, zones, there, within_km * 1000)
    elif zones and zones[0].kind in contacts.SEATS:
        found = _in_areas(known, instance, zones, as_of)
    else:
        found = _in_places(known, zones, there, as_of)
    return Who(
        known,
        instance,
        as_of,
        zones,
        tuple(_by_role(known, positions, playing) for positions in found),
        tuple(_itself(instance, zone) for zone in zones),
        _counted(known, zones, there, counts),
    )


def _by_role(
    known: Snapshot, positions: set[int], playing: Mapping[str, set[int]]
) -> dict[str, tuple[Body, ...]]:
    return {
        role: tuple(known.bodies[i] for i in sorted(positions & those, key=lambda i: known.bodies[i].key))
        for role, those in playing.items()
    }


def _in_areas(known: Snapshot, instance: Instance, zones: Sequence[Zone], as_of: date) -> list[set[int]]:
    """Positions of those who are seated in an area or responsible there, as `layers.contacts` tells it."""
    position = {id(body): i for i, body in enumerate(known.bodies)}
    found = []
    for zone in zones:
        area = known.areas[contacts.position(known, zone.key, as_of=as_of)]
        roles = contacts.here(known, instance, area, as_of=as_of)
        found.append({position[id(body)] for one in roles for body in one.bodies})
    return found


def _in_places(known: Snapshot, zones: Sequence[Zone], there: Flags, as_of: date) -> list[set[int]]:
    """Those seated in the place itself, or responsible for it or for any area in which it lies.

    Its municipality and county are those of its codes; areas of other kinds are found by its point.
    """
    seated: dict[str, set[int]] = defaultdict(set)
    for i in np.flatnonzero(there):
        if known.bodies[i].settlement:
            seated[f"settlement:{known.bodies[i].settlement}"].add(int(i))
    districts = _districts(known, zones, as_of)
    found = []
    for zone, around in zip(zones, districts, strict=True):
        serving = (known.serving.get(key, ()) for key in (zone.key, *zone.within, *around))
        found.append(seated.get(zone.key, set()).union(*serving))
    return found


def _districts(known: Snapshot, zones: Sequence[Zone], as_of: date) -> list[list[str]]:
    """Keys of the areas at each zone's middle that are of other kinds than municipality and county."""
    found: list[list[str]] = [[] for _ in zones]
    there = known.area_days.there(as_of)
    wanted = [there[i] and one.kind not in contacts.SEATS for i, one in enumerate(known.areas)]
    rows, areas = known.tree.query(shapely.points(ground.middles(tuple(zones))), predicate="intersects")
    for row, area in zip(rows, areas, strict=True):
        if wanted[area]:
            found[row].append(known.areas[area].key)
    return found


def _around(known: Snapshot, zones: Sequence[Zone], there: Flags, within_m: float) -> list[set[int]]:
    placed = np.flatnonzero(there & ~np.isnan(known.body_points[:, 0]))
    if not len(placed) or not zones:
        return [set() for _ in zones]
    tree = cKDTree(known.body_points[placed])
    near = tree.query_ball_point(ground.middles(tuple(zones)), r=within_m)
    return [{int(placed[i]) for i in some} for some in near]


def _itself(instance: Instance, zone: Zone) -> frozenset[str]:
    kinds = {key.partition(":")[0] for key in (zone.key, *zone.within)}
    return frozenset(role.key for role in instance.roles if role.area and role.area in kinds)


def _counted(
    known: Snapshot, zones: Sequence[Zone], there: Flags, counts: Iterable[Count]
) -> tuple[dict[str, str], ...]:
    """By zone and layer, the smallest area in which the newest figure is more than are named there."""
    newest: dict[tuple[str, str], int] = {}
    for count in counts:
        if count.number is not None:
            newest.setdefault((count.area, count.layer), count.number)
    named: Counter[tuple[str, str]] = Counter()
    for i in np.flatnonzero(there):
        body = known.bodies[i]
        if body.readiness != "closed":
            seats = {f"{kind}:{getattr(body, kind)}" for kind in (*contacts.SEATS, "settlement")}
            named.update((key, body.layer) for key in {*seats, *body.serves})
    open_ = {where for where, number in newest.items() if number > named[where]}
    layers = sorted({layer for _, layer in open_})
    return tuple(
        {
            layer: next(key for key in (zone.key, *zone.within) if (key, layer) in open_)
            for layer in layers
            if any((key, layer) in open_ for key in (zone.key, *zone.within))
        }
        for zone in zones
    )


# --- What is missing


def lacks(found: Who, asked: Combination) -> tuple[Lack, ...]:
    """A combination in every zone, worst first.

    Gaps come first, then what is only counted, then the rest; the more is lacking the earlier, then nobody
    before somebody who cannot, then the more people, then by key.
    """
    nearest = {term: _nearest(found, term) for term in asked.terms}
    answers_ = [_lack(found, row, asked, nearest) for row in range(len(found.zones))]
    return tuple(
        sorted(
            answers_,
            key=lambda one: (
                max(0, STATES.index(one.state) - 1),
                -one.lacking,
                STATES.index(one.state),
                -one.zone.people,
                one.zone.key,
            ),
        )
    )


def _lack(
    found: Who,
    row: int,
    asked: Combination,
    nearest: Mapping[Term, Ordinals],
) -> Lack:
    standings = tuple(_standing(found, row, term) for term in asked.terms)
    states = [STATES.index(one.state) for one in standings]
    needed, any_of = states[: len(asked.all_of)], states[len(asked.all_of) :]
    state = min([*needed, *([max(any_of)] if any_of else [])])
    gaps = sum(STATES[one] in GAPS for one in needed) + (bool(any_of) and STATES[max(any_of)] in GAPS)
    open_ = [one.term for one in standings[: len(needed)] if one.state != PRESENT]
    if any_of and STATES[max(any_of)] != PRESENT:
        open_ += asked.one_of
    zone, could = found.zones[row], []
    for term in open_:
        if (at := nearest[term][row]) >= 0:
            east, north = found.known.body_points[at].tolist()
            could.append(Nearest(term, found.known.bodies[at], ground.way(zone.middle, (east, north))))
    return Lack(zone, STATES[state], int(gaps), standings, tuple(could))


def _standing(found: Who, row: int, term: Term) -> Standing:
    roles = [role for role in found.instance.roles if term.role in ("", role.key)]
    bodies = {body.key: body for role in roles for body in found.players[row][role.key]}
    every = [bodies[key] for key in sorted(bodies)]
    able = tuple(body for body in every if term.capability in ("", *body.capabilities))
    others = tuple(body for body in every if term.capability not in ("", *body.capabilities))
    itself = any(role.key in found.itself[row] for role in roles)
    counted_in = next(
        (
            found.counted[row][role.layer]
            for role in roles
            if role.layer in found.counted[row] and not role.capabilities
        ),
        "",
    )
    if able or (itself and not term.capability):
        state = PRESENT
    elif every or (itself and term.role):
        state = UNABLE
    else:
        state = COUNTED if counted_in else NOBODY
    unsaid = sum(not body.capabilities for body in others)
    return Standing(term, state, able, others, unsaid, itself, counted_in)


def able(known: Snapshot, instance: Instance, term: Term, *, as_of: date) -> list[Body]:
    """Everybody in the country who could, by key."""
    return [known.bodies[i] for i in _able(known, instance, term, as_of)]


def _able(known: Snapshot, instance: Instance, term: Term, as_of: date) -> list[int]:
    """Their positions."""
    could: Flags = np.zeros(len(known.bodies), dtype=np.bool_)
    for role in instance.roles:
        if term.role in ("", role.key):
            could |= known.players(role.layer, role.capabilities, as_of)
    found = [
        i for i in np.flatnonzero(could).tolist() if term.capability in ("", *known.bodies[i].capabilities)
    ]
    return sorted(found, key=lambda i: known.bodies[i].key)


def _nearest(found: Who, term: Term) -> Ordinals:
    """For every zone the position of the body who could and is the nearest to its middle; -1 for nobody.

    Distances are compared to the tenth of a metre; those equally far by key.
    """
    known = found.known
    every = _able(known, found.instance, term, found.as_of)
    placed = np.array([i for i in every if known.bodies[i].place is not None], dtype=np.int32)
    nobody: Ordinals = np.full(len(found.zones), -1, dtype=np.int32)
    if not len(placed) or not len(nobody):
        return nobody
    ends = known.body_points[placed]
    points, first = np.unique(ends, axis=0, return_index=True)  # Of those in one point the first by key.
    middles = ground.middles(found.zones)
    most = min(_EQUALLY_NEAR, len(points))
    _, near = cKDTree(points).query(middles, k=list(range(1, most + 1)))
    far_m = np.hypot(*(points[near] - middles[:, None, :]).transpose(2, 0, 1)).round(1)
    best = np.lexsort((first[near], far_m), axis=1)[:, 0]
    found_at: Ordinals = placed[first[near[np.arange(len(near)), best]]]
    return found_at


def totals(found: Iterable[Lack], kind: str = "municipality") -> tuple[Total, ...]:
    """People and zones by state for every area of a kind in which zones lie, and for all of them (key "").

    Sorted by people without, then people who are only counted, the most first, then by key.
    """
    people: dict[str, Counter[str]] = defaultdict(Counter)
    number: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        keys = (one.zone.key, *one.zone.within)
        own = next((key for key in keys if key.startswith(f"{kind}:")), f"{kind}:")
        for key in ("", own):
            people[key][one.state] += one.zone.people  # type: ignore[assignment]
            number[key][one.state] += 1
    every = [
        Total(
            key,
            {state: float(people[key][state]) for state in STATES},
            {state: number[key][state] for state in STATES},
        )
        for key in people
    ]
    return tuple(sorted(every, key=lambda one: (one.key != "", -one.missing, -one.people[COUNTED], one.key)))


def overview(found: Who) -> tuple[tuple[Combination, Total], ...]:
    """How many people each role and each ability of the instance is missing for, the most first."""
    every = []
    for asked in asked_of(found.instance):
        told = totals(lacks(found, asked))
        if told:
            every.append((asked, told[0]))
    return tuple(sorted(every, key=lambda one: (-one[1].missing, -one[1].people[COUNTED], one[0].key)))
