"""The practice gap: something is known of a place, and no tried method for it is near.

Nothing here says that a place has a problem. A row says what is known of it (its *evidence*) and that no
case with a method for it is documented nearby. Evidence is only:

    ended         a case told of the area has ended; methods: the practices that it shows
    closed        an organisation seated there has closed; methods: the guides of the roles that it would play
    circumstance  a fact of its profile for which the instance names practices (island, remote, sparse)
    asked         a worry that the planner chose herself; methods: the guides of the worry

With E(m) the cases that show one of the methods m and have not ended, the area a has a gap for (a, m) when

    no case of E(m) is told of a, and for no case c of E(m)
        distance(middle of a's people, point of c) <= N km     (rule "km"; straight, one without point is far)
        c is told of a's county or of a place in it             (rule "county")
        fit(a, c) >= S points                                   (rule "similar"; the score of `layers.fit`)

The best practice is that of E(m)'s case with the highest fit score (ties by key of the case), the example
the nearest case of E(m) by straight line (ties by key). Somebody seated in the area who plays the role to
which a method is the guide is told beside the row: there the method may be in use, only no case tells of it.
People are those of the area: who lives where nothing tried is near, not who has the problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np

from layers import answers, contacts, fit
from layers.answers import Way
from layers.catalog import Instance, Words, Worry
from layers.errors import BadInstance, Problem
from layers.fit import Profile, Suggestion, Territory
from layers.gaps import zones as ground
from layers.gaps.missing import FILE, NoDistance, entries
from layers.gaps.zones import Zone
from layers.places import Body
from layers.practices import Case
from layers.snapshot import Snapshot

ENDED, CLOSED, CIRCUMSTANCE, ASKED = "ended", "closed", "circumstance", "asked"
_KINDS = (ENDED, CLOSED, CIRCUMSTANCE, ASKED)
KM, COUNTY, SIMILAR = "km", "county", "similar"
RULES = (KM, COUNTY, SIMILAR)
_SETTINGS = (fit.ISLAND, fit.ISLANDS, fit.COAST, fit.INLAND)


@dataclass(frozen=True)
class Circumstance:
    """A fact about a place for which practices were made: all of its conditions hold.

    `settings` are those of `layers.fit`; `town_from_km` is the way to a town from which on it holds, and
    `density_to` persons per km² below which. What is not known of a place does not hold.
    """

    key: str
    label: Words
    practices: tuple[str, ...]
    settings: tuple[str, ...] = ()
    town_from_km: float | None = None
    density_to: float | None = None

    def holds(self, profile: Profile) -> bool:
        far = profile.town_m is not None and profile.town_m >= 1000 * (self.town_from_km or 0)
        sparse = profile.density is not None and profile.density < (self.density_to or 0)
        return (
            (not self.settings or profile.setting in self.settings)
            and (self.town_from_km is None or far)
            and (self.density_to is None or sparse)
        )


@dataclass(frozen=True)
class Evidence:
    """What is known of a place: `key` is that of a case, organisation, circumstance or worry."""

    kind: str
    key: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Nearby:
    """What counts as near: at most `km` straight, the same county, or a fit of `score` points at least."""

    rule: str = KM
    km: float = 30.0
    score: int = 40


@dataclass(frozen=True)
class Untried:
    """No tried method for some evidence is near a zone.

    `shown` is what the data themselves tell of the same methods there, where the planner asked; `there` are
    organisations seated there that play the role to which a method is the guide. `best` is
    the case that fits best, with its parts, and `practice` what it shows of the methods; where no case in
    the country shows any, `best` and `example` are None and `practice` is the first method. `way` leads
    from the middle of the zone to the example.
    """

    zone: Zone
    evidence: Evidence
    shown: tuple[Evidence, ...]
    there: tuple[Body, ...]
    practice: str
    best: Suggestion | None
    example: Case | None
    way: Way | None


def circumstances(instance: Instance) -> tuple[Circumstance, ...]:
    """The circumstances of the instance (`planning/missing.yaml`), in their order; none without a file.

    Raises:
        BadInstance: with every problem, each naming the entry and the remedy.
    """
    found, problems = [], []
    for number, entry in enumerate(entries(instance, "circumstances"), start=1):
        try:
            found.append(_circumstance(entry))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"circumstances, entry {number} cannot be used ({error})."
            remedy = (
                "It needs key, label, practices and at least one of settings, town_from_km and density_to; "
                f"settings are some of {', '.join(_SETTINGS)}."
            )
            problems.append(Problem(FILE, 0, what, remedy))
    if problems:
        raise BadInstance(problems)
    return tuple(found)


def _circumstance(entry: Mapping[str, Any]) -> Circumstance:
    known = {part.name for part in fields(Circumstance)}
    if unknown := entry.keys() - known:
        raise ValueError(f"“{min(unknown)}” is unknown")
    found = Circumstance(
        key=str(entry["key"]),
        label=dict(entry["label"]),
        practices=tuple(entry["practices"]),
        settings=tuple(entry.get("settings") or ()),
        town_from_km=_number(entry.get("town_from_km")),
        density_to=_number(entry.get("density_to")),
    )
    if strange := set(found.settings) - set(_SETTINGS):
        raise ValueError(f"the setting “{min(strange)}” is unknown")
    if not found.practices or not (found.settings or found.town_from_km or found.density_to):
        raise ValueError("practices or conditions are missing")
    return found


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def evidence(
    territory: Territory, instance: Instance, zone: Zone, *, circumstances: Iterable[Circumstance]
) -> tuple[Evidence, ...]:
    """All that the data tell of an area, in the order of kinds, then by key; only what has methods."""
    known, as_of = territory.known, territory.as_of
    area, profile = territory.areas[zone.key], territory.profiles[zone.key]
    found = [
        Evidence(ENDED, case.key, tuple(link.practice for link in case.practices))
        for case in contacts.cases_of(known, area, as_of=as_of)
        if case.outcome == fit.ENDED
    ]
    found += _closed(known, instance, zone, as_of)
    found += [Evidence(CIRCUMSTANCE, one.key, one.practices) for one in circumstances if one.holds(profile)]
    return tuple(
        sorted((one for one in found if one.methods), key=lambda one: (_KINDS.index(one.kind), one.key))
    )


def _closed(known: Snapshot, instance: Instance, zone: Zone, as_of: date) -> list[Evidence]:
    """Organisations seated in the area that had closed by the day, with the guides of their roles."""
    found: dict[str, Evidence] = {}
    day = as_of.toordinal()
    for i, body in enumerate(known.bodies):
        ended = body.valid_to and known.body_days.ended[i] <= day
        if body.readiness != "closed" or known.body_days.first[i] > day or (body.valid_to and not ended):
            continue
        if getattr(body, zone.kind) == zone.code:
            roles = [
                role
                for role in instance.roles
                if role.layer == body.layer
                and (not role.capabilities or set(role.capabilities) & set(body.capabilities))
            ]
            methods = dict.fromkeys(role.guide for role in roles if role.guide)
            found[body.key] = Evidence(CLOSED, body.key, tuple(methods))
    return [found[key] for key in sorted(found)]


def gaps(
    territory: Territory,
    instance: Instance,
    zones: Sequence[Zone],
    *,
    circumstances: Iterable[Circumstance] = (),
    worry: Worry | None = None,
    near: Nearby = Nearby(),
) -> tuple[Untried, ...]:
    """Where no tried method is near, worst first.

    First by kind of evidence, then what the data show, where nobody with such a role is seated, where most
    people live, then by key.

    With a worry only this is asked of every area; else all that the data tell. Areas without a profile
    (none of the day) are left out.

    Raises:
        NoDistance: the rule is "km" and its distance is none.
    """
    if near.rule == KM and not 0 < near.km <= 1000:
        raise NoDistance(value=near.km, most=1000)
    told, found = tuple(circumstances), []
    for zone in zones:
        if zone.key not in territory.profiles:
            continue
        shown = evidence(territory, instance, zone, circumstances=told)
        asked = [Evidence(ASKED, worry.key, worry.guides)] if worry else shown
        fitting = _Fitting(territory, zone)
        for one in asked:
            backed = tuple(s for s in shown if worry and set(s.methods) & set(one.methods))
            there = _seated(territory, instance, zone, one.methods)
            if row := _untried(fitting, one, backed, there, near):
                found.append(row)
    return tuple(
        sorted(
            found,
            key=lambda one: (
                _KINDS.index(one.evidence.kind),
                not one.shown,
                bool(one.there),
                -one.zone.people,
                one.zone.key,
                one.evidence.key,
            ),
        )
    )


class _Fitting:
    """The cases of a territory as seen from one zone: those of other places with their fit, once."""

    def __init__(self, territory: Territory, zone: Zone) -> None:
        self.zone, self.area = zone, territory.areas[zone.key]
        self.county = next((territory.areas[key] for key in zone.within if key in territory.areas), self.area)
        self.others = fit.cases_for(territory, zone.key)[0]  # Such that ended stand apart.
        known = territory.known
        there = known.case_days.there(territory.as_of)
        self.points = {case.key: known.case_points[i] for i, case in enumerate(known.cases) if there[i]}
        self.going = [case for i, case in enumerate(known.cases) if there[i] and case.outcome != fit.ENDED]

    def way(self, case: Case) -> Way | None:
        east, north = self.points[case.key]
        return None if np.isnan(east) else ground.way(self.zone.middle, (float(east), float(north)))

    def is_near(self, case: Case, near: Nearby, fits: Mapping[str, int]) -> bool:
        if contacts.is_of(case, self.area):
            return True
        if near.rule == KM:
            way = self.way(case)
            return way is not None and way.distance_m <= near.km * 1000
        if near.rule == COUNTY:
            return contacts.is_of(case, self.county)
        return fits.get(case.key, 0) >= near.score


def _seated(territory: Territory, instance: Instance, zone: Zone, methods: Iterable[str]) -> tuple[Body, ...]:
    known, wanted = territory.known, set(methods)
    there = known.body_days.there(territory.as_of)
    roles = [role for role in instance.roles if role.guide in wanted]
    found = [
        body
        for i, body in enumerate(known.bodies)
        if there[i]
        and contacts.is_seated(body, territory.areas[zone.key])
        and any(answers.plays(role, body) for role in roles)
    ]
    return tuple(sorted(found, key=lambda body: body.key))


def _untried(
    here: _Fitting,
    one: Evidence,
    shown: tuple[Evidence, ...],
    there: tuple[Body, ...],
    near: Nearby,
) -> Untried | None:
    methods = set(one.methods)
    tried = [case for case in here.going if methods & {link.practice for link in case.practices}]
    others = [s for s in here.others if methods & {link.practice for link in s.case.practices}]
    fits = {s.case.key: s.score for s in others}
    if any(here.is_near(case, near, fits) for case in tried):
        return None
    ways = sorted(
        ((way.distance_m, case.key, case, way) for case in tried if (way := here.way(case))),
        key=lambda found: found[:2],
    )
    best = others[0] if others else None
    practice = next(
        (method for method in one.methods if best and method in {p.practice for p in best.case.practices}),
        one.methods[0],
    )
    example, way = (ways[0][2], ways[0][3]) if ways else (None, None)
    return Untried(here.zone, one, shown, there, practice, best, example, way)
