"""Read: who is in an area by role, which areas are its neighbours, who met there and who never did.

That somebody met is told by a case in which both took part; that nobody did is never proven: it only
means that no case that is known here links them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

import numpy as np
import shapely

from layers import answers
from layers.catalog import Instance, Role
from layers.errors import AreaNotFound
from layers.places import Area, Body, Count
from layers.practices import Case
from layers.snapshot import Days, Snapshot

SEATS = ("county", "municipality")
"""Kinds of area in which an organisation can be seated."""

# Borders are approximate: two that run this close are one, and a corner is no border.
_APART_M = 100.0
_LEAST_SHARED_M = 500.0


@dataclass(frozen=True)
class Responsible:
    """An organisation and the key of the area for which it is responsible: this one or one that holds it."""

    body: Body
    area: str


@dataclass(frozen=True)
class RoleHere:
    """Who plays a role in an area.

    `areas` play it themselves: the area, or those inside it. Who is responsible is not seated a second time.
    `is_counted`: a source tells only how many there are.
    """

    role: Role
    areas: tuple[Area, ...]
    responsible: tuple[Responsible, ...]
    seated: tuple[Body, ...]
    is_counted: bool

    @property
    def is_known(self) -> bool:
        return bool(self.areas or self.responsible or self.seated or self.is_counted)

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (*(one.body for one in self.responsible), *self.seated)


@dataclass(frozen=True)
class Neighbour:
    """An area of the same kind with a common border, and the cases in which both have a part."""

    area: Area
    shared: tuple[Case, ...]


@dataclass(frozen=True)
class Meeting:
    """Organisations of different layers, and areas themselves, that took part in the same cases."""

    bodies: tuple[Body, ...]
    areas: tuple[Area, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Silence:
    """Two roles that are both played here, and no known case links anybody of the one with the other."""

    first: RoleHere
    second: RoleHere


def here(
    known: Snapshot, instance: Instance, area: Area, *, as_of: date, counts: Iterable[Count] = ()
) -> tuple[RoleHere, ...]:
    """Who plays each role of the instance in an area, roles in their order, organisations by key."""
    through, at_home = _through(known, area, as_of), known.seated.get(area.key, ())
    counted = {count.layer for count in counts if count.area == area.key and count.number}
    found = []
    for role in instance.roles:
        able = known.roster(role.layer, role.capabilities, as_of).able
        responsible = tuple(
            Responsible(known.bodies[i], through[i])
            for i in sorted((i for i in sorted(through) if able[i]), key=lambda i: known.bodies[i].key)
        )
        seated = [known.bodies[i] for i in at_home if able[i] and i not in through]
        found.append(
            RoleHere(
                role,
                tuple(_playing(known, role, area, as_of)),
                responsible,
                tuple(sorted(seated, key=lambda body: body.key)),
                role.layer in counted and not role.capabilities,
            )
        )
    return tuple(found)


def _through(known: Snapshot, area: Area, as_of: date) -> dict[int, str]:
    """Positions of the responsible organisations, with the smallest area that makes them so."""
    found: dict[int, str] = {}
    for key in (area.key, *reversed(_holding(known, area, as_of))):
        for position in known.serving.get(key, ()):
            found.setdefault(position, key)
    return found


def _playing(known: Snapshot, role: Role, area: Area, as_of: date) -> list[Area]:
    if not role.area:
        return []
    if role.area == area.kind:
        return [area]
    drawn = (known.areas[i] for i in known.drawn(role.area, as_of).positions.tolist())
    return [one for one in drawn if one.parent == area.key]


def position(known: Snapshot, key: str, *, as_of: date) -> int:
    """Where an area stands in the snapshot: as it was on the day, else its last known state.

    Raises:
        AreaNotFound: it has no state at all.
    """
    if key not in known.area_states:
        kind, _, code = key.partition(":")
        raise AreaNotFound(kind=kind, code=code)
    return _state(known.area_states[key], known.area_days, as_of)


def _state(states: Sequence[int], days: Days, as_of: date) -> int:
    """Which of something's states: that of the day, else its last."""
    there = days.there(as_of, list(states))
    return states[int(there.argmax())] if there.any() else states[-1]


