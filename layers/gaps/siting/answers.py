"""One function for each of the four questions: from what was asked, over a quick plan, to the best one known.

`deadline` is `time.monotonic`, None for the quick plan alone.
"""

import time
from collections.abc import Callable

import numpy as np

from layers.gaps.siting import centres, costs, covers, least, merging, sums
from layers.gaps.siting.centres import Centre
from layers.gaps.siting.costs import Floats, Ints, Pairs
from layers.gaps.siting.drafts import Asked, served
from layers.gaps.siting.plans import PROVEN, QUICK, Plan, TooFewSites, TooFewSitesWithin
from layers.gaps.siting.sums import Task

# What finding out how many sites would be enough may take where no plan exists.
_MOST_FOR_ADVICE_S = 5.0
# Of the time for a cover; what is left makes it smaller where the proof did not come.
_SHARE_OF_PROOF = 0.75

Draft = Callable[[Ints, float | None, str], Plan]
"""Columns of a task, a bound of its sum and how the search ended → a plan."""


def mclp(asked: Asked, deadline: float | None) -> Plan:
    question = asked.question
    before = covered(asked, question.fixed)
    merged = merging.merged(*still_to_cover(asked))
    count = min(asked.count, len(merged.columns))
    todo = sums.task(merged.pairs, merged.weights, np.zeros(len(merged.rows), dtype=bool), count)
    everything = before + float(merged.weights.sum())

    def plan(columns: Ints, bound: float | None, ended: str) -> Plan:
        chosen = filled(asked, merged.columns[columns])
        most = None if bound is None else everything - bound
        return asked.plan(chosen, objective=covered(asked, chosen), bound=most, ended=ended)

    return _least(asked, todo, least.quick(todo), plan, deadline)


def p_median(asked: Asked, deadline: float | None) -> Plan:
    todo = median_task(asked)

    def plan(columns: Ints, bound: float | None, ended: str) -> Plan:
        chosen = filled(asked, columns)
        return asked.plan(chosen, objective=_paid(asked, chosen), bound=bound, ended=ended)

    return _least(asked, todo, median_start(asked, todo, deadline), plan, deadline)


def lscp(asked: Asked, deadline: float | None) -> Plan:
    question = asked.question
    new, have = _new(question.pairs, question.fixed)
    wanted = np.where(question.asks, np.minimum(asked.backup, question.pairs.depth), 0)
    todo = covers.task(new, np.maximum(wanted - have.depth, 0))

    def plan(columns: Ints, bound: float | None, ended: str) -> Plan:
        return asked.plan(columns, objective=float(len(columns)), bound=bound, ended=ended)

    columns = covers.quick(todo)
    first = plan(columns, float(covers.apart(todo)), QUICK)
    if deadline is None or first.proven:
        return first
    asked.tell("quick", first)
    until = time.monotonic() + _SHARE_OF_PROOF * (deadline - time.monotonic())
    found = covers.fewest(todo, columns, deadline=until)
    columns = found.columns
    if found.ended != PROVEN:
        columns = covers.improved(todo, columns, deadline=deadline)
    return plan(columns, float(found.bound), found.ended)


def p_center(asked: Asked, deadline: float | None) -> Plan:
    question = asked.question
    rows = question.asks & (question.pairs.depth > 0)
    new, have = _new(question.pairs.only(rows[question.pairs.rows]), question.fixed)
    base = np.where(rows, have.least(), 0.0)

    def plan(found: Centre) -> Plan:
        # A site that is opened to fill up may serve somebody better, never worse.
        chosen = filled(asked, found.columns)
        reached = float(served(new, base, chosen).max(initial=0.0))
        return asked.plan(chosen, objective=reached, bound=found.bound, ended=found.ended)

    def tell(found: Centre) -> None:
        asked.tell("proof", plan(found))

    found = centres.centre(new, base, asked.count, deadline=deadline, tell=tell)
    if found is None:
        start = _reaching(asked, new, np.isinf(base), deadline)
        found = centres.centre(new, base, asked.count, start=start, deadline=deadline, tell=tell)
    if found is None:
        raise TooFewSites(p=asked.count, needed=asked.count + 1)
    return plan(found)


# --- What they have in common


def _least(asked: Asked, todo: Task, columns: Ints, plan: Draft, deadline: float | None) -> Plan:
    if least.is_settled(todo, columns):
        return plan(columns, todo.value(columns), QUICK)
    first = plan(columns, None, QUICK)
    if deadline is None:
        return first
    asked.tell("quick", first)

    def tell(columns: Ints, bound: float) -> None:
        asked.tell("bound", plan(columns, bound, QUICK))

    found = least.proven(todo, columns, deadline=deadline, tell=tell if asked.report else None)
    return plan(found.columns, found.bound, found.ended)


