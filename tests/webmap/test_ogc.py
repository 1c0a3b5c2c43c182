"""OGC API – Features under /ogc, as the abstract test suites of the standard ask it.

Covered, by the numbers of the annexes:

* Part 1, A.2 core: /conf/core/http, root-op, root-success, api-definition-op, api-definition-success,
  conformance-op, conformance-success, fc-md-op, fc-md-success, fc-md-links, fc-md-items, fc-md-items-links,
  fc-md-extent, sfc-md-op, sfc-md-success, fc-op, fc-limit-definition, fc-limit-response, fc-bbox-definition,
  fc-bbox-response, fc-time-definition, fc-time-response, query-param-unknown, query-param-invalid,
  fc-response, fc-links, fc-rel-type, fc-timeStamp (none is sent), fc-numberMatched, fc-numberReturned, f-op,
  f-success, f-links; A.3 html, A.4 geojson (definition, content), A.6 oas30 (oas-definition-1/2, oas-impl,
  completeness, exceptions-codes).
* Part 2, A.2 crs: crs-uri, fc-md-crs-list, fc-md-storageCrs, fc-bbox-crs-definition, -valid-value,
  -invalid-value, -action, fc-crs-definition, -valid-value, -default-value, -invalid-value, -action,
  ogc-crs-header, geojson.
* Part 3, A.2 queryables (get-conformance, success, link), queryables-query-parameters, A.4 filter
  (filter-param, filter-lang, filter-crs, expression-construction, response), mixing with other parameters;
  CQL2 itself is tested in tests/layers/test_cql.py.

Not covered: XML encodings, and security schemes, which this service does not have.
"""

import json
import re
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest
import shapely
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, validate

from tests.webmap import site
from webmap.ogc import asked, described

IDS = ["police", "villages", "watch", "rescue", "cases", "counties", "prefectures", "municipalities"]
IDS += ["settlements", "counts", "land", "neighbours"]
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
WGS84 = "http://www.opengis.net/def/crs/EPSG/0/4326"
METRIC = "http://www.opengis.net/def/crs/EPSG/0/3301"


@pytest.fixture(scope="module")
def api(app):
    return app.test_client(use_cookies=False).get("/ogc/api").get_json(force=True)


@pytest.fixture
def ask(client, api):
    """Asks, and holds every answer against what is described."""

    def asking(path, status=200, **query):
        answer = client.get(f"/ogc{path}", query_string=query)
        assert answer.status_code == status, answer.text[:300]
        found = answer.get_json(force=True)
        _check(api, path, answer, found)
        return found

    return asking


def _check(api, path, answer, found):
    described_ = api["paths"].get(path or "/")
    if described_ is None:
        described_ = api["paths"].get(re.sub(r"/items/[^/]+$", "/items/{featureId}", path))
    if described_ is None:
        assert answer.status_code == 404
        return
    content = described_["get"]["responses"][str(answer.status_code)]["content"]
    kind = answer.content_type if answer.content_type in content else answer.mimetype
    wanted = {**content[kind]["schema"], "components": api["components"]}
    OAS30Validator(wanted).validate(found)


def links(found, rel):
    return [one for one in found["links"] if one["rel"] == rel]


def ids(found):
    return [one["id"] for one in found["features"]]


def shapes(found):
    """Shapes by id; None where a feature has none."""
    texts = {one["id"]: one["geometry"] and json.dumps(one["geometry"]) for one in found["features"]}
    return {key: text and shapely.from_geojson(text) for key, text in texts.items()}


def follow(client, found):
    """All pages behind an answer, by their links."""
    pages = [found]
    while following := links(pages[-1], "next"):
        address = urlsplit(following[0]["href"])
        pages.append(client.get(f"{address.path}?{address.query}").get_json(force=True))
        assert len(pages) < 100
    return pages


# --- Part 1: core, OpenAPI, GeoJSON, HTML


