"""Layers as files: at addresses for programs, on a page for people, by command."""

import json
import re

import pytest
import vobject
from click.testing import CliRunner

from layers import places
from tests.webmap.site import TODAY, look
from webmap import cli


def test_the_page_lists_every_layer_with_licence_and_every_format(client, estonia):
    page = look(client, "/en/download?as_of=2018&county=0087")

    assert page.status == 200
    for layer in estonia.layers:
        assert layer.label["en"] in page.text
        assert f"/api/export/{layer.key}.gpkg?lang=en&as_of=2018&county=0087" in page.links
    assert "ODbL-1.0" in page.text
    assert page.inline == []
    assert "/en/download" in look(client, "/en/data").links


@pytest.mark.parametrize(
    ("ending", "mimetype"),
    [("csv", "text/csv"), ("gpkg", "application/geopackage+sqlite3"), ("fgb", "application/flatgeobuf")],
)
def test_a_file_has_its_type_and_a_safe_name(client, ending, mimetype):
    answer = client.get(f"/api/export/rescue.{ending}?as_of=2018&lang=en", buffered=True)

    assert (answer.status_code, answer.mimetype) == (200, mimetype)
    assert answer.headers["Content-Disposition"] == f"attachment; filename=ee-rescue-2018-01-01-en.{ending}"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    head = client.head(f"/api/export/rescue.{ending}?as_of=2018&lang=en", buffered=True)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", answer.headers["ETag"])
    assert int(head.headers["Content-Length"]) == len(answer.data)
    again = client.get(answer.request.url, headers={"If-None-Match": answer.headers["ETag"]}, buffered=True)
    assert (again.status_code, again.data) == (304, b"")


def test_day_language_and_choice_are_kept_to(client):
    def rows(query):
        found = client.get(f"/api/export/rescue.geojson?{query}", buffered=True).get_json()
        assert found["features"]
        return {one["properties"]["key"]: one["properties"] for one in found["features"]}

    past, now = rows("as_of=2012-05-15"), rows("lang=en")
    assert past.keys() - now.keys()
    assert {one["form_label"] for one in now.values()} != {
        one["form_label"] for one in rows("lang=et").values()
    }
    assert {one["county"] for one in rows("county=0087").values()} == {"0087"}
    marks = {
        client.head(f"/api/export/rescue.csv?{query}", buffered=True).headers["ETag"]
        for query in ("", "county=0087", "lang=en")
    }
    assert len(marks) == 3


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("rescue.doc", 400, "geojson, gpkg"),
        ("practices.kml", 400, "practices"),
        ("cells.csv", 404, "cells"),
        ("../../etc/passwd", 404, ""),
        ("rescue.csv?as_of=yesterday", 400, "yesterday"),
        ("rescue.csv?county=9999", 400, "9999"),
        ("rescue.csv?lang=xx", 400, "xx"),
    ],
)
def test_what_cannot_be_written_is_told(client, address, status, said):
    answer = client.get(f"/api/export/{address}", buffered=True)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert said in answer.get_json()["detail"]


def test_a_program_is_given_what_it_accepts(client):
    def asked(accept):
        return client.get("/api/export/police", headers={"Accept": accept}, buffered=True)

    assert asked("text/csv, application/json;q=0.1").mimetype == "text/csv"
    assert asked("*/*").mimetype == "application/geo+json"
    assert "Accept" in asked("text/csv").headers["Vary"]
    refused = asked("image/png")
    assert (refused.status_code, refused.mimetype) == (406, "application/problem+json")


def test_a_choice_that_is_none_is_refused_where_it_would_change_nothing_too(client):
    refused = client.get("/api/export/counties.csv?outcome=nonsense")

    assert (refused.status_code, refused.mimetype) == (400, "application/problem+json")
    assert client.get("/api/export/counties.csv?outcome=lasted", buffered=True).status_code == 200


def test_a_file_tells_no_finer_than_the_map(client):
    """The points of watch sectors are those of the map, to the digit."""
    mapped = client.get("/api/layers/watch.geojson").get_json()["features"]
    taken = client.get("/api/export/watch.geojson", buffered=True).get_json()["features"]

    points = {one["properties"]["key"]: one["geometry"] for one in taken if one["geometry"]}
    assert points == {one["properties"]["key"]: one["geometry"] for one in mapped}
    assert len(points) > 20


def test_files_are_kept_and_the_oldest_go(app, client, monkeypatch):
    from webmap import downloads

    folder = downloads.folder(app.config["STATE"])
    client.get("/api/export/police.csv?as_of=2019", buffered=True)
    before = {*folder.iterdir()}
    client.get("/api/export/police.csv?as_of=2019", buffered=True)
    assert {*folder.iterdir()} == before
    monkeypatch.setattr(downloads, "_MOST_BYTES", 1)
    client.get("/api/export/police.csv?as_of=2020", buffered=True)
    assert len({*folder.iterdir()}) == 1


def test_every_card_is_a_card(app, client):
    with app.test_request_context("/"):
        from webmap import db

        keys = [one.key for one in places.bodies(db.session(), as_of=TODAY)]
    for key in keys[::7]:
        answer = client.get(f"/et/bodies/{key}.vcf")
        card = vobject.readOne(answer.text)
        assert card.fn.value
        assert card.version.value == "4.0"
        assert re.fullmatch(r"attachment; filename=[\w.-]+", answer.headers["Content-Disposition"])


def test_a_command_writes_what_a_visitor_gets(app, client, estonia, state, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBMAP_STATE", str(state))
    out = tmp_path / "rescue.geojson"

    told = CliRunner().invoke(
        cli.cli,
        ["export", "rescue", "--out", str(out), "--lang", "en", "--county", "0087", "--as-of", "2026-11-22"],
    )

    assert told.exit_code == 0, told.output
    there = client.get("/api/export/rescue.geojson?lang=en&county=0087&as_of=2026-11-22", buffered=True)
    assert out.read_bytes() == there.data
    assert f"{len(json.loads(out.read_text())['features'])} rows, GeoJSON" in told.output
    wrong = CliRunner().invoke(cli.cli, ["export", "rescue", "--out", str(tmp_path / "x.doc")])
    assert (wrong.exit_code, "There is no format “doc”" in wrong.output) == (1, True)
    assert [*tmp_path.iterdir()] == [out]
