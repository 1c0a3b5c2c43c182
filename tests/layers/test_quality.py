"""The measure of an account: what each criterion asks, and how real cases and holes in them are judged."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers import quality, texts
from layers.quality import MET, NOT, PARTLY, Account
from layers.sources import texts as readers

LONG, SHORT = " ".join(["word"] * 25), " ".join(["word"] * 8)
DATED = {"title": "A page", "url": "https://example.org", "date": "2020"}
WHOLE = Account(
    parts={
        **{"context": f"{LONG} 2019", "roles": SHORT, "done": LONG, "results": SHORT},
        **{"contact": SHORT, "lasting": SHORT, "carry": SHORT, "evidence": SHORT},
    },
    parties=("police", "residents"),
    practices=("alpha",),
    outcome="ended",
    stage="described",
    period_from="2015",
    area="county:01",
    sources=(DATED, DATED),
)
EMPTY = Account(parts={})
# What is taken away, and the criteria that this one hole leaves partly met.
HOLES = {
    "context": ({"context": ""}, ["problem"]),
    "number": ({"context": LONG}, ["problem"]),
    "done": ({"done": SHORT}, ["mechanism", "replicable"]),
    "roles": ({"roles": ""}, ["mechanism", "replicable"]),
    "contact": ({"contact": "no"}, ["mechanism"]),
    "results": ({"results": ""}, ["evaluated"]),
    "evidence": ({"evidence": ""}, ["evaluated"]),
    "lasting": ({"lasting": ""}, ["replicable"]),
    "carry": ({"carry": ""}, ["replicable"]),
}
FACTS = [
    ({"area": ""}, "problem"),
    ({"period_from": ""}, "problem"),
    ({"parties": ("police",)}, "mechanism"),
    ({"practices": ()}, "mechanism"),
    ({"outcome": "unclear"}, "evaluated"),
    ({"sources": (DATED,)}, "evaluated"),
    ({"sources": (DATED, {**DATED, "date": ""})}, "evaluated"),
]


def states(account):
    return {one.key: one.state for one in quality.criteria(account)}


def test_a_whole_account_meets_the_four_also_where_the_case_ended():
    assert [(one.state, one.lacking) for one in quality.criteria(WHOLE)] == [(MET, ())] * 4
    assert quality.score(quality.criteria(WHOLE)) == 4


def test_an_empty_account_meets_none_and_is_told_what_each_asks():
    found = quality.criteria(EMPTY)

    assert [one.state for one in found] == [NOT] * 4
    assert [len(one.lacking) for one in found] == [4, 4, 4, 3]
    assert quality.score(found) == 0


@pytest.mark.parametrize("hole", HOLES)
def test_a_part_that_is_missing_leaves_its_criteria_partly_met(hole):
    changes, partly = HOLES[hole]
    found = states(replace(WHOLE, parts={**WHOLE.parts, **changes}))

    assert [key for key, state in found.items() if state == PARTLY] == partly
    assert NOT not in found.values()


@pytest.mark.parametrize(("changes", "partly"), FACTS)
def test_a_fact_that_is_missing_leaves_its_criterion_partly_met(changes, partly):
    found = states(replace(WHOLE, **changes))

    assert [key for key, state in found.items() if state == PARTLY] == [partly]


def test_one_dated_source_is_enough_beside_a_study():
    assert states(replace(WHOLE, sources=(DATED,), stage="evaluated"))["evaluated"] == MET


@given(st.sets(st.sampled_from(sorted(WHOLE.parts))), st.sampled_from(sorted(WHOLE.parts)))
def test_writing_more_never_lowers_the_score(written, more):
    def scored(keys):
        parts = {key: text for key, text in WHOLE.parts.items() if key in keys}
        return quality.score(quality.criteria(replace(WHOLE, parts=parts)))

    assert 0 <= scored(written) <= scored(written | {more}) <= 4


def test_real_cases_score_high_and_bare_titles_do_not(estonia):
    headings = estonia.sections["cases"]
    rows = readers.cases(estonia.folder / "cases", instance=estonia, today=date(2026, 11, 22)).rows
    scores = []
    for row in rows:
        said = row.values
        account = Account(
            parts={key: one.body for key, one in texts.parts(said["texts"]["en"], headings, "en").items()},
            parties=said["parties"],
            practices=[link["practice"] for link in row.links["practices"]],
            outcome=said["outcome"],
            stage=said["stage"],
            period_from=said["period_from"],
            area=said["municipality"] or said["county"],
            sources=said["sources"],
        )
        scores.append(quality.score(quality.criteria(account)))
        assert quality.score(quality.criteria(replace(account, parts={}))) < scores[-1]

    assert len(scores) > 40
    assert min(scores) >= 2
    assert sum(scores) / len(scores) > 3