def test_the_description_is_valid_openapi_3_0(api):
    validate(api, cls=OpenAPIV30SpecValidator)

    assert api["openapi"].startswith("3.0.")
    names = [one["operationId"] for path in api["paths"].values() for one in path.values()]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_address_is_described(app, api):
    rules = {
        str(rule).removeprefix("/ogc") for rule in app.url_map.iter_rules() if str(rule).startswith("/ogc")
    }
    offered = {path.replace("<name>", "police").replace("<key>", "{featureId}") or "/" for path in rules}

    assert offered == {path for path in api["paths"] if "/collections/" not in path or "/police" in path}
    assert {path.split("/")[2] for path in api["paths"] if path.count("/") > 1} == {*IDS}


def test_the_way_in_leads_everywhere(client, ask):
    found = ask("/")

    for rel in ("self", "alternate", "service-desc", "service-doc", "conformance", "data"):
        assert links(found, rel), rel
    for link in found["links"]:
        answer = client.get(link["href"].removeprefix("http://localhost"))
        assert (answer.status_code, answer.content_type.split("; charset")[0]) == (200, link["type"])
    assert client.get("/ogc").get_json() == client.get("/ogc/").get_json()


def test_what_it_keeps_to_is_declared(ask):
    found = ask("/conformance")["conformsTo"]

    assert found == [*described.CONFORMANCE]
    assert {"core", "geojson", "html", "oas30", "crs", "filter", "cql2-text"} <= {
        one.rsplit("/", 1)[1] for one in found
    }


