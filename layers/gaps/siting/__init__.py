"""Where to open sites: four classic questions, each answered at once and then proven as far as time allows.

`cost` is a table of demand × site: a dense array (inf and NaN: unreachable) or a SciPy sparse one (absent:
unreachable; a zero that is stored: cost 0), in any unit; `within` is in the same unit. `weights` are people
or the like, not negative; demand of weight 0 asks for nothing, and None counts each demand as 1. `fixed` are
positions of sites that are open already: they serve, are never closed, and do not use up `p`. Demand that no
site reaches is listed apart and left out.

A quick plan takes milliseconds (a sparse table is the fastest to read) and is exact for p = 1. With `exact`
it is improved and proven until `time_limit_s` is over, counted from the call; HiGHS, where it is needed, runs
in a process that is ended then. The same question gets the same plan, ties go to the lowest position; only
where time runs out does the speed of the machine matter. Every plan was checked by `verify` before it is told
to `report` or returned.

Costs that are no whole numbers are compared to nine digits. Every function raises a leaf of `Invalid` in
`plans` where input cannot be used or the question has no answer, with the smallest change that helps, and
`PlanRefused` where the check fails.
"""

import time
from collections.abc import Iterable

from layers.gaps.siting import answers, costs, held
from layers.gaps.siting.costs import Table
from layers.gaps.siting.drafts import Asked
from layers.gaps.siting.plans import LSCP, MCLP, P_CENTER, P_MEDIAN, Plan, Reporter

DEFAULT_TIME_LIMIT_S = 30.0
Weights = Iterable[float] | None
Capacity = Iterable[float | None] | None


def mclp(
    cost: Table,
    weights: Weights = None,
    *,
    p: int,
    within: float | None = None,
    fixed: Iterable[int] = (),
    capacity: Capacity = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    exact: bool = True,
    report: Reporter | None = None,
) -> Plan:
    """Where `p` new sites cover most weight within the radius (maximal covering location problem).

    With `capacity` (one a site, in the unit of the weights; None or NaN where none is stated) each demand
    goes wholly to one open site that has room for it, and is covered then.
    """
    asked = _asked(MCLP, cost, weights, p, within, fixed, capacity=capacity, report=report)
    deadline = _deadline(asked, time_limit_s, exact)
    return answers.mclp(asked, deadline) if asked.room is None else held.plan(asked, asked.room, deadline)


def lscp(
    cost: Table,
    weights: Weights = None,
    *,
    within: float | None = None,
    fixed: Iterable[int] = (),
    backup: int = 1,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    exact: bool = True,
    report: Reporter | None = None,
) -> Plan:
    """How few new sites cover everyone whom any site reaches (location set covering problem).

    With `backup` each demand is covered by so many sites, or by all that reach it (`Plan.short`).
    """
    backup = costs.number("backup", backup, low=1)
    asked = _asked(LSCP, cost, weights, None, within, fixed, backup=backup, report=report)
    return answers.lscp(asked, _deadline(asked, time_limit_s, exact))


def p_median(
    cost: Table,
    weights: Weights = None,
    *,
    p: int,
    within: float | None = None,
    fixed: Iterable[int] = (),
    capacity: Capacity = None,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    exact: bool = True,
    report: Reporter | None = None,
) -> Plan:
    """Where `p` new sites make the sum of weight × cost least; everyone whom any site reaches is served.

    With `capacity` (see `mclp`) each demand goes wholly to one open site that has room for it.
    """
    asked = _asked(P_MEDIAN, cost, weights, p, within, fixed, capacity=capacity, report=report)
    deadline = _deadline(asked, time_limit_s, exact)
    return answers.p_median(asked, deadline) if asked.room is None else held.plan(asked, asked.room, deadline)


def p_center(
    cost: Table,
    weights: Weights = None,
    *,
    p: int,
    within: float | None = None,
    fixed: Iterable[int] = (),
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    exact: bool = True,
    report: Reporter | None = None,
) -> Plan:
    """Where `p` new sites make the greatest cost least; weights only tell who asks, and order the sites."""
    asked = _asked(P_CENTER, cost, weights, p, within, fixed, report=report)
    return answers.p_center(asked, _deadline(asked, time_limit_s, exact))


def _asked(
    model: str,
    cost: Table,
    weights: Weights,
    p: int | None,
    within: float | None,
    fixed: Iterable[int],
    *,
    backup: int = 1,
    capacity: Capacity = None,
    report: Reporter | None = None,
) -> Asked:
    began = time.monotonic()
    # What can be read only once is read once; the check reads it again.
    weights = None if weights is None else costs.values("weights", weights)
    fixed = tuple(fixed)
    question = costs.question(cost, weights, within=within, fixed=fixed)
    room = None if capacity is None else costs.capacities(capacity, question.pairs.shape[1])
    return Asked(
        model=model,
        question=question,
        cost=cost,
        weights=weights,
        count=0 if model == LSCP else costs.new_sites(p, question),
        within=within,
        fixed=fixed,
        backup=backup,
        room=room,
        began=began,
        report=report,
    )


def _deadline(asked: Asked, time_limit_s: float, exact: bool) -> float | None:
    limit = costs.time_limit(time_limit_s)
    return asked.began + limit if exact else None
