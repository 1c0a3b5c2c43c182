"""Damaged files: each is refused with the file, the row and the remedy, and nothing of it is loaded."""

import re
import warnings
from datetime import date

import geopandas
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import catalog, dates, imports, store
from layers.errors import BadDate, BadInstance
from layers.sources import instance as sources
from tests import make

TODAY = date(2026, 11, 22)
POLICE, VILLAGES, PLACES = "bodies/police.csv", "bodies/villages.csv", "places.csv"
CASE, PRACTICE = "cases/first-case.et.md", "practices/beta.et.md"
COUNTIES, INSTANCE, PACKAGE = "areas/counties.geojson", "instance.yaml", "datapackage.json"


def swap(file, old, new):
    """A damage: one text in a file becomes another."""
    return lambda folder: make.replace(folder, file, old, new)


def put(file, content):
    """A damage: a file says something else altogether."""
    return lambda folder: make.write(folder, file, content)


def drop(file):
    """A damage: a file is not there."""
    return lambda folder: (folder / file).unlink()


def edit(file, change):
    """A damage to what a JSON or YAML file says."""
    return lambda folder: make.change(folder, file, change)


def front(file, change):
    """A damage to the front matter of a case or practice."""

    def damage(folder):
        _, facts, text = (folder / file).read_text(encoding="utf-8").split("---\n", 2)
        said = make.yaml.safe_load(facts)
        change(said)
        make.write(folder, file, make.a_sheet(said, text))

    return damage


def layer(number, **changes):
    """A damage to one layer of instance.yaml; None takes the part away."""

    def change(about):
        entry = {**about["layers"][number], **changes}
        about["layers"][number] = {name: value for name, value in entry.items() if value is not None}

    return edit(INSTANCE, change)


def a_county(shape, code="01"):
    properties = {"kind": "county", "code": code, "name_et": "Lääs", "accuracy": "approximate"}
    return (properties, shape)


SECOND = a_county(shapely.box(25, 58, 26, 59), "02")


def counties(*features):
    return put(COUNTIES, make.a_map(features))


