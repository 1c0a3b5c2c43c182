"""A steward's journey from a file to an edition and back, and what stands in the way of everybody else."""

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import shapely

from layers import places, store
from layers.readers import apart
from tests import make
from tests.webmap import site
from tests.webmap.desk import HIDDEN, Door, seal, send
from webmap import inbox

MESSY = (
    "\ufeffOrganisation;Type;Where;County;Latitude;Longitude;Date\r\n"
    "North watch;association;by the church;01;58,21;24,21;2025\r\n"
    "=HYPERLINK(1);association;;01;58,22;24,22;2025\r\n"
    "South watch;association;;01;north;24,23;2025\r\n"
    ";association;;01;58,24;24,24;2025\r\n"
)
ABOUT = {
    "layer": "villages",
    "dataset": "county-list",
    "source": "County",
    "licence": "CC0-1.0",
    "as_of": "2026",
}
PRECISE = {"same.precision": "settlement"}
MARK = re.compile(r'name="plan" value="([^"]*)"')


@pytest.fixture
def door(tmp_path, store_url):
    with site.a_site(make.an_instance(tmp_path / "tiny"), tmp_path / "state", database_url=store_url) as app:
        yield Door(app)


@pytest.fixture(autouse=True)
def here(monkeypatch, request):
    """Files are read in this process: each one apart takes a second, and has tests of its own."""
    if "apart" not in request.node.name:
        monkeypatch.setattr(apart, "_bind", lambda bounds: None)
        monkeypatch.setattr(apart.tempfile, "tempdir", None)
        monkeypatch.setattr(apart, "_run", lambda order, *_: apart.main(json.loads(order)))


def hand_in(client, text=MESSY, name="list.csv", **changes):
    """Sends a file in; the address of its columns, or the page that refuses it."""
    data = text if isinstance(text, bytes) else text.encode()
    file = (io.BytesIO(data), name)
    about = {**ABOUT, **changes, "csrf_token": seal(client, "/en/import"), "file": file}
    said = client.post("/en/import", data=about, content_type="multipart/form-data")
    return said.headers.get("Location", ""), said