def test_every_layer_is_a_collection_with_its_links_extent_and_systems(client, ask):
    found = ask("/collections")

    assert [one["id"] for one in found["collections"]] == IDS
    for one in found["collections"]:
        assert one == ask(f"/collections/{one['id']}")
        assert (one["crs"], one["storageCrs"]) == ([CRS84, WGS84, METRIC], METRIC)
        west, south, east, north = one["extent"]["spatial"]["bbox"][0]
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        [span] = one["extent"]["temporal"]["interval"]
        assert all(end is None or re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", end) for end in span)
        kinds = {link["type"] for link in links(one, "items")}
        assert kinds == {"application/geo+json", "text/html"}
        for link in one["links"]:
            assert {"href", "rel", "type"} <= {*link}
            assert client.get(link["href"].removeprefix("http://localhost")).status_code == 200


@pytest.mark.parametrize("name", IDS)
def test_features_of_every_collection_are_as_described_and_within_its_extent(ask, name):
    found = ask(f"/collections/{name}/items", limit="1000")

    assert found["features"]
    assert found["numberReturned"] == len(found["features"]) <= found["numberMatched"]
    assert ids(found) == sorted({*ids(found)})
    frame = shapely.box(*ask(f"/collections/{name}")["extent"]["spatial"]["bbox"][0])
    assert all(frame.covers(shape) for shape in shapes(found).values() if shape)
    first = found["features"][0]
    one = ask(f"/collections/{name}/items/{first['id']}")
    assert [link["rel"] for link in one.pop("links")] == ["self", "alternate", "collection"]
    assert one == first


def test_every_fact_carries_its_source_licence_date_and_precision(ask):
    for name in IDS:
        for one in ask(f"/collections/{name}/items", limit="1000")["features"]:
            about = one["properties"]
            assert about["source"], one["id"]
            assert about["licence"], one["id"]
            assert "as_of" in about
            exact = {"precision", "accuracy"} & {*about}
            assert exact or name in ("settlements", "counts")
            if one["geometry"] and exact:
                assert about[exact.pop()], one["id"]


def test_the_same_points_as_on_the_map_and_none_beside(client, ask):
    for name in IDS[:5]:
        drawn = client.get(f"/api/layers/{name}.geojson").get_json()["features"]
        wanted = {one["properties"]["key"]: one["geometry"]["coordinates"] for one in drawn}
        found = ask(f"/collections/{name}/items", limit="1000")["features"]

        assert {one["id"]: one["geometry"]["coordinates"] for one in found if one["geometry"]} == wanted
    areas = client.get("/api/layers/municipalities.geojson?step=near").get_json()["features"]
    found = ask("/collections/municipalities/items", limit="1000")["features"]
    assert {one["id"]: one["geometry"] for one in found} == {
        one["properties"]["key"]: one["geometry"] for one in areas
    }


def test_a_property_leads_to_the_page_of_this_map(client, ask):
    for name in IDS:
        one = ask(f"/collections/{name}/items", limit="1", lang="en")["features"][0]
        address = one["properties"]["url"]
        if address is None:
            assert one["properties"]["area"].startswith("country:")
            continue
        assert client.get(address.removeprefix("http://localhost")).status_code == 200


def test_pages_follow_their_links_to_the_end(client, ask):
    pages = follow(client, ask("/collections/settlements/items", limit="700"))

    found = [key for page in pages for key in ids(page)]
    assert len(pages) == 7
    assert len(found) == len({*found}) == pages[0]["numberMatched"] == pages[-1]["numberMatched"]
    assert [page["numberReturned"] for page in pages[:-1]] == [700] * 6
    kept = dict(parse_qsl(urlsplit(links(pages[0], "next")[0]["href"]).query))
    assert (kept["limit"], kept["f"]) == ("700", "json")


@pytest.mark.parametrize(("limit", "wanted"), [("1", 1), ("007", 7), ("1000", 1000), ("1001", 1000)])
def test_a_limit_is_kept_and_more_than_there_may_be_is_the_most(ask, limit, wanted):
    assert ask("/collections/settlements/items", limit=limit)["numberReturned"] == wanted


def test_a_limit_beyond_all_numbers_is_the_most(ask):
    assert ask("/collections/police/items", limit="9" * 5000)["numberReturned"] == 27
    assert len(ask("/collections/settlements/items")["features"]) == asked.FEW


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("name", ["settlements", "municipalities", "cases"])
def test_a_box_gives_what_meets_it(client, ask, name, swap):
    every = shapes({"features": [f for p in follow(client, ask(f"/collections/{name}/items", limit="1000"))
                                 for f in p["features"]]})  # fmt: skip
    for west, south, east, north in ((24.5, 58.9, 25.1, 59.3), (26, 57.5, 27.5, 58), (22.1, 58.2, 22.1, 59)):
        box = (
            shapely.box(west, south, east, north)
            if west < east
            else shapely.LineString([(west, south), (east, north)])
        )
        wanted = sorted(key for key, shape in every.items() if shape and shape.intersects(box))
        numbers = (south, west, north, east) if swap else (west, south, east, north)
        more = {"bbox-crs": WGS84} if swap else {}

        found = ask(f"/collections/{name}/items", limit="1000", bbox=",".join(map(str, numbers)), **more)

        assert ids(found) == wanted
        assert found["numberMatched"] == len(wanted)


def test_a_box_may_have_heights_go_round_the_back_of_the_earth_and_be_a_point(ask):
    flat = ask("/collections/villages/items", bbox="24,58,25,59")
    assert ids(ask("/collections/villages/items", bbox="24,58,-10,25,59,3000")) == ids(flat) != []
    everything = ask("/collections/settlements/items", bbox="-180,-90,180,90")["numberMatched"]
    east = ask("/collections/settlements/items", bbox="25,-90,180,90")["numberMatched"]
    around = ask("/collections/settlements/items", bbox="25,-90,-170,90")["numberMatched"]
    west = ask("/collections/settlements/items", bbox="170,-90,25,90")["numberMatched"]
    # Candidates are too many to be counted where a box holds nearly all; then no number is told.
    assert (around, west) == (
        east,
        ask("/collections/settlements/items", bbox="-180,-90,25,90")["numberMatched"],
    )
    assert everything == 4682
    point = ask("/collections/villages/items", limit="2", bbox="24,58,25,59")["features"][0]
    x, y = point["geometry"]["coordinates"]
    assert point["id"] in ids(ask("/collections/villages/items", bbox=f"{x},{y},{x},{y}"))


def test_a_day_a_moment_and_a_span(client, ask):
    path = "/collections/municipalities/items"
    now, then = ask(path), ask(path, datetime="2016-05-01")
    assert ids(now) != ids(then)
    assert ids(ask(path, datetime="2016-05-01T23:30:00Z")) == ids(then)
    assert ids(ask(path, datetime="2016-05-02T01:30:00+03:00")) == ids(then)
    ever = {*ids(ask(path, datetime="../..", limit="1000"))}
    assert ever >= {*ids(now)} | {*ids(then)}
    assert {*ids(ask(path, datetime="2016-05-01/.."))} >= {*ids(now)} | {*ids(then)}
    for one in ask("/collections/cases/items", datetime="2010-01-01/2012-12-31", limit="1000")["features"]:
        assert (one["properties"]["valid_from"] or "") <= "2012-12-31"
        assert (one["properties"]["valid_to"] or "9999") > "2010-01-01"


def test_names_and_labels_come_in_the_language_that_is_asked(client, ask):
    told = {
        code: ask("/collections/counties/items/county:0037", lang=code)["properties"]["kind_label"]
        for code in ("et", "en", "ru")
    }
    assert (told["et"], told["en"]) == ("maakond", "county")
    assert len({*told.values()}) == 3
    assert links(ask("/collections/police/items", lang="en"), "self")[0]["href"].count("lang=en") == 1


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", "x=1"),
        ("/", "f=xml"),
        ("/", "lang=xx"),
        ("/conformance", "limit=1"),
        ("/collections", "bbox=1,2,3,4"),
        ("/collections/police", "datetime=2018-01-01"),
        *(
            ("/collections/police/items", query)
            for query in (
                "unknown=1",
                "Limit=1",
                "limit=0",
                "limit=-1",
                "limit=1.5",
                "limit=abc",
                "limit=",
                "limit=%D9%A3",
                "limit=1e3",
                "bbox=",
                "bbox=1,2,3",
                "bbox=1,2,3,4,5",
                "bbox=1,2,3,4,5,6,7",
                "bbox=1,5,3,4",
                "bbox=nan,1,2,3",
                "bbox=inf,1,2,3",
                "bbox=1e99,1,2,3",
                "bbox=-181,0,0,1",
                "bbox=0,0,1,91",
                "bbox=1,2,5,3,4,1",
                "bbox=1,2,3,4;drop",
                "bbox=" + "1," * 50_000,
                "bbox=5,1,4,2&bbox-crs=" + METRIC,
                "bbox=1,2,3,4&bbox-crs=EPSG:9999",
                "crs=http://www.opengis.net/def/crs/EPSG/0/9999",
                "crs=",
                "datetime=",
                "datetime=2018",
                "datetime=2018-02-30",
                "datetime=yesterday",
                "datetime=2018-01-01/2017-01-01",
                "datetime=2018-01-01/2019-01-01/2020-01-01",
                "datetime=0000-01-01",
                "datetime=0001-01-01T00:00:00%2B23:00",
                "datetime=99999-01-01",
                "known=yesterday",
                "filter=",
                "filter=x%3D1",
                "filter=key%3D",
                "filter=key%3D1",
                "filter-lang=cql2-text",
                "filter-crs=" + METRIC,
                "filter=key%3D'x'&filter-lang=sql",
                "filter=key%3D'x'&filter-crs=nowhere",
                "filter=true%20garbage&filter-lang=cql2-json",
                "filter=" + "(" * 5000,
                "filter=" + "x" * 100_000,
                "filter=" + "NOT%20" * 5000 + "TRUE",
                "current=maybe",
                "serves=county:0037",
            )
        ),
        ("/collections/settlements/items", "population=many"),
        ("/collections/police/items/x", "limit=1"),
        ("/collections/police/items/x", "datetime=2018-01-01/.."),
    ],
)
def test_what_cannot_be_used_is_refused_as_described(client, api, path, query):
    answer = client.get(f"/ogc{path}?{query}")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), answer.text[:200]
    wanted = {"$ref": "#/components/schemas/Problem", "components": api["components"]}
    OAS30Validator(wanted).validate(answer.get_json(force=True))
    assert answer.get_json(force=True)["detail"].endswith(".")
    assert len(answer.text) < 1000
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path", ["/collections/nothing", "/collections/nothing/items", "/collections/police/items/nobody", "/x"]
)
def test_what_is_not_there_is_told(client, path):
    answer = client.get(f"/ogc{path}")
    page = client.get(f"/ogc{path}", headers={"Accept": "text/html,*/*;q=0.8"})

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert (page.status_code, page.mimetype) == (404, "text/html")


