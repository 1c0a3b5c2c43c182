"""Who is covered by a standard and who is not, by zone, and on whom that hangs.

Audits, tables, lists of gaps and single points of failure, all read from what one rule finds (`service`).
"Not covered" only ever means: nobody in our data.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from layers.gaps import by_rows, spreads
from layers.gaps.demand import ZONES, Demand
from layers.gaps.parts import EMBEDDED, Runner
from layers.gaps.reach import Reach
from layers.gaps.service import Service, met
from layers.gaps.standards import COUNTRY, Rule, Standard
from layers.gaps.supply import Units
from layers.snapshot import Flags, Ordinals

_HAIR = 1e-9
DEPTHS = (1, 2, 3)


@dataclass(frozen=True)
class Finding:
    """One rule in one zone: `people` for whom it asks, `covered` of them; `estimated` are not counted.

    `kind` is "country", "county" or "municipality", `code` "" for the country and where no zone is known.
    """

    rule: Rule
    kind: str
    code: str
    people: float
    covered: float
    estimated: float

    @property
    def uncovered(self) -> float:
        return self.people - self.covered

    @property
    def share(self) -> float:
        """Covered people per person for whom the rule asks; NaN where it asks for nobody."""
        return self.covered / self.people if self.people else nan

    @property
    def short(self) -> float:
        """Persons more who would have to be covered: required share × people - covered, never below 0."""
        return max(0.0, self.rule.share * self.people - self.covered)

    @property
    def passes(self) -> bool | None:
        """Whether the share is reached; None where the rule asks for nobody."""
        return self.short <= _HAIR * self.people if self.people else None


@dataclass(frozen=True)
class Audit:
    """A standard against the people: findings by rule, then zone (country, counties, municipalities).

    `unclassed` are people whose density nobody knows, so that no rule for a class of density asks for them.
    """

    standard: Standard
    findings: tuple[Finding, ...]
    unclassed: float

    def of(self, kind: str, code: str = "") -> tuple[Finding, ...]:
        """The findings in one zone, in the order of the rules."""
        return tuple(one for one in self.findings if (one.kind, one.code) == (kind, code))


@dataclass(frozen=True)
class Verdict:
    """How far one standard is kept in a zone: rules that ask somebody there, and those kept.

    `short` are the persons short of the rule that lacks most: two rules may ask for the same people.
    """

    asked: int
    kept: int
    short: float


@dataclass(frozen=True)
class First:
    """The unit that comes first for most people of a zone: how many, their mean minutes and kilometres."""

    role: str
    unit: int
    people: float
    minutes: float
    km: float


@dataclass(frozen=True)
class Row:
    """One zone of a table, in persons for whom the rule asks.

    `within` are people whom help reaches by each threshold; `depth` those covered at least once, twice,
    three times. `reached` have anybody who comes at all; `mean_min` is theirs (NaN without any), while
    `median_min` and `p90_min` are of all and infinite where too few are reached. `estimated` are not counted.
    """

    kind: str
    code: str
    people: float
    covered: float
    within: tuple[float, ...]
    depth: tuple[float, ...]
    estimated: float
    reached: float
    mean_min: float
    median_min: float
    p90_min: float
    area_km2: float | None
    first: First | None

    @property
    def uncovered(self) -> float:
        return self.people - self.covered

    @property
    def share(self) -> float:
        return self.covered / self.people if self.people else nan


@dataclass(frozen=True)
class Failure:
    """A unit on which people hang: how many lose their cover when it closes, and in which rows of demand."""

    key: str
    name: str
    roles: tuple[str, ...]
    people: float
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Near:
    """Somebody who could be asked: a unit of a role, estimated minutes and straight kilometres."""

    role: str
    unit: int
    minutes: float
    km: float


@dataclass(frozen=True)
class Hole:
    """A row of demand that is not covered: its people, who comes first, and other roles in time.

    `nearest` is None where nobody comes.
    """

    row: int
    people: float
    nearest: Near | None
    others: tuple[Near, ...]


# --- A standard


def audit(
    standard: Standard,
    demand: Demand,
    units_by_role: Mapping[str, Units],
    reach_by_role: Mapping[str, Reach],
    *,
    kinds: Iterable[str] = (COUNTRY, *reversed(ZONES)),
    runner: Runner = EMBEDDED,
) -> Audit:
    """Asks every rule of a standard in every zone.

    Who comes with how many is never part of it: the sources do not tell the crew of a unit, so that
    `rule.crew` stands beside the finding as a question that stays open.
    """
    kinds = tuple(kinds)
    findings = []
    for rule in standard.rules:
        found = by_rows.service(rule, demand, units_by_role, reach_by_role, runner=runner)
        for kind in kinds:
            findings += _findings(found, demand, kind)
    unknown = np.isnan(demand.density_km2)
    has_classes = any(rule.is_of_a_class for rule in standard.rules)
    return Audit(standard, tuple(findings), float(demand.people[unknown].sum()) if has_classes else 0.0)


def _findings(found: Service, demand: Demand, kind: str) -> list[Finding]:
    codes, zone = zones(demand, kind)
    asked = np.where(found.applies, demand.people, 0.0)
    sums = (
        asked,
        np.where(found.covered, demand.people, 0.0),
        np.where(demand.estimated, asked, 0.0),
    )
    people, covered, estimated = (np.bincount(zone, weights=one, minlength=len(codes)) for one in sums)
    return [
        Finding(found.rule, kind, code, float(people[i]), float(covered[i]), float(estimated[i]))
        for i, code in enumerate(codes)
    ]


def zones(demand: Demand, kind: str) -> tuple[tuple[str, ...], Ordinals]:
    """The codes of a kind of area that have people, sorted, and for each row the position of its own (n)."""
    if kind == COUNTRY:
        return ("",), np.zeros(len(demand), dtype=np.int32)
    named = demand.zones.get(kind, ("",) * len(demand))
    codes = tuple(sorted(set(named)))
    position = {code: i for i, code in enumerate(codes)}
    return codes, np.array([position[code] for code in named], dtype=np.int32)


def verdicts(found: Audit, kind: str) -> dict[str, Verdict]:
    """How far a standard is kept in each zone of a kind, by code: what two standards are compared by."""
    answers: dict[str, Verdict] = {}
    for one in found.findings:
        if one.kind != kind or one.passes is None:
            continue
        so_far = answers.get(one.code, Verdict(0, 0, 0.0))
        answers[one.code] = Verdict(
            so_far.asked + 1, so_far.kept + one.passes, max(so_far.short, 0.0 if one.passes else one.short)
        )
    return answers


# --- Tables


def table(
    demand: Demand,
    found: Service,
    *,
    thresholds_min: Sequence[float],
    zone: str,
    inside: Flags | None = None,
    areas_km2: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """One row a zone of a kind, those with the most uncovered people first, then by code.

    A zone where the rule asks for nobody has no row; `inside` leaves other rows of demand out (n).
    """
    codes, at = zones(demand, zone)
    order = np.argsort(at, kind="stable")
    ends = np.searchsorted(at[order], np.arange(len(codes) + 1))
    asked = found.applies if inside is None else found.applies & inside
    rows = []
    for i, code in enumerate(codes):
        own = order[ends[i] : ends[i + 1]]
        own = own[asked[own]]
        if demand.people[own].sum() > 0:
            rows.append(_row(demand, found, own, thresholds_min, zone, code, (areas_km2 or {}).get(code)))
    return tuple(sorted(rows, key=lambda row: (-row.uncovered, row.code)))


def _row(
    demand: Demand,
    found: Service,
    inside: Any,
    thresholds_min: Sequence[float],
    kind: str,
    code: str,
    area_km2: float | None,
) -> Row:
    people, minutes = demand.people[inside], found.minutes[inside]
    comes = np.isfinite(minutes)
    reached = float(people[comes].sum())
    median, p90 = spreads.percentiles(minutes, people, (0.5, 0.9))
    return Row(
        kind=kind,
        code=code,
        people=float(people.sum()),
        covered=float(people[found.covered[inside]].sum()),
        within=tuple(float(people[minutes <= most].sum()) for most in thresholds_min),
        depth=tuple(float(people[found.count[inside] >= k].sum()) for k in DEPTHS),
        estimated=float(people[demand.estimated[inside]].sum()),
        reached=reached,
        mean_min=float((people[comes] * minutes[comes]).sum()) / reached if reached else nan,
        median_min=median,
        p90_min=p90,
        area_km2=area_km2,
        first=_first(demand, found, inside[comes & (people > 0)]),
    )


def _first(demand: Demand, found: Service, inside: Any) -> First | None:
    """Who decides for most people; of two with as many, the earlier role, then the earlier key."""
    if not len(inside):
        return None
    pairs, which = np.unique(
        np.column_stack([found.role[inside], found.unit[inside]]), axis=0, return_inverse=True
    )
    which = which.reshape(-1)
    people = demand.people[inside]
    sums = np.bincount(which, weights=people)
    best = int(sums.argmax())
    own = which == best
    role, unit = (int(number) for number in pairs[best])
    weights = people[own] / sums[best]
    minutes, metres = found.minutes[inside][own], found.metres[inside][own]
    return First(
        role=found.roles[role],
        unit=unit,
        people=float(sums[best]),
        minutes=float((weights * minutes).sum()),
        km=float((weights * metres).sum()) / 1000,
    )


# --- What is missing, and what hangs on one


def holes(
    demand: Demand,
    found: Service,
    units_by_role: Mapping[str, Units],
    reach_by_role: Mapping[str, Reach],
    *,
    within_min: float,
    most: int | None = None,
) -> tuple[Hole, ...]:
    """The rows that are not covered, most people first, then by key; with `most` only so many.

    `others` are the first of every other role that comes within `within_min`: whom to ask meanwhile.
    """
    open_rows = np.flatnonzero(found.applies & ~found.covered & (demand.people > 0))
    order = sorted(open_rows.tolist(), key=lambda i: (-demand.people[i], demand.keys[i]))[:most]
    first = {role: reach for role, reach in reach_by_role.items() if role not in found.roles}
    return tuple(
        Hole(
            row=i,
            people=float(demand.people[i]),
            nearest=_near(found, i),
            others=tuple(
                Near(role, int(reach.unit[at]), float(reach.minutes[at]), float(reach.metres[at]) / 1000)
                for role, reach in first.items()
                for at in [reach.starts[i]]
                if reach.starts[i] < reach.starts[i + 1] and reach.minutes[at] <= within_min
            ),
        )
        for i in order
    )


def _near(found: Service, row: int) -> Near | None:
    if found.unit[row] < 0:
        return None
    role = found.roles[found.role[row]]
    return Near(role, int(found.unit[row]), float(found.minutes[row]), float(found.metres[row]) / 1000)


def failures(demand: Demand, found: Service) -> tuple[Failure, ...]:
    """Single points of failure: every unit whose closing takes people out of cover, most people first.

    Exact: a unit is taken out of every role that it plays, and a row is lost when it was covered and the
    rule is not met without it. Only units that make a number just full can do that, so only they are tried.
    """
    lost: dict[str, dict[str, list[int]]] = {}
    names: dict[str, str] = {}
    for role, side in found.sides.items():
        tight = (side.count == found.rule.depth) & found.covered & (demand.people > 0)
        for row, unit in zip(
            side.rows[tight[side.rows]].tolist(), side.unit[tight[side.rows]].tolist(), strict=True
        ):
            key = side.units.keys[unit]
            names[key] = side.units.names[unit]
            lost.setdefault(key, {}).setdefault(role, []).append(row)
    enough = {role: side.count >= found.rule.depth for role, side in found.sides.items()}
    every = []
    for key, by_role in lost.items():
        rows = np.unique(np.concatenate([np.array(some) for some in by_role.values()]))
        without = {
            role: flags[rows] & ~np.isin(rows, by_role.get(role, [])) for role, flags in enough.items()
        }
        gone = rows[~met(found.wanted, without)]
        if len(gone):
            people = float(demand.people[gone].sum())
            every.append(Failure(key, names[key], tuple(by_role), people, tuple(gone.tolist())))
    return tuple(sorted(every, key=lambda one: (-one.people, one.key)))
