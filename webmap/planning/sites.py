"""The best settlements for new units of a rule, and how good that is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from flask_babel import gettext
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from layers import geo, memory
from layers.errors import N_, Invalid
from layers.gaps import siting
from layers.gaps.demand import Demand
from layers.gaps.mixes import ALL, mix
from layers.gaps.siting import plans
from layers.gaps.siting.plans import Plan
from layers.gaps.standards import Rule
from layers.gaps.supply import Units
from layers.snapshot import Numbers
from webmap import db, i18n
from webmap.planning import inquiry, world
from webmap.planning.spots import Choice
from webmap.planning.world import World

TURNOUT_MIN = 5
_ANY_SETTLEMENT = Choice()
_PROOF_S = 6.0
_FURTHEST_KM = 100.0
# So many settlements are looked at: the covering models take all of Estonia, medians a thousand.
_MOST = {True: 6000, False: 1000}


@dataclass(frozen=True)
class Site:
    """A proposed place: how many people it covers that none before it does."""

    key: str
    name: str
    municipality: str
    point: tuple[float, float]
    gain: float


@dataclass(frozen=True)
class Options:
    """The best `asked` sites for a rule, in their order, and their plan, or why there is none.

    `before` people are covered already. It is kept for every language, so that nothing in it is in words.
    """

    asked: int
    before: float
    sites: tuple[Site, ...] = ()
    plan: Plan | None = None
    why_none: Invalid | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """A question of siting: rows of demand (n), sites (m) of which the first are open already, cost n × m.

    `cost` is in minutes from the alarm, or in straight km for a rule of distance; what is not in it is out of
    reach. `places` has name and municipality of every site.
    """

    demand: Demand
    sites: Units
    municipalities: tuple[str, ...]
    fixed: tuple[int, ...]
    cost: Any
    within: float | None


class NoSites(Invalid):
    text = N_("There is no place in which a unit could be put.")


class AllCovered(Invalid):
    text = N_("Everybody here is covered already: a new unit would reach nobody more.")


class NotOneRole(Invalid):
    text = N_("A site is proposed for one role at a time, for one unit in reach. Choose such a rule.")


def is_asked_of_one(rule: Rule) -> bool:
    """Whether one more unit of one role meets the rule where it stands."""
    return rule.depth == 1 and mix(rule.role, roles=[role.key for role in world.roles()]).of != ALL


@memory.kept(32)
def options(known: World, rule: Rule, *, county: str, count: int) -> Options:
    """The best sites for the people whom the rule leaves uncovered, with a proof where seconds are enough."""
    asked = inquiry.service_of(known, rule)
    inside = known.people.within("county" if county else "country", county)
    before = float(known.people.people[inside & asked.covered].sum())
    if not is_asked_of_one(rule):
        return Options(count, before, why_none=NotOneRole())
    try:
        problem = posed(known, rule, plans.MCLP, county=county)
        plan = siting.mclp(
            problem.cost,
            problem.demand.people,
            p=min(count, len(problem.sites)),
            within=problem.within,
            time_limit_s=_PROOF_S,
        )
    except Invalid as error:
        return Options(count, before, why_none=error)
    return Options(count, before, told(problem, plan), plan)


def posed(
    known: World,
    rule: Rule,
    model: str,
    *,
    county: str,
    turnout_min: float = TURNOUT_MIN,
    choice: Choice = _ANY_SETTLEMENT,
) -> Problem:
    """The question of siting for a rule: for covering models of the uncovered, for medians of everybody.

    Raises:
        NotOneRole: the rule wants several roles together, or several units.
        NoSites, NoPoints: there is no place for a unit.
        NoDemand: nobody lives there whom the rule asks for.
        AllCovered: everybody who does is covered.
    """
    if not is_asked_of_one(rule):
        raise NotOneRole
    asked = inquiry.service_of(known, rule)
    people = known.people
    inside = people.within("county" if county else "country", county) & asked.applies & (people.people > 0)
    covering = model in (plans.MCLP, plans.LSCP)
    if not inside.any():
        raise plans.NoDemand
    rows = people.only(inside & ~asked.covered if covering else inside)
    if not len(rows):
        raise AllCovered
    open_now = _open(known, rule) if not covering else None
    new, municipalities = _candidates(known, county, turnout_min, choice, most=_MOST[covering])
    sites = new if open_now is None else joined(open_now, new)
    fixed = 0 if open_now is None else len(open_now)
    within = (rule.within_km if rule.within_min is None else rule.within_min) if covering else None
    return Problem(
        demand=rows,
        sites=sites,
        municipalities=("",) * fixed + municipalities,
        fixed=tuple(range(fixed)),
        cost=_cost(known, rule, sites, rows, within),
        within=within,
    )


def _open(known: World, rule: Rule) -> Units:
    """The units that count for the rule now."""
    found: Units | None = None
    for role in inquiry.service_of(known, rule).roles:
        units = known.units[role]
        if rule.forms:
            units = units.only(np.array([form in rule.forms for form in units.forms], dtype=np.bool_))
        found = units if found is None else joined(found, units)
    if found is None:
        raise NotOneRole
    return found


def joined(first: Units, second: Units) -> Units:
    return Units(
        (*first.keys, *second.keys),
        (*first.names, *second.names),
        (*first.forms, *second.forms),
        (*first.abilities, *second.abilities),
        np.vstack([first.points, second.points]),
        np.concatenate([first.turnout_min, second.turnout_min]),
    )


def _candidates(
    known: World, county: str, turnout_min: float, choice: Choice, *, most: int
) -> tuple[Units, tuple[str, ...]]:
    """The places as units that would stand there; of too many the most populous."""
    spots = choice.spots(known, county)
    if len(spots) > most:
        largest = sorted(spots, key=lambda one: (-one.size, one.key))[:most]
        spots = sorted(largest, key=lambda one: one.key)
    if not spots:
        raise NoSites
    metric = geo.to_metric(geo.points_of([one.place for one in spots]), srid=db.instance().metric_crs)
    units = Units(
        keys=tuple(one.key for one in spots),
        names=tuple(one.name for one in spots),
        forms=("",) * len(spots),
        abilities=(frozenset(),) * len(spots),
        points=shapely.get_coordinates(metric),
        turnout_min=np.full(len(spots), float(turnout_min)),
    )
    return units, tuple(one.municipality for one in spots)


def _cost(known: World, rule: Rule, sites: Units, rows: Demand, within: float | None) -> Any:
    if rule.within_min is None:
        return _straight_km(sites.points, rows.points, within or _FURTHEST_KM)
    longest = within or world.LONGEST_MIN
    leaves = 0.0 if rule.with_turnout else float(sites.turnout_min.max(initial=0))
    role = inquiry.service_of(known, rule).roles[0]
    reach = known.reached(role, sites, rows, within_min=longest + leaves)
    minutes = reach.minutes - (0.0 if rule.with_turnout else sites.turnout_min[reach.unit])
    shape = (len(rows), len(sites))
    return csr_array((minutes, reach.unit.astype(np.int64), reach.starts.astype(np.int64)), shape=shape)


def _straight_km(sites: Numbers, rows: Numbers, within_km: float) -> Any:
    near = cKDTree(sites).query_ball_point(rows, r=1000 * within_km)
    counts = [len(some) for some in near]
    columns = np.concatenate([np.asarray(sorted(some), dtype=np.int64) for some in near])
    km = np.hypot(*(np.repeat(rows, counts, axis=0) - sites[columns]).T) / 1000
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csr_array((km, columns, starts), shape=(len(rows), len(sites)))


def told(problem: Problem, plan: Plan) -> tuple[Site, ...]:
    """The new sites of a plan, in their order."""
    return tuple(
        Site(
            key=problem.sites.keys[at],
            name=problem.sites.names[at],
            municipality=problem.municipalities[at],
            point=(float(problem.sites.points[at, 0]), float(problem.sites.points[at, 1])),
            gain=float(gain),
        )
        for at, gain in zip(plan.sites, plan.gains, strict=True)
    )


def in_words(reason: Invalid) -> str:
    """Why there is no plan, in this request's language."""
    return i18n.told(reason)


def how_good(plan: Plan) -> str:
    """How the search ended, and how far the best possible can be."""
    said = str(gettext(plans.ENDINGS[plan.ended]))
    if plan.proven or plan.bound is None:
        return said
    gap = i18n.number(round(100 * (plan.gap or 0), 1))
    return said + " " + str(gettext("It is at most %(gap)s %% away from the best possible.", gap=gap))
