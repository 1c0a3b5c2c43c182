"""What a visitor chooses to see, against a naive filter that looks at one row at a time."""

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import filters
from layers.filters import Filter
from tests import make

TODAY = date(2026, 11, 22)
PLACES = ("", "01", "02")
PARTS = tuple(part.name for part in fields(Filter))
OF_BODIES, OF_CASES = ("capability", "readiness"), ("theme", "outcome")
# Two and six years before TODAY, and the day after each.
DATES = ("", "2020", "2020-11-22", "2020-11-23", "2024-11-22", "2024-11-23", "2026-11")
areas = st.lists(
    st.sampled_from(["county:01", "county:02", "municipality:01", "municipality:02", "country:01"]),
    unique=True,
    max_size=3,
).map(tuple)
bodies = st.lists(
    st.builds(
        make.a_read_body,
        county=st.sampled_from(PLACES),
        municipality=st.sampled_from(PLACES),
        capabilities=st.lists(st.sampled_from(["order", "youth"]), unique=True).map(tuple),
        readiness=st.sampled_from(["", "always", "closed"]),
        as_of=st.sampled_from(DATES),
        serves=areas,
    ),
    max_size=6,
)
cases = st.lists(
    st.builds(
        make.a_read_case,
        county=st.sampled_from(PLACES),
        municipality=st.sampled_from(PLACES),
        theme=st.sampled_from(["watch", "patrol"]),
        outcome=st.sampled_from(["lasted", "mixed"]),
        as_of=st.sampled_from(DATES),
        areas=areas,
    ),
    max_size=6,
)
choices = st.builds(
    Filter,
    county=st.sampled_from(PLACES),
    municipality=st.sampled_from(PLACES),
    capability=st.sampled_from(["", "order", "youth"]),
    readiness=st.sampled_from(["", "always", "closed"]),
    theme=st.sampled_from(["", "watch", "patrol"]),
    outcome=st.sampled_from(["", "lasted", "mixed"]),
    freshness=st.sampled_from(["", "new", "ageing", "old", "undated"]),
)
EVERY = settings(max_examples=150, deadline=None)


def age(text):
    """The class of a date, counted by hand: two years are over on the same day two years later."""
    if not text:
        return "undated"
    year, month, day = (int(part) for part in (*text.split("-"), "1", "1")[:3])
    for name, years in (("new", 2), ("ageing", 6)):
        if date(year + years, month, day) > TODAY:
            return name
    return "old"


def values(row, part):
    """Every value of a part with which a row is found; None where the part is not asked of such a row."""
    is_body = hasattr(row, "capabilities")
    if part in (OF_CASES if is_body else OF_BODIES):
        return None
    if part == "freshness":
        return {age(row.source.as_of if is_body else row.as_of)}
    if part == "capability":
        return set(row.capabilities)
    found = {getattr(row, part)}
    if part in ("county", "municipality"):
        lines = row.serves if is_body else row.areas
        found |= {code for code in PLACES if f"{part}:{code}" in lines}
    return found - {""}


def passes(row, only):
    asked = [(getattr(only, part), values(row, part)) for part in PARTS if getattr(only, part)]
    return all(found is None or wanted in found for wanted, found in asked)


@EVERY
@given(every=bodies, only=choices)
def test_organisations_that_pass_are_those_that_answer_every_part_in_their_order(every, only):
    assert filters.bodies(every, only, today=TODAY) == [body for body in every if passes(body, only)]


@EVERY
@given(every=cases, only=choices)
def test_cases_that_pass_are_those_that_answer_every_part_in_their_order(every, only):
    assert filters.cases(every, only, today=TODAY) == [case for case in every if passes(case, only)]


@EVERY
@given(bodies=bodies, cases=cases)
def test_an_empty_filter_lets_everything_through(bodies, cases):
    assert filters.bodies(bodies, Filter(), today=TODAY) == bodies
    assert filters.cases(cases, Filter(), today=TODAY) == cases


@EVERY
@given(bodies=bodies, cases=cases, only=choices)
def test_a_facet_counts_what_choosing_its_value_would_show(bodies, cases, only):
    found = filters.facets(bodies, cases, only, today=TODAY)

    assert tuple(found) == PARTS
    for part in PARTS:
        rows = [row for row in (*bodies, *cases) if values(row, part) is not None]
        offered = {value for row in rows for value in values(row, part)}
        shown = {value: sum(passes(row, replace(only, **{part: value})) for row in rows) for value in offered}
        assert dict(found[part]) == {value: count for value, count in shown.items() if count}


@pytest.mark.parametrize("part", PARTS)
def test_a_filter_is_true_when_one_part_is_chosen(part):
    assert not Filter()
    assert Filter(**{part: "x"})
