"""What an edit does to the states of a thing: pure, of rows only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layers import dates
from layers.errors import N_, Sentence
from layers.sources.rows import Row, Unusable

CORRECT, FROM_DAY, END, NEW = "correct", "from_day", "end", "new"
WAYS = (CORRECT, FROM_DAY, END)
"""It was always so; it is so from a day; it ends on a day. What is not there yet is NEW."""


@dataclass(frozen=True)
class Outcome:
    """The rows that an edit says, and the beginnings of which it takes back what the edits said before."""

    rows: tuple[Row, ...]
    begins: frozenset[str]


def after(states: Sequence[Row], *, way: str, state: Row | None, told: Row | None, day: str = "") -> Outcome:
    """The edit of one state; `told` is the new one, `day` the day of the change or end.

    Raises:
        Unusable: the day lies outside the state, or the new state meets another one.
    """
    if way == NEW or state is None:
        if told is None:
            raise LookupError("A new thing is told.")
        return Outcome((told,), frozenset({told.valid_from}))
    if way == CORRECT and told is not None:
        _meets_no_other(told, [one for one in states if one is not state])
        if not overlap(told, state):
            what = N_("The corrected period has no day in common with the old one.")
            raise Unusable(what, N_("Correct the dates, or write a change from a day."))
        return Outcome((told,), frozenset({state.valid_from, told.valid_from}))
    _is_inside(day, state)
    before = replace(state, values={**state.values, "valid_to": day})
    if way == END:
        return Outcome((before,), frozenset({state.valid_from}))
    if told is None:
        raise LookupError("A change tells what is so from its day on.")
    later = {**told.values, "valid_from": day, "valid_to": state.values["valid_to"]}
    return Outcome((before, replace(told, values=later)), frozenset({state.valid_from, day}))


def overlap(one: Row, other: Row) -> bool:
    """Whether two periods share a day; a blank end is still to come."""
    return _before(one.valid_from, other.values["valid_to"]) and _before(
        other.valid_from, one.values["valid_to"]
    )


def _before(start: str, end: str) -> bool:
    return not end or not start or dates.first_day(start) < dates.first_day(end)


def _meets_no_other(told: Row, others: Sequence[Row]) -> None:
    for other in others:
        if overlap(told, other):
            what = Sentence(
                "Its period meets that of another state ({start} – {end}).",
                start=other.valid_from or "…",
                end=other.values["valid_to"] or "…",
            )
            raise Unusable(what, N_("Correct the dates, or correct the other state first."))


def _is_inside(day: str, state: Row) -> None:
    if not day:
        raise Unusable(
            N_("The day is missing."), N_("Write the day, or the month or year when no day is known.")
        )
    dates.partial(day)
    start, end = state.valid_from, state.values["valid_to"]
    if start and dates.first_day(day) <= dates.first_day(start):
        what = Sentence("The day does not come after the beginning ({start}).", start=start)
        raise Unusable(what, N_("Choose a later day, or write a correction: it was always so."))
    if not _before(day, end):
        what = Sentence("The day does not come before the end ({end}).", end=end)
        raise Unusable(what, N_("Choose an earlier day, or another state."))
