"""What readers suggest waits for a steward, holds no contact, and is forgotten where it is declined."""

from datetime import UTC, datetime, timedelta

import pytest

from layers import suggestions
from layers.confirmations import FactNotFound
from layers.model import Suggestion
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def suggest(session, text="The depot has closed.", **changes):
    about = {"kind": "body", "key": "b", "field": "ended", "now": NOW, **changes}
    suggestions.suggest(session, about.pop("kind"), about.pop("key"), text=text, **about)


@pytest.fixture
def world(session):
    make.a_body(session, key="b")
    return session


def test_a_suggestion_waits_the_oldest_first(world):
    suggest(world, "Second", now=NOW + timedelta(days=1))
    suggest(world, "  First\r\nline ")

    assert [(one.kind, one.key, one.field, one.text) for one in suggestions.waiting(world)] == [
        ("body", "b", "ended", "First\nline"),
        ("body", "b", "ended", "Second"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Write to juhan@selts.ee",
        "juhan (at) no, juhan @ selts",
        "Call +372 5123 4567",
        "Call 5123 4567",
        "Helista 51-23-45-67",
        "tel 44 555",
        "Isikukood 38001010000",
        "(056) 123 45 67",
    ],
)
def test_contacts_are_refused(world, text):
    with pytest.raises(suggestions.HasContact):
        suggest(world, text)

    assert suggestions.waiting(world) == []


@pytest.mark.parametrize(
    "text", ["Closed on 2024-05-01.", "Suleti 01.05.2024", "From 2019 to 2024 and 112", "120 000 people"]
)
def test_dates_and_numbers_are_no_contacts(world, text):
    suggest(world, text)

    assert [one.text for one in suggestions.waiting(world)] == [text]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"text": " \n "}, suggestions.NothingSaid),
        ({"text": "x" * 1001}, suggestions.TooLong),
        ({"key": "nobody"}, FactNotFound),
        ({"kind": "edition"}, FactNotFound),
        ({"field": "colour"}, FactNotFound),
    ],
)
def test_what_cannot_be_used_is_refused(world, changes, error):
    with pytest.raises(error):
        suggest(world, **changes)

    assert make.everything(world)["suggestion"] == []


def test_one_place_may_suggest_ten_times_a_day(world):
    for _ in range(10):
        suggest(world, sender="a")

    with pytest.raises(suggestions.TooMany):
        suggest(world, sender="a")
    suggest(world, sender="b")
    suggest(world, sender="a", now=NOW + timedelta(days=1))
    assert len(suggestions.waiting(world)) == 12


def decided(world):
    row = world.query(Suggestion).one()
    return row.state, row.text, row.reason, row.sender, row.decided_by, row.decided_at


@pytest.mark.parametrize(
    ("state", "reason", "kept"),
    [("accepted", "", "The depot has closed."), ("declined", "It is open: seen today.", "")],
)
def test_a_decision_is_written_once_and_forgets_the_sender(world, state, reason, kept):
    suggest(world, sender="a")
    number = suggestions.waiting(world)[0].id

    suggestions.decide(world, number, state=state, by="steward", now=NOW, reason=reason)

    assert decided(world) == (state, kept, reason, "", "steward", "2026-11-22T08:00:00Z")
    assert suggestions.waiting(world) == []
    with pytest.raises(suggestions.Decided):
        suggestions.decide(world, number, state="accepted", by="steward", now=NOW)


def test_declining_needs_a_reason_without_contacts(world):
    suggest(world)
    number = suggestions.waiting(world)[0].id

    for reason, error in ((" ", suggestions.NoReason), ("ask a@b.ee", suggestions.HasContact)):
        with pytest.raises(error):
            suggestions.decide(world, number, state="declined", by="steward", now=NOW, reason=reason)
    with pytest.raises(suggestions.SuggestionNotFound):
        suggestions.decide(world, 0, state="accepted", by="steward", now=NOW)

    assert len(suggestions.waiting(world)) == 1
