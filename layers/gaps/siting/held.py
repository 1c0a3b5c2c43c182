"""MCLP and p-median where sites hold only so much."""

import numpy as np

from layers.gaps.siting import answers, bounds, least, loads, sums
from layers.gaps.siting.costs import Floats, Ints, Pairs
from layers.gaps.siting.drafts import Asked, cheapest
from layers.gaps.siting.loads import Load
from layers.gaps.siting.plans import MCLP, QUICK, NoPackingFound, Plan
from layers.gaps.siting.sums import Task


def plan(asked: Asked, room: Floats, deadline: float | None) -> Plan:
    """The quick plan, then the proof.

    Raises:
        Invalid: the capacities cannot hold everybody (p-median), or no way to do it was found.
    """
    todo = _task(asked, room)
    if todo.must:
        loads.check(todo)
    free, start = _without_capacities(asked, deadline)
    known = loads.quick(todo, start)
    floor = _most_room(todo)
    if known is not None:
        first = _plan(asked, todo, known, floor if floor >= known.value else None, QUICK)
        if deadline is None or first.proven:
            return first
        asked.tell("quick", first)
    elif deadline is None:
        raise NoPackingFound(p=asked.count)
    if free.count and len(start):
        found = bounds.bounded(free, start, deadline=deadline).bound
        lowest = found if asked.model != MCLP else found - float(free.base.sum()) - _before(asked)
        floor = max(floor, lowest)
    proof = loads.proven(todo, known, floor, deadline=deadline)
    return _plan(asked, todo, proof.load, proof.bound, proof.ended)


def _task(asked: Asked, room: Floats) -> loads.Task:
    """Only demand that asks and is reached; a pair whose site is too small for the demand is none."""
    question = asked.question
    places = np.flatnonzero(question.asks & (question.pairs.depth > 0))
    number = np.full(len(question.weights), -1)
    number[places] = np.arange(len(places))
    every = question.pairs.only(number[question.pairs.rows] >= 0)
    if asked.model == MCLP:
        every = every.only(question.weights[every.rows] <= room[every.columns])
    weights = question.weights[every.rows]
    costs = -weights if asked.model == MCLP else weights * every.costs
    return loads.Task(
        places=places,
        pairs=Pairs(number[every.rows], every.columns, costs, (len(places), every.shape[1])),
        weights=question.weights[places],
        room=room,
        fixed=question.fixed,
        count=asked.count,
        must=asked.model != MCLP,
    )


def _without_capacities(asked: Asked, deadline: float | None) -> tuple[Task, Ints]:
    """The same question with room for everybody: its answer is near, and its bound is one here too."""
    if asked.model != MCLP:
        todo = answers.median_task(asked)
        return todo, answers.median_start(asked, todo, deadline)
    pairs, left = answers.still_to_cover(asked)
    reached = np.where(pairs.depth > 0, left, 0.0)
    todo = sums.task(pairs, reached, np.zeros(len(left), dtype=bool), asked.count)
    return todo, least.quick(todo)


def _before(asked: Asked) -> float:
    return answers.covered(asked, np.empty(0, dtype=np.int64))


def _most_room(todo: loads.Task) -> float:
    """A bound from sums alone: not more than everybody, and not more than the largest sites hold."""
    if todo.must:
        return -np.inf
    is_fixed = np.zeros(len(todo.room), dtype=bool)
    is_fixed[todo.fixed] = True
    largest = -np.sort(-todo.room[~is_fixed])[: todo.count]
    reached = np.zeros(len(todo.weights), dtype=bool)
    reached[todo.pairs.rows] = True
    everybody = float(todo.weights[reached].sum())
    return -min(everybody, float(todo.room[is_fixed].sum() + largest.sum()))


def _plan(asked: Asked, todo: loads.Task, load: Load, bound: float | None, ended: str) -> Plan:
    question = asked.question
    chosen = answers.filled(asked, np.setdiff1d(load.opened, question.fixed))
    # Demand of no weight takes no room and goes where it is cheapest.
    assigned = cheapest(question.pairs, np.append(question.fixed, chosen))
    assigned[question.asks] = -1
    assigned[todo.places] = load.assigned
    sign = -1.0 if asked.model == MCLP else 1.0
    return asked.plan(
        chosen,
        objective=sign * load.value if load.value else 0.0,
        bound=None if bound is None else sign * bound,
        ended=ended,
        assigned=assigned,
    )
