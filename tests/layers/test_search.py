"""Things by their names, with letters folded and slips of the pen forgiven."""

from datetime import date

import pytest

from layers import search
from layers.geo import Place
from tests import make

DAY = date(2026, 11, 22)


def found(session, text, **limits):
    names = search.index(session, ["county"], as_of=DAY)
    return [(hit.kind, hit.key) for hit in search.find(names, text, **limits)]


@pytest.fixture
def names(session):
    """A county, three settlements, an organisation, a case and a practice."""
    make.an_area(session, code="01", names={"et": "Rõuge maakond", "en": "Rõuge county"})
    make.a_settlement(session, key="10", name="Rõuge alevik", population=400)
    make.a_settlement(session, key="11", name="Metsküla", municipality="0101")
    make.a_settlement(session, key="12", name="Metsküla", municipality="0102")
    make.a_body(session, key="pritsimehed", name="Rõuge Priitahtlikud Pritsimehed")
    make.a_practice(session, key="alpha", titles={"et": "Öine valve", "en": "Night watch"})
    make.a_case(session, key="lugu", titles={"et": "Obinitsa lugu", "en": "The Obinitsa case"})
    return session


@pytest.mark.parametrize("text", ["Rõuge", "rouge", "  ROUGE ", "röuge"])
def test_letters_are_folded_and_whole_names_come_first(names, text):
    assert found(names, text) == [("county", "01"), ("settlement", "10"), ("body", "pritsimehed")]


def test_names_that_repeat_are_all_told(names):
    assert found(names, "metsküla") == [("settlement", "11"), ("settlement", "12")]


def test_a_word_inside_a_name_is_enough(names):
    assert found(names, "pritsi") == [("body", "pritsimehed")]


@pytest.mark.parametrize("text", ["night watch", "öine valve"])
def test_a_thing_is_found_in_every_language_and_told_once(names, text):
    assert found(names, text) == [("practice", "alpha")]


def test_a_slip_of_the_pen_is_forgiven_where_nothing_fits(names):
    assert found(names, "Obinitza lugu") == [("case", "lugu")]
    assert found(names, "xqzv") == []


@pytest.mark.parametrize("text", ["", "   ", "-", "…"])
def test_no_letters_find_nothing(names, text):
    assert found(names, text) == []


def test_there_are_no_more_hits_than_wanted(names):
    assert found(names, "rouge", most=1) == [("county", "01")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("58.38, 26.72", Place(lat=58.38, lon=26.72)),
        ("58.38 26.72", Place(lat=58.38, lon=26.72)),
        ("6474000 659000", Place(lat=58.37748, lon=26.71841)),
        ("659000, 6474000", Place(lat=58.37748, lon=26.71841)),
        ("95, 26", None),
        ("58.38", None),
        ("Tartu 1, 2", None),
    ],
)
def test_two_numbers_name_a_place(text, place):
    told = search.coordinates(text, srid=3301)

    if place is None:
        assert told is None
    else:
        assert (told.lat, told.lon) == pytest.approx((place.lat, place.lon), abs=2e-4)
