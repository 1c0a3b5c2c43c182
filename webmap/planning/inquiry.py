"""What the pages about cover ask, and what it comes to: kept for each state of the world."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from layers import memory
from layers.gaps import by_rows, mixes, spreads
from layers.gaps import cover as covers
from layers.gaps.cover import Audit, Failure, Hole, Row
from layers.gaps.service import Service
from layers.gaps.spreads import Spread
from layers.gaps.standards import COUNTRY, Rule, Standard
from webmap import params
from webmap.planning import covered as words
from webmap.planning import world
from webmap.planning.world import World

ZONES = ("municipality", "county")
SORTS = ("uncovered", "share", "people", "name", "p90")
THRESHOLDS_MIN = (10.0, 20.0, 30.0)
PARTS = (0.5, 0.75, 0.9, 0.95)
OWN = "own"
_KEPT_MIN = 60.0
_USUAL_MIN = 15
_FEWEST_UNITS = 5


@dataclass(frozen=True)
class Question:
    """What the page is asked: the same in its form, its links and its files.

    Without a standard the rule is the reader's own: every person within some minutes of a role.
    """

    standard: Standard | None
    rule: Rule
    zone: str
    county: str
    beside: Standard | None
    sort: str

    def words(self, *without: str, **other: str) -> dict[str, str]:
        """As parameters, without those that say the usual."""
        own = self.standard is None
        found = {
            "standard": self.standard.key if self.standard else "",
            "rule": "" if own else self.rule.key,
            "role": self.rule.role if own else "",
            "within": f"{self.rule.within_min:g}" if own and self.rule.within_min else "",
            "zone": self.zone if self.zone != ZONES[0] else "",
            "county": self.county,
            "beside": self.beside.key if self.beside else "",
            "sort": self.sort if self.sort != SORTS[0] else "",
            **other,
        }
        return {name: value for name, value in found.items() if value and name not in without}


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that one rule comes to in the chosen place."""

    service: Service
    whole: Row | None
    rows: tuple[Row, ...]
    holes: tuple[Hole, ...]
    failures: tuple[Failure, ...]
    shares: tuple[float, ...]
    spread: tuple[Spread, ...]


# --- The question


def asked(args: Mapping[str, str], known: World) -> Question:
    standards = {one.key: one for one in known.standards}
    standard = standards.get(params.one_of(args, "standard", standards))
    codes = set(known.people.zones.get("county", ())) - {""}
    return Question(
        standard=standard,
        rule=_rule_of(standard, args) if standard else _own_rule(args, known),
        zone=params.one_of(args, "zone", ZONES) or ZONES[0],
        county=params.one_of(args, "county", sorted(codes)),
        beside=standards.get(params.one_of(args, "beside", standards)),
        sort=params.one_of(args, "sort", SORTS) or SORTS[0],
    )


def _rule_of(standard: Standard, args: Mapping[str, str]) -> Rule:
    rules = {rule.key: rule for rule in standard.rules}
    return rules.get(params.one_of(args, "rule", rules), standard.rules[0])


def _own_rule(args: Mapping[str, str], known: World) -> Rule:
    roles = [role.key for role in world.roles()]
    text = params.words(args, "role") or _usual(known)
    mixes.mix(text, roles=roles)
    within = params.count(args, "within", otherwise=_USUAL_MIN, most=int(_KEPT_MIN))
    return Rule(key=OWN, label={}, role=text, within_min=float(within))


def _usual(known: World) -> str:
    """Who is asked about first: those of the first rule of the first standard, else the first role."""
    rules = [rule for one in known.standards for rule in one.rules]
    return rules[0].role if rules else world.roles()[0].key


def offered(known: World) -> dict[str, str]:
    """Who can be asked about: every role, and every mix of roles that a standard asks for."""
    rules = (rule.role for one in known.standards for rule in one.rules)
    keys = [*(role.key for role in world.roles()), *rules]
    return {key: words.who(key) for key in dict.fromkeys(keys)}


# --- The answer, kept for each state of the world


@memory.kept(64)
def service_of(known: World, rule: Rule) -> Service:
    reaches = world.reaches(known, _longest(known, rule))
    return by_rows.service(rule, known.people, known.units, reaches, runner=known.runner)


@memory.kept(64)
def found(known: World, rule: Rule, zone: str, county: str) -> Found:
    people = known.people
    asked = service_of(known, rule)
    inside = people.within("county" if county else COUNTRY, county)
    most = rule.within_min or _USUAL_MIN
    # Of the other roles only who is there in time is told, which is far less than all within an hour.
    near = world.reaches(known, most)
    others = {role: near[role] for role in known.units if role not in asked.roles}
    whole = covers.table(people, asked, zone=COUNTRY, inside=inside, thresholds_min=THRESHOLDS_MIN)
    at = np.flatnonzero(inside)
    return Found(
        service=asked,
        whole=whole[0] if whole else None,
        rows=covers.table(
            people,
            asked,
            zone=zone,
            inside=inside,
            thresholds_min=THRESHOLDS_MIN,
            areas_km2=known.sizes_km2.get(zone),
        ),
        holes=tuple(
            one
            for one in covers.holes(people, asked, known.units, others, within_min=most)
            if inside[one.row]
        ),
        failures=_failures(people, asked, at),
        shares=spreads.percentiles(
            asked.minutes[inside & asked.applies], people.people[inside & asked.applies], PARTS
        ),
        spread=_spread(known, rule, asked),
    )


def _longest(known: World, rule: Rule) -> float:
    """How long a way must be known: as long as this page ever shows, or as the rule asks for."""
    leaves = max((units.turnout_min.max(initial=0) for units in known.units.values()), default=0)
    return max(_KEPT_MIN, (rule.within_min or 0) + float(leaves))


def _failures(people: Any, asked: Service, inside: Any) -> tuple[Failure, ...]:
    """Single points of failure, with what they cost inside the chosen place alone, most people first."""
    here = set(inside.tolist())
    found = []
    for one in covers.failures(people, asked):
        rows = tuple(sorted((row for row in one.rows if row in here), key=lambda row: -people.people[row]))
        if rows:
            lost = float(people.people[list(rows)].sum())
            found.append(Failure(one.key, one.name, one.roles, lost, rows))
    return tuple(sorted(found, key=lambda one: (-one.people, one.key)))


def _spread(known: World, rule: Rule, asked: Service) -> tuple[Spread, ...]:
    """Access under several catchments; nothing where one role alone, time and enough units are not given."""
    if len(asked.roles) > 1 or rule.within_min is None or rule.forms:
        return ()
    (role,) = asked.roles
    units, reach = known.units[role], world.reaches(known, _longest(known, rule))[role]
    if len(units) < _FEWEST_UNITS:
        return ()
    each = np.ones(len(units))
    catchments = sorted({*THRESHOLDS_MIN, min(rule.within_min, reach.within_min)})
    for within_min in catchments:
        one = spreads.access(known.people, reach, each, within_min=within_min)
        if abs(one.given - one.taken) > 1e-6 * max(one.given, 1):
            return ()
    return spreads.sensitivity(known.people, reach, each, catchments_min=catchments)


@memory.kept(16)
def audit(known: World, standard: Standard) -> Audit:
    longest = max(_longest(known, rule) for rule in standard.rules)
    return covers.audit(
        standard, known.people, known.units, world.reaches(known, longest), runner=known.runner
    )
