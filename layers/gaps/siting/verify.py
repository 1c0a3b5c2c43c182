"""Checks a plan against the table it was made for. Trusts nothing and shares no code with what made it.

Everything is worked out again from the raw costs and weights, the plain way. A proof of optimality cannot be
repeated here, but it can be refuted: no plan that differs in one site may beat the bound. The reasons of a
refusal are for those who mend the program, and stay in English.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from layers.gaps.siting.plans import LSCP, MCLP, MODELS, P_CENTER, P_MEDIAN, Plan, PlanRefused, Verification

Array = npt.NDArray[Any]

_ALIKE = 1e-9
_MOST_NEIGHBOURS = 10_000_000
_CHUNK = 8_000_000


def check(
    cost: Any,
    weights: Iterable[float] | None,
    plan: Plan,
    *,
    p: int | None = None,
    within: float | None = None,
    fixed: Iterable[int] = (),
    backup: int = 1,
    capacity: Iterable[float | None] | None = None,
) -> Verification:
    """Takes what the question took.

    Raises:
        PlanRefused: the plan breaks a rule of the question or says something false; it names the first fault.
    """
    return _Check(cost, weights, plan, p, within, fixed, backup, capacity).done()


class _Check:
    def __init__(
        self,
        cost: Any,
        weights: Iterable[float] | None,
        plan: Plan,
        p: int | None,
        within: float | None,
        fixed: Iterable[int],
        backup: int,
        capacity: Iterable[float | None] | None,
    ) -> None:
        self.cost: Any = cost if sparse.issparse(cost) else np.asarray(cost, dtype=float)
        self.height, self.width = self.cost.shape
        self.plan, self.p, self.backup = plan, p, backup
        self.within = math.inf if within is None else float(within)
        self.fixed = sorted(set(fixed))
        self.weights = np.ones(self.height) if weights is None else np.array(list(weights), dtype=float)
        self.asks = self.weights > 0
        self.room = None if capacity is None else [_stated(one) for one in capacity]

    def done(self) -> Verification:
        self.sites()
        self.open = self.fixed + list(self.plan.sites)
        self.ways = self.columns(self.open)
        self.depth, self.nearest, self.farthest = self.reach()
        self.reached = self.asks & (self.depth > 0)
        passed = ["sites", "count", "assignment"]
        self.assignment()
        if self.room is not None:
            self.capacity()
            passed.append("capacity")
        self.service()
        self.lists()
        self.objective()
        self.gains()
        self.bound()
        passed += ["service", "unreachable", "objective", "gains", "bound"]
        if self.room is None and self.plan.bound is not None and self.neighbours():
            passed.append("neighbours")
        served = float(self.weights[np.array(self.plan.assignment) >= 0].sum())
        return Verification(tuple(passed), self.plan.objective, served)

    # --- The table

    def columns(self, sites: list[int]) -> Array:
        """Costs of every demand at these sites; inf where out of reach."""
        if not sparse.issparse(self.cost):
            found = np.array(self.cost[:, sites], dtype=float).reshape(self.height, len(sites))
            found[~(found <= self.within)] = math.inf
            found[found == math.inf] = math.inf
            return found
        found = np.full((self.height, len(sites)), math.inf)
        part = self.cost.tocsc()[:, sites].tocoo()
        keep = part.data <= self.within
        found[part.row[keep], part.col[keep]] = part.data[keep]
        return found

    def chunks(self) -> Iterator[tuple[slice, Array]]:
        """The dense table in pieces of rows."""
        step = max(1, _CHUNK // max(1, self.width))
        for low in range(0, self.height, step):
            rows = slice(low, min(self.height, low + step))
            part = self.cost[rows]
            yield rows, np.where((part <= self.within) & (part < math.inf), part, math.inf)

    def reach(self) -> tuple[Array, Array, Array]:
        """How many sites each demand has within the radius, and the least and the greatest cost of them.

        The least knows no radius.
        """
        depth, far = np.zeros(self.height, dtype=int), np.zeros(self.height)
        near = np.full(self.height, math.inf)
        if sparse.issparse(self.cost):
            every = self.cost.tocoo()
            real = np.isfinite(every.data)
            np.minimum.at(near, every.row[real], every.data[real])
            keep = real & (every.data <= self.within)
            np.add.at(depth, every.row[keep], 1)
            np.maximum.at(far, every.row[keep], every.data[keep])
            return depth, near, far
        for rows, part in self.chunks():
            finite = part < math.inf
            depth[rows] = finite.sum(axis=1)
            far[rows] = np.where(finite, part, 0.0).max(axis=1)
            raw = self.cost[rows]
            near[rows] = np.where(np.isnan(raw), math.inf, raw).min(axis=1)
        return depth, near, far

    # --- The rules

    def sites(self) -> None:
        plan = self.plan
        if plan.model not in MODELS:
            _refuse("It is of no model that is known: {model}.", model=plan.model)
        for site in plan.sites:
            if not 0 <= site < self.width:
                _refuse("Site {site} does not exist.", site=site)
        if len(set(plan.sites)) < len(plan.sites):
            _refuse("A site is opened twice.")
        if list(plan.fixed) != self.fixed:
            _refuse("The sites that are open already are not those of the question.")
        if set(plan.sites) & set(self.fixed):
            _refuse("A site is opened that is open already.")
        if plan.model != LSCP and len(plan.sites) != self.p:
            _refuse("{p} sites were asked for, and {count} are opened.", p=self.p, count=len(plan.sites))

    def assignment(self) -> None:
        places = {site: slot for slot, site in enumerate(self.open)}
        if len(self.plan.assignment) != self.height:
            _refuse("The assignment has not one entry for each place.")
        least = self.ways.min(axis=1, initial=math.inf)
        for row, site in enumerate(self.plan.assignment):
            if site == -1:
                if self.room is None and least[row] < math.inf:
                    _refuse("Place {place} is given no site, but an open one reaches it.", place=row)
            elif site not in places:
                _refuse("Place {place} is given site {site}, which is not open.", place=row, site=site)
            elif self.ways[row, places[site]] == math.inf:
                _refuse("Place {place} is out of reach of its site {site}.", place=row, site=site)
            elif self.room is None and self.ways[row, places[site]] != least[row]:
                _refuse("Place {place} has a cheaper open site than {site}.", place=row, site=site)
        self.slots = np.array([places.get(site, -1) for site in self.plan.assignment], dtype=int)
        self.is_served = self.slots >= 0

    def loads(self) -> Array:
        return np.bincount(
            self.slots[self.is_served], weights=self.weights[self.is_served], minlength=len(self.open)
        )

    def capacity(self) -> None:
        for site, load in zip(self.open, self.loads(), strict=True):
            room = self.room[site] if self.room is not None else math.inf
            if load > room * (1 + _ALIKE):
                _refuse("Site {site} is given {load}, more than its {room}.", site=site, load=load, room=room)

    def service(self) -> None:
        """Every demand that can be served is, where the model says so."""
        if self.plan.model == MCLP:
            return
        asked = self.backup if self.plan.model == LSCP else 1
        needed = np.minimum(asked, self.depth)
        have = (self.ways < math.inf).sum(axis=1)
        lost = np.flatnonzero(self.asks & ((have < needed) | (~self.is_served & (self.depth > 0))))
        if len(lost):
            _refuse("Place {place} could be reached and is not, or not often enough.", place=int(lost[0]))

    def lists(self) -> None:
        if list(self.plan.unreachable) != np.flatnonzero(self.asks & (self.depth == 0)).tolist():
            _refuse("The list of places that no site reaches is wrong.")
        asked = self.backup if self.plan.model == LSCP else 1
        short = self.reached & (self.depth < asked)
        if list(self.plan.short) != np.flatnonzero(short).tolist():
            _refuse("The list of places with too few sites for the backup is wrong.")
        lost = self.nearest[self.asks & (self.depth == 0)]
        some = lost[lost < math.inf]
        told = self.plan.advice
        enough = float(some.max()) if len(some) else None
        if (told is not None) != bool(len(lost)) or (told is not None and told.within != enough):
            _refuse("The radius that would reach every place is wrong.")

    # --- The numbers

    def value(self, least: Array) -> float:
        """The objective when the cheapest open cost of each demand is `least`; inf where a rule is broken."""
        if self.plan.model == MCLP:
            return float(self.weights[self.asks & (least < math.inf)].sum())
        if self.plan.model == P_MEDIAN:
            return float((self.weights[self.reached] * least[self.reached]).sum())
        return float(least[self.reached].max(initial=0.0))

    def objective(self) -> None:
        plan = self.plan
        if plan.model == LSCP:
            told = float(len(plan.sites))
        else:
            paid = np.full(self.height, math.inf)
            paid[self.is_served] = self.ways[self.is_served, self.slots[self.is_served]]
            told = self.value(paid)
        if not _alike(plan.objective, told):
            _refuse("The objective is {told}, and the plan says {said}.", told=told, said=plan.objective)

    def gains(self) -> None:
        if len(self.plan.gains) != len(self.plan.sites):
            _refuse("There is not one gain for each site.")
        expected = self._added() if self.room is None else self.loads()[len(self.fixed) :]
        size = float(np.abs(expected).sum())
        for site, said, told in zip(self.plan.sites, self.plan.gains, expected.tolist(), strict=True):
            if not abs(said - told) <= _ALIKE * max(1.0, size):
                _refuse("Site {site} adds {told}, and the plan says {said}.", site=site, told=told, said=said)

    def _added(self) -> Array:
        """What each new site adds to the open ones and those before it."""
        if self.plan.model == P_MEDIAN:
            worth = np.where(self.reached, self.weights, 0.0)
            start = self.farthest
        else:
            worth, start = self.weights, np.ones(self.height)
        is_near = self.ways < math.inf
        if self.plan.model == P_CENTER:
            is_near &= self.ways <= self.plan.objective
        pays = self.ways if self.plan.model == P_MEDIAN else np.where(is_near, 0.0, 1.0)
        steps = np.minimum.accumulate(np.column_stack([start, pays]), axis=1)
        sums = worth @ steps
        found: Array = -np.diff(sums)
        return found[len(self.fixed) :]

    def bound(self) -> None:
        bound, plan = self.plan.bound, self.plan
        if bound is None:
            return
        slack = _ALIKE * max(1.0, abs(plan.objective))
        if not math.isfinite(bound) or (
            bound < plan.objective - slack if plan.model == MCLP else bound > plan.objective + slack
        ):
            _refuse("The bound {bound} is on the wrong side of {said}.", bound=bound, said=plan.objective)
        everything = float(self.weights[self.reached].sum())
        if plan.model == MCLP and bound > everything + _ALIKE * max(1.0, everything):
            _refuse("The bound {bound} counts more than can be reached.", bound=bound)

    def neighbours(self) -> bool:
        """Looks for a plan with one other site that beats the bound; False where that is too much work."""
        plan = self.plan
        new = range(len(self.fixed), len(self.open))
        if plan.model == LSCP:
            return self._fewer(new)
        if self.height * self.width * max(1, len(new)) > _MOST_NEIGHBOURS:
            return False
        every = self.columns(list(range(self.width)))
        for slot in new:
            others = np.delete(self.ways, slot, axis=1).min(axis=1, initial=math.inf)
            for site in range(self.width):
                self._beaten(self.value(np.minimum(others, every[:, site])))
        return True

    def _beaten(self, value: float) -> None:
        bound = self.plan.bound
        if bound is None:
            return
        slack = _ALIKE * max(1.0, abs(bound))
        if value > bound + slack if self.plan.model == MCLP else value < bound - slack:
            _refuse(
                "A plan with one other site has {value}, beyond the bound {bound}.",
                value=value,
                bound=bound,
            )

    def _fewer(self, new: range) -> bool:
        """For covers: whether one of the sites is needless."""
        needed = np.where(self.asks, np.minimum(self.backup, self.depth), 0)
        have = (self.ways < math.inf).sum(axis=1)
        for slot in new:
            if np.all(have - (self.ways[:, slot] < math.inf) >= needed):
                self._beaten(float(len(new) - 1))
        return True


def _stated(room: float | None) -> float:
    return math.inf if room is None or math.isnan(room) else float(room)


def _alike(one: float, other: float) -> bool:
    return math.isfinite(one) and abs(one - other) <= _ALIKE * max(1.0, abs(one), abs(other))


def _refuse(reason: str, **values: object) -> None:
    raise PlanRefused(reason=reason.format(**values))
