"""The planner's pack from the command line: every file, a record that repeats, a folder of one's own."""

import csv
import io
import json

import geopandas
import openpyxl
import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from tests.webmap import site
from webmap.cli import cli
from webmap.planning import pack
from webmap.planning.pack import NoAnswer, NoRecord, OtherNumbers

pytestmark = pytest.mark.slow
VORU = {"county": "0087", "role": "rescue_land", "within": "15", "sites": "2", "as_of": "2026-11-22"}
FILES = {"report.pdf", "report.html", "tables.xlsx", "places.gpkg", "places.geojson", "record.json"}
FILES |= {"zones.csv", "places.csv", "units.csv"}


@pytest.fixture(scope="module")
def packed(app, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    pack.write(app, VORU, folder, language="et")
    return folder


def rows(file):
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))


def test_every_file_is_there_and_they_tell_the_same(packed):
    assert {file.name for file in packed.iterdir()} == FILES
    record = json.loads((packed / "record.json").read_text(encoding="utf-8"))
    table = rows(packed / "zones.csv")
    workbook = openpyxl.load_workbook(packed / "tables.xlsx")
    open_places = geopandas.read_file(packed / "places.gpkg", layer="not_covered")

    assert len(PdfReader(packed / "report.pdf").pages) >= 2
    by_zone = {row["zone"]: row for row in record["zones"]}
    assert {row["code"]: int(row["not_covered"]) for row in table} == {
        zone: row["not_covered"] for zone, row in by_zone.items() if zone
    }
    assert sum(int(row["not_covered"]) for row in table) == pytest.approx(by_zone[""]["not_covered"], abs=5)
    assert len(open_places) == len(rows(packed / "places.csv")) == workbook.worksheets[1].max_row - 1
    assert len(record["options"]) == 2


def test_a_record_repeats_its_numbers_and_tells_when_they_differ(app, packed, tmp_path):
    record = json.loads((packed / "record.json").read_text(encoding="utf-8"))
    other = tmp_path / "other.json"
    record["zones"][0]["covered"] += 1
    other.write_text(json.dumps(record), encoding="utf-8")

    assert pack.again(app, packed / "record.json")["zones"]
    with pytest.raises(OtherNumbers, match=r"zones \(same data, same version\)"):
        pack.again(app, other)
    record["editions"]["rescue"] = "0" * 64
    other.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(OtherNumbers, match="data “rescue”"):
        pack.again(app, other)


@pytest.mark.parametrize("text", ["", "{}", '{"asked": 5}', "no json"])
def test_a_file_that_is_no_record_is_told(app, tmp_path, text):
    file = tmp_path / "strange.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(NoRecord, match=r"“strange.json” is no record"):
        pack.again(app, file)


def test_what_a_page_refuses_is_told_in_its_sentence(app, tmp_path):
    with pytest.raises(NoAnswer, match="“county” must be one of"):
        pack.write(app, {"county": "9999"}, tmp_path, language="en")


def test_the_command_wants_a_folder_or_a_record():
    said = CliRunner().invoke(cli, ["gaps", "--county", "0087"])

    assert said.exit_code == 2
    assert "--out" in said.output


@pytest.fixture
def own(tmp_path):
    """A planner's own folder with a standard and a road that only Võru has."""
    folder = tmp_path / "own"
    (folder / "standards").mkdir(parents=True)
    (folder / "standards" / "mine.yaml").write_text(
        "key: mine\nversion: '1'\nas_of: '2026'\ntitle: {en: My standard, et: Minu standard, ru: Мой}\n"
        "source: the council\nrules:\n- {key: all, label: {en: All}, role: rescue_land, within_min: 20}\n",
        encoding="utf-8",
    )
    return folder


def page(estonia, tmp_path, own, url):
    with site.a_site(estonia.folder, tmp_path / "state", planning=own) as app:
        return app.test_client().get(url)


def test_a_planner_brings_a_standard_and_roads_along(own, tmp_path, estonia):
    url = "/en/gaps/?standard=mine&county=0087"
    found = page(estonia, tmp_path, own, url).text
    assert "My standard" in found
    assert "straight lines with a detour" in found

    (own / "roads.csv").write_text(
        "from_east,from_north,to_east,to_north,minutes\n600000,6400000,601000,6400000,1\n", encoding="utf-8"
    )
    found = page(estonia, tmp_path, own, url).text
    assert "along the roads that were given" in found
    assert "37,256 of 37,256 people" in found


def test_a_matrix_with_an_unknown_unit_is_told_with_its_line(own, tmp_path, estonia):
    (own / "matrix.csv").write_text("unit,demand,minutes\nnobody,4567,5\n", encoding="utf-8")

    found = page(estonia, tmp_path, own, "/en/gaps/")

    assert found.status_code == 503
    assert "matrix.csv, line 2: There is no unit “nobody”." in found.text
