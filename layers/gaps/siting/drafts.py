"""From chosen columns to a plan: in order of gain, each demand with its site, checked before it leaves."""

import time
from dataclasses import dataclass, replace

import numpy as np

from layers.gaps.siting import sums, verify
from layers.gaps.siting.costs import Floats, Ints, Pairs, Question, Table, totals
from layers.gaps.siting.plans import LSCP, P_CENTER, P_MEDIAN, PROVEN, Plan, Reporter, Verification


@dataclass(frozen=True, eq=False)
class Asked:
    """A question as it came, for the check, and as it was read, for the search.

    `began` is `time.monotonic`.
    """

    model: str
    question: Question
    cost: Table
    weights: Floats | None
    count: int
    within: float | None
    fixed: tuple[int, ...]
    backup: int
    room: Floats | None
    began: float
    report: Reporter | None

    def plan(
        self,
        columns: Ints,
        *,
        objective: float,
        bound: float | None,
        ended: str,
        assigned: Ints | None = None,
    ) -> Plan:
        """`columns` are the new ones, in any order; `assigned` is given where capacities decide."""
        asked = self.question
        if assigned is None:
            sites, gains = self._in_order(columns, objective)
            assigned = cheapest(asked.pairs, np.concatenate([asked.fixed, sites]))
        else:
            sites, gains = _by_load(columns, assigned, asked.weights)
        bound = _settled(bound, objective)
        draft = Plan(
            model=self.model,
            sites=tuple(sites.tolist()),
            gains=tuple(gains.tolist()),
            fixed=tuple(asked.fixed.tolist()),
            assignment=tuple(assigned.tolist()),
            objective=objective,
            bound=bound,
            ended=PROVEN if bound == objective else ended,
            seconds=round(time.monotonic() - self.began, 3),
            unreachable=tuple(asked.unreachable.tolist()),
            short=tuple(self._short().tolist()),
            advice=asked.advice(),
        )
        return replace(draft, verification=self._check(draft))

    def tell(self, phase: str, plan: Plan) -> Plan:
        if self.report:
            self.report(phase, plan)
        return plan

    def _check(self, draft: Plan) -> Verification:
        return verify.check(
            self.cost,
            self.weights,
            draft,
            p=self.count,
            within=self.within,
            fixed=self.fixed,
            backup=self.backup,
            capacity=self.room,
        )

    def _short(self) -> Ints:
        depth = self.question.pairs.depth
        asked = self.backup if self.model == LSCP else 1
        return np.flatnonzero(self.question.asks & (depth > 0) & (depth < asked))

    def _in_order(self, columns: Ints, objective: float) -> tuple[Ints, Floats]:
        """Most helpful first; what it helps is told by `Plan.gains`."""
        asked = self.question
        pairs = asked.pairs.of(np.concatenate([asked.fixed, columns]))
        if self.model == P_MEDIAN:
            base, costs = asked.dearest * asked.weights, pairs.costs * asked.weights[pairs.rows]
        else:
            if self.model == P_CENTER:
                pairs = pairs.only(pairs.costs <= objective)
            base, costs = asked.weights, np.zeros(len(pairs.rows))
        valued = Pairs(pairs.rows, pairs.columns, costs, pairs.shape)
        start = served(valued, base, asked.fixed)
        todo = sums.task(valued, start, np.zeros(len(start), dtype=bool), len(columns))
        return sums.greedy(todo, among=np.sort(columns))


def served(pairs: Pairs, base: Floats, columns: Ints) -> Floats:
    """What each row costs when these columns are open and nothing else is done."""
    own = pairs.of(columns)
    found = base.copy()
    np.minimum.at(found, own.rows, own.costs)
    return found


def cheapest(pairs: Pairs, opened: Ints) -> Ints:
    """The open column of each row that costs least, of equal ones the lowest; -1 where none reaches it."""
    own = pairs.of(opened)
    order = np.lexsort((own.columns, own.costs, own.rows))
    rows, first = np.unique(own.rows[order], return_index=True)
    found = np.full(pairs.shape[0], -1, dtype=np.int64)
    found[rows] = own.columns[order][first]
    return found


def _by_load(columns: Ints, assigned: Ints, weights: Floats) -> tuple[Ints, Floats]:
    held = assigned >= 0
    top = max(int(columns.max(initial=-1)), int(assigned.max(initial=-1))) + 1
    loads = totals(assigned[held], weights[held], top)[columns]
    order = np.lexsort((columns, -loads))
    return columns[order], loads[order]


def _settled(bound: float | None, objective: float) -> float | None:
    """A bound that differs from the objective by rounding alone is the objective."""
    if bound is None or not np.isfinite(bound):
        return None
    return objective if abs(bound - objective) <= 1e-9 * max(1.0, abs(objective)) else float(bound)
