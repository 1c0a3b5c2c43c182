"""Things by their names, with letters folded and slips of the pen forgiven."""

import unicodedata
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import search
from layers.geo import Place
from layers.letters import fold
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


# --- Letters, other scripts and slips


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Põhja-Sakala", "pohja sakala"),
        ("ŠÜÜTAŽ", "suutaz"),
        ("Tyri", "turi"),
        ("Тарту", "tartu"),
        ("Хаапсалу", "haapsalu"),
        ("Йыхви", "johvi"),
        ("Алайыэ", "alajoe"),
        ("Вяйке-Маарья", "vaike maarja"),
        ("Ярве", "jarve"),
        ("Вильянди", "viljandi"),
        ("Хийумаа", "hiiumaa"),
        ("Мяэ", "mae"),
        ("Щ ъ", "sts"),
    ],
)
def test_letters_are_compared_bare_and_latin(typed, folded):
    assert fold(typed) == folded
    assert fold(unicodedata.normalize("NFD", typed)) == folded


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


TOWNS = ("Tartu linn", "Haapsalu linn", "Türi linn", "Tori alevik", "Kohtla-Järve linn", "Ülenurme alevik")


@pytest.fixture
def towns(session):
    """Towns, the name as the key, the largest first."""
    for size, name in enumerate(reversed(TOWNS), start=1):
        make.a_settlement(session, key=name, name=name, population=1000 * size)
    return session


@pytest.mark.parametrize(
    ("text", "town"),
    [
        ("Хаапсалу", "Haapsalu linn"),
        ("Юленурме", "Ülenurme alevik"),
        ("Tyri", "Türi linn"),
        ("Haapslu", "Haapsalu linn"),
        ("haapsaul", "Haapsalu linn"),
        ("Hapsal", "Haapsalu linn"),
        ("tratu", "Tartu linn"),
        ("linn tartu", "Tartu linn"),
        ("kohtlajarve", "Kohtla-Järve linn"),
        ("khotlajarve", "Kohtla-Järve linn"),
        ("kohtla jarbe", "Kohtla-Järve linn"),
        ("ülenurmw", "Ülenurme alevik"),
        ("haapsl", "Haapsalu linn"),
    ],
)
def test_a_town_is_found_however_it_is_typed(towns, text, town):
    assert found(towns, text)[0] == ("settlement", town)


def test_a_name_of_few_letters_is_not_forgiven(towns):
    make.a_settlement(towns, key="Abe", name="Abe")

    assert found(towns, "abe") == [("settlement", "Abe")]
    assert found(towns, "abx") == []


def test_fewer_slips_come_first(towns):
    make.a_settlement(towns, key="Haapu", name="Haapu küla", population=9_000_000)

    assert [key for _, key in found(towns, "haapslu")] == ["Haapsalu linn", "Haapu"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_one_slip_in_a_long_name_is_always_forgiven(towns, data):
    name = data.draw(st.sampled_from([fold(town) for town in TOWNS if len(town) > 10]))
    word = name.split()[0]
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abdeghijklmnoprstuv"))
    typed = data.draw(
        st.sampled_from(
            [word[:at] + letter + word[at:], word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :]]
        )
    )
    if not (len(word) >= 5 and len(typed) >= 4):
        return

    told = {fold(key).split()[0] for _, key in found(towns, typed)}

    assert word in told


# --- Other names of a place


def test_a_municipality_or_county_beside_the_name_chooses_among_equals(names):
    make.an_area(names, kind="municipality", code="0101", names={"et": "Setomaa vald"})
    make.an_area(names, kind="municipality", code="0102", names={"et": "Mulgi vald", "ru": "Мульги"})

    assert found(names, "metsküla mulgi") == [("settlement", "12")]
    assert found(names, "mulgi metsküla") == [("settlement", "12")]
    assert found(names, "setomaa metskula") == [("settlement", "11")]
    assert [kind for kind, _ in found(names, "mulgi")] == []


def test_a_county_is_found_by_the_name_that_people_use(session):
    make.an_area(session, code="37", names={"et": "Harju maakond", "en": "Harju county"})

    assert found(session, "Harjumaa") == [("county", "37")]
    assert found(session, "Харьюмаа") == [("county", "37")]