def test_only_reading_is_offered(client):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)("/ogc/collections/police/items").status_code == 405
    assert client.head("/ogc/collections/police/items").status_code == 200


def test_a_visitor_who_has_an_answer_gets_none_again(client):
    answer = client.get("/ogc/collections/police/items?limit=3", headers={"Origin": "https://example.org"})
    again = client.get(
        "/ogc/collections/police/items?limit=3", headers={"If-None-Match": answer.headers["ETag"]}
    )

    assert again.status_code == 304
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in answer.headers
    assert "Accept" in answer.headers["Vary"]
    # It names the host that was asked for: no shared cache may hand it to somebody else.
    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    assert {part.split('rel="')[1].split('"')[0] for part in answer.headers.getlist("Link")} == {
        *("self", "alternate", "next", "collection")
    }


# --- Part 2: coordinate systems


def test_an_answer_comes_in_the_system_that_is_asked(client, ask):
    path, plain = "/collections/counties/items", ask("/collections/counties/items")
    for crs in (CRS84, WGS84, METRIC):
        answer = client.get(f"/ogc{path}", query_string={"crs": crs})
        assert answer.headers["Content-Crs"] == f"<{crs}>"
    assert client.get(f"/ogc{path}").headers["Content-Crs"] == f"<{CRS84}>"
    assert client.get(f"/ogc{path}/county:0037").headers["Content-Crs"] == f"<{CRS84}>"

    swapped, metric = shapes(ask(path, crs=WGS84)), shapes(ask(path, crs=METRIC))
    for key, shape in shapes(plain).items():
        assert (
            shapely.get_coordinates(swapped[key])[:, ::-1].tolist() == shapely.get_coordinates(shape).tolist()
        )
        north, east = shapely.get_coordinates(metric[key]).mean(axis=0)
        assert 6_370_000 < north < 6_640_000  # EPSG:3301 has north first.
        assert 360_000 < east < 750_000


