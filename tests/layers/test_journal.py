"""What the project tells of itself: entries by their days, trainings by theirs, and damaged files refused."""

from datetime import date

import pytest

from layers import catalog, journal
from layers.errors import BadInstance, EntryNotFound, EventNotFound, PageNotFound
from layers.sources import instance as sources
from tests import make


def test_entries_come_newest_first_and_none_from_the_future(session):
    for day in ("2015-12-28", "2026-12", "2016-09-26", "2015"):
        make.an_entry(session, key=f"on-{day}", day=day)

    found = journal.entries(session, as_of=date(2026, 11, 22))

    assert [one.date for one in found] == ["2016-09-26", "2015-12-28", "2015"]
    assert journal.entry(session, "on-2026-12").date == "2026-12"


def test_trainings_come_in_the_order_of_their_days(session):
    days = ("2027", "2016-09-21T16:00+03:00", "2016-09", "2016-09-21T09:00+03:00")
    for number, begins in enumerate(days):
        make.an_event(session, key=f"event-{number}", begins=begins)

    assert [one.begins for one in journal.events(session)] == [days[2], days[3], days[1], days[0]]


@pytest.mark.parametrize(
    ("begins", "ends", "is_over", "has_day"),
    [
        ("2026-11-21", "", True, True),
        ("2026-11-22", "", False, True),
        ("2026-11-22T09:00+02:00", "2026-11-22T11:00+02:00", False, True),
        ("2026-11-20", "2026-11-22", False, True),
        ("2026-11", "", False, False),
        ("2026-10", "", True, False),
        ("2026", "", False, False),
    ],
)
def test_a_training_is_over_when_its_last_day_month_or_year_has_gone_by(
    session, begins, ends, is_over, has_day
):
    make.an_event(session, key="one", begins=begins, ends=ends)

    found = journal.event(session, "one")

    assert (found.is_over(date(2026, 11, 22)), found.has_day) == (is_over, has_day)


def test_what_is_not_there_is_told(session):
    for ask, error in (
        (journal.entry, EntryNotFound),
        (journal.event, EventNotFound),
        (journal.page, PageNotFound),
    ):
        with pytest.raises(error):
            ask(session, "none-such")


def problems(folder):
    with pytest.raises(BadInstance) as raised:
        sources.read(catalog.read_instance(folder))
    return [str(problem) for problem in raised.value.problems]


def test_a_whole_journal_is_read(tmp_path):
    event = {"key": "first", "title_et": "Koolitus", "begins": "2027-02-01T18:00+02:00", "practices": "alpha"}
    folder = make.a_told_instance(tmp_path / "tiny", [event])

    found = {one.resource.name: one for one in sources.read(catalog.read_instance(folder))}

    assert found["journal"].rows[0].values["files"] == [{"name": "list.csv", "titles": {"et": "Nimekiri"}}]
    assert found["events"].rows[0].values["practices"] == ["alpha"]
    assert found["pages"].rows[0].key == "about"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"date": None}, "“date” is missing"),
        ({"date": "2015-13"}, "2015-13"),
        ({"sources": []}, "There is no source"),
        ({"files": [{"name": "none.csv"}]}, "none.csv is not there"),
        ({"files": [{"name": "../../places.csv"}]}, "is no file of the journal"),
        ({"files": [{"name": "page.html"}]}, "is no file of the journal"),
        ({"files": ["list.csv"]}, "a file is no text"),
    ],
)
def test_a_damaged_entry_is_refused_with_its_file(tmp_path, words, said):
    found = problems(make.a_told_instance(tmp_path / "tiny", **words))

    assert len(found) == 1
    assert found[0].startswith("journal/2015-12-28-start.et.md")
    assert said in found[0]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"begins": ""}, "begins is blank"),
        ({"begins": "2027-02-01 18:00"}, "A time is written with its distance to UTC"),
        ({"begins": "2027-02-30T18:00+02:00"}, "A time is written"),
        ({"ends": "2027-01-31"}, "ends (2027-01-31) before it begins"),
        ({"title_et": ""}, "title_et is blank"),
        ({"practices": "none-such"}, "the practice “none-such”"),
        ({"practices": "alpha; alpha"}, "stands there twice"),
        ({"parties": "nobody"}, "“nobody” is not a known code"),
        ({"materials": "javascript:alert(1)"}, "is no web address"),
        ({"status": "sold"}, "“sold” is not a known code"),
        ({"note_et": "Helista +372 5551 2345"}, "private contact"),
    ],
)
def test_a_damaged_training_is_refused_with_its_line(tmp_path, cells, said):
    row = {"key": "first", "title_et": "Koolitus", "begins": "2027-02-01", **cells}

    found = problems(make.a_told_instance(tmp_path / "tiny", [row]))

    assert len(found) == 1
    assert found[0].startswith("events.csv, line 2")
    assert said in found[0]


def test_another_file_of_the_journal_is_another_journal(tmp_path):
    folder = make.a_told_instance(tmp_path / "tiny")
    before = sources.checksums(catalog.read_instance(folder))["journal"]
    make.write(folder, "journal/files/list.csv", "a,b\n3,4\n")

    assert sources.checksums(catalog.read_instance(folder))["journal"] != before
