"""The history of one organisation or area: its own, and that of our knowledge of it."""

import pytest
from shapely import box

from layers import changes, store
from layers.errors import AreaNotFound, BodyNotFound
from layers.geo import Place
from tests import make

DAYS = ("2026-11-22", "2026-12-24", "2027-01-06")


@pytest.fixture
def editions(session):
    """Three editions, a month apart; by number from 1."""
    return [
        make.an_edition(session, loaded_at=f"{day}T08:00:00Z", source={"en": f"Source of {day}"})
        for day in DAYS
    ]


def told(events):
    """What happened, on which day, and which facts became what."""
    return [
        (event.what, event.day[:10], {fact.name: (fact.before, fact.after) for fact in event.facts})
        for event in events
    ]


def test_what_is_added_changed_and_taken_away_is_told_with_its_edition(session, editions):
    first, second, third = editions
    old = {"at": (24.5, 58.5), "readiness": "closed", "serves": ["county:1"], "notes": {"en": "Old"}}
    new = {"at": (24.6, 58.5), "readiness": "", "serves": ["county:1", "county:2"], "notes": {"en": "New"}}
    make.a_body(session, key="unit", edition=first, retired_in=second, name="Same", **old)
    make.a_body(session, key="unit", edition=second, retired_in=third, name="Same", **new)

    found = changes.of_body(session, "unit")

    facts = {
        "readiness": ("closed", ""),
        "notes": ({"en": "Old"}, {"en": "New"}),
        "point": (Place(lon=24.5, lat=58.5), Place(lon=24.6, lat=58.5)),
        "serves": (("county:1",), ("county:1", "county:2")),
    }
    assert told(found) == [("ended", DAYS[2], {}), ("changed", DAYS[1], facts), ("added", DAYS[0], {})]
    assert [event.edition.source["en"] for event in found] == [f"Source of {day}" for day in DAYS[::-1]]


def test_what_the_rows_tell_of_the_world_is_told_by_its_own_dates(session, editions):
    make.a_body(session, key="unit", edition=editions[0], name="Old", valid_from="2001", valid_to="2010-05")
    make.a_body(
        session, key="unit", edition=editions[0], name="New", valid_from="2010-05", valid_to="2019-01-02"
    )

    assert told(changes.of_body(session, "unit")) == [
        ("added", DAYS[0], {}),
        ("closed", "2019-01-02", {}),
        ("turned", "2010-05", {"name": ("Old", "New")}),
        ("began", "2001", {}),
    ]


def test_a_corrected_beginning_is_one_change_and_a_further_state_another(session, editions):
    first, second, third = editions
    make.a_body(session, key="unit", edition=first, retired_in=second, valid_from="2001", readiness="a")
    make.a_body(session, key="unit", edition=second, valid_from="2002", readiness="a")
    make.a_body(session, key="unit", edition=third, valid_from="2020", readiness="b")

    found = [one for one in told(changes.of_body(session, "unit")) if one[0] in ("changed", "added")]

    assert found == [
        ("changed", DAYS[2], {"readiness": ("a", "b"), "valid_from": ("2002", "2020")}),
        ("changed", DAYS[1], {"valid_from": ("2001", "2002")}),
        ("added", DAYS[0], {}),
    ]


def test_a_session_that_looks_back_sees_the_history_of_then(session, editions):
    first, second, third = editions
    make.a_body(session, key="unit", edition=first, retired_in=second, readiness="a", valid_to="2020")
    make.a_body(session, key="unit", edition=second, retired_in=third, readiness="b")
    make.a_body(session, key="later", edition=third)
    now = told(changes.of_body(session, "unit"))
    assert [what for what, *_ in now] == ["ended", "changed", "added"]

    store.look_back(session, f"{DAYS[0]}T09:00:00Z")

    assert told(changes.of_body(session, "unit")) == [("added", DAYS[0], {}), ("closed", "2020", {})]
    with pytest.raises(BodyNotFound):
        changes.of_body(session, "later")


def test_a_feed_that_looks_back_knows_nothing_of_later(session, editions):
    first, second, third = editions
    make.a_body(session, key="unit", edition=first, retired_in=second, county="01")
    make.a_body(session, key="unit", edition=second, retired_in=third, county="01")

    assert [one.what for one in changes.in_area(session, "county", "01")] == ["ended", "changed", "added"]
    store.look_back(session, f"{DAYS[1]}T09:00:00Z")
    assert [one.what for one in changes.in_area(session, "county", "01")] == ["changed", "added"]


def test_an_area_tells_its_facts_and_that_its_shape_was_redrawn(session, editions):
    first, second, _ = editions
    old = {"shape": box(24, 58, 25, 59), "facts": {"population": "100"}, "parent": "county:1"}
    new = {"shape": box(24, 58, 24.5, 59), "facts": {"population": "90"}, "parent": "county:1"}
    make.an_area(
        session, kind="municipality", code="1", edition=first, retired_in=second, valid_from="2017", **old
    )
    make.an_area(session, kind="municipality", code="1", edition=second, valid_from="2017", **new)

    (changed, added, began) = changes.of_area(session, "municipality", "1")

    facts = {fact.name: (fact.before, fact.after) for fact in changed.facts}
    assert facts["population"] == ("100", "90")
    before, after = facts.pop("area_m2")
    assert before == pytest.approx(2 * after, rel=0.01)
    assert (set(facts), added.what, began.day) == ({"population"}, "added", "2017")


def test_what_did_not_change_is_no_event(session, editions):
    first, second, third = editions
    make.a_body(session, key="unit", edition=first, retired_in=second, source_url="https://example.org/a")
    make.a_body(session, key="unit", edition=second, retired_in=third, source_url="https://example.org/b")
    make.a_body(session, key="unit", edition=third, readiness="a")

    assert [one.what for one in changes.of_body(session, "unit")] == ["changed", "added"]


def test_what_never_was_has_no_history(session):
    with pytest.raises(BodyNotFound):
        changes.of_body(session, "nobody")
    with pytest.raises(AreaNotFound):
        changes.of_area(session, "county", "99")