def a_shapefile_without_crs(folder):
    frame = geopandas.GeoDataFrame(
        {"kind": ["county"] * 2, "code": ["01", "02"], "accuracy": ["approximate"] * 2},
        geometry=[shapely.box(24, 58, 25, 59), shapely.box(25, 58, 26, 59)],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns of just what is wanted: no coordinate system.
        frame.to_file(folder / "areas/counties.shp")
    make.replace(folder, PACKAGE, "areas/counties.geojson", "areas/counties.shp")


def counties_without_shapes(folder):
    def change(collection):
        collection["features"] = collection["features"][:1]
        collection["features"][0]["geometry"] = None

    make.change(folder, COUNTIES, change)
    make.replace(folder, POLICE, "county:01;county:02", "county:01")


def resource(name, **changes):
    """A damage to one resource of datapackage.json."""

    def change(package):
        for entry in (*package["resources"], *package["texts"]):
            if entry["name"] == name:
                entry.update(changes)

    return edit(PACKAGE, change)


def forget(name):
    """A damage: datapackage.json does not name a resource."""

    def change(package):
        for group in ("resources", "texts"):
            package[group] = [entry for entry in package[group] if entry["name"] != name]

    return edit(PACKAGE, change)


BOW_TIE = shapely.Polygon([(24, 58), (25, 59), (25, 58), (24, 59)])

# What is damaged: (damage, file, line or 0, words of what is said, words of the remedy).
DAMAGES = {
    # Tables
    "a column is missing": (
        swap(POLICE, ",precision,", ",exactness,"),
        POLICE,
        1,
        "The columns precision are missing",
        "Add them",
    ),
    "two columns are missing": (
        swap(POLICE, "lat,lon", "y,x"),
        POLICE,
        1,
        "The columns lat, lon are missing",
        "Add them",
    ),
    "semicolons part the cells": (
        swap(POLICE, "key,name,name_en", "key;name;name_en"),
        POLICE,
        1,
        "key, name are missing",
        "Add them",
    ),
    "a row has more cells": (
        swap(POLICE, "01,58.25", "01,Lääs,58.25"),
        POLICE,
        2,
        "more cells than the header",
        "between quotation marks",
    ),
    "a key has capitals": (
        swap(POLICE, "\nold-station", "\nOld-Station"),
        POLICE,
        3,
        "“Old-Station” is no key",
        "small letters",
    ),
    "a key has letters of Estonian": (
        swap(VILLAGES, "\nplaceless", "\nkülä"),
        VILLAGES,
        3,
        "“külä-village” is no key",
        "small letters",
    ),
    "a key is blank": (
        swap(POLICE, "\nold-station", "\n"),
        POLICE,
        3,
        "Column key: “” is no key",
        "small letters",
    ),
    "a key is repeated": (
        swap(VILLAGES, "\nplaceless-village", "\nfirst-village"),
        VILLAGES,
        3,
        "“first-village” stands in line 2 already",
        "another key",
    ),
    "a key is used in two layers": (
        swap(VILLAGES, "\nplaceless-village", "\nold-station"),
        VILLAGES,
        3,
        "“old-station” is used in bodies/police.csv too",
        "another key",
    ),
    "a code of a settlement is repeated": (
        swap(PLACES, "\n1003", "\n1002"),
        PLACES,
        4,
        "“1002” stands in line 3 already",
        "another key",
    ),
    "a name is blank": (
        swap(POLICE, "Vana jaoskond", ""),
        POLICE,
        3,
        "Column name: It is empty",
        "Fill it in",
    ),
    "a source is blank": (
        swap(VILLAGES, "Made up for a test", ""),
        VILLAGES,
        2,
        "Column source: It is empty",
        "Fill it in",
    ),
    "a date is Estonian": (
        swap(POLICE, "1995-05", "1.5.1995"),
        POLICE,
        3,
        "written 2018, 2018-05 or 2018-05-29",
        "Write the date so",
    ),
    "a date is not in the calendar": (
        swap(POLICE, "1995-05", "1995-02-30"),
        POLICE,
        3,
        "“1995-02-30” is not",
        "leave it blank",
    ),
    "a month is not in the calendar": (
        swap(POLICE, "1995-05", "1995-13"),
        POLICE,
        3,
        "“1995-13” is not",
        "leave it blank",
    ),
    "an inferred date says ja": (
        swap(POLICE, ",yes,", ",ja,"),
        POLICE,
        2,
        "“ja” is neither “yes” nor blank",
        "leave it blank",
    ),
    "a form is unknown": (
        swap(POLICE, "jaoskond,,station", "jaoskond,,castle"),
        POLICE,
        3,
        "“castle” is not a known code",
        "Use one of: station, association",
    ),
    "a capability is unknown": (
        swap(POLICE, "order;youth", "order;magic"),
        POLICE,
        2,
        "Column capabilities: “magic”",
        "Use one of: order, youth",
    ),
    "a readiness is unknown": (
        swap(POLICE, ",always,", ",never,"),
        POLICE,
        2,
        "Column readiness: “never”",
        "Use one of: always",
    ),
    "a precision is unknown": (
        swap(POLICE, ",municipality,,", ",house,,"),
        POLICE,
        3,
        "Column precision: “house”",
        "Use one of: settlement, municipality",
    ),
    "lat and lon are swapped": (
        swap(POLICE, "58.25,24.25", "24.25,58.25"),
        POLICE,
        2,
        "24.25, 58.25 lies outside the territory",
        "Swap lat and lon",
    ),
    "a decimal has a comma": (
        swap(POLICE, "58.25,24.25", '"58,25",24.25'),
        POLICE,
        2,
        "Column lat: “58,25” is no number",
        "decimal point",
    ),
    "a point is abroad": (
        swap(POLICE, "58.25,24.25", "48.25,11.5"),
        POLICE,
        2,
        "48.25, 11.5 lies outside the territory",
        "Check the numbers",
    ),
    "a point is not on the earth": (
        swap(POLICE, "58.25,24.25", "582.5,24.25"),
        POLICE,
        2,
        "“lat” must lie between -90 and 90",
        "degrees of WGS 84",
    ),
    "a point is metric": (
        swap(POLICE, "58.25,24.25", "6457000,550000"),
        POLICE,
        2,
        "“lon” must lie between -180 and 180",
        "degrees of WGS 84",
    ),
    "a point is not a number": (
        swap(POLICE, "58.25,24.25", "nan,24.25"),
        POLICE,
        2,
        "nan does not",
        "degrees of WGS 84",
    ),
    "only lat is given": (
        swap(POLICE, "58.25,24.25", "58.25,"),
        POLICE,
        2,
        "Only one of lat and lon",
        "Give both",
    ),
    "only lon is given": (
        swap(POLICE, "58.25,24.25", ",24.25"),
        POLICE,
        2,
        "Only one of lat and lon",
        "Give both",
    ),
    "a point has no precision": (
        swap(POLICE, ",settlement,county", ",,county"),
        POLICE,
        2,
        "The point has no precision",
        "how exact it is",
    ),
    "a settlement has no point": (swap(PLACES, "58.5,25.5", ","), PLACES, 3, "lat is blank", "needs a point"),
    "a settlement has half a point": (
        swap(PLACES, "58.5,25.5", "58.5,"),
        PLACES,
        3,
        "Only one of lat and lon",
        "Give both",
    ),
    "a population is a sentence": (
        swap(PLACES, "3400", "about 3400"),
        PLACES,
        4,
        "“about 3400” is no whole number",
        "digits only",
    ),
    "a note has an e-mail address": (
        swap(POLICE, "Open every day", "Write to jaan@example.ee"),
        POLICE,
        2,
        "Column note_en: There is a private contact",
        "Take it out",
    ),
    "a note has a telephone number": (
        swap(POLICE, "Open every day", "Ring +372 5555 1234"),
        POLICE,
        2,
        "Column note_en: There is a private contact",
        "Take it out",
    ),
    "a name has a contact": (
        swap(POLICE, "Vana jaoskond", "Vana jaoskond tel 12"),
        POLICE,
        3,
        "Column name: There is a private contact",
        "Take it out",
    ),
    "an address has no scheme": (
        swap(POLICE, "https://example.org/west", "www.example.org"),
        POLICE,
        2,
        "“www.example.org” is no web address",
        "https://",
    ),
    "an address is a script": (
        swap(POLICE, "https://example.org/west", "javascript:alert(1)"),
        POLICE,
        2,
        "is no web address",
        "https://",
    ),
    "a served area is no area": (
        swap(POLICE, "county:01;", "01;"),
        POLICE,
        2,
        "“01” is no area",
        "county:0037",
    ),
    "a served area does not exist": (
        swap(POLICE, "county:02", "county:99"),
        POLICE,
        2,
        "the area “county:99”, which does not exist",
        "Correct or remove",
    ),
    "a quotation mark stays open": (
        swap(POLICE, "Vana jaoskond", '"Vana jaoskond'),
        POLICE,
        0,
        "cannot be read as a table",
        "CSV in UTF-8",
    ),
    "a table is not UTF-8": (
        put(POLICE, "key,name\na,Õru\n".encode("latin-1")),
        POLICE,
        0,
        "cannot be read as a table",
        "CSV in UTF-8",
    ),
    "a table is empty": (
        put(PLACES, ""),
        PLACES,
        1,
        "The columns code, county, lat",
        "Add them",
    ),
    "a column is misspelt": (
        swap(POLICE, "note_en", "note_eng"),
        POLICE,
        1,
        "The columns note_eng are not known",
        "Correct their names",
    ),
    "a population is a superscript": (
        swap(PLACES, "3400", "34²"),
        PLACES,
        4,
        "“34²” is no whole number",
        "digits only",
    ),
    "an end stands before its beginning": (
        swap(POLICE, "1995-05,2012-05-16", "2012-05-16,1995-05"),
        POLICE,
        3,
        "It ends (1995-05) before it begins (2012-05-16)",
        "Correct one of the dates",
    ),
    "facts have no code": (
        swap("counties.csv", "code,", "kood,"),
        "counties.csv",
        1,
        "The columns code are missing",
        "Add them",
    ),
    "facts are not UTF-8": (
        put("counties.csv", "code,name\n01,Lääs\n".encode("latin-1")),
        "counties.csv",
        0,
        "cannot be read as a table",
        "CSV in UTF-8",
    ),
    "an area's end is no date": (
        put("counties.csv", "code,valid_to\n01,last spring\n"),
        "counties.csv",
        2,
        "Column valid_to: A date is written 2018, 2018-05 or 2018-05-29",
        "leave it blank",
    ),
    # Cases and practices
    "there is no front matter": (
        put(CASE, "# Only text\n"),
        CASE,
        1,
        "There is no front matter",
        "Begin the file with ---",
    ),
    "a text is empty": (
        put(PRACTICE, ""),
        PRACTICE,
        1,
        "There is no front matter",
        "Begin the file with ---",
    ),
    "the front matter does not end": (
        put(CASE, "---\ntitle: A\nsummary: B\n"),
        CASE,
        1,
        "There is no front matter",
        "end its facts with ---",
    ),
    "the front matter is no YAML": (
        put(CASE, "---\ntitle: [A\nsummary: B\n---\nText\n"),
        CASE,
        3,
        "The front matter cannot be read",
        "Mend the line",
    ),
    "the front matter is a list": (
        put(CASE, "---\n- A\n- B\n---\nText\n"),
        CASE,
        0,
        "“title” is missing",
        "Add it",
    ),
    "a title is missing": (
        front(CASE, lambda said: said.pop("title")),
        CASE,
        0,
        "“title” is missing",
        "Add it",
    ),
    "a summary of a translation is blank": (
        swap("cases/first-case.en.md", "summary: In short.", "summary:"),
        "cases/first-case.en.md",
        0,
        "“summary” is missing",
        "Add it",
    ),
    "the default language is missing": (
        drop(CASE),
        "cases/first-case.en.md",
        0,
        "The file first-case.et.md is missing",
        "carries the facts",
    ),
    "a case has no source": (
        front(CASE, lambda said: said.pop("sources")),
        CASE,
        0,
        "There is no source",
        "names where it is known from",
    ),
    "a practice has no source": (
        front(PRACTICE, lambda said: said.update(sources=[])),
        PRACTICE,
        0,
        "There is no source",
        "names where it is known from",
    ),
    "a source has no title": (
        front(CASE, lambda said: said["sources"][0].pop("title")),
        CASE,
        0,
        "It is empty",
        "Fill it in",
    ),
    "a source has a bad address": (
        front(CASE, lambda said: said["sources"][0].update(url="ftp://x")),
        CASE,
        0,
        "“ftp://x” is no web address",
        "https://",
    ),
    "a source has a bad date": (
        front(CASE, lambda said: said["sources"][0].update(date="juuni 2021")),
        CASE,
        0,
        "“juuni 2021” is not",
        "leave it blank",
    ),
    "a case has no practice": (
        front("cases/second-case.et.md", lambda said: said.pop("practices")),
        "cases/second-case.et.md",
        0,
        "documents no practice",
        "Name at least one",
    ),
    "a theme is unknown": (
        front(CASE, lambda said: said.update(theme="magic")),
        CASE,
        0,
        "“theme”: “magic” is not a known code",
        "Use one of: watch, patrol",
    ),
    "an outcome is missing": (
        front(CASE, lambda said: said.pop("outcome")),
        CASE,
        0,
        "“outcome”: “” is not a known code",
        "Use one of: lasted, mixed",
    ),
    "a stage is unknown": (
        front(PRACTICE, lambda said: said.update(stage="proven")),
        PRACTICE,
        0,
        "“stage”: “proven”",
        "Use one of: described, repeated",
    ),
    "an audience is unknown": (
        front(PRACTICE, lambda said: said.update(audiences=["wizards"])),
        PRACTICE,
        0,
        "“audiences”: “wizards”",
        "Use one of: police, residents",
    ),
    "a case's date is bad": (
        front(CASE, lambda said: said.update({"from": "spring 2015"})),
        CASE,
        0,
        "“from”",
        "leave it blank",
    ),
    "a case's point is not on the earth": (
        front(CASE, lambda said: said.update(lat=158.25)),
        CASE,
        0,
        "“lat” must lie between",
        "degrees of WGS 84",
    ),
    "a case's point has a comma": (
        front(CASE, lambda said: said.update(lat="58,25")),
        CASE,
        0,
        "“lat”: “58,25” is no number",
        "decimal point",
    ),
    "a case's place has a contact": (
        front(CASE, lambda said: said.update(place="tel 12")),
        CASE,
        0,
        "“place”: There is a private contact",
        "Take it out",
    ),
    "a case's area is no area": (
        front(CASE, lambda said: said.update(areas=["01"])),
        CASE,
        0,
        "“01” is no area",
        "county:0037",
    ),
    "a case's area does not exist": (
        front(CASE, lambda said: said.update(areas=["county:99"])),
        CASE,
        0,
        "the area “county:99”, which does not exist",
        "Correct or remove",
    ),
    "a case's body does not exist": (
        front(CASE, lambda said: said.update(bodies=["nobody"])),
        CASE,
        0,
        "the organisation “nobody”, which does not exist",
        "Correct or remove",
    ),
    "a case's practice does not exist": (
        front(CASE, lambda said: said.update(practices=["delta"])),
        CASE,
        0,
        "the practice “delta”, which does not exist",
        "Correct or remove",
    ),
    "a related practice does not exist": (
        front(PRACTICE, lambda said: said.update(related=["delta"])),
        PRACTICE,
        0,
        "the practice “delta”, which does not exist",
        "Correct or remove",
    ),
    "a text is not UTF-8": (
        put(CASE, "---\ntitle: Küla\n---\n".encode("latin-1")),
        CASE,
        0,
        "not in UTF-8",
        "Save it in UTF-8",
    ),
    "a text has no language in its name": (
        put("cases/third-case.md", "---\ntitle: A\n---\nText\n"),
        "cases/third-case.md",
        0,
        "“third-case” is not a language of this instance",
        "key.language.md with one of: et, en",
    ),
    "a text is in an unknown language": (
        put("cases/first-case.de.md", make.a_sheet({"title": "A", "summary": "B"})),
        "cases/first-case.de.md",
        0,
        "“de” is not a language of this instance",
        "key.language.md with one of: et, en",
    ),
    "a documented practice has no key": (
        front(CASE, lambda said: said.update(practices=[{"adaptation": {}}])),
        CASE,
        0,
        "“practices”: “” is no key",
        "small letters",
    ),
    "a source is a bare text": (
        front(CASE, lambda said: said.update(sources=["A newspaper"])),
        CASE,
        0,
        "“sources”: a source is no text",
        "{title: …, url: …, date: …}",
    ),
    "an area is a number": (
        front(CASE, lambda said: said.update(areas=[12])),
        CASE,
        0,
        "“areas”: “12” is no area",
        "county:0037",
    ),
    "a case's lat and lon are swapped": (
        front(CASE, lambda said: said.update(lat=24.25, lon=58.25)),
        CASE,
        0,
        "24.25, 58.25 lies outside the territory",
        "Swap lat and lon",
    ),
    "a case's point is abroad": (
        front(CASE, lambda said: said.update(lat=48.25, lon=11.5)),
        CASE,
        0,
        "48.25, 11.5 lies outside the territory",
        "Check the numbers",
    ),
    "a case has only lat": (
        front(CASE, lambda said: said.pop("lon")),
        CASE,
        0,
        "Only one of lat and lon",
        "Give both",
    ),
    "a case's point has no precision": (
        front(CASE, lambda said: said.pop("precision")),
        CASE,
        0,
        "The point has no precision",
        "how exact it is",
    ),
    "a case's summary has a contact": (
        front(CASE, lambda said: said.update(summary="Write to jaan@example.ee")),
        CASE,
        3,
        "There is a private contact",
        "Take it out",
    ),
    "a case's text has a contact": (
        swap("cases/first-case.en.md", "Text.", "Ring +372 5555 1234."),
        "cases/first-case.en.md",
        6,
        "There is a private contact",
        "Take it out",
    ),
    "a practice's text has a contact": (
        swap("practices/beta.en.md", "Text.", "Ring +372 5555 1234."),
        "practices/beta.en.md",
        6,
        "There is a private contact",
        "Take it out",
    ),
    # Areas
    "a polygon crosses itself": (
        counties(a_county(BOW_TIE), SECOND),
        COUNTIES,
        0,
        "Feature 1, 01: Self-intersection",
        "Repair it in a GIS",
    ),
    "an area is a line": (
        counties(SECOND, a_county(shapely.LineString([(24, 58), (25, 59)]))),
        COUNTIES,
        0,
        "Feature 2, 01: It is a LineString, not a polygon",
        "Areas are polygons",
    ),
    "an area is a point": (
        counties(SECOND, a_county(shapely.Point(24, 58))),
        COUNTIES,
        0,
        "Feature 2, 01: It is a Point",
        "Areas are polygons",
    ),
    "an area is empty": (
        counties(SECOND, a_county(shapely.Polygon())),
        COUNTIES,
        0,
        "Feature 2, 01: It has no shape",
        "Draw it, or remove the feature",
    ),
    "areas have no coordinate system": (
        a_shapefile_without_crs,
        "areas/counties.shp",
        0,
        "does not say its coordinate system",
        "WGS 84",
    ),
    "areas are a web page": (
        put(COUNTIES, "<!doctype html><p>Log in first</p>"),
        COUNTIES,
        0,
        "cannot be read as a map layer",
        "Save it as GeoJSON",
    ),
    "areas are an empty file": (
        put(COUNTIES, ""),
        COUNTIES,
        0,
        "cannot be read as a map layer",
        "Save it as GeoJSON",
    ),
    "areas are half a file": (
        put(COUNTIES, make.a_map([SECOND])[:200]),
        COUNTIES,
        0,
        "cannot be read as a map layer",
        "Save it as GeoJSON",
    ),
    "areas have no shapes at all": (
        counties_without_shapes,
        COUNTIES,
        0,
        "Feature 1, 01: It has no shape",
        "Draw it, or remove the feature",
    ),
    "areas have no code": (
        put(COUNTIES, make.a_map([({"kind": "county"}, shapely.box(24, 58, 25, 59))])),
        COUNTIES,
        0,
        "The properties code, accuracy are missing",
        "Add them",
    ),
    # The instance itself
    "instance.yaml is missing": (drop(INSTANCE), INSTANCE, 0, "The file is missing", "data/README.md"),
    "instance.yaml is empty": (put(INSTANCE, ""), INSTANCE, 0, "empty or a list", "data/README.md"),
    "instance.yaml is a list": (
        put(INSTANCE, "- a\n- b\n"),
        INSTANCE,
        0,
        "empty or a list",
        "data/README.md",
    ),
    "instance.yaml is no YAML": (
        put(INSTANCE, "key: tiny\nname: {et: Pisike\nlanguages: [et]\n"),
        INSTANCE,
        3,
        "cannot be read",
        "Mend the line",
    ),
    "instance.yaml is not UTF-8": (
        put(INSTANCE, "key: küla\n".encode("latin-1")),
        INSTANCE,
        0,
        "cannot be read",
        "Mend the line",
    ),
    "instance.yaml has no languages": (
        edit(INSTANCE, lambda about: about.pop("languages")),
        INSTANCE,
        0,
        "“languages” is missing",
        "Add it",
    ),
    "instance.yaml has no metric system": (
        edit(INSTANCE, lambda about: about.pop("metric_crs")),
        INSTANCE,
        0,
        "“metric_crs” is missing",
        "Add it",
    ),
    "a layer has an unknown part": (
        layer(0, color="red"),
        INSTANCE,
        0,
        "layers, “police”: the part “color” is unknown",
        "Correct its name or remove it",
    ),
    "a layer has no key": (layer(1, key=None), INSTANCE, 0, "Entry 2 of layers has no key", "Give it one"),
    "a layer has no colour": (
        layer(0, colour=None),
        INSTANCE,
        0,
        "layers, “police”: colour is missing",
        "Add it",
    ),
    "a layer has an unknown symbol": (
        layer(0, symbol="skull"),
        INSTANCE,
        0,
        "layers, “police”: the symbol “skull” is unknown",
        "Use one of: square",
    ),
    "a layer is of an unknown sort": (
        layer(0, of="people"),
        INSTANCE,
        0,
        "layers, “police”: the of “people” is unknown",
        "Use one of: bodies, cases, areas",
    ),
    "datapackage.json is missing": (drop(PACKAGE), PACKAGE, 0, "The file is missing", "data/README.md"),
    "datapackage.json is empty": (put(PACKAGE, ""), PACKAGE, 1, "cannot be read", "Mend the line"),
    "datapackage.json is no JSON": (
        put(PACKAGE, '{\n "name": "tiny",\n}'),
        PACKAGE,
        3,
        "cannot be read",
        "Mend the line",
    ),
    "a resource has no licence": (
        resource("police", licenses=[]),
        PACKAGE,
        0,
        "Resource “police” has no licenses",
        "Add it",
    ),
    "a resource has no source": (
        resource("police", sources=[]),
        PACKAGE,
        0,
        "Resource “police” has no sources",
        "Add it",
    ),
    "a resource points nowhere": (
        drop(POLICE),
        PACKAGE,
        0,
        "Resource “police” points to bodies/police.csv, which is not there",
        "Add the file or remove",
    ),
    "a layer has no resource": (
        forget("villages"),
        PACKAGE,
        0,
        "no resource for the layers villages",
        "Add one of the same name",
    ),
    "a basemap has an unknown part": (
        edit(INSTANCE, lambda about: about["basemaps"][0].update(colour="red")),
        INSTANCE,
        0,
        "basemaps, “osm”: the part “colour” is unknown",
        "Correct its name or remove it",
    ),
    "bounds are three numbers": (
        edit(INSTANCE, lambda about: about.update(bounds=[24, 58, 26])),
        INSTANCE,
        0,
        "“bounds” cannot be [24, 58, 26]",
        "[west, south, east, north]",
    ),
    "the metric system is a name": (
        edit(INSTANCE, lambda about: about.update(metric_crs="L-EST")),
        INSTANCE,
        0,
        "“metric_crs” cannot be L-EST",
        "EPSG number",
    ),
    "the default language is none of the languages": (
        edit(INSTANCE, lambda about: about.update(languages=["en", "ru"])),
        INSTANCE,
        0,
        "“default_language” cannot be et",
        "Name one of the languages",
    ),
    "two layers have one key": (
        edit(INSTANCE, lambda about: about["layers"].append(about["layers"][0])),
        INSTANCE,
        0,
        "layers: “police” stands there twice",
        "another key",
    ),
    "a licence has no name": (
        resource("police", licenses=[{"title": "CC0"}]),
        PACKAGE,
        0,
        "Resource “police” has no licenses with a name",
        "Add it",
    ),
    "a source of a resource has no title": (
        resource("police", sources=[{"path": "https://example.org"}]),
        PACKAGE,
        0,
        "Resource “police” has no sources with a title",
        "Add it",
    ),
    "resources are null": (
        edit(PACKAGE, lambda package: package.update(resources=None)),
        PACKAGE,
        0,
        "no resource for the layers police, villages, counties",
        "Add one of the same name",
    ),
}


def problems(folder):
    """What is said of an instance's files."""
    try:
        sources.read(catalog.read_instance(folder))
    except BadInstance as found:
        return found.problems
    return ()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A store that holds the tiny country, and all that it holds."""
    folder = tmp_path_factory.mktemp("loaded")
    engine = store.open_store(f"sqlite:///{folder / 'store.sqlite'}")
    imports.load(engine, catalog.read_instance(make.an_instance(folder / "tiny")), now=make.moment(TODAY))
    with store.reading(engine, srid=make.SRID) as session:
        held = make.everything(session)
    yield engine, held
    engine.dispose()


def test_the_undamaged_country_has_no_problem(instance):
    assert problems(instance.folder) == ()


def test_there_are_at_least_forty_damages():
    assert len(DAMAGES) >= 40


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damage_is_told_with_file_row_and_remedy_and_nothing_is_loaded(instance, loaded, damage):
    harm, file, row, what, remedy = damage
    engine, held = loaded
    harm(instance.folder)

    with pytest.raises(BadInstance) as told:
        imports.load(engine, catalog.read_instance(instance.folder), now=make.moment(TODAY))

    # What points to a refused row is no second problem.
    (problem,) = told.value.problems
    # Where an instance has no such file at all, its whole path tells which folder was looked into.
    assert problem.file in (file, str(instance.folder / file))
    assert problem.row == row
    assert what in problem.what
    assert remedy in problem.remedy
    assert problem.what.endswith(".")
    assert problem.remedy[0].isupper()
    assert problem.remedy.endswith(".")
    assert str(problem).startswith(f"{problem.file}, line {row}: " if row else f"{problem.file}: ")
    with store.reading(engine, srid=make.SRID) as session:
        assert make.everything(session) == held


def test_all_problems_of_all_files_are_told_together(instance):
    swap(POLICE, "1995-05", "1.5.1995")(instance.folder)
    swap(POLICE, "order;youth", "magic")(instance.folder)
    swap(POLICE, ",always,", ",never,")(instance.folder)
    swap(PLACES, "3400", "many")(instance.folder)
    front(CASE, lambda said: said.update(theme="magic"))(instance.folder)
    counties(a_county(BOW_TIE), SECOND)(instance.folder)

    with pytest.raises(BadInstance) as told:
        sources.read(instance)

    assert {(p.file, p.row) for p in told.value.problems} == {
        (POLICE, 2),
        (POLICE, 3),
        (PLACES, 4),
        (CASE, 0),
        (COUNTIES, 0),
    }
    assert [p.what.split(":")[0] for p in told.value.problems if p.row == 2] == [
        "Column capabilities",
        "Column readiness",
    ]
    assert str(told.value) == f"{len(told.value.problems)} problems in the data; nothing was loaded."


def test_all_problems_of_the_instance_itself_are_told_together(instance):
    layer(0, color="red", colour=None)(instance.folder)
    edit(INSTANCE, lambda about: about.update(bounds=[24, 58, 26], metric_crs="L-EST"))(instance.folder)
    resource("villages", licenses=[])(instance.folder)

    assert [problem.what for problem in problems(instance.folder)] == [
        "“bounds” cannot be [24, 58, 26].",
        "“metric_crs” cannot be L-EST.",
        "layers, “police”: colour is missing.",
        "layers, “police”: the part “color” is unknown.",
        "Resource “villages” has no licenses with a name.",
    ]


def test_a_missing_part_of_the_instance_hides_no_other_problem(instance):
    layer(0, colour=None)(instance.folder)
    edit(INSTANCE, lambda about: about.pop("bounds"))(instance.folder)

    assert [problem.what for problem in problems(instance.folder)] == [
        "“bounds” is missing.",
        "layers, “police”: colour is missing.",
    ]


def test_without_the_practices_every_case_tells_which_one_it_lacks(instance):
    forget("practices")(instance.folder)

    assert [(problem.file, problem.what) for problem in problems(instance.folder)] == [
        (CASE, "It points to the practice “beta”, which does not exist."),
        (CASE, "It points to the practice “alpha”, which does not exist."),
        ("cases/second-case.et.md", "It points to the practice “alpha”, which does not exist."),
    ]


# --- What is no damage


def rows_of(folder, name):
    """Rows of one resource."""
    (source,) = [s for s in sources.read(catalog.read_instance(folder)) if s.resource.name == name]
    return source.rows


def said(rows):
    return [(row.key, row.values, row.links) for row in rows]


def test_a_byte_order_mark_and_windows_line_ends_are_no_damage(instance):
    before = said(rows_of(instance.folder, "police"))
    text = (instance.folder / POLICE).read_text(encoding="utf-8")
    make.write(instance.folder, POLICE, "\ufeff" + text.replace("\n", "\r\n"))

    assert said(rows_of(instance.folder, "police")) == before


def test_blank_lines_spaces_and_the_order_of_columns_are_no_damage(instance):
    rows = [{"key": " a ", "name": " A ", "form": "station ", "capabilities": "order ; youth;"}]
    turned = make.a_table([{"source": "S", **rows[0]}], [*reversed(make._BODY)])
    make.write(instance.folder, VILLAGES, turned + "\n\n")
    front(CASE, lambda facts: facts.update(bodies=[]))(instance.folder)

    (row,) = rows_of(instance.folder, "villages")

    assert (row.key, row.values["name"], row.values["capabilities"]) == ("a", "A", ["order", "youth"])


def test_a_row_below_a_cell_of_two_lines_is_told_by_its_line_in_the_file(instance):
    swap(POLICE, "Open every day, at night too.", "Open every day,\nat night too.")(instance.folder)
    swap(POLICE, "1995-05", "never")(instance.folder)

    assert [(p.file, p.row) for p in problems(instance.folder)] == [(POLICE, 4)]


def test_a_missing_translation_is_no_damage(instance):
    drop("cases/first-case.en.md")(instance.folder)

    (first, _) = rows_of(instance.folder, "cases")

    assert first.values["titles"] == {"et": "first-case eesti keeles"}


def test_areas_in_another_coordinate_system_come_out_at_the_same_place(instance):
    before = rows_of(instance.folder, "counties")
    frame = geopandas.read_file(instance.folder / COUNTIES).to_crs(4258)
    frame.to_file(instance.folder / "areas/counties.gpkg")
    make.replace(instance.folder, PACKAGE, "counties.geojson", "counties.gpkg")

    after = rows_of(instance.folder, "counties")

    assert [row.key for row in after] == [row.key for row in before]
    for new, old in zip(after, before, strict=True):
        assert shapely.hausdorff_distance(new.values["geom"], old.values["geom"]) < 1


def test_half_the_territory_around_the_bounds_is_no_damage(instance):
    # Islands and border rivers lie beyond the frame that a map shows first.
    swap(POLICE, "58.25,24.25", "58.25,22.5")(instance.folder)

    assert problems(instance.folder) == ()


def test_a_checksum_sees_every_file_of_a_resource_and_its_facts(instance):
    before = sources.checksums(instance)
    put("cases/second-case.en.md", make.a_sheet({"title": "Other", "summary": "S"}))(instance.folder)
    swap("counties.csv", "02000", "02001")(instance.folder)

    after = sources.checksums(instance)

    assert {name for name in before if before[name] != after[name]} == {"cases", "counties"}


# --- What is told, and at which line


def test_the_date_of_an_area_is_the_one_that_is_written(instance):
    def date_it(collection):
        for feature in collection["features"]:
            feature["properties"]["as_of"] = "2018-09-01"

    edit(COUNTIES, date_it)(instance.folder)

    assert [row.values["as_of"] for row in rows_of(instance.folder, "counties")] == ["2018-09-01"] * 2


def test_a_short_first_row_is_told_by_its_own_line(instance):
    text = (instance.folder / POLICE).read_text(encoding="utf-8").splitlines()
    text[1] = "west-station,Lühike,,station"
    make.write(instance.folder, POLICE, "\n".join(text) + "\n")

    told = [problem.row for problem in problems(instance.folder) if problem.file == POLICE]

    assert set(told) == {2}


def test_bad_yaml_in_a_text_is_told_by_its_line_in_the_file(instance):
    put(CASE, "---\ntitle: A\nsummary: B\ntheme: [watch\nstage: x\n---\nText\n")(instance.folder)

    (problem,) = problems(instance.folder)

    assert problem.row in (4, 5)


def test_a_refused_row_is_not_called_missing(instance):
    swap(POLICE, ",always,", ",never,")(instance.folder)

    assert [problem.what for problem in problems(instance.folder)] == [
        "Column readiness: “never” is not a known code."
    ]


def test_a_file_is_named_by_its_path_in_the_instance(instance):
    swap(PLACES, "3400", "many")(instance.folder)

    assert [problem.file for problem in problems(instance.folder)] == [PLACES]


# --- Partial dates


@given(day=st.dates(), length=st.sampled_from([4, 7, 10]))
def test_every_day_of_the_calendar_is_a_date_whole_or_in_part(day, length):
    text = day.isoformat()[:length]

    first = dates.first_day(text)

    assert dates.partial(text) == text
    assert first.isoformat().startswith(text)
    assert text <= first.isoformat() <= day.isoformat()


@given(text=st.text(alphabet="0123456789-. ", max_size=11))
@settings(max_examples=200)
def test_what_is_no_date_is_refused_and_named(text):
    if re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", text):
        return  # It may be one; the test above says which are.

    with pytest.raises(BadDate, match=re.escape(f"“{text}” is not")):
        dates.partial(text)


def test_years_since_a_date_are_whole_years():
    days = [date(2026, 5, 28), date(2026, 5, 29)]

    assert [dates.years_since("2018-05-29", today=day) for day in days] == [7, 8]
    assert dates.years_since("", today=TODAY) is None


# --- Random tables


@given(data=st.binary(max_size=200))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_refused_in_sentences(instance, data):
    # The same file is written anew for every example.
    make.write(instance.folder, VILLAGES, b"key,name\n" + data)

    found = problems(instance.folder)

    assert [problem for problem in found if problem.file == VILLAGES] or not data.strip()


# --- Damages of the form of a file


def titled(name, title):
    """A damage: a translation's title is another kind of value."""
    return front(f"cases/{name}.en.md", lambda said: said.update(title=title))


MALFORMED = {
    "a date in a text is not in the calendar": swap(CASE, "from: '2015'", "from: 2015-02-30"),
    "a title is a date": titled("first-case", date(2015, 2, 3)),
    "the metric system does not exist": edit(INSTANCE, lambda about: about.update(metric_crs=999999)),
    "layers are a number": edit(INSTANCE, lambda about: about.update(layers=5)),
    "a layer's key is a list": layer(0, key=["a"]),
    "a licence is a bare text": resource("police", licenses=["CC0-1.0"]),
    "a resource is a bare text": edit(PACKAGE, lambda package: package["resources"].append("police")),
    "a table is a folder": resource("police", path="cases"),
    "a case ends before it begins": front(CASE, lambda said: said.update({"from": "2021", "to": "2015"})),
    "an adaptation has a contact": front(
        CASE, lambda said: said["practices"][0].update(adaptation={"et": "tel 12"})
    ),
    "an adaptation is a bare text": front(
        CASE, lambda said: said["practices"][0].update(adaptation="Teisiti")
    ),
    "a title is a number": titled("first-case", 112),
    "a case names a practice twice": front(CASE, lambda said: said.update(practices=["alpha", "alpha"])),
    "an organisation serves an area twice": swap(POLICE, "county:02", "county:01"),
    "bounds are turned": edit(INSTANCE, lambda about: about.update(bounds=[26, 58, 24, 59])),
    "a resource stands there twice": edit(
        PACKAGE, lambda package: package["resources"].append(package["resources"][0])
    ),
}


@pytest.mark.parametrize("harm", MALFORMED.values(), ids=MALFORMED)
def test_a_damage_is_told_with_its_remedy(instance, harm):
    harm(instance.folder)

    assert [problem.file for problem in problems(instance.folder) if problem.remedy]


def test_a_repeated_area_is_told_by_its_code(instance):
    counties(a_county(shapely.box(24, 58, 25, 59)), SECOND, SECOND)(instance.folder)

    (problem,) = problems(instance.folder)

    assert (problem.file, problem.row) == (COUNTIES, 0)
    assert problem.what == "The key “county:02” stands there twice."


def test_facts_that_belong_to_no_area_are_told(instance):
    swap("counties.csv", "01,", "99,")(instance.folder)

    (problem,) = problems(instance.folder)

    assert (problem.file, problem.row) == ("counties.csv", 2)
    assert problem.what == "There is no area “99” with this valid_from."
