"""Cases ↔ practices ↔ organisations ↔ areas, against answers worked out by brute force."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from layers import model, practices
from layers.errors import CaseNotFound, PracticeNotFound
from layers.geo import Place
from tests import make

DAY = date(2020, 6, 15)
PRACTICES = ("alpha", "beta", "gamma")
BODIES = ("one", "two")
AREAS = ("county:01", "municipality:0101")
EVERY = settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
worlds = st.lists(
    st.fixed_dictionaries(
        {
            "practices": st.lists(st.sampled_from(PRACTICES), min_size=1, unique=True),
            "bodies": st.lists(st.sampled_from(BODIES), unique=True),
            "areas": st.lists(st.sampled_from(AREAS), unique=True),
            "county": st.sampled_from(["", "01", "02"]),
            "at": st.sampled_from([None, (24.5, 58.5), (25.12345, 58.98765)]),
            "valid_from": st.sampled_from(["", "2019", "2020-06", "2020-06-15", "2020-06-16", "2021"]),
        }
    ),
    max_size=6,
)


def settled(session, world):
    """Puts cases into the store; by key, those that show on the day."""
    there = {}
    for number, facts in enumerate(world):
        key = f"case-{99 - number}"
        make.a_case(session, key=key, **facts)
        if facts["valid_from"] not in ("2020-06-16", "2021"):
            there[key] = facts
    return there


@EVERY
@given(world=worlds)
def test_cases_are_those_of_the_day_by_key_with_all_their_links(session, world):
    with make.undone(session):
        there = settled(session, world)

        found = practices.cases(session, as_of=DAY)

        assert [case.key for case in found] == sorted(there)
        for case in found:
            facts = there[case.key]
            assert [documented.practice for documented in case.practices] == facts["practices"]
            assert case.bodies == tuple(sorted(facts["bodies"]))
            assert case.areas == tuple(sorted(facts["areas"]))
            assert case.place == (facts["at"] and Place(lon=facts["at"][0], lat=facts["at"][1]))
            assert practices.case(session, case.key) == case


@EVERY
@given(
    world=worlds,
    practice=st.sampled_from(["", *PRACTICES]),
    body=st.sampled_from(["", *BODIES]),
    area=st.sampled_from(["", *AREAS]),
    county=st.sampled_from(["", "01"]),
)
def test_each_wish_narrows_the_cases(session, world, practice, body, area, county):
    with make.undone(session):
        there = settled(session, world)

        found = practices.cases(session, as_of=DAY, practice=practice, body=body, area=area, county=county)

        assert [case.key for case in found] == [
            key
            for key, facts in sorted(there.items())
            if (not practice or practice in facts["practices"])
            and (not body or body in facts["bodies"])
            and (not area or area in facts["areas"])
            and (not county or county == facts["county"])
        ]


@EVERY
@given(world=st.lists(st.sampled_from(["", "2019", "2020-06-15", "2020-06-16"]), max_size=5))
def test_practices_are_those_of_the_day_by_key(session, world):
    with make.undone(session):
        there = {}
        for number, valid_from in enumerate(world):
            make.a_practice(session, key=f"practice-{99 - number}", valid_from=valid_from)
            there[f"practice-{99 - number}"] = valid_from

        found = practices.practices(session, as_of=DAY)

        assert [p.key for p in found] == sorted(key for key in there if there[key] != "2020-06-16")
        assert [practices.practice(session, p.key) for p in found] == found


def test_a_practice_is_told_with_all_it_says(session):
    make.a_practice(session, key="beta", related=["alpha"], themes=["patrol", "watch"], as_of="2025")

    assert practices.practice(session, "beta") == practices.Practice(
        key="beta",
        titles={"et": "Tava", "en": "A practice"},
        summaries={"et": "Lühidalt", "en": "In short"},
        texts={"et": "Pikalt", "en": "At length"},
        audiences=("police",),
        themes=("patrol", "watch"),
        stage="described",
        as_of="2025",
        related=("alpha",),
        sources=({"title": "Made up for a test", "url": "", "date": ""},),
    )


def test_a_case_is_told_with_all_it_says(session):
    make.a_case(
        session,
        key="first",
        at=(24.5, 58.5),
        practices=["beta", "alpha"],
        bodies=["two", "one"],
        areas=["county:01"],
        county="01",
        period_from="2015",
        period_to="2021",
        as_of="2021-06",
        as_of_inferred=True,
    )

    assert practices.case(session, "first") == practices.Case(
        key="first",
        titles={"et": "Lugu", "en": "A case"},
        summaries={"et": "Lühidalt", "en": "In short"},
        texts={"et": "Pikalt", "en": "At length"},
        theme="watch",
        outcome="lasted",
        stage="described",
        parties=("police", "residents"),
        locality="",
        municipality="",
        county="01",
        precision="settlement",
        place=Place(lon=24.5, lat=58.5),
        period_from="2015",
        period_to="2021",
        as_of="2021-06",
        as_of_inferred=True,
        sources=({"title": "Made up for a test", "url": "", "date": ""},),
        practices=(practices.Documented("beta", {}), practices.Documented("alpha", {})),
        bodies=("one", "two"),
        areas=("county:01",),
    )


def test_a_retired_row_is_invisible_to_every_question(session):
    make.a_case(session, key="first")
    make.a_practice(session, key="alpha")
    assert len(practices.cases(session, as_of=DAY)) == len(practices.practices(session, as_of=DAY)) == 1
    edition = make.an_edition(session)

    for table in (model.Case, model.Practice):
        session.execute(update(table).values(retired_in=edition))

    assert practices.cases(session, as_of=DAY) == practices.practices(session, as_of=DAY) == []
    with pytest.raises(CaseNotFound, match="There is no case “first”"):
        practices.case(session, "first")
    with pytest.raises(PracticeNotFound, match="There is no practice “alpha”"):
        practices.practice(session, "alpha")


def test_three_cases_cost_as_many_statements_as_one(session):
    make.a_case(session, bodies=BODIES, areas=AREAS, practices=PRACTICES)
    with make.counted(session) as for_one:
        one = practices.cases(session, as_of=DAY)
    for _ in range(2):
        make.a_case(session, bodies=BODIES, areas=AREAS, practices=PRACTICES)

    with make.counted(session) as for_three:
        three = practices.cases(session, as_of=DAY)

    assert (len(one), len(three)) == (1, 3)
    assert len(for_three) == len(for_one) == 4


def test_three_practices_cost_as_many_statements_as_one(session):
    def ask():
        with make.counted(session) as said:
            found = practices.practices(session, as_of=DAY)
        return len(found), len(said)

    make.a_practice(session)
    first = ask()
    make.a_practice(session)
    make.a_practice(session)

    assert (first, ask()) == ((1, 1), (3, 1))


def test_the_same_question_gives_the_same_answer(session):
    for key in ("c", "a", "b"):
        make.a_case(session, key=key, bodies=["two", "one"], areas=AREAS, practices=PRACTICES)

    answers = [practices.cases(session, as_of=DAY) for _ in range(2)]

    assert repr(answers[0]) == repr(answers[1])
    assert [case.key for case in answers[0]] == ["a", "b", "c"]
