"""A new country is a folder of plain files: an empty one works at once, a foreign one knows no other."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import shapely
import yaml
from click.testing import CliRunner
from flask import got_request_exception
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.routing import IntegerConverter

from layers import catalog, geo, starter
from layers.geo import Bbox
from layers.sources import instance as sources
from tests.conftest import lacking
from tests.webmap import countries, site
from webmap.cli import cli

ROOT = Path(__file__).resolve().parents[2]
ESTONIAN = re.compile(
    r"õ|Õ|estonia|eesti|эстон|tallinn|tartu|harju|viru|saaremaa|\bmaa\b|maa-|vald\b|küla|maakon|kodukant|ehak|in-ads"
    r"|3301|naabrivalve|politsei|pääste",
    re.IGNORECASE,
)
VALUES = {"language": "en", "kind": "municipality", "code": "1", "key": "x", "name": "police", "digest": "x"}


def run(*line):
    return CliRunner().invoke(cli, [*map(str, line)])


def walk(app, languages, **values):
    """Every route that answers GET and every page that links reach, by address; none may be a surprise."""
    surprises = []

    def hear(_app, exception):
        surprises.append(exception)

    client, found = app.test_client(use_cookies=False), {}
    with got_request_exception.connected_to(hear, app):
        for rule in app.url_map.iter_rules():
            if "GET" not in rule.methods or rule.endpoint == "static":
                continue
            for language in languages:
                asked = {"layer": "police", "revision": 1, "z": 1, "x": 0, "y": 0, **VALUES, **values}
                asked["language"] = language
                numbers = {
                    name for name, kind in rule._converters.items() if isinstance(kind, IntegerConverter)
                }
                given = {name: asked.get(name, 1 if name in numbers else "x") for name in rule.arguments}
                _, url = rule.build(given)
                for address in (url, f"{url}{'&' if '?' in url else '?'}lat=54.3&lon=9.5"):
                    found[address] = site.look(client, address)
        waiting = [f"/{language}/" for language in languages]
        linked = set()
        while waiting and len(linked) < 400:
            url = waiting.pop(0)
            if url in linked or url.endswith((".pdf", ".csv", ".atom", ".ics", ".vcf")) or "/card/" in url:
                continue
            linked.add(url)
            found[url] = found.get(url) or site.look(client, url)
            assert found[url].status in (200, 302), (url, found[url].status, found[url].text[-300:])
            waiting += [link for link in site.inside(found[url]) if not link.startswith("/static")]
    assert [page.url for page in found.values() if page.status >= 500] == [], surprises
    return found


def no_estonian(pages):
    for page in pages.values():
        assert not ESTONIAN.search(page.text), (page.url, ESTONIAN.search(page.text), page.text[:200])


# --- Empty


@pytest.mark.parametrize("languages", ["de,en", "en", "ru", "fi"])
def test_a_new_country_is_served_at_once_and_says_what_to_do_next(tmp_path, monkeypatch, languages):
    folder, state = tmp_path / "new", tmp_path / "state"
    monkeypatch.setenv("WEBMAP_STATE", str(state))
    done = run(
        *("new", folder, "--key", "land", "--name", "Our map", "--languages", languages),
        *("--bounds", "7.8,53.3,11.4,55.1"),
    )
    assert (done.exit_code, done.output.splitlines()[0]) == (0, f"{folder} is ready, in EPSG:32632. See it:")
    assert catalog.read_instance(folder).metric_crs == 32632
    setup = run("setup", "--instance", folder)
    assert setup.exit_code == 0, setup.output
    assert "cases/first-case" in setup.output  # It is checked, named, and not loaded.

    with site.an_app(site.Settings(instance=folder, state=state)) as app:
        first = languages.split(",")[0]
        pages = walk(app, languages.split(","))
        home = pages[f"/{first}/"]
        assert app.test_client().get(f"/{first}/cases/first-case").status_code == 404
    if first != "ru":
        no_estonian(pages)
        assert "This map is still empty" in home.text
        assert ("is not yet written in" in home.text) == (first != "en")
        assert home.language == "en"
        assert "load population cells" in pages[f"/{first}/gaps/"].text
        assert "no layer of areas yet" in pages[f"/{first}/gaps/seams"].text


def test_the_example_is_loaded_when_it_is_published(tmp_path):
    folder = countries.begun(
        tmp_path / "new", key="x", name="X", languages=("en",), bounds=(7, 53, 11, 55), emergency="112"
    )
    for name in ("practices/first-practice.en.md", "cases/first-case.en.md"):
        file = folder / name
        file.write_text(file.read_text(encoding="utf-8").replace("state: draft\n", ""), encoding="utf-8")
    rows = {one.resource.name: len(one.rows) for one in sources.read(catalog.read_instance(folder))}
    assert (rows["cases"], rows["practices"], rows["police"]) == (1, 1, 0)


def test_what_cannot_be_a_country_is_refused_with_a_remedy(tmp_path):
    good = {"--key": "x", "--name": "X", "--languages": "en", "--bounds": "7,53,11,55"}
    for option, value, words in (
        ("--key", "Not A Key", "small letters"),
        ("--languages", "en,en", "Name each once."),
        ("--languages", "english!", "ISO 639"),
        ("--default-language", "de", "Use one of: en."),
        ("--layers", "police,bakeries", "Use some of: police, villages, watch, rescue."),
        ("--crs", "4326", "a system in metres"),
        ("--bounds", "11,53,7,55", "west,south,east,north"),
        ("--bounds", "1,2,3", "four numbers"),
        ("--bounds", "nan,2,3,4", "must lie between"),
        ("--emergency", "call me", "digits only"),
    ):
        line = [part for pair in {**good, option: value}.items() for part in pair]
        done = run("new", tmp_path / "new", *line)
        assert done.exit_code in (1, 2)
        assert words in done.output, done.output
        assert not (tmp_path / "new").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    done = run("new", tmp_path / "full", *(part for pair in good.items() for part in pair))
    assert (done.exit_code, "is not empty" in done.output) == (1, True)


def test_what_is_not_given_is_asked_for(tmp_path):
    done = CliRunner().invoke(
        cli, ["new", str(tmp_path / "new")], input="land\nfi,en\n20,59,31,70\nTurvallisuus\n"
    )
    assert done.exit_code == 0, done.output
    found = catalog.read_instance(tmp_path / "new")
    assert (found.key, found.languages, dict(found.names)) == ("land", ("fi", "en"), {"fi": "Turvallisuus"})


@settings(max_examples=15, deadline=None)
@given(st.floats(-179, 178), st.floats(-79, 83), st.floats(0.01, 1), st.floats(0.01, 0.9))
def test_the_proposed_system_is_that_of_the_middle(west, south, width, height):
    found = starter.proposed_crs(Bbox(west, south, west + width, south + height))
    lon, lat = west + width / 2, south + height / 2
    zones = {int((lon + 180) // 6) + 1, int(-((-lon - 180) // 6))}  # On a border either will do.
    assert geo.is_metric(found)
    assert found in {(32600 if north else 32700) + zone for zone in zones for north in {lat >= 0, lat > 0}}


@pytest.mark.parametrize("kept", ["cases", "districts"])
def test_an_instance_may_have_no_organisations_at_all(tmp_path, kept):
    folder = countries.begun(
        tmp_path / "bare", key="bare", name="Bare", languages=("en",), bounds=(7, 53, 11, 55), emergency="112"
    )
    countries.add_areas(
        folder, "one.geojson", ["1"], ["One"], np.array([shapely.box(8, 54, 9, 55)]), kind="district"
    )
    countries.describe(
        folder,
        layers=[countries.an_area_layer("districts", "district", "Districts", "#0072B2", "line")],
        resources=[("districts", "areas/one.geojson", "Districts", "Invented", "CC0-1.0")],
    )
    about = yaml.safe_load((folder / "instance.yaml").read_text(encoding="utf-8"))
    about["layers"] = [layer for layer in about["layers"] if layer["key"] == kept]
    (folder / "instance.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for part in ("resources", "texts"):  # No gazetteer, no practices, no trainings either.
        package[part] = [one for one in package[part] if one["name"] == kept]
    (folder / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    for file in (folder / "cases").iterdir():
        file.unlink()  # It points to the example of a practice.

    with site.a_site(folder, tmp_path / "state") as app:
        pages = walk(app, ["en"])

    assert "no layer of organisations yet" in pages["/en/gaps/"].text
    assert ("no layer of areas yet" in pages["/en/gaps/seams"].text) == (kept == "cases")


# --- Foreign


@pytest.fixture(scope="module", params=countries.COUNTRIES)
def foreign(request, tmp_path_factory):
    if not countries.REAL.is_dir():
        lacking(request.config, f"Real foreign files are not there: {countries.REAL}")
    folder = countries.COUNTRIES[request.param](tmp_path_factory.mktemp(request.param) / "files")
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app


def key_of(app):
    return app.extensions["house"].instance.key


def test_every_page_of_a_foreign_country_works_and_tells_nothing_of_estonia(foreign):
    instance = foreign.extensions["house"].instance
    pages = walk(foreign, instance.languages)
    assert len([page for page in pages.values() if page.status == 200]) > 60
    no_estonian(pages)
    if instance.emergency == "911":
        assert not [page.url for page in pages.values() if "call 112" in page.text]


def test_the_metric_system_is_that_of_the_place(foreign):
    wanted = {"chicago": 32616, "mecklenburg": 32617, "schleswig": 32632}
    instance = foreign.extensions["house"].instance
    assert instance.metric_crs == wanted[instance.key]


AT = {
    "chicago": ("41.8827,-87.6233", ["Beat 0114", "1ST"], 911),
    "mecklenburg": ("35.2271,-80.8431", ["Fire Station", "Division"], 911),
    "schleswig": ("54.3233,10.1394", ["Kiel", "Polizei"], 112),
}


def test_it_is_answered_at_a_point(foreign):
    at, words, number = AT[key_of(foreign)]
    lat, lon = at.split(",")
    client = foreign.test_client(use_cookies=False)
    answer = client.get("/api/answer", query_string={"lat": lat, "lon": lon, "lang": "en"})
    assert answer.status_code == 200
    told = json.dumps(answer.get_json(), ensure_ascii=False)
    page = site.look(client, f"/en/here?lat={lat}&lon={lon}")
    assert not ESTONIAN.search(told)
    for word in words:
        assert word in told
        assert word in page.text
    assert ("° W" in page.text, "-" in page.text.split("Who looks after")[0]) == (float(lon) < 0, False)
    assert "This map is still empty" not in site.look(client, "/en/").text
    assert f"In an emergency call {number}." in page.text
    assert "does not know this place" not in page.text
    assert ("not to a house" in page.text) is False  # Public buildings stand where they are.


def test_lists_map_search_and_gaps_tell_what_the_files_hold(foreign):
    client, key = foreign.test_client(use_cookies=False), key_of(foreign)
    wanted = {"chicago": ("beats", 275), "mecklenburg": ("rescue", 60), "schleswig": ("police", 264)}
    layer, number = wanted[key]
    listed = site.look(client, f"/en/layers/{layer}")
    shown = client.get(f"/api/layers/{layer}.geojson?lang=en").get_json()["features"]
    placed = {"chicago": 275, "mecklenburg": 60, "schleswig": 253}[key]
    assert len(shown) == placed
    assert key == "chicago" or f"{number}" in listed.text
    name = {"chicago": "Beat 1713", "mecklenburg": "Fire Station 13", "schleswig": "Lübeck"}[key]
    assert name in listed.text
    assert name in site.look(client, f"/en/search?q={name}").text
    gaps = site.look(client, "/en/gaps/")
    seams = site.look(client, "/en/gaps/seams")
    assert (gaps.status, seams.status) == (200, 200)
    if key == "mecklenburg":
        assert "Covered" in gaps.text
        assert "This cannot be asked yet" not in gaps.text
    else:
        assert "load population cells" in gaps.text
    assert ("shared ground" in seams.text.casefold()) == (key == "chicago")


def test_a_language_without_a_catalogue_falls_back_visibly(foreign):
    if key_of(foreign) != "schleswig":
        return
    client = foreign.test_client(use_cookies=False)
    german, english = (site.look(client, f"/{code}/layers/police") for code in ("de", "en"))
    assert "This map is not yet written in German. Its own words are shown in English." in german.text
    assert "not yet written" not in english.text
    assert (german.language, english.language) == ("en", "en")


# --- The code itself

FACTS = re.compile(
    r"0037|EHAK|\bvald\b|EPSG:3301|In-ADS|maaamet|Eesti|Estonia|Tallinn|Tartu|Harju|Viru|Maa- ja|Kodukant"
    r"|Päästeamet"
)
ARGUED = {
    # Measurements, and examples of letters and names, in comments: they say where a number comes from.
    "layers/catalog.py": "an example of an EPSG number stands in a remedy",
    "layers/fit.py": "measured on Estonia's cases",
    "layers/gaps/demand.py": "measured on Estonia's cells",
    "layers/gaps/grounds.py": "measured on Estonia's coast",
    "layers/geo.py": "how exact five digits are there",
    "layers/letters.py": "Cyrillic by ear: a rule of spelling, which harms no other country",
    "layers/outlines.py": "how exact five digits are there",
    "layers/search.py": "examples of names",
    "layers/snapshot.py": "measured on Estonia's data",
    "layers/sources/rows.py": "an example of an area's code stands in a remedy",
    "layers/texts.py": "two languages compared",
    "layers/tiles.py": "how fine a tile is there",
    "webmap/addresses.py": "the protocol of one gazetteer, asked only where a setting names it",
    "webmap/cli.py": "examples in the help",
    "webmap/planning/report.py": "where the error of a method was measured, told as such",
    "webmap/planning/sites.py": "measured on Estonia's settlements",
    "webmap/replies.py": "measured on Estonia's data",
    "webmap/settings.py": "the instance that is shown where none is named, and its gazetteer's protocol",
}


IMPORTED = {
    "schleswig": (
        *(
            "7.8,53.3,11.4,55.1",
            "de-schleswig-holstein-police/polizeidienststellen.csv",
            "police",
            "264 rows",
        ),
        *("54.3233,10.1394", "Kiel"),
    ),
    "mecklenburg": (
        *("-81.1,34.9,-80.5,35.6", "us-mecklenburg/fire_stations.geojson", "rescue", "rows"),
        *("35.2271,-80.8431", "FIRE STATION 4"),
    ),
}


@pytest.mark.parametrize("key", IMPORTED)
def test_a_stranger_loads_a_foreign_file_with_three_commands(request, tmp_path, monkeypatch, key):
    bounds, file, layer, rows, at, word = IMPORTED[key]
    if not countries.REAL.is_dir():
        lacking(request.config, f"Real foreign files are not there: {countries.REAL}")
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))
    folder = tmp_path / key
    made = run("new", folder, "--key", key, "--name", "en=Map", "--languages", "en", f"--bounds={bounds}")
    assert made.exit_code == 0, made.output
    words = ("--layer", layer, "--dataset", "posts", "--source", "Open data", "--licence", "CC0-1.0")
    same = ("--same", "precision=building", "--same", "form=station")

    done = run("import", countries.REAL / file, "--instance", folder, *words, *same, "--write")
    assert done.exit_code == 0, done.output
    assert rows in done.output

    lat, lon = at.split(",")
    answer = run("answer", lat, lon, "--instance", folder)
    assert (answer.exit_code, word in answer.output) == (0, True), answer.output


def test_no_fact_of_estonia_stands_in_the_code_but_for_those_that_are_argued():
    endings = {".py", ".html", ".js", ".css", ".txt", ".typ", ".yaml"}
    files = [
        file
        for room in ("layers", "webmap")
        for file in (ROOT / room).rglob("*")
        if file.suffix in endings and not {"vendor", "node_modules"} & {*file.parts}
    ]
    assert len(files) > 100
    found = {str(file.relative_to(ROOT)) for file in files if FACTS.search(file.read_text(encoding="utf-8"))}
    assert found - ARGUED.keys() == set()


def test_a_country_whose_making_was_killed_is_not_in_the_way_of_the_next(tmp_path):
    half = tmp_path / ".mine.part" / "bodies"
    half.mkdir(parents=True)
    (half / "police.csv").write_text("half", encoding="utf-8")
    line = ("new", tmp_path / "mine", "--key", "mine", "--name", "en=Mine", "--languages", "en")

    said = CliRunner().invoke(cli, [*map(str, line), "--bounds", "24,58,26,59"])

    assert said.exit_code == 0, said.output
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "instance.yaml").is_file()
