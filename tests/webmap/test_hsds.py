"""/hsds is HSDS 3 as Open Referral wrote it, and holds the rows of the instance's own tables, no more.

What the standard asks of each table stands here as a list of its fields, written from the specification
(docs.openreferral.org, 3.2): the schema itself is not ours to carry along.
"""

import csv
import json
import re
from datetime import date, datetime
from uuid import UUID

import jsonschema
import pytest
import shapely

from tests import make
from tests.webmap import site

TEXT, WHOLE, NUMBER, FLAG, UUID_, WEB = "text", "whole", "number", "flag", "uuid", "web"
DAY, MOMENT, MANY = "day", "moment", "many"
# Table → its fields with what they hold; those with a star are required.
TABLES = {
    "organization": "id*:uuid name*:text alternate_name:text description*:text uri:web services:service[] "
    "locations:location[] attributes:attribute[] metadata:metadata[]",
    "service": "id*:uuid organization_id:uuid name*:text description:text url:web status*:status "
    "application_process:text assured_date:day alert:text last_modified:moment organization:organization "
    "service_areas:service_area[] service_at_locations:service_at_location[] attributes:attribute[] "
    "metadata:metadata[]",
    "location": "id*:uuid location_type*:location_type organization_id:uuid name:text description:text "
    "latitude:number longitude:number",
    "service_area": "id*:uuid service_id:uuid name:text description:text extent:text extent_type:text "
    "uri:web",
    "service_at_location": "id*:uuid service_id:uuid location_id:uuid location:location service:service",
    "attribute": "id*:uuid link_id:uuid taxonomy_term_id:uuid link_entity:text taxonomy_term:taxonomy_term",
    "taxonomy": "id*:uuid name*:text description*:text version:text",
    "taxonomy_term": "id*:uuid code:text name*:text description*:text taxonomy:text taxonomy_id:uuid "
    "language:text",
    "metadata": "id*:uuid resource_id:uuid resource_type:text last_action_date*:day last_action_type*:text "
    "field_name*:text previous_value*:text replacement_value*:text updated_by*:text",
}
PAGE = {
    *("total_items", "total_pages", "page_number", "size", "first_page", "last_page", "empty", "contents"),
}
HOLDS = {
    TEXT: lambda value: isinstance(value, str),
    NUMBER: lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    UUID_: lambda value: UUID(value).version == 5 and str(UUID(value)) == value,
    WEB: lambda value: re.match(r"https?://[^\s]+$", value),
    DAY: lambda value: date.fromisoformat(value),
    MOMENT: lambda value: datetime.fromisoformat(value).tzinfo,
    "status": lambda value: value in ("active", "inactive", "defunct", "temporarily closed"),
    "location_type": lambda value: value in ("physical", "postal", "virtual"),
}


def faults(thing, table, where=""):
    """What in a thing is not as the standard has it, each with its path."""
    fields = dict(one.split(":") for one in TABLES[table].split())
    plain = {name.rstrip("*"): kind for name, kind in fields.items()}
    found = [
        f"{where}{name[:-1]}: missing" for name in fields if name.endswith("*") and name[:-1] not in thing
    ]
    for name, value in thing.items():
        kind = plain.get(name)
        if kind is None:
            found.append(f"{where}{name}: unknown")
        elif kind.endswith("[]"):
            every = [(f"{where}{name}[{at}].", one) for at, one in enumerate(value)]
            found += [fault for path, one in every for fault in faults(one, kind[:-2], path)]
        elif kind in TABLES:
            found += faults(value, kind, f"{where}{name}.")
        else:
            try:
                holds = HOLDS[kind](value)
            except (TypeError, ValueError):
                holds = False
            found += [] if holds else [f"{where}{name}: {value!r}"]
    return found


def every(client, name, **asked):
    """All things of a list, page by page."""
    found, page = [], 1
    while True:
        said = client.get(f"/hsds/{name}", query_string={**asked, "page": page}).get_json()
        found += said["contents"]
        if said["last_page"]:
            assert len(found) == said["total_items"]
            return found
        page += 1


