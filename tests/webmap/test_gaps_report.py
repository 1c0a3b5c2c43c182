"""The council's report: the same words and numbers as a page, as PDF, workbook, GeoPackage and record."""

import io
import re

import openpyxl
import pyogrio
import pytest
from flask_babel import gettext
from pypdf import PdfReader

from layers.gaps import cover as covers
from layers.gaps.standards import COUNTRY
from tests import make
from tests.webmap import site
from tests.webmap.site import look
from webmap import params
from webmap.planning import inquiry, sites, world
from webmap.settings import Settings

PAGE = "/en/gaps/report"
VORU = "0087"
USUAL = f"role=rescue_land&within=15&county={VORU}&sites=2"
HEADINGS = (
    "What was asked",
    "Where people are not covered",
    "The largest places that are not covered",
    "What hangs on a single unit",
    "Where new units help most",
    "How this was counted, and how far to trust it",
    "Sources",
)
COVERED = f"role=village&within=60&county={VORU}"
NOBODY = f"role=rescue_land&within=1&county={VORU}"


@pytest.fixture(scope="module")
def twin(app, estonia, state):
    """Another server over the same data, which has kept nothing yet."""
    with site.an_app(Settings(instance=estonia.folder, state=state)) as other:
        yield other.test_client(use_cookies=False)


def headings(client, language, query):
    html = client.get(f"/{language}/gaps/report?{query}").text
    return re.findall(r"<h2>([^<]*)</h2>", html)


def pdf_of(answer):
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    return PdfReader(io.BytesIO(answer.data))


def text_of(pdf):
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def workbook(client, query):
    answer = client.get(f"{PAGE}?format=xlsx&{query}")
    assert answer.mimetype == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return openpyxl.load_workbook(io.BytesIO(answer.data))


def rows_of(sheet):
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


# --- The page


def test_the_numbers_are_those_of_the_rooms_below(app, client):
    with app.test_request_context(PAGE):
        known = world.world(params.today())
        rule = inquiry.asked({"role": "rescue_land", "within": "15", "county": VORU}, known).rule
        service = inquiry.service_of(known, rule)
        problem = sites.posed(known, rule, "mclp", county=VORU)
        plan = sites.siting.mclp(problem.cost, problem.demand.people, p=2, within=problem.within)
    inside = known.people.within("county", VORU)
    (whole,) = covers.table(known.people, service, zone=COUNTRY, inside=inside, thresholds_min=(10, 20, 30))
    living, people = known.people.people[inside].sum(), known.people.people
    text = look(client, f"{PAGE}?{USUAL}").text
    record = client.get(f"{PAGE}?format=json&{USUAL}").json

    assert whole.uncovered == pytest.approx(people[inside & ~service.covered].sum())
    assert f"Võru county: {whole.uncovered:,.0f} of {living:,.0f} people" in text
    assert [record["zones"][0][name] for name in ("people", "covered", "not_covered")] == [
        round(living),
        round(whole.covered),
        round(whole.uncovered),
    ]
    assert [one["people_gained"] for one in record["options"]] == [round(gain) for gain in plan.gains]
    assert [one["place"] for one in record["options"]] == [problem.sites.names[at] for at in plan.sites]
    assert record["options"][-1]["covered_then"] == round(whole.covered + plan.objective)
    assert plan.proven
    assert "No better plan exists; this is proven." in text
    for one in record["zones"]:
        assert one["people"] == pytest.approx(one["covered"] + one["not_covered"], abs=1)
    assert sum(one["people"] for one in record["zones"][1:]) == pytest.approx(round(living), abs=5)


def test_the_page_has_every_part_a_drawing_and_the_files(client):
    page = look(client, f"{PAGE}?{USUAL}")
    html = client.get(f"{PAGE}?{USUAL}").text

    assert headings(client, "en", USUAL) == list(HEADINGS)
    assert re.search(r'<div class="drawing" role="img" aria-label="Dots are people in time[^"]*"><svg', html)
    assert html.count("<circle ") > 400
    assert html.count('fill="#6a3d9a" stroke="#fff" stroke-width="1.5"') == 2  # The stars.
    assert page.inline == []
    files = [link for link in page.links if "format=" in link]
    assert [re.search(r"format=(\w+)", link)[1] for link in files] == ["pdf", "xlsx", "gpkg", "json"]
    assert all(f"county={VORU}" in link and "sites=2" in link and "within=15" in link for link in files)


def test_no_language_speaks_in_the_headings_of_another(app, client):
    """Each language is asked after the others, so that words kept from one would be heard in the next."""
    for query in (USUAL, COVERED, f"standard=ee-2011&county={VORU}"):
        wanted = headings(client, "en", query)
        reason = sites.AllCovered.text if query == COVERED else ""
        assert set(wanted) <= set(HEADINGS)
        for language in ("et", "ru", "en", "et"):
            with app.test_request_context(f"/{language}/gaps/report"):
                app.preprocess_request()
                said, why = [str(gettext(one)) for one in wanted], str(gettext(reason)) if reason else ""
            page = look(client, f"/{language}/gaps/report?{query}")
            assert headings(client, language, query) == said
            assert (page.status, page.language, len(page.headings)) == (200, language, 1)
            assert why in page.text


