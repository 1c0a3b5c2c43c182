"""What is told as current has not expired: rules from data, confirmations, looking back, clocks at random."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import catalog, confirmations, freshness, places, practices, store, worklist
from layers.catalog import Lifetime
from layers.errors import BadInstance
from layers.model import Body, LinkCheck
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TODAY = NOW.date()
days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
partials = st.one_of(
    st.just(""),
    days.map(lambda day: day.isoformat()),
    days.map(lambda day: day.isoformat()[:7]),
    days.map(lambda day: str(day.year)),
)
steps = st.lists(st.integers(1, 400), min_size=2, max_size=3).map(sorted)
lifetimes = steps.map(lambda found: Lifetime("bodies", *found))


def elapsed(text, today):
    """Whole months between the first day that a text can mean and today, counted on the fingers."""
    year, month, day = (int(part) for part in (*text.split("-"), "1", "1")[:3])
    return (today.year - year) * 12 + today.month - month - (today.day < day)


def told(as_of, confirmed, rule, today):
    """The state of a fact in plain words: the twin of `freshness.age`."""
    dated = [text for text in (as_of, confirmed) if text]
    if not dated:
        return "undated"
    months = min(elapsed(text, today) for text in dated)
    if rule.expires_months is not None and months >= rule.expires_months:
        return "expired"
    return "old" if months >= rule.old_months else "ageing" if months >= rule.ageing_months else "new"


@settings(max_examples=500, deadline=None)
@given(as_of=partials, confirmed=partials, rule=lifetimes, today=days)
def test_a_state_follows_from_months_counted_by_hand(as_of, confirmed, rule, today):
    age = freshness.age(as_of, confirmed, rule, today=today)

    assert age.state == told(as_of, confirmed, rule, today)
    assert age.is_current == (age.state in ("new", "ageing", "old"))


@settings(max_examples=300, deadline=None)
@given(as_of=partials, confirmed=partials, rule=lifetimes, today=days)
def test_the_last_current_day_and_the_day_of_checking_are_those_on_which_the_state_turns(
    as_of, confirmed, rule, today
):
    age = freshness.age(as_of, confirmed, rule, today=today)

    assert not (age.is_current and age.expires and today > age.expires)
    if age.expires:
        assert freshness.age(as_of, confirmed, rule, today=age.expires).is_current
        after = age.expires + timedelta(days=1)
        assert freshness.age(as_of, confirmed, rule, today=after).state == "expired"
    if age.due:
        before = age.due - timedelta(days=1)
        assert freshness.age(as_of, confirmed, rule, today=before).state in ("new", "ageing")


def test_a_month_without_the_day_ends_on_the_first_of_the_next():
    assert monthrange(2027, 2)[1] == 28
    age = freshness.age("2026-08-31", "", Lifetime("bodies", 1, 6, 6), today=TODAY)

    assert (age.due, age.expires) == (date(2027, 3, 1), date(2027, 2, 28))


@given(
    rules=st.lists(
        st.builds(
            Lifetime,
            of=st.sampled_from(["bodies", "cases"]),
            ageing_months=st.integers(1, 99),
            old_months=st.integers(100, 200),
            layer=st.sampled_from(["", "police", "watch"]),
            form=st.sampled_from(["", "station", "sector"]),
        ),
        max_size=6,
    ),
    layer=st.sampled_from(["police", "watch"]),
    form=st.sampled_from(["station", "sector"]),
)
def test_the_rule_that_names_most_wins_the_last_of_several(rules, layer, form):
    found = freshness.lifetime(rules, of="bodies", layer=layer, form=form)

    fitting = [r for r in rules if r.of == "bodies" and r.layer in ("", layer) and r.form in ("", form)]
    most = max((bool(r.layer) + bool(r.form) for r in fitting), default=0)
    wanted = [r for r in fitting if bool(r.layer) + bool(r.form) == most]
    assert found == (wanted[-1] if wanted else Lifetime("bodies", 24, 72))


DAMAGES = {
    "a layer that is none": {"layer": "fire"},
    "a kind of fact that is none": {"of": "roads"},
    "no beginning": {"ageing_months": None},
    "steps that go back": {"old_months": 6},
    "an expiry before the work": {"expires_months": 48},
    "half a month": {"ageing_months": 1.5},
    "an unknown part": {"years": 3},
    "no weight": {"importance": 0},
    "a form that is none": {"form": "x"},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_rule_is_told_by_its_number(tmp_path, damage):
    rule = {"of": "bodies", "ageing_months": 24, "old_months": 72, "expires_months": 96}
    assert catalog.read_instance(make.an_instance(tmp_path / "right", freshness=[rule])).freshness == (
        Lifetime(**rule),
    )

    with pytest.raises(BadInstance) as caught:
        catalog.read_instance(make.an_instance(tmp_path / "wrong", freshness=[{**rule, **damage}]))

    assert [problem.what.startswith("freshness, rule 1: ") for problem in caught.value.problems] == [True]
    assert all(problem.remedy for problem in caught.value.problems)


def test_rules_that_are_no_list_are_told(tmp_path):
    with pytest.raises(BadInstance, match="1 problems"):
        catalog.read_instance(make.an_instance(tmp_path, freshness={"of": "bodies"}))


# --- Confirmations


def a_world(session):
    edition = make.an_edition(session, "villages", loaded_at="2020-01-01T00:00:00Z")
    make.a_body(session, key="b", layer="villages", as_of="2012-05", edition=edition, digest="1")
    make.a_case(session, key="c", as_of="2013", edition=edition)
    make.a_practice(session, key="p", as_of="2014", edition=edition)
    make.an_area(session, code="01", as_of="2015", edition=edition)
    make.a_count(session, key="n", as_of="2016", edition=edition)


READ = {
    "body": ("b", lambda s: places.body(s, "b", as_of=TODAY).source.confirmed),
    "case_study": ("c", lambda s: practices.case(s, "c").confirmed),
    "practice": ("p", lambda s: practices.practice(s, "p").confirmed),
    "area": ("county:01", lambda s: places.area(s, "county", "01", as_of=TODAY).source.confirmed),
    "count": ("n", lambda s: places.counts(s, as_of=TODAY)[0].source.confirmed),
}


def confirm(session, table, key, *, day=TODAY, now=NOW, **changes):
    about = {"by": "account", "label": "steward", **changes}
    confirmations.confirm(session, table, key, day=day, now=now, **about)


@pytest.mark.parametrize("table", READ)
def test_a_confirmation_is_read_with_the_fact_and_changes_nothing_else(session, table):
    a_world(session)
    key, read = READ[table]
    before = make.everything(session)

    confirm(session, table, key)

    after = make.everything(session)
    assert {name for name in after if after[name] != before[name]} == {"confirmation", "revision"}
    assert read(session) == "2026-11-22"
    assert [other(session) for name, (_, other) in READ.items() if name != table] == [""] * 4
    assert places.revisions(session)["villages"] == 1


def test_what_a_fact_says_later_has_not_been_confirmed(session):
    a_world(session)
    confirm(session, "body", "b")
    later = make.an_edition(session, "villages")
    session.query(Body).filter_by(key="b").one().retired_in = later
    make.a_body(session, key="b", layer="villages", as_of="2011", edition=later, digest="2")

    source = places.body(session, "b", as_of=TODAY).source

    assert (source.as_of, source.confirmed) == ("2011", "")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"table": "body", "key": "nobody"}, confirmations.FactNotFound),
        ({"table": "revision", "key": "b"}, confirmations.FactNotFound),
        ({"table": "body", "key": "b", "by": "rumour"}, confirmations.FactNotFound),
        ({"table": "body", "key": "b", "day": TODAY + timedelta(days=1)}, confirmations.NotYet),
    ],
)
def test_nothing_unknown_or_to_come_can_be_confirmed(session, asked, error):
    a_world(session)

    with pytest.raises(error):
        confirm(session, **asked)

    assert make.everything(session)["confirmation"] == []


moments = st.integers(0, 180_000_000).map(lambda seconds: NOW - timedelta(seconds=seconds))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(st.tuples(moments, st.integers(0, 900)), max_size=5).map(sorted),
    at=moments,
    today=days,
)
def test_at_every_moment_only_the_confirmations_of_then_are_known(session, said, at, today):
    rule = Lifetime("bodies", 12, 24, 36)
    with make.undone(session):
        a_world(session)
        for moment, ago in said:
            day = moment.date() - timedelta(days=ago)
            confirm(session, "body", "b", day=day, now=moment)
        store.look_back(session, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        try:
            source = places.body(session, "b", as_of=TODAY).source
        finally:
            del session.info["known"], session.info["confirmed"]

    then = [(moment.date() - timedelta(days=ago)).isoformat() for moment, ago in said if moment <= at]
    assert source.confirmed == max(then, default="")
    age = freshness.age(source.as_of, source.confirmed, rule, today=today)
    assert age.state == told("2012-05", max(then, default=""), rule, today)


# --- The list of work

RULES = (
    Lifetime("bodies", 12, 24, 36),
    Lifetime("bodies", 12, 24, 36, layer="police", importance=3),
    Lifetime("counts", 12, 24),
)


def test_the_list_begins_with_what_is_overdue_longest_times_what_matters(session, tmp_path):
    instance = catalog.read_instance(make.an_instance(tmp_path, freshness=[]))
    instance = type(instance)(**{**vars(instance), "freshness": RULES})
    edition = make.an_edition(session)
    for key, layer, as_of in (
        ("fresh", "villages", "2026-10"),
        ("late", "villages", "2020-11-22"),
        ("urgent", "police", "2022-11-22"),
        ("unknown", "villages", ""),
    ):
        make.a_body(session, key=key, layer=layer, as_of=as_of, county="01", edition=edition)
    gone = make.a_body(session, key="gone", as_of="2026-10", source_url="https://x.test/", edition=edition)
    session.add(LinkCheck(url=gone.source_url, checked_at="2026", outcome="gone", failures=0))
    session.flush()

    found = worklist.items(session, instance, as_of=TODAY, today=TODAY)

    assert [(one.key, one.age.state, one.is_work) for one in found] == [
        ("urgent", "expired", True),
        ("late", "expired", True),
        ("unknown", "undated", True),
        ("gone", "new", True),
        ("fresh", "new", False),
    ]
    assert found[0].overdue_days == (TODAY - date(2024, 11, 22)).days
    assert found[0].weight == 3 * found[0].overdue_days
    tallied = worklist.tally(found, "county")
    assert {row.key: (row.states["expired"], row.states["undated"], row.total) for row in tallied} == {
        "01": (2, 1, 4),
        "": (0, 0, 1),
    }


def test_of_several_confirmations_the_latest_day_counts(session):
    a_world(session)
    confirm(session, "body", "b", day=date(2020, 2, 2))
    confirm(session, "body", "b", day=date(2019, 2, 2))

    assert READ["body"][1](session) == "2020-02-02"
