"""Trainings: the page tells past from coming, and the calendar is read back."""

from datetime import UTC, date, datetime

import pytest
from icalendar import Calendar

from tests import make
from tests.webmap import site
from tests.webmap.site import look

LONG = "Väga pikk nimi; komadega, ja \\ kaldkriipsuga: " + "õ" * 200
EVENTS = [
    {"key": "gone", "title_et": "Möödas", "begins": "2020-05-04", "status": "past"},
    {"key": "unsure", "title_et": "Kuulutatud", "begins": "2021-05-04", "status": "planned"},
    {"key": "month", "title_et": "Kuu", "begins": "2027-03"},
    {"key": "days", "title_et": LONG, "begins": "2027-02-01", "ends": "2027-02-03", "place": "Saal, 1; Küla"},
    {
        "key": "evening",
        "title_et": "Õhtu",
        "begins": "2027-01-10T18:00+02:00",
        "ends": "2027-01-10T20:30+02:00",
        "practices": "alpha",
        "parties": "police",
    },
]


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    folder = make.a_told_instance(tmp_path_factory.mktemp("trainings") / "tiny", EVENTS)
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


def entries(answer):
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    return {str(one["uid"]).split("@")[0]: one for one in Calendar.from_ical(answer.data).walk("VEVENT")}


def test_the_calendar_says_again_what_the_table_says(visitor):
    found = entries(visitor.get("/et/trainings.ics"))

    assert set(found) == {"gone", "unsure", "days", "evening"}
    assert (found["days"].decoded("dtstart"), found["days"].decoded("dtend")) == (
        date(2027, 2, 1),
        date(2027, 2, 4),
    )
    assert (str(found["days"]["summary"]), str(found["days"]["location"])) == (LONG, "Saal, 1; Küla")
    assert found["evening"].decoded("dtstart") == datetime(2027, 1, 10, 16, tzinfo=UTC)
    assert found["evening"].decoded("dtend") == datetime(2027, 1, 10, 18, 30, tzinfo=UTC)
    assert "dtend" not in found["gone"]


def test_every_line_of_the_calendar_has_at_most_75_bytes(visitor):
    lines = visitor.get("/et/trainings.ics").data.split(b"\r\n")

    assert max(map(len, lines)) <= 75
    assert lines[0] == b"BEGIN:VCALENDAR"


def test_each_training_has_a_calendar_of_its_own_and_one_without_a_day_says_why(visitor):
    found = entries(visitor.get("/et/trainings/evening.ics"))
    refused = visitor.get("/en/trainings/month.ics")

    assert set(found) == {"evening"}
    assert (refused.status_code, "tells no day" in refused.text) == (404, True)
    assert visitor.get("/et/trainings/none.ics").status_code == 404


def test_the_same_data_have_the_same_calendar(visitor):
    first, second = (visitor.get("/et/trainings.ics") for _ in range(2))

    assert first.data == second.data
    assert (
        visitor.get("/et/trainings.ics", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    )


def test_what_is_to_come_stands_before_what_was(visitor):
    # The clock of the server goes on, so the day is asked for.
    page = look(visitor, "/en/trainings/?as_of=2026-11-22")
    coming, past = page.text.split("Hold one yourself")

    assert [title in coming for title in ("Õhtu", "Kuu", "Möödas", "Kuulutatud")] == [
        True,
        True,
        False,
        False,
    ]
    assert coming.index("Õhtu") < coming.index("Väga pikk") < coming.index("Kuu")
    assert "10 January 2027 at 18:00–20:30" in coming
    assert past.count("whether it was held our sources do not tell") == 1
    assert past.index("Kuulutatud") < past.index("whether it was held") < past.index("Möödas")


def test_estonia_has_nothing_to_come_and_says_so_with_all_its_guides_as_material(client):
    page = look(client, "/en/trainings/?as_of=2026-11-22")

    assert "No training is announced in our sources. You can hold one yourself" in page.text
    slides = {link for link in page.links if link.split("?")[0].endswith("/slides")}
    assert len(slides) == 27
    assert any(link.startswith("/en/trainings/guide-presentation-2016.ics") for link in page.links)