def fields_of(page):
    """What the form of columns would send as it stands."""
    found = {}
    for name, inner in re.findall(r'<select name="((?:column|same)\.\w+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        found[name] = chosen[1] if chosen else ""
    return found | dict(re.findall(r'type="hidden" name="(sheet|encoding)" value="([^"]*)"', page))


def examined(client, path, **changes):
    """Says yes to the columns as they were guessed, but for the changes; the page of findings."""
    page = client.get(path).text
    said = client.post(
        path,
        data={**fields_of(page), "csrf_token": HIDDEN.search(page)[1], "do": "examine", **PRECISE, **changes},
    )
    assert (said.status_code, said.headers["Location"]) == (303, f"{path}/findings")
    return client.get(f"{path}/findings")


def written(client, path, page, **fields):
    about = {"csrf_token": HIDDEN.search(page)[1], "plan": MARK.search(page)[1], **fields}
    return client.post(f"{path}/write", data=about)


def names(door, layer="villages"):
    house = door.app.extensions["house"]
    with store.reading(house.engine, srid=house.instance.metric_crs) as session:
        return sorted(one.name for one in places.bodies(session, layer=layer, as_of=site.TODAY))


def tally(page):
    return [int(n) for n in re.findall(r"<dd>(\d+)</dd></div>", page)]


def test_a_messy_table_is_read_told_previewed_written_and_undone(door, steward):
    before = names(door)
    path, _ = hand_in(steward)
    columns = steward.get(path).text
    guessed = fields_of(columns)
    assert guessed["column.name"] == "Organisation"
    assert (guessed["column.lat"], guessed["column.lon"]) == ("Latitude", "Longitude")
    assert "<q>North watch</q>" in columns

    page = examined(steward, path)
    counts = tally(page.text)
    assert page.status_code == 200
    assert counts[0] == 4 == sum(counts[1:4])
    assert counts[3] == 2, page.text
    assert page.text.index("Refused rows") < page.text.index("Repaired rows")
    fixes = [*csv.DictReader(io.StringIO(steward.get(f"{path}/fixes.csv").text.removeprefix("\ufeff")))]
    assert {row["row"] for row in fixes if row["state"] == "refused"} == {"4", "5"}
    assert all(row["what"] and row["remedy"] for row in fixes if row["state"] == "refused")
    copy = [*csv.DictReader(io.StringIO(steward.get(f"{path}/repaired").text))]
    assert len(copy) == 2
    drawn = steward.get(f"{path}/preview.geojson").json["features"]
    assert [one["geometry"]["coordinates"] for one in drawn] == [[24.21, 58.21], [24.22, 58.22]]
    assert {one["properties"]["state"] for one in drawn} == {"added"}

    refused = written(steward, path, page.text)
    assert (refused.status_code, names(door)) == (422, before)
    assert "2 of 4 rows cannot be used" in refused.text
    done = written(steward, path, page.text, leave_out="yes", note="from the county")
    assert done.status_code == 303
    assert sorted({*names(door)} - {*before}) == ["=HYPERLINK(1)", "North watch"]

    told = steward.get(done.headers["Location"])
    assert "Label the-steward" in told.text
    assert "from the county" in told.text
    public = door.app.test_client(use_cookies=False).get(done.headers["Location"]).text
    assert "North watch" in public
    assert "Label the-steward" not in public
    assert "from the county" not in public
    number = int(re.search(r"/editions/(\d+)", done.headers["Location"])[1])
    assert steward.get(path).status_code == 404  # What is written waits no longer.

    undone = send(steward, f"/en/editions/{number}/undo", note="wrong list")
    assert (undone.status_code, names(door)) == (303, before)
    again = send(steward, f"/en/editions/{number}/undo")
    assert again.status_code == 422
    assert "has been undone already" in again.text
    assert "undone" in door.app.test_client(use_cookies=False).get("/en/editions").text


def test_the_next_edition_of_a_dataset_remembers_its_columns_and_tells_field_by_field(door, steward):
    text = "a,b,c,d\nNorth watch,association,58.21,24.21\nSouth watch,association,58.23,24.23\n"
    path, _ = hand_in(steward, text)
    mapping = {
        "column.name": "a",
        "column.form": "b",
        "column.lat": "c",
        "column.lon": "d",
        "same.county": "01",
    }
    page = examined(steward, path, **mapping)
    assert written(steward, path, page.text).status_code == 303

    path, _ = hand_in(steward, text.replace("58.21", "58.25").replace("South", "East"))
    assert fields_of(steward.get(path).text)["column.lat"] == "c"
    page = examined(steward, path)
    assert tally(page.text)[4:] == [1, 1, 1, 0], page.text
    assert "its point moves" in page.text
    done = written(steward, path, page.text)
    told = site.see(steward.get(done.headers["Location"]))

    assert "Its point moved by" in told.text
    assert "East watch" in told.text


def an_areas_file(shift=0.0):
    """A county in 3301, as a file that says so."""
    (shape,) = [make.metric(shapely.box(24.0 + shift, 58.0, 24.5 + shift, 58.5))]
    feature = {
        "type": "Feature",
        "properties": {"code": "01", "name": "West"},
        "geometry": json.loads(shapely.to_geojson(shape)),
    }
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3301"}}
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]})


def test_areas_in_metres_come_with_the_share_of_land_that_changes_and_can_be_compared(door, steward):
    path, _ = hand_in(steward, an_areas_file(), "areas.geojson", layer="counties", dataset="survey")
    page = examined(steward, path, **{"column.code": "code", "column.name": "name"})
    assert tally(page.text)[:4] in ([1, 1, 0, 0], [1, 0, 1, 0]), page.text
    assert "Told by another dataset too" in page.text
    (drawn,) = steward.get(f"{path}/preview.geojson").json["features"]
    assert shapely.from_geojson(json.dumps(drawn["geometry"])).bounds == pytest.approx(
        (24, 58, 24.5, 58.5), abs=0.02
    )
    done = written(steward, path, page.text)
    assert done.status_code == 303, page.text

    one = steward.get(done.headers["Location"]).text
    link = re.search(r'href="(/en/editions/compare[^"]*)"', one)[1].replace("&amp;", "&")
    public = door.app.test_client(use_cookies=False)
    seen = site.see(public.get(link))
    assert (seen.status, "Share of the land that differs" in seen.text) == (200, True)
    assert public.get(f"{link}&format=geojson").json["type"] == "FeatureCollection"
    assert public.get(link.replace("one=", "one=9")).status_code == 404


