"""Estonia as the repository holds it: it loads, it is whole, and every fact says where it comes from."""

import csv
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date

import pytest

from layers import catalog, geo, imports, places, practices, store
from layers.geo import Place
from layers.sources import instance as sources
from tests import make

TODAY = date(2026, 11, 22)
DIVISION = date(2018, 9, 1)  # The day of which the codes and areas speak; Toila ended in 2025.
CLOSED = date(2012, 5, 16)
CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.\w{2,}|\+372[ \d-]{6,}|\btel(?:efon)?[.:]? *\d", re.IGNORECASE)


@pytest.fixture(scope="module")
def loaded(estonia, tmp_path_factory):
    """A store that holds Estonia."""
    engine = store.open_store(f"sqlite:///{tmp_path_factory.mktemp('estonia') / 'store.sqlite'}")
    imports.load(engine, estonia, now=make.moment(TODAY))
    yield engine
    engine.dispose()


@pytest.fixture
def asking(loaded, estonia):
    """A session on the store that holds Estonia."""
    with store.reading(loaded, srid=estonia.metric_crs) as session:
        yield session


HELPERS = {"names.csv"}  # Words for scripts/build_geodata.py: no facts, and no resource of the package.


def tables(estonia):
    """Every CSV file of facts with its rows."""
    for file in sorted(estonia.folder.rglob("*.csv")):
        if file.name in HELPERS:
            continue
        with file.open(encoding="utf-8-sig", newline="") as stream:
            yield file, list(csv.DictReader(stream))


# --- What is there


def test_every_layer_has_the_organisations_that_were_collected(asking):
    everyone = places.bodies(asking, as_of=TODAY) + places.bodies(asking, as_of=date(2012, 1, 1))

    assert Counter(body.layer for body in {body.key: body for body in everyone}.values()) == {
        "police": 27,
        "villages": 52,
        "watch": 38,
        "rescue": 78,
    }


def test_there_are_49_cases_and_at_least_25_practices(asking):
    assert len(practices.cases(asking, as_of=TODAY)) == 49
    assert len(practices.practices(asking, as_of=TODAY)) >= 25


def test_there_are_15_counties_and_79_municipalities(asking):
    counties = places.areas(asking, "county", as_of=DIVISION)
    municipalities = places.areas(asking, "municipality", as_of=DIVISION)

    assert (len(counties), len(municipalities)) == (15, 79)
    assert {area.names.get("et") for area in counties} >= {"Harju maakond", "Hiiu maakond"}


@pytest.mark.postgis
@pytest.mark.slow
def test_estonia_is_the_same_on_both_stores(estonia, asking, postgis):
    url = postgis.create()
    engine = store.open_store(url)
    try:
        imports.load(engine, estonia, now=make.moment(TODAY))
        with store.reading(engine, srid=estonia.metric_crs) as session:
            on_server = make.everything(session)
            bodies = places.bodies(session, as_of=TODAY)
    finally:
        engine.dispose()
        postgis.drop(url)

    assert on_server == make.everything(asking)
    assert bodies == places.bodies(asking, as_of=TODAY)


def test_loading_estonia_again_does_nothing(loaded, estonia):
    assert imports.load(loaded, estonia, now=make.moment(TODAY)) == []


# --- When it was so


def closed_units(session, day):
    return [
        body.key for body in places.bodies(session, as_of=day, layer="rescue") if body.form == "state_closed"
    ]


def test_the_nine_closed_state_units_show_until_the_day_before_they_closed(asking):
    before = closed_units(asking, date(2012, 5, 15))

    assert len(before) == 9
    assert closed_units(asking, CLOSED) == []
    assert {places.body(asking, key, as_of=CLOSED).valid_to for key in before} == {"2012-05-16"}


# --- How it hangs together


def test_every_case_leads_to_a_practice_and_back(asking):
    for case in practices.cases(asking, as_of=TODAY):
        assert case.practices
        for documented in case.practices:
            assert practices.practice(asking, documented.practice).key == documented.practice
            back = practices.cases(asking, as_of=TODAY, practice=documented.practice)
            assert case.key in [other.key for other in back]


def test_every_case_leads_to_its_bodies_and_areas_and_back(asking):
    for case in practices.cases(asking, as_of=TODAY):
        for key in case.bodies:
            assert places.body(asking, key, as_of=TODAY).key == key
            assert case.key in [c.key for c in practices.cases(asking, as_of=TODAY, body=key)]
        for key in case.areas:
            kind, code = key.split(":")
            assert places.area(asking, kind, code, as_of=TODAY).key == key