@pytest.fixture(scope="module")
def rows(estonia):
    """The organisations of today as the instance's own tables have them: key → (layer, row)."""
    found = {}
    for layer in estonia.layers_of("bodies"):
        with (estonia.folder / f"bodies/{layer.key}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["valid_from"] <= "2026" and (not row["valid_to"] or row["valid_to"] > "2026-12"):
                    found[row["key"]] = layer.key, row
    return found


def key_of(organization):
    return organization["uri"].rpartition("/")[2]


def services_of(estonia, layer, row):
    """A service for each thing that it can do, else for each role of its layer."""
    able = [one for one in row["capabilities"].split(";") if one]
    return able or [role.key for role in estonia.roles if role.layer == layer and not role.capabilities]


def test_it_says_which_version_it_is(client):
    said = client.get("/hsds/").get_json()

    assert said["version"] == "3.2"
    assert set(said) == {"version", "profile", "openapi_url", "description", "publisher"}
    described = client.get("/" + said["openapi_url"].split("/", 3)[3]).get_json()
    assert "/hsds/services/{id}" in described["paths"]


def test_organisations_are_the_rows_of_the_tables(client, estonia, rows):
    found = {key_of(one): one for one in every(client, "organizations", full="true", lang="et")}

    assert len(rows) > 150
    assert {key: one["name"] for key, one in found.items()} == {
        key: row.get("name_et") or row["name"] for key, (_, row) in rows.items()
    }
    codes = {term["id"]: term["code"] for term in every(client, "taxonomy_terms")}
    assert {key: [codes[a["taxonomy_term_id"]] for a in one["attributes"]] for key, one in found.items()} == {
        key: [row["form"]] for key, (_, row) in rows.items()
    }
    assert {key: len(one["services"]) for key, one in found.items()} == {
        key: len(services_of(estonia, layer, row)) for key, (layer, row) in rows.items()
    }
    points = {
        key: (place["latitude"], place["longitude"])
        for key, one in found.items()
        for place in one["locations"]
        if "latitude" in place
    }
    wanted = {key: (float(r["lat"]), float(r["lon"])) for key, (_, r) in rows.items() if r["lat"]}
    assert points.keys() == wanted.keys()
    far = {
        key
        for key, (lat, lon) in wanted.items()
        if abs(points[key][0] - lat) + abs(points[key][1] - lon) > 3e-5
    }
    assert far == set()


def test_every_thing_has_the_form_of_the_standard(client):
    asked = {"full": "true", "full_service": "true", "lang": "en"}
    organizations = every(client, "organizations", **asked)
    places = every(client, "service_at_locations", full="true")

    wrong = [fault for one in organizations for fault in faults(one, "organization")]
    wrong += [fault for one in places for fault in faults(one, "service_at_location")]
    wrong += [fault for one in every(client, "services") for fault in faults(one, "service")]
    wrong += [fault for one in every(client, "taxonomies") for fault in faults(one, "taxonomy")]
    wrong += [fault for one in every(client, "taxonomy_terms") for fault in faults(one, "taxonomy_term")]
    assert wrong == []
    ids = [one["id"] for one in organizations] + [s["id"] for one in organizations for s in one["services"]]
    assert len(ids) == len(set(ids)) > 300


def test_a_thing_of_another_form_would_be_seen():
    thing = {"id": "1", "name": 5, "status": "open", "phone": "112"}

    assert faults(thing, "service") == ["id: '1'", "name: 5", "status: 'open'", "phone: unknown"]
    assert faults({}, "service") == ["id: missing", "name: missing", "status: missing"]


def test_nothing_is_made_up(client):
    """No address, no telephone, no person: this map knows none."""
    told = json.dumps(every(client, "organizations", full="true", full_service="true"))

    assert not re.search(r'"(addresses|phones|contacts|email|schedules|postal_code|address_1)"', told)


def test_service_areas_are_the_areas_of_the_map(client):
    drawn = client.get("/api/layers/counties.geojson").get_json()["features"]
    counties = {one["properties"]["name"]: shapely.geometry.shape(one["geometry"]) for one in drawn}
    found = [area for one in every(client, "services", full="true") for area in one["service_areas"]]
    there = [one for one in found if "/areas/county/" in one["uri"]]

    assert len(there) > 20
    for one in there:
        assert one["extent_type"] == "geojson"
        assert shapely.geometry.shape(json.loads(one["extent"])).equals(counties[one["name"]])
        assert one["description"]  # The borders are approximate, and it says so.


def test_what_may_not_be_told_as_current_is_not_active(client, rows):
    found = every(client, "services", full="true", lang="en")
    state = {key_of(one["organization"]): one["status"] for one in found}
    undated = {key for key, (_, row) in rows.items() if not row["as_of"]}

    assert {state[key] for key in undated & state.keys()} <= {"inactive"}
    alerts = {one["status"] for one in found if "alert" in one}
    assert alerts == {"inactive"}
    assert "active" in state.values()


def test_what_is_closed_is_defunct_and_what_has_no_place_has_none(tmp_path):
    folder = make.an_instance(tmp_path / "tiny", readiness={"closed": {"en": "closed"}})
    make.replace(folder, "bodies/police.csv", "always", "")
    shared = {"form": "association", "capabilities": "youth", "as_of": "2026"}
    rows = [
        {**shared, "key": "first-village", "name": "First"},
        {**shared, "key": "closed", "name": "Closed", "readiness": "closed", "county": "01"},
        {**shared, "key": "lost", "name": "Lost"},
        {**shared, "key": "old", "name": "Old", "as_of": "", "county": "02"},
    ]
    make.write(folder, "bodies/villages.csv", make.bodies_csv(rows))
    with site.a_site(folder, tmp_path) as app:
        client = app.test_client()
        found = {key_of(one["organization"]): one for one in every(client, "services", full="true")}
        there = every(client, "service_at_locations")

    assert {key: found[key]["status"] for key in ("closed", "lost", "old")} == {
        "closed": "defunct",
        "lost": "active",
        "old": "inactive",
    }
    assert (found["lost"]["service_at_locations"], "assured_date" in found["old"]) == ([], False)
    assert {"latitude", "longitude"}.isdisjoint(found["closed"]["service_at_locations"][0]["location"])
    seated = {key_of(one["service"]["organization"]) for one in there}
    assert seated & {"closed", "lost", "old"} == {"closed", "old"}


def test_one_thing_is_what_its_list_says(client):
    for name in ("organizations", "services", "service_at_locations", "taxonomies", "taxonomy_terms"):
        wanted = client.get(f"/hsds/{name}?full=true").get_json()["contents"][0]
        one = client.get(f"/hsds/{name}/{wanted['id'].upper()}")
        assert one.get_json() == wanted, name
        none = client.get(f"/hsds/{name}/00000000-0000-5000-8000-000000000000")
        assert (none.status_code, none.mimetype) == (404, "application/problem+json")


def test_pages_are_those_of_the_standard(client):
    first = client.get("/hsds/services?per_page=7").get_json()
    total = first["total_items"]
    last = client.get(f"/hsds/services?per_page=7&page={-(-total // 7)}").get_json()
    beyond = client.get("/hsds/services?per_page=7&page=999").get_json()

    assert set(first) == PAGE
    assert (first["size"], first["page_number"], first["first_page"], first["last_page"]) == (
        7,
        1,
        True,
        False,
    )
    assert first["total_pages"] == -(-total // 7) == last["page_number"]
    assert (last["size"], last["last_page"], last["empty"]) == (total % 7 or 7, True, False)
    assert (beyond["size"], beyond["empty"], beyond["contents"], beyond["last_page"]) == (0, True, [], True)
    by_one = [one["id"] for one in every(client, "services", per_page=3)]
    assert by_one == [one["id"] for one in every(client, "services", per_page=500)]


def test_a_list_can_be_narrowed(client, rows):
    services = every(client, "services", lang="et")
    one = services[0]
    terms = {term["code"]: term["id"] for term in every(client, "taxonomy_terms")}

    own = every(client, "services", organization_id=one["organization_id"])
    sea = every(client, "services", taxonomy_term_id=terms["sea"])
    wanted = {key for key, (_, row) in rows.items() if "sea" in row["capabilities"].split(";")}
    assert [s["id"] for s in own] == [
        s["id"] for s in services if s["organization_id"] == one["organization_id"]
    ]
    assert {key_of(s["organization"]) for s in sea} == wanted != set()
    sectors = every(client, "organizations", taxonomy_term_id=terms["sector"])
    assert {key_of(o) for o in sectors} == {key for key, (_, row) in rows.items() if row["form"] == "sector"}
    found = every(client, "organizations", search="Päästeselts")
    assert {key_of(o) for o in found} >= {
        key for key, (_, row) in rows.items() if "päästeselts" in row["name"].lower()
    }
    assert every(client, "services", modified_after="2100-01-01") == []
    assert len(every(client, "services", modified_after="2000-01-01T00:00:00.000Z")) == len(services)
    forms = next(t for t in every(client, "taxonomies") if "form" in t["name"].lower() or True)["id"]
    assert {t["taxonomy_id"] for t in every(client, "taxonomy_terms", taxonomy_id=forms)} == {forms}


def test_minimal_and_lines(client):
    minimal = client.get("/hsds/services?minimal=true").get_json()
    lines = client.get("/hsds/services?format=ndjson&per_page=500")

    assert {frozenset(one) for one in minimal["contents"]} == {frozenset({"id", "last_modified"})}
    assert (minimal["total_items"], minimal["total_pages"]) == (len(minimal["contents"]), 1)
    assert lines.mimetype == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [
        one["id"] for one in minimal["contents"]
    ]


def test_another_day_shows_other_services(client):
    def state(**asked):
        found = every(client, "organizations", search="päästekomando", full_service="true", **asked)
        return {
            key_of(one).partition("?")[0]: one["services"][0]["status"] for one in found if one["services"]
        }

    assert state() != state(as_of="2012-05-15")


def test_identifiers_do_not_depend_on_day_language_or_host(client):
    here = every(client, "services", lang="et")
    there = client.get(
        "/hsds/services?lang=ru&as_of=2026-11-01&per_page=500", headers={"Host": "other.example"}
    ).get_json()["contents"]

    assert {one["id"] for one in here} == {one["id"] for one in there}
    assert here[0]["name"] != there[0]["name"]
    assert there[0]["url"].startswith("http://other.example/ru/")


def test_answers_are_kept_as_those_of_the_api(client):
    first = client.get("/hsds/services")
    again = client.get("/hsds/services", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.headers["Access-Control-Allow-Origin"], again.status_code) == ("*", 304)
    assert first.headers["Cache-Control"].startswith("public, max-age=")
    assert "Set-Cookie" not in first.headers
    assert client.get("/hsds/services").data == first.data


@pytest.mark.parametrize(
    "query",
    [
        *("page=0", "page=-1", "page=x", "page=99999999999", "per_page=0", "per_page=501", "per_page=1e3"),
        *("full=yes", "format=xml", "full=true&per_page=51", "modified_after=soon", "as_of=2018-13"),
        *("known=now", "lang=xx", "minimal=1", "modified_after=9999-12-31T23:59:59-14:00", "page=1.0"),
    ],
)
def test_a_forged_question_is_told_as_a_problem(client, query):
    answer = client.get(f"/hsds/services?{query}")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.get_json()["detail"].endswith(".")


@pytest.mark.parametrize(
    "path", ["services/%00", "services/../x", "organizations/'--", "nothing", "services/x/y"]
)
def test_what_is_not_there_is_not_found(client, path):
    answer = client.get(f"/hsds/{path}")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_described_as_the_api_is(app, client):
    described = client.get("/api/openapi.json").get_json()

    for name in ("organizations", "services", "service_at_locations", "taxonomies", "taxonomy_terms"):
        page = client.get(f"/hsds/{name}").get_json()
        one = client.get(f"/hsds/{name}/{page['contents'][0]['id']}").get_json()
        for path, said in ((f"/hsds/{name}", page), (f"/hsds/{name}/{{id}}", one)):
            schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"][
                "schema"
            ]
            jsonschema.validate(said, {**schema, "components": described["components"]})


def test_names_that_mean_harm_stay_text(hostile):
    found = every(hostile, "organizations", full="true", full_service="true")

    names = {one["name"] for one in found}
    assert set(site.HOSTILE.values()) <= names
    assert [fault for one in found for fault in faults(one, "organization")] == []


@pytest.mark.parametrize("asked", ["organizations?full=", "services?minimal=yes", "services?page=", "?lang="])
def test_a_blank_and_what_is_neither_true_nor_false_are_refused(client, asked):
    assert client.get(f"/hsds/{asked}").status_code == 400