def told(session, text, as_of=DAY):
    names = search.index(session, ["municipality"], as_of=as_of)
    return [
        (hit.key, next(iter(hit.names.values())), next(iter(hit.now.values()), ""), hit.since)
        for hit in search.find(names, text)
    ]


def test_a_former_municipality_leads_to_today_s(session):
    make.an_area(
        session,
        kind="municipality",
        code="0130",
        names={"et": "Alutaguse vald"},
        facts={"formed_from": "Iisaku vald; Alutaguse vald"},
        valid_from="2017-10",
    )
    make.a_settlement(session, key="200", name="Iisaku alevik")

    assert told(session, "Iisaku vald") == [("0130", "Iisaku vald", "Alutaguse vald", "2017-10")]
    assert [key for key, *_ in told(session, "iisaku")] == ["200", "0130"]
    assert told(session, "Alutaguse vald") == [("0130", "Alutaguse vald", "", "")]


@pytest.fixture
def merged(session):
    """Toila, itself once made of Kohtla and Toila, became a part of Jõhvi in October 2025."""
    facts = {"formed_from": "Kohtla vald; Toila vald"}
    make.an_area(
        session, kind="municipality", code="0803", names={"et": "Toila vald"}, facts=facts, valid_to="2025-10"
    )
    make.an_area(session, kind="municipality", code="0251", names={"et": "Jõhvi vald"}, valid_to="2025-10")
    facts = {"formed_from": "Jõhvi vald; Toila vald"}
    make.an_area(
        session,
        kind="municipality",
        code="0251",
        names={"et": "Jõhvi vald"},
        facts=facts,
        valid_from="2025-10",
    )
    return session


def test_what_joined_twice_leads_to_what_is_there_today(merged):
    assert told(merged, "toila") == [("0251", "Toila vald", "Jõhvi vald", "2025-10")]
    assert told(merged, "kohtla") == [("0251", "Kohtla vald", "Jõhvi vald", "2025-10")]
    assert told(merged, "jõhvi") == [("0251", "Jõhvi vald", "", "")]


def test_on_an_earlier_day_what_was_there_is_told_itself(merged):
    assert told(merged, "toila", as_of=date(2024, 1, 1)) == [("0803", "Toila vald", "", "")]
    assert told(merged, "kohtla", as_of=date(2024, 1, 1)) == [("0803", "Kohtla vald", "Toila vald", "")]


@pytest.mark.parametrize("text", ["", "x", "rouge", "Тарту", "a b c d", "\u202e", "'; --", "%", "İ", "ß"])
def test_an_empty_country_has_no_hits(session, text):
    assert found(session, text) == []


# --- Coordinates


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
        ("58°22'40\"N 26°43'10\"E", Place(lat=58.37778, lon=26.71944)),
        ("58°22′40″N, 26°43′10″E", Place(lat=58.37778, lon=26.71944)),
        ("58°22'40''n26°43'10''e", Place(lat=58.37778, lon=26.71944)),
        ("26°43'10\"E 58°22'40\"N", Place(lat=58.37778, lon=26.71944)),
        ("58° 22' 40\" 26° 43' 10\"", Place(lat=58.37778, lon=26.71944)),
        ("N58°22.667' E26°43.167'", Place(lat=58.37778, lon=26.71944)),
        ("58.38N 26.72E", Place(lat=58.38, lon=26.72)),
        ("N58.38, E26.72", Place(lat=58.38, lon=26.72)),
        ("33°52'S 18°25'W", Place(lat=-33.86667, lon=-18.41667)),
        ("58°60'N 26°43'E", None),
        ("58°22'40\"N 26°43'60\"E", None),
        ("58°22'N 26°43'N", None),
        ("-58°22'S 26°43'E", None),
        ("91°N 26°E", None),
        ("N 58 N, E 26 E", None),
        ("58° 26°", None),
    ],
)
def test_two_numbers_name_a_place(text, place):
    told = search.coordinates(text, srid=3301)

    if place is None:
        assert told is None
    else:
        assert (told.lat, told.lon) == pytest.approx((place.lat, place.lon), abs=2e-4)