def test_a_standard_is_told_with_its_rules_and_its_source(client):
    page = look(client, f"{PAGE}?standard=ee-2011&rule=state-15&county={VORU}")
    own = look(client, f"{PAGE}?{USUAL}")

    assert "Criteria for the network of state rescue stations (2011)." in page.text
    assert "Rule Who Time or distance For what share" in page.text
    assert "Where our reading is simpler:" in page.text
    assert any("issuu.com/estonianfirefightersforum" in link for link in page.links)
    assert "Where our reading is simpler:" not in own.text
    assert "Volunteer rescue on land: within 15 min of the alarm." in own.text
    files = [link for link in page.links if "format=" in link]
    assert all("standard=ee-2011&rule=state-15" in link for link in files)


def test_the_country_is_the_sum_of_its_counties(client):
    whole = client.get(f"{PAGE}?format=json&role=rescue_land&within=15&zone=county").json["zones"]

    assert len(whole) == 16
    for name in ("people", "covered", "not_covered", "covered_twice"):
        assert sum(one[name] for one in whole[1:]) == pytest.approx(whole[0][name], abs=8)
    text = look(client, f"{PAGE}?role=rescue_land&within=15&zone=county").text
    assert f"The whole territory: {whole[0]['not_covered']:,} of {whole[0]['people']:,} people" in text


# --- The files


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_the_pdf_has_the_parts_of_the_page_in_its_language(client, language):
    pdf = pdf_of(client.get(f"/{language}/gaps/report?format=pdf&{USUAL}"))
    said, page = text_of(pdf), look(client, f"/{language}/gaps/report?{USUAL}")

    assert pdf.trailer["/Root"]["/Lang"] == language
    assert pdf.metadata.title == page.headings[0]
    for heading in headings(client, language, USUAL):
        assert heading in said
    record = client.get(f"/{language}/gaps/report?format=json&{USUAL}").json
    for one in (*record["options"], *record["zones"][1:]):
        assert one.get("place", one.get("name")) in said
    assert len(pdf.pages) > 1
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]


@pytest.mark.parametrize("file", ["pdf", "xlsx", "gpkg", "json"])
def test_another_server_makes_the_same_bytes_of_the_same_data(client, twin, file):
    asked = f"{PAGE}?format={file}&{USUAL}&as_of=2026-05-01"
    first, again, other = client.get(asked), client.get(asked), twin.get(asked)
    another = client.get(asked.replace("sites=2", "sites=1"))

    assert first.status_code == 200
    assert f'filename="turvakaart-gaps.{file}"' in first.headers["Content-Disposition"]
    assert first.data == again.data == other.data != another.data