def a_division(*told):
    """Counties of an official list: code, name, west and east in degrees."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name},
            "geometry": json.loads(shapely.to_geojson(shapely.box(west, 58, east, 59))),
        }
        for code, name, west, east in told
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_a_changed_code_is_followed_and_what_a_merger_leaves_is_told_with_the_plan(door, steward):
    columns = {"column.code": "code", "column.name": "name"}
    about = {"name": "division.geojson", "layer": "counties", "dataset": "division"}
    first = a_division(("09", "Lääs", 24, 25), ("03", "Saar", 25.8, 26))
    path, _ = hand_in(steward, first, **about)
    page = examined(steward, path, **columns)
    assert "“Lääs” has the code 09 here and is known by 01: it keeps 01" in html.unescape(page.text)
    assert "Ended, and still named" not in page.text
    assert written(steward, path, page.text).status_code == 303
    assert "West station" in steward.get("/en/areas/county/01").text
    with door.writing() as session:
        make.a_body(session, key="islanders", serves=("county:03",), county="03")
        session.commit()

    path, _ = hand_in(steward, a_division(("09", "Lääs", 24, 25), ("02", "Ida", 25, 26)), **about)
    page = examined(steward, path, **columns)

    assert "Ended, and still named" in page.text
    assert "county:03 (Saar) is told no more and still named by islanders (1)." in page.text
    assert "name county:02 in them, where its land lies now." in page.text


def test_of_two_stewards_at_once_the_second_sees_the_new_plan_before_it_is_written(door, steward):
    other = door.visitor(door.account(name="another", password=""))
    text = "name,form,lat,lon,county\nNorth watch,association,58.21,24.21,01\n"
    first, second = hand_in(steward, text)[0], hand_in(other, text.replace("58.21", "58.29"))[0]
    page_1, page_2 = examined(steward, first).text, examined(other, second).text
    assert written(steward, first, page_1).status_code == 303

    said = written(other, second, page_2)
    assert (said.status_code, "somebody else has changed" in said.text) == (422, True)
    assert tally(said.text)[4:] == [0, 1, 0, 0]
    assert MARK.search(said.text)[1] != MARK.search(page_2)[1]
    assert written(other, second, said.text).status_code == 303


def test_a_form_without_its_plan_or_its_seal_writes_nothing(door, steward):
    path, _ = hand_in(steward, "name,form,lat,lon,county\nNorth watch,association,58.21,24.21,01\n")
    page = examined(steward, path).text
    token = HIDDEN.search(page)[1]
    before = names(door)

    assert steward.post(f"{path}/write", data={"csrf_token": token}).status_code == 422
    assert steward.post(f"{path}/write", data={"csrf_token": token, "plan": "0" * 64}).status_code == 422
    assert steward.post(f"{path}/write", data={"plan": MARK.search(page)[1]}).status_code == 403
    assert names(door) == before


def test_a_file_is_its_owners_alone_and_for_a_day(door, steward, tmp_path):
    path, _ = hand_in(steward)
    examined(steward, path)
    other = door.visitor(door.account("admin", password=""))
    for address in ("", "/findings", "/preview.geojson", "/fixes.csv", "/repaired"):
        assert other.get(f"{path}{address}").status_code == 404, address
    for token in ("x", "..", "%2e%2e", "a" * 32, "A" * 500):
        assert steward.get(f"/en/import/{token}").status_code == 404
    assert f'href="{path}/findings"' in steward.get("/en/import").text
    assert path not in other.get("/en/import").text

    folder = tmp_path / "state" / "inbox"
    inbox.forget_old(folder, now=datetime.now(tz=UTC) + timedelta(hours=23))
    assert steward.get(path).status_code == 200
    inbox.forget_old(folder, now=datetime.now(tz=UTC) + timedelta(hours=25))
    assert (steward.get(path).status_code, [*folder.iterdir()]) == (404, [])


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/passwd",
        "..\\..\\x.csv",
        "about.json",
        ".",
        "CON.csv",
        "a" * 300 + ".csv",
        "<b>\u202e.csv",
    ],
)
def test_what_a_person_calls_a_file_is_never_a_path(door, steward, tmp_path, name):
    path, said = hand_in(steward, name=name)
    assert said.status_code == 303, site.see(said).text

    (kept,) = (tmp_path / "state" / "inbox" / path.rpartition("/")[2] / "file").iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,95}", kept.name)
    assert steward.get(path).status_code == 200
    assert not (tmp_path / "passwd").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": "No Name"}, "small letters"),
        ({"licence": " "}, "under which licence"),
        ({"layer": "cases"}, "Choose a layer"),
        ({"as_of": "yesterday"}, "yesterday"),
        ({"source_url": "javascript:1"}, "begins with https://"),
        ({"text": b""}, "has something in it"),
        ({"text": b"%PDF-1.7 of a list", "name": "x.pdf"}, "x.pdf"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence_and_keeps_nothing(steward, tmp_path, changes, told):
    path, said = hand_in(steward, **changes)

    assert (path, said.status_code) == ("", 422)
    assert told in site.see(said).text
    folder = tmp_path / "state" / "inbox"
    assert not folder.exists() or [*folder.iterdir()] == []


def test_no_usable_row_is_an_error_and_offers_nothing_to_write(door, steward):
    path, _ = hand_in(steward, "name,form,lat,lon,county\n,association,58.2,24.2,01\n")
    page = examined(steward, path)

    assert page.status_code == 422
    assert "None of the 1 rows can be used" in page.text
    assert MARK.search(page.text) is None


def test_more_than_may_be_sent_names_the_command(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state", upload_mb=1) as app:
        door = Door(app)
        client = door.visitor(door.account(password=""))
        said = client.post(
            "/en/import", data=b"x" * 1_100_000, content_type="multipart/form-data; boundary=x"
        )

    assert (said.status_code, "1 MB" in said.text, "turvakaart import" in said.text) == (413, True, True)


def test_an_account_writes_only_into_its_layers_and_areas(door):
    villages = door.visitor(door.account(name="villages", password="", layers=("villages",)))
    west = door.visitor(door.account(name="west", password="", areas=("county:01",)))
    assert hand_in(villages, layer="police")[1].status_code == 422
    text = "name,form,lat,lon,county\nNorth watch,association,58.21,24.21,{}\n"
    path, _ = hand_in(west, text.format("02"))
    page = examined(west, path).text

    said = written(west, path, page)
    assert (said.status_code, "Your account is for other areas" in said.text) == (422, True)
    path, _ = hand_in(west, text.format("01"))
    done = written(west, path, examined(west, path).text)
    assert done.status_code == 303
    number = re.search(r"/editions/(\d+)", done.headers["Location"])[1]
    assert west.get(f"/en/editions/{number}/undo").status_code == 403
    assert villages.get(f"/en/editions/{number}/undo").status_code == 200


def test_the_editions_of_the_files_cannot_be_undone_and_say_so(door, steward):
    said = send(steward, "/en/editions/1/undo")

    assert said.status_code == 422
    assert "change the files instead" in said.text
    assert steward.get("/en/editions/9999").status_code == 404


def test_of_several_tables_one_is_chosen(steward):
    from openpyxl import Workbook

    book, kept = Workbook(), io.BytesIO()
    book.active.title = "Notes"
    book.active.append(["Nothing"])
    book.active.append(["x"])
    sheet = book.create_sheet("Units")
    sheet.append(["name", "form", "lat", "lon", "county"])
    sheet.append(["North watch", "association", 58.21, 24.21, "01"])
    book.save(kept)
    path, _ = hand_in(steward, kept.getvalue(), "book.xlsx")
    page = steward.get(f"{path}?sheet=Units").text

    assert re.search(r'<option value="Units" selected>', page)
    assert fields_of(page)["column.name"] == "name"
    said = send(steward, path, page=f"{path}?sheet=Units", do="examine", **fields_of(page) | PRECISE)
    assert "North watch" in steward.get(said.headers["Location"]).text


def test_a_sent_file_is_read_in_a_process_apart(steward, monkeypatch):
    look, seen = apart.look, []
    monkeypatch.setattr(apart, "look", lambda path, **how: seen.append(path.name) or look(path, **how))
    columns, said = hand_in(steward)

    assert said.status_code == 303
    assert steward.get(columns).status_code == 200
    assert seen == ["list.csv"], "once: what it said is remembered"
