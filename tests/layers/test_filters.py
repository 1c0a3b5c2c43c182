"""What a visitor chooses to see, against a naive filter that looks at one row at a time."""

from dataclasses import fields, replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import filters
from layers.filters import Filter
from layers.practices import Documented
from tests import make

TODAY = date(2026, 11, 22)
PLACES = ("", "01", "02")
PARTS = tuple(part.name for part in fields(Filter))
OF_BODIES = ("capability", "readiness")
OF_CASES = ("theme", "party", "outcome", "stage", "place_kind", "practice", "text")
KINDS = {"a": {"island", "town"}, "b": {"town"}, "c": set()}
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
        key=st.sampled_from(["a", "b", "c"]),
        theme=st.sampled_from(["watch", "patrol"]),
        parties=st.lists(st.sampled_from(["police", "residents"]), unique=True).map(tuple),
        outcome=st.sampled_from(["lasted", "mixed"]),
        stage=st.sampled_from(["described", "repeated"]),
        practices=st.lists(
            st.sampled_from(["alpha", "beta"]).map(lambda key: Documented(key, {})), unique_by=repr
        ).map(tuple),
        titles=st.sampled_from([{"et": "Küla leping"}, {"en": "Contract", "et": "Tänav"}, {}]),
        as_of=st.sampled_from(DATES),
        areas=areas,
    ),
    max_size=6,
)


def some(*values):
    return st.lists(st.sampled_from(values), unique=True, max_size=2).map(tuple)


choices = st.builds(
    Filter,
    county=some("01", "02"),
    municipality=some("01", "02"),
    capability=some("order", "youth"),
    readiness=some("always", "closed"),
    theme=some("watch", "patrol"),
    party=some("police", "residents"),
    outcome=some("lasted", "mixed"),
    stage=some("described", "repeated"),
    place_kind=some("island", "town"),
    practice=some("alpha", "beta"),
    freshness=some("new", "ageing", "old", "undated"),
    text=st.sampled_from(["", "", "LEPING", "kula lep", "tanav"]),
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
    if part == "party":
        return set(row.parties)
    if part == "practice":
        return {link.practice for link in row.practices}
    if part == "place_kind":
        return KINDS[row.key]
    found = {getattr(row, part)}
    if part in ("county", "municipality"):
        lines = row.serves if is_body else row.areas
        found |= {code for code in PLACES if f"{part}:{code}" in lines}
    return found - {""}


def passes(row, only):
    asked = [(getattr(only, part), values(row, part)) for part in PARTS[:-1] if getattr(only, part)]
    is_there = all(found is None or any(one in found for one in wanted) for wanted, found in asked)
    if not only.text or hasattr(row, "capabilities"):
        return is_there
    says = {"": "", "Küla leping": "kula leping", "Tänav": "contract tanav"}[row.titles.get("et", "")]
    return is_there and all(word in says for word in only.text.lower().split())


@EVERY
@given(every=bodies, only=choices)
def test_organisations_that_pass_are_those_that_answer_every_part_in_their_order(every, only):
    assert filters.bodies(every, only, today=TODAY) == [body for body in every if passes(body, only)]


@EVERY
@given(every=cases, only=choices)
def test_cases_that_pass_are_those_that_answer_every_part_in_their_order(every, only):
    found = filters.cases(every, only, today=TODAY, place_kinds=KINDS)

    assert found == [case for case in every if passes(case, only)]


@EVERY
@given(bodies=bodies, cases=cases)
def test_an_empty_filter_lets_everything_through(bodies, cases):
    assert filters.bodies(bodies, Filter(), today=TODAY) == bodies
    assert filters.cases(cases, Filter(), today=TODAY) == cases


@EVERY
@given(bodies=bodies, cases=cases, only=choices)
def test_a_facet_counts_what_choosing_its_value_would_show(bodies, cases, only):
    found = filters.facets(bodies, cases, only, today=TODAY, place_kinds=KINDS)

    assert (*found, "text") == PARTS
    for part in found:
        rows = [row for row in (*bodies, *cases) if values(row, part) is not None]
        offered = {value for row in rows for value in values(row, part)}
        shown = {
            value: sum(passes(row, replace(only, **{part: (value,)})) for row in rows) for value in offered
        }
        assert dict(found[part]) == {value: count for value, count in shown.items() if count}


@pytest.mark.parametrize("part", PARTS)
def test_a_filter_is_true_when_one_part_is_chosen(part):
    assert not Filter()
    assert Filter(**{part: "x" if part == "text" else ("x",)})


# --- Practices


practices = st.lists(
    st.builds(
        make.a_read_practice,
        key=st.sampled_from(["alpha", "beta", "gamma"]),
        themes=st.lists(st.sampled_from(["watch", "patrol"]), unique=True).map(tuple),
        audiences=st.lists(st.sampled_from(["police", "residents"]), unique=True).map(tuple),
        stage=st.sampled_from(["described", "repeated"]),
        titles=st.sampled_from([{"et": "Küla leping"}, {"en": "Contract"}]),
    ),
    unique_by=lambda one: one.key,
    max_size=3,
)
OF_THEMES = {"patrol": ("island",)}


def is_shown(one, cases, only):
    """One practice, looked at by hand."""
    theirs = [case for case in cases if one.key in {link.practice for link in case.practices}]
    kinds = {"island"} if "patrol" in one.themes else set()
    asked = Filter(county=only.county, municipality=only.municipality, outcome=only.outcome)
    if not kinds & set(only.place_kind):
        asked = replace(asked, place_kind=only.place_kind)
    says = "kula leping" if "et" in one.titles else "contract"
    return (
        (not only.theme or bool(set(only.theme) & set(one.themes)))
        and (not only.party or bool(set(only.party) & set(one.audiences)))
        and (not only.stage or one.stage in only.stage)
        and (asked == Filter() or any(passes(case, asked) for case in theirs))
        and all(word in says for word in only.text.lower().split())
    )


@EVERY
@given(every=practices, cases=cases, only=choices)
def test_practices_that_pass_are_at_work_where_and_for_whom_it_is_asked(every, cases, only):
    shown = filters.shown(every, cases, OF_THEMES)
    found = filters.practices(shown, only, today=TODAY, place_kinds=KINDS)

    assert [one.practice for one in found] == [one for one in every if is_shown(one, cases, only)]


@EVERY
@given(every=practices, cases=cases, only=choices)
def test_a_facet_of_practices_counts_what_choosing_its_value_would_show(every, cases, only):
    shown = filters.shown(every, cases, OF_THEMES)
    found = filters.practice_facets(shown, only, today=TODAY, place_kinds=KINDS)

    assert tuple(found) == filters.OF_PRACTICES
    values = {
        "theme": ("watch", "patrol"), "party": ("police", "residents"), "stage": ("described", "repeated"),
        "outcome": ("lasted", "mixed"), "place_kind": ("island", "town"),
        "county": ("01", "02"), "municipality": ("01", "02"),
    }  # fmt: skip
    for part, offered in values.items():
        counts = {
            value: sum(is_shown(one, cases, replace(only, **{part: (value,)})) for one in every)
            for value in offered
        }
        assert dict(found[part]) == {value: count for value, count in counts.items() if count}