def test_a_box_in_metres_gives_what_meets_it(ask):
    path = "/collections/settlements/items"
    box = (6_500_000.0, 500_000.0, 6_520_000.0, 530_000.0)  # South, west, north, east.

    found = ask(path, bbox=",".join(map(str, box)), **{"bbox-crs": METRIC, "crs": METRIC, "limit": "1000"})

    assert found["numberReturned"] > 10
    for shape in shapes(found).values():
        assert box[0] <= shape.x <= box[2]
        assert box[1] <= shape.y <= box[3]


# --- Part 3: filters


def test_what_can_be_filtered_by_is_a_schema_that_every_feature_keeps_to(ask):
    for name in IDS:
        schema = ask(f"/collections/{name}/queryables")
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"].endswith(f"/ogc/collections/{name}/queryables")
        known = {*schema["properties"]}
        feature = ask(f"/collections/{name}/items", limit="1")["features"][0]
        assert {*feature["properties"]} - {"url"} == known - {"geometry"}
        assert {*ask(f"/collections/{name}/schema")["properties"]} == known
        assert all(one.get("title") for key, one in schema["properties"].items() if key != "geometry")


def test_a_filter_in_both_forms_gives_the_same_and_mixes_with_the_rest(ask):
    path = "/collections/villages/items"
    every = ask(path, limit="1000")["features"]
    wanted = [
        one["id"] for one in every if one["properties"]["county"] == "0037" and one["properties"]["current"]
    ]
    text = "county = '0037' AND current"
    tree = {
        "op": "and",
        "args": [{"op": "=", "args": [{"property": "county"}, "0037"]}, {"property": "current"}],
    }

    assert wanted
    assert ids(ask(path, filter=text)) == wanted
    assert ids(ask(path, filter=json.dumps(tree), **{"filter-lang": "cql2-json"})) == wanted
    assert ids(ask(path, filter="current", county="0037")) == wanted
    assert ids(ask(path, county="0037", current="true")) == wanted
    boxed = ask(path, filter=text, bbox="24.5,59.2,25.5,59.6", limit="1")
    both = "county = '0037' AND current AND S_INTERSECTS(geometry, BBOX(24.5,59.2,25.5,59.6))"
    assert boxed["numberMatched"] == ask(path, filter=both)["numberMatched"]