def test_every_link_in_a_text_leads_somewhere(asking):
    cases, known = practices.cases(asking, as_of=TODAY), practices.practices(asking, as_of=TODAY)
    there = {f"case:{case.key}" for case in cases} | {f"practice:{practice.key}" for practice in known}

    links = {
        link
        for item in (*cases, *known)
        for text in item.texts.values()
        for link in re.findall(r"\]\(((?:case|practice):[^)\s]+)\)", text)
    }

    assert links
    assert sorted(links - there) == []


def test_every_placed_body_lies_in_the_land_and_most_in_their_county(asking):
    placed = [body for body in places.bodies(asking, as_of=TODAY) if body.place]
    counties = {
        body.key: [a.code for a in places.areas_at(asking, body.place, as_of=TODAY) if a.kind == "county"]
        for body in placed
    }

    # Borders are approximate, so that a point by the sea or a border may miss its county.
    at_home = [body for body in placed if not body.county or body.county in counties[body.key]]
    assert len(placed) > 150
    assert len(at_home) / len(placed) > 0.95


def test_codes_of_settlements_and_counties_are_those_of_the_gazetteer(asking):
    bodies = places.bodies(asking, as_of=TODAY)
    towns = {town.key: town for town in places.settlements(asking, as_of=TODAY)}
    counties = {area.code for area in places.areas(asking, "county", as_of=DIVISION)}
    municipalities = {area.code for area in places.areas(asking, "municipality", as_of=DIVISION)}

    assert sorted({b.settlement for b in bodies} - {""} - set(towns)) == []
    assert sorted({b.county for b in bodies} - {""} - counties) == []
    assert sorted({b.municipality for b in bodies} - {""} - municipalities) == []


# --- Honest data


def test_no_file_holds_a_private_contact(estonia):
    found = [
        f"{file.relative_to(estonia.folder)}: {contact.group()}"
        for file in sorted(estonia.folder.rglob("*"))
        if file.suffix in (".csv", ".md", ".yaml", ".json")
        for contact in CONTACT.finditer(file.read_text(encoding="utf-8"))
    ]

    assert CONTACT.search("jaan@example.ee")
    assert CONTACT.search("tel 5551234")
    assert found == []


def test_every_row_has_a_source(estonia):
    without = [
        f"{source.resource.name} {row.key}"
        for source in sources.read(estonia)
        for row in source.rows
        if not row.values["source"].strip()
    ]
    in_tables = [
        f"{file.name}, row {number}"
        for file, rows in tables(estonia)
        for number, row in enumerate(rows, start=1)
        if not row.get("source", "").strip()
    ]

    assert without == []
    assert in_tables == []