def filled(asked: Asked, columns: Ints) -> Ints:
    """As many new sites as were asked for; those that are still to choose go to the lowest positions."""
    new = np.setdiff1d(columns, asked.question.fixed)
    taken = np.concatenate([asked.question.fixed, new])
    others = np.setdiff1d(np.arange(asked.question.pairs.shape[1]), taken)
    return np.concatenate([new, others[: asked.count - len(new)]])


def covered(asked: Asked, columns: Ints) -> float:
    """The weight that these and the fixed sites cover."""
    question = asked.question
    left = _uncovered(asked, np.concatenate([question.fixed, columns]))
    return float(question.weights[left == 0].sum())


def still_to_cover(asked: Asked) -> tuple[Pairs, Floats]:
    """Pairs of demand that no fixed site covers, and its weights; a fixed site is in none."""
    left = _uncovered(asked, asked.question.fixed)
    pairs = asked.question.pairs
    return _priced(pairs.only(left[pairs.rows] > 0), 0.0), left


def _uncovered(asked: Asked, columns: Ints) -> Floats:
    return served(_priced(asked.question.pairs.of(columns), 0.0), asked.question.weights, columns)


def _priced(pairs: Pairs, costs: Floats | float) -> Pairs:
    return Pairs(
        pairs.rows, pairs.columns, np.broadcast_to(costs, pairs.costs.shape).astype(float), pairs.shape
    )


def _new(pairs: Pairs, fixed: Ints) -> tuple[Pairs, Pairs]:
    """The pairs of sites that can be opened, and those of sites that are open."""
    is_fixed = np.zeros(pairs.shape[1], dtype=bool)
    is_fixed[fixed] = True
    return pairs.only(~is_fixed[pairs.columns]), pairs.of(fixed)


# --- The p-median


def median_task(asked: Asked) -> Task:
    """Costs times weights; a row that must be served and is not costs more than all the others together."""
    question = asked.question
    rows = question.asks & (question.pairs.depth > 0)
    pairs = question.pairs.only(rows[question.pairs.rows])
    weighed = _priced(pairs, pairs.costs * question.weights[pairs.rows])
    new, have = _new(weighed, question.fixed)
    worst = np.zeros(len(rows))
    np.maximum.at(worst, new.rows, new.costs)
    base = np.where(rows, have.least(), 0.0)
    must = np.isinf(base)
    base[must] = np.ceil(worst.sum() + base[~must].sum()) + 1
    return sums.task(new, base, must, asked.count)


def median_start(asked: Asked, todo: Task, deadline: float | None) -> Ints:
    """A choice that serves every row.

    Raises:
        TooFewSites: none was found with so few sites.
    """
    columns = least.quick(todo)
    if not is_lost(todo, columns):
        return columns
    start = _reaching(asked, todo.pairs, todo.must, deadline)
    rest = sums.task(todo.pairs, todo.best(start), todo.must, todo.count - len(start))
    more, _ = sums.greedy(rest)
    return sums.swapped(todo, np.concatenate([start, more]))


def is_lost(todo: Task, columns: Ints) -> bool:
    """Whether a row that must be served is not."""
    return bool(np.any(todo.must & (todo.best(columns) >= todo.base)))


def _paid(asked: Asked, columns: Ints) -> float:
    """The sum of weight times cost."""
    question = asked.question
    near = served(question.pairs, np.full(len(question.weights), np.inf), np.append(question.fixed, columns))
    rows = question.asks & np.isfinite(near)
    return float((near[rows] * question.weights[rows]).sum())


def _reaching(asked: Asked, pairs: Pairs, must: costs.Flags, deadline: float | None) -> Ints:
    """New sites that reach all these rows, not more than were asked for.

    Raises:
        TooFewSites, TooFewSitesWithin: none were found; they say what would help.
    """
    moment = time.monotonic() + _MOST_FOR_ADVICE_S
    until = moment if deadline is None else min(deadline, moment)
    cover = covers.needed(pairs, must.astype(np.int64), deadline=until)
    if len(cover.columns) <= asked.count:
        return cover.columns
    question = asked.question
    enough = np.inf
    if np.isfinite(question.within):
        anywhere = costs.question(asked.cost, asked.weights, within=None, fixed=asked.fixed)
        # A wider radius reaches more places, which are to be served then too: all that can be, to be sure.
        rows = anywhere.asks & (anywhere.pairs.depth > 0)
        new, have = _new(anywhere.pairs.only(rows[anywhere.pairs.rows]), anywhere.fixed)
        base = np.where(rows, have.least(), 0.0)
        found = centres.centre(new, base, asked.count, deadline=until)
        enough = np.inf if found is None else found.value
    if np.isfinite(enough):
        raise TooFewSitesWithin(
            p=asked.count, within=question.within, needed=len(cover.columns), enough=enough
        )
    raise TooFewSites(p=asked.count, needed=len(cover.columns))