def test_the_record_says_of_which_data_it_is_and_repeats_its_numbers(client, twin):
    record = client.get(f"{PAGE}?format=json&{USUAL}&zone=county&as_of=2012-05-15").json

    asked = "&".join(f"{name}={value}" for name, value in record["asked"].items())
    again = twin.get(f"{PAGE}?format=json&{asked}").json

    assert again == record
    assert (record["turvakaart"], record["instance"]) == ("gaps", "ee")
    assert record["asked"]["as_of"] == "2012-05-15"
    assert {"rescue", "settlements", "municipalities"} <= set(record["editions"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in record["editions"].values())
    today = client.get(f"{PAGE}?format=json&{USUAL}&zone=county").json
    assert today["asked"]["as_of"] == params.today().isoformat()
    assert today["zones"] != record["zones"]  # Kanepi's unit stood until the day after.


def test_the_workbook_has_a_sheet_for_each_table_and_no_formula(client):
    book = workbook(client, USUAL)
    record = client.get(f"{PAGE}?format=json&{USUAL}").json

    assert book.sheetnames == ["Areas", "Places not covered", "Single points of failure", "Where next"]
    found = [{name: value or "" for name, value in row.items()} for row in rows_of(book["Areas"])]
    assert found == [{name: value or "" for name, value in row.items()} for row in record["zones"]]
    assert rows_of(book["Where next"]) == record["options"]
    holes = rows_of(book["Places not covered"])
    whole = record["zones"][0]["not_covered"]
    assert sum(row["people"] for row in holes) == pytest.approx(whole, abs=len(holes) / 2)
    assert {row["people"] for row in rows_of(book["Single points of failure"])} != set()
    assert [
        cell.coordinate
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ] == []


def test_the_geopackage_has_the_places_and_the_options_where_they_are(client, tmp_path):
    answer = client.get(f"{PAGE}?format=gpkg&{USUAL}")
    file = tmp_path / "made.gpkg"
    file.write_bytes(answer.data)
    book = workbook(client, USUAL)

    assert answer.mimetype == "application/geopackage+sqlite3"
    assert sorted(name for name, _ in pyogrio.list_layers(file)) == ["not_covered", "where_next"]
    holes, options = (pyogrio.read_dataframe(file, layer=name) for name in ("not_covered", "where_next"))
    assert (str(holes.crs), str(options.crs)) == ("EPSG:3301", "EPSG:3301")
    assert holes["code"].tolist() == [row["code"] for row in rows_of(book["Places not covered"])]
    assert options["people_gained"].tolist() == [row["people_gained"] for row in rows_of(book["Where next"])]
    west, south, east, north = holes.to_crs(4326).total_bounds
    assert 26 < west < east < 28
    assert 57.5 < south < north < 58.2
    assert options.to_crs(4326).geometry.within(holes.to_crs(4326).union_all().convex_hull.buffer(0.05)).all()


# --- The ends


def test_where_everybody_is_covered_the_report_says_so(client):
    page = look(client, f"{PAGE}?{COVERED}")
    text, record = page.text, client.get(f"{PAGE}?format=json&{COVERED}").json

    assert f"Võru county: 0 of {record['zones'][0]['people']:,} people (0 %) live further than 60 min" in text
    assert "Everybody here is covered already: a new unit would reach nobody more." in text
    assert record["options"] == []
    assert HEADINGS[2] not in headings(client, "en", COVERED)
    pdf = text_of(pdf_of(client.get(f"{PAGE}?format=pdf&{COVERED}")))
    assert "Everybody here is covered already" in pdf
    assert rows_of(workbook(client, COVERED)["Areas"])[0]["not_covered"] == 0
    file = look(client, f"{PAGE}?format=gpkg&{COVERED}")
    assert file.status == 400
    assert "There is no place to put into the file: nobody is uncovered" in file.text


def test_where_nobody_is_covered_the_report_says_so(client):
    text, record = (
        look(client, f"{PAGE}?{NOBODY}").text,
        client.get(f"{PAGE}?format=json&{NOBODY}").json,
    )
    whole = record["zones"][0]

    assert (whole["covered"], whole["not_covered"]) == (0, whole["people"])
    assert f"{whole['people']:,} of {whole['people']:,} people (100 %) live further than 1 min from" in text
    assert "nan" not in text.casefold().split()
    assert "inf" not in text.casefold().split()
    assert HEADINGS[3] not in headings(client, "en", NOBODY)
    assert pdf_of(client.get(f"{PAGE}?format=pdf&{NOBODY}")).pages
    assert client.get(f"{PAGE}?format=gpkg&{NOBODY}").status_code == 200


def test_a_rule_that_asks_for_nobody_here_says_so(client):
    """A rule for a density of which a county has no place."""
    found = look(client, f"{PAGE}?standard=nfpa-1720&rule=urban&county=0039")

    assert found.status == 200
    assert "The rule asks for nobody here." in found.text
    assert pdf_of(client.get(f"{PAGE}?format=pdf&standard=nfpa-1720&rule=urban&county=0039")).pages


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("sites=0", "“sites” must be a whole number from 1 to 10; “0” is not."),
        ("sites=-1", "“sites” must be a whole number from 1 to 10; “-1” is not."),
        ("sites=11", "“sites” must be a whole number from 1 to 10; “11” is not."),
        ("format=docx", "“format” must be one of pdf, json, xlsx, gpkg; “docx” is not."),
        ("standard=mine", "“standard” must be one of ee-2011,"),
        ("county=1", "“county” must be one of 0037,"),
        ("role=knight", "“knight” is no role that an organisation plays here;"),
        ("within=61", "“within” must be a whole number from 1 to 60; “61” is not."),
        ("as_of=never", "“as_of” is a date,"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client, asked, sentence):
    found = look(client, f"{PAGE}?{asked}")

    assert found.status == 400
    assert sentence in found.text


def test_names_that_are_markup_stay_text(hostile):
    found = look(hostile, f"{PAGE}?role=villages&within=60")

    assert found.status == 200
    assert found.inline == []
    assert "img" not in found.tags
    assert pdf_of(hostile.get(f"{PAGE}?format=pdf&role=villages&within=60")).pages


def test_a_name_that_is_a_formula_is_a_text_in_the_workbook(tmp_path):
    formula = '=HYPERLINK("https://evil.example")'
    folder = make.an_instance(tmp_path / "tiny")
    quoted = formula.replace('"', '""')
    make.replace(folder, "bodies/villages.csv", "Esimese küla selts", f'"{quoted}"')
    with site.a_site(folder, tmp_path / "state") as app:
        book = workbook(app.test_client(use_cookies=False), "role=villages&within=15")

    cell = book["Single points of failure"]["A2"]
    assert (cell.value, cell.data_type) == (formula, "s")