def test_a_helper_table_is_no_resource_and_brings_no_facts(estonia):
    read = {resource.path.name for resource in estonia.resources.values()}

    assert {file.name for file in estonia.folder.rglob("*.csv")} - read == HELPERS
    for file in estonia.folder.rglob("names.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            assert next(csv.reader(stream)) == ["kind", "code", "name_ru"]


def test_every_edition_has_a_source_and_a_licence(asking):
    without = [
        edition.name for edition in places.editions(asking) if not (edition.source and edition.licence)
    ]

    assert len(places.editions(asking)) >= 10
    assert without == []


def test_every_point_says_how_exact_it_is(asking):
    placed = [*places.bodies(asking, as_of=TODAY), *practices.cases(asking, as_of=TODAY)]

    assert [item.key for item in placed if bool(item.place) != bool(item.precision)] == []


def test_every_point_lies_in_the_bounds(asking, estonia):
    west, south, east, north = estonia.bounds
    placed = [*places.bodies(asking, as_of=TODAY), *practices.cases(asking, as_of=TODAY)]

    outside = [
        item.key
        for item in placed
        if item.place and not (west <= item.place.lon <= east and south <= item.place.lat <= north)
    ]

    assert outside == []


def test_dates_are_not_in_the_future(asking):
    items = [*places.bodies(asking, as_of=TODAY), *practices.cases(asking, as_of=TODAY)]
    dates = [
        (item.key, getattr(item, "as_of", "") or item.sources[0]["date"])
        for item in items
        if hasattr(item, "as_of")
    ]
    dates += [(item.key, item.source.as_of) for item in items if hasattr(item, "source")]

    assert len(dates) == len(items)
    assert [(key, day) for key, day in dates if day > TODAY.isoformat()] == []


# --- Two languages


def test_every_note_case_and_practice_is_there_in_its_languages(asking):
    lacking = [
        f"note of {body.key}"
        for day in (TODAY, date(2012, 1, 1))
        for body in places.bodies(asking, as_of=day)
        if body.notes and set(body.notes) != {"et", "en"}
    ]
    for item in (*practices.cases(asking, as_of=TODAY), *practices.practices(asking, as_of=TODAY)):
        # Russian readers get titles and summaries; the whole text is Estonian and English.
        for words, wanted in (
            (item.titles, {"et", "en", "ru"}),
            (item.summaries, {"et", "en", "ru"}),
            (item.texts, {"et", "en"}),
        ):
            if {language for language, text in words.items() if text.strip()} != wanted:
                lacking.append(item.key)
    for case in practices.cases(asking, as_of=TODAY):
        for documented in case.practices:
            if documented.adaptation and set(documented.adaptation) != {"et", "en"}:
                lacking.append(f"{case.key}, adaptation of {documented.practice}")

    assert lacking == []


def test_every_label_is_there_in_both_languages(estonia):
    words = {
        f"{group}.{code}": said for group, codes in estonia.codes.items() for code, said in codes.items()
    }
    words |= {f"layer {layer.key}": layer.label for layer in estonia.layers}
    words |= {f"about {layer.key}": layer.about for layer in estonia.layers}

    assert len(words) > 60
    assert [where for where, said in words.items() if not {"et", "en"} <= set(said)] == []


def test_every_code_that_is_used_has_a_label(asking, estonia):
    used = Counter(body.form for body in places.bodies(asking, as_of=TODAY))

    assert sorted(set(used) - set(estonia.codes["forms"])) == []


# --- An open data package


@pytest.mark.slow
def test_frictionless_finds_the_data_package_valid(estonia):
    # In a process of its own: it warns of its own dependencies, and warnings are errors here.
    line = [sys.executable, "-W", "ignore", "-m", "frictionless", "validate", "datapackage.json", "--trusted"]

    done = subprocess.run(line, cwd=estonia.folder, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "INVALID" not in done.stdout


# --- A fifth layer


def test_a_fifth_layer_is_an_entry_a_table_and_a_line(estonia, tmp_path):
    folder = tmp_path / "ee"
    shutil.copytree(estonia.folder, folder)
    entry = {
        "key": "shelters",
        "of": "bodies",
        "label": {"et": "Varjendid", "en": "Shelters"},
        "about": {"et": "Avalikud varjendid.", "en": "Public shelters."},
        "colour": "#000000",
        "symbol": "hexagon",
    }
    make.change(folder, "instance.yaml", lambda about: about["layers"].append(entry))
    shelter = {
        "key": "first-shelter",
        "name": "Esimene varjend",
        "form": "association",
        "lat": "58.38",
        "lon": "26.72",
        "precision": "settlement",
        "serves": "municipality:0793",
    }
    make.write(folder, "bodies/shelters.csv", make.bodies_csv([shelter]))
    line = make.a_resource("shelters", "bodies/shelters.csv")
    make.change(folder, "datapackage.json", lambda package: package["resources"].append(line))
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")

    try:
        imports.load(engine, catalog.read_instance(folder), now=make.moment(TODAY))
        with store.reading(engine, srid=estonia.metric_crs) as session:
            found = places.bodies(session, as_of=TODAY, layer="shelters")
            revisions = places.revisions(session)
    finally:
        engine.dispose()

    assert [(body.name, body.place, body.serves) for body in found] == [
        ("Esimene varjend", geo.Place(lon=26.72, lat=58.38), ("municipality:0793",))
    ]
    assert revisions["shelters"] == 1


def test_toila_is_a_municipality_of_its_own_until_october_2025(asking):
    toila = Place(lon=27.50, lat=59.42)

    def municipality(day):
        found = places.areas_at(asking, toila, as_of=day)
        return [area.names["et"] for area in found if area.kind == "municipality"]

    assert municipality(date(2025, 9, 30)) == ["Toila vald"]
    assert municipality(date(2025, 10, 1)) == ["Jõhvi vald"]


def test_51_municipalities_of_today_begin_in_october_2017(asking):
    def municipalities(day):
        return {area.code for area in places.areas(asking, "municipality", as_of=day)}

    eve, reform = municipalities(date(2017, 9, 30)), municipalities(date(2017, 10, 1))
    later = places.later_areas(asking, "municipality", as_of=date(2017, 9, 30))

    assert (len(eve), len(reform)) == (28, 79)
    assert eve < reform
    assert {area.code for area in later if area.valid_from == "2017-10"} == reform - eve
    assert reform - municipalities(TODAY) == {"0803"}


def test_an_area_that_only_changes_does_not_begin_later(asking):
    def later(day):
        return {area.code for area in places.later_areas(asking, "municipality", as_of=day)}

    assert len(later(date(2017, 9, 30))) == 51
    assert later(date(2017, 10, 1)) == later(date(2025, 9, 30)) == set()