def _holding(known: Snapshot, area: Area, as_of: date) -> list[str]:
    """Keys of the larger areas in which this one lies, the largest first."""
    shape = known.shapes[position(known, area.key, as_of=as_of)]
    found = known.areas_at(shapely.point_on_surface(shape), as_of=as_of)
    sizes = {one.key: known.shapes[position(known, one.key, as_of=as_of)].area for one in found}
    return [key for key, size in sizes.items() if size > shape.area and key != area.key]


def is_seated(body: Body, area: Area) -> bool:
    return area.kind in SEATS and getattr(body, area.kind) == area.code


# --- Neighbours


def bordering(known: Snapshot, area: Area, *, as_of: date) -> tuple[Area, ...]:
    """Areas of the same kind with a common border, by key.

    A border is common where the two run less than 100 m apart for 500 m or more, so that approximate
    borders are found and a common corner is not.
    """
    shape = known.shapes[position(known, area.key, as_of=as_of)]
    alike = known.drawn(area.kind, as_of)
    # Looked through by their boxes: the tree would measure the way to thousands of areas of other kinds.
    least, most = np.split(shapely.bounds(shape), 2)
    meets = (alike.rows[:, :2] <= most + _APART_M).all(axis=1)
    meets &= (alike.rows[:, 2:] >= least - _APART_M).all(axis=1)
    beside = alike.positions[meets]
    beside = beside[shapely.dwithin(known.shapes[beside], shape, _APART_M)]
    near = [i for i in beside.tolist() if known.areas[i].key != area.key]
    common = np.maximum(_along(known.shapes[near], shape), _along(shape, known.shapes[near]))
    found = [known.areas[i] for i, length in zip(near, common, strict=True) if length >= _LEAST_SHARED_M]
    return tuple(sorted(found, key=lambda one: one.key))


def _along(one: Any, other: Any) -> np.ndarray:
    """How many metres of one border lie close to another area."""
    close = shapely.intersection(shapely.boundary(one), shapely.buffer(other, _APART_M))
    return np.atleast_1d(shapely.length(close))


def neighbours(
    known: Snapshot, area: Area, bordering_: Iterable[Area], *, as_of: date
) -> tuple[Neighbour, ...]:
    """The neighbours with the cases that they share with the area, by the number of these, then by key.

    A case is shared when both have a part in it: it is told of them, or an organisation seated there took
    part.
    """
    ours = [case for case in _there(known, as_of) if _has_part(known, case, area, as_of)]
    found = [
        Neighbour(one, tuple(case for case in ours if _has_part(known, case, one, as_of)))
        for one in bordering_
    ]
    return tuple(sorted(found, key=lambda one: (-len(one.shared), one.area.key)))


# --- Cases of an area


def cases_of(known: Snapshot, area: Area, *, as_of: date) -> tuple[Case, ...]:
    """Cases that cover the area or happened in it, by key."""
    return tuple(case for case in _there(known, as_of) if is_of(case, area))


def is_of(case: Case, area: Area) -> bool:
    own = area.kind in SEATS and getattr(case, area.kind) == area.code
    return own or area.key in case.areas


def _there(known: Snapshot, as_of: date) -> list[Case]:
    there = known.case_days.there(as_of)
    return [case for i, case in enumerate(known.cases) if there[i]]


def _has_part(known: Snapshot, case: Case, area: Area, as_of: date) -> bool:
    return is_of(case, area) or any(is_seated(body, area) for body in took_part(known, case, as_of=as_of))


def took_part(known: Snapshot, case: Case, *, as_of: date) -> tuple[Body, ...]:
    """The organisations of a case by key, as they were on the day; one that has ended, as it was last."""
    states = [known.body_states[key] for key in sorted(set(case.bodies)) if key in known.body_states]
    return tuple(known.bodies[_state(one, known.body_days, as_of)] for one in states)


def needs(instance: Instance, case: Case, bodies: Sequence[Body]) -> tuple[frozenset[str], ...]:
    """The roles that take part in a case: one of each set. `bodies` are its organisations.

    A party may mean several roles (volunteer rescuers on land or at sea): where an organisation of the
    case plays some of them, it is those.
    """
    played = {role.key for role in instance.roles for body in bodies if answers.plays(role, body)}
    found = []
    for party in case.parties:
        meant = frozenset(role.key for role in instance.roles if party in role.parties)
        found.append(meant & played or meant)
    told = frozenset().union(*found)
    found += [frozenset({key}) for key in sorted(played - told)]
    return tuple(dict.fromkeys(one for one in found if one))