def test_shapes_of_a_filter_are_in_the_system_that_is_named(ask):
    path = "/collections/settlements/items"
    plain = ids(ask(path, filter="S_INTERSECTS(geometry, BBOX(24.7,59.3,24.8,59.45))"))

    assert plain
    swapped = "S_INTERSECTS(geometry, BBOX(59.3,24.7,59.45,24.8))"
    assert ids(ask(path, filter=swapped, **{"filter-crs": WGS84})) == plain
    metric = (
        "S_INTERSECTS(geometry, POLYGON((6500000 500000, 6510000 500000, 6510000 520000, 6500000 500000)))"
    )
    found = ask(path, filter=metric, **{"filter-crs": METRIC, "crs": METRIC, "limit": "1000"})
    triangle = shapely.Polygon([(6500000, 500000), (6510000, 500000), (6510000, 520000)])
    assert found["numberReturned"] > 3
    assert all(triangle.intersects(shape) for shape in shapes(found).values())


# --- Pages


@pytest.mark.parametrize("language", ["et", "en"])
def test_every_answer_is_a_page_too(client, language):
    first = client.get("/ogc/collections/cases/items?limit=1").get_json(force=True)["features"][0]["id"]
    paths = ["", "/conformance", "/api", "/collections", "/collections/counts", "/collections/land/schema"]
    paths += [f"/collections/{name}/items" for name in IDS] + [f"/collections/cases/items/{first}"]
    seen = set()
    for path in (*paths, "/collections/police/queryables"):
        page = site.see(client.get(f"/ogc{path}?lang={language}", headers={"Accept": "text/html"}))
        assert (page.status, page.language, len(page.headings)) == (200, language, 1), path
        assert page.inline == []
        assert len(page.ids) == len({*page.ids})
        led = sorted({link for link in page.links if link.startswith("/ogc")} - seen)
        for link in led[:3]:  # Each once, and of many alike a few.
            assert client.get(link).status_code == 200, link
        seen.update(led)


def test_a_browser_gets_a_page_and_a_program_its_data(client):
    def kind(accept, query=""):
        return client.get(f"/ogc/collections/police/items{query}", headers={"Accept": accept}).mimetype

    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert kind(browser) == "text/html"
    assert kind(browser, "?f=json") == kind("*/*") == kind("application/geo+json") == "application/geo+json"
    assert kind("*/*", "?f=html") == "text/html"
    assert kind("application/json") == "application/geo+json"


def test_names_with_markup_stay_text(hostile):
    for path in ("villages/items", "cases/items", "villages/items/evil-image", "villages/items/evil-script"):
        page = site.see(hostile.get(f"/ogc/collections/{path}?f=html"))
        assert page.status == 200
        assert page.inline == []
        assert "onerror" in page.text or "script" in page.text


@pytest.mark.parametrize("language", ["et", "en", "ru"])
def test_a_page_of_a_feature_tells_dates_and_ages_in_words(client, language):
    [found] = client.get("/ogc/collections/police/items?limit=1").json["features"]
    page = client.get(f"/ogc/collections/police/items/{found['id']}?lang={language}&f=html").text

    assert all(
        f"<dd>{found['properties'][name]}</dd>" not in page for name in ("freshness", "as_of", "expires")
    )
    assert f"<dd>{found['properties']['licence']}</dd>" in page
    assert f'href="/{language}/programs"' in page