# --- Who met, and who never did


def meetings(known: Snapshot, instance: Instance, area: Area, *, as_of: date) -> tuple[Meeting, ...]:
    """Who took part together in a case that touches the area: the most often first, then by names of cases.

    A case touches an area when it is told of it, or of a larger one that holds it.
    """
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], Meeting] = {}
    for case in _touching(known, area, as_of):
        bodies = took_part(known, case, as_of=as_of)
        areas = _areas_of(known, instance, case, as_of)
        if len({body.layer for body in bodies}) + len({one.kind for one in areas}) >= 2:
            who = (tuple(body.key for body in bodies), tuple(one.key for one in areas))
            before = found[who].cases if who in found else ()
            found[who] = Meeting(bodies, areas, (*before, case))
    return tuple(sorted(found.values(), key=lambda one: (-len(one.cases), one.cases[0].key)))


def _touching(known: Snapshot, area: Area, as_of: date) -> list[Case]:
    holding = set(_holding(known, area, as_of))
    return [case for case in _there(known, as_of) if is_of(case, area) or holding.intersection(case.areas)]


def _areas_of(known: Snapshot, instance: Instance, case: Case, as_of: date) -> tuple[Area, ...]:
    """Areas that took part in a case themselves, as a municipality does."""
    keys = [
        f"{role.area}:{getattr(case, role.area)}"
        for role in instance.roles
        if role.area in SEATS and getattr(case, role.area) and set(role.parties).intersection(case.parties)
    ]
    return tuple(known.areas[position(known, key, as_of=as_of)] for key in keys if key in known.area_states)


def silences(
    known: Snapshot,
    instance: Instance,
    area: Area,
    roles: Sequence[RoleHere],
    *,
    as_of: date,
    met: Iterable[tuple[Case, frozenset[str]]] | None = None,
) -> tuple[Silence, ...]:
    """Pairs of roles played here (`roles`, from `here`) that no known case links, in the roles' order.

    `met` is what `together` tells, for whoever asks of many areas. Linked are two roles when somebody of the
    one and somebody of the other took part in one case anywhere, when a case that touches the area names both
    among its parties, or when one organisation plays both.
    """
    named = [roles_ for _, roles_ in naming(known, instance, area, as_of=as_of)]
    every = together(known, instance, as_of=as_of) if met is None else met
    joined = [who for _, who in every]
    played = [one for one in roles if _players(one)]
    return tuple(
        Silence(first, second)
        for first, second in combinations(played, 2)
        if not _linked(_players(first), _players(second), joined)
        and not any({first.role.key, second.role.key} <= roles_ for roles_ in named)
    )


def naming(
    known: Snapshot, instance: Instance, area: Area, *, as_of: date
) -> tuple[tuple[Case, frozenset[str]], ...]:
    """The cases that touch an area, each with the roles that it names, as a party or by an organisation."""
    return tuple(
        (case, frozenset().union(*needs(instance, case, took_part(known, case, as_of=as_of))))
        for case in _touching(known, area, as_of)
    )


def together(known: Snapshot, instance: Instance, *, as_of: date) -> tuple[tuple[Case, frozenset[str]], ...]:
    """Every case with the keys of the organisations, and of the areas themselves, that took part in it."""
    return tuple(
        (
            case,
            frozenset(
                (
                    *(body.key for body in took_part(known, case, as_of=as_of)),
                    *(one.key for one in _areas_of(known, instance, case, as_of)),
                )
            ),
        )
        for case in _there(known, as_of)
    )


def _players(one: RoleHere) -> frozenset[str]:
    return frozenset({*(body.key for body in one.bodies), *(area.key for area in one.areas)})


def _linked(first: frozenset[str], second: frozenset[str], together: Iterable[Collection[str]]) -> bool:
    return bool(first & second) or any(
        not first.isdisjoint(case) and not second.isdisjoint(case) for case in together
    )
